package verify_test

import (
	"slices"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// TestEveryProvider_CarriesItsProofInCredentials checks the table against the one list of headers
// that are not stored.
func TestEveryProvider_CarriesItsProofInCredentials(t *testing.T) {
	t.Parallel()
	for _, name := range verify.Providers() {
		cfg, secret, signing := exampleOf(t, name, "current")
		var secrets []string
		if secret != "" {
			secrets = []string{secret}
		}
		v, err := verify.New(cfg, secrets, verify.SignWith(signing))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, header := range v.SignatureHeaders() {
			named := cfg.HMAC != nil || cfg.Settings["header"] != "" // by the operator
			if !verify.IsCredential(header) && !named {
				t.Errorf("%s: the proof's header %s is not known as a credential", name, header)
			}
		}
		d, _ := verify.Describe(name)
		for _, l := range slices.Concat(
			d.DeliveryIDs, d.EventType, []verify.Locator{d.OrEventType},
		) {
			if l.Header != "" && verify.IsCredential(strings.ToLower(l.Header)) {
				t.Errorf(
					"%s: %s holds an id or a type, and would be dropped as a credential", name,
					l.Header,
				)
			}
		}
	}
}

func TestIsCredential(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"authorization": true, "proxy-authorization": true, "x-authorization": true,
		"www-authenticate": true, "authentication-info": true,
		"cookie": true, "set-cookie": true, "cookie2": true, "x-api-key": true, "apikey": true,
		"api_key": true, "x-auth-token": true,
		"x-access-token": true, "private-token": true, "x-gitlab-token": true,
		"x-amz-security-token": true, "x-csrf-token": true,
		"x-xsrf-token": true, "csrftoken": true, "x-shared-secret": true, "x-webhook-secret": true,
		"x-hook-secret": true,
		"x-access-key":  true, "ocp-apim-subscription-key": true, "x-functions-key": true,
		"x-goog-iap-jwt-assertion": true,
		"cf-access-jwt-assertion":  true, "x-amzn-oidc-data": true, "dpop": true,
		"x-client-cert": true, "x-sig": true, "x-password": true,
		"x-vault-token": true, "x-telegram-bot-api-secret-token": true, "verif-hash": true,
		"x-trello-webhook": true, "hmacsignature": true,
		"x-auth": true, "x-hub-signature-256": true, "x-shopify-hmac-sha256": true,

		"content-type": false, "x-github-event": false, "x-github-delivery": false,
		"idempotency-key": false, "x-event-key": false,
		"i-twilio-idempotency-token": false, "x-request-id": false, "x-shopify-topic": false,
		"x-stripe-event": false, "ce-id": false,
		"baggage": false, "x-author": false, "x-signal": false, "x-macro": false,
		"x-keyword": false, "x-custom": false,
	} {
		if got := verify.IsCredential(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
