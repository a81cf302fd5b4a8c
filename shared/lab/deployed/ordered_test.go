package deployed_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// orderedStep is a webhook to the endpoint "ordered". It says itself how often it fails there.
type orderedStep struct {
	N    int `json:"n"`
	Data struct {
		Key string `json:"key,omitempty"`
	} `json:"data"`
	Fails int    `json:"fails"`
	Pad   string `json:"pad,omitempty"`
}

func readStep(body []byte) (s orderedStep) {
	_ = json.Unmarshal(body, &s) // an invalid step never fails
	return s
}

func (s orderedStep) status(attempt int) int {
	if attempt <= s.Fails {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// ordered sends webhooks of two keys and without a key. Of the first key, one fails once and one
// dies. Those behind them wait, the others do not. After its replay, the dead one is ordered as a
// new one.
func ordered(t *testing.T, w *world) {
	steps := []struct {
		key      string
		fails    int
		bytes    int
		status   relay.Status
		attempts int
	}{
		{
			"a", 1, 0, relay.Delivered, 2,
		}, {"a", 0, relay.DefaultInlineBodyBytes, relay.Delivered, 1}, {
			"b", 0, 0, relay.Delivered, 1,
		},
		{"a", 2, 0, relay.Dead, 2}, {"", 0, 0, relay.Delivered, 1}, {"a", 0, 0, relay.Delivered, 1},
	}
	ids := make([]string, len(steps))
	for i, s := range steps {
		step := orderedStep{N: i, Fails: s.fails, Pad: strings.Repeat(" ", s.bytes)}
		step.Data.Key = s.key
		body, err := json.Marshal(step)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = w.send(t, "ordered", verify.Webhook{DeliveryID: rand.Text(), Body: body})
	}
	for i, s := range steps {
		w.settled(t, ids[i], "ordered", s.status, s.attempts)
	}
	lines := map[string][]string{}
	var all []string
	for _, p := range w.allPosts("ordered") {
		step := readStep(p.body)
		post := fmt.Sprintf("%d, attempt %s", step.N, p.header.Get(relay.HeaderAttempt))
		lines[step.Data.Key], all = append(lines[step.Data.Key], post), append(all, post)
	}
	want := map[string][]string{
		"a": {
			"0, attempt 1", "0, attempt 2", "1, attempt 1", "3, attempt 1", "3, attempt 2",
			"5, attempt 1",
		}, "b": {"2, attempt 1"}, "": {"4, attempt 1"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("POSTs by key (-want +got):\n%s", diff)
	}
	for _, other := range []string{"2, attempt 1", "4, attempt 1"} {
		if slices.Index(all, other) > slices.Index(all, "0, attempt 2") {
			t.Errorf("%s waited for another key: %v", other, all)
		}
	}
	replayer := operate.Replayer{
		Ledger: w.ledger, Deliveries: w.ledger,
		Retry: sqs.New(sqs.Client(w.host.Config("sqs")), w.host.Outputs["RetryQueueUrl"]),
	}
	if err := replayer.Replay(t.Context(), ids[3], "ordered"); err != nil {
		t.Fatal(err)
	}
	w.settled(t, ids[3], "ordered", relay.Delivered, 3)
	if d := w.settled(
		t, ids[0], "ordered", relay.Delivered, 2,
	); d.History[1].At.Sub(d.History[0].At) < 2*time.Second {
		t.Errorf("attempts %+v came within less than the schedule's 2s", d.History)
	}
}

// allPosts returns the POSTs that an endpoint received, in order.
func (w *world) allPosts(endpoint string) []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got[endpoint])
}
