package relay

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// The headers of W3C Trace Context, https://www.w3.org/TR/trace-context-2/.
const (
	headerTraceparent = "traceparent"
	headerTracestate  = "tracestate"
)

// knownFlags are the trace flags that are passed on: sampled, and random-trace-id of level 2. All
// others must be zero.
const knownFlags = 0x03

// trace is a parsed traceparent.
type trace struct {
	id, span string // 32 and 16 hex digits
	flags    byte
}

func (t trace) String() string {
	return "00-" + t.id + "-" + t.span + "-" + hex.EncodeToString([]byte{t.flags})
}

// parentLength is the length of a traceparent of version 00: version, trace id, span id and flags,
// with dashes between.
const parentLength = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")

// readTrace parses a traceparent. From an unknown version it reads the fields of version 00, as
// section 4.3 of the specification asks. ok is false if a new trace must begin.
func readTrace(inbound string) (t trace, ok bool) {
	known, later := inbound, ""
	if len(inbound) > parentLength {
		known, later = inbound[:parentLength], inbound[parentLength:]
	}
	parts := strings.Split(known, "-")
	if len(known) != parentLength || len(parts) != 4 {
		return trace{}, false
	}
	version := parts[0]
	if !isHex(version, 2) || version == "ff" || version == "00" && later != "" || later != "" &&
		later[0] != '-' {
		return trace{}, false
	}
	t.id, t.span = parts[1], parts[2]
	if !isHex(t.id, 32) || !isHex(t.span, 16) || !isHex(parts[3], 2) || isZero(t.id) ||
		isZero(t.span) {
		return trace{}, false
	}
	flags, _ := hex.DecodeString(parts[3])
	t.flags = flags[0] & knownFlags
	return t, true
}

// isHex tells whether s is n hex digits in lower case.
func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }

func isZero(digits string) bool { return strings.Trim(digits, "0") == "" }

// newTrace returns the traceparent that an event keeps, in version 00: the partner's if it is
// valid, else a new one, sampled.
func newTrace(inbound string) string {
	t, ok := readTrace(inbound)
	if !ok {
		t = trace{id: randomHex(16), span: randomHex(8), flags: 1}
	}
	return t.String()
}

// childTrace returns a traceparent of the same trace with a span of its own.
func childTrace(parent string) string {
	t, ok := readTrace(parent)
	if !ok {
		return newTrace("")
	}
	t.span = randomHex(8)
	return t.String()
}

// Limits of tracestate. The specification allows 32 members and requires that at least 512
// characters are passed on. Members longer than longMember are dropped first.
const (
	maxStateMembers = 32
	maxStateBytes   = 512
	longMember      = 128
)

// inheritedState returns the tracestate to pass on. It returns "" if the tracestate is malformed,
// or if the traceparent is missing or invalid: a tracestate belongs to its traceparent.
func inheritedState(h Header) string {
	if _, ok := readTrace(h[headerTraceparent]); !ok {
		return ""
	}
	var members []string
	seen := map[string]bool{}
	for member := range strings.SplitSeq(h[headerTracestate], ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue // the grammar allows it
		}
		key, value, _ := strings.Cut(member, "=")
		if !isStateKey(key) || !isStateValue(value) || seen[key] {
			return ""
		}
		seen[key] = true
		members = append(members, member)
	}
	if len(members) > maxStateMembers {
		return ""
	}
	return shortened(members)
}

// isStateKey and isStateValue check a member of tracestate against the grammar of level 2 of the
// specification.
func isStateKey(key string) bool {
	const first, rest = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789_-*/@"
	return key != "" && len(key) <= 256 && strings.Contains(first, key[:1]) &&
		strings.Trim(key, rest) == ""
}

func isStateValue(value string) bool {
	return value != "" && len(value) <= 256 && !strings.ContainsFunc(value, func(r rune) bool {
		return r < ' ' || r > '~' || r == '='
	})
}

// shortened joins the members that fit. It drops long ones first, then the last ones, which are the
// oldest.
func shortened(members []string) string {
	joined := strings.Join(members, ",")
	if len(joined) <= maxStateBytes {
		return joined
	}
	var kept []string
	for _, member := range members {
		if len(member) <= longMember {
			kept = append(kept, member)
		}
	}
	for joined = strings.Join(kept, ","); len(joined) > maxStateBytes; joined = strings.Join(kept, ",") {
		kept = kept[:len(kept)-1]
	}
	return joined
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}
