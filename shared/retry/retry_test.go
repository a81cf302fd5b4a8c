package retry_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/retry"
)

func fixed(f float64) func() float64 { return func() float64 { return f } }

// almostOne is the largest number that a source in [0, 1) returns.
var almostOne = math.Nextafter(1, 0)

func TestDefaultScheduleIsStandardWebhooks(t *testing.T) {
	t.Parallel()
	if err := retry.Validate(retry.DefaultSchedule); err != nil {
		t.Error(err)
	}
	var at []string
	var since time.Duration
	for step := 0; ; step++ {
		wait, again := retry.Wait(retry.DefaultSchedule, step, fixed(0))
		if !again {
			break
		}
		since += wait
		at = append(at, since.String())
	}
	want := []string{"5s", "5m5s", "35m5s", "2h35m5s", "7h35m5s", "17h35m5s", "31h35m5s", "51h35m5s", "75h35m5s"}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("times of the attempts after the first (-want +got):\n%s", diff)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	schedule := []time.Duration{10 * time.Second, time.Hour}
	tests := map[string]struct {
		schedule []time.Duration
		step     int
		random   float64
		want     time.Duration
		again    bool
	}{
		"no jitter":                          {schedule, 0, 0, 10 * time.Second, true},
		"half the jitter":                    {schedule, 0, 0.5, 10500 * time.Millisecond, true},
		"second wait":                        {schedule, 1, 0.5, 63 * time.Minute, true},
		"used up":                            {schedule, 2, 0.5, 0, false},
		"far past the end":                   {schedule, math.MaxInt, 0.5, 0, false},
		"step below zero":                    {schedule, -1, 0.5, 0, false},
		"empty schedule, a single attempt":   {[]time.Duration{}, 0, 0.5, 0, false},
		"nil schedule":                       {nil, 0, 0.5, 0, false},
		"longest duration does not overflow": {[]time.Duration{math.MaxInt64}, 0, almostOne, math.MaxInt64, true},
		"wait below zero counts as none":     {[]time.Duration{-time.Hour}, 0, 0.5, 0, true},
		"nearly the longest does not either": {[]time.Duration{math.MaxInt64 / 20 * 19}, 0, almostOne, math.MaxInt64, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, again := retry.Wait(tt.schedule, tt.step, fixed(tt.random))
			if got != tt.want || again != tt.again {
				t.Errorf("got %s, %t; want %s, %t", got, again, tt.want, tt.again)
			}
		})
	}
}

func TestJitterNeitherShortensNorReorders(t *testing.T) {
	t.Parallel()
	var longestBefore time.Duration
	for step, base := range retry.DefaultSchedule {
		shortest, _ := retry.Wait(retry.DefaultSchedule, step, fixed(0))
		longest, _ := retry.Wait(retry.DefaultSchedule, step, fixed(almostOne))
		if shortest != base || longest <= base || longest > base+base/10 {
			t.Errorf("step %d: %s to %s, want %s and up to a tenth more", step, shortest, longest, base)
		}
		if shortest <= longestBefore {
			t.Errorf("step %d may wait %s, the one before it %s", step, shortest, longestBefore)
		}
		longestBefore = longest
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		schedule []time.Duration
		want     string // part of the message; "" for a valid schedule
	}{
		"nil":             {nil, ""},
		"empty":           {[]time.Duration{}, ""},
		"shortest wait":   {[]time.Duration{1}, ""},
		"longest wait":    {[]time.Duration{retry.MaxWait}, ""},
		"most entries":    {waits(retry.MaxEntries), ""},
		"too many":        {waits(retry.MaxEntries + 1), "51 entries, at most 50"},
		"zero wait":       {[]time.Duration{time.Second, 0}, "entry 2 of 2 is 0s"},
		"wait below zero": {[]time.Duration{-time.Second, time.Second}, "entry 1 of 2 is -1s"},
		"wait too long":   {[]time.Duration{retry.MaxWait + 1}, "at most 336h0m0s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := retry.Validate(tt.schedule)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, retry.ErrSchedule) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v with %q", err, retry.ErrSchedule, tt.want)
			}
		})
	}
}

func waits(n int) []time.Duration {
	schedule := make([]time.Duration, n)
	for i := range schedule {
		schedule[i] = time.Second
	}
	return schedule
}
