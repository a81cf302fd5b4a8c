package admin

import (
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
	out.Body = Preview{Method: p.Method, Headers: p.Header, Body: p.Body}
	if out.Body.Method == "" {
		out.Body.Method = http.MethodPost
	}
	out.Body.Path, out.Body.Query = added(base, p.URL)
	return out, nil
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
