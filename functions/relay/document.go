package main

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate/breaker"
)

// The documents that --json prints, one a line. Times are UTC. Empty fields are omitted.

// eventDocument is an event and its deliveries.
type eventDocument struct {
	ID         string    `json:"id"`
	Source     string    `json:"source"`
	Type       string    `json:"type,omitempty"`
	Trust      string    `json:"trust"`
	ReceivedAt time.Time `json:"receivedAt"`
	Endpoints  []string  `json:"endpoints"` // the endpoints that it was routed to
	// those on record: attempted, or recorded as waiting without an attempt
	Deliveries []deliveryDocument `json:"deliveries"`
}

// deliveryDocument is the state of a delivery.
type deliveryDocument struct {
	EventID  string       `json:"eventId"`
	Endpoint string       `json:"endpoint"`
	Source   string       `json:"source"`
	Type     string       `json:"type,omitempty"`
	Status   relay.Status `json:"status"`
	Reason   relay.Reason `json:"reason,omitempty"` // why it is dead
	// waiting without an attempt: see held in docs/glossary.md
	Held      bool              `json:"held,omitempty"`
	NextAt    time.Time         `json:"nextAt,omitzero"`
	UpdatedAt time.Time         `json:"updatedAt"`
	Attempts  []attemptDocument `json:"attempts"` // the latest attempts
}

// attemptDocument is one attempt.
type attemptDocument struct {
	Number     int           `json:"number"`
	At         time.Time     `json:"at"`
	DurationMs int64         `json:"durationMs"`
	Outcome    relay.Outcome `json:"outcome"`
	StatusCode int           `json:"statusCode,omitempty"`
	Error      string        `json:"error,omitempty"`
	Response   string        `json:"response,omitempty"` // the beginning of the endpoint's answer
}

// endpointDocument is the state of an endpoint.
type endpointDocument struct {
	Name         string        `json:"name"`
	State        breaker.Phase `json:"state"`
	Reason       string        `json:"reason,omitempty"` // why it is disabled, open or unproven
	DisabledAt   time.Time     `json:"disabledAt,omitzero"`
	NextProbeAt  time.Time     `json:"nextProbeAt,omitzero"`
	PausedUntil  time.Time     `json:"pausedUntil,omitzero"`
	StoppedAt    time.Time     `json:"stoppedAt,omitzero"` // when the operator paused it
	FailingSince time.Time     `json:"failingSince,omitzero"`
	Failures     int           `json:"failures,omitempty"` // failed attempts in a row
	// when it is disabled if it keeps failing
	DisableAt time.Time `json:"disableAt,omitzero"`
}

func documentOfEvent(e relay.EventRecord, deliveries []relay.Delivery) eventDocument {
	d := eventDocument{
		ID: e.ID, Source: e.Source, Type: e.Type, Trust: string(e.Trust), ReceivedAt: e.ReceivedAt,
		Endpoints: append([]string{}, e.Endpoints...), Deliveries: make(
			[]deliveryDocument, len(deliveries),
		),
	}
	for i, delivery := range deliveries {
		d.Deliveries[i] = documentOf(delivery)
	}
	return d
}

func documentOf(d relay.Delivery) deliveryDocument {
	doc := deliveryDocument{
		EventID: d.EventID, Endpoint: d.Endpoint, Source: d.Source, Type: d.Type, Status: d.Status,
		Reason:    d.Reason,
		UpdatedAt: d.UpdatedAt, Attempts: make([]attemptDocument, len(d.History)),
	}
	if d.Status == relay.Waiting {
		doc.Held, doc.NextAt = d.Held, d.NextAt
	}
	for i, a := range d.History {
		doc.Attempts[i] = attemptDocument{
			Number: a.Number, At: a.At, DurationMs: a.Duration.Milliseconds(), Outcome: a.Outcome,
			StatusCode: a.StatusCode, Error: a.Error, Response: strings.ToValidUTF8(
				string(a.Response), "\ufffd",
			),
		}
	}
	return doc
}

func documentOfEndpoint(name string, s breaker.State, now time.Time) endpointDocument {
	d := endpointDocument{
		Name: name, State: s.Phase(now), DisabledAt: s.DisabledAt, NextProbeAt: s.OpenUntil,
		StoppedAt: s.StoppedAt, FailingSince: s.FailingSince, Failures: s.Failures,
	}
	switch d.State {
	case breaker.Disabled:
		d.Reason, d.NextProbeAt = s.Reason, time.Time{}
	case breaker.Unproven:
		d.Reason = s.Unproven
	case breaker.Open:
		d.Reason = s.Reason
	case breaker.Paused, breaker.Recovering, breaker.Healthy:
	}
	if s.PausedUntil.After(now) {
		d.PausedUntil = s.PausedUntil
	}
	if s.DisabledAt.IsZero() {
		d.DisableAt = s.DisableAt()
	}
	return d
}

// writeDocument prints a document as one line of JSON.
func writeDocument(out io.Writer, document any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(document)
}
