package relay

import (
	"context"
	"errors"
	"time"

	"webhook-relay/shared/breaker"
)

// The decisions that callers of the ports make.
var (
	// ErrNotFound: there is no such source, endpoint, event, delivery or body.
	ErrNotFound = errors.New("relay: not found")
	// ErrConflict: the record is not, or no longer, in the state that a conditional write asked for. Nothing was written.
	ErrConflict = errors.New("relay: conflict")
	// ErrNotOpen: a handshake brought a secret, and its operator has opened no window for one, or the window is over.
	ErrNotOpen = errors.New("relay: handshake refused: no learning window")
)

// Generation names a state of the catalog; "" names that of a new store, which is empty.
type Generation string

// Generations tells which state of the catalog is in force.
type Generations interface {
	// Generation names the catalog in force; each that ReplaceCatalog writes has a name of its own. What the ports below find in a generation stays
	// the same, but for the secret that a source learns. They find it for at least two hours after another generation came in force; in its
	// place they may find what is in force by then.
	Generation(ctx context.Context) (Generation, error)
}

// Sources finds sources.
type Sources interface {
	Generations
	// Source finds a source of a generation; ErrNotFound.
	Source(ctx context.Context, g Generation, name string) (Source, error)
	// SourceNames lists the names of a generation's sources.
	SourceNames(ctx context.Context, g Generation) ([]string, error)
}

// LearnedSecrets keeps the secrets that providers hand over in handshakes.
type LearnedSecrets interface {
	// LearnSecret makes secret the only secret of a source whose configuration has none, if a window is open for it: from
	// now on Sources returns it with the source. The window closes with the same write. The catalog's revision is raised,
	// so that a replacement made from what was loaded before gets ErrConflict and cannot undo it. The secret that the
	// source has learned already is no error. ErrConflict: the source has another, configured or learned. ErrNotOpen: no
	// window is open. ErrNotFound: there is no such source. With these nothing was written.
	LearnSecret(ctx context.Context, source, secret string) error
}

// LearningWindows lets handshakes bring secrets: it is the operator's side of LearnedSecrets.
type LearningWindows interface {
	// OpenLearning lets the next handshake of a source bring its secret until a time, in whole milliseconds, in the place of
	// a window that is open already. A window outlives a replacement of the catalog. ErrConflict: the source has a secret,
	// which must be forgotten first. ErrNotFound: there is no such source.
	OpenLearning(ctx context.Context, source string, until time.Time) error
}

// Subscriptions finds the subscriptions of a source of a generation, in the operator's order; none is not an error.
type Subscriptions interface {
	Generations
	Subscriptions(ctx context.Context, g Generation, source string) ([]Subscription, error)
}

// Endpoints finds endpoints.
type Endpoints interface {
	Generations
	// Endpoint finds an endpoint of a generation; ErrNotFound.
	Endpoint(ctx context.Context, g Generation, name string) (Endpoint, error)
	// EndpointNames lists the names of a generation's endpoints.
	EndpointNames(ctx context.Context, g Generation) ([]string, error)
}

// CatalogStore reads and replaces the catalog as a whole.
type CatalogStore interface {
	// LoadCatalog returns the catalog and its revision; a new store has an empty catalog of revision 0. Sources and endpoints
	// come sorted by name, subscriptions grouped by source in the operator's order.
	LoadCatalog(ctx context.Context) (Catalog, int64, error)
	// ReplaceCatalog puts c, which is valid, in the place of the catalog of revision base, wholly or not at all: readers see the
	// old catalog or the new one. ErrConflict: somebody else replaced it since, or a source has learned a secret.
	ReplaceCatalog(ctx context.Context, c Catalog, base int64) error
}

// Sealer encrypts secrets at rest. What was sealed opens only with the same name (for a catalog item its kind and its name),
// so that a sealed secret cannot be moved to another item.
type Sealer interface {
	Seal(ctx context.Context, name string, plain []byte) ([]byte, error)
	Open(ctx context.Context, name string, sealed []byte) ([]byte, error)
}

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

