package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

func TestFlowStyleIsReadAsBlockStyleIs(t *testing.T) {
	t.Parallel()
	want := catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "s", Secrets: []string{"gh-secret"}, Verify: verify.Config{Provider: "github"}},
			{
				Name: "t", Secrets: []string{"user:password"},
				Verify: verify.Config{Provider: "basic"},
			},
		},
		Endpoints: []catalog.Endpoint{
			{
				Name: "e", URL: "https://e.example.com:8443/a?b=c:d",
				Header: map[string]string{"x-env": "a:b"},
			},
		},
		Subscriptions: []catalog.Subscription{
			{
				Name: "s-e", Source: "s", Endpoint: "e", Types: []string{"a:b"},
				Filter: `{"data":{"a":["c:d"]}}`,
			},
		},
	}
	for name, text := range map[string]string{
		"flow": `
sources: [{name: s, provider: github, secrets: [env:GITHUB_SECRET]}, {name: t, provider: basic, secrets: [user:password]}]
endpoints: [{name: e, url: https://e.example.com:8443/a?b=c:d, headers: {X-Env: a:b}}]
subscriptions: [{source: s, endpoint: e, types: [a:b], filter: {data: {a: [c:d]}}}]`,
		"flow in a list of lines": `
sources:
  - {name: s, provider: github, secrets: [env:GITHUB_SECRET]}
  - {name: t, provider: basic, secrets: [user:password]}
endpoints:
  - {name: e, url: https://e.example.com:8443/a?b=c:d, headers: {X-Env: a:b}}
subscriptions:
  - {source: s, endpoint: e, types: [a:b], filter: {data: {a: [c:d]}}}`,
		"block": `
sources:
  - name: s
    provider: github
    secrets:
      - env:GITHUB_SECRET
  - name: t
    provider: basic
    secrets:
      - user:password
endpoints:
  - name: e
    url: https://e.example.com:8443/a?b=c:d
    headers:
      X-Env: a:b
subscriptions:
  - source: s
    endpoint: e
    types:
      - a:b
    filter:
      data:
        a:
          - c:d`,
		"with a byte order mark": "\ufeff" + `
sources: [{name: s, provider: github, secrets: [env:GITHUB_SECRET]}, {name: t, provider: basic, secrets: ["user:password"]}]
endpoints: [{name: e, url: "https://e.example.com:8443/a?b=c:d", headers: {X-Env: "a:b"}}]
subscriptions: [{source: s, endpoint: e, types: ["a:b"], filter: {data: {a: ["c:d"]}}}]`,
		"with references": `
sources:
  - &s {name: s, provider: github, secrets: [env:GITHUB_SECRET]}
  - {<<: *s, name: t, provider: basic, secrets: [user:password]}
endpoints: [{name: e, url: &url https://e.example.com:8443/a?b=c:d, headers: {X-Env: &type a:b}}]
subscriptions: [{source: s, endpoint: e, types: [*type], filter: {data: {a: [c:d]}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Parse("relay.yaml", []byte(text), lookup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A second document must not be ignored silently: whatever only it names would then be deleted from
// the catalog.
func TestASecondDocumentIsRefused(t *testing.T) {
	t.Parallel()
	const first = "sources:\n  - {name: s, provider: none}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"another": {
			first + "---\nendpoints:\n  - {name: e, url: https://e.example.com}\n",
			"relay.yaml:3: a second document begins",
		},
		"an empty one":           {first + "---\n", "relay.yaml:3: a second document begins"},
		"one that is no YAML":    {first + "---\n[\n", "relay.yaml:5: "},
		"one that is all dashes": {"---\n---\n" + first, "relay.yaml:2: a second document begins"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Parse("relay.yaml", []byte(tt.text), lookup)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.want) ||
				!cmp.Equal(got, catalog.Catalog{}) {
				t.Errorf("got %v, %+v\nwant %s", err, got, tt.want)
			}
		})
	}
	for _, text := range []string{
		"---\n" + first, first + "...\n", "---\n" + first + "...\n# the end\n",
	} {
		if got, err := config.Parse("relay.yaml", []byte(text), lookup); err != nil ||
			len(got.Sources) != 1 {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestAValueOfTheWrongKindIsSaidWithLineAndKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ line, want string }{
		"duration without unit": {
			"timeout: 15", `endpoints[0].timeout: is not a duration such as 15s or 5m`,
		},
		"duration of no unit": {
			"retry: {schedule: [5s, 5 minutes]}",
			`endpoints[0].retry.schedule[1]: is not a duration such as 15s or 5m`,
		},
		"duration that is a map": {
			"timeout: {seconds: 15}", `endpoints[0].timeout: is not a duration such as 15s or 5m`,
		},
		"one in place of a list": {
			"secrets: hunter2", "endpoints[0].secrets: is not a list such as [a, b]",
		},
		"list in place of one": {
			"rate_limit: [hunter2]", "endpoints[0].rate_limit: is not a single value",
		},
		"map in place of one": {
			"prove: {ping: true}", "endpoints[0].prove: is not a single value",
		},
		"one in place of a map": {
			"headers: hunter2", "endpoints[0].headers: is not a map such as {key: value}",
		},
		"one in place of keys": {
			"retry: 5s",
			"endpoints[0].retry: is not a map; its keys are schedule, exponential, max_age, final",
		},
		"word in place of a number": {
			"concurrency: many", "endpoints[0].concurrency: is not a whole number",
		},
		"part of a number": {
			"concurrency: 1.5", "endpoints[0].concurrency: is not a whole number",
		},
		"factor of a word": {
			"retry: {exponential: {factor: double}}",
			"endpoints[0].retry.exponential.factor: is not a number",
		},
		"word in place of yes": {
			"ordered: perhaps", "endpoints[0].ordered: is neither true nor false",
		},
		"unknown key": {
			"retry: {shedule: [5s]}",
			`endpoints[0].retry.shedule: is not a known key; the keys here are schedule, exponential, max_age, final`,
		},
		"unknown key of order": {
			"ordered: {on: true}",
			`endpoints[0].ordered.on: is not a known key; the keys here are key`,
		},
		"key given twice": {
			"headers: {a: b, a: hunter2}",
			"endpoints[0].headers.a: is given twice, first on line 4",
		},
		"key of two lines": {
			`headers: {"a\nhunter: 1": b}`,
			`endpoints[0].headers.a\nhunter: 1: is not a valid header name`,
		},
		"key that is a list": {
			"headers: {[a]: b}", "endpoints[0].headers: has a key that is not a single value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseEndpoint(tt.line)
			if !errors.Is(err, config.ErrInvalid) ||
				!strings.Contains(err.Error(), "relay.yaml:4: "+tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// A merged map is checked where it is defined.
func TestAMergeThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a map of other keys": "sources:\n  - &s {name: s, provider: none}\nendpoints:\n  - {<<: *s, name: e}\n",
		"other kinds":         "endpoints:\n  - name: e\n    url: https://e.example.com\n    <<: {secrets: hunter2}\n",
		"itself":              "endpoints:\n  - &e {name: e, <<: *e}\n",
		"no map":              "endpoints:\n  - {name: e, <<: hunter2}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("relay.yaml", []byte(text), lookup)
			if !errors.Is(err, config.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAllValuesOfTheWrongKindAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parseEndpoint("timeout: 15", "secrets: x", "nonsense: true")
	if err == nil || strings.Count(err.Error(), "\nrelay.yaml:") != 3 {
		t.Errorf("got %v", err)
	}
}
