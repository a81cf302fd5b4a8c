package operate

import (
	"context"
	"encoding/json"
	"errors"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
	"webhook-relay/shared/transform"
)

// Try says why a tenant's subscription does not take an event; nil: it takes it. Names are those
// that the tenant uses. Error: route.ErrFilter, if the filter cannot be used.
func Try(
	ctx context.Context, e relay.Event, s catalog.Subscription, bodies relay.Bodies,
) (*route.Mismatch, error) {
	rule := route.Rule{Types: s.Types}
	if s.Filter != "" {
		var err error
		if rule.Filter, err = route.ParseFilter([]byte(s.Filter)); err != nil {
			return nil, err
		}
	}
	found, err := relay.NewPattern(rule, bodies).Explain(ctx, e)
	if err != nil || s.Source == e.Source {
		return found, err
	}
	quoted := func(name string) string {
		b, _ := json.Marshal(name) // a string
		return string(b)
	}
	return &route.Mismatch{
		Cause: route.Differs, Field: "source", At: "source", Wanted: "[" + quoted(s.Source) + "]",
		Found: []string{quoted(e.Source)}, Alone: found == nil,
	}, nil
}

// Shape returns what a transform makes of an event. spec is its specification. runner runs jq
// programs; nil: they are an error. Errors: *transform.Error if it fails for the event;
// *transform.ParseError.
func Shape(
	ctx context.Context, e relay.Event, spec string, bodies relay.Bodies, runner transform.Runner,
) (transform.Result, error) {
	t, err := transform.Parse([]byte(spec))
	if err != nil {
		return transform.Result{}, err
	}
	if t.UsesJQ() && runner == nil {
		return transform.Result{}, &transform.Error{Problem: "jq programs cannot be tried here"}
	}
	body, err := e.Content(ctx, bodies)
	if err != nil {
		return transform.Result{}, err
	}
	return t.Apply(ctx, e.Transformable(body, t.NeedsData()), runner)
}

// Aimed is what an endpoint's destination in AWS would get of an event.
type Aimed struct {
	To          string            // the ARN, with an object's key
	Texts       map[string]string // the endpoint's options that are templates, applied
	Content     []byte            // before the service's own encoding
	ContentType string
}

// Aim returns what the endpoint's destination would get of an event. shaped is what a transform
// made of it; nil: there is none. Errors: *transform.Error and *destination.UnfitError, if the
// destination cannot take the event, and destination.ErrTooLarge.
func Aim(
	ctx context.Context, e relay.Event, ep catalog.Endpoint, shaped *transform.Result,
	bodies relay.Bodies,
) (Aimed, error) {
	to, err := destination.Parse(ep.URL)
	if err != nil {
		return Aimed{}, err
	}
	options := *ep.Destination
	texts, err := to.ParseTexts(options)
	if err != nil {
		return Aimed{}, err
	}
	body, err := e.Content(ctx, bodies)
	if err != nil {
		return Aimed{}, err
	}
	m := destination.Message{
		Event: e.Transformable(body, true), Once: e.ID, Endpoint: ep.Name, Attempt: 1,
		At: e.ReceivedAt,
	}
	if shaped != nil {
		m.Shaped, m.ContentType = shaped.Body, shaped.ContentType
	}
	if m.Texts, err = texts.Apply(m.Event); err != nil {
		return Aimed{}, err
	}
	request, err := to.Request(m, options)
	if err != nil && (!errors.Is(err, destination.ErrTooLarge) || !options.HasClaims()) {
		return Aimed{}, err
	}
	out := Aimed{To: to.ARN, Texts: m.Texts}
	if request.Key != "" {
		out.To += "/" + request.Key
		delete(out.Texts, "url")
	}
	out.Content, out.ContentType, err = to.Content(m, options)
	return out, err
}
