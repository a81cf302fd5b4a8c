package gate

import (
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// What changes of an endpoint's state: a type of the relay's own events each.
const (
	EndpointOpened    = "endpoint.opened"    // its breaker opened: deliveries are held
	EndpointRecovered = "endpoint.recovered" // its breaker closed again
	EndpointFailing   = "endpoint.failing"   // a day of nothing but failures: it will be disabled
	EndpointDisabled  = "endpoint.disabled"
	EndpointEnabled   = "endpoint.enabled"  // by its operator
	EndpointProved    = "endpoint.proved"   // it has proved itself: deliveries begin
	EndpointUnproven  = "endpoint.unproven" // it was asked to, and did not: deliveries are held
)

// Change is a change of an endpoint's state that its operator wants to know of.
type Change struct {
	Endpoint string
	Type     string // one of the EndpointX types
	Reason   string
	At       time.Time // UTC, whole milliseconds
	State    breaker.State
	Revision int64 // of State: no other change of the endpoint has it
}

// changeOf returns what of a change of state is worth telling; nil for nothing.
func changeOf(endpoint string, before, after breaker.State, revision int64, now time.Time) *Change {
	c := &Change{Endpoint: endpoint, At: now, State: after, Revision: revision}
	switch was, is := before.Phase(now), after.Phase(now); {
	case is == breaker.Disabled && was != breaker.Disabled:
		c.Type, c.Reason = EndpointDisabled, after.Reason
	case before.WarnedAt.IsZero() && !after.WarnedAt.IsZero():
		c.Type, c.Reason = EndpointFailing, "nothing but failures since "+after.FailingSince.Format(time.RFC3339)
	case before.Unproved == "" && after.Unproved != "":
		c.Type, c.Reason = EndpointUnproven, after.Unproved
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
