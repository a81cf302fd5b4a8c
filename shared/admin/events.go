package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
)

// EventStory is what became of an event.
type EventStory struct {
	ID         string            `json:"id" example:"evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb"`
	Source     string            `json:"source"`
	Type       string            `json:"type,omitempty"`
	Trust      string            `json:"trust" enum:"verified,authenticated,unverified" doc:"How far its proof goes"`
	Schema     *SchemaView       `json:"schema,omitempty" doc:"Whether it fits the schema of its type. Absent: the type has none"`
	AcceptedAt time.Time         `json:"acceptedAt"`
	RoutedAt   time.Time         `json:"routedAt"`
	ExpiresAt  time.Time         `json:"expiresAt" doc:"Until when it is kept"`
	Headers    map[string]string `json:"headers,omitempty" doc:"Those that are kept. Credentials and signatures are not"`
	BodyBytes  int64             `json:"bodyBytes" doc:"GET …/body has the body"`
	Endpoints  []string          `json:"endpoints" nullable:"false" doc:"Where it was sent. None: no subscription took it"`
	Deliveries []DeliveryView    `json:"deliveries" nullable:"false" doc:"The deliveries on record, with the attempts of each"`
	// Subscriptions are those of today, which may differ from those when it was routed.
	Subscriptions []Tried `json:"subscriptions" nullable:"false" doc:"Whether each subscription of the source takes it as they are today, and why not"`
	More          bool    `json:"moreSubscriptions" doc:"There are more subscriptions, which were not tried: POST /v1/try tries one"`
}

// SchemaView tells whether an event fits the schema of its type.
type SchemaView struct {
	Status  string `json:"status" enum:"passed,failed,unchecked" doc:"unchecked: it is too large, too deep, or takes too long"`
	At      string `json:"at,omitempty" doc:"JSON pointer of the place" example:"/order/total"`
	Problem string `json:"problem,omitempty" example:"is missing"`
}

func viewOfSchema(r *relay.SchemaResult) *SchemaView {
	if r == nil {
		return nil
	}
	return &SchemaView{Status: string(r.Status), At: r.At, Problem: r.Problem}
}

// DeliveryView is a delivery.
type DeliveryView struct {
	Event      string     `json:"event"`
	Endpoint   string     `json:"endpoint"`
	Source     string     `json:"source"`
	Type       string     `json:"type,omitempty"`
	Status     string     `json:"status" enum:"waiting,delivered,unneeded,dead" doc:"unneeded: its transform left nothing to send"`
	Reason     string     `json:"reason,omitempty" doc:"Why it is dead"`
	Held       string     `json:"held,omitempty" enum:"open,recovering,paused,unproven,rate,concurrency,tenant_rate" doc:"Why the endpoint may not be called now. tenant_rate: the rate of all endpoints of the tenant is reached"`
	NextAt     *time.Time `json:"nextAt,omitempty" doc:"When its next attempt is due"`
	UpdatedAt  time.Time  `json:"updatedAt"`
	AcceptedAt time.Time  `json:"acceptedAt" doc:"When the webhook was accepted"`
	Attempts   []Attempt  `json:"attempts" nullable:"false" doc:"The latest attempts, the oldest first"`
}

// HeldBy says for people what holds the delivery; "": nothing does.
func (v DeliveryView) HeldBy() string { return holds[gate.Hold(v.Held)] }

var holds = map[gate.Hold]string{
	gate.HeldOpen: "the circuit breaker", gate.HeldRecovering: "the recovery",
	gate.HeldPaused: "a pause", gate.HeldUnproven: "the missing proof",
	gate.HeldRate: "the rate limit", gate.HeldConcurrency: "the concurrency limit",
	gate.HeldTenantRate: "the rate of the tenant",
}

// Attempt is one try of a delivery.
type Attempt struct {
	Number     int       `json:"number" doc:"1 for the first"`
	At         time.Time `json:"at"`
	DurationMs int64     `json:"durationMs"`
	Timing     *Timing   `json:"timing,omitempty" doc:"How long the phases of the request took; left out: less than a millisecond each"`
	Outcome    string    `json:"outcome" example:"failed_answer"`
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	Response   string    `json:"response,omitempty" doc:"The first 1,024 bytes of the answer"`
}

