package admin

import (
	"strconv"
	"strings"
	"time"
)

// moment reads a time: RFC 3339, or a time from now, such as -36h or 90d. pointer is where it came
// from.
func (s *server) moment(pointer, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	d, err := span(text)
	if err != nil {
		return time.Time{}, at(
			pointer, "%.60q is not a time; write 2026-01-02T15:04:05Z, or a time from now: -36h, 90d",
			text,
		)
	}
	return s.Now().UTC().Add(d), nil
}

// span reads a duration. A day (d) has 24 hours.
func span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n > maxDays || n < -maxDays {
			return 0, strconv.ErrRange
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

// maxDays is the largest number of days: a hundred years.
const maxDays = 36_500
