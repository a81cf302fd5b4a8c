package admin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	schemas "webhook-relay/shared/schema"
	"webhook-relay/shared/transform/jq/program"
)

const typed = `sources:
  - {name: other, provider: none}
  - name: shop
    provider: none
    validate: refuse
    tenant: {json: tenant}
    types:
      - {name: order.closed, deprecated: true}
      - {name: order.created, description: An order, schema: {required: [id]}, example: {id: 1}}
  - {name: described, provider: none, types: {openapi: api.yaml}}
`

const described = `openapi: 3.1.0
webhooks: {user.created: {post: {summary: A user}}}
`

type typeList struct{ Items []admin.TypeView }

func TestTypesAreListed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	file := map[string]any{"file": typed, "files": map[string]string{"api.yaml": described}}
	plan := request{
		method: "POST", path: "/v1/plan", token: boss, body: map[string]any{"file": typed},
	}
	p := r.send(plan).problem(422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/body/sources/2/types/openapi" {
		t.Errorf("without the file: %+v", p)
	}
	plan.body = file
	r.send(plan).wants(200, nil)
	r.apply(boss, "", file, `"0"`).wants(200, nil)
	names := func(list typeList) (names []string) {
		for _, item := range list.Items {
			names = append(names, item.Source+" "+item.Name+" "+item.Validate)
		}
		return names
	}
	for name, tt := range map[string]struct {
		tenant, query string
		want          []string
	}{
		"all": {"", "", []string{
			"described user.created flag", "shop order.closed refuse", "shop order.created refuse",
		}},
		"of a source":             {"", "?source=described", []string{"described user.created flag"}},
		"of a source without any": {"", "?source=other", nil},
		"for a tenant, of what may be its": {"acme", "", []string{
			"shop order.closed refuse", "shop order.created refuse",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var list typeList
			r.send(request{
				method: "GET", path: "/v1/types" + tt.query, token: r.token(access.Read, tt.tenant),
			}).wants(200, &list)
			if diff := cmp.Diff(tt.want, names(list)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	r.send(request{method: "GET", path: "/v1/export", token: boss}).wants(200, nil)
}

func TestTypesOfASource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	put := request{
		method: "PUT", path: "/v1/sources/shop", token: boss, header: ifNone,
		body: map[string]any{
			"provider": "none", "validate": "refuse", "types": []any{map[string]any{
				"name": "order", "description": "An order", "deprecated": true,
				"schema": map[string]any{"required": []string{"id"}}, "example": map[string]any{"id": 1},
			}},
		},
	}
	var made admin.SourceView
	r.send(put).wants(200, &made)
	var got admin.SourceView
	r.send(request{method: "GET", path: "/v1/sources/shop", token: boss}).wants(200, &got)
	if diff := cmp.Diff(made.Spec.Types, got.Spec.Types); diff != "" || len(got.Spec.Types) != 1 ||
		string(got.Spec.Types[0].Schema) != `{"required":["id"]}` || got.Spec.Validate != "refuse" {
		t.Errorf("%+v", got.Spec)
	}
	var list struct{ Items []admin.SourceView }
	r.send(request{method: "GET", path: "/v1/sources", token: boss}).wants(200, &list)
	if len(list.Items) != 1 || len(list.Items[0].Spec.Types) != 1 {
		t.Errorf("%+v", list)
	}
	put.path = "/v1/sources/wrong"
	put.body = map[string]any{"provider": "none", "types": []any{map[string]any{
		"name": "order", "schema": map[string]any{"type": "txt"},
	}}}
	p := r.send(put).problem(422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/body/types/0/schema/type" {
		t.Errorf("%+v", p)
	}
	put.token = r.token(access.Admin, "acme")
	put.body = map[string]any{"provider": "none", "types": []any{map[string]any{"name": "order"}}}
	if p := r.send(put).problem(422, "invalid"); p.Errors[0].Pointer != "/body/types" {
		t.Errorf("a tenant's: %+v", p)
	}
}

func TestEventsShowTheirSchema(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := r.clock.now().Add(-time.Minute)
	id := relay.EventID("", "shop", "1")
	_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: id, Source: "shop", Type: "order", Trust: "verified", ReceivedAt: at,
			Body: []byte(`{}`), Schema: &relay.SchemaResult{
				Status: schemas.Failed, At: "/id", Problem: "is missing",
			},
		},
		MessageID: id, RoutedAt: at, ExpiresAt: at.Add(24 * time.Hour).Truncate(time.Second),
	})
	must(t, err)
	token := r.token(access.Read, "")
	var story admin.EventStory
	r.send(request{method: "GET", path: "/v1/events/" + id, token: token}).wants(200, &story)
	want := &admin.SchemaView{Status: "failed", At: "/id", Problem: "is missing"}
	if diff := cmp.Diff(want, story.Schema); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.send(request{
		method: "GET", path: "/v1/events/lookup?source=shop&delivery=1", token: token,
	}).wants(200, &story)
	var list struct{ Items []admin.EventItem }
	r.send(request{
		method: "GET", path: `/v1/events?where={"schema":["failed"]}`, token: token,
	}).wants(200, &list)
	if len(list.Items) != 1 || list.Items[0].Schema != "failed" {
		t.Errorf("%+v", list)
	}
}

