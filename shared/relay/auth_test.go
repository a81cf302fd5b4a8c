package relay_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// vault is a SecretStore. It counts the reads.
type vault struct {
	secrets map[string]string
	err     error
	asked   atomic.Int32
}

func (v *vault) Secret(_ context.Context, name string) (string, error) {
	v.asked.Add(1)
	if v.err != nil {
		return "", v.err
	}
	text, ok := v.secrets[name]
	if !ok {
		return "", fmt.Errorf("%s: %w", name, catalog.ErrNotFound)
	}
	return text, nil
}

// newAuthRig returns a rig whose endpoint needs more than the signature of Standard Webhooks.
func newAuthRig(t *testing.T, secrets catalog.SecretStore, edit func(*catalog.Endpoint)) *rig {
	t.Helper()
	r := newRig(t, []time.Duration{time.Minute, time.Minute}, "a")
	c, revision, err := r.catalog.LoadCatalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	edit(&c.Endpoints[0])
	if err := r.catalog.ReplaceCatalog(t.Context(), c, revision); err != nil {
		t.Fatal(err)
	}
	r.deliverer = lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: &r.catalog, Deliveries: &r.ledger, Bodies: &r.bodies, Poster: r.poster,
		Retry: &r.retry, Dead: &r.dead, Poison: &r.poison,
		States: &r.states, Quotas: &r.quotas, Slots: &r.slots, Failures: &r.failures,
		Keeper: &r.ledger, Reporter: &r.reports, Secrets: secrets,
		Scheduler: &memory.Scheduler{Queue: &memory.Queue{}},
	}))
	return r
}

func TestReferencesAreResolvedWhenAnEndpointIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{
			secrets: map[string]string{
				"shop": `{"user":"u","password":"p"}`,
				"arn:aws:secretsmanager:eu-central-1:1:secret:ca-AbCdEf": "PEM",
			},
		}
		r := newAuthRig(t, v, func(ep *catalog.Endpoint) {
			ep.Auth = &catalog.Auth{
				Basic: &catalog.BasicAuth{
					Username: "aws-secretsmanager:shop#user",
					Password: "aws-secretsmanager:shop#password",
				},
			}
			ep.TLS = &catalog.TLS{
				Authorities: []byte(
					"aws-secretsmanager:arn:aws:secretsmanager:eu-central-1:1:secret:ca-AbCdEf",
				),
			}
		})
		for n, asked := range []int32{2, 2, 4} {
			r.mustPost(fmt.Sprint(n), "", "{}")
			r.pump()
			p := r.poster.posts[n]
			if diff := cmp.Diff(
				&catalog.Auth{Basic: &catalog.BasicAuth{Username: "u", Password: "p"}}, p.Auth,
			); diff != "" || string(p.TLS.Authorities) != "PEM" {
				t.Errorf("%s, -want +got:\n%s", p.TLS.Authorities, diff)
			}
			if got := v.asked.Load(); got != asked {
				t.Errorf("after %d deliveries: asked %d times, want %d", n+1, got, asked)
			}
			if n == 1 {
				time.Sleep(catalog.DefaultCacheTTL)
			}
		}
		ep, err := r.catalog.Endpoint(t.Context(), "", "a")
		if err != nil || ep.Auth.Basic.Username != "aws-secretsmanager:shop#user" {
			t.Errorf("the catalog's endpoint was changed: %v, %v", ep.Auth.Basic, err)
		}
	})
}

