package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
)

// TestExpect: how long a source may be silent is read and exported. What the hourly sweep cannot
// hold, or what is longer than events are kept, is refused.
func TestExpect(t *testing.T) {
	t.Parallel()
	file := func(value string) []byte {
		return []byte("sources:\n  - {name: shop, provider: none, expect: " + value + "}\n")
	}
	for value, want := range map[string]time.Duration{
		"1h": time.Hour, "90m": 90 * time.Minute, "720h": 720 * time.Hour,
	} {
		cat, err := config.Parse("relay.yaml", file(value), nil)
		if err != nil || cat.Sources[0].Expect != want {
			t.Errorf("%s: %+v, %v", value, cat.Sources, err)
			continue
		}
		exported, err := config.Export(cat, access.Tenant{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := config.Parse("relay.yaml", exported, nil)
		if err != nil || again.Sources[0].Expect != want {
			t.Errorf("%s exported: %s: %v", value, exported, err)
		}
	}
	for value, want := range map[string]string{
		"59m":  "relay.yaml:2: sources[0].expect: 59m is not between 1h and 720h",
		"0s":   "sources[0].expect: 0s is not between",
		"721h": "sources[0].expect: 721h is not between",
		"day":  "sources[0].expect",
	} {
		_, err := config.Parse("relay.yaml", file(value), nil)
		if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
}
