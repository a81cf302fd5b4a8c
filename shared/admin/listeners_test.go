package admin_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/listen"
)

// addListeners lets people listen, by queues that the rig keeps.
func (r *rig) addListeners() {
	kept := listen.NewKept(r.config.CatalogDocuments, r.clock.now)
	r.config.Listening = admin.Listening{
		Listeners: lab.Must(listen.New(listen.Config{
			Documents: r.config.CatalogDocuments, Marks: r.catalog, Queues: kept, Now: r.clock.now,
		})), Sender: kept, Kept: kept,
	}
}

// listener is an answer with a listener.
type listener struct {
	ID, By     string
	Sources    []string
	Types      []string
	Where      json.RawMessage
	TTLSeconds int
	ExpiresAt  time.Time
	InForceAt  time.Time
	Active     bool
	Transport  admin.TransportView
}

// TestAListenersLife: it is made, receives what is sent to it, is renewed, listed, and removed.
func TestAListenersLife(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, event := r.token(access.Admin, "acme"), r.story()
	r.put("/v1/sources/app", boss, map[string]any{
		"provider": "github", "secrets": []string{"hush-hush"},
	})
	token := r.token(access.Operate, "acme")
	post := func(path string, body any) request {
		return request{method: "POST", path: "/v1/listeners" + path, token: token, body: body}
	}
	var made listener
	r.send(post("", map[string]any{
		"sources": []string{"app"}, "types": []string{"invoice.*"},
		"where": json.RawMessage(`{"data":{"n":[{"exists":true}]}}`), "ttl": "30m",
	})).wants(200, &made)
	if made.By != "operate of acme" || made.TTLSeconds != 1800 || !made.Active ||
		!made.InForceAt.After(r.clock.now()) || made.Transport.Kind != "poll" ||
		string(made.Where) != `{"data":{"n":[{"exists":true}]}}` {
		t.Errorf("%+v", made)
	}
	of := "/" + made.ID
	var sent struct{ Sent int }
	r.send(post(of+"/events", map[string]any{"events": []string{event, "evt_none"}})).
		wants(200, &sent)
	r.send(post(of+"/events", map[string]any{"events": []string{event}, "again": true})).
		wants(200, &sent)
	var got struct {
		Messages []struct{ Handle, Body string }
	}
	receive := func(more map[string]any, want int) (handles []string) {
		t.Helper()
		r.send(post(of+"/receive", more)).wants(200, &got)
		if len(got.Messages) != want {
			t.Fatalf("%d messages, want %d", len(got.Messages), want)
		}
		for _, m := range got.Messages {
			b, err := base64.StdEncoding.DecodeString(m.Body)
			must(t, err)
			c, err := listen.Decode(b)
			must(t, err)
			if c.Event.ID != event || len(c.Event.Body) == 0 {
				t.Errorf("received %+v", c)
			}
			handles = append(handles, m.Handle)
		}
		return handles
	}
	first := receive(map[string]any{"max": 1, "hideSeconds": 60}, 1)
	second := receive(map[string]any{"waitSeconds": 1}, 1)
	r.send(post(of+"/settle", map[string]any{
		"done": first, "again": second, "afterSeconds": 10,
	})).wants(204, nil)
	r.clock.add(10 * time.Second)
	if third := receive(map[string]any{}, 1); third[0] != second[0] {
		t.Errorf("%v came again, want %v", third, second)
	}
	r.clock.add(20 * time.Minute)
	var renewed listener
	r.send(post(of+"/renew", nil)).wants(200, &renewed)
	if !renewed.ExpiresAt.Equal(r.clock.now().Add(30 * time.Minute).Truncate(time.Second)) {
		t.Errorf("renewed until %v", renewed.ExpiresAt)
	}
	r.clock.add(time.Hour)
	var list struct{ Items []listener }
	r.send(request{method: "GET", path: "/v1/listeners", token: token}).wants(200, &list)
	if len(list.Items) != 1 || list.Items[0].ID != made.ID || list.Items[0].Active {
		t.Errorf("%+v", list.Items)
	}
	remove := request{method: "DELETE", path: "/v1/listeners" + of, token: token}
	r.send(remove).wants(204, nil)
	for _, q := range []request{
		remove, post(of+"/renew", nil), post(of+"/receive", map[string]any{}),
		post(of+"/settle", map[string]any{}),
		post(of+"/events", map[string]any{"events": []string{event}}),
	} {
		r.send(q).problem(404, "not-found")
	}
}

