package stack_test

import (
	"strings"
	"testing"

	"webhook-relay/infra/stack"
)

// TestWhoMayListen: in prod nobody, unless that is asked for. Then no role and no function knows
// of listeners.
func TestWhoMayListen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		props stack.Props
		want  bool
	}{
		"dev":                  {stack.Props{Stage: "dev"}, true},
		"dev, turned off":      {stack.Props{Stage: "dev", Listeners: "false"}, false},
		"prod":                 {stack.Props{Stage: "prod"}, false},
		"prod, if asked for":   {stack.Props{Stage: "prod", Listeners: "true"}, true},
		"the longest of names": {stack.Props{Stage: "a-stage-of-20-letter"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl := with(test.props)(t)
			text := string(tmpl.text)
			for _, part := range []string{"-listen-*", "RELAY_LISTEN_PREFIX", `"Listen`} {
				if got := strings.Contains(text, part); got != test.want {
					t.Errorf("%s is there: %t, want %t", part, got, test.want)
				}
			}
			for id := range tmpl.Resources {
				// CloudFormation adds a hyphen and 12 characters, and shortens what is longer than 64.
				full := "webhook-relay-" + test.props.Stage + "-" + id + "-" + strings.Repeat("x", 12)
				if strings.HasPrefix(id, "Listen") && len(full) > 64 {
					t.Errorf("%s has %d characters", full, len(full))
				}
			}
		})
	}
}
