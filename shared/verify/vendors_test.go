package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
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

	"webhook-relay/shared/verify"
)

// vendors are the Go packages that providers publish, or that their documentation names, for those who receive their webhooks.
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
		ok, err := sendgrid.VerifySignature(key, r.Body, h.Get(sendgrid.VerificationHTTPHeader), h.Get(sendgrid.TimestampHTTPHeader))
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
			return verify.Header{"webhook-id": "msg-1", "webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": signature}
		},
	},
	"stripe": {
		accepts: func(_ *testing.T, s subject, r verify.Request) bool {
			return stripe.ValidatePayload(r.Body, r.Header["stripe-signature"], s.secret) == nil
		},
		signs: func(_ *testing.T, s subject, at time.Time) verify.Header {
			signed := stripe.GenerateTestSignedPayload(&stripe.UnsignedPayload{Payload: s.webhook.Body, Secret: s.secret, Timestamp: at})
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
		Headers: resend.WebhookHeaders{Id: r.Header["svix-id"], Timestamp: r.Header["svix-timestamp"], Signature: r.Header["svix-signature"]},
	}) == nil
}

func standardOf(t *testing.T, s subject) *standardwebhooks.Webhook {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(s.secret)
	must(t, err)
	return w
}

// overHTTP is r as net/http hands it to a handler.
func overHTTP(t *testing.T, r verify.Request) *http.Request {
	t.Helper()
	got := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(r.Body))
	for name, value := range r.Header {
		got.Header.Set(name, value)
	}
	return got
}

// TestVendorsAgree holds what Sign makes, and each body that is one bit away from it, against the vendor's own package; and what that package
// signs, where it can, against Verify. The packages go by the wall clock, which is the bubble's.
func TestVendorsAgree(t *testing.T) {
	t.Parallel()
	for provider, vendor := range vendors {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, verify.Config{Provider: provider}, "current")
			synctest.Test(t, func(t *testing.T) {
				r := request(t, s.verifier, s.webhook, time.Now())
				if !vendor.accepts(t, s, r) {
					t.Fatalf("the vendor refuses what Sign makes: %q", r.Header)
				}
				for i := range len(r.Body) * 8 {
					flipped := r
					flipped.Body = flip(r.Body, i)
					theirs, ours := vendor.accepts(t, s, flipped), s.verify(flipped) == nil
					if theirs != ours || ours && !slices.Contains(partlySigned, provider) {
						t.Errorf("bit %d of the body flipped: accepted by the vendor %v, by Verify %v", i, theirs, ours)
					}
				}
				if vendor.signs == nil {
					return
				}
				r.Header = vendor.signs(t, s, time.Now())
				if err := s.verify(r); err != nil {
					t.Errorf("Verify refuses what the vendor signs: %v", err)
				}
			})
		})
	}
}
