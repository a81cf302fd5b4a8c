package gate

import (
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// The changes of an endpoint's state. Each is the type of one of the relay's own events.
const (
	EndpointOpened    = "endpoint.opened"    // its circuit breaker opened: deliveries are held
	EndpointRecovered = "endpoint.recovered" // its circuit breaker closed again
	// every attempt has failed for a day: it will be disabled
	EndpointFailing  = "endpoint.failing"
	EndpointDisabled = "endpoint.disabled"
	EndpointEnabled  = "endpoint.enabled" // by the operator
	EndpointProved   = "endpoint.proved"  // it gave its proof: deliveries begin
	// it was asked for its proof and did not give it: deliveries are held
	EndpointUnproven = "endpoint.unproven"
)

// Change is a change of an endpoint's state that the operator wants to know.
type Change struct {
	Endpoint string
	Type     string // one of the EndpointX types
	Reason   string
	At       time.Time // UTC, whole milliseconds
	State    breaker.State
	Revision int64 // of State: unique among the changes of the endpoint
}

// changeOf returns the change that is worth telling between two states, or nil.
func changeOf(endpoint string, before, after breaker.State, revision int64, now time.Time) *Change {
	c := &Change{Endpoint: endpoint, At: now, State: after, Revision: revision}
	switch was, is := before.Phase(now), after.Phase(now); {
	case is == breaker.Disabled && was != breaker.Disabled:
		c.Type, c.Reason = EndpointDisabled, after.Reason
	case before.WarnedAt.IsZero() && !after.WarnedAt.IsZero():
		c.Type, c.Reason = EndpointFailing,
			"nothing but failures since "+after.FailingSince.Format(time.RFC3339)
	case before.Unproven == "" && after.Unproven != "":
		c.Type, c.Reason = EndpointUnproven, after.Unproven
	case before.Proof != after.Proof:
		c.Type = EndpointProved
	case before.Openings == 0 && after.Openings > 0:
		c.Type, c.Reason = EndpointOpened, after.Reason
	case before.Openings > 0 && after.Openings == 0 && is != breaker.Disabled:
		c.Type = EndpointRecovered
	default:
		return nil
	}
	return c
}
