package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/verify"
)

// eventDoc is the JSON form of an event. It is the whole message in the ingest queue, a part of the
// messages in the delivery queues, and the core of the event's record.
type eventDoc struct {
	Version    int       `json:"v"`
	ID         string    `json:"id"`
	Receipt    string    `json:"receipt"`
	Source     string    `json:"source"`
	Tenant     string    `json:"tenant,omitempty"`
	Type       string    `json:"type,omitempty"`
	Trust      string    `json:"trust,omitempty"`
	ReceivedAt time.Time `json:"receivedAt"`
	Header     Header    `json:"header,omitempty"`
	Trace      string    `json:"trace,omitempty"`
	// base64: SQS refuses characters outside XML's range
	Body       []byte          `json:"body,omitempty"`
	Packed     []byte          `json:"packed,omitempty"`
	BodyRef    *BodyRef        `json:"bodyRef,omitempty"`
	Holder     document.Holder `json:"holder,omitzero"`
	DeliveryID string          `json:"deliveryId,omitempty"`
	Schema     *SchemaResult   `json:"schema,omitempty"`
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
	TimingMs   timingDoc `json:"timingMs,omitzero"`
	Outcome    Outcome   `json:"outcome"`
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	Response   []byte    `json:"response,omitempty"`
}

// timingDoc has milliseconds: of DNS, connect, TLS and first byte.
type timingDoc [4]int64

func toTimingDoc(t Timing) timingDoc {
	return timingDoc{
		t.DNS.Milliseconds(), t.Connect.Milliseconds(), t.TLS.Milliseconds(),
		t.FirstByte.Milliseconds(),
	}
}

func (d timingDoc) timing() Timing {
	return Timing{
		DNS:       time.Duration(d[0]) * time.Millisecond,
		Connect:   time.Duration(d[1]) * time.Millisecond,
		TLS:       time.Duration(d[2]) * time.Millisecond,
		FirstByte: time.Duration(d[3]) * time.Millisecond,
	}
}

type deliveryDoc struct {
	Version    int          `json:"v"`
	EventID    string       `json:"eventId"`
	Endpoint   string       `json:"endpoint"`
	ReceivedAt time.Time    `json:"receivedAt"`
	Source     string       `json:"source"`
	Type       string       `json:"type,omitempty"`
	Status     Status       `json:"status"`
	Reason     Reason       `json:"reason,omitempty"`
	Attempts   int          `json:"attempts"`
	Step       int          `json:"step,omitempty"`
	MessageID  string       `json:"messageId"`
	Receives   int          `json:"receives,omitempty"`
	NextAt     time.Time    `json:"nextAt,omitzero"`
	Held       gate.Hold    `json:"held,omitempty"`
	Reserved   bool         `json:"reserved,omitempty"`
	UpdatedAt  time.Time    `json:"updatedAt"`
	ExpiresAt  time.Time    `json:"expiresAt"`
	History    []attemptDoc `json:"history"`
}

// task is a message in a delivery queue: the next step of one delivery.
type task struct {
	Version  int    `json:"v"`
	Endpoint string `json:"endpoint"`
	// number of the attempt to make, 1 for the first
	Attempt int `json:"attempt"`
	// attempts already made in this cycle; a replay begins a new cycle
	Step int `json:"step"`
	// for a wait longer than a queue's delay, which goes in hops
	NotBefore time.Time `json:"notBefore,omitzero"`
	// an attempt that was made and could not be recorded
	Made *madeAttempt `json:"made,omitempty"`
	// Cycle tells that the message stands for all further attempts: it was set aside from an
	// ordered queue.
	Cycle  bool   `json:"cycle,omitempty"`
	Slow   bool   `json:"slow,omitempty"`   // the message is in the slow queue
	Origin string `json:"origin,omitempty"` // the message's id before it was set aside and redriven
}

