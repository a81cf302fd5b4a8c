package relay_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/retry"
)

// answering returns a rig whose endpoint "a" gives the answer once, and 200 afterwards.
func answering(t *testing.T, first relay.Reply, change func(*catalog.Endpoint)) *rig {
	t.Helper()
	return answeringTimes(t, 1, first, change)
}

// answeringTimes is answering for the first n attempts.
func answeringTimes(t *testing.T, n int, first relay.Reply, change func(*catalog.Endpoint)) *rig {
	t.Helper()
	r := newRig(t, []time.Duration{time.Minute}, "a")
	r.change(change)
	r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
		if n--; n >= 0 {
			return first, nil
		}
		return relay.Reply{StatusCode: 200}, nil
	}
	return r
}

func unchanged(*catalog.Endpoint) {}

// firstAttempt makes the first attempt of one webhook, and returns its delivery.
func (r *rig) firstAttempt() relay.Delivery {
	r.t.Helper()
	event := r.mustPost(fmt.Sprint(len(r.poster.posts)+1), "t", "{}")
	r.consume(&r.ingest, &r.ingestDL, r.fanout.Process)
	r.consume(&r.delivery, nil, r.deliverer.Process)
	return r.deliveryOf(event, "a")
}

// told describes what the next first answer did to the delivery and to the endpoint, in the words
// of docs/delivering.md.
func (r *rig) told() (delivery, endpoint string) {
	d := r.firstAttempt()
	switch wait := d.NextAt.Sub(d.UpdatedAt); {
	case d.Status == relay.Delivered:
		delivery = "delivered"
	case d.Status == relay.Dead:
		delivery = "dead, reason `" + string(d.Reason) + "`"
	case wait > 10*time.Minute:
		delivery = "retried, not before the time that it names"
	case d.Status == relay.Waiting:
		delivery = "retried"
	}
	state, _, err := r.states.EndpointState(r.t.Context(), "a")
	if err != nil {
		r.t.Fatal(err)
	}
	endpoint = "unchanged"
	switch held := state.HeldUntil(time.Now()); {
	case state.Phase(time.Now()) == breaker.Disabled:
		endpoint = "disabled"
	case !held.IsZero() && time.Until(held) < time.Minute:
		endpoint = fmt.Sprintf("paused for %.0f s", time.Until(held).Seconds())
	case !held.IsZero():
		endpoint = "paused for the time that it names"
	}
	return delivery, endpoint
}

