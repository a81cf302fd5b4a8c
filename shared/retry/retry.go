package retry

import (
	"errors"
	"fmt"
	"math"
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
	MaxEntries = 50
)

// ErrSchedule: a schedule is out of bounds; the message says which entry and what is allowed.
var ErrSchedule = errors.New("retry: schedule")

// jitter is the largest part of a wait that is added to it.
const jitter = 0.1

// Wait returns how long to wait after a failed attempt that step others went before in the same cycle: schedule[step],
// lengthened by up to a tenth as random, which returns numbers in [0, 1), will have it. It returns false when the schedule is
// used up. A duration too long to be lengthened becomes the longest there is, one below zero counts as zero.
func Wait(schedule []time.Duration, step int, random func() float64) (time.Duration, bool) {
	if step < 0 || step >= len(schedule) {
		return 0, false
	}
	wait := max(schedule[step], 0)
	extra := time.Duration(float64(wait) * jitter * random())
	if wait > math.MaxInt64-extra {
		return math.MaxInt64, true
	}
	return wait + extra, true
}

// Validate checks that a schedule has at most MaxEntries entries, each longer than 0 and at most MaxWait; else ErrSchedule. An
// empty schedule is valid: a single attempt.
func Validate(schedule []time.Duration) error {
	if len(schedule) > MaxEntries {
		return fmt.Errorf("%w: %d entries, at most %d are allowed", ErrSchedule, len(schedule), MaxEntries)
	}
	for i, wait := range schedule {
		if wait <= 0 || wait > MaxWait {
			return fmt.Errorf("%w: entry %d of %d is %s, allowed is more than 0s and at most %s",
				ErrSchedule, i+1, len(schedule), wait, MaxWait)
		}
	}
	return nil
}
