package relay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"webhook-relay/shared/breaker"
	"webhook-relay/shared/document"
	"webhook-relay/shared/verify"
)

// OperatorSource is the name of the source of the relay's own events: subscriptions may name it, no configuration may take it, and
// nothing can be POSTed to it.
const OperatorSource = "relay"

// Types of the relay's own events. There is one for each change of an endpoint's state, however many deliveries it concerns, one for
// each delivery that dies, and one for each secret that is learned: a subscription's types choose among them.
const (
	EndpointOpened    = "endpoint.opened"    // its breaker opened: deliveries are held
	EndpointRecovered = "endpoint.recovered" // its breaker closed again
	EndpointFailing   = "endpoint.failing"   // a day of nothing but failures: it will be disabled
	EndpointDisabled  = "endpoint.disabled"
	EndpointEnabled   = "endpoint.enabled"  // by its operator
	EndpointProved    = "endpoint.proved"   // it has proved itself: deliveries begin
	EndpointUnproven  = "endpoint.unproven" // it was asked to, and did not: deliveries are held
	DeliveryDead      = "delivery.dead"

	SourceSecretLearned = "source.secret_learned" // a handshake brought a source's secret
)

// notice is the body of one of the relay's own events, in the form that Standard Webhooks recommends.
type notice struct {
	Type string     `json:"type"`
	At   time.Time  `json:"timestamp"`
	Data noticeData `json:"data"`
}