// EndpointStates keeps what is known of endpoints in trouble, for all instances together.
type EndpointStates interface {
	// EndpointState returns an endpoint's state as the last write left it, and its revision; the zero state of revision 0 where none was
	// ever written.
	EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error)
	// SaveEndpointState writes a state, which then has revision prior+1, if the stored one has revision prior; else ErrConflict.
	SaveEndpointState(ctx context.Context, endpoint string, s breaker.State, prior int64) error
	// TroubledEndpoints lists, in no particular order, the endpoints whose state is not breaker.State.Well. One whose state was written less than a
	// second ago may be missing, or still be there.
	TroubledEndpoints(ctx context.Context) ([]string, error)
}

// Quotas keeps lines of time, of which all instances together reserve one piece after the other.
type Quotas interface {
	// Reserve reserves the next piece of a line, as long as d, and returns where it begins: where the last one ends, but not before earliest.
	// If that would be after latest, nothing is reserved, and false returned with where it would have begun. Times are kept in whole
	// microseconds. A line may be forgotten an hour after its end.
	Reserve(ctx context.Context, line string, d time.Duration, earliest, latest time.Time) (time.Time, bool, error)
}

// Slots are places that what all instances do at once has to share: each has one holder at a time.
type Slots interface {
	// ClaimSlot gives an endpoint's slot to a holder until a time, if nobody holds it, or somebody whose time is over, or the holder itself: it
	// says which.
	ClaimSlot(ctx context.Context, endpoint string, number int, holder string, until time.Time) (bool, error)
	// ReleaseSlot makes a slot free if the holder still has it. If not, that is no error.
	ReleaseSlot(ctx context.Context, endpoint string, number int, holder string) error
}

// Page is a place in a listing: "" is its start, and its end.
type Page string

// Ledger answers what became of a webhook.
type Ledger interface {
	// Event returns an event's record and the deliveries recorded so far, sorted by endpoint; ErrNotFound.
	Event(ctx context.Context, id string) (EventRecord, []Delivery, error)
	// EventsBySource lists the events a source sent in the hour that t lies in, in no particular order, without bodies and
	// headers.
	EventsBySource(ctx context.Context, source string, t time.Time, from Page) ([]EventRecord, Page, error)
	// OpenDeliveries lists an endpoint's deliveries in a status, Waiting (next due first) or Dead (oldest death first).
	OpenDeliveries(ctx context.Context, endpoint string, status Status, from Page) ([]Delivery, Page, error)
	// Overdue lists an endpoint's waiting deliveries whose NextAt is before a time, next due first.
	Overdue(ctx context.Context, endpoint string, before time.Time, from Page) ([]Delivery, Page, error)
	// DeliveriesOf returns an event's deliveries recorded so far, sorted by endpoint, and reads nothing of the event itself; none is not
	// an error.
	DeliveriesOf(ctx context.Context, eventID string) ([]Delivery, error)
	// EventRecord returns an event's record, and reads nothing of its deliveries; ErrNotFound.
	EventRecord(ctx context.Context, id string) (EventRecord, error)
	EventKeeper
	Outcomes
}

// Names lists what is in the catalog by name, sorted, and opens no secret.
type Names interface {
	Names(ctx context.Context) (sources, endpoints []string, err error)
}

// Post is a request to an endpoint.
type Post struct {
	Method  string // "": POST
	URL     string
	Header  Header
	Body    []byte
	Timeout time.Duration // whole attempt
	TLS     *TLS          // nil: the system's authorities, no certificate of the relay's own
	Auth    *Auth         // what the poster adds to prove the request, its references resolved; nil: nothing. Its Signature is in Header already
	Secrets []string      // beside what Auth adds: texts that the poster takes out of the answer
}

// TLS is what an endpoint asks of a connection beyond the usual, in PEM. An empty field means the usual.
type TLS struct {
	Certificate []byte // the relay's own, with its chain, for mutual TLS
	Key         []byte // the certificate's private key
	Authorities []byte // certificates that may sign the endpoint's, in place of the system's
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

// Reporter is told what happened, one call each, after the fact. Calls must not block.
type Reporter interface {
	Received(ctx context.Context, r ReceiveReport)
	Routed(ctx context.Context, r RouteReport)
	Attempted(ctx context.Context, r AttemptReport)
}
