package relay

import "time"

// Status is where a delivery stands. The set is closed.
type Status string

// The states of a delivery. A delivery that was neither attempted nor held yet has no record; it counts as waiting.
const (
	Waiting   Status = "waiting"   // an attempt failed and another is to come, or it is held
	Delivered Status = "delivered" // the endpoint answered 2xx
	Dead      Status = "dead"      // it ran out of attempts; can be listed and sent again
)

// Outcome is how an attempt ended. The set is closed.
type Outcome string

// The outcomes of an attempt. All but Succeeded are followed by a retry or by death.
const (
	Succeeded  Outcome = "succeeded" // 2xx
	Rejected   Outcome = "rejected"  // any other status; redirects are not followed, so 3xx too
	Blocked    Outcome = "blocked"   // the guard refused the address or port: no connection was made
	DNSFailed  Outcome = "dns"       // the host name did not resolve
	Refused    Outcome = "refused"   // no connection: refused, unreachable
	TLSFailed  Outcome = "tls"       // handshake or certificate
	AuthFailed Outcome = "auth"      // no token or secret to prove ourselves with was to be had: nothing was sent
	TimedOut   Outcome = "timeout"   // the endpoint's timeout passed, in whichever phase
	Broken     Outcome = "broken"    // reset, closed early, or no HTTP
	Removed    Outcome = "removed"   // the endpoint is no longer in the catalog: no POST was made, and none follows
	Withheld   Outcome = "withheld"  // the endpoint is disabled, or the delivery is too old: no POST was made, and none follows
)

// Reason is why a delivery died. The set is closed.
type Reason string

// The reasons of death.
const (
	Exhausted        Reason = "exhausted" // every attempt of the schedule failed
	Expired          Reason = "expired"   // it was older than the endpoint's MaxAge
	EndpointGone     Reason = "disabled"  // the endpoint is disabled, or no longer in the catalog
	EndpointDeclined Reason = "refused"   // the endpoint's answer was final: 410, webhook-delivery, or one of Endpoint.Final
)

// Attempt is one POST of a delivery.
type Attempt struct {
	Number     int           // 1 for the first; counts over all cycles
	At         time.Time     // UTC, whole milliseconds: when it began
	Duration   time.Duration // whole milliseconds
	Outcome    Outcome
	StatusCode int    // 0 where no status line came
	Error      string // what went wrong, without secrets; "" after an answer
	Response   []byte // the first MaxResponseBytes of the response's body
}

// MaxResponseBytes is how much of a response is read and kept with the attempt.
const MaxResponseBytes = 1024

// MaxHistory is how many attempts a delivery's record keeps; the oldest go first. A delivery makes more only by being
// replayed time and again.
const MaxHistory = 50

// Delivery is one event for one endpoint, as the ledger keeps it from its first attempt on, or from when it was first held.
type Delivery struct {
	EventID   string
	Endpoint  string
	Source    string
	Type      string
	Status    Status
	Reason    Reason    // why it is dead; "" unless it is, and on records of before it was kept
	Attempts  int       // made, over all cycles
	Step      int       // attempts made in this cycle, if it waits: where its next attempt stands in the schedule
	MessageID string    // id of the queue message that made the last attempt
	Receives  int       // how often that message had been handed out by then, if it stays the same for the next attempt: see Order
	NextAt    time.Time // UTC, whole milliseconds: when the next attempt is due; zero unless waiting
	Held      bool      // it waits since the endpoint is in trouble or over its limit, not for its schedule
	Reserved  bool      // it waits, or has waited, for its place in the queue of a limit, and keeps it until its next attempt
	UpdatedAt time.Time // UTC, whole milliseconds
	ExpiresAt time.Time // UTC, whole seconds; from then on the record counts as absent
	History   []Attempt // oldest first, at most MaxHistory
}
