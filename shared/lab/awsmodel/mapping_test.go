package awsmodel_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab/awsmodel"
	"webhook-relay/shared/relay"
)

// run runs a mapping for a time, and waits until its invocations have ended.
func run(t *testing.T, m *awsmodel.Mapping, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	m.Run(ctx)
}

func sleeper(d time.Duration) func(int) awsmodel.Process {
	return func(int) awsmodel.Process {
		return func(_ context.Context, msgs []relay.Message) []relay.Action {
			time.Sleep(d)
			return make([]relay.Action, len(msgs))
		}
	}
}

func TestConcurrencyGrowsByFiveASecond(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seconds, maximum, want int
	}{
		"at first":               {0, 0, 5},
		"after ten seconds":      {10, 0, 55},
		"at most as configured":  {60, 40, 40},
		"at most 1,000 in total": {300, 0, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := awsmodel.NewQueue(awsmodel.QueueOptions{})
				send(q, "a", 11_000)
				m := &awsmodel.Mapping{Queue: q, MaxConcurrency: c.maximum,
					Function: &awsmodel.Function{New: sleeper(time.Hour)}}
				run(t, m, time.Duration(c.seconds)*time.Second+time.Millisecond)
				if m.Peak() != c.want {
					t.Errorf("%d invocations at once, want %d", m.Peak(), c.want)
				}
			})
		})
	}
}

func TestConcurrencyShrinksWhenIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{Visibility: time.Hour})
		send(q, "a", 500)
		var mu sync.Mutex
		var late int // invocations at once after the quiet time
		began := time.Now()
		f := &awsmodel.Function{New: func(int) awsmodel.Process {
			return func(_ context.Context, msgs []relay.Message) []relay.Action {
				if time.Since(began) > 10*time.Minute {
					mu.Lock()
					late++
					mu.Unlock()
				}
				time.Sleep(5 * time.Second)
				return make([]relay.Action, len(msgs))
			}
		}}
		m := &awsmodel.Mapping{Queue: q, Function: f, MaxConcurrency: 100}
		time.AfterFunc(15*time.Minute+time.Millisecond, func() { send(q, "a", 200) })
		run(t, m, 15*time.Minute+2*time.Millisecond)
		if m.Peak() < 20 || late != 5 {
			t.Errorf("%d invocations at once in the peak, then %d", m.Peak(), late)
		}
	})
}

// TestABatchLastsAsLongAsItsSlowestMessage also has one message that fails and is received again
// alone.
func TestABatchLastsAsLongAsItsSlowestMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{Visibility: time.Minute})
		send(q, "a", 10)
		var sizes []int
		f := &awsmodel.Function{New: func(int) awsmodel.Process {
			return func(_ context.Context, msgs []relay.Message) []relay.Action {
				sizes = append(sizes, len(msgs))
				actions := make([]relay.Action, len(msgs))
				if msgs[0].Receives == 1 {
					actions[0] = relay.Action{Retry: true, After: time.Minute}
				}
				return actions
			}
		}}
		m := &awsmodel.Mapping{Queue: q, Function: f}
		run(t, m, 2*time.Minute)
		if len(sizes) != 2 || sizes[0] != 10 || sizes[1] != 1 || q.Counts() != (awsmodel.Counts{}) {
			t.Errorf("batches of %v, left %+v", sizes, q.Counts())
		}
	})
}

func TestAWindowFillsBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{})
		f := &awsmodel.Function{New: sleeper(0)}
		m := &awsmodel.Mapping{Queue: q, Function: f, Window: time.Second}
		for i := range 10 {
			time.AfterFunc(time.Duration(i+1)*50*time.Millisecond, func() { send(q, "a", 1) })
		}
		run(t, m, 10*time.Second)
		if _, n := f.Used(); n > 5 {
			t.Errorf("%d invocations for ten messages within half a second", n)
		}
	})
}

// TestAThrottledReceiveCounts has no free concurrency for two minutes, so the receive of the second
// message has no effect.
func TestAThrottledReceiveCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{Visibility: 160 * time.Second})
		var receives int
		f := &awsmodel.Function{Concurrency: 1, New: func(int) awsmodel.Process {
			return func(_ context.Context, msgs []relay.Message) []relay.Action {
				if string(msgs[0].Body) == "b" {
					receives = msgs[0].Receives
				} else {
					time.Sleep(150 * time.Second)
				}
				return make([]relay.Action, len(msgs))
			}
		}}
		send(q, "a", 1)
		time.AfterFunc(time.Second, func() { send(q, "b", 1) })
		m := &awsmodel.Mapping{Queue: q, Function: f, BatchSize: 1}
		run(t, m, 5*time.Minute)
		if receives < 2 {
			t.Errorf("handled at receive %d", receives)
		}
	})
}

// TestInstancesKeepTheirMemory uses the same instance again, but never for two batches at once.
func TestInstancesKeepTheirMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &awsmodel.Function{
			Timeout: time.Minute, ColdStart: time.Second, New: sleeper(time.Second),
		}
		began := time.Now()
		for range 3 {
			if _, err := f.Invoke(t.Context(), make([]relay.Message, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if instances, n := f.Used(); instances != 1 || n != 3 ||
			time.Since(began) != 4*time.Second {
			t.Errorf("%d instances for %d invocations in %v", instances, n, time.Since(began))
		}
		f = &awsmodel.Function{Timeout: time.Minute, New: sleeper(time.Hour)}
		if _, err := f.Invoke(t.Context(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an invocation that takes too long: %v", err)
		}
	})
}
