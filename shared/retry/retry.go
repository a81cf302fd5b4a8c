package retry

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultSchedule is the example schedule of Standard Webhooks: ten attempts in 75 hours and 35
// minutes, plus a jitter of up to a tenth. It must not be changed.
//
//	attempt  wait before  since the first
//	1                                   0
//	2                 5s               5s
//	3                 5m            5m 5s
//	4                30m           35m 5s
//	5                 2h        2h 35m 5s
//	6                 5h        7h 35m 5s
//	7                10h       17h 35m 5s
//	8                14h       31h 35m 5s
//	9                20h       51h 35m 5s
//	10               24h       75h 35m 5s
//
// Source:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
// "Deliverability and reliability".
var DefaultSchedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// The limits of a schedule for Validate. A wait of more than two weeks is probably a mistake. So
// are more entries than the attempts that a delivery's record keeps.
const (
	MaxWait    = 14 * 24 * time.Hour
	MaxTotal   = 14 * 24 * time.Hour // of all waits; large bodies are kept for as long
	MaxEntries = 50
)

// ErrSchedule says that a schedule exceeds a limit. The message names the entry and the allowed
// values.
var ErrSchedule = errors.New("retry: schedule")

// jitter is the largest part of a wait that is added at random.
const jitter = 0.1

// Wait returns how long to wait after a failed attempt: schedule[step], with Jitter. step is the
// number of attempts before it in the same cycle. It returns false when the schedule is used up.
func Wait(schedule []time.Duration, step int, random func() float64) (time.Duration, bool) {
	if step < 0 || step >= len(schedule) {
		return 0, false
	}
	return Jitter(schedule[step], random), true
}

// Jitter returns wait, lengthened at random by up to a tenth. random returns numbers in [0, 1). The
// result is at most the longest possible duration. A negative wait counts as zero.
func Jitter(wait time.Duration, random func() float64) time.Duration {
	wait = max(wait, 0)
	extra := time.Duration(float64(wait) * jitter * random())
	if wait > math.MaxInt64-extra {
		return math.MaxInt64
	}
	return wait + extra
}

// Validate checks that a schedule has at most MaxEntries entries, that each is longer than 0 and at
// most MaxWait, and that they are at most MaxTotal together. Its error is ErrSchedule. An empty
// schedule is valid: it means a single attempt.
func Validate(schedule []time.Duration) error {
	if len(schedule) > MaxEntries {
		return fmt.Errorf(
			"%w: %d entries, at most %d are allowed", ErrSchedule, len(schedule), MaxEntries,
		)
	}
	var total time.Duration
	for i, wait := range schedule {
		if total += wait; total > MaxTotal && wait <= MaxWait {
			return fmt.Errorf(
				"%w: the first %d entries take %s, at most %s are allowed", ErrSchedule, i+1, total,
				MaxTotal,
			)
		}
		if wait <= 0 || wait > MaxWait {
			return fmt.Errorf("%w: entry %d of %d is %s; it must be more than 0s and at most %s",
				ErrSchedule, i+1, len(schedule), wait, MaxWait)
		}
	}
	return nil
}

// DefaultFactor is the factor of an Exponential whose Factor is 0.
const DefaultFactor = 2

// Exponential describes a schedule whose waits grow by a factor.
type Exponential struct {
	First time.Duration // the wait after the first failed attempt
	// each wait as a multiple of the one before, at least 1; 0: DefaultFactor
	Factor   float64
	Max      time.Duration // no wait is longer; 0: MaxWait
	Attempts int           // in all, including the first
}

// Schedule returns the waits of e, one fewer than it has attempts. The slice is never nil. The
// error is ErrSchedule if a field is out of range or if Validate would refuse the schedule.
func (e Exponential) Schedule() ([]time.Duration, error) {
	if e.Factor == 0 {
		e.Factor = DefaultFactor
	}
	if e.Max == 0 {
		e.Max = MaxWait
	}
	switch {
	case e.Attempts < 1 || e.Attempts > MaxEntries+1:
		return nil, fmt.Errorf(
			"%w: %d attempts, allowed are 1 to %d", ErrSchedule, e.Attempts, MaxEntries+1,
		)
	case !(e.Factor >= 1) || math.IsInf(e.Factor, 0): // NaN fails the comparison
		return nil, fmt.Errorf("%w: factor %g; it must be 1 or more", ErrSchedule, e.Factor)
	case e.First <= 0 || e.First > e.Max || e.Max > MaxWait:
		return nil, fmt.Errorf("%w: first wait %s, longest wait %s; the first must be more than 0s, and the longest at least as long and at most %s",
			ErrSchedule, e.First, e.Max, MaxWait)
	}
	waits := make([]time.Duration, e.Attempts-1)
	wait := float64(e.First)
	for i := range waits {
		waits[i] = time.Duration(wait)
		wait = min(wait*e.Factor, float64(e.Max)) // an infinite product is cut too
	}
	if err := Validate(waits); err != nil {
		return nil, err
	}
	return waits, nil
}

// MaxRetryAfter is the longest wait that RetryAfter returns, as long as the longest wait of
// DefaultSchedule. An endpoint that names a date next year must not hold its deliveries for longer
// than they are kept.
const MaxRetryAfter = 24 * time.Hour

// The forms of a date in HTTP (RFC 9110, section 5.6.7). All of them are in UTC.
var dateForms = []string{
	"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC,
}

// RetryAfter returns how long from now an endpoint asks not to be called. value is the header
// Retry-After (RFC 9110, section 10.2.3): whole seconds, or a date. The wait is 0 for a date in the
// past, and at most MaxRetryAfter. It returns false for any other text. The schedule's own wait is
// always the minimum:
//
//	wait = max(wait, retry.Jitter(asked, rand.Float64))
func RetryAfter(value string, now time.Time) (time.Duration, bool) { //nolint:revive // the name of the header
	value = strings.Trim(value, " \t")
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		// for digits alone, the only error is that the number is too large
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	for _, form := range dateForms {
		if date, err := time.Parse(form, value); err == nil {
			return min(max(date.Sub(now), 0), MaxRetryAfter), true
		}
	}
	return 0, false
}
