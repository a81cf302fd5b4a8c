package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTransforms delivers through the command itself, whose process also runs the jq process: a
// program, a hostile one, and a preset.
func TestTransforms(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]string{}
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] += string(body)
	}))
	t.Cleanup(target.Close)
	config := `
sources:
  - {name: app, provider: bearer, secrets: [token]}
endpoints:
  - {name: jq, url: ` + target.URL + `/jq}
  - {name: hostile, url: ` + target.URL + `/hostile}
  - {name: teams, url: ` + target.URL + `/teams}
subscriptions:
  - {source: app, endpoint: jq, send: {jq: ".data | {n: .id}"}}
  - {source: app, endpoint: hostile, send: {jq: "last(repeat(.))"}}
  - {source: app, endpoint: teams, send: {preset: teams, text: "*{data.id}*"}}
`
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir, "--config", writeFile(t, "relay.yaml", config))
	for _, id := range []string{"1", "2", "3"} {
		if _, err := postTo(t.Context(), http.DefaultClient, addr, id); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(path string) string {
		mu.Lock()
		defer mu.Unlock()
		return got[path]
	}
	eventually(t, "all delivered", func() bool {
		return len(seen("/jq")) == 3*len(`{"n":"1"}`) && strings.Count(seen("/teams"), `"*`) == 3
	})
	var each []string
	for part := range strings.SplitSeq(seen("/jq"), "}") {
		each = append(each, part)
	}
	slices.Sort(each)
	if diff := cmp.Diff([]string{"", `{"n":"1"`, `{"n":"2"`, `{"n":"3"`}, each); diff != "" {
		t.Error(diff)
	}
	eventually(t, "the hostile one is dead", func() bool {
		out, err := command(
			t.Context(), "deliveries", "--endpoint", "hostile", "--reason", "transform", "--data",
			dir,
		).CombinedOutput()
		return err == nil && strings.Count(string(out), "dead, transform") == 3 &&
			strings.Contains(string(out), "the jq program takes more than")
	})
	if seen("/hostile") != "" {
		t.Errorf("the hostile program sent %s", seen("/hostile"))
	}
}
