package verify_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/verify"
)

func TestVerify_VectorsOfPaymentsCommerceCommunication(t *testing.T) {
	t.Parallel()
	for origin, vector := range map[string]struct {
		provider, secret string
		header           verify.Header
		body             string
		at               time.Time
	}{
		"Airtable, pyairtable tests/test_models_webhook.py": {"airtable", "c2VjcmV0LWtleQ==",
			verify.Header{
				"x-airtable-content-mac": "hmac-sha256=e26da696a90933647bddc83995c3e1e3bb1c3d8ce1ff61cb7469767d50b2b2d4",
			},
			`{"base": {"id": "app00000000000000"}, "webhook": {"id": "ach00000000000000"}, "timestamp": "2022-02-01T21:25:05.663Z"}`, time.Time{}},
		"Bitbucket docs": {"bitbucket", "It's a Secret to Everybody",
			verify.Header{
				"x-hub-signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
			},
			`Hello World!`, time.Time{}},
		"Box, box-python-sdk test/webhooks.py, primary key": {"box", "SamplePrimaryKey",
			verify.Header{"box-delivery-timestamp": "2020-01-01T00:00:00-07:00",
				"box-signature-primary":   "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=",
				"box-signature-secondary": "v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo="},
			`{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"fi` +
				`le","name":"Test.txt"}}`, time.Date(2020, 1, 1, 7, 0, 0, 0, time.UTC)},
		"Box, box-python-sdk test/webhooks.py, secondary key": {"box", "SampleSecondaryKey",
			verify.Header{"box-delivery-timestamp": "2020-01-01T00:00:00-07:00",
				"box-signature-primary":   "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=",
				"box-signature-secondary": "v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo="},
			`{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"fi` +
				`le","name":"Test.txt"}}`, time.Date(2020, 1, 1, 7, 0, 0, 0, time.UTC)},
		"Coinbase Commerce, coinbase-commerce-node testWebhook.spec.js": {"coinbase-commerce",
			"30291a20-0bd1-4267-9b0f-e6e7b123c0bf",
			verify.Header{
				"x-cc-webhook-signature": "8be7742c7d372f08a6a3224edadf18a22b65fa9e28f3f2de97376cdaa092590d",
			},
			`{"id":1,"scheduled_for":"2017-01-31T20:50:02Z","attempt_number":1,"event":{"id":"24934862-d980-46cb-9402-43c81b0cdba6"` +
				`,"type":"charge:created","api_version":"2018-03-22","created_at":"2017-01-31T20:49:02Z","data":{"code":"66BEOV2A","nam` +
				`e":"The Sovereign Individual","description":"Mastering the Transition to the Information Age","hosted_url":"https://co` +
				`mmerce.coinbase.com/charges/66BEOV2A","created_at":"2017-01-31T20:49:02Z","expires_at":"2017-01-31T21:04:02Z","timelin` +
				`e":[{"time":"2017-01-31T20:49:02Z","status":"NEW"}],"metadata":{},"pricing_type":"no_price","payments":[],"addresses":` +
				`{"bitcoin":"0000000000000000000000000000000000","ethereum":"0x0000000000000000000000000000000000000000","litecoin":"30` +
				`00000000000000000000000000000000","bitcoincash":"bitcoincash:000000000000000000000000000000000000000000"}}}}`, time.Time{}},
		"Coinify docs": {"coinify", "my-shared-secret",
			verify.Header{
				"x-coinify-webhook-signature": "bcdbb89e3031905f3cc1a20d16b5f969a17a7d8fa0c26e4a807c2193402d66f4",
			},
			`{"examplePayload":true}`, time.Time{}},
		"Discourse, spec/jobs/regular/emit_web_hook_event_spec.rb": {"discourse",
			"my_lovely_secret_for_web_hook",
			verify.Header{
				"x-discourse-event-signature": "sha256=162f107f6b5022353274eb1a7197885cfd35744d8d08e5bcea025d309386b7d6",
			},
			`{"ping":"OK"}`, time.Time{}},
		"GoCardless, gocardless-pro-go webhooks_test.go": {"gocardless", "testing",
			verify.Header{
				"webhook-signature": "243f3efa57743c24eec7c5e10edc475b547830d256d5b583745afe319dd90936",
			},
			`{"events":[{"id":"EVTESTNE86TNZS","created_at":"2017-03-20T17:57:02.292Z","resource_type":"payments","action":"failed"` +
				`,"links":{"payment":"index_ID_123"},"details":{"origin":"bank","cause":"test_failure","scheme":"sepa_core","reason_cod` +
				`e":"TEST","description":"GoCardless has marked this payment as failed in sandbox to enable testing of payment failure ` +
				`webhooks."},"metadata":{}}]}` + "\n", time.Time{}},
		"Modern Treasury, modern-treasury-python test_webhooks.py, an object": {"modern-treasury",
			"foo",
			verify.Header{
				"x-signature": "57e14f6f354543f0101fb06ea24df7731d90087b76651e3497345e22a3622940",
			},
			`{"foo":"bar"}`, time.Time{}},
		"Modern Treasury, modern-treasury-python test_webhooks.py, a word": {"modern-treasury",
			"foo",
			verify.Header{
				"x-signature": "08ba357e274f528065766c770a639abf6809b39ccfd37c2a3157c7f51954da0a",
			},
			`foo`, time.Time{}},
		"Onfido, onfido-python test_classic_webhook_event_verification.py": {"onfido",
			"wU99mE6jJ7nXOLFwZ0tJymM1lpI15pZh",
			verify.Header{
				"x-sha2-signature": "77ebc3e418f26be6eebb47f7ebe551321de26734fc273961e075fc9ab163d9c7",
			},
			`{"payload":{"resource_type":"check","action":"check.completed","object":{"id":"f2302f45-227d-413d-ad61-09ec077a086a","` +
				`status":"complete","completed_at_iso8601":"2024-04-04T09:21:21Z","href":"https://api.onfido.com/v3.6/checks/f2302f45-2` +
				`27d-413d-ad61-09ec077a086a"}}}`, time.Time{}},
		"Orb, orb-java WebhookServiceTest.kt": {"orb",
			"c-UGKYdnhHh436B_sMouYAPUvXyWpzOdunZBV5dFSD8",
			verify.Header{"x-orb-timestamp": "2024-03-27T15:42:29.551",
				"x-orb-signature": "v1=9d25de966891ab0bc18754faf8d83d0980b44ae330fcc130b41a6cf3daf1f391"},
			`{"id": "o4mmewpfNNTnjfZc", "created_at": "2024-03-27T15:42:29+00:00", "type": "resource_event.test", "properties": {"m` +
				`essage": "A test webhook from Orb. Happy testing!"}}`, time.Date(
				2024, 3, 27, 15, 42, 30, 0, time.UTC,
			)},
		"Paddle, paddle-go-sdk webhook_verifier_test.go": {"paddle",
			"pdl_ntfset_01hsdn8d43dt7mezr1ef2jtbaw_hKkRiCGyyRhbFwIUuqiTBgI7gnWoV0Gr",
			verify.Header{
				"paddle-signature": "ts=1710929255;h1=6c05ef8fa83c44d751be6d259ec955ce5638e2c54095bf128e408e2fce1589c8",
			},
			`{"data":{"id":"pri_01hsdn96k2hxjzsq5yerecdj9j","name":null,"status":"active","quantity":{"maximum":999999,"minimum":1}` +
				`,"tax_mode":"account_setting","product_id":"pro_01hsdn8qp7yydry3x1yeg6a9rv","unit_price":{"amount":"1000","currency_co` +
				`de":"USD"},"custom_data":null,"description":"testing","import_meta":null,"trial_period":null,"billing_cycle":{"interva` +
				`l":"month","frequency":1},"unit_price_overrides":[]},"event_id":"evt_01hsdn97563968dy0szkmgjwh3","event_type":"price.c` +
				`reated","occurred_at":"2024-03-20T10:07:35.590857Z","notification_id":"ntf_01hsdn977e920kbgzt6r6c9rqc"}`, time.Unix(1710929255, 0)},
		"Shopify, go-shopify webhook tests": {"shopify", "hush",
			verify.Header{"x-shopify-hmac-sha256": "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI="},
			`"my secret message"`, time.Time{}},
		"Shopware, app-sdk-js signer.test.ts": {"shopware", "test",
			verify.Header{
				"shopware-shop-signature": "52589bd80ccfa4acbb3f9512dfaf4f700fa5195008aae0b77a9e47dcca75beac",
			},
			`Hello, World!`, time.Time{}},
		"Sinch, sinch-sdk-python test_conversation_sinch_event.py": {"sinch", "foo_secret1234",
			verify.Header{"x-sinch-webhook-signature": "Yc+3R1pIS78xLASybulhs8BsSo9BPB3Pr92QCUoczfk=",
				"x-sinch-webhook-signature-nonce":     "01FJA8B4A7BM43YGWSG9GBV067",
				"x-sinch-webhook-signature-timestamp": "1634579353"},
			`{"app_id":"01EB37HMH1M6SV18BSNS3G135H","accepted_time":"2020-11-17T15:09:11.659Z","project_id":"c36f3d3d-1513-2edd-ae4` +
				`2-11995557ff61","message_delivery_report":{"message_id":"01EQBC1A3BEK731GY4YXEN0C2R","conversation_id":"01EPYATA64TMNZ` +
				`1FV02JKF12JF","status":"QUEUED_ON_CHANNEL","contact_id":"01EXA07N79THJ20WSN6AS30TMW"}}`, time.Unix(1634579353, 0)},
		"Sinch Numbers, sinch-sdk-python test_authentication_validation.py": {"sinch-numbers",
			"my-callback-secret",
			verify.Header{"x-sinch-signature": "d2107528d5d52897a97dc6e24e09a208036ccd83"},
			`{"eventId":"event_id","timestamp":"2025-04-08T10:38:04.854087603","projectId":"project-id","resourceId":"+1234567890",` +
				`"resourceType":"ACTIVE_NUMBER","eventType":"PROVISIONING_TO_VOICE_PLATFORM","status":"SUCCEEDED","failureCode":null,"i` +
				`nternalFailureCode":null}`, time.Time{}},
		"Unit, unit-node-sdk tests/webhooks.spec.ts": {"unit",
			"OB2HL5E3B4HJ7IVXRNL4YQKYIQIVJK36ZZLPZEFWZVSDSC7LLFJQ====",
			verify.Header{"x-unit-signature": "UUNz8ch1Ovjg+ijXUEwlAlWEktU="},
			`{"data":[{"id":"46306092","type":"application.approved","attributes":{"createdAt":"2025-08-05T06:48:38.957Z","tags":{"` +
				`key":"another-tag","test":"webhook-tag","number":"111"}},"relationships":{"application":{"data":{"id":"3895367","type"` +
				`:"individualApplication"}},"customer":{"data":{"id":"3310133","type":"individualCustomer"}}}}]}`, time.Time{}},
	} {
		v := newVerifier(t, verify.Config{Provider: vector.provider}, vector.secret)
		r := verify.Request{Header: vector.header, Body: []byte(vector.body), ReceivedAt: vector.at}
		if _, err := v.Verify(context.Background(), r); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

// TestVerify_SamplesOfPaymentsCommerceCommunication verifies each sample of the folder events, with
// headers made as the vendor's documentation says.
func TestVerify_SamplesOfPaymentsCommerceCommunication(t *testing.T) {
	t.Parallel()
	const key, at, millis, date = "the secret's own bytes", "1700000000", "1700000000000", "2023-11-14T22:13:20"
	const none, whole = "", "the body's hash"
	hexKey, base64Key, hooks := hex.EncodeToString([]byte(key)),
		base64.StdEncoding.EncodeToString([]byte(key)), secret("current")
	type sender func(body string) verify.Header
	plain := func(header, prefix string) sender { // most: hex of HMAC-SHA256 over the body
		return func(b string) verify.Header {
			return verify.Header{header: prefix + hexHMAC(key, b)}
		}
	}
	based := func(header, prefix string) sender {
		return func(b string) verify.Header {
			return verify.Header{header: prefix + base64HMAC(key, b)}
		}
	}
	fixed := func(pairs ...string) sender {
		return func(string) verify.Header {
			h := verify.Header{}
			for i := 0; i < len(pairs); i += 2 {
				h[pairs[i]] = pairs[i+1]
			}
			return h
		}
	}
	beside := func(sign sender, pairs ...string) sender {
		return func(b string) verify.Header {
			h := sign(b)
			maps.Copy(h, fixed(pairs...)(b))
			return h
		}
	}
	sha1Of := func(b string) []byte { return mac(sha1.New, key, b) }
	standard := func(prefix, idHeader, key string) sender { // Standard Webhooks
		return func(b string) verify.Header {
			return verify.Header{
				idHeader: "msg_1", prefix + "-timestamp": at,
				prefix + "-signature": "v1," + standardSignature(key, "msg_1", at, b),
			}
		}
	}
	basic := []string{
		"authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:p:w")),
	}
	for provider, c := range map[string]struct {
		secret string
		header sender
		id     string
	}{
		"aftership": {
			key, based("aftership-hmac-sha256", ""), "fd6ae912-0000-4000-8000-000000000001",
		},
		"airwallex": {key, func(b string) verify.Header {
			return verify.Header{"x-timestamp": millis, "x-signature": hexHMAC(key, millis+b)}
		}, "evt_1"},
		"airtable": {base64Key, plain("x-airtable-content-mac", "hmac-sha256="), whole},
		"alchemy":  {key, plain("x-alchemy-signature", ""), "whevt_1"},
		"ashby":    {key, plain("ashby-signature", "sha256="), none},
		"attio":    {key, beside(plain("attio-signature", ""), "idempotency-key", "k-1"), "k-1"},
		"authorize-net": {hexKey, func(b string) verify.Header {
			return verify.Header{
				"x-anet-signature": "sha512=" + strings.ToUpper(
					hex.EncodeToString(mac(sha512.New, key, b)),
				),
			}
		}, "d0e8e7fe-0000-4000-8000-000000000001"},
		"bigcommerce": {
			"token", fixed("x-webhook-token", "token"),
			"sha256:cefdc9f084b44dcf307987eb0976c8ede694049193ca100af51d2906e6ca4a63",
		},
		"bitbucket": {
			key,
			beside(
				plain("x-hub-signature", "sha256="), "x-request-uuid", "u-1", "x-event-key",
				"repo:push",
			),
			"u-1",
		},
		"box": {key, func(b string) verify.Header {
			const local = "2023-11-14T15:13:20-07:00"
			return verify.Header{
				"box-delivery-id": "d-1", "box-delivery-timestamp": local,
				"box-signature-primary": base64HMAC(key, b+local),
			}
		}, "eb0c4e06-0000-4000-8000-000000000001"},
		"cal-com": {key, plain("x-cal-signature-256", ""), whole},
		"calendly": {key, func(b string) verify.Header {
			return verify.Header{
				"calendly-webhook-signature": "t=" + at + ",v1=" + hexHMAC(key, at+"."+b),
			}
		}, whole},
		"cartesia":     {"token", fixed("x-webhook-secret", "token"), none},
		"checkout-com": {key, plain("cko-signature", ""), "evt_00000000000000000000000001"},
		"checkr":       {key, plain("x-checkr-signature", ""), "500000000000000000000001"},
		"close": {hexKey, func(b string) verify.Header {
			return verify.Header{"close-sig-timestamp": at, "close-sig-hash": hexHMAC(key, at+b)}
		}, "ev_1"},
		"coinbase-commerce": {
			key, plain("x-cc-webhook-signature", ""), "5d3f1a00-0000-4000-8000-000000000001",
		},
		"coinify": {key, plain("x-coinify-webhook-signature", ""), none},
		"column":  {key, plain("column-signature", ""), "evnt_1vEXAMPLE0000000000000001"},
		"configcat": {key, func(b string) verify.Header {
			return verify.Header{"x-configcat-webhook-id": "7", "x-configcat-webhook-timestamp": at,
				"x-configcat-webhook-signature-v1": base64HMAC(
					"another key", "7"+at+b,
				) + "," + base64HMAC(key, "7"+at+b)}
		}, "7"},
		"dbt-cloud": {key, plain("authorization", ""), "wev_EXAMPLE00000000000000000001"},
		"deel": {key, func(b string) verify.Header {
			return verify.Header{"x-deel-signature": hexHMAC(key, "POST"+b)}
		}, whole},
		"discourse": {key, beside(plain(
			"x-discourse-event-signature", "sha256=",
		), "x-discourse-event-id", "1207", "x-discourse-event-type", "post",
			"x-discourse-event", "post_created"), "1207"},
		"frame-io": {key, func(b string) verify.Header {
			return verify.Header{
				"x-frameio-request-timestamp": at,
				"x-frameio-signature":         "v0=" + hexHMAC(key, "v0:"+at+":"+b),
			}
		}, none},
		"gusto": {
			key, plain("x-gusto-signature", ""), "c5fdae57-0000-4000-8000-000000000001",
		},
		"hackerone": {
			key,
			beside(
				plain("x-h1-signature", "sha256="), "x-h1-delivery", "d-1", "x-h1-event",
				"report_created",
			),
			"d-1",
		},
		"hugging-face": {"token", fixed("x-webhook-secret", "token"), none},
		"monnify": {key, func(b string) verify.Header {
			return verify.Header{"monnify-signature": hex.EncodeToString(mac(sha512.New, key, b))}
		}, whole},
		"pulumi": {
			key,
			beside(
				plain("pulumi-webhook-signature", ""), "pulumi-webhook-id", "p-1",
				"pulumi-webhook-kind", "stack_update",
			),
			"p-1",
		},
		"quicknode": {key, func(b string) verify.Header {
			return verify.Header{
				"x-qn-nonce": "n-1", "x-qn-timestamp": at,
				"x-qn-signature": hexHMAC(key, "n-1"+at+b),
			}
		}, whole},
		"salla": {
			key, beside(plain("x-salla-signature", ""), "x-salla-security-strategy", "Signature"),
			none,
		},
		"samsara": {base64Key, func(b string) verify.Header {
			return verify.Header{
				"x-samsara-timestamp": at,
				"x-samsara-signature": "v1=" + hexHMAC(key, "v1:"+at+":"+b),
			}
		}, "eb3fa3a5-0000-4000-8000-000000000001"},
		"shortcut": {key, plain("payload-signature", ""), "595285dc-0000-4000-8000-000000000001"},
		"smartsheet": {
			key, plain("smartsheet-hmac-sha256", ""), "4b2ed20d-0000-4000-8000-000000000001",
		},
		"snyk": {
			key,
			beside(
				plain("x-hub-signature", "sha256="), "x-snyk-transport-id", "t-1", "x-snyk-event",
				"project_snapshot/v0",
			),
			"t-1",
		},
		"spacelift": {key, plain("x-signature-256", "sha256="), whole},
		"terra": {key, func(b string) verify.Header {
			return verify.Header{
				"terra-signature": "t=" + at + ",v1=" + hexHMAC(key, at+"."+b) + ",v0=0",
			}
		}, whole},
		"todoist": {
			key, beside(based("x-todoist-hmac-sha256", ""), "x-todoist-delivery-id", "d-1"), "d-1",
		},
		"workable": {key, plain("x-workable-signature", ""), "5f1e6d0d0000000000001207"},
		"customer-io": {key, func(b string) verify.Header {
			return verify.Header{
				"x-cio-timestamp": at, "x-cio-signature": hexHMAC(key, "v0:"+at+":"+b),
			}
		}, "01E4C4CT6YDC7Y5M7FE1GWWPQJ"},
		"documenso": {"token", fixed("x-documenso-secret", "token"), whole},
		"doppler":   {key, plain("x-doppler-signature", "sha256="), none},
		"dwolla": {
			key, plain("x-request-signature-sha-256", ""), "80d8ff7d-0000-4000-8000-000000000001",
		},
		"easypost": {key, plain("x-hmac-signature", "hmac-sha256-hex="), "evt_1"},
		"enode": {key, func(b string) verify.Header {
			return verify.Header{
				"x-enode-delivery":  "d-1",
				"x-enode-signature": "sha1=" + hex.EncodeToString(sha1Of(b)),
			}
		}, "d-1"},
		"fastspring": {key, based("x-fs-signature", ""), whole},
		"finch": {
			strings.TrimPrefix(hooks, "whsec_"), standard("finch", "finch-event-id", hooks),
			"msg_1",
		},
		"fireflies":      {key, plain("x-hub-signature", "sha256="), whole},
		"flutterwave":    {"token", fixed("verif-hash", "token"), none},
		"flutterwave-v4": {key, based("flutterwave-signature", ""), whole},
		"fourthwall":     {key, based("x-fourthwall-hmac-sha256", ""), none},
		"gitlab": {
			hooks, beside(standard("webhook", "webhook-id", hooks), "x-gitlab-event", "Push Hook"),
			"msg_1",
		},
		"gocardless": {key, plain("webhook-signature", ""), "WB0001"},
		"google-channels": {"token", fixed("x-goog-channel-token", "token", "x-goog-channel-id",
			"c-1", "x-goog-message-number", "7",
			"x-goog-resource-state", "sync"), hashOf(`"c-1""7"`)},
		"gr4vy": {key, func(b string) verify.Header {
			return verify.Header{"x-gr4vy-webhook-timestamp": at,
				"x-gr4vy-webhook-signatures": hexHMAC(
					"another key", at+"."+b,
				) + "," + hexHMAC(key, at+"."+b)}
		}, "fe26475d-0000-4000-8000-000000000001"},
		"greenhouse": {
			key, beside(plain("signature", "sha256 "), "greenhouse-event-id", "e-1"), "e-1",
		},
		"help-scout": {key, func(b string) verify.Header {
			return verify.Header{
				"x-helpscout-event":     "convo.created",
				"x-helpscout-signature": base64.StdEncoding.EncodeToString(sha1Of(b)),
			}
		}, none},
		"jira": {
			key,
			beside(plain("x-hub-signature", "sha256="), "x-atlassian-webhook-identifier", "w-1"),
			"w-1",
		},
		"katana": {key, plain("x-sha2-signature", ""), none},
		"knock": {key, func(b string) verify.Header {
			return verify.Header{
				"x-knock-signature": "t=" + millis + ",s=" + base64HMAC(key, millis+"."+b),
			}
		}, "ev1"},
		"line":   {key, based("x-line-signature", ""), none},
		"lithic": {hooks, standard("webhook", "webhook-id", hooks), "msg_1"},
		"lob": {key, func(b string) verify.Header {
			return verify.Header{
				"lob-signature-timestamp": millis, "lob-signature": hexHMAC(key, millis+"."+b),
			}
		}, "evt_0000000000000001"},
		"loops":      {hooks, standard("webhook", "webhook-id", hooks), "msg_1"},
		"mailersend": {key, plain("signature", ""), whole},
		"maxio": {
			key,
			beside(
				plain("x-chargify-webhook-signature-hmac-sha-256", ""), "x-chargify-webhook-id",
				"w-1",
			),
			"w-1",
		},
		"modern-treasury": {key, beside(
			plain("x-signature", ""), "x-topic", "payment_order", "x-webhook-id", "w-1",
			"x-delivery-id", "d-1",
		),
			"w-1"},
		"mollie": {key, plain("x-mollie-signature", "sha256="), "event_0000000000000000000001"},
		"onfido": {key, plain("x-sha2-signature", ""), none},
		"oracle-commerce": {key, func(b string) verify.Header {
			return verify.Header{
				"x-oracle-cc-webhook-signature": base64.StdEncoding.EncodeToString(
					mac(sha512.New, key, b),
				),
			}
		}, none},
		"orb": {key, func(b string) verify.Header {
			return verify.Header{
				"x-orb-timestamp": date + ".551",
				"x-orb-signature": "v1=" + hexHMAC(key, "v1:"+date+".551:"+b),
			}
		}, "o400000000000000"},
		"paddle": {key, func(b string) verify.Header {
			return verify.Header{
				"paddle-signature": "ts=" + at + ";h1=" + hexHMAC(
					"another key", at+":"+b,
				) + ";h1=" + hexHMAC(key, at+":"+b),
			}
		}, "evt_01hv8x2a000000000000000001"},
		"persona": {key, func(b string) verify.Header {
			return verify.Header{"persona-signature": "t=" + at + ",v1=" + hexHMAC(key, at+"."+b)}
		}, "evt_1"},
		"pipedrive":  {"user:p:w", fixed(basic...), none},
		"printful":   {hexKey, plain("x-pf-webhook-signature", ""), none},
		"quickbooks": {key, based("intuit-signature", ""), none},
		"recurly": {key, func(b string) verify.Header {
			return verify.Header{
				"recurly-signature": millis + "," + hexHMAC(
					"another key", millis+"."+b,
				) + "," + hexHMAC(key, millis+"."+b),
			}
		}, none},
		"retell": {key, func(b string) verify.Header {
			return verify.Header{
				"x-retell-signature": "v=" + millis + ",d=" + hexHMAC(key, b+millis),
			}
		}, none},
		"revenuecat": {"Bearer token", fixed("authorization", "Bearer token"), "ev1"},
		"revolut": {key, func(b string) verify.Header {
			text := "v1." + millis + "." + b
			return verify.Header{"revolut-request-timestamp": millis,
				"revolut-signature": "v1=" + hexHMAC("another key", text) + ",v1=" +
					hexHMAC(key, text)}
		}, none},
		"segment": {key, func(b string) verify.Header {
			return verify.Header{"x-signature": hex.EncodeToString(sha1Of(b))}
		}, "ajs-1"},
		"shippo": {key, func(b string) verify.Header {
			return verify.Header{
				"shippo-auth-signature": "t=" + at + ",v1=" + hexHMAC(key, at+"."+b),
			}
		}, none},
		"shopify": {
			key,
			beside(
				based("x-shopify-hmac-sha256", ""), "x-shopify-event-id", "e-1", "x-shopify-topic",
				"orders/create",
			),
			"sha256:d14a0207b7d8f0131a52045ef8f96c3827ed93b7ba0e8895606b62fa8d5d48d9",
		},
		"shopware": {key, plain("shopware-shop-signature", ""), "7b04ebe416db4ebc93de4d7913250001"},
		"sinch": {key, func(b string) verify.Header {
			return verify.Header{"x-sinch-webhook-signature-nonce": "n-1",
				"x-sinch-webhook-signature-timestamp": at,
				"x-sinch-webhook-signature":           base64HMAC(key, b+".n-1."+at)}
		}, whole},
		"sinch-numbers": {key, func(b string) verify.Header {
			return verify.Header{"x-sinch-signature": hex.EncodeToString(sha1Of(b))}
		}, "event1"},
		"sparkpost": {
			"user:p:w", beside(fixed(basic...), "x-messagesystems-batch-id", "b-1"), "b-1",
		},
		"squarespace": {hexKey, plain("squarespace-signature", ""), "5c0000000000000000000001"},
		"sumsub": {
			key, beside(plain("x-payload-digest", ""), "x-payload-digest-alg", "HMAC_SHA256_HEX"),
			whole,
		},
		"surveymonkey": {key, func(b string) verify.Header {
			return verify.Header{"sm-signature": base64.StdEncoding.EncodeToString(sha1Of(b))}
		}, "2"},
		"tally": {key, based("tally-signature", ""), "a4cb511e-0000-4000-8000-000000000001"},
		"tiktok": {key, func(b string) verify.Header {
			return verify.Header{"tiktok-signature": "t=" + at + ",s=" + hexHMAC(key, at+"."+b)}
		}, none},
		"typeform":  {key, based("typeform-signature", "sha256="), "event1"},
		"uber-eats": {key, plain("x-uber-signature", ""), "c4d2261e-0000-4000-8000-000000000001"},
		"unit": {key, func(b string) verify.Header {
			return verify.Header{"x-unit-signature": base64.StdEncoding.EncodeToString(sha1Of(b))}
		}, whole},
		"veriff": {key, plain("x-hmac-signature", ""), none},
		"viber": {
			key, plain("x-viber-content-signature", ""), hashOf(`"4912661846655238145""message"`),
		},
		"webex": {key, func(b string) verify.Header {
			return verify.Header{"x-spark-signature": hex.EncodeToString(sha1Of(b))}
		}, none},
		"woocommerce": {key, beside(
			based("x-wc-webhook-signature", ""), "x-wc-webhook-delivery-id", "d-1",
			"x-wc-webhook-topic", "order.created",
		),
			"d-1"},
		"xendit": {"token", fixed("x-callback-token", "token", "webhook-id", "w-1"), "w-1"},
		"yampi":  {key, based("x-yampi-hmac-sha256", ""), none},
		"zendesk": {key, func(b string) verify.Header {
			return verify.Header{"x-zendesk-webhook-invocation-id": "i-1",
				"x-zendesk-webhook-signature-timestamp": date + "Z",
				"x-zendesk-webhook-signature":           base64HMAC(key, date+"Z"+b)}
		}, "i-1"},
		"zoho-payments": {key, func(b string) verify.Header {
			return verify.Header{
				"x-zoho-webhook-signature": "t=" + millis + ",v=" + hexHMAC(key, millis+"."+b),
			}
		}, none},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			d, _ := verify.Describe(provider)
			name := strings.NewReplacer(":", "-", "/", "-").Replace(d.Examples[0])
			files, err := filepath.Glob("../../events/webhooks/" + provider + "/" + name + ".*")
			if err != nil || len(files) != 1 {
				t.Fatalf("no sample: %v, %v", files, err)
			}
			body, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			cfg, _, _ := exampleOf(t, provider, "current")
			r := verify.Request{Header: c.header(string(body)), Body: body, ReceivedAt: signedAt}
			got, err := newVerifier(t, cfg, c.secret).Verify(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			want := verify.Result{
				DeliveryID: c.id, EventType: d.Examples[0], Trust: d.Trust, Reply: got.Reply,
				Bound: boundTo(d, c.id, r.Body),
			}
			if c.id == whole {
				want.DeliveryID = hashOf(string(body))
			}
			if len(d.EventType) == 0 && d.TypeBy == "" {
				want.EventType = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerify_HeadersOfSeveralKeys(t *testing.T) {
	t.Parallel()
	const key, stranger, at, later, millis, body = "key", "another key", "1700000000", "1700000001", "1700000000000", `{"id":"1"}`
	persona := func(key, at string) string { return "t=" + at + ",v1=" + hexHMAC(key, at+"."+body) }
	boxed := func(key string) string { return base64HMAC(key, body+"2023-11-14T22:13:20Z") }
	mollie := func(key string) string { return "sha256=" + hexHMAC(key, body) }
	for name, c := range map[string]struct {
		provider string
		header   verify.Header
		want     error
	}{
		"Persona, first is ours": {"persona",
			verify.Header{
				"persona-signature": persona(key, at) + " " + persona(stranger, at),
			}, nil},
		"Persona, second is ours": {"persona",
			verify.Header{
				"persona-signature": persona(stranger, at) + " " + persona(key, at),
			}, nil},
		"Persona, none is ours": {
			"persona", verify.Header{"persona-signature": persona(stranger, at)},
			verify.ErrMismatch,
		},
		"Persona, of two times": {"persona",
			verify.Header{
				"persona-signature": persona(key, at) + " " + persona(key, later),
			}, verify.ErrMalformed},
		"Persona, second without a time": {
			"persona", verify.Header{"persona-signature": persona(key, at) + " v1="},
			verify.ErrMalformed,
		},
		"Persona, twice": {"persona",
			verify.Header{
				"persona-signature": persona(key, at) + "," + persona(key, at),
			}, verify.ErrRepeated},
		"Box, primary is ours": {"box",
			verify.Header{
				"box-signature-primary": boxed(key), "box-signature-secondary": boxed(stranger),
			}, nil},
		"Box, secondary is ours": {"box",
			verify.Header{
				"box-signature-primary": boxed(stranger), "box-signature-secondary": boxed(key),
			}, nil},
		"Box, secondary alone": {"box", verify.Header{"box-signature-secondary": boxed(key)}, nil},
		"Box, none is ours": {
			"box", verify.Header{"box-signature-secondary": boxed(stranger)}, verify.ErrMismatch,
		},
		"Box, secondary twice": {"box",
			verify.Header{
				"box-signature-secondary": boxed(key) + "," + boxed(key),
			}, verify.ErrRepeated},
		"Mollie, twice, second is ours": {
			"mollie", verify.Header{"x-mollie-signature": mollie(stranger) + ", " + mollie(key)},
			nil,
		},
		"Mollie, twice, none is ours": {"mollie",
			verify.Header{
				"x-mollie-signature": mollie(stranger) + "," + mollie(stranger),
			}, verify.ErrMismatch},
		"Recurly, no signature": {
			"recurly", verify.Header{"recurly-signature": millis}, verify.ErrMalformed,
		},
		"Recurly, no time": {
			"recurly", verify.Header{"recurly-signature": "," + hexHMAC(key, "."+body)},
			verify.ErrMalformed,
		},
		"Recurly, time of a word": {"recurly",
			verify.Header{
				"recurly-signature": "now," + hexHMAC(key, "now."+body),
			}, verify.ErrMalformed},
		"Recurly, time that is not signed": {"recurly",
			verify.Header{
				"recurly-signature": millis + "," + hexHMAC(key, "1."+body),
			}, verify.ErrMismatch},
	} {
		c.header["box-delivery-timestamp"] = "2023-11-14T22:13:20Z"
		r := verify.Request{Header: c.header, Body: []byte(body), ReceivedAt: signedAt}
		if _, err := newVerifier(t, verify.Config{Provider: c.provider}, key).Verify(
			context.Background(), r,
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_TakesEitherCaseAndNoOffset(t *testing.T) {
	t.Parallel()
	const key, body = "6b6579", `{"id":"1"}`
	digest := hex.EncodeToString(mac(sha512.New, "key", body))
	orb := func(at string) verify.Header {
		return verify.Header{
			"x-orb-timestamp": at, "x-orb-signature": "v1=" + hexHMAC(key, "v1:"+at+":"+body),
		}
	}
	for name, c := range map[string]struct {
		provider string
		header   verify.Header
		want     error
	}{
		"upper case": {
			"authorize-net", verify.Header{"x-anet-signature": "sha512=" + strings.ToUpper(digest)},
			nil,
		},
		"lower case": {
			"authorize-net", verify.Header{"x-anet-signature": "sha512=" + digest}, nil,
		},
		"without offset": {"orb", orb("2023-11-14T22:13:20"), nil},
		"with an offset": {"orb", orb("2023-11-14T22:13:20Z"), verify.ErrMalformed},
	} {
		r := verify.Request{Header: c.header, Body: []byte(body), ReceivedAt: signedAt}
		if _, err := newVerifier(t, verify.Config{Provider: c.provider}, key).Verify(
			context.Background(), r,
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// If nothing separates body and time, a digit moved from one to the other leaves the signature
// unchanged. Seconds and milliseconds have only one form: with a leading zero, the same text could
// be divided elsewhere.
func TestVerify_RefusesTimesThatBeginWithAZero(t *testing.T) {
	t.Parallel()
	for format, at := range map[string]string{"s": "1700000000", "ms": "1700000000000"} {
		v := newVerifier(t, verify.Config{Provider: "hmac", HMAC: &verify.HMAC{
			Header: "X-Sig", Payload: "{timestamp}.{body}", TimestampHeader: "X-Ts",
			TimestampFormat: format,
		}}, "key")
		for timestamp, want := range map[string]error{at: nil, "0" + at: verify.ErrMalformed} {
			h := verify.Header{"x-ts": timestamp, "x-sig": hexHMAC("key", timestamp+".{}")}
			if _, err := v.Verify(
				context.Background(),
				verify.Request{Header: h, Body: []byte("{}"), ReceivedAt: signedAt},
			); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", timestamp, err, want)
			}
		}
	}
}

func TestVerify_DigitMovedBetweenBodyAndSignedTime(t *testing.T) {
	t.Parallel()
	const key, at, millis = "6b6579", "1700000000", "1700000000000"
	for name, c := range map[string]struct {
		provider string
		header   verify.Header
		body     string
		want     error
	}{
		"Airwallex": {
			"airwallex",
			verify.Header{"x-timestamp": millis[:12], "x-signature": hexHMAC(key, millis+"{}")},
			"0{}", verify.ErrStale,
		},
		"Close": {
			"close",
			verify.Header{"close-sig-timestamp": at[:9], "close-sig-hash": hexHMAC("key", at+"{}")},
			"0{}", verify.ErrStale,
		},
		"Retell": {"retell",
			verify.Header{
				"x-retell-signature": "v=" + millis[1:] + ",d=" + hexHMAC(key, "{}"+millis),
			}, "{}1", verify.ErrStale},
	} {
		r := verify.Request{Header: c.header, Body: []byte(c.body), ReceivedAt: signedAt}
		if _, err := newVerifier(t, verify.Config{Provider: c.provider}, key).Verify(
			context.Background(), r,
		); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_WooCommercePing(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "woocommerce"}, "key")
	for name, c := range map[string]struct {
		header    verify.Header
		body      string
		handshake bool
		want      error
	}{
		"ping": {nil, "webhook_id=12", true, nil},
		"of a stranger": {
			verify.Header{
				"x-wc-webhook-signature": base64HMAC("stranger", "webhook_id=12"),
			}, "webhook_id=12", false, verify.ErrMismatch},
		"no number":         {nil, "webhook_id=a", false, verify.ErrMissing},
		"no form":           {nil, `{"webhook_id":12}`, false, verify.ErrMissing},
		"an unsigned order": {nil, `{"id":727}`, false, verify.ErrMissing},
		"twice in the form": {nil, "webhook_id=12&webhook_id=13", false, verify.ErrMissing},
		"signed by the shop": {
			verify.Header{"x-wc-webhook-signature": base64HMAC("key", "webhook_id=12")},
			"webhook_id=12", false, nil,
		},
	} {
		got, err := v.Verify(
			context.Background(),
			verify.Request{Header: c.header, Body: []byte(c.body), ReceivedAt: signedAt},
		)
		if !errors.Is(err, c.want) || got.Handshake != c.handshake {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, c.want)
		}
		if got.Handshake && (got.Reply == nil || got.Reply.Status != 200 || got.Reply.Body != "") {
			t.Errorf("%s: reply %+v", name, got.Reply)
		}
	}
}
