package conformance

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/relay"
)

// patience is how long a suite waits for something that must happen.
const patience = 30 * time.Second

// sameRecord compares records. An adapter may return an empty slice or map instead of nil.
var sameRecord = cmpopts.EquateEmpty()

// binary returns every byte value, including NUL and invalid UTF-8.
func binary() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// eventID returns an event id that is always the same for a name.
func eventID(name string) string { return relay.EventID("", "conformance", name) }

// now returns the current time with the precision of records.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// later returns a time of expiry that no test reaches.
func later() time.Time { return now().Add(time.Hour).Truncate(time.Second) }

// equal ends the test if got differs from want.
func equal(t *testing.T, what string, want, got any, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		if len(diff) > 4000 {
			diff = diff[:4000] + "\n…"
		}
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// must ends the test if err is not nil.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// atOnce runs f n times concurrently and returns the results.
func atOnce[R any](n int, f func(i int) R) []R {
	results := make([]R, n)
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			results[i] = f(i)
		})
	}
	close(start)
	running.Wait()
	return results
}

// jsonText returns a JSON string with a total length of n bytes.
func jsonText(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