// TestPageWhatAnAnswerDoes generates the table of answers in docs/delivering.md from what the relay
// does.
func TestPageWhatAnAnswerDoes(t *testing.T) {
	t.Parallel()
	later := relay.Header{"retry-after": "1200"}
	rows := [][]string{{"the endpoint answers", "the delivery is", "the endpoint is"}}
	for _, tt := range []struct {
		name    string
		replies []relay.Reply
		final   []string
		before  int // how many attempts of other deliveries had the same answer
	}{
		{
			"2xx",
			[]relay.Reply{{StatusCode: 200}, {StatusCode: 204}, {StatusCode: 299, Header: later}},
			[]string{"4xx"}, 0,
		},
		{"3xx, 4xx, 5xx", []relay.Reply{{StatusCode: 301}, {
			StatusCode: 304, Header: later,
		}, {StatusCode: 400}, {StatusCode: 404}, {StatusCode: 500},
			{StatusCode: 502}, {StatusCode: 503}, {StatusCode: 504}}, nil, 0},
		{"4xx, 5xx with `Retry-After`", []relay.Reply{{StatusCode: 400, Header: later}, {
			StatusCode: 404, Header: later,
		},
			{StatusCode: 500, Header: later}}, nil, 0},
		{
			"429",
			[]relay.Reply{
				{StatusCode: 429}, {StatusCode: 429, Header: relay.Header{"retry-after": "1"}},
			},
			nil, 0,
		},
		{
			"502, 504, and other attempts failed too",
			[]relay.Reply{{StatusCode: 502}, {StatusCode: 504}}, nil, 1,
		},
		{"429, 502, 503, 504 with `Retry-After`", []relay.Reply{{
			StatusCode: 429, Header: later,
		}, {StatusCode: 502, Header: later},
			{StatusCode: 503, Header: later}, {StatusCode: 504, Header: later}}, nil, 0},
		{"410", []relay.Reply{{StatusCode: 410}, {StatusCode: 410, Header: later}}, nil, 0},
		{"not 2xx, with `webhook-delivery: disable`", []relay.Reply{{
			StatusCode: 500, Header: relay.Header{"webhook-delivery": "disable"},
		},
			{StatusCode: 301, Header: relay.Header{"webhook-delivery": " Disable"}}}, nil, 0},
		{"not 2xx, with `webhook-delivery: abort-message`", []relay.Reply{
			{StatusCode: 400, Header: relay.Header{"webhook-delivery": "abort-message"}},
			{StatusCode: 503, Header: relay.Header{"webhook-delivery": "abort-message"}}}, nil, 0},
		{
			"a status that `retry.final` names",
			[]relay.Reply{{StatusCode: 400}, {StatusCode: 499}, {StatusCode: 501}},
			[]string{"4xx", "501"}, 0,
		},
	} {
		var row []string
		for _, reply := range tt.replies {
			synctest.Test(t, func(t *testing.T) {
				r := answeringTimes(t, 1+tt.before, reply, func(e *catalog.Endpoint) {
					e.Final = tt.final
				})
				for range tt.before {
					r.firstAttempt()
				}
				delivery, endpoint := r.told()
				got := []string{tt.name, delivery, endpoint}
				if row != nil && !slices.Equal(row, got) {
					t.Errorf(
						"%d %v: %v, others of its row: %v", reply.StatusCode, reply.Header, got,
						row,
					)
				}
				row = got
			})
		}
		rows = append(rows, row)
	}
	page.Hold(t, "../../docs/delivering.md", "answers", page.Table(rows...))
}

// One such answer of a proxy in a hundred is no sign of overload.
func TestALoneBadGatewayHoldsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, unchanged, "a")
		post := 0
		c.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			if post++; post%100 == 0 {
				return relay.Reply{StatusCode: 502}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		c.take = func(string) time.Duration { return 100 * time.Millisecond }
		c.send("w", 1000)
		c.run(1, 20*time.Second)
		for _, r := range c.reports.attempted {
			if r.Held > 0 {
				t.Fatalf("held for %s", r.Held)
			}
		}
		if post < 1000 {
			t.Errorf("%d attempts", post)
		}
	})
}

// Retry-After makes the schedule's wait longer, within limits, and never shorter.
func TestRetryAfterWithinBounds(t *testing.T) {
	t.Parallel()
	const scheduled = time.Minute
	for name, tt := range map[string]struct {
		value string
		ahead time.Duration // if set, value is a date this far ahead
		want  time.Duration
	}{
		"seconds":                {value: "600", want: 10 * time.Minute},
		"a date":                 {ahead: 10 * time.Minute, want: 10 * time.Minute},
		"less than the schedule": {value: "5", want: scheduled},
		"none":                   {value: "0", want: scheduled},
		"a date that has passed": {ahead: -time.Hour, want: scheduled},
		"too long":               {value: "31536000", want: retry.MaxRetryAfter},
		"a date too far ahead":   {ahead: 365 * 24 * time.Hour, want: retry.MaxRetryAfter},
		"too long for a number":  {value: "99999999999999999999", want: retry.MaxRetryAfter},
		"nonsense":               {value: "soon", want: scheduled},
		"negative":               {value: "-600", want: scheduled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if tt.ahead != 0 {
					tt.value = time.Now().Add(tt.ahead).UTC().Format(http.TimeFormat)
				}
				r := answering(
					t, relay.Reply{StatusCode: 500, Header: relay.Header{"retry-after": tt.value}},
					unchanged,
				)
				d := r.firstAttempt()
				if wait := d.NextAt.Sub(d.UpdatedAt); wait < tt.want-time.Second ||
					wait > tt.want*11/10 {
					t.Errorf("waits %s, want %s and up to a tenth more", wait, tt.want)
				}
				r.pump()
				if d = r.deliveryOf(d.EventID, "a"); d.Status != relay.Delivered ||
					d.Attempts != 2 {
					t.Errorf("%s after %d attempts", d.Status, d.Attempts)
				}
			})
		})
	}
}

