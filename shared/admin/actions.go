package admin

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

// EndpointState is how an endpoint is now.
type EndpointState struct {
	Body StateView
}

// StateView is the state of an endpoint.
type StateView struct {
	State        string     `json:"state" enum:"healthy,open,recovering,paused,disabled,unproven"`
	Reason       string     `json:"reason,omitempty" doc:"Why it is disabled, open or unproven"`
	DisabledAt   *time.Time `json:"disabledAt,omitempty"`
	PausedAt     *time.Time `json:"pausedAt,omitempty" doc:"When the operator paused it"`
	PausedUntil  *time.Time `json:"pausedUntil,omitempty" doc:"Until when it asked for a pause"`
	NextProbeAt  *time.Time `json:"nextProbeAt,omitempty" doc:"When it is tried again"`
	FailingSince *time.Time `json:"failingSince,omitempty"`
	Failures     int        `json:"failures,omitempty" doc:"Failed attempts in a row"`
	DisableAt    *time.Time `json:"disableAt,omitempty" doc:"When it is disabled if it keeps failing"`
	Recovering   *time.Time `json:"recoveringUntil,omitempty" doc:"Until when it gets fewer at a time"`
	Warned       bool       `json:"warned,omitempty" doc:"The relay has announced that it will be disabled"`
}

// NamedState is an endpoint and how it is now.
type NamedState struct {
	Name string `json:"name" example:"shipping"`
	URL  string `json:"url"`
	StateView
}

func viewOfState(s breaker.State, now time.Time) StateView {
	v := StateView{
		State: string(s.Phase(now)), DisabledAt: unlessZero(s.DisabledAt),
		PausedAt: unlessZero(s.StoppedAt), FailingSince: unlessZero(s.FailingSince),
		Failures: s.Failures, Reason: s.Reason,
	}
	if s.Unproven != "" {
		v.Reason = s.Unproven
	}
	if s.PausedUntil.After(now) {
		v.PausedUntil = unlessZero(s.PausedUntil)
	}
	if s.Phase(now) == breaker.Recovering {
		v.Recovering = new(s.ClosedAt.Add(breaker.RampTime))
	}
	v.Warned = !s.WarnedAt.IsZero() && s.DisabledAt.IsZero()
	if s.DisabledAt.IsZero() {
		v.NextProbeAt, v.DisableAt = unlessZero(s.OpenUntil), unlessZero(s.DisableAt())
	}
	return v
}

// acted is the answer of an action.
type acted struct {
	Body struct {
		State string `json:"state" enum:"healthy,open,recovering,paused,disabled,unproven" doc:"Its state now. GET …/state has more"`
	}
}

type rotateInput struct {
	NameInput

	Body struct {
		Keep string `json:"keep,omitempty" doc:"How long the secrets so far keep signing beside the new one: 24h if left out, 0s ends them at once" example:"24h"`
	}
}

type rotated struct {
	Body Rotated
}

// Rotated is an endpoint's new secret.
type Rotated struct {
	Secret   string           `json:"secret" doc:"The new secret. It is not shown again"`
	Retiring []RetiringSecret `json:"retiring,omitempty" doc:"The secrets from before that still sign"`
}

type disableInput struct {
	NameInput

	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for people. It is shown with the state"`
	}
}

type pinged struct {
	Body struct {
		Event    string `json:"event" doc:"The event that is sent. GET /v1/deliveries/{event}/{endpoint} shows the attempt"`
		Endpoint string `json:"endpoint"`
	}
}

// troubledAnswer is the answer of endpoints.troubled.
type troubledAnswer struct {
	Body struct {
		Items []Troubled `json:"items" nullable:"false" doc:"By name"`
		More  bool       `json:"more" doc:"There are more than these 100"`
	}
}

// Troubled is an endpoint that is not healthy, and its state.
type Troubled struct {
	Endpoint string    `json:"endpoint"`
	State    StateView `json:"state"`
}

// maxTroubled is how many endpoints in trouble are listed.
const maxTroubled = 100

// troubled lists the endpoints of a tenant that are not healthy.
func (s *server) troubled(ctx context.Context, _ *struct{}) (*troubledAnswer, error) {
	all, err := s.States.TroubledEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	out := new(troubledAnswer)
	out.Body.Items = []Troubled{}
	for _, qualified := range all {
		tenant, name := catalog.SplitName(qualified)
		if tenant != callOf(ctx).tenant {
			continue
		}
		if len(out.Body.Items) == maxTroubled {
			out.Body.More = true
			break
		}
		state, err := s.state(ctx, qualified)
		if err != nil {
			return nil, err
		}
		if state.Body.State != string(breaker.Healthy) { // the list may be late
			out.Body.Items = append(out.Body.Items, Troubled{Endpoint: name, State: state.Body})
		}
	}
	return out, nil
}

