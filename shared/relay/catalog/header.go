package catalog

import (
	"slices"
	"strings"
)

// reserved are the headers that belong to the one connection they came by (RFC 9110, section 7.6.1, and what it lists as such),
// that the front door adds about itself or the request's URL, whose query may hold a token, and those that the relay sets.
var reserved = map[string]bool{
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
	"host": true, "content-length": true, "expect": true, "accept-encoding": true, "accept": true, "user-agent": true,
	"traceparent": true, "forwarded": true, "via": true, "x-amzn-trace-id": true, "x-real-ip": true,
	"x-original-uri": true, "x-original-url": true, "x-rewrite-url": true, "set-cookie": true,
}

// reservedPrefixes are families of such headers. Those with our own names must come from us alone.
var reservedPrefixes = []string{"x-forwarded-", "proxy-", "cloudfront-", "relay-", "webhook-"}

// IsReserved tells whether a header (lower-case name) is the relay's own to set on outbound requests or belongs to the
// connection, so that the configuration may not set it.
func IsReserved(name string) bool {
	return name != "accept" && BelongsToConnection(name)
}

// BelongsToConnection tells whether an inbound header (lower-case name) stays behind: it belongs to the connection, or is one that the relay sets itself.
func BelongsToConnection(name string) bool {
	return reserved[name] ||
		slices.ContainsFunc(reservedPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