// madeAttempt carries an attempt in a message while the ledger is down, so that the attempt is
// recorded later and not made twice.
type madeAttempt struct {
	MessageID    string     `json:"messageId"` // of the message that made it
	Attempt      attemptDoc `json:"attempt"`
	Final        Reason     `json:"final,omitempty"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
	// why the endpoint wants no more, if its state does not know it yet
	Disable string `json:"disable,omitempty"`
}

func (m *madeAttempt) result() attemptResult {
	return attemptResult{
		attempt: m.Attempt.attempt(), final: m.Final,
		retryAfter: time.Duration(m.RetryAfterMs) * time.Millisecond, disable: m.Disable,
	}
}

func toEventDoc(e Event) eventDoc {
	return eventDoc{
		Version: format.Version, ID: e.ID, Receipt: e.Receipt, Source: e.Source,
		Tenant: e.Tenant, Type: e.Type,
		Trust: string(e.Trust), ReceivedAt: e.ReceivedAt, Header: e.Header, Trace: e.Trace,
		Body: e.Body, Packed: e.Packed, BodyRef: e.BodyRef, Holder: e.Holder,
		DeliveryID: e.DeliveryID, Schema: e.Schema,
	}
}

func (d eventDoc) event() (Event, error) {
	if err := format.CheckVersion(d.Version); err != nil {
		return Event{}, err
	}
	if d.ID == "" || d.Source == "" || d.ReceivedAt.IsZero() {
		return Event{}, fmt.Errorf("%w: event without id, source or receivedAt", format.ErrFormat)
	}
	return Event{
		ID: d.ID, Receipt: d.Receipt, Source: d.Source, Tenant: d.Tenant, Type: d.Type,
		Trust:      verify.Trust(d.Trust),
		ReceivedAt: d.ReceivedAt.UTC(), Header: d.Header, Trace: d.Trace, Body: d.Body,
		Packed: d.Packed, BodyRef: d.BodyRef, Holder: d.Holder, DeliveryID: d.DeliveryID,
		Schema: d.Schema,
	}, nil
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

// EncodeEventRecord returns r in the form that ledgers keep. An adapter that stores the body
// separately passes a nil r.Body and r.Packed.
func EncodeEventRecord(r EventRecord) []byte {
	return format.Encode(toRecordDoc(r))
}

func toRecordDoc(r EventRecord) recordDoc {
	return recordDoc{
		Version: format.Version, MessageID: r.MessageID, Endpoints: r.Endpoints, Sent: r.Sent,
		RoutedAt: r.RoutedAt, ExpiresAt: r.ExpiresAt, Event: toEventDoc(r.Event),
	}
}

// DecodeEventRecord reads what EncodeEventRecord of this or an earlier version wrote. Error:
// ErrFormat.
func DecodeEventRecord(b []byte) (EventRecord, error) {
	var d recordDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return EventRecord{}, err
	}
	e, err := d.Event.event()
	if err != nil {
		return EventRecord{}, err
	}
	return EventRecord{
		Event: e, MessageID: d.MessageID, Endpoints: d.Endpoints, Sent: d.Sent,
		RoutedAt: d.RoutedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(),
	}, nil
}

// EncodeDelivery returns d in the form that ledgers keep.
func EncodeDelivery(d Delivery) []byte { return format.Encode(toDeliveryDoc(d)) }

func toDeliveryDoc(d Delivery) deliveryDoc {
	doc := deliveryDoc{Version: format.Version, EventID: d.EventID, Endpoint: d.Endpoint,
		ReceivedAt: d.ReceivedAt, Source: d.Source, Type: d.Type, Status: d.Status,
		Reason: d.Reason, Attempts: d.Attempts,
		Step: d.Step, MessageID: d.MessageID,
		Receives: d.Receives, NextAt: d.NextAt, Held: d.Held, Reserved: d.Reserved,
		UpdatedAt: d.UpdatedAt, ExpiresAt: d.ExpiresAt, History: make([]attemptDoc, len(d.History))}
	for i, a := range d.History {
		doc.History[i] = toAttemptDoc(a)
	}
	return doc
}

// DecodeDelivery reads what EncodeDelivery of this or an earlier version wrote. Error: ErrFormat.
func DecodeDelivery(b []byte) (Delivery, error) {
	var doc deliveryDoc
	if err := format.Decode(b, &doc, &doc.Version); err != nil {
		return Delivery{}, err
	}
	d := Delivery{EventID: doc.EventID, Endpoint: doc.Endpoint,
		ReceivedAt: doc.ReceivedAt.UTC(), Source: doc.Source, Type: doc.Type,
		Status: doc.Status, Reason: doc.Reason, Attempts: doc.Attempts, Step: doc.Step,
		MessageID: doc.MessageID,
		Receives:  doc.Receives, NextAt: doc.NextAt.UTC(), Held: doc.Held, Reserved: doc.Reserved,
		UpdatedAt: doc.UpdatedAt.UTC(), ExpiresAt: doc.ExpiresAt.UTC(), History: make(
			[]Attempt, len(doc.History),
		)}
	for i, a := range doc.History {
		d.History[i] = a.attempt()
	}
	return d, nil
}

func toAttemptDoc(a Attempt) attemptDoc {
	return attemptDoc{
		Number: a.Number, At: a.At, DurationMs: a.Duration.Milliseconds(),
		TimingMs: toTimingDoc(a.Timing), Outcome: a.Outcome,
		StatusCode: a.StatusCode, Error: a.Error, Response: a.Response,
	}
}

func (d attemptDoc) attempt() Attempt {
	return Attempt{
		Number: d.Number, At: d.At.UTC(), Duration: time.Duration(d.DurationMs) * time.Millisecond,
		Timing: d.TimingMs.timing(), Outcome: d.Outcome, StatusCode: d.StatusCode, Error: d.Error,
		Response: d.Response,
	}
}

// eventMember begins the last member of a message. No other text in a message can look like it:
// inside a JSON string its quotes are escaped, and no other member has this name.
const eventMember = `,"event":`

// encode returns the message of t with an event that is encoded already. The event is inserted as
// it is. Otherwise a fan-out to ten endpoints would parse and copy it ten times.
func (t task) encode(event []byte) []byte {
	head := format.Encode(t.versioned())
	message := make([]byte, 0, len(head)+len(eventMember)+len(event))
	message = append(message, head[:len(head)-1]...)
	message = append(message, eventMember...)
	message = append(message, event...)
	return append(message, '}')
}

// versioned returns t with the version that encode writes.
func (t task) versioned() task {
	t.Version = format.Version
	return t
}

// raw returns the step's event as it was encoded in the message.
func (s *step) raw() []byte {
	if _, event, ok := bytes.Cut(s.msg.Body, []byte(eventMember)); ok &&
		json.Valid(event[:len(event)-1]) {
		return event[:len(event)-1]
	}
	return EncodeEvent(s.event)
}

// decoded returns e as DecodeEvent returns it, or nil if JSON would change one of its texts.
func (e Event) decoded() any {
	valid := utf8.ValidString(e.Type) && utf8.ValidString(e.DeliveryID)
	for name, value := range e.Header {
		valid = valid && utf8.ValidString(name) && utf8.ValidString(value)
	}
	if !valid {
		return nil
	}
	if len(e.Body) == 0 {
		e.Body = nil
	}
	if len(e.Header) == 0 {
		e.Header = nil
	}
	return &e
}

// eventOf returns the event of a message of the ingest queue. Error: ErrFormat.
func eventOf(m Message) (Event, error) {
	if e, ok := m.Value.(*Event); ok {
		return *e, nil
	}
	return DecodeEvent(m.Body)
}

// deliveryValue is Message.Value of a message in a delivery queue.
type deliveryValue struct {
	task  task
	event *Event
}

// taskOf returns the task of a message in a delivery queue, and its event. Error: ErrFormat.
func taskOf(m Message) (task, Event, error) {
	if v, ok := m.Value.(*deliveryValue); ok {
		return v.task, *v.event, nil
	}
	return decodeTask(m.Body)
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
		return task{}, Event{},
			fmt.Errorf("%w: delivery without endpoint or attempt", format.ErrFormat)
	}
	e, err := doc.Event.event()
	return doc.task, e, err
}
