package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"webhook-relay/shared/breaker"
	"webhook-relay/shared/document"
	"webhook-relay/shared/verify"
)

// Version of the formats below. Readers keep understanding every earlier one, since a deployment meets messages in flight and items on
// record. They ignore members that they do not know, and an older reader meets what a newer writer wrote: while functions are being updated,
// which CloudFormation does in no order, and after a roll back. So within a version only that may be added which an older reader may ignore
// without harm. Any other change takes the next number, which an older reader puts aside and does not misunderstand, and takes two releases:
// one that reads it, then one that writes it.
const formatVersion = 1

// ErrFormat: a queue message or a record cannot be read. Trying again does not help.
var ErrFormat = errors.New("relay: unreadable format")

// eventDoc is an event's JSON form: the ingest queue's message, a part of the delivery queues' messages, and the record's core.
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

// recordDoc is an event's record.
type recordDoc struct {
	Version   int       `json:"v"`
	MessageID string    `json:"messageId"`
	Endpoints []string  `json:"endpoints,omitempty"`
	Sent      int       `json:"sent,omitempty"`
	RoutedAt  time.Time `json:"routedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	Event     eventDoc  `json:"event"`
}

// endpointDoc is an endpoint's state.
type endpointDoc struct {
	Version      int       `json:"v"`
	Failures     int       `json:"failures,omitempty"`
	FailingSince time.Time `json:"failingSince,omitzero"`
	OpenUntil    time.Time `json:"openUntil,omitzero"`
	Openings     int       `json:"openings,omitempty"`
	ClosedAt     time.Time `json:"closedAt,omitzero"`
	PausedUntil  time.Time `json:"pausedUntil,omitzero"`
	WarnedAt     time.Time `json:"warnedAt,omitzero"`
	DisabledAt   time.Time `json:"disabledAt,omitzero"`
	Reason       string    `json:"reason,omitempty"`
	Proof        *proofDoc `json:"proof,omitempty"`
	Unproved     string    `json:"unproved,omitempty"`
	FailedAt     time.Time `json:"failedAt,omitzero"`
	TookMs       int64     `json:"tookMs,omitempty"`
	TookAt       time.Time `json:"tookAt,omitzero"`
	SlowUntil    time.Time `json:"slowUntil,omitzero"`
	SlowAt       time.Time `json:"slowAt,omitzero"`
	SlowSeen     int       `json:"slowSeen,omitempty"`
}

type proofDoc struct {
	Of   string    `json:"of"`
	At   time.Time `json:"at"`
	Rate int       `json:"ratePerMinute,omitempty"`
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

// task is a message of the delivery queues: the next step of one delivery.
type task struct {
	Version   int          `json:"v"`
	Endpoint  string       `json:"endpoint"`
	Attempt   int          `json:"attempt"`            // number of the attempt to make, 1 for the first
	Step      int          `json:"step"`               // attempts made before in this cycle; a replay begins a new cycle
	NotBefore time.Time    `json:"notBefore,omitzero"` // a wait longer than a queue can carry goes in hops
	Made      *madeAttempt `json:"made,omitempty"`     // the attempt was made and could not be recorded
	Cycle     bool         `json:"cycle,omitempty"`    // it stands for all attempts from here on, as in an ordered queue, from which it was set aside
	Lane      string       `json:"lane,omitempty"`     // slowLane: the message came by the queue of slow endpoints
	Origin    string       `json:"origin,omitempty"`   // id of the message that was put aside as this one: a redrive gives it another
}

// madeAttempt carries an attempt past a ledger that is down, so that it is recorded later and not made twice.
type madeAttempt struct {
	MessageID    string     `json:"messageId"` // of the message that made it
	Attempt      attemptDoc `json:"attempt"`
	Final        Reason     `json:"final,omitempty"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
	Disable      string     `json:"disable,omitempty"` // why the endpoint wants no more, if its state does not know yet
}

func (m *madeAttempt) made() made {
	return made{Attempt: m.Attempt.attempt(), final: m.Final, retryAfter: time.Duration(m.RetryAfterMs) * time.Millisecond, disable: m.Disable}
}

