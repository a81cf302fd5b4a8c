package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

// FailuresInARow is how many events in a row a transform fails for before the operator is told.
const FailuresInARow = 10

// nothingToSend is the text of an attempt that a transform made unnecessary.
const nothingToSend = "the transform left nothing to send"

// transforms are those of one endpoint, parsed when they are first needed.
type transforms struct {
	mu     sync.Mutex
	parsed map[string]*transform.Transform // by source
}

// spec returns the transform that the endpoint's subscription to a source has; "": none. The
// subscriptions of a tenant name the tenant's own sources by their plain names.
func (t *target) spec(source string) string {
	mine, _ := catalog.SplitName(t.endpoint.Name)
	if tenant, name := catalog.SplitName(source); tenant == mine {
		source = name
	}
	return t.endpoint.Sends[source]
}

// transformOf returns the transform for the webhooks of a source; nil: they are sent as they came.
func (t *target) transformOf(source string) (*transform.Transform, error) {
	spec := t.spec(source)
	if spec == "" {
		return nil, nil //nolint:nilnil // none, and no error
	}
	t.transforms.mu.Lock()
	defer t.transforms.mu.Unlock()
	if known := t.transforms.parsed[source]; known != nil {
		return known, nil
	}
	parsed, err := transform.Parse([]byte(spec))
	if err != nil {
		return nil, fmt.Errorf("endpoint %s, source %s: %w", t.endpoint.Name, source, err)
	}
	if t.transforms.parsed == nil {
		t.transforms.parsed = map[string]*transform.Transform{}
	}
	t.transforms.parsed[source] = parsed
	return parsed, nil
}

// shape sets s.content, what the attempt is to send. It does so before the gate is asked: an event
// for which the transform fails, or leaves nothing, takes nothing of a limit and is no probe. ended
// is the attempt that is recorded then; nil: go on with ep, which may be newer.
func (s *step) shape(ctx context.Context, ep *target) (_ *target, ended *attemptResult, err error) {
	if result := s.event.Schema; result != nil && result.Refused {
		a := s.skip(SchemaFailed, result.text())
		return ep, &a, nil
	}
	if ep.spec(s.event.Source) == "" && ep.to == nil {
		return ep, nil, nil
	}
	skip, err := s.transform(ctx, ep)
	if err == nil && !skip {
		err = s.address(ctx, ep)
	}
	why, text := unfit(err)
	if why != "" {
		// the operator may have mended it a moment ago
		current, err := s.currentEndpoint(ctx)
		if err != nil {
			return ep, nil, err
		}
		if current == nil {
			a := s.skip(EndpointGone, "the endpoint is no longer in the catalog")
			return nil, &a, nil
		}
		if current.spec(s.event.Source) != ep.spec(s.event.Source) || !current.sameAim(ep) {
			return s.shape(ctx, current)
		}
	}
	switch {
	case why != "":
		if failed, ok := errors.AsType[*transform.Error](err); ok {
			s.failedToShape(ctx, ep, failed)
		}
		a := s.skip(why, text)
		return ep, &a, nil
	case err != nil:
		return ep, nil, err
	}
	if s.content != nil {
		s.deliverer.streaks.end(streakOf(s.event.Source, ep.endpoint.Name))
	}
	if skip {
		a := s.skip("", nothingToSend)
		return ep, &a, nil
	}
	return ep, nil, nil
}

// transform applies the endpoint's transform to the event. skip: there is nothing to send.
func (s *step) transform(ctx context.Context, ep *target) (skip bool, err error) {
	t, err := ep.transformOf(s.event.Source)
	if err != nil || t == nil {
		return false, err
	}
	e, err := s.transformable(ctx, t.NeedsData())
	if err != nil {
		return false, err
	}
	result, err := t.Apply(ctx, e, s.cfg.JQ)
	if err != nil {
		return false, err
	}
	s.content = &result
	return result.Skip, nil
}

// transformable returns the event as transforms see it. data tells whether they need its document.
func (s *step) transformable(ctx context.Context, data bool) (transform.Event, error) {
	body, err := s.body(ctx)
	if err != nil {
		return transform.Event{}, err
	}
	return s.event.Transformable(body, data), nil
}

// Transformable returns the event, whose body is given, as transforms see it. data tells whether
// they need its document.
func (e Event) Transformable(body []byte, data bool) transform.Event {
	out := transform.Event{
		ID: e.ID, Type: e.Type, Source: e.Source, Trust: string(e.Trust), Time: e.ReceivedAt,
		Header: e.Header, Body: body,
	}
	if data {
		doc := e.document(body)
		out.Data, out.Opaque = doc.Text, doc.Opaque
	}
	return out
}

// failedToShape counts a failure, and tells the operator of the tenth in a row.
func (s *step) failedToShape(ctx context.Context, ep *target, failed *transform.Error) {
	n := s.deliverer.streaks.add(streakOf(s.event.Source, ep.endpoint.Name))
	if n == FailuresInARow && s.event.Source != catalog.OwnSource {
		// as with a change of an endpoint's state: a failure to tell is not repeated
		_ = s.cfg.Operator.TellFailing(ctx, FailingTransform{
			Source: s.event.Source, Endpoint: ep.endpoint.Name, Spec: ep.spec(s.event.Source),
			EventID: s.event.ID, Error: failed.Problem, At: wholeMillis(s.cfg.Now()),
		})
	}
}

// streaks counts failures in a row. Each instance counts its own: to share the counts would take a
// call for every success. The zero value is empty. It is safe for concurrent use.
type streaks struct {
	mu     sync.Mutex
	counts map[string]int
}

func streakOf(source, endpoint string) string { return source + " " + endpoint }

func (s *streaks) add(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[key]++
	return s.counts[key]
}

func (s *streaks) end(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counts, key)
}

// ofTheBody are the inbound headers that describe the bytes of a body. They do not hold for another
// body.
var ofTheBody = []string{
	"content-type", "content-encoding", "content-language", "content-md5", "content-range",
	"content-digest", "repr-digest", "digest", "etag", "last-modified",
}

// reshape makes a request what a transform wants of it. The signature covers the body already.
func (p *Post) reshape(e Event, c transform.Result) {
	p.Method = c.Method
	base, query, _ := strings.Cut(p.URL, "?")
	if c.Path != "" {
		base = strings.TrimSuffix(base, "/") + c.Path
	}
	if query != "" && c.Query != "" {
		query += "&"
	}
	if query += c.Query; query != "" {
		base += "?" + query
	}
	p.URL = base
	for _, name := range ofTheBody {
		if p.Header[name] == e.Header[name] { // not one that the endpoint sets itself
			delete(p.Header, name)
		}
	}
	if c.ContentType != "" {
		p.Header["content-type"] = c.ContentType
	}
	for name, value := range c.Header {
		p.Header[name] = value
	}
}
