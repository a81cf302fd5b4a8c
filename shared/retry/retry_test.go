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
	want := []string{
		"5s", "5m5s", "35m5s", "2h35m5s", "7h35m5s", "17h35m5s", "31h35m5s", "51h35m5s", "75h35m5s",
	}
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
		"no jitter":                        {schedule, 0, 0, 10 * time.Second, true},
		"half the jitter":                  {schedule, 0, 0.5, 10500 * time.Millisecond, true},
		"second wait":                      {schedule, 1, 0.5, 63 * time.Minute, true},
		"used up":                          {schedule, 2, 0.5, 0, false},
		"far past the end":                 {schedule, math.MaxInt, 0.5, 0, false},
		"step below zero":                  {schedule, -1, 0.5, 0, false},
		"empty schedule, a single attempt": {[]time.Duration{}, 0, 0.5, 0, false},
		"nil schedule":                     {nil, 0, 0.5, 0, false},
		"longest duration does not overflow": {
			[]time.Duration{math.MaxInt64}, 0, almostOne, math.MaxInt64, true,
		},
		"wait below zero counts as none": {[]time.Duration{-time.Hour}, 0, 0.5, 0, true},
		"nearly the longest does not either": {
			[]time.Duration{math.MaxInt64 / 20 * 19}, 0, almostOne, math.MaxInt64, true,
		},
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
			t.Errorf(
				"step %d: %s to %s, want %s and up to a tenth more", step, shortest, longest, base,
			)
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
		"too long in all": {
			[]time.Duration{retry.MaxTotal, 1}, "the first 2 entries take 336h0m0.000000001s",
		},
		"wait too long": {[]time.Duration{retry.MaxWait + 1}, "at most 336h0m0s"},
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

