package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
)

// TestAnOrderIsKept lets the first of three webhooks fail twice, at an endpoint with ordered
// delivery.
func TestAnOrderIsKept(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	target := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("webhook-id")+" "+r.Header.Get(relay.HeaderAttempt))
		if len(got) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	config := strings.Replace(configFor(target.URL), "timeout: 2s", "ordered: true", 1)
	addr, _ := startLocal(t, "--data", t.TempDir(), "--config", writeFile(t, "relay.yaml", config))
	var events []string
	for i := range 3 {
		event, err := postTo(t.Context(), http.DefaultClient, addr, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	seen := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
	eventually(t, "all delivered", func() bool { return len(seen()) == 5 })
	want := []string{
		events[0] + " 1", events[0] + " 2", events[0] + " 3", events[1] + " 1", events[2] + " 1",
	}
	if diff := cmp.Diff(want, seen()); diff != "" {
		t.Errorf("POSTs (-want +got):\n%s", diff)
	}
}
