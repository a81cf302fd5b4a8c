package relay

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// Header holds the headers of a request or a message, by lower-case name. The values of a header
// that was sent several times are joined by ",", as in API Gateway's payload 2.0.
type Header = verify.Header

// Event is one accepted webhook.
type Event struct {
	// "evt_" and 32 characters of [a-z2-7]; the webhook-id of every delivery
	ID string
	// random; the same in all copies of one message, another if the provider sends a webhook twice
	Receipt string
	Source  string // qualified name of its source
	// to whom it belongs; "": the operator
	Tenant string
	Type   string // event type, "" where the provider has none
	// how far the provider's proof goes; "" on older records that lack it
	Trust      verify.Trust
	ReceivedAt time.Time       // UTC, whole milliseconds
	Header     Header          // as received, without what must not be stored (see storedHeader)
	Trace      string          // W3C traceparent of the webhook within the relay
	Body       []byte          // raw bytes, as received; nil when Packed or BodyRef is set
	Packed     []byte          // Body compressed (format.Deflate); nil when it is not
	BodyRef    *BodyRef        // the stored large body; nil when Body or Packed holds it
	Holder     document.Holder // where the document is within the body
	DeliveryID string          // the provider's own id of the webhook; "" where it has none
	Schema     *SchemaResult   // of its type's schema; nil: the type has none
}

// document reads the document in body, which is the event's body wherever it was stored.
func (e Event) document(body []byte) document.Document {
	return document.Read(e.Header["content-type"], body, e.Holder)
}

// BodyRef refers to a stored body that is too large for a message (the claim check pattern).
type BodyRef struct {
	// key in Bodies; contains the SHA-256 of the bytes, so that one key has one content
	Key  string `json:"key"`
	Size int    `json:"size"` // bytes, of the body as it was received
	// the stored body is compressed (format.Deflate)
	Packed bool `json:"packed,omitempty"`
}

// EventRecord is what the ledger keeps of an event.
type EventRecord struct {
	Event
	MessageID string   // id of the queue message that recorded it
	Endpoints []string // the endpoints it was routed to, in the catalog's order; empty: unrouted
	// Sent is to how many of Endpoints, from the first on, deliveries have been sent. It is kept
	// only if that takes several invocations.
	Sent      int
	RoutedAt  time.Time // UTC, whole milliseconds
	ExpiresAt time.Time // UTC, whole seconds; the record counts as absent from then on
}

// idEncoding writes ids in lower case without padding: safe in URLs, headers and schedule names.
var idEncoding = base32.NewEncoding(
	"abcdefghijklmnopqrstuvwxyz234567",
).WithPadding(base32.NoPadding)

// EventID returns an event's id, for a provider that signs its deliveryID. The same tenant, source
// (its qualified name) and deliveryID always give the same id. So a webhook that is sent twice is
// recognised, and one read finds an event by its provider's id. If the provider has no id
// (deliveryID == "") the result is random.
func EventID(tenant, source, deliveryID string) string {
	if deliveryID == "" {
		return "evt_" + randomID()
	}
	sum := sha256.Sum256([]byte(origin(tenant, source) + "\x00" + deliveryID))
	return "evt_" + idEncoding.EncodeToString(sum[:20])
}

// origin returns a text that stands for a tenant and a source, whose names have no control
// characters.
func origin(tenant, source string) string {
	if tenant == "" {
		return source
	}
	return tenant + "\x01" + source
}

// BoundEventID returns an event's id, for a provider that does not sign its deliveryID. The signed
// bytes are part of the hash. Otherwise somebody could send a copy of an old webhook under the
// delivery id of a future one, and that one would be dropped as a duplicate. The provider's id is
// in the event's record and in the log line of its receipt, but the event's id cannot be computed
// without the signed bytes. If deliveryID is empty, the signed bytes alone give the id.
func BoundEventID(tenant, source, deliveryID string, signed []byte) string {
	bytes := sha256.Sum256(signed)
	// EventID never hashes text that begins with NUL
	sum := sha256.Sum256(
		[]byte("\x00" + origin(tenant, source) + "\x00" + string(bytes[:]) + deliveryID),
	)
	return "evt_" + idEncoding.EncodeToString(sum[:20])
}

// eventID returns the id of a verified webhook.
func eventID(tenant, source string, found verify.Result) string {
	switch {
	case found.Once:
		return BoundEventID(tenant, source, "", found.Bound)
	case found.Bound != nil:
		return BoundEventID(tenant, source, found.DeliveryID, found.Bound)
	}
	return EventID(tenant, source, found.DeliveryID)
}

// catalogKeys returns the catalogs whose subscriptions may take the event, and the names by which
// they name its source: the operator's, and that of its tenant.
func (e Event) catalogKeys() []catalog.Key {
	keys := []catalog.Key{{Name: e.Source}}
	if e.Tenant != "" {
		_, plain := catalog.SplitName(e.Source)
		keys = append(keys, catalog.Key{Tenant: e.Tenant, Name: plain})
	}
	return keys
}

// place returns the qualified name of the event's source among what belongs to its tenant. It is
// part of keys, so that no two tenants share one.
func (e Event) place() string {
	_, plain := catalog.SplitName(e.Source)
	return catalog.Qualify(e.Tenant, plain)
}

func randomID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return idEncoding.EncodeToString(b[:])
}

// bodyKey returns a body's key in Bodies. It begins with the day, for lifecycle rules and for
// people, and ends with a hash of the content.
func bodyKey(source string, receivedAt time.Time, body []byte) string {
	sum := sha256.Sum256(body)
	return strings.Join(
		[]string{receivedAt.Format("2006/01/02"), source, idEncoding.EncodeToString(sum[:])}, "/",
	)
}

// OwnEvent returns one of the relay's own events, of the source catalog.OwnSource, about something
// of a tenant's ("": of the operator's). Its id is a hash of the tenant, eventType and happened:
// two events with the same texts are one event. inbound is the traceparent to continue; "": a new
// trace begins.
func OwnEvent(tenant, eventType, happened, inbound string, body []byte, at time.Time) Event {
	return Event{
		ID:      EventID(tenant, catalog.OwnSource, eventType+" "+happened),
		Receipt: randomID(), Source: catalog.OwnSource, Tenant: tenant, Type: eventType,
		Trust: verify.Verified, ReceivedAt: wholeMillis(at),
		Header: Header{"content-type": "application/json"},
		Trace:  newTrace(inbound), Body: body,
	}
}
