package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"webhook-relay/shared/relay/format"

	"webhook-relay/shared/document"
	"webhook-relay/shared/verify"
)

// eventDoc is the JSON form of an event. It is the whole message in the ingest queue, a part of the messages in the delivery queues, and the core of the event's record.
type eventDoc struct {
	Version    int             `json:"v"`
	ID         string          `json:"id"`
	Receipt    string          `json:"receipt"`
	Source     string          `json:"source"`
	Type       string          `json:"type,omitempty"`
	Trust      string          `json:"trust,omitempty"`
	ReceivedAt time.Time       `json:"receivedAt"`
	Header     Header          `json:"header,omitempty"`
	Trace      string          `json:"trace,omitempty"`
	Body       []byte          `json:"body,omitempty"` // base64: SQS refuses characters outside XML's range
	BodyRef    *BodyRef        `json:"bodyRef,omitempty"`
	Holder     document.Holder `json:"holder,omitzero"`
	DeliveryID string          `json:"deliveryId,omitempty"`
}

// recordDoc is the JSON form of an event's record.
type recordDoc struct {
	Version   int       `json:"v"`
	MessageID string    `json:"messageId"`
	Endpoints []string  `json:"endpoints,omitempty"`
	Sent      int       `json:"sent,omitempty"`
	RoutedAt  time.Time `json:"routedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	Event     eventDoc  `json:"event"`
}

type attemptDoc struct {
	Number     int       `json:"number"`
	At         time.Time `json:"at"`
	DurationMs int64     `json:"durationMs"`
	Outcome    Outcome   `json:"outcome"`
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	Response   []byte    `json:"response,omitempty"`
}

type deliveryDoc struct {
	Version   int          `json:"v"`
	EventID   string       `json:"eventId"`
	Endpoint  string       `json:"endpoint"`
	Source    string       `json:"source"`
	Type      string       `json:"type,omitempty"`
	Status    Status       `json:"status"`
	Reason    Reason       `json:"reason,omitempty"`
	Attempts  int          `json:"attempts"`
	Step      int          `json:"step,omitempty"`
	MessageID string       `json:"messageId"`
	Receives  int          `json:"receives,omitempty"`
	NextAt    time.Time    `json:"nextAt,omitzero"`
	Held      bool         `json:"held,omitempty"`
	Reserved  bool         `json:"reserved,omitempty"`
	UpdatedAt time.Time    `json:"updatedAt"`
	ExpiresAt time.Time    `json:"expiresAt"`
	History   []attemptDoc `json:"history"`
}

// task is a message in a delivery queue: the next step of one delivery.
type task struct {
	Version   int          `json:"v"`
	Endpoint  string       `json:"endpoint"`
	Attempt   int          `json:"attempt"`            // number of the attempt to make, 1 for the first
	Step      int          `json:"step"`               // attempts already made in this cycle; a replay begins a new cycle
	NotBefore time.Time    `json:"notBefore,omitzero"` // for a wait longer than a queue's delay, which goes in hops
	Made      *madeAttempt `json:"made,omitempty"`     // an attempt that was made and could not be recorded
	// Cycle tells that the message stands for all further attempts: it was set aside from an ordered queue.
	Cycle  bool   `json:"cycle,omitempty"`
	Lane   string `json:"lane,omitempty"`   // slowLane: the message came by the slow queue
	Origin string `json:"origin,omitempty"` // the message's id before it was set aside and redriven
}

// madeAttempt carries an attempt in a message while the ledger is down, so that the attempt is recorded later and not made twice.
type madeAttempt struct {
	MessageID    string     `json:"messageId"` // of the message that made it
	Attempt      attemptDoc `json:"attempt"`
	Final        Reason     `json:"final,omitempty"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
	Disable      string     `json:"disable,omitempty"` // why the endpoint wants no more, if its state does not know it yet
}

func (m *madeAttempt) made() made {
	return made{Attempt: m.Attempt.attempt(), final: m.Final, retryAfter: time.Duration(m.RetryAfterMs) * time.Millisecond, disable: m.Disable}
}

func toEventDoc(e Event) eventDoc {
	return eventDoc{format.Version, e.ID, e.Receipt, e.Source, e.Type, string(e.Trust), e.ReceivedAt, e.Header, e.Trace, e.Body, e.BodyRef, e.Holder, e.DeliveryID}
}

func (d eventDoc) event() (Event, error) {
	if err := format.CheckVersion(d.Version); err != nil {
		return Event{}, err
	}
	if d.ID == "" || d.Source == "" || d.ReceivedAt.IsZero() {
		return Event{}, fmt.Errorf("%w: event without id, source or receivedAt", format.ErrFormat)
	}
	return Event{d.ID, d.Receipt, d.Source, d.Type, verify.Trust(d.Trust), d.ReceivedAt.UTC(), d.Header, d.Trace, d.Body, d.BodyRef, d.Holder, d.DeliveryID}, nil
}

