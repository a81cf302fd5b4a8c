package admin

import (
	"context"
	"errors"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

type sentAgain struct {
	Body struct {
		Event    string `json:"event"`
		Endpoint string `json:"endpoint"`
	}
}

type routedAgain struct {
	Body struct {
		Endpoints []string `json:"endpoints" nullable:"false" doc:"Where it is sent now. None: nobody has subscribed to it since it was routed"`
		Undecided bool     `json:"undecided,omitempty" doc:"Filters of further endpoints could not be decided"`
	}
}

func registerAgain(r *registrar) {
	handle(r, "deliveries.replay", r.replayDelivery)
	handle(r, "events.route", r.routeAgain)
}

// replayDelivery sends a delivery again that is delivered or dead.
func (s *server) replayDelivery(ctx context.Context, in *deliveryInput) (*sentAgain, error) {
	endpoint := catalog.Qualify(callOf(ctx).tenant, in.Endpoint)
	if err := s.findDelivery(ctx, in.Event, endpoint, in.Endpoint); err != nil {
		return nil, err
	}
	state, _, err := s.States.EndpointState(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	if state.Phase(s.Now()) == breaker.Disabled {
		return nil, stateConflict.problem("The endpoint %s is disabled (%s), so the delivery would die at once. First enable it (relay resume %[1]s).",
			in.Endpoint, state.Reason)
	}
	out := new(sentAgain)
	out.Body.Event, out.Body.Endpoint = in.Event, in.Endpoint
	return out, s.change(ctx, "event/"+in.Event, nil, out.Body, func() error {
		err := s.Replayer.Replay(ctx, in.Event, endpoint)
		return orError(err, catalog.ErrConflict, stateConflict.problem("%s", waits(err)))
	})
}

func waits(err error) string {
	if err == nil {
		return ""
	}
	return textOf(err)
}

// findDelivery returns a problem unless the request's tenant has this delivery.
func (s *server) findDelivery(ctx context.Context, event, endpoint, plain string) error {
	records := operate.ForTenant(s.Events, callOf(ctx).tenant)
	none := notFound.problem(
		"There is no delivery of the event %.100q to %.100q on record.", event, plain,
	)
	record, err := records.EventRecord(ctx, event)
	if err == nil {
		_, err = records.Delivery(ctx, record.DeliveryTo(endpoint))
	}
	return orError(err, catalog.ErrNotFound, none)
}

// routeAgain sends an event to the endpoints that subscribe to it now, and did not when it was
// routed.
func (s *server) routeAgain(ctx context.Context, in *idInput) (*routedAgain, error) {
	if _, _, err := s.owned(ctx, in.ID); err != nil {
		return nil, err
	}
	out := new(routedAgain)
	out.Body.Endpoints = []string{}
	return out, s.change(ctx, "event/"+in.ID, nil, nil, func() error {
		endpoints, err := s.Replayer.Route(ctx, in.ID)
		for _, name := range endpoints {
			owner, plain := catalog.SplitName(name)
			if tenant := callOf(ctx).tenant; tenant == "" || owner == tenant {
				out.Body.Endpoints = append(out.Body.Endpoints, plain)
			}
		}
		if errors.Is(err, relay.ErrUndecided) {
			out.Body.Undecided, err = true, nil
		}
		return err
	})
}

// self is who sends the request.
type self struct {
	Body Self
}

// Self tells by whom a request was sent, and what they may do.
type Self struct {
	Kind      string     `json:"kind" doc:"token; iam: an AWS identity; session: of the console" example:"token"`
	ID        string     `json:"id,omitempty" example:"tok_0f3a9c1b2d4e5f607182"`
	Name      string     `json:"name,omitempty" example:"ci"`
	Role      string     `json:"role" enum:"read,operate,admin"`
	Tenant    string     `json:"tenant,omitempty" doc:"The tenant to whom it belongs. Without it, to the operator"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When the token ends. Without it, never"`
}

func registerSelf(r *registrar) {
	handle(r, "self", func(ctx context.Context, _ *struct{}) (*self, error) {
		p := callOf(ctx).principal
		return &self{Self{
			Kind: p.Kind, ID: p.ID, Name: p.Name, Role: string(p.Role), Tenant: p.Tenant,
			ExpiresAt: unlessZero(p.expires),
		}}, nil
	})
}
