package deployed_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry/metric"
	"webhook-relay/shared/verify"
)

// swept leaves behind two losses, an event without its delivery and a delivery whose retry does not
// come, and fires the sweeper's rule.
func swept(t *testing.T, w *world, now time.Time) {
	w.rewind(t, now)
	large := make([]byte, 8<<10) // it cannot be compressed, and is stored in the bucket
	_, _ = rand.Read(large)      // never fails
	unstarted, overdue := w.leave(t, "unstarted", now, large),
		w.leave(t, "overdue", now, []byte("{}"))
	if err := w.ledger.SaveDelivery(t.Context(), relay.Delivery{
		EventID: overdue.ID, Endpoint: "overdue", ReceivedAt: overdue.ReceivedAt,
		Source: "overdue", Status: relay.Waiting,
		Attempts: 1, Step: 1, MessageID: rand.Text(),
		NextAt: now.Add(
			-2*time.Hour - time.Minute,
		), UpdatedAt: now.Add(-3 * time.Hour), ExpiresAt: now.Add(time.Hour),
		History: []relay.Attempt{
			{Number: 1, At: now.Add(-3 * time.Hour), Outcome: relay.FailedAnswer, StatusCode: 503},
		},
	}, 0); err != nil {
		t.Fatal(err)
	}
	w.watchedSince(t, now.Add(-48*time.Hour))
	w.sweep(
		t, map[string]float64{metric.SweptEvents: 2, metric.LateOrMissing: 2, metric.PutBack: 2},
	)
	w.settled(t, unstarted.ID, "unstarted", relay.Delivered, 1)
	w.settled(t, overdue.ID, "overdue", relay.Delivered, 2)
	eventually(t, "it is told that the source is silent", func() bool {
		return len(w.tellings("overdue", operate.SourceSilent)) == 1
	})
	if got := w.posts("unstarted", unstarted.ID); len(got) != 1 ||
		!bytes.Equal(got[0].body, large) {
		t.Errorf("%d POSTs of the large event", len(got))
	}
}

// nothingIsLate runs the sweeper again over the two events that were old enough then, and expects
// that nothing is missing. By now another hour may have begun.
func (w *world) nothingIsLate(t *testing.T, then time.Time) {
	t.Helper()
	w.rewind(t, then)
	w.sweep(t, map[string]float64{metric.SweptEvents: 2})
}

// watchedSince makes the sweeper believe that it has looked for silent sources since a time.
func (w *world) watchedSince(t *testing.T, since time.Time) {
	t.Helper()
	documents := dynamo.NewDocuments(w.host.Tables, w.host.Outputs["LedgerTable"])
	if _, err := documents.PutDocument(t.Context(), "sources", operate.Document{
		Key: "pulse/", ExpiresAt: since.Add(500 * 24 * time.Hour).Truncate(time.Second),
		Body: []byte(`{"v":1,"since":"` + since.Format(time.RFC3339) + `"}`),
	}, operate.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

// rewind sets the sweeper to the last hour that it searches. A new relay's sweeper begins a day
// earlier and makes as many queries for each hour.
func (w *world) rewind(t *testing.T, now time.Time) {
	t.Helper()
	hour := now.Add(-2 * time.Hour).Truncate(time.Hour).Add(-time.Hour)
	if err := w.ledger.SaveSweepCursor(t.Context(), operate.SweepCursor{Hour: hour}); err != nil {
		t.Fatal(err)
	}
	// The counts of an hour that was begun have a cursor of their own, which is ahead now.
	documents := dynamo.NewDocuments(w.host.Tables, w.host.Outputs["LedgerTable"])
	if err := documents.DeleteDocument(
		t.Context(), "stats-tally", "open", operate.AnyVersion,
	); err != nil {
		t.Fatal(err)
	}
}

// leave records an event of a source for the endpoint with the same name. Its time of receipt is in
// the last hour that the sweeper searches.
func (w *world) leave(t *testing.T, name string, now time.Time, body []byte) relay.Event {
	t.Helper()
	receivedAt := now.Add(-2 * time.Hour).Truncate(time.Hour).Add(-time.Minute)
	e := relay.Event{
		ID: relay.EventID("", name, rand.Text()), Receipt: rand.Text(), Source: name,
		Trust: verify.Authenticated, ReceivedAt: receivedAt, Body: body,
	}
	if _, err := relay.RecordEvent(t.Context(), w.ledger, relay.EventRecord{
		Event: e, MessageID: rand.Text(), Endpoints: []string{name}, RoutedAt: receivedAt,
		ExpiresAt: now.Add(time.Hour).Truncate(time.Second),
	}); err != nil {
		t.Fatal(err)
	}
	return e
}

// sweep fires the rule, and compares the metrics in the run's single log line with the expected
// ones that are not zero.
func (w *world) sweep(t *testing.T, want map[string]float64) {
	t.Helper()
	before := len(w.log.lines("swept"))
	if err := w.host.PlayRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sweep is logged", func() bool { return len(w.log.lines("swept")) > before })
	lines := w.log.lines("swept")
	if len(lines) != before+1 {
		t.Errorf("%d lines for one run", len(lines)-before)
	}
	var line struct {
		AWS struct {
			CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
		} `json:"_aws"`
	}
	var members map[string]any
	for _, to := range []any{&line, &members} {
		if err := json.Unmarshal(lines[before], to); err != nil ||
			len(line.AWS.CloudWatchMetrics) != 1 {
			t.Fatalf("%v: %s", err, lines[before])
		}
	}
	got := map[string]float64{}
	for _, m := range line.AWS.CloudWatchMetrics[0].Metrics {
		if value, ok := members[m.Name].(float64); !ok || value != 0 {
			got[m.Name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// logged collects what functions log. It can be read while they run.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines returns the lines with a message.
func (l *logged) lines(msg string) (found [][]byte) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, `"message":"`+msg+`"`) {
			found = append(found, []byte(line))
		}
	}
	return found
}
