package conformance

import (
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay"
)

// SchedulerUnderTest is a scheduler, and a way to see its pending messages.
type SchedulerUnderTest struct {
	relay.Scheduler
	Pending func(t *testing.T) []Scheduled // in any order
}

// Scheduled is a pending message of a scheduler.
type Scheduled struct {
	Name   string
	At     time.Time
	Body   []byte
	Group  string
	Resent bool
}

// Scheduler tests a relay.Scheduler. The adapter's own test must check that a message is sent at
// its time.
func Scheduler(t *testing.T, fresh func(t *testing.T) SchedulerUnderTest) {
	for name, test := range map[string]func(*testing.T, SchedulerUnderTest){
		"a message is held with all it has":              schedulerKeeps,
		"a name that is pending is not scheduled again":  schedulerName,
		"names may have every allowed character":         schedulerNames,
		"concurrent calls with one name leave one":       schedulerConcurrent,
		"a time that has passed is no error":             schedulerPast,
		"a month ahead is not too far":                   schedulerMonth,
		"a large message is held":                        schedulerLarge,
		"the same message under two names is held twice": schedulerTwoNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// expect compares the pending messages. A scheduler may be up to a minute late.
func (s SchedulerUnderTest) expect(t *testing.T, want map[string]Scheduled) {
	t.Helper()
	got := map[string]Scheduled{}
	for _, p := range s.Pending(t) {
		if _, twice := got[p.Name]; twice {
			t.Fatalf("%q is pending twice", p.Name)
		}
		if w, ok := want[p.Name]; ok && !p.At.Before(w.At) && p.At.Before(w.At.Add(time.Minute)) {
			p.At = w.At
		}
		got[p.Name] = p
	}
	equal(t, "pending", want, got)
}

func schedulerKeeps(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(20*time.Minute + 123*time.Millisecond)
	msg := relay.Outgoing{
		Body:  []byte(`{"text":"é <&> ' \" \\ \u0000 <aws.scheduler.execution-id>"}`),
		Group: "shipping", Resent: true,
	}
	must(t, "Schedule", s.Schedule(t.Context(), "one", at, msg))
	s.expect(
		t,
		map[string]Scheduled{
			"one": {Name: "one", At: at, Body: msg.Body, Group: "shipping", Resent: true},
		},
	)
}

func schedulerName(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(time.Hour)
	must(
		t, "first",
		s.Schedule(t.Context(), "one", at, relay.Outgoing{Body: []byte(`1`), Group: "a"}),
	)
	must(
		t, "second",
		s.Schedule(
			t.Context(), "one", at.Add(time.Hour),
			relay.Outgoing{Body: []byte(`2`), Group: "b", Resent: true},
		),
	)
	s.expect(
		t,
		map[string]Scheduled{
			"one": {Name: "one", At: at, Body: []byte(`1`), Group: "a", Resent: false},
		},
	)
}

func schedulerNames(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(time.Hour)
	want := map[string]Scheduled{}
	for _, name := range []string{
		"a", "A", "0", "-", "_.-", "evt_abc.shipping.10", strings.Repeat("x", 64),
	} {
		must(
			t, name,
			s.Schedule(t.Context(), name, at, relay.Outgoing{Body: []byte(`1`), Group: "a"}),
		)
		want[name] = Scheduled{Name: name, At: at, Body: []byte(`1`), Group: "a", Resent: false}
	}
	s.expect(t, want)
}

func schedulerConcurrent(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(time.Hour)
	errs := atOnce(8, func(int) error {
		return s.Schedule(t.Context(), "one", at, relay.Outgoing{Body: []byte(`1`), Group: "a"})
	})
	equal(t, "errors", make([]error, 8), errs)
	s.expect(
		t,
		map[string]Scheduled{
			"one": {Name: "one", At: at, Body: []byte(`1`), Group: "a", Resent: false},
		},
	)
}

func schedulerPast(t *testing.T, s SchedulerUnderTest) {
	must(
		t, "Schedule",
		s.Schedule(t.Context(), "one", now().Add(-time.Minute), relay.Outgoing{Body: []byte(`1`)}),
	)
}

func schedulerMonth(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(31 * 24 * time.Hour)
	must(
		t, "Schedule",
		s.Schedule(t.Context(), "one", at, relay.Outgoing{Body: []byte(`1`), Group: "a"}),
	)
	s.expect(
		t,
		map[string]Scheduled{
			"one": {Name: "one", At: at, Body: []byte(`1`), Group: "a", Resent: false},
		},
	)
}

func schedulerLarge(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(time.Hour)
	msg := relay.Outgoing{Body: jsonText(200 << 10), Group: "a"}
	must(t, "Schedule", s.Schedule(t.Context(), "one", at, msg))
	s.expect(
		t,
		map[string]Scheduled{
			"one": {Name: "one", At: at, Body: msg.Body, Group: "a", Resent: false},
		},
	)
}

func schedulerTwoNames(t *testing.T, s SchedulerUnderTest) {
	at := now().Add(time.Hour)
	want := map[string]Scheduled{}
	for _, name := range []string{"one", "two"} {
		must(
			t, name,
			s.Schedule(t.Context(), name, at, relay.Outgoing{Body: []byte(`1`), Group: "a"}),
		)
		want[name] = Scheduled{Name: name, At: at, Body: []byte(`1`), Group: "a", Resent: false}
	}
	s.expect(t, want)
}