// A pause is for the whole endpoint, and shorter than the delivery's wait.
func TestAPauseIsAnHourAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := answering(
			t, relay.Reply{StatusCode: 429, Header: relay.Header{"retry-after": "86400"}},
			unchanged,
		)
		first := r.firstAttempt()
		began := time.Now()
		second := r.mustPost("2", "t", "{}")
		r.pump()
		if d := r.deliveryOf(second, "a"); d.Status != relay.Delivered || d.Attempts != 1 ||
			d.UpdatedAt.Sub(began) < breaker.MaxPause ||
			d.UpdatedAt.Sub(began) > breaker.MaxPause+breaker.MaxWait {
			t.Errorf("%s after %d attempts and %s", d.Status, d.Attempts, d.UpdatedAt.Sub(began))
		}
		if d := r.deliveryOf(first.EventID, "a"); d.UpdatedAt.Sub(began) < retry.MaxRetryAfter {
			t.Errorf("the delivery that was told came back after %s", d.UpdatedAt.Sub(began))
		}
	})
}

// An instance may have an old state of a disabled endpoint, from which a delivery could die.
func TestWhatIsSentRightAfterAnEndpointIsEnabledIsAttempted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		if _, err := operate.DisableEndpoint(
			t.Context(), &r.states, "a", "it moves house",
		); err != nil {
			t.Fatal(err)
		}
		id := r.mustPost("1", "t", "{}")
		r.pump()
		if d := r.deliveryOf(id, "a"); d.Reason != relay.EndpointGone {
			t.Fatalf("while it is disabled: %+v", d)
		}
		if _, err := operate.EnableEndpoint(t.Context(), &r.states, "a"); err != nil {
			t.Fatal(err)
		}
		if err := r.replay(id, "a"); err != nil {
			t.Fatal(err)
		}
		r.pump()
		if d := r.deliveryOf(id, "a"); d.Status != relay.Delivered {
			t.Errorf("sent again once it is enabled: %+v", d)
		}
	})
}

// statesFail is a store of states whose next writes fail, before or after they take effect.
type statesFail struct {
	gate.EndpointStates
	left  *int
	after bool
}

func (s statesFail) SaveEndpointState(
	ctx context.Context, endpoint string, state breaker.State, prior int64,
) error {
	if *s.left--; *s.left < 0 {
		return s.EndpointStates.SaveEndpointState(ctx, endpoint, state, prior)
	}
	if s.after {
		_ = s.EndpointStates.SaveEndpointState(ctx, endpoint, state, prior)
	}
	return errInjected
}

func TestAnEndpointIsDisabledWithOnePOSTThoughItsStateCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failures int
		after    bool
	}{
		"at first":            {1, false},
		"its answer is lost":  {1, true},
		"for some minutes":    {3, false},
		"three answers of it": {3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := answering(
					t,
					relay.Reply{
						StatusCode: 500, Header: relay.Header{"webhook-delivery": "disable"},
					},
					unchanged,
				)
				left := tt.failures
				r.build(func(p ports) ports {
					p.states = statesFail{p.states, &left, tt.after}
					return p
				})
				id := r.mustPost("1", "t", "{}")
				r.pump()
				d := r.deliveryOf(id, "a")
				if len(r.poster.posts) != 1 || d.Status != relay.Dead ||
					d.Reason != relay.Declined || d.Attempts != 1 {
					t.Errorf(
						"%s of %q after %d attempts, %d POSTs", d.Status, d.Reason, d.Attempts,
						len(r.poster.posts),
					)
				}
				if s, _, _ := r.states.EndpointState(t.Context(), "a"); s.Phase(time.Now()) != breaker.Disabled {
					t.Errorf("the endpoint is %+v", s)
				}
			})
		})
	}
}

func TestADisabledEndpointGetsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := answering(t, relay.Reply{StatusCode: 410}, unchanged)
		r.firstAttempt()
		r.build(func(p ports) ports { return p }) // another instance
		second := r.mustPost("2", "t", "{}")
		r.pump()
		d := r.deliveryOf(second, "a")
		if d.Status != relay.Dead || d.Reason != relay.EndpointGone || len(r.poster.posts) != 1 {
			t.Errorf("%s of %q, %d POSTs", d.Status, d.Reason, len(r.poster.posts))
		}
		if text := d.History[0].Error; d.History[0].Outcome != relay.Skipped ||
			!strings.Contains(text, "410") {
			t.Errorf("on record as %s: %s", d.History[0].Outcome, text)
		}
	})
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header   relay.Header // of the answers, which are all 429
		maxAge   time.Duration
		attempts int
	}{
		"the next attempt would come too late": {nil, 90 * time.Minute, 2},
		"the endpoint asks for more than is left": {
			relay.Header{"retry-after": "7200"}, 90 * time.Minute, 1,
		},
		"there is time for all of the schedule":     {nil, 4 * time.Hour, 3},
		"not even the wait after the first is left": {nil, time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Hour, time.Hour}, "a")
				r.change(func(e *catalog.Endpoint) { e.MaxAge = tt.maxAge })
				r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
					return relay.Reply{StatusCode: 429, Header: tt.header}, nil
				}
				event := r.mustPost("1", "t", "{}")
				r.pump()
				want := relay.Expired
				if tt.attempts == 3 {
					want = relay.Exhausted
				}
				if d := r.deliveryOf(event, "a"); d.Status != relay.Dead || d.Reason != want ||
					len(r.poster.posts) != tt.attempts {
					t.Errorf("%s of %q after %d POSTs", d.Status, d.Reason, len(r.poster.posts))
				}
			})
		})
	}
}

// A held delivery waits no longer than max_age allows. Then its death is recorded without an
// attempt.
func TestMaxAgeEndsAHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := answering(t, relay.Reply{StatusCode: 503, Header: relay.Header{"retry-after": "3600"}},
			func(e *catalog.Endpoint) { e.MaxAge = 30 * time.Minute })
		r.firstAttempt()
		second := r.mustPost("2", "t", "{}")
		r.pump()
		d := r.deliveryOf(second, "a")
		if d.Status != relay.Dead || d.Reason != relay.Expired ||
			d.History[0].Outcome != relay.Skipped || len(r.poster.posts) != 1 {
			t.Errorf("%s of %q, %d POSTs, %+v", d.Status, d.Reason, len(r.poster.posts), d.History)
		}
	})
}

// TestTheDefaultSchedule makes all attempts of the default schedule's 75 hours.
func TestTheDefaultSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.poster.failTimes("a", 99)
		event := r.mustPost("1", "t", "{}")
		r.pump()
		d := r.deliveryOf(event, "a")
		if d.Reason != relay.Exhausted || len(d.History) != len(retry.DefaultSchedule)+1 {
			t.Fatalf("%s after %d attempts", d.Reason, len(d.History))
		}
		for i, wait := range retry.DefaultSchedule {
			if took := d.History[i+1].At.Sub(d.History[i].At); took < wait-earlySlack ||
				took > wait*11/10+time.Minute {
				t.Errorf(
					"attempt %d came %s after the one before, the schedule says %s", i+2, took,
					wait,
				)
			}
		}
	})
}
