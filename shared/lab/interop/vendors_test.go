package interop_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/google/go-github/v74/github"
	line "github.com/line/line-bot-sdk-go/v8/linebot/webhook"
	"github.com/resend/resend-go/v2"
	sendgrid "github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripe "github.com/stripe/stripe-go/v83/webhook"
	twilio "github.com/twilio/twilio-go/client"

	"webhook-relay/events"
	"webhook-relay/shared/verify"
)

// body is what all providers except Twilio send. Twilio signs the fields of a form, so its own
// sample is used.
const body = `{"id":"evt_1","type":"invoice.paid","action":"opened","amount":1200}`

// subject is a provider with keys and a webhook.
type subject struct {
	cfg      verify.Config
	secret   string
	verifier *verify.Verifier
	webhook  verify.Webhook
}

func newSubject(t *testing.T, provider string) subject {
	t.Helper()
	cfg, secret, signing, err := verify.Example(
		provider, bytes.NewReader(bytes.Repeat([]byte("seed"), 8)),
	)
	must(t, err)
	v, err := verify.New(cfg, []string{secret}, verify.SignWith(signing))
	must(t, err)
	w := verify.Webhook{Body: []byte(body), EventType: "invoice.paid", DeliveryID: "msg-1"}
	if provider == "twilio" {
		w.Body, w.EventType, err = events.Sample(provider, "")
		must(t, err)
	}
	return subject{cfg, secret, v, w}
}

// accepts tells whether Verify accepts a request that arrives now.
func (s subject) accepts(t *testing.T, r verify.Request) error {
	t.Helper()
	r.ReceivedAt = time.Now()
	_, err := s.verifier.Verify(t.Context(), r)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vendors are the Go packages that providers publish, or that their documentation names, for
// receivers of their webhooks.
var vendors = map[string]struct {
	accepts func(t *testing.T, s subject, r verify.Request) bool
	signs   func(t *testing.T, s subject, at time.Time) verify.Header // nil: it cannot
}{
	"discord": {accepts: func(t *testing.T, s subject, r verify.Request) bool {
		key, err := hex.DecodeString(s.secret)
		must(t, err)
		return discordgo.VerifyInteraction(overHTTP(t, r), ed25519.PublicKey(key))
	}},
	"github": {accepts: func(t *testing.T, s subject, r verify.Request) bool {
		_, err := github.ValidatePayload(overHTTP(t, r), []byte(s.secret))
		return err == nil
	}},
	"line": {accepts: func(_ *testing.T, s subject, r verify.Request) bool {
		return line.ValidateSignature(s.secret, r.Header["x-line-signature"], r.Body)
	}},
	"resend": {accepts: svixAccepts},
	"sendgrid": {accepts: func(t *testing.T, s subject, r verify.Request) bool {
		key, err := sendgrid.ConvertPublicKeyBase64ToECDSA(s.secret)
		must(t, err)
		h := overHTTP(t, r).Header
		ok, err := sendgrid.VerifySignature(
			key, r.Body, h.Get(sendgrid.VerificationHTTPHeader),
			h.Get(sendgrid.TimestampHTTPHeader),
		)
		return ok && err == nil
	}},
	"slack": {accepts: func(t *testing.T, s subject, r verify.Request) bool {
		v, err := slack.NewSecretsVerifier(overHTTP(t, r).Header, s.secret)
		must(t, err)
		_, _ = v.Write(r.Body) // into a hash
		return v.Ensure() == nil
	}},
	"standard-webhooks": {
		accepts: func(t *testing.T, s subject, r verify.Request) bool {
			return standardOf(t, s).Verify(r.Body, overHTTP(t, r).Header) == nil
		},
		signs: func(t *testing.T, s subject, at time.Time) verify.Header {
			signature, err := standardOf(t, s).Sign("msg-1", at, s.webhook.Body)
			must(t, err)
			return verify.Header{
				"webhook-id": "msg-1", "webhook-timestamp": strconv.FormatInt(at.Unix(), 10),
				"webhook-signature": signature,
			}
		},
	},
	"stripe": {
		accepts: func(_ *testing.T, s subject, r verify.Request) bool {
			return stripe.ValidatePayload(r.Body, r.Header["stripe-signature"], s.secret) == nil
		},
		signs: func(_ *testing.T, s subject, at time.Time) verify.Header {
			signed := stripe.GenerateTestSignedPayload(&stripe.UnsignedPayload{
				Payload: s.webhook.Body, Secret: s.secret, Timestamp: at,
			})
			return verify.Header{"stripe-signature": signed.Header}
		},
	},
	"svix": {accepts: svixAccepts},
	"twilio": {accepts: func(_ *testing.T, s subject, r verify.Request) bool {
		v := twilio.NewRequestValidator(s.secret)
		return v.ValidateBody(s.cfg.URL, r.Body, r.Header["x-twilio-signature"])
	}},
}

func svixAccepts(_ *testing.T, s subject, r verify.Request) bool {
	return resend.NewClient("").Webhooks.Verify(&resend.VerifyWebhookOptions{
		Payload: string(r.Body), WebhookSecret: s.secret,
		Headers: resend.WebhookHeaders{
			Id: r.Header["svix-id"], Timestamp: r.Header["svix-timestamp"],
			Signature: r.Header["svix-signature"],
		},
	}) == nil
}

func standardOf(t *testing.T, s subject) *standardwebhooks.Webhook {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(s.secret)
	must(t, err)
	return w
}

// overHTTP returns r as net/http passes it to a handler.
func overHTTP(t *testing.T, r verify.Request) *http.Request {
	t.Helper()
	got := httptest.NewRequestWithContext(
		t.Context(), http.MethodPost, "/", bytes.NewReader(r.Body),
	)
	for name, value := range r.Header {
		got.Header.Set(name, value)
	}
	return got
}

// TestVendorsAgree checks Sign's requests, and each body that differs from them in one bit, with
// the vendor's own package. If that package can sign, it also checks its signatures with Verify.
// The packages use the wall clock, which is the bubble's.
func TestVendorsAgree(t *testing.T) {
	t.Parallel()
	for provider, vendor := range vendors {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, provider)
			synctest.Test(t, func(t *testing.T) {
				r, err := s.verifier.Sign(s.webhook, time.Now())
				must(t, err)
				if !vendor.accepts(t, s, r) {
					t.Fatalf("the vendor refuses what Sign makes: %q", r.Header)
				}
				for i := range len(r.Body) * 8 {
					flipped := r
					flipped.Body = bytes.Clone(r.Body)
					flipped.Body[i/8] ^= 1 << (i % 8)
					theirs, ours := vendor.accepts(t, s, flipped), s.accepts(t, flipped) == nil
					// Twilio signs the fields of a form
					if theirs != ours || ours && provider != "twilio" {
						t.Errorf(
							"bit %d of the body flipped: accepted by the vendor %v, by Verify %v",
							i, theirs, ours,
						)
					}
				}
				if vendor.signs == nil {
					return
				}
				r.Header = vendor.signs(t, s, time.Now())
				if err := s.accepts(t, r); err != nil {
					t.Errorf("Verify refuses what the vendor signs: %v", err)
				}
			})
		})
	}
}
