package retry

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultSchedule is the example schedule of Standard Webhooks: ten attempts in 75 hours and 35 minutes, to which jitter adds up
// to a tenth. It must not be changed.
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
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Deliverability and
// reliability".
var DefaultSchedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// The bounds of a schedule that Validate accepts. A wait of more than two weeks is a slip of the pen, and so are more entries
// than a delivery's record keeps attempts.
const (
	MaxWait    = 14 * 24 * time.Hour
	MaxTotal   = 14 * 24 * time.Hour // of all waits: large bodies are kept for as long
	MaxEntries = 50
)

// ErrSchedule: a schedule is out of bounds; the message says which entry and what is allowed.
var ErrSchedule = errors.New("retry: schedule")

// jitter is the largest part of a wait that is added to it.
const jitter = 0.1

// Wait returns how long to wait after a failed attempt that step others went before in the same cycle: schedule[step], with Jitter. It
// returns false when the schedule is used up.
func Wait(schedule []time.Duration, step int, random func() float64) (time.Duration, bool) {
	if step < 0 || step >= len(schedule) {
		return 0, false
	}
	return Jitter(schedule[step], random), true
}

// Jitter returns wait lengthened by up to a tenth, as random, which returns numbers in [0, 1), will have it. A duration too long to be
// lengthened becomes the longest there is, one below zero counts as zero.
func Jitter(wait time.Duration, random func() float64) time.Duration {
	wait = max(wait, 0)
	extra := time.Duration(float64(wait) * jitter * random())
	if wait > math.MaxInt64-extra {
		return math.MaxInt64
	}
	return wait + extra
}

// Validate checks that a schedule has at most MaxEntries entries, each longer than 0 and at most MaxWait, and MaxTotal together;
// else ErrSchedule. An
// empty schedule is valid: a single attempt.
func Validate(schedule []time.Duration) error {
	if len(schedule) > MaxEntries {
		return fmt.Errorf("%w: %d entries, at most %d are allowed", ErrSchedule, len(schedule), MaxEntries)
	}
	var total time.Duration
	for i, wait := range schedule {
		if total += wait; total > MaxTotal && wait <= MaxWait {
			return fmt.Errorf("%w: the first %d entries take %s, at most %s are allowed", ErrSchedule, i+1, total, MaxTotal)
		}
		if wait <= 0 || wait > MaxWait {
			return fmt.Errorf("%w: entry %d of %d is %s, allowed is more than 0s and at most %s",
				ErrSchedule, i+1, len(schedule), wait, MaxWait)
		}
	}
	return nil
}

// DefaultFactor is the factor of an Exponential that names none.
const DefaultFactor = 2

// Exponential describes a schedule whose waits grow by a factor.
type Exponential struct {
	First    time.Duration // the wait after the first failed attempt
	Factor   float64       // each wait in terms of the one before, at least 1; 0: DefaultFactor
	Max      time.Duration // no wait is longer; 0: MaxWait
	Attempts int           // in all, the first included
}

// Schedule returns the waits of e, one fewer than it has attempts and none of them nil; ErrSchedule where a number makes no sense, or
// the schedule would be refused by Validate.
func (e Exponential) Schedule() ([]time.Duration, error) {
	if e.Factor == 0 {
		e.Factor = DefaultFactor
	}
	if e.Max == 0 {
		e.Max = MaxWait
	}
	switch {
	case e.Attempts < 1 || e.Attempts > MaxEntries+1:
		return nil, fmt.Errorf("%w: %d attempts, allowed are 1 to %d", ErrSchedule, e.Attempts, MaxEntries+1)
	case !(e.Factor >= 1) || math.IsInf(e.Factor, 0): // NaN is neither
		return nil, fmt.Errorf("%w: factor %g, allowed is 1 and more", ErrSchedule, e.Factor)
	case e.First <= 0 || e.First > e.Max || e.Max > MaxWait:
		return nil, fmt.Errorf("%w: first wait %s, longest %s, allowed is more than 0s, in this order, and at most %s",
			ErrSchedule, e.First, e.Max, MaxWait)
	}
	waits := make([]time.Duration, e.Attempts-1)
	wait := float64(e.First)
	for i := range waits {
		waits[i] = time.Duration(wait)
		wait = min(wait*e.Factor, float64(e.Max)) // at worst the infinite is cut, too
	}
	if err := Validate(waits); err != nil {
		return nil, err
	}
	return waits, nil
}

// MaxRetryAfter is the longest wait that RetryAfter returns, which is the longest of DefaultSchedule: an endpoint that names a day next
// year must not hold its deliveries for longer than they are kept.
const MaxRetryAfter = 24 * time.Hour

// The forms of a date in HTTP: RFC 9110, section 5.6.7. The time is in UTC in each.
var dateForms = []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

// RetryAfter returns how long from now an endpoint wants to be left alone, by the value of the header Retry-After (RFC 9110, section
// 10.2.3): a number of whole seconds, or a date. The wait is 0 for a date that has passed, and at most MaxRetryAfter. It returns false for
// everything else, which says nothing. The schedule's own wait is the least in any case:
//
//	wait = max(wait, retry.Jitter(asked, rand.Float64))
func RetryAfter(value string, now time.Time) (time.Duration, bool) { //nolint:revive // the name of the header
	value = strings.Trim(value, " \t")
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) { // the one error that digits alone can have is to be too many
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
