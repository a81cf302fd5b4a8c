package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// moment is a point in time on the command line.
type moment struct{ time.Time }

// UnmarshalText reads a time, a day, or a duration before now.
func (m *moment) UnmarshalText(text []byte) error {
	if ago, ok := readSpan(string(text)); ok {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			m.Time = at
			return nil
		}
	}
	return fmt.Errorf(
		"%q is neither a time (2006-01-02T15:04:05Z), nor a day (2006-01-02), nor a duration before now (36h, 2d, 1w)",
		text,
	)
}

// span is a duration on the command line. Beside Go's units it has d for days and w for weeks.
type span time.Duration

// UnmarshalText reads a duration.
func (s *span) UnmarshalText(text []byte) error {
	d, ok := readSpan(string(text))
	if plain, err := time.ParseDuration(string(text)); err == nil {
		d, ok = plain, true // negative durations too: the command itself rejects them and says why
	}
	if !ok {
		return fmt.Errorf("%q is not a duration; write for example 90m, 36h, 2d or 1w", text)
	}
	*s = span(d)
	return nil
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// spanForm matches weeks, days and a duration for time.ParseDuration, in that order: "1w2d12h". It
// allows no sign.
var spanForm = regexp.MustCompile(`^(?:([0-9]{1,5})w)?(?:([0-9]{1,5})d)?([0-9.].*)?$`)

func readSpan(text string) (time.Duration, bool) {
	parts := spanForm.FindStringSubmatch(text)
	if parts == nil || text == "" {
		return 0, false
	}
	var rest time.Duration
	if parts[3] != "" {
		var err error
		if rest, err = time.ParseDuration(parts[3]); err != nil {
			return 0, false
		}
	}
	weeks, _ := strconv.Atoi(parts[1]) // at most five digits; "" gives 0
	days, _ := strconv.Atoi(parts[2])
	hours := float64(weeks)*week.Hours() + float64(days)*day.Hours() + rest.Hours()
	if hours > time.Duration(math.MaxInt64).Hours() {
		return 0, false
	}
	return time.Duration(weeks)*week + time.Duration(days)*day + rest, true
}
