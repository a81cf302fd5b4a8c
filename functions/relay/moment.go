package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// moment is a point in time as an operator names it.
type moment struct{ time.Time }

// UnmarshalText reads a time, a day, or how long before now it was.
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
	return fmt.Errorf("%q is neither a time such as 2006-01-02T15:04:05Z or 2006-01-02 nor a duration before now such as 36h, 2d or 1w", text)
}

// span is a duration as an operator gives it: days and weeks beside the units of Go.
type span time.Duration

// UnmarshalText reads a duration.
func (s *span) UnmarshalText(text []byte) error {
	d, ok := readSpan(string(text))
	if plain, err := time.ParseDuration(string(text)); err == nil {
		d, ok = plain, true // a negative one too: the command says why it makes no sense
	}
	if !ok {
		return fmt.Errorf("%q is no duration, such as 90m, 36h, 2d or 1w", text)
	}
	*s = span(d)
	return nil
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// spanForm is weeks, days and what time.ParseDuration reads, in that order: "1w2d12h". A sign makes no sense here.
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
	weeks, _ := strconv.Atoi(parts[1]) // five digits, or none
	days, _ := strconv.Atoi(parts[2])
	hours := float64(weeks)*week.Hours() + float64(days)*day.Hours() + rest.Hours()
	if hours > time.Duration(math.MaxInt64).Hours() {
		return 0, false
	}
	return time.Duration(weeks)*week + time.Duration(days)*day + rest, true
}