// Timing is how long the phases of a request took. A phase that was not over when the attempt
// ended lasts until then. A connection that was open already has no lookup, connect and handshake.
type Timing struct {
	DNSMs       int64 `json:"dnsMs" doc:"The lookup of the host's name"`
	ConnectMs   int64 `json:"connectMs" doc:"TCP"`
	TLSMs       int64 `json:"tlsMs" doc:"The handshake"`
	FirstByteMs int64 `json:"firstByteMs" doc:"From the end of the request to the first byte of the answer"`
}

// String names the phases that took a millisecond or more.
func (t Timing) String() string {
	var parts []string
	for _, phase := range []struct {
		name string
		ms   int64
	}{
		{"DNS", t.DNSMs}, {"connect", t.ConnectMs}, {"TLS", t.TLSMs},
		{"first byte", t.FirstByteMs},
	} {
		if phase.ms > 0 {
			parts = append(parts, fmt.Sprintf("%s %d ms", phase.name, phase.ms))
		}
	}
	return strings.Join(parts, ", ")
}

func viewOfTiming(t relay.Timing) *Timing {
	if t == (relay.Timing{}) {
		return nil
	}
	return &Timing{
		DNSMs: t.DNS.Milliseconds(), ConnectMs: t.Connect.Milliseconds(),
		TLSMs: t.TLS.Milliseconds(), FirstByteMs: t.FirstByte.Milliseconds(),
	}
}

func viewOfDelivery(d relay.Delivery) DeliveryView {
	_, endpoint := catalog.SplitName(d.Endpoint)
	v := DeliveryView{
		Event: d.EventID, Endpoint: endpoint, Source: plainName(d.Source), Type: d.Type,
		Status: string(d.Status), Reason: string(d.Reason), UpdatedAt: d.UpdatedAt,
		AcceptedAt: d.ReceivedAt, Attempts: make([]Attempt, len(d.History)),
	}
	if d.Status == relay.Waiting {
		v.Held, v.NextAt = string(d.Held), unlessZero(d.NextAt)
	}
	for i, a := range d.History {
		v.Attempts[i] = Attempt{
			Number: a.Number, At: a.At, DurationMs: a.Duration.Milliseconds(),
			Timing:  viewOfTiming(a.Timing),
			Outcome: string(a.Outcome), StatusCode: a.StatusCode, Error: a.Error,
			Response: strings.ToValidUTF8(string(a.Response), "\ufffd"),
		}
	}
	return v
}

func plainName(qualified string) string {
	_, name := catalog.SplitName(qualified)
	return name
}

type storyAnswer struct {
	Body EventStory
}

type lookupInput struct {
	Source   string `query:"source" required:"true" minLength:"1" maxLength:"100"`
	Delivery string `query:"delivery" required:"true" minLength:"1" maxLength:"1000" doc:"The provider's id of the webhook"`
}

type bodyAnswer struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

type deliveryInput struct {
	Event    string `path:"event" maxLength:"100"`
	Endpoint string `path:"endpoint" maxLength:"100"`
}

type deliveryAnswer struct {
	Body DeliveryView
}

func registerEvents(r *registrar) {
	handle(r, "events.get", func(ctx context.Context, in *idInput) (*storyAnswer, error) {
		return r.story(ctx, in.ID)
	})
	handle(r, "events.lookup", func(ctx context.Context, in *lookupInput) (*storyAnswer, error) {
		tenant := callOf(ctx).tenant
		out, err := r.story(
			ctx, relay.EventID(tenant, catalog.Qualify(tenant, in.Source), in.Delivery),
		)
		if tenant != "" && errors.Is(err, catalog.ErrNotFound) { // of a source of the operator's
			out, err = r.story(ctx, relay.EventID(tenant, in.Source, in.Delivery))
		}
		return out, err
	})
	handle(r, "events.body", r.eventBody, mayBeGone, func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {
			Description: "The body, as it came",
			Content:     map[string]*huma.MediaType{"application/octet-stream": binary},
		}}
	})
	handle(r, "deliveries.get", func(
		ctx context.Context, in *deliveryInput,
	) (*deliveryAnswer, error) {
		_, d, err := r.delivery(ctx, in)
		return &deliveryAnswer{Body: viewOfDelivery(d)}, err
	})
	handle(r, "deliveries.request", r.request, mayBeGone)
}