// TestListenersOfOthers cannot be had, nor can the events of others.
func TestListenersOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	event := r.story()
	mine, theirs := r.token(access.Operate, "acme"), r.token(access.Operate, "other")
	var made, other listener
	post := func(token, path string, body any) request {
		return request{method: "POST", path: "/v1/listeners" + path, token: token, body: body}
	}
	r.send(post(mine, "", map[string]any{})).wants(200, &made)
	r.send(post(theirs, "", map[string]any{})).wants(200, &other)
	for _, q := range []request{
		post(theirs, "/"+made.ID+"/renew", nil),
		post(theirs, "/"+made.ID+"/receive", map[string]any{}),
		post(theirs, "/"+made.ID+"/settle", map[string]any{}),
		post(theirs, "/"+made.ID+"/events", map[string]any{"events": []string{event}}),
		post(theirs, "/"+other.ID+"/events", map[string]any{"events": []string{event}}),
		{method: "DELETE", path: "/v1/listeners/" + made.ID, token: theirs},
	} {
		r.send(q).problem(404, "not-found")
	}
}

func TestBadListeners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Operate, "")
	for body, want := range map[string]string{
		`{"ttl": "soon"}`:              "/body/ttl",
		`{"ttl": "0s"}`:                "/body/ttl",
		`{"ttl": "48h"}`:               "/body",
		`{"sources": ["nobody"]}`:      "/body/sources/0",
		`{"sources": ["acme/none"]}`:   "/body/sources/0",
		`{"types": [""]}`:              "/body",
		`{"where": {"data": {"a":1}}}`: "/body",
		`{"where": "x"}`:               "/body",
	} {
		p := r.send(request{
			method: "POST", path: "/v1/listeners", token: token, body: body,
		}).problem(422, "invalid")
		if pointers(p) != want {
			t.Errorf("%s: %+v", body, p)
		}
	}
	for range listen.MaxListeners {
		r.send(request{method: "POST", path: "/v1/listeners", token: token, body: "{}"}).
			wants(200, nil)
	}
	p := r.send(request{method: "POST", path: "/v1/listeners", token: token, body: "{}"}).
		problem(409, "not-possible-now")
	if !strings.Contains(p.Detail, "20 listeners") {
		t.Errorf("one too many: %+v", p)
	}
}

// TestListeningIsOff: it says so, and how to turn it on.
func TestListeningIsOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) { c.Listening = admin.Listening{} })
	token := r.token(access.Admin, "")
	for _, q := range []request{
		{method: "GET", path: "/v1/listeners"},
		{method: "POST", path: "/v1/listeners", body: map[string]any{}},
		{method: "POST", path: "/v1/listeners/lis_a/renew"},
	} {
		q.token = token
		if p := r.send(q).problem(409, "not-possible-now"); !strings.Contains(
			p.Detail, "listeners: true",
		) {
			t.Errorf("%s: %+v", q.path, p)
		}
	}
	r.raw(request{method: "POST", path: "/v1/listeners/lis_a/receive", token: token}).
		problem(404, "not-found")
}

// elsewhereQueues are queues of AWS, as far as the API shows them.
type elsewhereQueues struct{ *listen.Kept }

func (elsewhereQueues) Access(_ context.Context, id string) (listen.Transport, error) {
	return listen.Transport{
		Kind: listen.KindSQS, QueueURL: "https://sqs.example.com/" + id, Region: "eu-central-1",
		AccessKeyID: "ASIA", SecretAccessKey: "hush", SessionToken: "token",
		Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}, nil
}

// TestCredentialsOfAListener: they are in the answers to whoever listens, and nowhere else.
func TestCredentialsOfAListener(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) {
		c.Listening.Listeners = lab.Must(listen.New(listen.Config{
			Documents: c.CatalogDocuments, Marks: c.Catalogs.(catalog.ListeningMarks), Now: c.Now,
			Queues: elsewhereQueues{c.Listening.Kept},
		}))
	})
	token := r.token(access.Operate, "")
	var made, renewed listener
	r.send(request{method: "POST", path: "/v1/listeners", token: token, body: "{}"}).
		wants(200, &made)
	r.send(request{method: "POST", path: "/v1/listeners/" + made.ID + "/renew", token: token}).
		wants(200, &renewed)
	want := admin.TransportView{
		Kind: "sqs", QueueURL: "https://sqs.example.com/" + made.ID, Region: "eu-central-1",
		Credentials: &admin.CredentialsView{
			AccessKeyID: "ASIA", SecretAccessKey: "hush", SessionToken: "token",
			Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
	}
	for _, got := range []listener{made, renewed} {
		if diff := cmp.Diff(want, got.Transport); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	for _, path := range []string{"/v1/listeners", "/v1/audit"} {
		a := r.send(request{method: "GET", path: path, token: token}).wants(200, nil)
		if text := string(a.body); strings.Contains(text, "hush") ||
			!strings.Contains(text, made.ID) {
			t.Errorf("%s: %s", path, text)
		}
	}
}
