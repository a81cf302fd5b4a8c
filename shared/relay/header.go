package relay

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// UserAgent is the user-agent of every outbound request.
const UserAgent = "webhook-relay/1"

// Headers that tell the endpoint what it got, beside those of Standard Webhooks.
const (
	HeaderSource    = "relay-source"     // name of the source
	HeaderEventType = "relay-event-type" // event type, absent where the provider has none
	HeaderTrust     = "relay-trust"      // verified, authenticated or unverified: what the provider's proof is worth
	HeaderAttempt   = "relay-attempt"    // number of the attempt, 1 for the first
)

// notStored are the headers that end at the ingress: credentials, which are kept nowhere; what belongs to the one connection
// they came by (RFC 9110, section 7.6.1, and what it lists as such); and what the front door adds about itself.
var notStored = map[string]bool{
	"authorization": true, "cookie": true, "set-cookie": true,
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
	"host": true, "content-length": true, "expect": true, "accept-encoding": true, "accept": true, "user-agent": true,
	"traceparent": true, "forwarded": true, "via": true, "x-amzn-trace-id": true, "x-real-ip": true,
}

// notStoredPrefixes are families of such headers. Those with our own names must come from us alone.
var notStoredPrefixes = []string{"x-forwarded-", "proxy-", "cloudfront-", "relay-", "webhook-"}

// IsReserved tells whether a header (lower-case name) is the relay's own to set on outbound requests or belongs to the
// connection, so that neither a provider nor the configuration may set it.
func IsReserved(name string) bool {
	if name == "authorization" || name == "cookie" || name == "accept" {
		return false
	}
	return !passes(name)
}

func passes(name string) bool {
	if notStored[name] {
		return false
	}
	for _, p := range notStoredPrefixes {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	return true
}

// KeepsHeader tells whether a header of an inbound request (lower-case name) is kept with the event,
// so that filters see it; drop are the headers of the scheme's signatures. See storedHeader.
func KeepsHeader(name string, drop []string) bool {
	return passes(name) && !strings.Contains(name, "signature") && !slices.Contains(drop, name)
}

// storedHeader returns what of an inbound request's headers is kept and passed on: all but notStored, the headers in drop
// (the scheme's signatures), and whatever else calls itself a signature, since it would not verify at the endpoint. What the
// header "connection" names belongs to the connection as well.
func storedHeader(h Header, drop []string) Header {
	kept := make(Header, len(h))
	for name, value := range h {
		if KeepsHeader(name, drop) {
			kept[name] = value
		}
	}
	for name := range strings.SplitSeq(h["connection"], ",") {
		delete(kept, strings.ToLower(strings.TrimSpace(name)))
	}
	return kept
}

// outboundHeader returns the headers of one attempt: the provider's, then the endpoint's own, then ours.
func outboundHeader(e Event, ep Endpoint, attempt int, signature map[string]string) Header {
	h := make(Header, len(e.Header)+len(ep.Header)+len(signature)+6)
	maps.Copy(h, e.Header)
	maps.Copy(h, ep.Header)
	maps.Copy(h, signature)
	h["user-agent"] = UserAgent
	h["traceparent"] = childTrace(e.Trace)
	h[HeaderSource] = e.Source
	if e.Type != "" {
		h[HeaderEventType] = e.Type
	}
	if e.Trust != "" {
		h[HeaderTrust] = string(e.Trust)
	}
	h[HeaderAttempt] = strconv.Itoa(attempt)
	return h
}

// traceparent is the W3C form, https://www.w3.org/TR/trace-context/#traceparent-header, version 00.
var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)

// newTrace returns the traceparent that an event keeps: the partner's if it is well-formed, else a new one, sampled.
func newTrace(inbound string) string {
	m := traceparent.FindStringSubmatch(inbound)
	if m == nil || strings.Trim(m[1], "0") == "" || strings.Trim(m[2], "0") == "" {
		return "00-" + randomHex(16) + "-" + randomHex(8) + "-01"
	}
	return inbound
}

// childTrace returns a traceparent of the same trace with a span of its own.
func childTrace(parent string) string {
	m := traceparent.FindStringSubmatch(parent)
	if m == nil {
		return newTrace("")
	}
	return "00-" + m[1] + "-" + randomHex(8) + "-" + m[3]
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// wholeMillis is the precision of times on record.
func wholeMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
