package relay

import (
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

// Status is the state of a delivery. The set is closed.
type Status string

// The states of a delivery. A delivery that was neither attempted nor held has no record yet. It
// counts as waiting.
const (
	Waiting   Status = "waiting"   // an attempt failed and the next one is due later, or it is held
	Delivered Status = "delivered" // the endpoint answered 2xx
	Dead      Status = "dead"      // no attempt follows; it is listed and can be replayed
	// its transform left nothing to send; no attempt follows
	Unneeded Status = "unneeded"
)

// Outcome tells how an attempt ended. The set is closed.
type Outcome string

// The outcomes of an attempt. After any outcome but Succeeded the delivery is retried or dies.
const (
	Succeeded Outcome = "succeeded" // 2xx
	// any other status; redirects are not followed, so 3xx too
	FailedAnswer Outcome = "failed_answer"
	Blocked      Outcome = "blocked"     // the guard forbids the address or port: nothing was sent
	DNSFailed    Outcome = "dns"         // the host name did not resolve
	Unreachable  Outcome = "unreachable" // no connection to the address
	TLSFailed    Outcome = "tls"         // handshake or certificate
	// no token or secret to authenticate with: nothing was sent
	AuthFailed Outcome = "auth"
	TimedOut   Outcome = "timeout" // the endpoint's timeout passed, in any phase
	// the connection was reset or closed early, or the answer is not HTTP
	Broken Outcome = "broken"
	// nothing was sent and no attempt follows: the delivery is too old, its endpoint is disabled or
	// no longer in the catalog, or its transform failed. The reason of death says which. Without a
	// reason, the transform left nothing to send.
	Skipped Outcome = "skipped"
)

// Reason tells why a delivery died. The set is closed.
type Reason string

// The reasons of death.
const (
	Exhausted Reason = "exhausted" // every attempt of the schedule failed
	// it is older than the endpoint's MaxAge, or waited 13 days in an ordered queue
	Expired Reason = "expired"
	// the endpoint is disabled, or no longer in the catalog
	EndpointGone Reason = "endpoint_gone"
	// the endpoint's answer was final: 410, webhook-delivery, or one of Endpoint.Final
	Declined Reason = "declined"
	// the transform failed for this event; Attempt.Error says why
	TransformFailed Reason = "transform"
	// the event is not as the schema of its type wants it, and the source refuses such events
	SchemaFailed Reason = "schema"
	// the event is larger than its destination takes
	TooLarge Reason = "too_large"
)

// Attempt is one try of a delivery: usually one POST.
type Attempt struct {
	Number     int           // 1 for the first; counts over all cycles
	At         time.Time     // UTC, whole milliseconds; its start
	Duration   time.Duration // whole milliseconds
	Timing     Timing
	Outcome    Outcome
	StatusCode int // 0: no status line came
	// what went wrong, without secrets; "" after an answer, unless a destination gave it
	Error    string
	Response []byte // the first MaxResponseBytes of the answer's body
}

// Timing is how long the phases of an attempt's request took, in whole milliseconds. A phase that
// was not over when the attempt ended lasts until then. Zero: less than half a millisecond, or
// there was no such phase, as on a connection that was open already.
type Timing struct {
	DNS       time.Duration // the lookup of the host's name
	Connect   time.Duration // TCP
	TLS       time.Duration // the handshake
	FirstByte time.Duration // from the end of the request to the first byte of the answer
}

// MaxResponseBytes is how many bytes of an answer are read and kept with the attempt.
const MaxResponseBytes = 1024

// MaxHistory is how many attempts a delivery's record keeps. The oldest are dropped. Only a
// delivery that is replayed again and again makes more.
const MaxHistory = 50

// DeliveryKey names a delivery's record.
type DeliveryKey struct {
	EventID    string
	Endpoint   string
	ReceivedAt time.Time // the event's: a ledger may keep an endpoint's deliveries in this order
}

// Key returns the key of the delivery's record.
func (d Delivery) Key() DeliveryKey {
	return DeliveryKey{EventID: d.EventID, Endpoint: d.Endpoint, ReceivedAt: d.ReceivedAt}
}

// DeliveryTo returns the key of the record of the event's delivery to an endpoint.
func (e Event) DeliveryTo(endpoint string) DeliveryKey {
	return DeliveryKey{EventID: e.ID, Endpoint: endpoint, ReceivedAt: e.ReceivedAt}
}

// Delivery is one event for one endpoint, as the ledger keeps it. The record begins with the first
// attempt, or when the delivery is first held.
type Delivery struct {
	EventID    string
	Endpoint   string    // qualified name
	ReceivedAt time.Time // as in Event: when the webhook was accepted
	Source     string    // qualified name of the event's
	Type       string
	Status     Status
	Reason     Reason // why it is dead, else ""; also "" on older records that lack it
	Attempts   int    // over all cycles
	// if it waits: the attempts made in this cycle, which is its place in the schedule
	Step      int
	MessageID string // id of the queue message that made the last attempt
	Receives  int    // ordered queues: the receive count of that message at the last save
	// UTC, whole milliseconds: when the next attempt is due; zero unless waiting
	NextAt time.Time
	// why it waits, if it does not wait for its schedule; "": it does
	Held gate.Hold
	// it has, or had, a reservation at a limit, and keeps it until its next attempt
	Reserved  bool
	UpdatedAt time.Time // UTC, whole milliseconds
	ExpiresAt time.Time // UTC, whole seconds; the record counts as absent from then on
	History   []Attempt // oldest first, at most MaxHistory
}

// Tenant returns whose delivery it is: the tenant of its endpoint; "": the operator. The event may
// belong to somebody else.
func (d Delivery) Tenant() string {
	tenant, _ := catalog.SplitName(d.Endpoint)
	return tenant
}
