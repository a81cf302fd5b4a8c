package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A route without a throttle of its own gets little; a throttle of a route that is not there, or
// not yet, fails the deployment.
func TestEachRouteIsThrottled(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	routes := map[string]string{} // logical id, by route key
	tmpl.each(t, "AWS::ApiGatewayV2::Route", func(t *testing.T, id string, r resource) {
		key, _ := r.get("RouteKey").(string)
		routes[key] = id
	})
	tmpl.each(t, "AWS::ApiGatewayV2::Stage", func(t *testing.T, _ string, r resource) {
		want := map[string]any{
			"ANY /in/{source}": map[string]any{
				"ThrottlingRateLimit": 1000.0, "ThrottlingBurstLimit": 1000.0,
			},
			"ANY /in/{tenant}/{source}": map[string]any{
				"ThrottlingRateLimit": 1000.0, "ThrottlingBurstLimit": 1000.0,
			},
		}
		if diff := cmp.Diff(want, r.get("RouteSettings")); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
		want = map[string]any{"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 40.0}
		if diff := cmp.Diff(want, r.get("DefaultRouteSettings")); diff != "" {
			t.Errorf("other routes (-want +got):\n%s", diff)
		}
		for key := range r.get("RouteSettings").(map[string]any) {
			if !slices.Contains(r.DependsOn, routes[key]) {
				t.Errorf("the stage does not wait for the route %s, only for %v", key, r.DependsOn)
			}
		}
	})
}

// /v1, /console, /portal and /health are the operator's: no route of partners reaches them, whatever
// a source is called.
func TestNoSourceCanTakeAReservedPath(t *testing.T) {
	t.Parallel()
	defaults(t).each(t, "AWS::ApiGatewayV2::Route", func(t *testing.T, _ string, r resource) {
		key, _ := r.get("RouteKey").(string)
		_, path, _ := strings.Cut(key, " ")
		switch key { // the API and the console themselves
		case "ANY /v1/{proxy+}", "ANY /console", "ANY /console/{proxy+}",
			"ANY /portal/{proxy+}":
			return
		}
		// the first is empty: a path begins with a slash, and $default does not
		segments := strings.Split(path, "/")
		if len(segments) < 2 || segments[0] != "" || strings.ContainsAny(segments[1], "{}+$") ||
			strings.Contains(path, "+}") {
			t.Fatalf("route %q catches paths that it does not name", key)
		}
		if slices.Contains([]string{"", "v1", "console", "portal", "health"}, segments[1]) {
			t.Errorf("route %q is at a reserved path", key)
		}
	})
}

// What the relay calls itself towards endpoints is the name by which partners know it.
func TestOriginIsTheIngressHost(t *testing.T) {
	t.Parallel()
	for want, tmpl := range map[string]template{
		"{Ingress}.execute-api.{AWS::Region}.{AWS::URLSuffix}": defaults(t),
		"hooks.example.com": whole(t),
	} {
		tmpl.each(t, "AWS::Lambda::Function", func(t *testing.T, id string, r resource) {
			if got := render(r.get(
				"Environment", "Variables", "RELAY_ORIGIN",
			)); name(id) == "Deliver" && got != want {
				t.Errorf("origin %s, want %s", got, want)
			}
		})
	}
}
