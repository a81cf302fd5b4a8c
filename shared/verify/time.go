package verify

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// The forms of a timestamp.
const (
	timeSeconds = "s"
	timeMillis  = "ms"
	timeRFC3339 = "rfc3339"
	timeUTC     = "utc" // as RFC 3339, without the required offset; UTC is meant
	// seconds or milliseconds, told apart by their length, for vendors that do not say which
	timeUnix = "unix"
	timeHTTP = "http" // as in the header Date (RFC 9110, section 5.6.7)
)

const (
	layoutUTC  = "2006-01-02T15:04:05"
	layoutHTTP = "Mon, 02 Jan 2006 15:04:05 GMT"
)

// timeFormats are the formats that a configuration may name.
var timeFormats = []string{"", timeSeconds, timeMillis, timeRFC3339, timeUTC, timeUnix, timeHTTP}

// readTime reads a timestamp. A number consists of digits only and has no leading 0. Otherwise, if
// the body comes directly before it, another body that ends in zeros would have the same signature.
// Twelve digits of seconds are far beyond any real date and far below an overflow.
func readTime(format, where, value string) (time.Time, error) {
	if format == timeUnix {
		format = timeSeconds
		if len(value) > len("9999999999") {
			format = timeMillis
		}
	}
	bad := func(expected string) (time.Time, error) {
		return time.Time{}, fmt.Errorf("%w: %s is not %s", ErrMalformed, where, expected)
	}
	switch format {
	case timeRFC3339:
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return bad("a time as RFC 3339 writes it")
		}
		return t, nil
	case timeUTC:
		var room [len(layoutUTC) + len(".000000Z")]byte
		var t time.Time
		// time.Parse is fast only for RFC 3339
		if err := t.UnmarshalText(append(append(room[:0], value...), 'Z')); err != nil {
			return bad("a time as RFC 3339 writes it, without an offset")
		}
		return t, nil
	case timeHTTP:
		t, err := time.Parse(layoutHTTP, value)
		if err != nil {
			return bad("a time as the header Date has it")
		}
		return t, nil
	case timeMillis:
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || len(value) > 15 || hasZeroBefore(value) {
			return bad("a time in Unix milliseconds")
		}
		return time.UnixMilli(int64(n)), nil // #nosec G115 -- at most fifteen digits
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || len(value) > 12 || hasZeroBefore(value) {
		return bad("a time in Unix seconds")
	}
	return time.Unix(int64(n), 0), nil // #nosec G115 -- at most twelve digits
}

func hasZeroBefore(number string) bool { return len(number) > 1 && number[0] == '0' }

// freshness says how far a signed time may differ from the time of receipt.
type freshness struct {
	past, future time.Duration
}

// DefaultMaxAge is the default of MaxAge: a relay remembers delivery ids for as long by default.
const DefaultMaxAge = 30 * 24 * time.Hour

// freshness returns the limits for a scheme with the given tolerance. A copy must never be accepted
// after the original's id is forgotten. The original may have arrived before its own timestamp, so
// future and past together are at most the maximum age.
func (k *keys) freshness(tolerance time.Duration) freshness {
	maxAge := cmp.Or(k.maxAge, DefaultMaxAge)
	f := freshness{past: tolerance, future: tolerance}
	if tolerance > 24*time.Hour { // such a tolerance is for repeated sending, not for wrong clocks
		f.future = DefaultTolerance
	}
	f.future = min(f.future, maxAge/2)
	f.past = min(f.past, maxAge-f.future)
	return f
}

// check compares a signed time with the time of receipt.
func (f freshness) check(sentAt, receivedAt time.Time) error {
	age := receivedAt.Sub(sentAt)
	if age > f.past {
		return fmt.Errorf("%w: %s old, tolerance %s", ErrStale, seconds(age), seconds(f.past))
	}
	if age < -f.future {
		return fmt.Errorf("%w: %s ahead, tolerance %s", ErrFuture, seconds(-age), seconds(f.future))
	}
	return nil
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Truncate(time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

func writeTime(format string, t time.Time) string {
	switch format {
	case timeRFC3339:
		return t.UTC().Format(time.RFC3339)
	case timeUTC:
		return t.UTC().Format(layoutUTC)
	case timeHTTP:
		return t.UTC().Format(layoutHTTP)
	case timeMillis:
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return strconv.FormatInt(t.Unix(), 10)
}
