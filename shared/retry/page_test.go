package retry_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/retry"
)

// TestPageSchedule makes the table of the default schedule in docs/delivering.md.
func TestPageSchedule(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"attempt", "wait before it", "time since the first attempt"}, {"1", "none", "0"},
	}
	var since time.Duration
	for i, wait := range retry.DefaultSchedule {
		since += wait
		rows = append(rows, []string{strconv.Itoa(i + 2), inWords(wait), inWords(since)})
	}
	page.Hold(t, "../../docs/delivering.md", "retry-schedule", page.Table(rows...))
}

// inWords formats a duration with spaces between number and unit, without zero parts.
func inWords(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.size; n > 0 {
			parts = append(parts, strconv.Itoa(int(n))+" "+unit.name)
			d %= unit.size
		}
	}
	return strings.Join(parts, " ")
}
