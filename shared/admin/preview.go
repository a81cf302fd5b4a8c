package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

type previewInput struct {
	NameInput

	Body struct {
		Event string `json:"event" maxLength:"100" doc:"The id of an event on record"`
	}
}

type previewAnswer struct {
	Body Preview
}

// Preview is the request that an endpoint would get for an event.
type Preview struct {
	Method  string            `json:"method"`
	Path    string            `json:"path,omitempty" doc:"What the transform adds to the path of the endpoint's URL"`
	Query   string            `json:"query,omitempty" doc:"What the transform adds to its query"`
	Headers map[string]string `json:"headers" doc:"With the signature. The endpoint's own headers and its authentication are left out"`
	Body    []byte            `json:"body" doc:"In base64"`
}

// preview returns the request that an endpoint would get for an event. It is not sent.
func (s *server) preview(ctx context.Context, in *previewInput) (*previewAnswer, error) {
	record, _, err := s.owned(ctx, in.Body.Event)
	if err != nil {
		return nil, err
	}
	tenant := callOf(ctx).tenant
	found, err := s.Catalogs.For(tenant).Resource(ctx, catalog.KindEndpoint, in.Name)
	if err != nil {
		return nil, err
	}
	ep := *found.Endpoint
	ep.Name = catalog.Qualify(tenant, ep.Name)
	base := ep.URL
	p, err := relay.Preview(ctx, ep, record.Event, s.Bodies, s.JQ, s.Now())
	if err != nil {
		return nil, previewProblem(err)
	}
	out := new(previewAnswer)
	out.Body = Preview{
		Method: cmp.Or(p.Method, http.MethodPost), Headers: p.Header, Body: p.Body,
	}
	out.Body.Path, out.Body.Query = added(base, p.URL)
	return out, nil
}

type requestAnswer struct {
	Body DeliveryRequest
}

// DeliveryRequest is what the attempts of a delivery send, for people who may not send it
// themselves.
type DeliveryRequest struct {
	Error   string            `json:"error,omitempty" doc:"Why nothing can be sent, or nothing can be told of it"`
	Skipped bool              `json:"skipped,omitempty" doc:"The transform leaves nothing to send"`
	Method  string            `json:"method,omitempty" example:"POST"`
	To      string            `json:"to,omitempty" doc:"The URL, with what the transform adds to it. Of a destination in AWS its ARN, with an object's key"`
	Options map[string]string `json:"options,omitempty" doc:"The options of a destination in AWS that are templates, for this event"`
	Headers map[string]string `json:"headers,omitempty" doc:"By name in lower case. The signature, and the values of the endpoint's own headers, are (hidden). Its authentication is left out"`
	Body    []byte            `json:"body,omitempty" doc:"In base64"`
}

// request returns what the attempts of a delivery send, as its endpoint is today.
func (s *server) request(ctx context.Context, in *deliveryInput) (*requestAnswer, error) {
	event, delivery, err := s.delivery(ctx, in)
	if err != nil {
		return nil, err
	}
	tenant := callOf(ctx).tenant
	found, err := s.Catalogs.For(tenant).Resource(ctx, catalog.KindEndpoint, in.Endpoint)
	if errors.Is(err, catalog.ErrNotFound) {
		return &requestAnswer{DeliveryRequest{Error: "the endpoint is deleted"}}, nil
	}
	if err != nil {
		return nil, err
	}
	ep := *found.Endpoint
	out := new(requestAnswer)
	if ep.Destination != nil {
		out.Body, err = s.message(ctx, ep, asNamed(event, tenant))
	} else {
		ep.Name = catalog.Qualify(tenant, ep.Name)
		out.Body, err = s.outline(ctx, ep, event, max(1, delivery.Attempts))
	}
	return out, orError(err, catalog.ErrNotFound, gone.problem("The body is no longer kept."))
}

// message returns what a destination in AWS gets of an event.
func (s *server) message(
	ctx context.Context, ep catalog.Endpoint, e relay.Event,
) (DeliveryRequest, error) {
	sends, err := s.shape(ctx, e, ep.Sends[e.Source], &ep)
	if err != nil {
		return DeliveryRequest{}, err
	}
	r := DeliveryRequest{
		Error: sends.Error, Skipped: sends.Skipped, To: sends.To, Options: sends.Options,
		Body: []byte(sends.Body),
	}
	if sends.ContentType != "" {
		r.Headers = map[string]string{"content-type": sends.ContentType}
	}
	return r, nil
}

// outline returns what an endpoint gets of an event.
func (s *server) outline(
	ctx context.Context, ep catalog.Endpoint, e relay.Event, attempt int,
) (DeliveryRequest, error) {
	p, err := relay.Outline(ctx, ep, e, attempt, s.Bodies, s.JQ, s.Now())
	failed, is := errors.AsType[*transform.Error](err)
	switch {
	case is:
		return DeliveryRequest{Error: "the transform fails: " + failed.Problem}, nil
	case errors.Is(err, relay.ErrNothingToSend):
		return DeliveryRequest{Skipped: true}, nil
	case errors.Is(err, relay.ErrNoPreview):
		return DeliveryRequest{Error: textOf(err)}, nil
	}
	return DeliveryRequest{
		Method: cmp.Or(p.Method, http.MethodPost), To: p.URL, Headers: p.Header, Body: p.Body,
	}, err
}

// added returns what a URL has more than its base: in its path and its query.
func added(base, url string) (path, query string) {
	base, baseQuery, _ := strings.Cut(base, "?")
	url, query, _ = strings.Cut(url, "?")
	path = strings.TrimPrefix(url, strings.TrimSuffix(base, "/"))
	if url == base {
		path = ""
	}
	return path, strings.TrimPrefix(strings.TrimPrefix(query, baseQuery), "&")
}

// previewProblem returns the problem for an event that cannot be previewed.
func previewProblem(err error) error {
	_, failed := errors.AsType[*transform.Error](err)
	if failed || errors.Is(err, relay.ErrNothingToSend) || errors.Is(err, relay.ErrNoPreview) {
		return stateConflict.problem("%s", textOf(err))
	}
	return err
}