func TestExponential(t *testing.T) {
	t.Parallel()
	const s = time.Second
	inf, none := math.Inf(1), math.NaN()
	tests := map[string]struct {
		in   retry.Exponential
		want []time.Duration
		err  string // part of the message; "" for a schedule
	}{
		"doubled by default": {
			retry.Exponential{First: s, Attempts: 5}, []time.Duration{s, 2 * s, 4 * s, 8 * s}, "",
		},
		"by another factor": {
			retry.Exponential{First: 4 * s, Factor: 1.5, Attempts: 4},
			[]time.Duration{4 * s, 6 * s, 9 * s}, "",
		},
		"up to the longest": {
			retry.Exponential{First: s, Factor: 10, Max: 50 * s, Attempts: 5},
			[]time.Duration{s, 10 * s, 50 * s, 50 * s}, "",
		},
		"all the same": {
			retry.Exponential{First: s, Factor: 1, Attempts: 3}, []time.Duration{s, s}, "",
		},
		"a single attempt": {
			retry.Exponential{First: s, Attempts: 1}, []time.Duration{}, "",
		},
		"largest factor": {
			retry.Exponential{First: 1, Factor: math.MaxFloat64, Max: time.Hour, Attempts: 4},
			[]time.Duration{1, time.Hour, time.Hour}, "",
		},
		"first is the longest": {
			retry.Exponential{First: retry.MaxWait, Attempts: 2}, []time.Duration{retry.MaxWait},
			"",
		},
		"no attempt": {
			retry.Exponential{First: s}, nil, "0 attempts, allowed are 1 to 51",
		},
		"too many attempts": {
			retry.Exponential{First: s, Attempts: 52}, nil, "52 attempts",
		},
		"attempts below zero": {
			retry.Exponential{First: s, Attempts: math.MinInt}, nil, "attempts",
		},
		"shrinking": {
			retry.Exponential{First: s, Factor: 0.9, Attempts: 3}, nil, "factor 0.9",
		},
		"factor below zero": {
			retry.Exponential{First: s, Factor: -2, Attempts: 3}, nil, "factor -2",
		},
		"infinite factor": {
			retry.Exponential{First: s, Factor: inf, Attempts: 3}, nil, "factor +Inf",
		},
		"factor that is no number": {
			retry.Exponential{First: s, Factor: none, Attempts: 3}, nil, "factor NaN",
		},
		"no first wait": {retry.Exponential{Attempts: 3}, nil, "first wait 0s"},
		"first wait below zero": {
			retry.Exponential{First: -s, Attempts: 3}, nil, "first wait -1s",
		},
		"first over the longest": {
			retry.Exponential{
				First: 2 * s, Max: s, Attempts: 3,
			}, nil, "first wait 2s, longest wait 1s",
		},
		"longest is below zero": {
			retry.Exponential{First: s, Max: -s, Attempts: 3}, nil, "longest wait -1s",
		},
		"longest over what is sane": {
			retry.Exponential{First: s, Max: retry.MaxWait + 1, Attempts: 3}, nil,
			"at most 336h0m0s",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.in.Schedule()
			if (tt.err == "") != (err == nil) || err != nil &&
				(!errors.Is(err, retry.ErrSchedule) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %v with %q", err, retry.ErrSchedule, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzExponential(f *testing.F) {
	f.Add(int64(5*time.Second), 2.0, int64(time.Hour), 10)
	f.Add(int64(1), math.MaxFloat64, int64(0), 51)
	f.Add(int64(math.MaxInt64), 1.0, int64(math.MaxInt64), 2)
	f.Fuzz(func(t *testing.T, first int64, factor float64, longest int64, attempts int) {
		e := retry.Exponential{
			First: time.Duration(first), Factor: factor, Max: time.Duration(longest),
			Attempts: attempts,
		}
		schedule, err := e.Schedule()
		if err != nil {
			if !errors.Is(err, retry.ErrSchedule) {
				t.Error(err)
			}
			return
		}
		if err := retry.Validate(schedule); err != nil || schedule == nil ||
			len(schedule) != attempts-1 {
			t.Errorf("%d waits for %d attempts: %v", len(schedule), attempts, err)
		}
		for i, wait := range schedule {
			if i > 0 && wait < schedule[i-1] || longest > 0 && wait > time.Duration(longest) {
				t.Errorf("wait %d of %v", i, schedule)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)) // 11:00 UTC
	tests := map[string]struct {
		value string
		want  time.Duration
		ok    bool
	}{
		"seconds":                   {"120", 2 * time.Minute, true},
		"at once":                   {"0", 0, true},
		"leading zeros":             {"007", 7 * time.Second, true},
		"blanks around":             {" \t5 ", 5 * time.Second, true},
		"the longest":               {"86400", retry.MaxRetryAfter, true},
		"over the longest":          {"86401", retry.MaxRetryAfter, true},
		"over what a number holds":  {"99999999999999999999999", retry.MaxRetryAfter, true},
		"over what a wait holds":    {"9223372036854775807", retry.MaxRetryAfter, true},
		"date":                      {"Sun, 01 Mar 2026 11:00:30 GMT", 30 * time.Second, true},
		"date, RFC 850":             {"Sunday, 01-Mar-26 11:10:00 GMT", 10 * time.Minute, true},
		"date, asctime":             {"Sun Mar  1 13:00:00 2026", 2 * time.Hour, true},
		"date, asctime, two digits": {"Mon Mar 02 10:00:00 2026", 23 * time.Hour, true},
		"now":                       {"Sun, 01 Mar 2026 11:00:00 GMT", 0, true},
		"date that has passed":      {"Fri, 31 Dec 1999 23:59:59 GMT", 0, true},
		"date far off":              {"Fri, 31 Dec 9999 23:59:59 GMT", retry.MaxRetryAfter, true},
		"first date":                {"Mon, 01 Jan 0001 00:00:00 GMT", 0, true},
		"nothing":                   {"", 0, false},
		"blank":                     {"  ", 0, false},
		"below zero":                {"-5", 0, false},
		"with a sign":               {"+5", 0, false},
		"part of a second":          {"1.5", 0, false},
		"with a unit":               {"5s", 0, false},
		"hexadecimal":               {"0x10", 0, false},
		"digits of another script":  {"٣", 0, false},
		"digits with a separator":   {"1_000", 0, false},
		"several":                   {"5, 10", 0, false},
		"a word":                    {"soon", 0, false},
		"date in another zone":      {"Sun, 01 Mar 2026 11:00:30 PST", 0, false},
		"date of ISO 8601":          {"2026-03-01T11:00:30Z", 0, false},
		"day that is none":          {"Sun, 31 Feb 2026 11:00:30 GMT", 0, false},
		"more behind the date":      {"Sun, 01 Mar 2026 11:00:30 GMT;", 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := retry.RetryAfter(tt.value, now)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %s, %t; want %s, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{
		"120", "-1", "99999999999999999999", "Sun, 01 Mar 2026 11:00:30 GMT",
		"Sunday, 01-Mar-26 11:10:00 GMT", "Sun Mar  1 13:00:00 2026", "x",
	} {
		f.Add(value, int64(1_772_362_800))
	}
	f.Fuzz(func(t *testing.T, value string, unix int64) {
		wait, ok := retry.RetryAfter(value, time.Unix(unix, 0))
		if wait < 0 || wait > retry.MaxRetryAfter || !ok && wait != 0 {
			t.Errorf("%q: %s, %t", value, wait, ok)
		}
	})
}
