package relay

import (
	"context"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

// Bodies stores large bodies. Get returns ErrNotFound for an unknown key. Put replaces the body of
// an existing key; a key contains the hash of its content, so the bytes are the same.
type Bodies interface {
	Put(ctx context.Context, key string, body []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
}

// Claims stores contents that are too large for a destination, where its consumers can fetch them.
type Claims interface {
	// Claim stores content under a key, the hash of the content in hexadecimal digits, and returns
	// where it can be fetched. A second call with the same key stores the same.
	Claim(
		ctx context.Context, key, contentType string, content []byte,
	) (destination.Claim, error)
}

// Message is a message that a stage received from a queue.
type Message struct {
	ID       string // the queue's id; the same each time this message is received
	Body     []byte
	Receives int  // the receive count, this time included: 1 the first time
	Resent   bool // as sent: a copy of it may have been sent before

	// the message group in an ordered queue: no other message of it is in flight; "": the queue is
	// not ordered
	Group  string
	Handle string    // the queue's name for this receive; "" where ID and Receives are enough
	SentAt time.Time // when the queue accepted it; zero if the queue keeps messages forever
	// what Body decodes to, if the queue is in the sender's process and kept it; nil: not known
	Value any
}

// Outgoing is a message to send.
type Outgoing struct {
	Body []byte // at most 1 MiB, of characters that CheckText accepts: JSON
	// Group is the fairness group, which is the endpoint; "" for none. In an ordered queue it is
	// the message group, of at most 128 characters.
	Group string
	// 0 to MaxDelay; a queue may round it up to whole seconds; always 0 in an ordered queue
	Delay time.Duration
	// a copy may have been sent before; the adapter also sets it when it tries again after a lost
	// answer
	Resent bool
	// the deduplication id that an ordered queue needs (see OrderedQueue): at most 128 of
	// [0-9a-zA-Z_.#-]
	Once string
	// What Body decodes to. A queue in this process may hand it out as Message.Value, so that Body
	// is not decoded again. Nobody may change it.
	Value any
}

// MaxDelay is the longest delay of a queue (SQS: DelaySeconds).
const MaxDelay = 15 * time.Minute

// Queue sends messages.
type Queue interface {
	// Send sends each message and returns one error for each, or nil if the queue has accepted it.
	// With an error, the message may have been sent all the same: the answer was lost.
	Send(ctx context.Context, msgs []Outgoing) []error
}

// OrderedQueue is a queue that hands out the messages of a group one after the other, in the order
// in which it accepted them. While a message is in flight or hidden, no later message of its group
// is handed out.
//
// Send accepts the messages of a group in the given order. If one fails, it accepts no later
// message of that group. A message is dropped without an error if another one with the same Once
// was accepted in the last five minutes and is still in the queue. An adapter may also drop it if
// only one of the two is true: SQS drops it within five minutes, the embedded queue while the other
// message is still there. So a message that must arrive a second time needs another Once.
type OrderedQueue interface{ Queue }

// Holder is the receiving side of a queue, for the code that passes its messages to a stage.
type Holder interface {
	// Hold hides messages that are in flight, each for its own duration from now on, and returns
	// one error for each. The caller must not acknowledge them. After an error the message comes
	// back after the queue's visibility timeout.
	Hold(ctx context.Context, held []Held) []error
}

// Held is a message that is to be received again later.
type Held struct {
	Message
	For time.Duration // 0 to MaxHold; a queue may round it up to whole seconds
}

// MaxHold is the longest time for which a queue can hide a message. SQS allows 12 hours, counted
// from the receive.
const MaxHold = 11 * time.Hour

// Failures counts how often our handling of a message has failed. All instances share the counts.
type Failures interface {
	// CountFailure adds one to a message's count and returns the count: 1 the first time. A count
	// is forgotten MaxQueueTime after its last change, or later.
	CountFailure(ctx context.Context, messageID string) (int, error)
	// ForgetFailures resets a message's count to zero. For a message without a count it changes
	// nothing that matters.
	ForgetFailures(ctx context.Context, messageID string) error
}

// MaxQueueTime is the longest time for which a queue keeps a message.
const MaxQueueTime = 14 * 24 * time.Hour

// Scheduler sends a message at a time later than MaxDelay from now.
type Scheduler interface {
	// Schedule sends msg at the given time, or up to about a minute later. A second call with the
	// same name (1 to 64 characters of [0-9a-zA-Z_.-]) changes nothing while the first is pending,
	// and is no error.
	Schedule(ctx context.Context, name string, at time.Time, msg Outgoing) error
}

// Events records events.
type Events interface {
	// RecordEvents writes each record, unless an unexpired record with its id exists. Then it
	// returns that record and writes nothing. It has a result for each record.
	RecordEvents(ctx context.Context, records []EventRecord) []Recorded
	// SaveSent notes that the deliveries to the first sent endpoints of a recorded event have been
	// sent. It does nothing, without an error, if the recorded number is not lower or the event is
	// not recorded.
	SaveSent(ctx context.Context, eventID string, sent int) error
}

// Recorded is the result of recording an event.
type Recorded struct {
	Existing *EventRecord // the record that was there; nil: the new one was written
	Err      error
}

// RecordEvent records one event.
func RecordEvent(ctx context.Context, events Events, r EventRecord) (*EventRecord, error) {
	result := events.RecordEvents(ctx, []EventRecord{r})[0]
	return result.Existing, result.Err
}

// EventKeeper prolongs how long events are kept.
type EventKeeper interface {
	// KeepEvent moves the expiry of an event's record to until, in whole seconds, unless it expires
	// later already. If the event is not recorded, or no longer, nothing happens and there is no
	// error.
	KeepEvent(ctx context.Context, eventID string, until time.Time) error
}

// Deliveries records deliveries.
type Deliveries interface {
	// Delivery returns the record as the last write left it. Error: ErrNotFound if there is none or
	// it has expired.
	Delivery(ctx context.Context, k DeliveryKey) (Delivery, error)
	// SaveDelivery writes d if the stored record has prior attempts, else it returns ErrConflict. 0
	// means that no record is stored, or that it has expired.
	SaveDelivery(ctx context.Context, d Delivery, prior int) error
}

// Page is a position in a listing. "" is the start as an argument, and the end as a result.
type Page string

// Post is a request to an endpoint.
type Post struct {
	Method  string // "": POST
	URL     string
	Header  Header
	Body    []byte
	Timeout time.Duration // of the whole attempt
	TLS     *catalog.TLS  // nil: the system's authorities, no client certificate
	// Auth is what the poster adds to authenticate the request, with its references resolved; nil:
	// nothing. Its Signature is in Header already.
	Auth    *catalog.Auth
	Secrets []string // texts that the poster removes from the answer, beside those that Auth adds
	// To is the destination that the request is for, whose answer the poster has to read; nil: none
	To *Destination
}

// Destination is an AWS resource that gets deliveries.
type Destination struct {
	destination.Destination
	Options destination.Options
	// what was delivered, for people; the request has it in the service's form
	Message destination.Message
	Request destination.Request // that the Post was made of
}

// ReplyHeaders returns the names of the answer's headers that the relay reads: those that say when
// to try again, or not at all, and those that answer the handshake of ProveOptions.
func ReplyHeaders() []string {
	return []string{headerRetryAfter, headerDelivery, headerAllowedOrigin, headerAllowedRate}
}

// Reply is an endpoint's answer.
type Reply struct {
	StatusCode int
	Header     Header // those of ReplyHeaders; nil if there are none
	Body       []byte // at most MaxResponseBytes
	Timing     Timing
	// Result is what the answer of Post.To means; nil: the status says it
	Result *destination.Result
}

// PostError tells why a POST got no answer.
type PostError struct {
	Outcome Outcome // never Succeeded nor FailedAnswer
	Err     error   // without secrets: it does not contain the URL's query
	Timing  Timing
}

func (e *PostError) Error() string { return string(e.Outcome) + ": " + e.Err.Error() }
func (e *PostError) Unwrap() error { return e.Err }

// Poster POSTs to endpoints. It does not follow redirects and reads at most MaxResponseBytes of the
// answer's body. An answer counts from its status line on: if the connection breaks afterwards,
// Reply holds what came. Without an answer the error is a *PostError. Any other error is our own
// failure, such as the end of ctx (the invocation's deadline, not the endpoint's timeout).
type Poster interface {
	Post(ctx context.Context, p Post) (Reply, error)
}

// Operator passes news to the operator. After an error the operator may not have been told.
type Operator interface {
	// TellChange tells of a change of an endpoint's state. nil means that there is none.
	TellChange(ctx context.Context, c *gate.Change) error
	// TellDead tells of a delivery that died. trace is the traceparent of its event.
	TellDead(ctx context.Context, d Delivery, trace string) error
	// TellFailing tells that a transform has failed for FailuresInARow events in a row.
	TellFailing(ctx context.Context, f FailingTransform) error
	// TellLearned tells that a handshake brought a source's secret.
	TellLearned(ctx context.Context, source string, at time.Time) error
}

// FailingTransform is a transform that fails for one event after the other.
type FailingTransform struct {
	Source   string
	Endpoint string
	Spec     string // the transform
	EventID  string // of the last event
	Error    string // why it failed for that
	At       time.Time
}

// toldOrNot returns o, or an Operator that does nothing if o is nil.
func toldOrNot(o Operator) Operator {
	if o == nil {
		return untold{}
	}
	return o
}

type untold struct{}

func (untold) TellChange(context.Context, *gate.Change) error       { return nil }
func (untold) TellDead(context.Context, Delivery, string) error     { return nil }
func (untold) TellFailing(context.Context, FailingTransform) error  { return nil }
func (untold) TellLearned(context.Context, string, time.Time) error { return nil }

// Listeners copies events to the people who listen to them.
type Listeners interface {
	// Copy sends copies of events that were routed, to all who want them. A copy is no delivery:
	// what fails is reported and dropped. Copy takes some seconds at most.
	Copy(ctx context.Context, events []Event)
}

// Reporter gets a report of everything that happened, one call each, afterwards. Its calls must not
// block.
type Reporter interface {
	Received(ctx context.Context, r ReceiveReport)
	Routed(ctx context.Context, r RouteReport)
	Attempted(ctx context.Context, r AttemptReport)
}