func registerActions(r *registrar) {
	handle(r, "endpoints.troubled", r.troubled)
	handle(r, "endpoints.state", func(ctx context.Context, in *NameInput) (*EndpointState, error) {
		endpoint, err := r.endpoint(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		return r.state(ctx, endpoint)
	})
	handle(r, "endpoints.states", r.states)
	handle(r, "endpoints.rotate", r.rotate)
	handle(r, "endpoints.pause", func(ctx context.Context, in *NameInput) (*acted, error) {
		return r.act(ctx, in.Name, func(endpoint string) error {
			_, err := operate.PauseEndpoint(ctx, r.States, endpoint)
			return err
		})
	})
	handle(r, "endpoints.resume", func(ctx context.Context, in *NameInput) (*acted, error) {
		return r.act(ctx, in.Name, func(endpoint string) error {
			change, err := operate.EnableEndpoint(ctx, r.States, endpoint)
			if err != nil {
				return err
			}
			return r.Notifier.TellChange(ctx, change)
		})
	})
	handle(r, "endpoints.disable", func(ctx context.Context, in *disableInput) (*acted, error) {
		return r.act(ctx, in.Name, func(endpoint string) error {
			change, err := operate.DisableEndpoint(ctx, r.States, endpoint, in.Body.Reason)
			if err != nil {
				return err
			}
			return r.Notifier.TellChange(ctx, change)
		})
	})
	handle(r, "endpoints.preview", r.preview, conflicts)
	handle(r, "endpoints.ping", func(ctx context.Context, in *NameInput) (*pinged, error) {
		endpoint, err := r.endpoint(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		var out pinged
		out.Body.Endpoint = in.Name
		return &out, r.change(ctx, "endpoint/"+in.Name, nil, nil, func() error {
			out.Body.Event, err = r.Pinger.Ping(ctx, endpoint, r.Now())
			return err
		})
	})
}

// statesAtOnce is how many states are read at a time.
const statesAtOnce = 16

// states lists the endpoints and how each is.
func (s *server) states(ctx context.Context, in *Paging) (*List[NamedState, Scanned], error) {
	after, err := s.position(ctx, in.Next, nil)
	if err != nil {
		return nil, err
	}
	tenant := callOf(ctx).tenant
	found, place, err := s.Catalogs.For(tenant).Resources(
		ctx, catalog.KindEndpoint, after, in.Limit,
	)
	if err != nil {
		return nil, err
	}
	items := make([]NamedState, len(found))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(statesAtOnce)
	for i, e := range found {
		g.Go(func() error {
			state, _, err := s.States.EndpointState(reading, catalog.Qualify(tenant, e.Name))
			items[i] = NamedState{
				Name: e.Name, URL: e.Endpoint.URL, StateView: viewOfState(state, s.Now()),
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	next, err := s.seal(ctx, place, nil)
	return page(items, next, Scanned{Scanned: len(found)}), err
}

// endpoint returns the qualified name of an endpoint that exists.
func (s *server) endpoint(ctx context.Context, name string) (string, error) {
	tenant := callOf(ctx).tenant
	if _, err := s.Catalogs.For(tenant).Resource(ctx, catalog.KindEndpoint, name); err != nil {
		return "", err
	}
	return catalog.Qualify(tenant, name), nil
}

func (s *server) state(ctx context.Context, endpoint string) (*EndpointState, error) {
	state, _, err := s.States.EndpointState(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return &EndpointState{Body: viewOfState(state, s.Now())}, nil
}

// act changes the state of an endpoint, and returns the state afterwards.
func (s *server) act(
	ctx context.Context, name string, do func(endpoint string) error,
) (*acted, error) {
	endpoint, err := s.endpoint(ctx, name)
	if err != nil {
		return nil, err
	}
	before, err := s.state(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	if err := s.change(ctx, "endpoint/"+name, before.Body, nil, func() error {
		return do(endpoint)
	}); err != nil {
		return nil, err
	}
	now, err := s.state(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	var out acted
	out.Body.State = now.Body.State
	return &out, nil
}

func (s *server) rotate(ctx context.Context, in *rotateInput) (*rotated, error) {
	keep, err := keepOf("/body/keep", in.Body.Keep)
	if err != nil {
		return nil, err
	}
	if _, err := s.endpoint(ctx, in.Name); err != nil {
		return nil, err
	}
	var out rotated
	return &out, s.change(ctx, "endpoint/"+in.Name, nil, map[string]string{
		"keep": keep.String(),
	}, func() error {
		ep, err := catalog.Rotate(
			ctx, s.Catalogs.For(callOf(ctx).tenant), in.Name, keep, s.Now(),
		)
		if err != nil {
			return err
		}
		out.Body.Secret = ep.Secrets[0]
		for _, old := range ep.Retiring {
			out.Body.Retiring = append(out.Body.Retiring, RetiringSecret{
				Fingerprint: masked(old.Secret).mask.Fingerprint, Until: old.Until,
			})
		}
		return nil
	})
}