// EncodeEvent returns e in the form of the ingest queue's messages.
func EncodeEvent(e Event) []byte { return format.Encode(toEventDoc(e)) }

// DecodeEvent reads what EncodeEvent of this or an earlier version wrote. Error: ErrFormat.
func DecodeEvent(b []byte) (Event, error) {
	var d eventDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return Event{}, err
	}
	return d.event()
}

// EncodeEventRecord returns r in the form that ledgers keep. An adapter that stores the body separately passes a nil r.Body.
func EncodeEventRecord(r EventRecord) []byte {
	return format.Encode(recordDoc{format.Version, r.MessageID, r.Endpoints, r.Sent, r.RoutedAt, r.ExpiresAt, toEventDoc(r.Event)})
}

// DecodeEventRecord reads what EncodeEventRecord of this or an earlier version wrote. Error: ErrFormat.
func DecodeEventRecord(b []byte) (EventRecord, error) {
	var d recordDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return EventRecord{}, err
	}
	e, err := d.Event.event()
	if err != nil {
		return EventRecord{}, err
	}
	return EventRecord{e, d.MessageID, d.Endpoints, d.Sent, d.RoutedAt.UTC(), d.ExpiresAt.UTC()}, nil
}

// EncodeDelivery returns d in the form that ledgers keep.
func EncodeDelivery(d Delivery) []byte {
	doc := deliveryDoc{format.Version, d.EventID, d.Endpoint, d.Source, d.Type, d.Status, d.Reason, d.Attempts, d.Step, d.MessageID,
		d.Receives, d.NextAt, d.Held, d.Reserved, d.UpdatedAt, d.ExpiresAt, make([]attemptDoc, len(d.History))}
	for i, a := range d.History {
		doc.History[i] = toAttemptDoc(a)
	}
	return format.Encode(doc)
}

// DecodeDelivery reads what EncodeDelivery of this or an earlier version wrote. Error: ErrFormat.
func DecodeDelivery(b []byte) (Delivery, error) {
	var doc deliveryDoc
	if err := format.Decode(b, &doc, &doc.Version); err != nil {
		return Delivery{}, err
	}
	d := Delivery{doc.EventID, doc.Endpoint, doc.Source, doc.Type, doc.Status, doc.Reason, doc.Attempts, doc.Step, doc.MessageID,
		doc.Receives, doc.NextAt.UTC(), doc.Held, doc.Reserved, doc.UpdatedAt.UTC(), doc.ExpiresAt.UTC(), make([]Attempt, len(doc.History))}
	for i, a := range doc.History {
		d.History[i] = a.attempt()
	}
	return d, nil
}

func toAttemptDoc(a Attempt) attemptDoc {
	return attemptDoc{a.Number, a.At, a.Duration.Milliseconds(), a.Outcome, a.StatusCode, a.Error, a.Response}
}

func (d attemptDoc) attempt() Attempt {
	return Attempt{d.Number, d.At.UTC(), time.Duration(d.DurationMs) * time.Millisecond, d.Outcome, d.StatusCode, d.Error, d.Response}
}

// eventMember begins the last member of a message. No other text in a message can look like it: inside a JSON string its quotes are escaped, and no other member has this name.
const eventMember = `,"event":`

// encode returns the message of t with an event that is encoded already. The event is inserted as it is. Otherwise a fan-out to ten endpoints would parse and copy it ten times.
func (t task) encode(event []byte) []byte {
	t.Version = format.Version
	head := format.Encode(t)
	message := make([]byte, 0, len(head)+len(eventMember)+len(event))
	message = append(message, head[:len(head)-1]...)
	message = append(message, eventMember...)
	message = append(message, event...)
	return append(message, '}')
}

// raw returns the step's event as it was encoded in the message.
func (s *step) raw() []byte {
	if _, event, ok := bytes.Cut(s.msg.Body, []byte(eventMember)); ok && json.Valid(event[:len(event)-1]) {
		return event[:len(event)-1]
	}
	return EncodeEvent(s.event)
}

func decodeTask(b []byte) (task, Event, error) {
	var doc struct {
		task
		Event eventDoc `json:"event"`
	}
	if err := format.Decode(b, &doc, &doc.Version); err != nil {
		return task{}, Event{}, err
	}
	if doc.Endpoint == "" || doc.Attempt < 1 || doc.Step < 0 {
		return task{}, Event{}, fmt.Errorf("%w: delivery without endpoint or attempt", format.ErrFormat)
	}
	e, err := doc.Event.event()
	return doc.task, e, err
}
