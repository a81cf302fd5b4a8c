package relay

import (
	"context"
	"encoding/json"
	"time"

	"webhook-relay/shared/verify"
)

// OperatorSource is the name of the source of the relay's own events: subscriptions may name it, no configuration may take it, and
// nothing can be POSTed to it.
const OperatorSource = "relay"

// DeliveryDead is the type of the relay's own event about a delivery that died.
const DeliveryDead = "delivery.dead"

// notice is the body of one of the relay's own events.
type notice struct {
	Type string     `json:"type"`
	At   time.Time  `json:"timestamp"`
	Data noticeData `json:"data"`
}

type noticeData struct {
	Endpoint    string     `json:"endpoint"`
	Reason      string     `json:"reason,omitempty"`
	NextProbeAt *time.Time `json:"nextProbeAt,omitempty"`
	EventID     string     `json:"eventId,omitempty"`
	Source      string     `json:"source,omitempty"`
	EventType   string     `json:"eventType,omitempty"`
	Attempts    int        `json:"attempts,omitempty"`
	StatusCode  int        `json:"statusCode,omitempty"`
	Error       string     `json:"error,omitempty"`
}

// tellOperator sends the relay's own event of a change of the endpoint's state.
func (s *step) tellOperator(ctx context.Context, c *EndpointChange) {
	if c == nil {
		return
	}
	data := noticeData{Endpoint: c.Endpoint, Reason: c.Reason}
	if !c.State.OpenUntil.IsZero() {
		data.NextProbeAt = &c.State.OpenUntil
	}
	s.notify(ctx, c.Type, c.Endpoint+" "+s.event.ID, data)
}

// tellDead sends the relay's own event of a delivery that died.
func (s *step) tellDead(ctx context.Context) {
	d := s.record
	last := d.History[len(d.History)-1]
	s.notify(ctx, DeliveryDead, d.Endpoint+" "+d.EventID, noticeData{
		Endpoint: d.Endpoint, Reason: string(d.Reason), EventID: d.EventID, Source: d.Source, EventType: d.Type, Attempts: d.Attempts,
		StatusCode: last.StatusCode, Error: last.Error,
	})
}

// notify puts one of the relay's own events on the ingest queue. What becomes of such an event is told to nobody: they can never feed on
// themselves. One that cannot be sent is lost: the log and the ledger have it, and a delivery must not wait for it.
func (s *step) notify(ctx context.Context, eventType, about string, data noticeData) {
	if s.cfg.Operator == nil || s.event.Source == OperatorSource {
		return
	}
	now := wholeMillis(s.cfg.Now())
	body, err := json.Marshal(notice{eventType, now, data})
	if err != nil {
		return // strings and numbers
	}
	_ = sendOne(ctx, s.cfg.Operator, Outgoing{Body: EncodeEvent(Event{
		ID: EventID(OperatorSource, eventType+" "+about+" "+now.Format(time.RFC3339Nano)), Receipt: randomID(), Source: OperatorSource,
		Type: eventType, Trust: verify.Verified, ReceivedAt: now, Header: Header{"content-type": "application/json"},
		Trace: newTrace(s.event.Trace), Body: body,
	})})
}