func toEventDoc(e Event) eventDoc {
	return eventDoc{formatVersion, e.ID, e.Receipt, e.Source, e.Type, string(e.Trust), e.ReceivedAt, e.Header, e.Trace, e.Body, e.BodyRef, e.Holder, e.DeliveryID}
}

func (d eventDoc) event() (Event, error) {
	if err := checkVersion(d.Version); err != nil {
		return Event{}, err
	}
	if d.ID == "" || d.Source == "" || d.ReceivedAt.IsZero() {
		return Event{}, fmt.Errorf("%w: event without id, source or receivedAt", ErrFormat)
	}
	return Event{d.ID, d.Receipt, d.Source, d.Type, verify.Trust(d.Trust), d.ReceivedAt.UTC(), d.Header, d.Trace, d.Body, d.BodyRef, d.Holder, d.DeliveryID}, nil
}

// EncodeEvent returns e in the form that the ingest queue carries.
func EncodeEvent(e Event) []byte { return encode(toEventDoc(e)) }

// DecodeEvent reads what EncodeEvent of this or an earlier version wrote; ErrFormat.
func DecodeEvent(b []byte) (Event, error) {
	var d eventDoc
	if err := decode(b, &d, &d.Version); err != nil {
		return Event{}, err
	}
	return d.event()
}

// EncodeEventRecord returns r in the form that ledgers keep. An adapter that stores the body apart leaves r.Body nil.
func EncodeEventRecord(r EventRecord) []byte {
	return encode(recordDoc{formatVersion, r.MessageID, r.Endpoints, r.Sent, r.RoutedAt, r.ExpiresAt, toEventDoc(r.Event)})
}

