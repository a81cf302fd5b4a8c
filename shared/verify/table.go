package verify

import (
	"cmp"
	"slices"
)

// providers is the table of all known providers, sorted by name. An entry is static data, so that a hundred of them cost a function's
// start nothing. The origin of each is the page that docs names.
var providers = slices.SortedFunc(slices.Values(slices.Concat(tableOwn)), func(a, b provider) int { return cmp.Compare(a.name, b.name) })

var tableOwn = []provider{
	{
		name: "bearer", title: "your own application", docs: "https://datatracker.ietf.org/doc/html/rfc6750",
		secret: "any token of letters, digits and -._~+/=, of your own making", scheme: token{header: authorization, prefix: "Bearer "},
		ids:      []Locator{{Header: "webhook-id"}, {Header: "idempotency-key"}},
		types:    []Locator{{Header: "webhook-type"}},
		examples: []string{"order.created"},
	},
	{
		name: "github", title: "GitHub", docs: "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
		secret:   "Secret (Settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-hub-signature-256", Prefix: "sha256="}},
		ids:      []Locator{{Header: "x-github-delivery"}},
		types:    []Locator{{Header: "x-github-event"}, {JSON: "action"}},
		form:     "payload",
		examples: []string{"push", "pull_request.opened", "ping"},
		note:     "GitHub signs neither the delivery id nor the time, and never sends a failed webhook again by itself.",
	},
	{
		name: describedProvider, title: "the sender", secret: "as the sender calls it",
		examples: []string{"customer.updated"},
		note:     "The scheme is described in the configuration, in the block hmac.",
	},
	{name: "none", title: "whoever asks", scheme: unsigned{}, examples: []string{"reading"}, note: "Anybody who knows the URL can send. Use it for tests, or with allowed_ips."},
	{
		name: "standard-webhooks", title: "Standard Webhooks", docs: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
		secret: "Signing secret, whsec_…",
		scheme: signed{
			HMAC: HMAC{Header: "webhook-signature", Encoding: "base64", Payload: "{id}.{timestamp}.{body}", Key: keyStandard,
				IDHeader: "webhook-id", TimestampHeader: "webhook-timestamp"},
			layout: layout{separator: " ", equals: ",", signature: "v1"},
		},
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"user.created"},
	},
	{
		name: "stripe", title: "Stripe", docs: "https://docs.stripe.com/webhooks/signature",
		secret: "Signing secret, whsec_… (Workbench › Webhooks); the key is the whole of it, its prefix included",
		scheme: signed{
			HMAC:   HMAC{Header: "stripe-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"charge.succeeded", "invoice.paid"},
	},
}
