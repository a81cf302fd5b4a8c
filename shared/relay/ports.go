package relay

import (
	"context"
	"time"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

// Bodies keeps large bodies. Get gives ErrNotFound for an unknown key; Put of a key that exists replaces it (a key
// names its content, so the bytes are the same).
type Bodies interface {
	Put(ctx context.Context, key string, body []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
}

// Message is a message as a queue hands it to a stage.
type Message struct {
	ID       string // the queue's id; the same each time this message is received
	Body     []byte
	Receives int  // how often it has been handed out, this time included: 1 the first time
	Resent   bool // as sent: a copy of it may have been sent before

	Group  string    // of an ordered queue's message, as sent: none other of it is in hand; "": the queue keeps no order
	Handle string    // names this receive of it, to the queue; "" where ID and Receives do
	SentAt time.Time // when the queue took it, where the queue forgets a message after a time; else zero
}

// Outgoing is a message to be sent.
type Outgoing struct {
	Body   []byte        // at most 1 MiB, and such as CheckText accepts: JSON
	Group  string        // fairness group (the endpoint), "" for none; in an ordered queue those that are in line with each other, at most 128 characters
	Delay  time.Duration // 0 to MaxDelay; a queue may round it up to whole seconds; always 0 for an ordered queue
	Resent bool          // a copy may have been sent before; the adapter sets it too when it tries again after a lost answer
	Once   string        // for an ordered queue, which needs it (see OrderedQueue): at most 128 characters of [0-9a-zA-Z_.#-]
}

// MaxDelay is the longest wait a queue can carry (SQS: DelaySeconds).
const MaxDelay = 15 * time.Minute

// Queue sends messages.
type Queue interface {
	// Send sends each message and returns one error for each, nil where the queue has accepted it. Where an error is returned
	// the message may have been sent all the same (the answer was lost).
	Send(ctx context.Context, msgs []Outgoing) []error
}

// OrderedQueue is a queue that hands out the messages of a group one after the other, in the order in which it accepted
// them: none as long as one before it is in hand or hidden.
//
// Send accepts the messages of a group in the order given, and behind one that fails none of its group. A message is
// dropped, without an error, if another of the same name (Once) was accepted within the last five minutes and is still in
// the queue. An adapter may also drop it if only one of the two holds: SQS does for five minutes, the embedded one for as
// long as the other is there. So what must come again has another name.
type OrderedQueue interface{ Queue }

// Holder is the receiving side of a queue, for whoever hands its messages to a stage.
type Holder interface {
	// Hold hides messages that are in hand, each for its own time from now on, and returns one error for each. They must not
	// be acknowledged then. An error means that the message comes back after the queue's visibility timeout.
	Hold(ctx context.Context, held []Held) []error
}

// Held is a message that is to be handed out again.
type Held struct {
	Message
	For time.Duration // 0 to MaxHold; a queue may round it up to whole seconds
}

// MaxHold is the longest time that a queue can hide a message: SQS has 12 hours, counted from when it was handed out.
const MaxHold = 11 * time.Hour

// Failures counts how often our handling of a message has failed, for all instances together.
type Failures interface {
	// CountFailure adds one to a message's count and returns it: 1 the first time. A count is forgotten MaxQueueTime after its
	// last change, or later.
	CountFailure(ctx context.Context, messageID string) (int, error)
	// ForgetFailures has a message's count begin anew. For one that has no count it does nothing of consequence.
	ForgetFailures(ctx context.Context, messageID string) error
}

// MaxQueueTime is the longest that a queue keeps a message.
const MaxQueueTime = 14 * 24 * time.Hour

// Scheduler sends a message at a time further away than MaxDelay.
type Scheduler interface {
	// Schedule arranges for msg to be sent at the given time, or up to a minute or so later. A second call with the same
	// name (1 to 64 characters of [0-9a-zA-Z_.-]) while the first is pending changes nothing and is no error.
	Schedule(ctx context.Context, name string, at time.Time, msg Outgoing) error
}

// Events records events.
type Events interface {
	// RecordEvent writes r unless an unexpired record with its id exists; then it returns that record and writes nothing.
	RecordEvent(ctx context.Context, r EventRecord) (existing *EventRecord, err error)
	// SaveSent notes that the deliveries to the first sent endpoints of an event on record have been sent. A lower number than
	// the one on record changes nothing. Nor does a call for an event that is not on record; neither is an error.
	SaveSent(ctx context.Context, eventID string, sent int) error
}

// EventKeeper keeps events on record for longer.
type EventKeeper interface {
	// KeepEvent has an event's record expire at a time, in whole seconds, unless it expires later already. One that is not, or no
	// longer, on record stays so, without an error.
	KeepEvent(ctx context.Context, eventID string, until time.Time) error
}

// Deliveries records deliveries.
type Deliveries interface {
	// Delivery returns the record as the last write left it; ErrNotFound where there is none or it has expired.
	Delivery(ctx context.Context, eventID, endpoint string) (Delivery, error)
	// SaveDelivery writes d if the stored record has prior attempts (0: none is stored, or it has expired), else ErrConflict.
	SaveDelivery(ctx context.Context, d Delivery, prior int) error
}

// Page is a place in a listing: "" is its start, and its end.
type Page string

// Post is a request to an endpoint.
type Post struct {
	Method  string // "": POST
	URL     string
	Header  Header
	Body    []byte
	Timeout time.Duration // whole attempt
	TLS     *catalog.TLS  // nil: the system's authorities, no certificate of the relay's own
	Auth    *catalog.Auth // what the poster adds to prove the request, its references resolved; nil: nothing. Its Signature is in Header already
	Secrets []string      // beside what Auth adds: texts that the poster takes out of the answer
}

// ReplyHeaders are the headers of an answer that matter: those that say when to come again, or not at all, and those that grant the
// handshake of ProveOptions.
func ReplyHeaders() []string {
	return []string{headerRetryAfter, headerDelivery, headerAllowedOrigin, headerAllowedRate}
}

// Reply is an endpoint's answer.
type Reply struct {
	StatusCode int
	Header     Header // those of ReplyHeaders; nil if none was sent
	Body       []byte // at most MaxResponseBytes
}

// PostError is why a POST got no answer.
type PostError struct {
	Outcome Outcome // never Succeeded nor Rejected
	Err     error   // free of secrets: the URL's query is not in it
}

func (e *PostError) Error() string { return string(e.Outcome) + ": " + e.Err.Error() }
func (e *PostError) Unwrap() error { return e.Err }

// Poster POSTs to endpoints. It follows no redirect and reads at most MaxResponseBytes of the answer. The status line is the answer: if
// what follows breaks off, Reply holds what came. Where no answer came the error is a *PostError; any other error is our own failure,
// such as the end of ctx (the invocation's, not the endpoint's timeout).
type Poster interface {
	Post(ctx context.Context, p Post) (Reply, error)
}

// Operator is told what the operator wants to know. An error means that it may not have been told.
type Operator interface {
	// TellChange tells of a change of an endpoint's state; nil is none.
	TellChange(ctx context.Context, c *gate.Change) error
	// TellDead tells of a delivery that died, of an event with a trace.
	TellDead(ctx context.Context, d Delivery, trace string) error
	// TellLearned tells that a handshake brought a source's secret.
	TellLearned(ctx context.Context, source string, at time.Time) error
}

// toldOrNot returns an Operator that is told nothing in the place of nil.
func toldOrNot(o Operator) Operator {
	if o == nil {
		return untold{}
	}
	return o
}

type untold struct{}

func (untold) TellChange(context.Context, *gate.Change) error       { return nil }
func (untold) TellDead(context.Context, Delivery, string) error     { return nil }
func (untold) TellLearned(context.Context, string, time.Time) error { return nil }

// Reporter is told what happened, one call each, after the fact. Calls must not block.
type Reporter interface {
	Received(ctx context.Context, r ReceiveReport)
	Routed(ctx context.Context, r RouteReport)
	Attempted(ctx context.Context, r AttemptReport)
}
