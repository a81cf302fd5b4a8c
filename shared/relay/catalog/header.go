package catalog

import (
	"slices"
	"strings"
)

// reserved are the headers that the configuration may not set. Some belong to one connection (RFC
// 9110, section 7.6.1, and the headers it lists). Some are added by API Gateway or a proxy, about
// itself or about the request's URL, whose query may contain a token. The others are set by the
// relay.
var reserved = map[string]bool{
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true,
	"upgrade": true,
	"host":    true, "content-length": true, "expect": true, "accept-encoding": true,
	"accept": true, "user-agent": true,
	"traceparent": true, "forwarded": true, "via": true, "x-amzn-trace-id": true, "x-real-ip": true,
	"x-original-uri": true, "x-original-url": true, "x-rewrite-url": true, "set-cookie": true,
}

// reservedPrefixes begin the names of further such headers. Headers with the relay's own prefixes
// must come from the relay alone.
var reservedPrefixes = []string{"x-forwarded-", "proxy-", "cloudfront-", "relay-", "webhook-"}

// IsReserved tells whether the configuration may not set a header (lower-case name) on outbound
// requests: the relay sets it, or it belongs to the connection.
func IsReserved(name string) bool {
	return name != "accept" && BelongsToConnection(name)
}

// BelongsToConnection tells whether an inbound header (lower-case name) is not passed on: it
// belongs to the connection, or the relay sets it.
func BelongsToConnection(name string) bool {
	return reserved[name] ||
		slices.ContainsFunc(reservedPrefixes, func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		})
}
