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
	RouteAgain RouteResult = "again"     // our own failure; the message goes back to the queue, or lies in the dead-letter queue if there were too many
)

// RouteReport tells how one message at the fan-out ended.
type RouteReport struct {
	EventID   string
	Source    string
	Type      string
	Result    RouteResult
	Recorded  bool // the event was put on record with this message: once for each event, also where Result is RouteAgain
	Endpoints int  // that want it; where Err is nil they have their deliveries
	Err       error
}

// SweepReport tells what a run of the Sweeper saw. Of the events that it looked at Deliveries = Delivered + Dead + Waiting + Missing, and of
// what is missing nothing is left that was not put back or withheld.
type SweepReport struct {
	Events     int // looked at
	Deliveries int // that the events were routed to
	Delivered  int
	Dead       int
	Waiting    int  // for an attempt to come, or one that is overdue and counted so
	Missing    int  // no delivery is on record: its first attempt is yet to come, or lost
	Left       int  // of the missing: neither put back nor withheld; normally zero
	Overdue    int  // waiting deliveries, of all events, whose attempt is more than two hours late
	PutBack    int  // deliveries that were sent again; normally zero
	Withheld   int  // overdue deliveries, and events with something missing, whose messages may lie in a queue
	Partial    bool // it did not get through
	Duration   time.Duration
}

// Stranded is how many deliveries were late or missing. Normally zero.
func (r SweepReport) Stranded() int { return r.Overdue + r.Missing }

// Unaccounted is how many deliveries are in none of these places. Always zero, as long as the relay has no bug and the run did not fail.
func (r SweepReport) Unaccounted() int {
	return r.Deliveries - r.Delivered - r.Dead - r.Waiting - (r.Missing - r.Left)
}

// AttemptReport tells how one message at the deliverer ended in an attempt. Messages that made no attempt (a double, a hop
// of a long wait) are reported only if Err, Held or Change is set.
type AttemptReport struct {
	EventID  string
	Source   string
	Type     string
	Endpoint string
	Attempt  Attempt
	Status   Status          // the delivery's, after the attempt; "" if the message made none
	Reason   Reason          // why it died, if Status is Dead
	Wait     time.Duration   // until the next attempt, if Status is Waiting
	Held     time.Duration   // no attempt was made: the endpoint is in trouble or over its limit, and the delivery comes back after this long
	Age      time.Duration   // from acceptance to the end of the attempt
	Change   *EndpointChange // what the attempt changed of the endpoint's state; nil: nothing that is worth telling
	Err      error           // our own failure: the message goes back to the queue, or lies in the dead-letter queue
}
