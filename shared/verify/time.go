package verify

import (
	"fmt"
	"strconv"
	"time"
)

// The forms of a timestamp.
const (
	timeSeconds = "s"
	timeMillis  = "ms"
	timeRFC3339 = "rfc3339"
	timeUTC     = "utc"  // as RFC 3339, without the offset that it wants; UTC is meant
	timeUnix    = "unix" // seconds or milliseconds, told apart by their length, where a vendor does not say which
	timeHTTP    = "http" // as the header Date has it (RFC 9110, section 5.6.7)
)

const (
	layoutUTC  = "2006-01-02T15:04:05"
	layoutHTTP = "Mon, 02 Jan 2006 15:04:05 GMT"
)

var timeFormats = []string{"", timeSeconds, timeMillis, timeRFC3339, timeUTC, timeUnix, timeHTTP}

// readTime reads a timestamp. A number is digits and nothing else, and begins with no 0: where a body stands before it, another one that ends in
// zeros would have the same signature. Twelve digits of seconds reach far beyond any year and below any overflow.
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
		if err := t.UnmarshalText(append(append(room[:0], value...), 'Z')); err != nil { // time.Parse is fast for RFC 3339 alone
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
