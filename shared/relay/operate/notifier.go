package operate

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
)

// Types of the relay's own events, beside those for changes of an endpoint's state. There is one
// event for each delivery that dies, and one for each learned secret.
const (
	DeliveryDead        = "delivery.dead"
	SourceSecretLearned = "source.secret_learned" // a handshake brought a source's secret
	SubscriptionFailing = "subscription.failing"  // a transform fails again and again
	SourceSilent        = "source.silent"         // no webhook for too long
	SourceResumed       = "source.resumed"        // a webhook has ended that silence
	TypeDrifted         = "type.drifted"          // events do not fit the schema any more
)

// notice is the body of one of the relay's own events, in the form that Standard Webhooks
// recommends.
type notice struct {
	Type string     `json:"type"`
	At   time.Time  `json:"timestamp"`
	Data noticeData `json:"data"`
}

type noticeData struct {
	Tenant      string     `json:"tenant,omitempty"`
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
	LastAt      *time.Time `json:"lastAt,omitempty"`
	ExpectedBy  *time.Time `json:"expectedBy,omitempty"`
	SilentSince *time.Time `json:"silentSince,omitempty"`
	At          *string    `json:"at,omitempty"`
	Problem     string     `json:"problem,omitempty"`
}

// Notifier sends the relay's own events: it puts them in the ingest queue, as events of the source
// catalog.OwnSource. An event about something of a tenant's belongs to that tenant. It does not
// send an event that no subscription takes. It looks up the subscriptions only when there is an
// event, which is rare, and caches them as the fan-out does. So a relay without such subscriptions
// pays next to nothing, and no relay pays while all is well.
//
// It implements Operator and is safe for concurrent use.
type Notifier struct {
	ingest relay.Queue
	router *relay.Router // nil: every event is sent
}

// NewNotifier returns a Notifier. It calls nothing yet. router tells which events a subscription
// takes; nil: all events are sent. Use nil in a function that may not read the subscriptions and
// has very few events: an event that nobody takes then costs next to nothing.
func NewNotifier(router *relay.Router, ingest relay.Queue) *Notifier {
	return &Notifier{ingest: ingest, router: router}
}

// TellChange sends the event for a change of an endpoint's state. nil means that there is none.
func (n *Notifier) TellChange(ctx context.Context, c *gate.Change) error {
	if c == nil {
		return nil
	}
	tenant, endpoint := catalog.SplitName(c.Endpoint)
	data := noticeData{Tenant: tenant, Endpoint: endpoint, Reason: c.Reason}
	switch c.Type {
	case gate.EndpointOpened:
		data.NextProbeAt = &c.State.OpenUntil
	case gate.EndpointFailing:
		at := c.State.DisableAt()
		data.DisabledAt = &at
	}
	return n.tell(
		ctx, c.Endpoint+" "+strconv.FormatInt(c.Revision, 10), "",
		notice{Type: c.Type, At: c.At, Data: data},
	)
}

// TellDead sends the event for a delivery that died. trace is the traceparent of the delivery's
// event.
func (n *Notifier) TellDead(ctx context.Context, d relay.Delivery, trace string) error {
	last := d.History[len(d.History)-1]
	tenant, endpoint := catalog.SplitName(d.Endpoint)
	source := d.Source
	if tenant != "" {
		_, source = catalog.SplitName(source) // the name that the tenant knows
	}
	return n.tell(ctx, d.EventID+" "+d.Endpoint+" "+
		strconv.Itoa(d.Attempts), trace, notice{Type: DeliveryDead, At: d.UpdatedAt,
		Data: noticeData{
			Tenant: tenant, Endpoint: endpoint, Reason: string(d.Reason), EventID: d.EventID,
			Source: source, EventType: d.Type, Attempts: d.Attempts,
			StatusCode: last.StatusCode, Error: last.Error,
		}})
}

// TellFailing sends the event for a transform that fails again and again: at most one a day for a
// transform, however many instances notice it.
func (n *Notifier) TellFailing(ctx context.Context, f relay.FailingTransform) error {
	sum := sha256.Sum256([]byte(f.Spec))
	happened := strings.Join([]string{
		f.Source, f.Endpoint, hex.EncodeToString(sum[:8]), f.At.UTC().Format(time.DateOnly),
	}, " ")
	return n.tell(ctx, happened, "", notice{
		Type: SubscriptionFailing, At: f.At, Data: noticeData{
			Source: f.Source, Endpoint: f.Endpoint, EventID: f.EventID, Error: f.Error,
			Reason: string(relay.TransformFailed),
		},
	})
}

// TellLearned sends the event for a source's secret that a handshake brought.
func (n *Notifier) TellLearned(ctx context.Context, source string, at time.Time) error {
	tenant, plain := catalog.SplitName(source)
	return n.tell(
		ctx, source+" "+rand.Text(), "",
		notice{
			Type: SourceSecretLearned, At: at.UTC().Truncate(time.Millisecond),
			Data: noticeData{Tenant: tenant, Source: plain},
		},
	)
}

// PulseChange is the beginning or the end of a source's silence.
type PulseChange struct {
	Source      string // qualified
	At          time.Time
	LastAt      time.Time // its newest webhook; zero: it never had one
	ExpectedBy  time.Time // when the next one should have come
	SilentSince time.Time // as in Pulse
	Reason      string    // how the expectation came about
}

