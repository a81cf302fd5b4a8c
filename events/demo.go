package events

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for demo.yaml
	"os"
	"slices"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/verify"
)

//go:embed demo.yaml
var demoConfig []byte

// What the demonstration's host must know of its configuration.
const (
	DemoEndpointPath   = "/demo/endpoint"                                 // path of the endpoint's URL
	DemoEndpointSecret = "whsec_ZGVtby1lbmRwb2ludC1kZW1vLWVuZHBvaW50LTAx" //nolint:gosec // public: signs what the endpoint gets
)

// DemoConfig returns the configuration of demo.yaml.
func DemoConfig() (relay.Catalog, error) {
	return config.Parse("events/demo.yaml", demoConfig, os.LookupEnv)
}

// Demo returns the demonstration's configuration: that of demo.yaml, and for each provider that has no source there one of the provider's
// name, which the same endpoint gets.
func Demo() (relay.Catalog, error) {
	catalog, err := DemoConfig()
	if err != nil {
		return relay.Catalog{}, err
	}
	named := len(catalog.Sources)
	for _, provider := range verify.Providers() {
		if slices.ContainsFunc(catalog.Sources[:named], func(s relay.Source) bool { return s.Verify.Provider == provider }) {
			continue
		}
		s, _, err := demoSource(provider)
		if err != nil {
			return relay.Catalog{}, err
		}
		catalog.Sources = append(catalog.Sources, s)
		catalog.Subscriptions = append(catalog.Subscriptions, relay.Subscription{Source: s.Name, Endpoint: catalog.Endpoints[0].Name})
	}
	return catalog, nil
}

// DemoSource returns the source that Demo has for a provider, and the key for verify.SignWith, "" where the secret itself signs.
func DemoSource(provider string) (s relay.Source, signing string, err error) {
	catalog, err := DemoConfig()
	if err != nil {
		return relay.Source{}, "", err
	}
	for _, s := range catalog.Sources {
		if s.Verify.Provider == provider {
			return s, "", nil
		}
	}
	return demoSource(provider)
}

// demoSource makes a source with the same public keys each time.
func demoSource(provider string) (relay.Source, string, error) {
	seed := sha256.Sum256([]byte("demonstration " + provider))
	cfg, secret, signing, err := verify.Example(provider, bytes.NewReader(seed[:]))
	s := relay.Source{Name: provider, Verify: cfg}
	if secret != "" {
		s.Secrets = []string{secret}
	}
	return s, signing, err
}