// A mistake that the operator has to mend costs attempts, so that the delivery ends. The attempts
// report the mistake. Nothing is sent.
func TestWhatCannotBeProvedCostsAnAttempt(t *testing.T) {
	t.Parallel()
	v := &vault{
		secrets: map[string]string{
			"text": "hidden", "object": `{"n":1,"hidden":"hidden"}`, "empty": "",
		},
	}
	reference := func(name string) *catalog.Auth {
		return &catalog.Auth{Bearer: catalog.SecretPrefix + name}
	}
	for name, tt := range map[string]struct {
		store catalog.SecretStore
		auth  *catalog.Auth
		want  string
	}{
		"no such secret": {
			v, reference("none"), "aws-secretsmanager:none: none: relay: not found",
		},
		"an empty one": {v, reference("empty"), "aws-secretsmanager:empty is empty"},
		"no such member": {
			v, reference("object#x"),
			"aws-secretsmanager:object#x is empty, or is not a string in a JSON object",
		},
		"a member that is none": {
			v, reference("object#n"),
			"aws-secretsmanager:object#n is empty, or is not a string in a JSON object",
		},
		"a member of a text": {
			v, reference("text#x"),
			"aws-secretsmanager:text#x is empty, or is not a string in a JSON object",
		},
		"no store": {nil, reference("text"), "this host has no secret store"},
		"a key of another form": {
			v, &catalog.Auth{
				Signature: &catalog.Signature{
					Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Sig", Key: "hex"},
					Secret: catalog.SecretPrefix + "text",
				},
			},
			"is not hex",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newAuthRig(t, tt.store, func(ep *catalog.Endpoint) { ep.Auth = tt.auth })
				event := r.mustPost("1", "", "{}")
				r.pump()
				d := r.deliveryOf(event, "a")
				if d.Status != relay.Dead || d.Attempts != 3 || d.Reason != relay.Exhausted ||
					len(r.poster.posts) != 0 {
					t.Errorf("%+v after %d POSTs", d, len(r.poster.posts))
				}
				for _, a := range d.History {
					if a.Outcome != relay.AuthFailed || !strings.Contains(a.Error, tt.want) ||
						strings.Contains(a.Error, "hidden") {
						t.Errorf("%s: %s, want %q", a.Outcome, a.Error, tt.want)
					}
				}
			})
		})
	}
}

// A secret store that is down is our own failure: it uses up no attempt. Secrets that were read
// before stay in use.
func TestASecretStoreThatIsDownUsesUpNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{secrets: map[string]string{"token": "t"}, err: errors.New("down")}
		r := newAuthRig(t, v, func(ep *catalog.Endpoint) {
			ep.Auth = &catalog.Auth{Bearer: catalog.SecretPrefix + "token"}
		})
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		r.consume(&r.delivery, nil, r.deliverer.Process)
		v.err = nil
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		v.err = errors.New("down")
		time.Sleep(catalog.DefaultCacheTTL)
		event = r.mustPost("2", "", "{}")
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("known from before: %+v", d)
		}
	})
}

// A receiver that knows another provider's format verifies the signature with package verify, as
// the relay itself would.
func TestDeliveriesAreSignedAsTheReceiverKnowsIt(t *testing.T) {
	t.Parallel()
	described := &verify.HMAC{Header: "X-Sig", Algorithm: "sha512", Encoding: "base64",
		Payload: "{id}.{timestamp}.{url}.{body}", TimestampHeader: "X-Ts",
		TimestampFormat: "ms", IDHeader: "X-Id"}
	for name, tt := range map[string]struct {
		signature catalog.Signature
		verifier  verify.Config
		eventType string // as the receiver reads it
	}{
		"GitHub": {
			catalog.Signature{Provider: "github", Secret: "secret"},
			verify.Config{Provider: "github"}, "push",
		},
		"GitHub alone": {
			catalog.Signature{Provider: "github", Secret: "secret", Alone: true},
			verify.Config{Provider: "github"}, "push",
		},
		"svix": {
			catalog.Signature{Provider: "svix", Secret: endpointSecret},
			verify.Config{Provider: "svix"}, "",
		},
		"one that is told": {
			catalog.Signature{Provider: "hmac", HMAC: described, Secret: "secret"},
			verify.Config{Provider: "hmac", HMAC: described, URL: "https://a.example.com/"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newAuthRig(t, nil, func(ep *catalog.Endpoint) {
					ep.Auth = &catalog.Auth{Signature: &tt.signature}
					ep.Header = map[string]string{"x-hub-signature-256": "not this one"}
				})
				in := inbound("1", "push", `{"a":1}`)
				in.Header["content-type"] = "application/x+json"
				accepted, err := r.receiver.Receive(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				r.pump()
				p := r.poster.posts[0]
				v, err := verify.New(tt.verifier, []string{tt.signature.Secret})
				if err != nil {
					t.Fatal(err)
				}
				got, err := v.Verify(
					t.Context(),
					verify.Request{Header: p.Header, Body: p.Body, ReceivedAt: time.Now()},
				)
				if err != nil || got.DeliveryID != accepted.EventID ||
					got.EventType != tt.eventType || got.Trust != verify.Verified {
					t.Errorf("%+v, %v", got, err)
				}
				if p.Header["content-type"] != "application/x+json" ||
					(p.Header["webhook-signature"] == "") != tt.signature.Alone ||
					(p.Header["webhook-id"] == "") != tt.signature.Alone ||
					(p.Header["webhook-timestamp"] == "") != tt.signature.Alone {
					t.Errorf("headers %v", p.Header)
				}
			})
		})
	}
}

