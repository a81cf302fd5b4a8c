package verify_test

import (
	"errors"
	"net/url"
	"testing"

	"webhook-relay/shared/verify"
)

// If a provider signs all customers' webhooks with one key, another customer's webhooks are refused
// although they are genuine.
func TestVerify_TakesTheOperatorsOwnWebhooksAlone(t *testing.T) {
	t.Parallel()
	for provider, c := range map[string]struct {
		setting, own string
		body         func(name string) []byte
	}{
		"circle": {"subscription_ids", "sub-1", func(name string) []byte {
			return []byte(`{"subscriptionId":"` + name + `"}`)
		}},
		"fireblocks": {"workspace_ids", "ws-1", func(name string) []byte {
			return []byte(`{"workspaceId":"` + name + `"}`)
		}},
		"wise": {"subscription_ids", "sub-1", func(name string) []byte {
			return []byte(`{"subscription_id":"` + name + `"}`)
		}},
		"travis-ci": {"repositories", "own", func(name string) []byte {
			return []byte("payload=" + url.QueryEscape(
				`{"repository":{"owner_name":"`+name+`","name":"web"}}`,
			))
		}},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			cfg, secret, signing := exampleOf(t, provider, "current")
			var secrets []string
			if secret != "" {
				secrets = []string{secret}
			}
			mine, theirs := cfg, cfg
			taken := func(name string) map[string]string {
				settings := map[string]string{}
				for k, v := range cfg.Settings {
					settings[k] = v
				}
				if settings[c.setting] = name; provider == "travis-ci" {
					settings[c.setting] = name + "/web"
				}
				return settings
			}
			mine.Settings, theirs.Settings = taken("other, "+c.own), taken("stranger")
			if provider == "travis-ci" {
				mine.Settings[c.setting] = "other/web, " + c.own + "/web"
			}
			v, err := verify.New(mine, secrets, verify.SignWith(signing))
			must(t, err)
			stranger, err := verify.New(theirs, secrets, verify.SignWith(signing))
			must(t, err)
			own, err := v.Sign(verify.Webhook{Body: c.body(c.own)}, signedAt)
			must(t, err)
			if _, err := v.Verify(t.Context(), own); err != nil {
				t.Errorf("the operator's own: %v", err)
			}
			foreign, err := stranger.Sign(verify.Webhook{Body: c.body("stranger")}, signedAt)
			must(t, err)
			if _, err := v.Verify(t.Context(), foreign); !errors.Is(err, verify.ErrMismatch) {
				t.Errorf("a stranger's: %v", err)
			}
			for _, settings := range []map[string]string{taken(""), taken(" , ")} {
				delete(cfg.Settings, c.setting)
				none := cfg
				if settings[c.setting] == "" || settings[c.setting] == "/web" {
					settings[c.setting] = " "
				}
				none.Settings = settings
				if provider == "travis-ci" {
					none.Settings[c.setting] = ", ,"
				}
				if _, err := verify.New(none, secrets); !errors.Is(err, verify.ErrConfig) {
					t.Errorf("nothing is taken: %v", err)
				}
			}
		})
	}
}

func TestVerify_NoIDWhereItIsTheReplayGuard(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "mailgun"}, bodyKey)
	for name, body := range map[string]string{
		"a comment": `{"signature":{"timestamp":"1700000000","token":/*x*/"a","signature":"` +
			hexHMAC(bodyKey, "1700000000a") + `"}}`,
		"the token twice": `{"signature":{"timestamp":"1700000000","token":"a","token":"a","signature":"` + hexHMAC(bodyKey, "1700000000a") + `"}}`,
		"another case":    `{"signature":{"timestamp":"1700000000","token":"a","Token":"b","signature":"` + hexHMAC(bodyKey, "1700000000a") + `"}}`,
	} {
		if got, err := v.Verify(
			t.Context(), verify.Request{Body: []byte(body), ReceivedAt: signedAt},
		); !errors.Is(err, verify.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestVerify_MercadoPagoTellsOfTheSignedResourceAlone(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, verify.Config{Provider: "mercado-pago"}, bodyKey)
	signed, err := v.Sign(
		verify.Webhook{Body: []byte(`{"id":1,"data":{"id":"ORD01"}}`), DeliveryID: "req-1"},
		signedAt,
	)
	must(t, err)
	if got, err := v.Verify(t.Context(), signed); err != nil || got.DeliveryID != "req-1" {
		t.Errorf("as signed: %+v, %v", got, err)
	}
	for name, body := range map[string]string{
		"another":         `{"data":{"id":"ORD02"}}`,
		"two":             `{"data":{"id":"ORD01","id":"ORD02"}}`,
		"two objects":     `{"data":{"id":"ORD01"},"data":{"id":"ORD02"}}`,
		"another case":    `{"data":{"id":"ORD01"},"Data":{"id":"ORD02"}}`,
		"an escaped name": `{"data":{"id":"ORD01","\u0069d":"ORD02"}}`,
		"a comment":       `{"data":{/*"id":"ORD01",*/"id":"ORD02"}}`,
	} {
		r := signed
		r.Body = []byte(body)
		if _, err := v.Verify(t.Context(), r); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