func mayBeGone(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusGone) }

// delivery returns a delivery of the request's tenant, and its event.
func (s *server) delivery(
	ctx context.Context, in *deliveryInput,
) (relay.Event, relay.Delivery, error) {
	record, deliveries, err := s.owned(ctx, in.Event)
	if err != nil {
		return relay.Event{}, relay.Delivery{}, err
	}
	for _, d := range deliveries {
		if d.Endpoint == catalog.Qualify(callOf(ctx).tenant, in.Endpoint) {
			return record.Event, d, nil
		}
	}
	return relay.Event{}, relay.Delivery{}, notFound.problem(
		"There is no delivery of the event %.100q to %.100q on record.", in.Event, in.Endpoint,
	)
}

// owned returns an event of the request's tenant, and those of its deliveries that the tenant may
// see. The operator may see all of them. An event of another tenant is one that there is not.
func (s *server) owned(
	ctx context.Context, id string,
) (relay.EventRecord, []relay.Delivery, error) {
	e, deliveries, err := operate.ForTenant(s.Events, callOf(ctx).tenant).Event(ctx, id)
	return e, deliveries, noEvent(err, id)
}

// noEvent returns the problem of an event that there is not, or the error.
func noEvent(err error, id string) error {
	return orError(err, catalog.ErrNotFound, notFound.problem("There is no event %.100q.", id))
}

// bodyBytes returns the size of an event's body as it came.
func bodyBytes(ctx context.Context, e relay.Event) (int, error) {
	if e.BodyRef != nil {
		return e.BodyRef.Size, nil
	}
	body, err := e.Content(ctx, nil)
	return len(body), err
}

func (s *server) story(ctx context.Context, id string) (*storyAnswer, error) {
	e, deliveries, err := s.owned(ctx, id)
	if err != nil {
		return nil, err
	}
	size, err := bodyBytes(ctx, e.Event)
	if err != nil {
		return nil, err
	}
	out := EventStory{
		ID: e.ID, Source: plainName(e.Source), Type: e.Type, Trust: string(e.Trust),
		Schema:     viewOfSchema(e.Schema),
		AcceptedAt: e.ReceivedAt, RoutedAt: e.RoutedAt, ExpiresAt: e.ExpiresAt,
		Headers: e.Header, BodyBytes: int64(size), Endpoints: []string{},
		Deliveries: mapped(deliveries, viewOfDelivery), Subscriptions: []Tried{},
	}
	for _, endpoint := range e.Endpoints {
		out.Endpoints = append(out.Endpoints, plainName(endpoint))
	}
	results, more, err := s.tryAll(ctx, asNamed(e.Event, callOf(ctx).tenant), new(tryInput))
	if err != nil {
		return nil, err
	}
	out.Subscriptions, out.More = append(out.Subscriptions, results...), more
	return &storyAnswer{Body: out}, nil
}

// eventBody answers with an event's body. A browser stores it and does not show it: it may be
// anything.
func (s *server) eventBody(ctx context.Context, in *idInput) (*bodyAnswer, error) {
	e, _, err := s.owned(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body, err := e.Content(ctx, s.Bodies)
	if err != nil {
		return nil, orError(err, catalog.ErrNotFound, gone.problem("The body is no longer kept."))
	}
	return &bodyAnswer{
		ContentType: "application/octet-stream",
		Disposition: `attachment; filename="` + e.ID + `"`, Body: body,
	}, nil
}