func TestSignaturesThatNoDeliveryCanHave(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		signature catalog.Signature
		want      string
	}{
		"none is asked for": {
			catalog.Signature{Provider: "none", Secret: "secret"}, "uses no secrets",
		},
		"unknown": {
			catalog.Signature{Provider: "githob", Secret: "secret"}, `"githob" is unknown`,
		},
		"unknown, by reference": {
			catalog.Signature{Provider: "githob", Secret: catalog.SecretPrefix + "s"},
			`"githob" is unknown`,
		},
		"what the relay itself has": {
			catalog.Signature{Provider: "storyblok", Secret: "secret"},
			"header webhook-signature is also a header of Standard Webhooks",
		},
		"a host for a signature": {
			catalog.Signature{
				Provider: "hmac", HMAC: &verify.HMAC{Header: "Host"}, Secret: "secret",
			},
			"header host is set by",
		},
		"no header's name": {
			catalog.Signature{
				Provider: "hmac", HMAC: &verify.HMAC{Header: "X\r\nY"}, Secret: "secret",
			},
			"is not the name of a header",
		},
		"a line in the prefix": {
			catalog.Signature{
				Provider: "hmac", HMAC: &verify.HMAC{Header: "X", Prefix: "a\r\nX: "},
				Secret: "secret",
			},
			"control character",
		},
		"settings": {
			catalog.Signature{
				Provider: "meta", Secret: "secret",
			}, "describe its signature with hmac",
		},
		"proof in the body": {
			catalog.Signature{Provider: "mailgun", Secret: "secret"}, "in the body or the URL",
		},
		"only a public key": {
			catalog.Signature{Provider: "sendgrid", Secret: publicKeyOf("sendgrid")},
			"this is a public key",
		},
		"no key at all": {
			catalog.Signature{Provider: "discord", Secret: "hunter2"}, "this is not a private key",
		},
		"by reference": {
			catalog.Signature{
				Provider: "hmac", HMAC: &verify.HMAC{Header: "X", Payload: "no body"},
				Secret: catalog.SecretPrefix + "s",
			},
			"no {body}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tt.signature.Check("https://a.example.com/"); err == nil ||
				!strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	for _, s := range []catalog.Signature{
		{
			Provider: "github", Secret: catalog.SecretPrefix + "s#x",
		}, {Provider: "shopify", Secret: "secret"}, {Provider: "stripe", Secret: "secret"},
		{Provider: "storyblok", Secret: "secret", Alone: true},
		{
			Provider: "hmac", HMAC: &verify.HMAC{Header: "X", Key: "whsec"},
			Secret: catalog.SecretPrefix + "s",
		},
	} {
		if err := s.Check("https://a.example.com/?q"); err != nil {
			t.Errorf("%s: %v", s.Provider, err)
		}
	}
}

// echoServer answers every request with 500 and a copy of the request.
func echoServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(server.Close)
	return server
}

// echoed returns what is recorded of the answer of an endpoint that echoes its request.
func echoed(t *testing.T, url string, edit func(*catalog.Endpoint)) string {
	t.Helper()
	client := egress.New(egress.Options{Unguarded: true})
	r := newAuthRig(t, nil, func(ep *catalog.Endpoint) {
		ep.Schedule = []time.Duration{}
		edit(ep)
	})
	r.poster.answers["a"] = func(p relay.Post) (relay.Reply, error) {
		p.URL = url
		return client.Post(t.Context(), p)
	}
	event := r.mustPost("1", "", "{}")
	r.pump()
	return string(r.deliveryOf(event, "a").History[0].Response)
}

