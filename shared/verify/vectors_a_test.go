package verify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/verify"
)

func TestVerify_VectorsPublishedByVendors(t *testing.T) {
	t.Parallel()
	circle := func(signature string) verify.Header {
		return verify.Header{"circleci-signature": "v1=" + signature}
	}
	cloudinary := func(signature, at string) verify.Header {
		return verify.Header{"x-cld-signature": signature, "x-cld-timestamp": at}
	}
	sha256Hash := map[string]string{"algorithm": "sha256"}
	for origin, vector := range map[string]struct {
		provider, secret string
		header           verify.Header
		body             string
		at               time.Time
		settings         map[string]string
	}{
		"Agora, HmacShaTest of its demonstrations": {"agora", "secret",
			verify.Header{
				"agora-signature-v2": "de96da5acf03b0021ac3b4fa2225e7ae6f3533a30d50bb02c08ea4fa748bda24",
			},
			`{"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}`,
			time.Time{}, nil},
		"Bitbucket Data Center, runatlantis/atlantis request_validation_test.go": {"bitbucket-server", "mysecret",
			verify.Header{
				"x-hub-signature": "sha256=ed11f92d1565a4de586727fe8260558277d58009e8957a79eb4749a7009ce083",
			},
			`{"eventKey":"pr:comment:added","date":"2018-07-24T15:10:05+0200","actor":{"name":"lkysow","emailAddress":"lkysow@gmail` +
				`.com","id":1,"displayName":"Luke Kysow","active":true,"slug":"lkysow","type":"NORMAL"},"pullRequest":{"id":5,"version"` +
				`:0,"title":"another.tf edited online with Bitbucket","state":"OPEN","open":true,"closed":false,"createdDate":153236542` +
				`7513,"updatedDate":1532365427513,"fromRef":{"id":"refs/heads/lkysow/anothertf-1532365422773","displayId":"lkysow/anoth` +
				`ertf-1532365422773","latestCommit":"b52b8e254e956654dcdb394d0ccba9199f420427","repository":{"slug":"atlantis-example",` +
				`"id":1,"name":"atlantis-example","scmId":"git","state":"AVAILABLE","statusMessage":"Available","forkable":true,"projec` +
				`t":{"key":"AT","id":1,"name":"atlantis","public":false,"type":"NORMAL"},"public":false}},"toRef":{"id":"refs/heads/mas` +
				`ter","displayId":"master","latestCommit":"0a338874369017deba7c22e99e6000932724282f","repository":{"slug":"atlantis-exa` +
				`mple","id":1,"name":"atlantis-example","scmId":"git","state":"AVAILABLE","statusMessage":"Available","forkable":true,"` +
				`project":{"key":"AT","id":1,"name":"atlantis","public":false,"type":"NORMAL"},"public":false}},"locked":false,"author"` +
				`:{"user":{"name":"lkysow","emailAddress":"lkysow@gmail.com","id":1,"displayName":"Luke Kysow","active":true,"slug":"lk` +
				`ysow","type":"NORMAL"},"role":"AUTHOR","approved":false,"status":"UNAPPROVED"},"reviewers":[],"participants":[]},"comm` +
				`ent":{"properties":{"repositoryId":1},"id":65,"version":0,"text":"comment","author":{"name":"lkysow","emailAddress":"l` +
				`kysow@gmail.com","id":1,"displayName":"Luke Kysow","active":true,"slug":"lkysow","type":"NORMAL"},"createdDate":153243` +
				`7805137,"updatedDate":1532437805137,"comments":[],"tasks":[]}}`,
			time.Time{}, nil},
		"CircleCI docs, first": {"circleci", "secret",
			circle(
				"734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a",
			), "hello world", time.Time{}, nil},
		"CircleCI docs, second": {"circleci", "another-secret",
			circle(
				"daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00",
			), "lalala", time.Time{}, nil},
		"CircleCI docs, third": {"circleci", "hunter123",
			circle(
				"9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa",
			), "an-important-request-payload", time.Time{}, nil},
		"CircleCI docs, in Python": {"circleci", "secret",
			circle(
				"773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4",
			), "foo", time.Time{}, nil},
		"Cloudinary, cloudinary_java NotificationRequestSignatureVerifierTest, SHA-1": {"cloudinary", "someApiSecret",
			cloudinary(
				"f9aa4471d2a88ff244424cca2444edf7d7ac3596", "0",
			), "{}", time.Unix(0, 0), nil},
		"Cloudinary, the same, SHA-256": {"cloudinary", "someApiSecret",
			cloudinary(
				"d5497e1a206ad0ba29ad09a7c0c5f22e939682d15009c15ab3199f62fefbd14b", "0",
			), "{}", time.Unix(0, 0), sha256Hash},
		"Mux, mux-node-sdk's tests of webhooks": {"mux", "SuperSecret123",
			verify.Header{
				"mux-signature": "t=1565125718,v1=854ece4c22acef7c66b57d4e504153bc512595e8e9c772ece2a68150548c19a7",
			},
			`{"test":"body"}`, time.Unix(1565125718, 0), nil},
		"OpenAI, openai-go's tests of webhooks": {"openai",
			"whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=",
			verify.Header{"webhook-id": "wh_685c059ae39c8190af8c71ed1022a24d",
				"webhook-timestamp": "1750861210",
				"webhook-signature": "v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY="},
			`{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210, ` +
				`"type": "response.completed", "data": {"id": "resp_123"}}`,
			time.Unix(1750861210, 0), nil},
		"PagerDuty, go-pagerduty webhookv3_test.go": {"pagerduty",
			"lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK",
			verify.Header{
				"x-pagerduty-signature": "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd",
			},
			`{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated","resource_type":"incident","occur` +
				`red_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV","self` +
				`":"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,"data":{` +
				`"id":"PGR0VU2","type":"incident","self":"https://api.pagerduty.com/incidents/PGR0VU2","html_url":"https://acme.pagerdu` +
				`ty.com/incidents/PGR0VU2","number":2,"status":"triggered","title":"A little bump in the road","service":{"html_url":"h` +
				`ttps://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH","self":"https://api.pagerduty.com/services/PF9KMXH","summar` +
				`y":"API Service","type":"service_reference"},"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G","id":` +
				`"PTUXL6G","self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123","type":"user_reference"}],"escalation_` +
				`policy":{"html_url":"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE","self":"https://api.pagerd` +
				`uty.com/escalation_policies/PUS0KTE","summary":"Default","type":"escalation_policy_reference"},"teams":[{"html_url":"h` +
				`ttps://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0","self":"https://api.pagerduty.com/teams/PFCVPS0","summary":"En` +
				`gineering","type":"team_reference"}],"priority":{"html_url":"https://acme.pagerduty.com/account/incident_priorities","` +
				`id":"PSO75BM","self":"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":"priority_reference"},"urgen` +
				`cy":"high","conference_bridge":{"conference_number":1000,"conference_url":"https://example.com"},"resolve_reason":null` +
				`}}}`,
			time.Time{}, nil},
		"Pusher, pusher-http-go webhook_test.go": {"pusher", "secret",
			verify.Header{
				"x-pusher-signature": "2677ad3e7c090b2fa2c0fb13020d66d5420879b8316eb356a2d60fb9073bc778",
			},
			`{"hello":"world"}`, time.Time{}, nil},
		"Razorpay, razorpay-go documents/paymentVerification.md": {"razorpay", "123456",
			verify.Header{
				"x-razorpay-signature": "56df260ab4647b07b729b0b48d2a95b71de42f109884949e5ec387a2bb8b6919",
			},
			`{"entity":"event","account_id":"acc_HVFD0PFnHPAzKj","event":"payment.authorized","contains":["payment"],"payload":{"pa` +
				`yment":{"entity":{"id":"pay_JUEM4c0pSLpFEW","entity":"payment","amount":12300,"currency":"INR","status":"authorized","` +
				`order_id":"order_JUELuT6cFaHkvd","invoice_id":null,"international":false,"method":"netbanking","amount_refunded":0,"re` +
				`fund_status":null,"captured":false,"description":"#JUELZ1z1EC0pwi","card_id":null,"bank":"SBIN","wallet":null,"vpa":nu` +
				`ll,"email":"gaurav.kumar@example.com","contact":"+919999999999","notes":[],"fee":null,"tax":null,"error_code":null,"er` +
				`ror_description":null,"error_source":null,"error_step":null,"error_reason":null,"acquirer_data":{"bank_transaction_id"` +
				`:"6416615"},"created_at":1652339804}}},"created_at":1652339806}`,
			time.Time{}, nil},
		"Replicate, replicate-javascript index.test.ts": {"replicate",
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			verify.Header{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
				"webhook-timestamp": "1614265330",
				"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			`{"test": 2432232314}`, time.Unix(1614265330, 0), nil},
		"Sanity, webhook-toolkit signature.test.ts": {"sanity", "test",
			verify.Header{
				"sanity-webhook-signature": "t=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0",
			},
			`{"_id":"resume"}`, time.UnixMilli(1633519811129), nil},
	} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(
				t, verify.Config{Provider: vector.provider, Settings: vector.settings},
				vector.secret,
			)
			r := verify.Request{
				Header: vector.header, Body: []byte(vector.body), ReceivedAt: vector.at,
			}
			if _, err := v.Verify(context.Background(), r); err != nil {
				t.Error(err)
			}
			signed := request(
				t, v, verify.Webhook{Body: r.Body, DeliveryID: vector.header["webhook-id"]},
				vector.at,
			)
			for name, want := range vector.header {
				if signed.Header[name] != want {
					t.Errorf("Sign writes %s: %s, want %s", name, signed.Header[name], want)
				}
			}
		})
	}
}

