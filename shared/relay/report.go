package relay

import (
	"time"

	"webhook-relay/shared/relay/gate"
)

// ReceiveReport tells how a request from a partner ended.
type ReceiveReport struct {
	Source  string // qualified name
	Tenant  string // whose event it is; "": the operator's, or it was refused
	EventID string // "" for a refused request or a handshake
	Type    string

	DeliveryID string // the provider's own id; "" where it has none
	// Reused tells that the provider does not sign the delivery id, and that the same id came with
	// other signed bytes not long ago, to this process. Either somebody sent a copy under the id of
	// another webhook, or the provider uses its ids twice. Both webhooks are delivered.
	Reused bool

	Handshake bool // a request by which the provider checks the URL; it was answered
	Learned   bool // the handshake brought the source's secret, which is stored
	// Untold is why the relay's own event about a learned secret could not be sent; nil: it was
	// sent, or there was none.
	Untold error
	// Unmetered is why the tenant's rate could not be checked. The webhook was accepted all the
	// same. nil: it was checked, or there is none.
	Unmetered error
	BodyBytes int
	Duration  time.Duration
	Err       error // nil: accepted
}

// RouteResult tells what became of an event at the fan-out. The set is closed.
type RouteResult string

// The results of routing one message. All but RouteFailed and Unfinished are final.
const (
	Routed   RouteResult = "routed"   // deliveries sent
	Unrouted RouteResult = "unrouted" // no subscription takes it; it is recorded
	// a repeat: the provider's delivery id is recorded already
	Duplicate RouteResult = "duplicate"
	// the message cannot be read; it is in the dead-letter queue now
	Unreadable RouteResult = "unreadable"
	// our own failure; the message comes back, or is in the dead-letter queue after too many
	RouteFailed RouteResult = "failed"
	// too many deliveries for one invocation; the message comes back for the rest
	Unfinished RouteResult = "unfinished"
)

// RouteReport tells what became of one message at the fan-out.
type RouteReport struct {
	EventID string
	Source  string // qualified name
	Tenant  string // whose event it is; "": the operator's
	Type    string
	Result  RouteResult
	// this message recorded the event: true once for each event, also if Result is RouteFailed
	Recorded  bool
	Endpoints int // how many take the event; their deliveries were sent if Err is nil
	// Undecided are endpoints that may want the event and did not get it. Either the filter costs
	// more than one event may, or the data that it tests could not be read. See route.Result.
	Undecided []string
	Err       error
}

// AttemptReport tells what became of one message at the deliverer. Messages without an attempt (a
// repeat, a hop of a long wait) are reported only if Err, Held or Change is set.
type AttemptReport struct {
	EventID  string
	Source   string
	Type     string
	Endpoint string
	Attempt  Attempt
	Status   Status        // the delivery's, after the attempt; "" if there was none
	Reason   Reason        // why it died, if Status is Dead
	Wait     time.Duration // until the next attempt, if Status is Waiting
	Held     time.Duration // no attempt was made, the delivery is held for this long
	HeldBy   gate.Hold     // why, if it is held
	Age      time.Duration // from the event's acceptance to the end of the attempt
	// what the attempt changed in the endpoint's state; nil: nothing worth telling
	Change *gate.Change
	// our own failure: the message comes back, or is in the dead-letter queue
	Err error
}
