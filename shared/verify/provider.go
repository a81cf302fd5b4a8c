package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// provider is one entry of the table: how its webhooks prove themselves, and where they say what they are.
type provider struct {
	scheme scheme
	ids    []Locator // the first that is there is the delivery id
	types  []Locator // joined by "." up to the first that is not there; only the first may be a header
	form   string    // the field that holds the JSON, where the provider also sends it as a form
}

// describedProvider is the one whose scheme is in the configuration.
const describedProvider = "hmac"

// providers holds every known provider by its name in the configuration. The origin of each is the provider's own
// documentation.
var providers = map[string]provider{
	"bearer": {
		scheme: bearer{},
		ids:    []Locator{{Header: "webhook-id"}, {Header: "idempotency-key"}},
		types:  []Locator{{Header: "webhook-type"}},
	},
	"github": {
		scheme: signed{HMAC: HMAC{Header: "x-hub-signature-256", Prefix: "sha256="}},
		ids:    []Locator{{Header: "x-github-delivery"}},
		types:  []Locator{{Header: "x-github-event"}, {JSON: "action"}},
		form:   "payload",
	},
	describedProvider: {},
	"none":            {scheme: unsigned{}},
	"standard-webhooks": {
		scheme: signed{
			HMAC: HMAC{Header: "webhook-signature", Encoding: "base64", Payload: "{id}.{timestamp}.{body}",
				IDHeader: "webhook-id", TimestampHeader: "webhook-timestamp"},
			layout: layout{separator: " ", equals: ",", signature: "v1"},
			key:    standardKey,
		},
		ids:   []Locator{{Header: "webhook-id"}},
		types: []Locator{{JSON: "type"}},
	},
	"stripe": { // the key is the whole secret, its whsec_ included
		scheme: signed{
			HMAC:   HMAC{Header: "stripe-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"},
		},
		ids:   []Locator{{JSON: "id"}},
		types: []Locator{{JSON: "type"}},
	},
}

// Providers returns the names of all providers, sorted.
func Providers() []string { return slices.Sorted(maps.Keys(providers)) }

// standardKey reads a secret as Standard Webhooks writes it: whsec_ and the key in base64. The prefix may be left out, as the
// standard's own libraries have it; the bounds are the standard's.
func standardKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, errors.New("is not whsec_ followed by base64; copy the secret as the provider shows it")
	}
	if n := len(key); n < 24 || n > 64 {
		return nil, fmt.Errorf("decodes to %d bytes; Standard Webhooks wants 24 to 64", n)
	}
	return key, nil
}