// TestSign_CloudinaryVectorsOfNoYear checks only Sign, with vectors whose time is beyond any that
// Verify accepts.
func TestSign_CloudinaryVectorsOfNoYear(t *testing.T) {
	t.Parallel()
	for origin, vector := range map[string]struct {
		secret, body string
		at           int64
		settings     map[string]string
		want         string
	}{
		"cloudinary_npm utils_spec.js": {"hardcoded",
			`{"public_id":"b8sjhoslj8cq8ovoa0ma","version":"1555337587","width":1000,"height":800}`,
			7952342400000, map[string]string{"algorithm": "sha256"},
			"6c5a29fd8815772fbac2f10ae741e093d0859313947ef8fadeb29126ded6649c"},
		"cloudinary-core SignatureVerifierTest.java": {
			"apiSecret", "zxcxzcxzcxzcz", 1574690915597, nil,
			"468e696ad79f6e805fd36e308bc14d7c3bb11ce0",
		},
	} {
		v := newVerifier(
			t, verify.Config{Provider: "cloudinary", Settings: vector.settings}, vector.secret,
		)
		got := request(
			t, v, verify.Webhook{Body: []byte(vector.body)}, time.Unix(vector.at, 0),
		).Header["x-cld-signature"]
		if got != vector.want {
			t.Errorf("%s: got %s, want %s", origin, got, vector.want)
		}
	}
}

