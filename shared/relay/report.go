package relay

import "time"

// ReceiveReport tells how a request at the ingress ended.
type ReceiveReport struct {
	Source    string
	EventID   string // "" if refused, or a handshake
	Type      string
	Handshake bool // the provider asked whether the URL is ours, and was answered
	BodyBytes int
	Duration  time.Duration
	Err       error // nil: accepted
}

// RouteResult is what became of an event at the fan-out. The set is closed.
type RouteResult string

// The results of routing one message. Routed, Unrouted and Duplicate are final.
const (
	Routed     RouteResult = "routed"    // deliveries sent
	Unrouted   RouteResult = "unrouted"  // no subscription matches; recorded
	Duplicate  RouteResult = "duplicate" // the provider's delivery id is on record already
	Poisoned   RouteResult = "poisoned"  // the message cannot be read; it lies in the dead-letter queue now
	RouteAgain RouteResult = "again"     // our own failure; the message goes back to the queue
)

// RouteReport tells how one message at the fan-out ended.
type RouteReport struct {
	EventID   string
	Source    string
	Type      string
	Result    RouteResult
	Endpoints int // deliveries sent
	Err       error
}

// AttemptReport tells how one message at the deliverer ended in an attempt. Messages that made no attempt (a double, a hop
// of a long wait) are reported only if Err is set.
type AttemptReport struct {
	EventID  string
	Source   string
	Type     string
	Endpoint string
	Attempt  Attempt
	Status   Status        // the delivery's, after the attempt; "" if the message made none
	Wait     time.Duration // until the next attempt, if Status is Waiting
	Age      time.Duration // from acceptance to the end of the attempt
	Err      error         // our own failure: the message goes back to the queue, or lies in the dead-letter queue
}