// DecodeEventRecord reads what EncodeEventRecord of this or an earlier version wrote; ErrFormat.
func DecodeEventRecord(b []byte) (EventRecord, error) {
	var d recordDoc
	if err := decode(b, &d, &d.Version); err != nil {
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
	doc := deliveryDoc{formatVersion, d.EventID, d.Endpoint, d.Source, d.Type, d.Status, d.Reason, d.Attempts, d.Step, d.MessageID,
		d.Receives, d.NextAt, d.Held, d.Reserved, d.UpdatedAt, d.ExpiresAt, make([]attemptDoc, len(d.History))}
	for i, a := range d.History {
		doc.History[i] = toAttemptDoc(a)
	}
	return encode(doc)
}

// DecodeDelivery reads what EncodeDelivery of this or an earlier version wrote; ErrFormat.
func DecodeDelivery(b []byte) (Delivery, error) {
	var doc deliveryDoc
	if err := decode(b, &doc, &doc.Version); err != nil {
		return Delivery{}, err
	}
	d := Delivery{doc.EventID, doc.Endpoint, doc.Source, doc.Type, doc.Status, doc.Reason, doc.Attempts, doc.Step, doc.MessageID,
		doc.Receives, doc.NextAt.UTC(), doc.Held, doc.Reserved, doc.UpdatedAt.UTC(), doc.ExpiresAt.UTC(), make([]Attempt, len(doc.History))}
	for i, a := range doc.History {
		d.History[i] = a.attempt()
	}
	return d, nil
}

// EncodeEndpointState returns s in the form that ledgers keep.
func EncodeEndpointState(s breaker.State) []byte {
	doc := endpointDoc{formatVersion, s.Failures, s.FailingSince, s.OpenUntil, s.Openings, s.ClosedAt, s.PausedUntil, s.WarnedAt,
		s.DisabledAt, s.Reason, nil, s.Unproved, s.FailedAt, s.Took.Milliseconds(), s.TookAt, s.SlowUntil, s.SlowAt, s.SlowSeen}
	if s.Proof != (breaker.Proof{}) {
		doc.Proof = &proofDoc{s.Proof.Of, s.Proof.At, s.Proof.Rate}
	}
	return encode(doc)
}

// DecodeEndpointState reads what EncodeEndpointState of this or an earlier version wrote; ErrFormat.
func DecodeEndpointState(b []byte) (breaker.State, error) {
	var d endpointDoc
	if err := decode(b, &d, &d.Version); err != nil {
		return breaker.State{}, err
	}
	s := breaker.State{Failures: d.Failures, FailingSince: d.FailingSince.UTC(), OpenUntil: d.OpenUntil.UTC(), Openings: d.Openings,
		ClosedAt: d.ClosedAt.UTC(), PausedUntil: d.PausedUntil.UTC(), WarnedAt: d.WarnedAt.UTC(), DisabledAt: d.DisabledAt.UTC(),
		Reason: d.Reason, Unproved: d.Unproved, FailedAt: d.FailedAt.UTC(), Took: time.Duration(d.TookMs) * time.Millisecond, TookAt: d.TookAt.UTC(),
		SlowUntil: d.SlowUntil.UTC(), SlowAt: d.SlowAt.UTC(), SlowSeen: d.SlowSeen}
	if d.Proof != nil {
		s.Proof = breaker.Proof{Of: d.Proof.Of, At: d.Proof.At.UTC(), Rate: d.Proof.Rate}
	}
	return s, nil
}

func toAttemptDoc(a Attempt) attemptDoc {
	return attemptDoc{a.Number, a.At, a.Duration.Milliseconds(), a.Outcome, a.StatusCode, a.Error, a.Response}
}

func (d attemptDoc) attempt() Attempt {
	return Attempt{d.Number, d.At.UTC(), time.Duration(d.DurationMs) * time.Millisecond, d.Outcome, d.StatusCode, d.Error, d.Response}
}

// encode returns the message of t for an event that is encoded already. It is put in as it is: a fan-out of ten would else read
// and copy it ten times.
func (t task) encode(event []byte) []byte {
	t.Version = formatVersion
	head := encode(t)
	const member = `,"event":`
	message := make([]byte, 0, len(head)+len(member)+len(event))
	message = append(message, head[:len(head)-1]...)
	message = append(message, member...)
	message = append(message, event...)
	return append(message, '}')
}

func decodeTask(b []byte) (task, Event, error) {
	var doc struct {
		task
		Event eventDoc `json:"event"`
	}
	if err := decode(b, &doc, &doc.Version); err != nil {
		return task{}, Event{}, err
	}
	if doc.Endpoint == "" || doc.Attempt < 1 || doc.Step < 0 {
		return task{}, Event{}, fmt.Errorf("%w: delivery without endpoint or attempt", ErrFormat)
	}
	e, err := doc.Event.event()
	return doc.task, e, err
}

// encode cannot fail: every field of the documents is a plain value.
func encode(doc any) []byte {
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return escapeNoncharacters(b)
}

// escapeNoncharacters escapes U+FFFE and U+FFFF, which queues do not take (see CheckText). Of all such characters they alone are written by package json
// as they are; and they are within its strings.
func escapeNoncharacters(b []byte) []byte {
	if !bytes.Contains(b, []byte("\xEF\xBF")) { // how both begin, and U+FFFD
		return b
	}
	b = bytes.ReplaceAll(b, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(b, []byte("\uFFFF"), []byte(`\uffff`))
}

// ErrText: a message is empty, or has a character that queues do not take.
var ErrText = errors.New("relay: not a text that queues take")

// CheckText tells whether a queue takes a message's body, as SQS does: UTF-8 of at least one character, all of them such as XML 1.0 has (tab, newline,
// carriage return, and from U+0020 on all but U+FFFE and U+FFFF). ErrText.
func CheckText(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: it is empty", ErrText)
	}
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return fmt.Errorf("%w: no UTF-8 at byte %d", ErrText, i)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return fmt.Errorf("%w: %U at byte %d", ErrText, r, i)
		}
		i += size
	}
	return nil
}

func decode(b []byte, doc any, version *int) error {
	if err := json.Unmarshal(b, doc); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return checkVersion(*version)
}

func checkVersion(v int) error {
	if v < 1 || v > formatVersion {
		return fmt.Errorf("%w: version %d, this build reads 1 to %d", ErrFormat, v, formatVersion)
	}
	return nil
}
