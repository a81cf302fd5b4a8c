package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/route"
	"webhook-relay/shared/verify"
)

// maxTried is how many subscriptions one request tries.
const maxTried = 100

type tryInput struct {
	Body struct {
		ID           string           `json:"id,omitempty" maxLength:"100" doc:"An event on record. Give this or event"`
		Event        *TriedEvent      `json:"event,omitempty" doc:"An event. Give this or id"`
		Name         string           `json:"subscription,omitempty" maxLength:"100" doc:"The name of a subscription. Without it and given, all of the event's source are tried"`
		Subscription *TryIfSubscribed `json:"given,omitempty" doc:"A subscription that need not exist"`
	}
}

// TriedEvent is an event that need not be on record.
type TriedEvent struct {
	Source  string            `json:"source" minLength:"1" maxLength:"100"`
	Type    string            `json:"type,omitempty"`
	Trust   string            `json:"trust,omitempty" enum:"verified,authenticated,unverified"`
	Headers map[string]string `json:"headers,omitempty" doc:"By name in lower case"`
	Data    json.RawMessage   `json:"data,omitempty" doc:"Its body, any JSON"`
}

// TryIfSubscribed is a subscription that need not exist.
type TryIfSubscribed struct {
	Source string          `json:"source" minLength:"1" maxLength:"100"`
	Types  []string        `json:"types,omitempty" maxItems:"100"`
	Filter json.RawMessage `json:"filter,omitempty"`
}

type tryAnswer struct {
	Body struct {
		Results []Tried `json:"results" nullable:"false"`
		More    bool    `json:"more" doc:"There are more subscriptions, which were not tried: name one"`
	}
}

// Tried tells whether a subscription takes an event.
type Tried struct {
	Subscription string    `json:"subscription,omitempty" doc:"Its name; the given one has none"`
	Endpoint     string    `json:"endpoint,omitempty"`
	Matched      bool      `json:"matched"`
	Mismatch     *Mismatch `json:"mismatch,omitempty" doc:"Why not"`
}

// Mismatch says why a subscription does not take an event.
type Mismatch struct {
	Cause  string   `json:"cause" enum:"differs,unreadable,costly" doc:"unreadable: the body could not be read; costly: the filter needs more steps than an event has"`
	Field  string   `json:"field,omitempty" doc:"The place in the event" example:"data.repository.private"`
	At     string   `json:"at,omitempty" doc:"The place in the filter, or types, or source" example:"$or[0].data.repository.private"`
	Wanted string   `json:"wanted,omitempty" doc:"What is there in the filter, as JSON" example:"[false]"`
	Found  []string `json:"found" nullable:"false" doc:"What is there in the event, as JSON, at most 10 values. None: nothing is there"`
	Alone  bool     `json:"alone" doc:"Everything else matches"`
}

func registerTry(r *registrar) {
	handle(r, "try", r.try)
}

func (s *server) try(ctx context.Context, in *tryInput) (*tryAnswer, error) {
	e, err := s.triedEvent(ctx, in)
	if err != nil {
		return nil, err
	}
	out := new(tryAnswer)
	results, more, err := s.tryAll(ctx, e, in)
	out.Body.Results, out.Body.More = append([]Tried{}, results...), more
	return out, err
}

// tryAll tries an event with subscriptions.
func (s *server) tryAll(
	ctx context.Context, e relay.Event, in *tryInput,
) (results []Tried, more bool, err error) {
	subscriptions, more, err := s.tried(ctx, in, e.Source)
	if err != nil {
		return nil, false, err
	}
	for _, sub := range subscriptions {
		m, err := operate.Try(ctx, e, sub, s.Bodies)
		var wrong *route.FilterError
		if errors.As(err, &wrong) {
			return nil, false, at("/body/given/filter", "%s", textOf(err))
		}
		if err != nil {
			return nil, false, err
		}
		t := Tried{Subscription: sub.Name, Endpoint: sub.Endpoint, Matched: m == nil}
		if m != nil {
			t.Mismatch = &Mismatch{
				Cause: string(m.Cause), Field: m.Field, At: m.At, Wanted: m.Wanted,
				Found: append([]string{}, m.Found...), Alone: m.Alone,
			}
		}
		results = append(results, t)
	}
	return results, more, nil
}

// triedEvent returns the event of a request, in the tenant's names.
func (s *server) triedEvent(ctx context.Context, in *tryInput) (relay.Event, error) {
	given := in.Body.Event
	if (in.Body.ID == "") == (given == nil) {
		return relay.Event{}, at("/body", "give either id or event")
	}
	if given != nil {
		h := relay.Header{}
		for name, value := range given.Headers {
			h[strings.ToLower(name)] = value
		}
		if h["content-type"] == "" {
			h["content-type"] = "application/json"
		}
		return relay.Event{
			Source: given.Source, Type: given.Type, Trust: verify.Trust(given.Trust), Header: h,
			Body: given.Data,
		}, nil
	}
	tenant := callOf(ctx).tenant
	r, err := operate.ForTenant(s.Events, tenant).EventRecord(ctx, in.Body.ID)
	return asNamed(r.Event, tenant), noEvent(err, in.Body.ID)
}

// asNamed returns an event whose source has the name by which a tenant's subscriptions name it: the
// operator's name a tenant's source by its qualified name, see catalog.CheckSource.
func asNamed(e relay.Event, tenant string) relay.Event {
	if tenant != "" {
		e.Source = plainName(e.Source)
	}
	return e
}

// tried returns the subscriptions to try.
func (s *server) tried(
	ctx context.Context, in *tryInput, source string,
) (all []catalog.Subscription, more bool, err error) {
	store := s.Catalogs.For(callOf(ctx).tenant)
	given := in.Body.Subscription
	switch {
	case given != nil && in.Body.Name != "":
		return nil, false, at("/body", "give either subscription or given")
	case given != nil:
		for i, pattern := range given.Types {
			if err := route.Validate(pattern); err != nil {
				return nil, false, at(fmt.Sprintf("/body/given/types/%d", i), "%s", textOf(err))
			}
		}
		return []catalog.Subscription{{
			Source: given.Source, Types: given.Types, Filter: whereText(given.Filter),
		}}, false, nil
	case in.Body.Name != "":
		found, err := store.Resource(ctx, catalog.KindSubscription, in.Body.Name)
		if err != nil {
			return nil, false, err
		}
		return []catalog.Subscription{*found.Subscription}, false, nil
	}
	names, err := store.Users(ctx, catalog.KindSource, source)
	if err != nil {
		return nil, false, err
	}
	for _, name := range names[:min(len(names), maxTried)] {
		found, err := store.Resource(ctx, catalog.KindSubscription, name)
		if err != nil {
			return nil, false, err
		}
		all = append(all, *found.Subscription)
	}
	return all, len(names) > maxTried, nil
}
