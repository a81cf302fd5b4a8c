package relay

import (
	"time"
	"webhook-relay/shared/relay/gate"
)

// ReceiveReport tells how a request at the ingress ended.
type ReceiveReport struct {
	Source  string
	EventID string // "" if refused, or a handshake
	Type    string

	DeliveryID string // the provider's own id; "" where it has none
	// Reused: the provider does not sign the delivery id, and it came with other signed bytes before, not long ago and to this process. A copy was sent
	// under the id of another webhook, or the provider uses its ids twice. Both webhooks are delivered.
	Reused bool

	Handshake bool // the provider asked whether the URL is ours, and was answered
	Learned   bool // the handshake brought the source's secret, which is kept
	// Untold is why the relay's own event of a learned secret could not be sent; nil: it was, or there was none to send.
	Untold    error
	BodyBytes int
	Duration  time.Duration
	Err       error // nil: accepted
}

// RouteResult is what became of an event at the fan-out. The set is closed.
type RouteResult string

// The results of routing one message. All but RouteAgain and Unfinished are final.
const (
	Routed     RouteResult = "routed"     // deliveries sent
	Unrouted   RouteResult = "unrouted"   // no subscription matches; recorded
	Duplicate  RouteResult = "duplicate"  // the provider's delivery id is on record already
	Poisoned   RouteResult = "poisoned"   // the message cannot be read; it lies in the dead-letter queue now
	RouteAgain RouteResult = "again"      // our own failure; the message goes back to the queue, or lies in the dead-letter queue if there were too many
	Unfinished RouteResult = "unfinished" // too many deliveries for one invocation; the message comes back, and the rest is sent then
)

// RouteReport tells how one message at the fan-out ended.
type RouteReport struct {
	EventID   string
	Source    string
	Type      string
	Result    RouteResult
	Recorded  bool // the event was put on record with this message: once for each event, also where Result is RouteAgain
	Endpoints int  // that want it; where Err is nil they have their deliveries
	// Undecided are endpoints that may want it, and did not get it for that: a filter of theirs costs more than the event may, or
	// what it looks at could not be read. See route.Result.
	Undecided []string
	Err       error
}

// AttemptReport tells how one message at the deliverer ended in an attempt. Messages that made no attempt (a double, a hop
// of a long wait) are reported only if Err, Held or Change is set.
type AttemptReport struct {
	EventID  string
	Source   string
	Type     string
	Endpoint string
	Attempt  Attempt
	Status   Status        // the delivery's, after the attempt; "" if the message made none
	Reason   Reason        // why it died, if Status is Dead
	Wait     time.Duration // until the next attempt, if Status is Waiting
	Held     time.Duration // no attempt was made: the endpoint is in trouble or over its limit, and the delivery comes back after this long
	Age      time.Duration // from acceptance to the end of the attempt
	Change   *gate.Change  // what the attempt changed of the endpoint's state; nil: nothing that is worth telling
	Err      error         // our own failure: the message goes back to the queue, or lies in the dead-letter queue
}
