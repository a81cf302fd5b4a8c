package relay

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// UserAgent is the user-agent of every outbound request.
const UserAgent = "webhook-relay/1"

// Headers that the relay adds for the endpoint, beside those of Standard Webhooks.
const (
	HeaderSource    = "relay-source"     // name of the source
	HeaderTenant    = "relay-tenant"     // to whom the event belongs, if to a tenant
	HeaderEventType = "relay-event-type" // event type, absent where the provider has none
	// verified, authenticated or unverified: what the provider's proof is worth
	HeaderTrust   = "relay-trust"
	HeaderAttempt = "relay-attempt" // number of the attempt, 1 for the first
)

// Keeps tells whether an inbound header (lower-case name) is stored with its event and sent to
// endpoints. A header that holds its source's proof is not kept either. Filters cannot see a header
// that is not kept: see verify.IsCredential.
func Keeps(name string) bool {
	return !catalog.BelongsToConnection(name) && !verify.IsCredential(name)
}

// storedHeader returns the inbound headers that are stored and sent to endpoints. These are the
// ones that Keeps allows, without those in drop (the proof of this source) and without those that
// the header "connection" names, which belong to the connection too.
func storedHeader(h Header, drop []string) Header {
	kept := make(Header, len(h))
	for name, value := range h {
		if Keeps(name) {
			kept[name] = value
		}
	}
	for _, name := range drop {
		delete(kept, name)
	}
	for name := range strings.SplitSeq(h["connection"], ",") {
		delete(kept, strings.ToLower(strings.TrimSpace(name)))
	}
	if state := inheritedState(h); state != "" {
		kept[headerTracestate] = state
	} else {
		delete(kept, headerTracestate)
	}
	return kept
}

// outboundHeader returns the headers of one attempt. Later ones replace earlier ones: the
// provider's, the endpoint's own, ours.
func outboundHeader(e Event, ep catalog.Endpoint, attempt int, signature map[string]string) Header {
	h := make(Header, len(e.Header)+len(ep.Header)+len(signature)+6)
	maps.Copy(h, e.Header)
	maps.Copy(h, ep.Header)
	maps.Copy(h, signature)
	h["user-agent"] = UserAgent
	h[headerTraceparent] = childTrace(e.Trace)
	h[HeaderSource] = e.Source
	if tenant, _ := catalog.SplitName(ep.Name); tenant != "" {
		_, h[HeaderSource] = catalog.SplitName(e.Source) // the name that the tenant knows
	}
	if e.Tenant != "" {
		h[HeaderTenant] = e.Tenant
	}
	if e.Type != "" {
		h[HeaderEventType] = e.Type
	}
	if e.Trust != "" {
		h[HeaderTrust] = string(e.Trust)
	}
	h[HeaderAttempt] = strconv.Itoa(attempt)
	return h
}

// Forwarded returns the headers with which an endpoint of a tenant ("": of the operator) would get
// an event, for whoever forwards a copy of it.
func Forwarded(e Event, tenant string, attempt int, signature map[string]string) Header {
	return outboundHeader(
		e, catalog.Endpoint{Name: catalog.Qualify(tenant, "listener")}, attempt, signature,
	)
}

// wholeMillis rounds a time down to the precision of recorded times.
func wholeMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