// TestTryShowsWhatIsSent: the result of transforms, of a subscription and of the request.
func TestTryShowsWhatIsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	r.apply(boss, "", `sources: [{name: app, provider: none}]
endpoints: [{name: a, url: https://a.example.com}, {name: b, url: https://b.example.com}]
subscriptions:
  - {source: app, endpoint: a, send: {body: {n: "{data.n}"}, path: "/{data.n}", query: {q: x}, headers: {X-A: b}}}
  - {source: app, endpoint: b}
`, `"0"`).wants(200, nil)
	try := func(body map[string]any) request {
		return request{method: "POST", path: "/v1/try", token: boss, body: body}
	}
	event := map[string]any{"source": "app", "data": map[string]any{"n": 1, "s": "x"}}
	var got struct{ Results []admin.Trial }
	r.send(try(map[string]any{"event": event})).wants(200, &got)
	want := []*admin.Sends{{
		Method: "POST", Path: "/1", Query: "q=x", Headers: map[string]string{"x-a": "b"},
		ContentType: "application/json", Body: `{"n":1}`,
	}, nil}
	if len(got.Results) != 2 ||
		cmp.Diff(want, []*admin.Sends{got.Results[0].Sends, got.Results[1].Sends}) != "" {
		t.Errorf("%+v", got.Results)
	}
	for name, tt := range map[string]struct {
		send map[string]any
		want string
	}{
		"one that fails": {
			map[string]any{"body": "{data.s + 1}"}, "nothing, because the transform fails: ",
		},
		"jq, which is not run here": {
			map[string]any{"jq": ".data"}, "nothing, because the transform fails: jq programs cannot",
		},
		"one that is right": {map[string]any{"body": "{data.s}"}, "POST application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			var got struct{ Results []admin.Trial }
			r.send(try(map[string]any{
				"event": event, "given": map[string]any{"source": "app", "send": tt.send},
			})).wants(200, &got)
			if s := got.Results[0].Sends; s == nil || !strings.HasPrefix(s.Summary(), tt.want) {
				t.Errorf("%+v, want %s", s, tt.want)
			}
		})
	}
	p := r.send(try(map[string]any{
		"event": event, "given": map[string]any{
			"source": "app", "send": map[string]any{"preset": "fax"},
		},
	})).problem(422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/body/given/send/preset" {
		t.Errorf("%+v", p)
	}
}

// skipper is a transform.Runner whose programs have no result.
type skipper struct{}

func (skipper) Run(context.Context, string, []byte) ([][]byte, error) { return nil, nil }

func (skipper) Check(_ context.Context, text string) error { return program.Check(text) }

func TestTryShowsThatNothingIsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) { c.JQ = skipper{} })
	var got struct{ Results []admin.Trial }
	r.send(request{
		method: "POST", path: "/v1/try", token: r.token(access.Read, ""), body: map[string]any{
			"event": map[string]any{"source": "app", "data": 1},
			"given": map[string]any{"source": "app", "send": map[string]any{"jq": "empty"}},
		},
	}).wants(200, &got)
	if s := got.Results[0].Sends; s == nil || !s.Skipped {
		t.Errorf("%+v", s)
	}
}
