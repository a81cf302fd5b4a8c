package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"webhook-relay/shared/config"
	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/route"
	"webhook-relay/shared/transform"
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
	Send   json.RawMessage `json:"send,omitempty" doc:"A transform, as send of a subscription in the file"`
}

type tryAnswer struct {
	Body struct {
		Results []Trial `json:"results" nullable:"false"`
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

// Trial tells whether a subscription takes an event, and what it would send.
type Trial struct {
	Tried

	Sends *Sends `json:"sends,omitempty" doc:"What its transform makes of the event, or what a destination in AWS gets, for the first ten that take it. Absent: it is sent as it came"`
}

// Sends is what a transform makes of an event, or what a destination in AWS gets of it.
type Sends struct {
	Error       string            `json:"error,omitempty" doc:"Why nothing can be sent of this event"`
	To          string            `json:"to,omitempty" doc:"The ARN of the destination in AWS, with an object's key"`
	Options     map[string]string `json:"options,omitempty" doc:"The options of the destination that are templates, for this event"`
	Skipped     bool              `json:"skipped,omitempty" doc:"It leaves nothing to send"`
	Method      string            `json:"method,omitempty" example:"POST"`
	Path        string            `json:"path,omitempty" doc:"Added to that of the endpoint's URL"`
	Query       string            `json:"query,omitempty" doc:"Added to that of the endpoint's URL"`
	Headers     map[string]string `json:"headers,omitempty" doc:"Beside those of the endpoint"`
	ContentType string            `json:"contentType,omitempty"`
	Body        string            `json:"body,omitempty"`
}

// Summary says in a line what is sent, or why nothing is.
func (s Sends) Summary() string {
	switch {
	case s.Error != "" && s.To != "":
		return "nothing to " + s.To + ": " + s.Error
	case s.Error != "":
		return "nothing, because the transform fails: " + s.Error
	case s.Skipped:
		return "nothing: the transform leaves nothing to send"
	}
	query := s.Query
	if query != "" {
		query = "?" + query
	}
	words := []string{s.Method, s.Path + query, s.ContentType}
	if s.To != "" {
		words = []string{s.ContentType, "to", s.To}
		for _, name := range slices.Sorted(maps.Keys(s.Options)) {
			words = append(words, name+"="+s.Options[name])
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
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
	if err != nil {
		return nil, err
	}
	out.Body.More = more
	out.Body.Results, err = s.shapeAll(ctx, e, in, results)
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

// maxShaped is how many transforms are tried for one request: a jq program may take a second.
const maxShaped = 10

// shapeAll adds what the transforms of the subscriptions make of an event that they take.
func (s *server) shapeAll(
	ctx context.Context, e relay.Event, in *tryInput, results []Tried,
) ([]Trial, error) {
	trials, shaped := make([]Trial, len(results)), 0
	for i, t := range results {
		trials[i].Tried = t
		if !t.Matched || shaped == maxShaped {
			continue
		}
		spec, to, err := s.specOf(ctx, e, in, t)
		if err != nil {
			return nil, err
		}
		if spec == "" && to == nil {
			continue
		}
		shaped++
		if trials[i].Sends, err = s.shape(ctx, e, spec, to); err != nil {
			return nil, err
		}
	}
	return trials, nil
}

// specOf returns the transform of a subscription, "" if it has none, and its endpoint if that sends
// to a destination in AWS, else nil.
func (s *server) specOf(
	ctx context.Context, e relay.Event, in *tryInput, t Tried,
) (spec string, to *catalog.Endpoint, err error) {
	if given := in.Body.Subscription; given != nil {
		if len(given.Send) == 0 {
			return "", nil, nil
		}
		if err := config.CheckSend(given.Send, s.checkJQ(ctx)); err != nil {
			for _, p := range config.Problems(err) {
				p.Path = "given." + p.Path
			}
			return "", nil, problemOfConfig(err)
		}
		return string(given.Send), nil, nil
	}
	store := s.Catalogs.For(callOf(ctx).tenant)
	found, err := store.Resource(ctx, catalog.KindEndpoint, t.Endpoint)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", nil, nil // it was deleted a moment ago
	}
	if err != nil {
		return "", nil, err
	}
	if found.Endpoint.Destination != nil {
		to = found.Endpoint
	}
	return found.Endpoint.Sends[e.Source], to, nil
}

// shape applies a transform to an event, if there is one, and says what the destination gets, if
// there is one.
func (s *server) shape(
	ctx context.Context, e relay.Event, spec string, to *catalog.Endpoint,
) (*Sends, error) {
	var result *transform.Result
	if spec != "" {
		shaped, err := operate.Shape(ctx, e, spec, s.Bodies, s.JQ)
		switch why := unfit(err); {
		case why != "":
			return &Sends{Error: why}, nil
		case err != nil:
			return nil, err
		case shaped.Skip:
			return &Sends{Skipped: true}, nil
		}
		result = &shaped
	}
	if to == nil {
		return &Sends{
			Method: result.Method, Path: result.Path, Query: result.Query, Headers: result.Header,
			ContentType: result.ContentType, Body: validText(result.Body),
		}, nil
	}
	aimed, err := operate.Aim(ctx, e, *to, result, s.Bodies)
	if why := unfit(err); why != "" {
		return &Sends{To: to.URL, Error: why}, nil
	} else if err != nil {
		return nil, err
	}
	return &Sends{
		To: aimed.To, Options: aimed.Texts, ContentType: aimed.ContentType,
		Body: validText(aimed.Content),
	}, nil
}

// unfit returns why nothing can be sent of an event; "": the error says something else.
func unfit(err error) string {
	if failed, ok := errors.AsType[*transform.Error](err); ok {
		return failed.Problem
	}
	if failed, ok := errors.AsType[*destination.UnfitError](err); ok {
		return failed.Problem
	}
	if errors.Is(err, destination.ErrTooLarge) {
		return err.Error()
	}
	return ""
}

func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

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