// TellSilent sends the event for a source that has been silent for too long.
func (n *Notifier) TellSilent(ctx context.Context, c PulseChange) error {
	return n.tellPulse(ctx, SourceSilent, c, noticeData{
		LastAt: pointerTo(c.LastAt), ExpectedBy: pointerTo(c.ExpectedBy), Reason: c.Reason,
	})
}

// TellResumed sends the event for a source whose silence a webhook has ended.
func (n *Notifier) TellResumed(ctx context.Context, c PulseChange) error {
	return n.tellPulse(ctx, SourceResumed, c, noticeData{
		LastAt: pointerTo(c.LastAt), SilentSince: pointerTo(c.SilentSince),
	})
}

func (n *Notifier) tellPulse(
	ctx context.Context, eventType string, c PulseChange, data noticeData,
) error {
	data.Tenant, data.Source = catalog.SplitName(c.Source)
	happened := c.Source + " " + strconv.FormatInt(c.SilentSince.UnixMilli(), 10)
	return n.tell(ctx, happened, "", notice{
		Type: eventType, At: c.At.UTC().Truncate(time.Millisecond), Data: data,
	})
}

// TellDrifted sends the event for a type whose events do not fit its schema any more: at most one a
// day for a place in the document.
func (n *Notifier) TellDrifted(ctx context.Context, d DriftedType) error {
	happened := strings.Join([]string{
		d.Source, d.Type, place(d.Result.At), d.At.UTC().Format(time.DateOnly),
	}, " ")
	return n.tell(ctx, happened, "", notice{
		Type: TypeDrifted, At: d.At.UTC(), Data: noticeData{
			Source: d.Source, EventType: d.Type, EventID: d.EventID, At: &d.Result.At,
			Problem: d.Result.Problem,
		},
	})
}

// pointerTo returns nil for the zero time.
func pointerTo(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// tell sends an event. Its id is a hash of its type and of happened, so a repeat has the same id,
// and the fan-out drops it.
func (n *Notifier) tell(ctx context.Context, happened, trace string, what notice) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	e := relay.OwnEvent(what.Data.Tenant, what.Type, happened, trace, body, time.Now())
	if n.router != nil {
		wanted, err := n.router.Wants(ctx, e)
		if err != nil {
			return fmt.Errorf("%s: %w", what.Type, err)
		}
		if !wanted {
			return nil
		}
	}
	if err := relay.Send(ctx, n.ingest, relay.Outgoing{Body: relay.EncodeEvent(e)}); err != nil {
		return fmt.Errorf("%s: %w", what.Type, err)
	}
	return nil
}

// byOperator is the reason of an operator's action without a reason.
const byOperator = "by the operator"

// EnableEndpoint lets deliveries go again to an endpoint that is disabled, open or paused, at a
// limited rate at first. An unproven endpoint is asked for its proof again at once. It returns what
// changed, or nil if the endpoint is none of these.
func EnableEndpoint(
	ctx context.Context, states gate.EndpointStates, endpoint string,
) (*gate.Change, error) {
	return operate(ctx, states, endpoint, func(
		s breaker.State, now time.Time,
	) (breaker.State, gate.Change) {
		if p := s.Phase(now); p == breaker.Healthy || p == breaker.Recovering {
			return s, gate.Change{}
		}
		return s.Enable(now), gate.Change{Type: gate.EndpointEnabled, Reason: byOperator}
	})
}

// DisableEndpoint stops all deliveries to an endpoint until it is enabled. Deliveries that come up
// meanwhile die. The reason is for people. It returns what changed, or nil if the endpoint is
// disabled already.
func DisableEndpoint(
	ctx context.Context, states gate.EndpointStates, endpoint, reason string,
) (*gate.Change, error) {
	return operate(ctx, states, endpoint, func(
		s breaker.State, now time.Time,
	) (breaker.State, gate.Change) {
		return s.Disable(now, cmp.Or(reason, byOperator)),
			gate.Change{Type: gate.EndpointDisabled, Reason: cmp.Or(reason, byOperator)}
	})
}

// PauseEndpoint holds all deliveries to an endpoint until it is enabled. They use up no attempts.
// It tells whether that changed anything: the endpoint may be paused already. A disabled endpoint
// stays disabled, and its deliveries die. Deliveries stop within catalog.DefaultCacheTTL.
func PauseEndpoint(
	ctx context.Context, states gate.EndpointStates, endpoint string,
) (changed bool, err error) {
	c, err := operate(ctx, states, endpoint, func(
		s breaker.State, now time.Time,
	) (breaker.State, gate.Change) {
		return s.Stop(now), gate.Change{Reason: byOperator}
	})
	return c != nil, err
}

// tries is the number of tries of a write that conflicts with others.
const tries = 4

// operate writes what change makes of an endpoint's state, and tries again if the functions write
// it at the same time.
func operate(ctx context.Context, states gate.EndpointStates, endpoint string,
	change func(breaker.State, time.Time) (breaker.State, gate.Change),
) (*gate.Change, error) {
	for try := 1; ; try++ {
		before, revision, err := states.EndpointState(ctx, endpoint)
		if err != nil {
			return nil, err
		}
		now := time.Now().UTC().Truncate(time.Millisecond)
		after, c := change(before, now)
		if after == before {
			return nil, nil //nolint:nilnil // nothing changed
		}
		err = states.SaveEndpointState(ctx, endpoint, after, revision)
		if err == nil {
			c.Endpoint, c.At, c.State, c.Revision = endpoint, now, after, revision+1
			return &c, nil
		}
		if !errors.Is(err, catalog.ErrConflict) || try == tries {
			return nil, err
		}
	}
}