func TestNoSecretOfAHeaderIsOnRecord(t *testing.T) {
	t.Parallel()
	answer := echoed(t, echoServer(t).URL, func(ep *catalog.Endpoint) {
		ep.Header = relay.Header{
			"x-api-key": `hunter1"`, "cookie": "theme=dark; id=hunter2", "x-token": "Token hunter3",
			"x-env": "prod",
		}
	})
	if !strings.Contains(answer, `"prod"`) || strings.Contains(answer, "hunter") {
		t.Error(answer)
	}
}

// Where a signature does not cover the body, it is often the secret itself.
func TestNoSecretOfASignatureIsOnRecord(t *testing.T) {
	t.Parallel()
	url, tried := echoServer(t).URL, 0
	for _, name := range verify.Providers() {
		if d, _ := verify.Describe(name); d.Trust != verify.Authenticated {
			continue
		}
		_, secret, _, err := verify.Example(name, strings.NewReader(strings.Repeat("x", 32)))
		s := catalog.Signature{Provider: name, Secret: secret, Alone: true}
		if err != nil || s.Check("https://a.example.com/") != nil {
			continue
		}
		answer := echoed(t, url, func(ep *catalog.Endpoint) {
			ep.Auth = &catalog.Auth{Signature: &s}
		})
		if !strings.Contains(answer, "Relay-Attempt") || strings.Contains(answer, secret) {
			t.Errorf("%s: %s is in %s", name, secret, answer)
		}
		tried++
	}
	if tried < 20 {
		t.Errorf("%d providers", tried)
	}
}

// No record and no report contains a secret, whatever the request is, although the endpoint echoes
// everything that it gets.
func TestNoSecretIsOnRecord(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2&"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_ = r.Write(w)
	}))
	t.Cleanup(server.Close)
	client := egress.New(egress.Options{Unguarded: true})
	for name, auth := range map[string]catalog.Auth{
		"basic":           {Basic: &catalog.BasicAuth{Username: "u", Password: hidden}},
		"bearer":          {Bearer: hidden},
		"key in a header": {APIKey: &catalog.APIKey{Header: "x-key", Value: hidden}},
		"key in the URL":  {APIKey: &catalog.APIKey{Query: "k", Value: hidden}},
		"oauth2": {
			OAuth2: &catalog.OAuth2{
				TokenURL: "https://127.0.0.1:1/?" + hidden, ClientID: hidden, ClientSecret: hidden,
			},
		},
		"signature": {Signature: &catalog.Signature{Provider: "github", Secret: hidden}},
		"reference": {Bearer: catalog.SecretPrefix + "s"},
	} {
		for url, outcome := range map[string]relay.Outcome{
			server.URL: relay.FailedAnswer, "http://127.0.0.1:1": relay.Unreachable,
		} {
			t.Run(name+", "+string(outcome), func(t *testing.T) {
				t.Parallel()
				r := newAuthRig(t, &vault{
					secrets: map[string]string{"s": hidden},
				}, func(ep *catalog.Endpoint) {
					ep.Auth, ep.Schedule = &auth, []time.Duration{}
				})
				r.poster.answers["a"] = func(p relay.Post) (relay.Reply, error) {
					p.URL = url
					return client.Post(t.Context(), p)
				}
				event := r.mustPost("1", "", "{}")
				r.pump()
				d := r.deliveryOf(event, "a")
				if d.Status != relay.Dead || auth.OAuth2 == nil && d.History[0].Outcome != outcome {
					t.Errorf("%+v", d)
				}
				dead, err := r.dead.Receive(t.Context(), 10)
				if err != nil || len(dead) != 1 {
					t.Fatalf("%d dead letters, %v", len(dead), err)
				}
				seen := fmt.Sprintf(
					"%+v %s %+v %s", d, d.History[0].Response, r.reports.attempted, dead[0].Body,
				)
				for _, form := range []string{
					"hunter", base64.StdEncoding.EncodeToString([]byte("u:" + hidden)),
				} {
					if strings.Contains(seen, form) {
						t.Errorf("%s is in %s", form, seen)
					}
				}
			})
		}
	}
}

