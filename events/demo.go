package events

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for demo.yaml
	"os"
	"slices"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

//go:embed demo.yaml
var demoConfig []byte

// The parts of the demonstration's configuration that its host must know.
const (
	// path in the endpoint's URL
	DemoEndpointPath   = "/demo/endpoint"
	DemoEndpointSecret = "whsec_ZGVtby1lbmRwb2ludC1kZW1vLWVuZHBvaW50LTAx" //nolint:gosec // public: signs what the endpoint gets
)

// DemoConfig returns the configuration in demo.yaml.
func DemoConfig() (catalog.Catalog, error) {
	return config.Parse("events/demo.yaml", demoConfig, os.LookupEnv)
}

// Demo returns the demonstration's configuration. It has the sources of demo.yaml and, for each
// provider without a source there, a source with the provider's name. The same endpoint gets the
// events of all of them.
func Demo() (catalog.Catalog, error) {
	cat, err := DemoConfig()
	if err != nil {
		return catalog.Catalog{}, err
	}
	named := len(cat.Sources)
	for _, provider := range verify.Providers() {
		if slices.ContainsFunc(cat.Sources[:named], func(s catalog.Source) bool {
			return s.Verify.Provider == provider
		}) {
			continue
		}
		s, _, err := demoSource(provider)
		if err != nil {
			return catalog.Catalog{}, err
		}
		cat.Sources = append(cat.Sources, s)
		cat.Subscriptions = append(
			cat.Subscriptions,
			catalog.Subscription{Source: s.Name, Endpoint: cat.Endpoints[0].Name},
		)
	}
	return cat, nil
}

// DemoSource returns Demo's source for a provider, and the key for verify.SignWith. The key is ""
// if the secret itself signs.
func DemoSource(provider string) (s catalog.Source, signing string, err error) {
	cat, err := DemoConfig()
	if err != nil {
		return catalog.Source{}, "", err
	}
	for _, s := range cat.Sources {
		if s.Verify.Provider == provider {
			return s, "", nil
		}
	}
	return demoSource(provider)
}

// demoSource makes a source that has the same public keys each time.
func demoSource(provider string) (catalog.Source, string, error) {
	seed := sha256.Sum256([]byte("demonstration " + provider))
	cfg, secret, signing, err := verify.Example(provider, bytes.NewReader(seed[:]))
	s := catalog.Source{Name: provider, Verify: cfg}
	if secret != "" {
		s.Secrets = []string{secret}
	}
	return s, signing, err
}