type noticeData struct {
	Endpoint    string     `json:"endpoint,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	NextProbeAt *time.Time `json:"nextProbeAt,omitempty"`
	DisabledAt  *time.Time `json:"disabledAt,omitempty"`
	EventID     string     `json:"eventId,omitempty"`
	Source      string     `json:"source,omitempty"`
	EventType   string     `json:"eventType,omitempty"`
	Attempts    int        `json:"attempts,omitempty"`
	StatusCode  int        `json:"statusCode,omitempty"`
	Error       string     `json:"error,omitempty"`
}

// Notifier sends the relay's own events: it puts them on the ingest queue as events of the source OperatorSource. One that no subscription
// would take is not sent. Whether one would is looked up when there is something to tell, which is rare, and remembered as the fan-out
// does; so a relay without such subscriptions pays next to nothing, and no relay pays while all is well.
//
// A nil Notifier sends nothing. It is safe for concurrent use.
type Notifier struct {
	ingest Queue
	routes *cache[routes]
}

// NewNotifier returns a Notifier. It calls nothing yet. cacheTTL is how long it remembers subscriptions; zero: DefaultCacheTTL.
func NewNotifier(subscriptions Subscriptions, ingest Queue, cacheTTL time.Duration) *Notifier {
	return &Notifier{ingest, newRoutes(cacheTTL, time.Now, subscriptions)}
}

// notifyUnasked returns a Notifier that sends without a look at the subscriptions: for a function that may not read them,
// and has something to tell so seldom that an event which nobody takes costs nothing worth saving.
func notifyUnasked(ingest Queue) *Notifier { return &Notifier{ingest: ingest} }

// TellChange tells of a change of an endpoint's state; nil is none.
func (n *Notifier) TellChange(ctx context.Context, c *EndpointChange) error {
	if c == nil {
		return nil
	}
	data := noticeData{Endpoint: c.Endpoint, Reason: c.Reason}
	switch c.Type {
	case EndpointOpened:
		data.NextProbeAt = &c.State.OpenUntil
	case EndpointFailing:
		at := c.State.DisableAt()
		data.DisabledAt = &at
	}
	return n.tell(ctx, c.Endpoint+" "+strconv.FormatInt(c.Revision, 10), "", notice{c.Type, c.At, data})
}

// tellDead tells of a delivery that died.
func (n *Notifier) tellDead(ctx context.Context, d Delivery, trace string) error {
	last := d.History[len(d.History)-1]
	return n.tell(ctx, d.EventID+" "+d.Endpoint+" "+strconv.Itoa(d.Attempts), trace, notice{DeliveryDead, d.UpdatedAt, noticeData{
		Endpoint: d.Endpoint, Reason: string(d.Reason), EventID: d.EventID, Source: d.Source, EventType: d.Type, Attempts: d.Attempts,
		StatusCode: last.StatusCode, Error: last.Error,
	}})
}

// tellLearned tells that a handshake brought a source's secret.
func (n *Notifier) tellLearned(ctx context.Context, source string, at time.Time) error {
	return n.tell(ctx, source+" "+randomID(), "", notice{SourceSecretLearned, wholeMillis(at), noticeData{Source: source}})
}

// tell sends an event. Its id is made of its type and of what happened, which is the same for each copy of it: the fan-out drops the second.
func (n *Notifier) tell(ctx context.Context, happened, trace string, what notice) error {
	if n == nil {
		return nil
	}
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	e := Event{
		ID: EventID(OperatorSource, what.Type+" "+happened), Receipt: randomID(), Source: OperatorSource, Type: what.Type,
		Trust: verify.Verified, ReceivedAt: wholeMillis(time.Now()), Header: Header{"content-type": "application/json"},
		Trace: newTrace(trace), Body: body,
	}
	wanted, err := n.wanted(ctx, e)
	if err != nil {
		return fmt.Errorf("%s: %w", what.Type, err)
	}
	if !wanted {
		return nil
	}
	if err := sendOne(ctx, n.ingest, Outgoing{Body: EncodeEvent(e)}); err != nil {
		return fmt.Errorf("%s: %w", what.Type, err)
	}
	return nil
}

// wanted tells whether a subscription may take an event; true if the subscriptions cannot be looked at.
func (n *Notifier) wanted(ctx context.Context, e Event) (bool, error) {
	if n.routes == nil {
		return true, nil
	}
	rs, err := n.routes.get(ctx, OperatorSource)
	if err != nil {
		return false, err
	}
	result := rs.table.Match(filtered(e, document.Document{Text: e.Body}))
	return len(result.Rules)+len(result.Undecided) > 0, nil
}

// EndpointChange is a change of an endpoint's state that its operator wants to know of.
type EndpointChange struct {
	Endpoint string
	Type     string // one of the EndpointX types
	Reason   string
	At       time.Time // UTC, whole milliseconds
	State    breaker.State
	Revision int64 // of State: no other change of the endpoint has it
}

// changeOf returns what of a change of state is worth telling; nil for nothing.
func changeOf(endpoint string, before, after breaker.State, revision int64, now time.Time) *EndpointChange {
	c := &EndpointChange{Endpoint: endpoint, At: now, State: after, Revision: revision}
	switch was, is := before.Phase(now), after.Phase(now); {
	case is == breaker.Disabled && was != breaker.Disabled:
		c.Type, c.Reason = EndpointDisabled, after.Reason
	case before.WarnedAt.IsZero() && !after.WarnedAt.IsZero():
		c.Type, c.Reason = EndpointFailing, "nothing but failures since "+after.FailingSince.Format(time.RFC3339)
	case before.Unproved == "" && after.Unproved != "":
		c.Type, c.Reason = EndpointUnproven, after.Unproved
	case before.Proof != after.Proof:
		c.Type = EndpointProved
	case before.Openings == 0 && after.Openings > 0:
		c.Type, c.Reason = EndpointOpened, after.Reason
	case before.Openings > 0 && after.Openings == 0 && is != breaker.Disabled:
		c.Type = EndpointRecovered
	default:
		return nil
	}
	return c
}

// byOperator is the reason of what an operator does and says no other for.
const byOperator = "by its operator"

// EnableEndpoint lets an endpoint have deliveries again that is disabled, open or paused: slowly at first. It returns what changed; nil if
// the endpoint is none of these.
func EnableEndpoint(ctx context.Context, states EndpointStates, endpoint string) (*EndpointChange, error) {
	return operate(ctx, states, endpoint, func(s breaker.State, now time.Time) (breaker.State, EndpointChange) {
		if p := s.Phase(now); p == breaker.Closed || p == breaker.Recovering {
			return s, EndpointChange{}
		}
		return s.Enable(now), EndpointChange{Type: EndpointEnabled, Reason: byOperator}
	})
}

// DisableEndpoint lets an endpoint have no deliveries until it is enabled: those that come up die. The reason is for people. It returns what changed; nil if the
// endpoint is disabled already.
func DisableEndpoint(ctx context.Context, states EndpointStates, endpoint, reason string) (*EndpointChange, error) {
	return operate(ctx, states, endpoint, func(s breaker.State, now time.Time) (breaker.State, EndpointChange) {
		return s.Disable(now, cmp.Or(reason, byOperator)), EndpointChange{Type: EndpointDisabled, Reason: cmp.Or(reason, byOperator)}
	})
}

// operate writes what change makes of an endpoint's state, also when the functions write it at the same time.
func operate(ctx context.Context, states EndpointStates, endpoint string,
	change func(breaker.State, time.Time) (breaker.State, EndpointChange),
) (*EndpointChange, error) {
	for try := 1; ; try++ {
		before, revision, err := states.EndpointState(ctx, endpoint)
		if err != nil {
			return nil, err
		}
		now := wholeMillis(time.Now())
		after, c := change(before, now)
		if after == before {
			return nil, nil //nolint:nilnil // nothing changed
		}
		err = states.SaveEndpointState(ctx, endpoint, after, revision)
		if err == nil {
			c.Endpoint, c.At, c.State, c.Revision = endpoint, now, after, revision+1
			return &c, nil
		}
		if !errors.Is(err, ErrConflict) || try == stateTries {
			return nil, err
		}
	}
}
