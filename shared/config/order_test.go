package config_test

import (
	"errors"
	"strings"
	"testing"

	"webhook-relay/shared/config"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/catalog"
)

func TestOrdered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line string
		want catalog.Order
	}{
		"nothing said": {"headers: {}", catalog.Order{}},
		"not":          {"ordered: false", catalog.Order{}},
		"all":          {"ordered: true", catalog.Order{On: true}},
		"by a key": {
			"ordered: {key: data.account.id}", catalog.Order{On: true, Key: "data.account.id"},
		},
		"by a member": {"ordered: {key: id}", catalog.Order{On: true, Key: "id"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseEndpoint(tt.line)
			if err != nil || got.Order != tt.want {
				t.Errorf("got %+v, %v; want %+v", got.Order, err, tt.want)
			}
		})
	}
}

func TestOrderedWronglyIsRefused(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"ordered: perhaps", "ordered: []", "ordered: {keys: id}", `ordered: {key: ""}`,
		"ordered: {key: data..id}", "ordered: {key: .id}",
		"ordered: {key: " + strings.Repeat("x", 300) + "}",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			if got, err := parseEndpoint(line); !errors.Is(err, config.ErrInvalid) ||
				!strings.Contains(err.Error(), "relay.yaml:4") {
				t.Errorf("got %+v, %v", got.Order, err)
			}
		})
	}
}

func TestSourcesAndSubscriptionsKnowTheOrderOfTheirEndpoints(t *testing.T) {
	t.Parallel()
	const file = `
sources:
  - {name: one-key, provider: none}
  - {name: two-keys, provider: none}
  - {name: without, provider: none}
endpoints:
  - {name: plain, url: "https://e.example.com"}
  - {name: by-a, url: "https://e.example.com", ordered: {key: a}}
  - {name: by-b, url: "https://e.example.com", ordered: {key: b}}
subscriptions:
  - {source: one-key, endpoint: plain}
  - {source: one-key, endpoint: by-a}
  - {source: one-key, endpoint: by-a, types: [x]}
  - {source: two-keys, endpoint: by-a}
  - {source: two-keys, endpoint: plain}
  - {source: two-keys, endpoint: by-b}
  - {source: without, endpoint: plain}
  - {source: relay, endpoint: by-a}
`
	c, err := config.Parse("relay.yaml", []byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	var store memory.Catalog
	if err := store.ReplaceCatalog(t.Context(), c, 0); err != nil {
		t.Fatal(err)
	}
	state, err := store.State(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	byEndpoint := map[string]catalog.Order{
		"plain": {}, "by-a": {On: true, Key: "a"}, "by-b": {On: true, Key: "b"},
	}
	for source, want := range map[string]catalog.Order{
		"one-key": {On: true, Key: "a"}, "two-keys": {On: true}, "without": {},
	} {
		subs, err := catalog.SubscriptionsTo(t.Context(), &store, state, "", source)
		if got := catalog.OrderOf(subs); err != nil || got != want {
			t.Errorf("source %s has %+v, %v, want %+v", source, got, err, want)
		}
		for _, s := range subs {
			if s.Order != byEndpoint[s.Endpoint] {
				t.Errorf("subscription of %s to %s has %+v", s.Source, s.Endpoint, s.Order)
			}
		}
	}
}