// publicKeyOf returns the secret that a source of the provider has for the example's key.
func publicKeyOf(provider string) string {
	_, secret, _, _ := verify.Example(provider, strings.NewReader(strings.Repeat("x", 32)))
	return secret
}

// For a provider that signs with a private key, the endpoint's secret is that key.
func TestAuthSignsWithAPrivateKey(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"discord", "sendgrid", "telnyx"} {
		synctest.Test(t, func(t *testing.T) {
			cfg, secret, signing, err := verify.Example(
				provider, strings.NewReader(strings.Repeat("x", 32)),
			)
			if err != nil {
				t.Fatal(err)
			}
			r := newAuthRig(t, nil, func(ep *catalog.Endpoint) {
				ep.Auth = &catalog.Auth{
					Signature: &catalog.Signature{Provider: provider, Secret: signing},
				}
			})
			r.mustPost("1", "", `{"a":1}`)
			r.pump()
			v, err := verify.New(cfg, []string{secret})
			if err != nil {
				t.Fatal(err)
			}
			p := r.poster.posts[0]
			if _, err := v.Verify(
				t.Context(), verify.Request{Header: p.Header, Body: p.Body, ReceivedAt: time.Now()},
			); err != nil {
				t.Errorf("%s: %v", provider, err)
			}
		})
	}
}

// The provider's signature covers what a transform made, as the relay's own does.
func TestAuthSignsWhatIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newAuthRig(t, nil, func(ep *catalog.Endpoint) {
			ep.Auth = &catalog.Auth{
				Signature: &catalog.Signature{Provider: "github", Secret: "secret"},
			}
			ep.Sends = map[string]string{"app": `{"body":{"n":"{data.a}"}}`}
		})
		r.mustPost("1", "push", `{"a":1}`)
		r.pump()
		v, err := verify.New(verify.Config{Provider: "github"}, []string{"secret"})
		if err != nil {
			t.Fatal(err)
		}
		p := r.poster.posts[0]
		if _, err := v.Verify(
			t.Context(), verify.Request{Header: p.Header, Body: p.Body, ReceivedAt: time.Now()},
		); err != nil || string(p.Body) != `{"n":1}` {
			t.Errorf("%v: %s", err, p.Body)
		}
		verifySignature(t, p)
	})
}

// The headers that a provider sends beside its signature are sent too. A made-up value does not
// replace the operator's or the webhook's.
func TestAuthSendsWhatTheProviderSendsBesideItsSignature(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := &catalog.Auth{Signature: &catalog.Signature{Provider: "shopify", Secret: "secret"}}
		if slices.Contains(auth.Headers("https://a.example.com/"), "x-shopify-shop-domain") {
			t.Error("the endpoint's own headers cannot have the shop's domain")
		}
		r := newAuthRig(t, nil, func(ep *catalog.Endpoint) {
			ep.Auth, ep.Header = auth,
				map[string]string{"x-shopify-shop-domain": "mine.myshopify.com"}
		})
		r.mustPost("1", "orders/create", `{"a":1}`)
		r.pump()
		h := r.poster.posts[0].Header
		if h["x-shopify-shop-domain"] != "mine.myshopify.com" || h["x-shopify-api-version"] == "" ||
			h["x-shopify-webhook-id"] == "" ||
			h["x-shopify-topic"] != "orders/create" || h["x-shopify-hmac-sha256"] == "" {
			t.Errorf("%v", h)
		}
	})
}

// Many servers repeat the URL in their answer to an unknown path. A token in the endpoint's URL
// must not be recorded from there.
func TestNoSecretOfAURLIsOnRecord(t *testing.T) {
	t.Parallel()
	r := newAuthRig(t, nil, func(ep *catalog.Endpoint) {
		ep.URL = "https://a.example.com/services/T0001/0123456789abcdefABCDEF?token=hunter%261&v=2"
	})
	r.mustPost("1", "", "{}")
	r.pump()
	got := r.poster.posts[0].Secrets
	for secret, hidden := range map[string]bool{
		"hunter&1": true, "0123456789abcdefABCDEF": true, "2": false, "services": false,
	} {
		if slices.Contains(got, secret) != hidden {
			t.Errorf("%s: hidden is %v", secret, !hidden)
		}
	}
}
