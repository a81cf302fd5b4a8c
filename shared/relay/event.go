package relay

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"
	"webhook-relay/shared/relay/catalog"

	"webhook-relay/shared/document"
	"webhook-relay/shared/verify"
)

// Header holds a request's or a message's headers: lower-case names, and for each its value. A header that was
// sent several times has its values joined by ",", as API Gateway's payload 2.0 does.
type Header = verify.Header

// Event is one accepted webhook.
type Event struct {
	ID         string          // "evt_" and 32 characters of [a-z2-7]; the webhook-id of every delivery
	Receipt    string          // random; tells copies of one message from a webhook that the provider sent twice
	Source     string          // name of the source it came in by
	Type       string          // event type, "" where the provider has none
	Trust      verify.Trust    // what the provider's proof is worth; "" on records of before it was kept
	ReceivedAt time.Time       // UTC, whole milliseconds
	Header     Header          // as received, less what must not be stored (see storedHeader)
	Trace      string          // W3C traceparent of the webhook's way through the relay
	Body       []byte          // raw bytes, as received; nil when BodyRef is set
	BodyRef    *BodyRef        // where a large body lies; nil when Body holds it
	Holder     document.Holder // where in the body its document is
	DeliveryID string          // the provider's own id of the webhook; "" where it has none
}

// document reads the body, which is e's wherever it was kept.
func (e Event) document(body []byte) document.Document {
	return document.Read(e.Header["content-type"], body, e.Holder)
}

// BodyRef is the claim check of a body that is too large to ride in a message.
type BodyRef struct {
	Key  string `json:"key"`  // key in Bodies; carries the SHA-256 of the bytes, so that one key has one content
	Size int    `json:"size"` // bytes
}

// EventRecord is what the ledger keeps of an event.
type EventRecord struct {
	Event
	MessageID string    // id of the queue message that recorded it
	Endpoints []string  // the endpoints it was routed to, in the order of the catalog; empty: unrouted
	Sent      int       // to so many of them, from the first on, deliveries have been sent; kept only of events that take several invocations
	RoutedAt  time.Time // UTC, whole milliseconds
	ExpiresAt time.Time // UTC, whole seconds; from then on the record counts as absent
}

// idEncoding writes ids in lower case without padding: safe in URLs, headers and schedule names.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// EventID returns the id of the event that source's provider calls deliveryID, where it signs that: the same for the same two strings, so that
// a webhook sent twice is recognised, and found by its provider's id in one read. Where the provider names no delivery (deliveryID == "") the
// id is random.
func EventID(source, deliveryID string) string {
	if deliveryID == "" {
		return "evt_" + randomID()
	}
	sum := sha256.Sum256([]byte(source + "\x00" + deliveryID)) // a source's name has no NUL
	return "evt_" + idEncoding.EncodeToString(sum[:20])
}

// BoundEventID is EventID where the provider does not sign deliveryID: what it signs is a part of the name, so that nobody can take the id of a
// webhook that is yet to come with a copy of another one. Such an event has its provider's id on record, and in the line that says that it was
// received; without the signed bytes its own id cannot be told. An empty deliveryID names the signed bytes alone.
func BoundEventID(source, deliveryID string, signed []byte) string {
	bytes := sha256.Sum256(signed)
	sum := sha256.Sum256([]byte("\x00" + source + "\x00" + string(bytes[:]) + deliveryID)) // EventID hashes nothing that begins so
	return "evt_" + idEncoding.EncodeToString(sum[:20])
}

// eventID returns the id of a webhook that was verified.
func eventID(source string, found verify.Result) string {
	switch {
	case found.Once:
		return BoundEventID(source, "", found.Bound)
	case found.Bound != nil:
		return BoundEventID(source, found.DeliveryID, found.Bound)
	}
	return EventID(source, found.DeliveryID)
}

func randomID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return idEncoding.EncodeToString(b[:])
}

// bodyKey names a body in Bodies: by day, so that a lifecycle rule and a person find their way, and by content.
func bodyKey(source string, receivedAt time.Time, body []byte) string {
	sum := sha256.Sum256(body)
	return strings.Join([]string{receivedAt.Format("2006/01/02"), source, idEncoding.EncodeToString(sum[:])}, "/")
}

// OwnEvent is an event of the relay's own, of the source catalog.OperatorSource. Its id is made of its type and of what happened: two that say the same are
// one event. inbound is the trace that it belongs to; "": a new one.
func OwnEvent(eventType, happened, inbound string, body []byte, at time.Time) Event {
	return Event{
		ID: EventID(catalog.OwnSource, eventType+" "+happened), Receipt: randomID(), Source: catalog.OwnSource, Type: eventType,
		Trust: verify.Verified, ReceivedAt: wholeMillis(at), Header: Header{"content-type": "application/json"},
		Trace: newTrace(inbound), Body: body,
	}
}
