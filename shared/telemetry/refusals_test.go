package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/telemetry/metric"
	"webhook-relay/shared/verify"
)

// flood is a log that counts its lines and the refusals that they report.
type flood struct {
	log  telemetry.Log
	text bytes.Buffer
	now  time.Time
}

func newFlood() *flood {
	f := &flood{now: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
	f.log = telemetry.Log{
		Logger: slog.New(slog.NewJSONHandler(&f.text, nil)), Relay: "r",
		Refusals: &telemetry.RefusalLimiter{Now: func() time.Time { return f.now }},
	}
	return f
}

// told returns the number of lines so far and the sums of the metric, by reason.
func (f *flood) told(t *testing.T) (lines int, refused map[string]int) {
	t.Helper()
	refused = map[string]int{}
	for line := range strings.Lines(f.text.String()) {
		var l struct {
			Refused int
			Reason  string
			AWS     any `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.AWS == nil {
			t.Fatalf("%v: %s is no metric", err, line)
		}
		lines++
		refused[l.Reason] += l.Refused
	}
	return lines, refused
}

func TestAFloodOfRefusalsWritesFewLinesAndIsCounted(t *testing.T) {
	t.Parallel()
	f := newFlood()
	const unknown, forged = 10_000, 5
	for range unknown {
		f.log.Received(t.Context(), relay.ReceiveReport{Source: "nobody", Err: catalog.ErrNotFound})
	}
	for range forged { // another reason has an allowance of its own
		f.log.Received(t.Context(), relay.ReceiveReport{Source: "github", Err: verify.ErrMismatch})
	}
	f.now = f.now.Add(time.Minute)
	// any request tells what is left
	f.log.Received(t.Context(), relay.ReceiveReport{Source: "github", EventID: "evt_1"})
	lines, refused := f.told(t)
	if refused[metric.ReasonSource] != unknown || refused[metric.ReasonMismatch] != forged {
		t.Errorf("metrics tell of %v, want %d and %d", refused, unknown, forged)
	}
	if most := unknown/100 + 10 + forged + 2; lines > most {
		t.Errorf("%d lines, %d at most", lines, most)
	}
}

func TestAFewRefusalsHaveALineEach(t *testing.T) {
	t.Parallel()
	f := newFlood()
	for minute := range 3 {
		for range 10 {
			f.log.Received(
				t.Context(), relay.ReceiveReport{Source: "github", Err: verify.ErrMismatch},
			)
		}
		if lines, _ := f.told(t); lines != 10*(minute+1) {
			t.Errorf("%d lines after %d refusals", lines, 10*(minute+1))
		}
		f.now = f.now.Add(time.Minute)
	}
}