// Signatures made without the package under test.
func mac(newHash func() hash.Hash, key, text string) []byte {
	m := hmac.New(newHash, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

func base64HMAC(key, text string) string {
	return base64.StdEncoding.EncodeToString(rawHMAC(key, text))
}

// TestVerify_SamplesSignedAsVendorsSay verifies each sample of the folder events, with headers made
// as the vendor's documentation says.
func TestVerify_SamplesSignedAsVendorsSay(t *testing.T) {
	t.Parallel()
	const key, seconds, millis = "the secret's own bytes", "1700000000", "1700000000000"
	standard := secret("current")
	wholeBody := func(body string) string {
		sum := sha256.Sum256([]byte(body))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	// most: hex of HMAC-SHA256 over the body
	bare := func(header, prefix string) func(string) verify.Header {
		return func(body string) verify.Header {
			return verify.Header{header: prefix + hexHMAC(key, body)}
		}
	}
	typed := func(sign func(string) verify.Header, more verify.Header) func(string) verify.Header {
		return func(body string) verify.Header {
			h := sign(body)
			for name, value := range more {
				h[name] = value
			}
			return h
		}
	}
	fixed := func(header, value string) func(string) verify.Header {
		return func(string) verify.Header { return verify.Header{header: value} }
	}
	// Standard Webhooks; keys of their own bytes as base64 here
	webhooks := func(prefix, key string) func(string) verify.Header {
		return func(body string) verify.Header {
			return verify.Header{prefix + "-id": "msg_1", prefix + "-timestamp": seconds,
				prefix + "-signature": "v1," + standardSignature(key, "msg_1", seconds, body)}
		}
	}
	asBase64 := base64.StdEncoding.EncodeToString([]byte(standard))
	basic := fixed("authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("user:p:w")))
	const none, body = "", "the body's hash"
	for provider, c := range map[string]struct {
		secret string
		header func(body string) verify.Header
		id     string
	}{
		"ably": {key, func(b string) verify.Header {
			return verify.Header{"x-ably-signature": base64HMAC(key, b)}
		}, body},
		"agora":        {key, bare("agora-signature-v2", ""), "2000001428:4330:107"},
		"assemblyai":   {"token", fixed("authorization", "Bearer token"), body},
		"auth0":        {"Bearer token", fixed("authorization", "Bearer token"), body},
		"azure-devops": {"user:p:w", basic, ""},
		"bitbucket-server": {key, typed(bare("x-hub-signature", "sha256="),
			verify.Header{"x-event-key": "repo:refs_changed", "x-request-id": "r-1"}), "r-1"},
		"brex": {standard, webhooks("webhook", standard), "msg_1"},
		"buildkite": {key, func(b string) verify.Header {
			return verify.Header{"x-buildkite-event": "build.finished",
				"x-buildkite-signature": "timestamp=" + seconds + ",signature=" +
					hexHMAC(key, seconds+"."+b)}
		}, none},
		"cashfree": {key, func(b string) verify.Header {
			return verify.Header{
				"x-webhook-timestamp": millis, "x-webhook-signature": base64HMAC(key, millis+b),
			}
		}, body},
		"chargebee": {"user:p:w", basic, "ev_EXAMPLE"},
		"circleci": {key, typed(
			bare("circleci-signature", "v1="),
			verify.Header{"circleci-event-type": "workflow-completed"},
		),
			"3888f21b-eaa7-38e3-8f3d-75a63bba8895"},
		"clerk":                    {standard, webhooks("svix", standard), "msg_1"},
		"clickup":                  {key, bare("x-signature", ""), none},
		"cloudflare-notifications": {"token", fixed("cf-webhook-auth", "token"), none},
		"cloudflare-stream": {key, func(b string) verify.Header {
			return verify.Header{
				"webhook-signature": "time=" + seconds + ",sig1=" + hexHMAC(key, seconds+"."+b),
			}
		}, none},
		"cloudinary": {key, func(b string) verify.Header {
			sum := sha1.Sum([]byte(b + seconds + key))
			return verify.Header{
				"x-cld-timestamp": seconds, "x-cld-signature": hex.EncodeToString(sum[:]),
			}
		}, none},
		"datadog": {"token", fixed("authorization", "Bearer token"), "1234567"},
		"datocms": {"user:p:w", basic, none},
		"elevenlabs": {key, func(b string) verify.Header {
			return verify.Header{
				"elevenlabs-signature": "t=" + seconds + ",v0=" + hexHMAC(key, seconds+"."+b),
			}
		}, body},
		"etsy": {standard, webhooks("webhook", standard), "msg_1"},
		"forgejo": {key, typed(bare("x-forgejo-signature", ""),
			verify.Header{"x-forgejo-event": "push", "x-forgejo-delivery": "d-1"}), "d-1"},
		"getstream": {
			key, typed(bare("x-signature", ""), verify.Header{"x-webhook-id": "w-1"}), "w-1",
		},
		"ghost": {key, func(b string) verify.Header {
			return verify.Header{
				"x-ghost-signature": "sha256=" + hexHMAC(key, b+millis) + ", t=" + millis,
			}
		}, none},
		"gitea": {
			key,
			typed(
				bare("x-gitea-signature", ""),
				verify.Header{"x-gitea-event": "push", "x-gitea-delivery": "d-1"},
			),
			"d-1",
		},
		"gogs": {
			key,
			typed(
				bare("x-gogs-signature", ""),
				verify.Header{"x-gogs-event": "push", "x-gogs-delivery": "d-1"},
			),
			"d-1",
		},
		"grafana": {key, bare("x-grafana-alerting-signature", ""), none},
		"heroku": {key, func(b string) verify.Header {
			return verify.Header{"heroku-webhook-hmac-sha256": base64HMAC(key, b)}
		}, "a7a6f1d2-0000-4000-8000-000000000001"},
		"incident-io":   {standard, webhooks("webhook", standard), "msg_1"},
		"increase":      {standard, webhooks("webhook", asBase64), "msg_1"},
		"launchdarkly":  {key, bare("x-ld-signature", ""), "57c0a8e29969090743529965"},
		"lemon-squeezy": {key, bare("x-signature", ""), none},
		"logto":         {key, bare("logto-signature-sha-256", ""), body},
		"microsoft-teams": {base64.StdEncoding.EncodeToString([]byte(key)),
			func(b string) verify.Header {
				return verify.Header{"authorization": "HMAC " + base64HMAC(key, b)}
			}, "1485983408511"},
		"mux": {key, func(b string) verify.Header {
			return verify.Header{
				"mux-signature": "t=" + seconds + ",v1=" + hexHMAC(key, seconds+"."+b),
			}
		}, "3a56ac3d-33da-4366-855b-f592d898409d"},
		"npm":       {key, bare("x-npm-signature", "sha256="), body},
		"openai":    {standard, webhooks("webhook", standard), "msg_1"},
		"pagerduty": {key, bare("x-pagerduty-signature", "v1="), "01CKQWE5ZZ0EXAMPLE0000000"},
		"paymongo": {key, func(b string) verify.Header {
			return verify.Header{
				"paymongo-signature": "t=" + seconds + ",te=,li=" + hexHMAC(key, seconds+"."+b),
			}
		}, "evt_EXAMPLE"},
		"paystack": {key, func(b string) verify.Header {
			return verify.Header{
				"x-paystack-signature": hex.EncodeToString(mac(sha512.New, key, b)),
			}
		}, none},
		"polar":    {standard, webhooks("webhook", asBase64), "msg_1"},
		"postmark": {"user:p:w", basic, body},
		"pusher":   {key, bare("x-pusher-signature", ""), body},
		"razorpay": {
			key,
			typed(bare("x-razorpay-signature", ""), verify.Header{"x-razorpay-event-id": "e-1"}),
			"e-1",
		},
		"render":    {standard, webhooks("webhook", standard), "msg_1"},
		"replicate": {standard, webhooks("webhook", standard), "msg_1"},
		"resend":    {standard, webhooks("svix", standard), "msg_1"},
		"sanity": {key, func(b string) verify.Header {
			return verify.Header{"sanity-operation": "create", "idempotency-key": "k-1",
				"sanity-webhook-signature": "t=" + millis +
					",v1=" + base64.RawURLEncoding.EncodeToString(rawHMAC(key, millis+"."+b))}
		}, "k-1"},
		"sendbird": {key, bare("x-sendbird-signature", ""), none},
		"sentry": {key, typed(bare("sentry-hook-signature", ""),
			verify.Header{"sentry-hook-resource": "issue", "request-id": "r-1"}), "r-1"},
		"sonarqube": {key, bare("x-sonar-webhook-hmac-sha256", ""), "AVh21JS2JepAEhwQ-b3u"},
		"storyblok": {key, func(b string) verify.Header {
			return verify.Header{"webhook-signature": hex.EncodeToString(mac(sha1.New, key, b))}
		}, none},
		"strapi": {
			"token",
			typed(
				fixed("authorization", "Bearer token"),
				verify.Header{"x-strapi-event": "entry.create"},
			),
			none,
		},
		"stytch":                     {standard, webhooks("svix", standard), "msg_1"},
		"supabase-auth-hooks":        {"v1," + standard, webhooks("webhook", standard), none},
		"supabase-database-webhooks": {"token", fixed("authorization", "Bearer token"), none},
		"terraform": {key, func(b string) verify.Header {
			return verify.Header{
				"x-tfe-notification-signature": hex.EncodeToString(mac(sha512.New, key, b)),
			}
		}, none},
		"vercel": {key, func(b string) verify.Header {
			return verify.Header{"x-vercel-signature": hex.EncodeToString(mac(sha1.New, key, b))}
		}, "evt_EXAMPLE"},
		"webflow": {key, func(b string) verify.Header {
			return verify.Header{
				"x-webflow-timestamp": millis, "x-webflow-signature": hexHMAC(key, millis+":"+b),
			}
		}, none},
		"workos": {key, func(b string) verify.Header {
			return verify.Header{
				"workos-signature": "t=" + millis + ", v1=" + hexHMAC(key, millis+"."+b),
			}
		}, "event_01EXAMPLE"},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			d, _ := verify.Describe(provider)
			file, err := os.ReadFile(
				"../../events/webhooks/" + provider + "/" + strings.ReplaceAll(
					d.Examples[0], ":", "-",
				) + ".json",
			)
			if err != nil {
				t.Fatal(err)
			}
			r := verify.Request{Header: c.header(string(file)), Body: file, ReceivedAt: signedAt}
			got, err := newVerifier(t, verify.Config{Provider: provider}, c.secret).Verify(
				context.Background(), r,
			)
			if err != nil {
				t.Fatal(err)
			}
			want := verify.Result{
				DeliveryID: c.id, EventType: d.Examples[0], Trust: d.Trust, Reply: got.Reply,
				Bound: boundTo(d, c.id, r.Body),
			}
			if c.id == body {
				want.DeliveryID = wholeBody(string(file))
			}
			if len(d.EventType) == 0 {
				want.EventType = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerify_ListsOfSignatures(t *testing.T) {
	t.Parallel()
	const key, stranger, seconds, millis, body = "key", "another key", "1700000000", "1700000000000", `{"id":"1"}`
	hooks := secret("current")
	supabase := func(key string) string {
		return "v1," + standardSignature(key, "msg_1", seconds, body)
	}
	for name, c := range map[string]struct {
		provider, secret, header, value string
		want                            error
	}{
		"PagerDuty, second is ours": {"pagerduty", key, "x-pagerduty-signature",
			"v1=" + hexHMAC(stranger, body) + ",v1=" + hexHMAC(key, body), nil},
		"PagerDuty, other version": {
			"pagerduty", key, "x-pagerduty-signature", "v0=" + hexHMAC(key, body),
			verify.ErrMalformed,
		},
		"CircleCI, beside another version": {"circleci", key, "circleci-signature",
			"v1=" + hexHMAC(key, body) + ",v2=" + hexHMAC(stranger, body), nil},
		"CircleCI, another version alone": {
			"circleci", key, "circleci-signature", "v2=" + hexHMAC(key, body), verify.ErrMalformed,
		},
		"WorkOS, without a space": {"workos", key, "workos-signature",
			"t=" + millis + ",v1=" + hexHMAC(key, millis+"."+body), nil},
		"WorkOS, space in an entry": {"workos", key, "workos-signature",
			"t=" + millis + ", v1= " + hexHMAC(key, millis+"."+body), verify.ErrMalformed},
		"PayMongo, test mode": {"paymongo", key, "paymongo-signature",
			"t=" + seconds + ",te=" + hexHMAC(key, seconds+"."+body) + ",li=", nil},
		"PayMongo, of a stranger in both modes": {"paymongo", key, "paymongo-signature",
			"t=" + seconds + ",te=" + hexHMAC(
				stranger, seconds+"."+body,
			) + ",li=" + hexHMAC(stranger, seconds+"."+body), verify.ErrMismatch},
		"PayMongo, no mode": {"paymongo", key, "paymongo-signature",
			"t=" + seconds + ",te=,li=,=" + hexHMAC(key, seconds+"."+body), verify.ErrMalformed},
		"Ghost, twice": {"ghost", key, "x-ghost-signature",
			"sha256=" + hexHMAC(key, body+millis) + ", t=" + millis + ", sha256=" +
				hexHMAC(key, body+millis) + ", t=" + millis, verify.ErrRepeated},
		"Supabase, second is ours": {"supabase-auth-hooks", "v1," + hooks, "webhook-signature",
			supabase(secret("stranger")) + ", " + supabase(hooks), nil},
		"Supabase, twice": {"supabase-auth-hooks", "v1," + hooks, "webhook-signature",
			supabase(hooks) + "," + supabase(hooks), verify.ErrRepeated},
	} {
		h := verify.Header{c.header: c.value, "webhook-id": "msg_1", "webhook-timestamp": seconds}
		_, err := newVerifier(
			t, verify.Config{Provider: c.provider}, c.secret,
		).Verify(context.Background(),
			verify.Request{Header: h, Body: []byte(body), ReceivedAt: signedAt})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// If nothing separates body and time, a digit moved from one to the other leaves the signature
// unchanged.
func TestVerify_DigitMovedBetweenBodyAndTime(t *testing.T) {
	t.Parallel()
	const at = "1700000000000"
	for name, c := range map[string]struct {
		provider, timestamp, header, signed, sentBody, sentTime string
		want                                                    error
	}{
		"Cashfree, into the body": {
			"cashfree", "x-webhook-timestamp", "", at + "{}", "0{}", at[:12], verify.ErrStale,
		},
		"Cashfree, into the time": {
			"cashfree", "x-webhook-timestamp", "", at + "1", "", at + "1", verify.ErrFuture,
		},
		"Ghost, into the body": {
			"ghost", "", "x-ghost-signature", "{}" + at, "{}1", at[1:], verify.ErrStale,
		},
		"Ghost, into the time": {
			"ghost", "", "x-ghost-signature", "9" + at, "", "9" + at, verify.ErrFuture,
		},
	} {
		h := verify.Header{"x-webhook-timestamp": c.sentTime,
			"x-webhook-signature": base64HMAC("key", c.signed),
			"x-ghost-signature":   "sha256=" + hexHMAC("key", c.signed) + ", t=" + c.sentTime}
		_, err := newVerifier(
			t, verify.Config{Provider: c.provider}, "key",
		).Verify(context.Background(),
			verify.Request{Header: h, Body: []byte(c.sentBody), ReceivedAt: signedAt})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_Cloudinary(t *testing.T) {
	t.Parallel()
	const key, at, body = "key", "1700000000", `{"public_id":"a"}`
	signature := func(body, at string) string {
		sum := sha256.Sum256([]byte(body + at + key))
		return hex.EncodeToString(sum[:])
	}
	v := newVerifier(
		t,
		verify.Config{Provider: "cloudinary", Settings: map[string]string{"algorithm": "sha256"}},
		key,
	)
	for name, c := range map[string]struct {
		body, at, signature string
		want                error
	}{
		"as signed":                     {body, at, signature(body, at), nil},
		"in upper case":                 {body, at, strings.ToUpper(signature(body, at)), nil},
		"of the other algorithm's size": {body, at, signature(body, at)[:40], verify.ErrMalformed},
		"another time": {
			body, "1700000001", signature(body, at), verify.ErrMismatch,
		},
		"time no number":            {body, "now", signature(body, "now"), verify.ErrMalformed},
		"no time":                   {body, "", signature(body, ""), verify.ErrMissing},
		"no signature":              {body, at, "", verify.ErrMissing},
		"body that ends in a digit": {body + "1", at[1:], signature(body, at), verify.ErrMalformed},
		"older than two hours": {
			body, "1699992799", signature(body, "1699992799"), verify.ErrStale,
		},
	} {
		h := verify.Header{"x-cld-signature": c.signature, "x-cld-timestamp": c.at}
		r := verify.Request{Header: h, Body: []byte(c.body), ReceivedAt: signedAt}
		if _, err := v.Verify(context.Background(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := v.Sign(verify.Webhook{Body: []byte("1")}, signedAt); !errors.Is(
		err, verify.ErrMalformed,
	) {
		t.Errorf("signing what would be refused: got %v, want %v", err, verify.ErrMalformed)
	}
	_, err := verify.New(
		verify.Config{Provider: "cloudinary", Settings: map[string]string{"algorithm": "md5"}},
		[]string{key},
	)
	if !errors.Is(err, verify.ErrConfig) ||
		!strings.Contains(err.Error(), `settings.algorithm: "md5"`) {
		t.Errorf(
			"an unknown algorithm: got %v, want %v that names the setting", err, verify.ErrConfig,
		)
	}
}

func TestVerify_TypesOfOtherShapes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider, header, body, want string
	}{
		"HCP Terraform, payload version 2": {
			"terraform", "", `{"payload_version":"2","trigger":"change_request:created"}`,
			"change_request:created",
		},
		"Auth0, an object": {"auth0", "", `{"log_id":"1","data":{"type":"fp"}}`, "fp"},
		"Gitea, with an action": {
			"gitea", "pull_request", `{"action":"opened"}`, "pull_request.opened",
		},
		"Sentry, with an action": {
			"sentry", "metric_alert", `{"action":"resolved"}`, "metric_alert.resolved",
		},
	} {
		v := newVerifier(t, verify.Config{Provider: c.provider}, "key")
		r := request(t, v, verify.Webhook{Body: []byte(c.body), EventType: c.header}, signedAt)
		if got, err := v.Verify(context.Background(), r); err != nil || got.EventType != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got.EventType, err, c.want)
		}
	}
}

func TestVerify_BitbucketServerTestsTheConnection(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "bitbucket-server"}, "key")
	for event, want := range map[string]struct {
		handshake bool
		err       error
	}{
		"diagnostics:ping": {true, nil},
		"repo:modified":    {false, verify.ErrMissing},
	} {
		r := verify.Request{
			Header: verify.Header{"x-event-key": event}, Body: []byte(`{"test":true}`),
			ReceivedAt: signedAt,
		}
		got, err := v.Verify(context.Background(), r)
		if got.Handshake != want.handshake || !errors.Is(err, want.err) {
			t.Errorf(
				"%s: got %+v, %v, want a handshake: %v, error %v", event, got, err, want.handshake,
				want.err,
			)
		}
	}
}

func TestVerify_Contentful(t *testing.T) {
	t.Parallel()
	// The vector is from prismatic-io's tests. Contentful's own node-apps-toolkit made it.
	const (
		at        = 1767225600000
		body      = `{"sys":{"id":"5KsDBWseXY6QegucYAoacS","type":"Entry"},"fields":{"title":{"en-US":"Hello, World!"}}}`
		list      = "content-type,x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic"
		signature = "8dec81505760a10b542fbc36d3aa0a772b11f759eca7b2351daaf5bba8c7c6f1"
		path      = "https://relay.example.com/trigger/SW5zdGFuY2VGbG93Q29uZmlnOjE="
	)
	key := strings.Repeat("a", 32) + strings.Repeat("b", 32)
	vector := verify.Request{Body: []byte(body), ReceivedAt: time.UnixMilli(at),
		Header: verify.Header{
			"content-type":           "application/vnd.contentful.management.v1+json",
			"x-contentful-topic":     "ContentManagement.Entry.publish",
			"x-contentful-signature": signature, "x-contentful-signed-headers": list,
			"x-contentful-timestamp":       "1767225600000",
			"x-contentful-idempotency-key": "k-1"}}
	named := func(name string) verify.Request { // with a header whose own value has a comma
		r := with(with(
			vector, "x-contentful-signed-headers",
			"x-contentful-signed-headers,x-contentful-timestamp,x-contentful-webhook-name",
		),
			"x-contentful-webhook-name", name)
		text := "POST\n/trigger/SW5zdGFuY2VGbG93Q29uZmlnOjE=\nx-contentful-signed-headers:x-contentful-signed-headers,x-contentful-timestamp," +
			"x-contentful-webhook-name;x-contentful-timestamp:1767225600000;x-contentful-webhook-name:" + strings.TrimSpace(name) + "\n" + body
		return with(r, "x-contentful-signature", hexHMAC(key, text))
	}
	other := vector
	other.Method = "PUT"
	for name, c := range map[string]struct {
		url  string
		r    verify.Request
		want error
	}{
		"as signed":                    {path, vector, nil},
		"header with comma and spaces": {path, named(" mine, and yours "), nil},
		"another path": {
			"https://relay.example.com/trigger/other", vector, verify.ErrMismatch,
		},
		"another method": {path, other, verify.ErrMethod},
		"another topic": {
			path, with(vector, "x-contentful-topic", "ContentManagement.Entry.delete"),
			verify.ErrMismatch,
		},
		"another content type": {
			path, with(vector, "content-type", "text/plain"), verify.ErrMismatch,
		},
		"a header fewer": {
			path, with(vector, "x-contentful-signed-headers", list[len("content-type,"):]),
			verify.ErrMismatch,
		},
		"list without the time": {
			path, with(vector, "x-contentful-signed-headers", "x-contentful-signed-headers"),
			verify.ErrMalformed,
		},
		"list without itself": {
			path, with(vector, "x-contentful-signed-headers", "x-contentful-timestamp"),
			verify.ErrMalformed,
		},
		"topic twice": {path, with(vector, "x-contentful-topic", "a,a"), verify.ErrRepeated},
	} {
		v := newVerifier(t, verify.Config{Provider: "contentful", URL: c.url}, key)
		got, err := v.Verify(context.Background(), c.r)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if name == "as signed" && (got.DeliveryID != "" ||
			got.EventType != "ContentManagement.Entry.publish") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, bad := range []string{path + "?a=b", "https://relay.example.com/%zz"} {
		if _, err := verify.New(
			verify.Config{Provider: "contentful", URL: bad}, []string{key},
		); !errors.Is(err, verify.ErrConfig) {
			t.Errorf("URL %s: got %v, want %v", bad, err, verify.ErrConfig)
		}
	}
}
