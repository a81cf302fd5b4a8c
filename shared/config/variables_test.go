package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":     nil,
		"a: [": nil,
		`
sources:
  - {name: a, provider: github, secrets: [env:B, "env:A"]}
  - name: b
    secrets: &shared [env:C]
  - {name: c, secrets: *shared}
endpoints:
  - {name: e, headers: {X-Env: env:D, X-Other: an env:E in it}, auth: {bearer: 'env:A'}}
subscriptions:
  - {source: a, endpoint: e, filter: {data: {env: ["env:F"]}}, send: {template: {a: env:G}}}
`: {"A", "B", "C", "D"},
	} {
		if diff := cmp.Diff(want, config.Variables([]byte(text))); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", text, diff)
		}
	}
}
