package gate

import (
	"cmp"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// Hold tells why a delivery is held. It is stored with the delivery. The set is closed.
type Hold string

// The reasons to hold a delivery.
const (
	HeldOpen        Hold = Hold(breaker.Open)       // the endpoint's circuit breaker is open
	HeldRecovering  Hold = Hold(breaker.Recovering) // it was open a moment ago
	HeldPaused      Hold = Hold(breaker.Paused)     // the endpoint or the operator made a pause
	HeldUnproven    Hold = Hold(breaker.Unproven)   // the endpoint has to give its proof first
	HeldRate        Hold = "rate"                   // the endpoint's rate limit
	HeldConcurrency Hold = "concurrency"            // the endpoint's limit of attempts in flight
	HeldTenantRate  Hold = "tenant_rate"            // the rate of all endpoints of the tenant
)

// Limits is the part of an endpoint's configuration that says when it may be called.
type Limits struct {
	Name        string
	Timeout     time.Duration // of an attempt
	RateLimit   int           // attempts in each RatePer, over all instances; 0: no limit
	RatePer     time.Duration // zero: a second
	Concurrency int           // attempts in flight, over all instances; 0: no limit
	// names the proof that it must give before its first delivery; "": none
	Proof string

	Tenant string // whose endpoint it is; "": the operator's
	// attempts at all endpoints of the tenant together; the zero Rate: no limit
	TenantRate catalog.Rate
}

// rate returns the endpoint's rate limit, or the rate that it allowed with its proof (attempts a
// minute) if that is lower.
func (ep Limits) rate(allowed int) rate {
	own := rate{attempts: ep.RateLimit, per: cmp.Or(ep.RatePer, time.Second)}
	if granted := (rate{attempts: allowed, per: time.Minute}); ep.Proof != "" &&
		granted.below(own) {
		return granted
	}
	return own
}
