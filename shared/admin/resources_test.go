package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

var ifNone = map[string]string{"If-None-Match": "*"}

func ifMatch(tag string) map[string]string { return map[string]string{"If-Match": tag} }

// putAnswer is the answer of a PUT, as far as the tests need it.
type putAnswer struct {
	ETag   string
	Secret string
}

// put creates a resource.
func (r *rig) put(path, token string, spec any) putAnswer {
	r.t.Helper()
	var out putAnswer
	r.send(request{
		method: "PUT", path: path, token: token, body: spec, header: ifNone,
	}).wants(200, &out)
	return out
}

const (
	aRole     = "arn:aws:iam::999999999999:role/relay"
	aBus      = "arn:aws:events:eu-central-1:123456789012:event-bus/shop"
	aBucket   = "s3://archive"
	aGroup    = "arn:aws:logs:eu-central-1:123456789012:log-group:/webhooks"
	aFunction = "arn:aws:lambda:eu-central-1:123456789012:function:greet"
)

// aimed returns endpoints that use every option of destinations.
func aimed() (all []catalog.Endpoint) {
	for i, e := range []catalog.Endpoint{
		{
			URL: "arn:aws:sqs:eu-central-1:999999999999:in.fifo",
			Destination: &destination.Options{
				Envelope: destination.JSON, Group: "{data.id}", Claim: destination.ClaimS3,
			},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{
				Service: "sqs", Region: "eu-central-1", Role: aRole, ExternalID: "hush-hush",
			}},
		},
		{
			URL: aBus, Destination: &destination.Options{
				DetailType: "{type}", BusSource: "shop",
			},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "events", Region: "eu-central-1"}},
		},
		{
			URL: aFunction, Destination: &destination.Options{Wait: true},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "lambda", Region: "eu-central-1"}},
		},
		{
			URL: aBucket + "/{id}", Destination: &destination.Options{Region: "eu-west-3"},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "s3", Region: "eu-west-3"}},
		},
		{
			URL: aGroup, Destination: &destination.Options{Stream: "{type}"},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "logs", Region: "eu-central-1"}},
		},
	} {
		e.Name, e.SecretsMade = fmt.Sprint("aimed-", i), true
		e.Secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
		all = append(all, e)
	}
	return all
}

// filled returns a relay with resources that use every field, managed by a file.
func filled(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, func(c *admin.Config) { c.Granted = []string{aRole, aBus, aFunction, aGroup, "arn:aws:s3:::archive"} })
	given := catalog.Catalog{Endpoints: aimed()}
	now := r.clock.now()
	given.Endpoints = append(given.Endpoints, catalog.Endpoint{
		Name: "every", URL: "https://every.example.com", Secrets: []string{
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		},
		SecretsMade: true, Retiring: []catalog.RetiringSecret{
			{Secret: "whsec_b2xk", Until: now.Add(time.Hour).Truncate(time.Second)},
		},
		Timeout: 20 * time.Second, Schedule: []time.Duration{time.Minute}, MaxAge: time.Hour,
		Final: []string{"404", "5xx"}, RateLimit: 90, RatePer: time.Minute, Concurrency: 3,
		Prove: catalog.ProvePing, Order: catalog.Order{On: true, Key: "data.id"},
		Header: map[string]string{"x-env": "prod"},
		Sends: map[string]string{
			"every": `{"body":{"id":"{data.id}"},"headers":{"x-id":"{id}"}}`,
			"json":  `{"preset":"slack","text":"{data.a}"}`,
		},
		TLS: &catalog.TLS{
			Certificate: []byte("aws-secretsmanager:c"), Key: []byte("aws-secretsmanager:k"),
			Authorities: []byte("aws-secretsmanager:a"),
		},
	})
	for i, auth := range []catalog.Auth{
		{Basic: &catalog.BasicAuth{Username: "u", Password: "p"}},
		{Bearer: "token"},
		{APIKey: &catalog.APIKey{Header: "x-key", Value: "v"}},
		{APIKey: &catalog.APIKey{Query: "key", Value: "v"}},
		{OAuth2: &catalog.OAuth2{
			TokenURL: "https://t.example.com", ClientID: "i", ClientSecret: "s",
			Scopes: []string{"a"}, Audience: "b", InBody: true,
		}},
		{SigV4: &catalog.SigV4{
			Service: "lambda", Region: "eu-central-1", Role: aRole, ExternalID: "hush-hush",
		}},
		{Signature: &catalog.Signature{Provider: "github", Secret: "hush-hush", Alone: true}},
		{Signature: &catalog.Signature{Provider: "hmac", Secret: "616263", HMAC: everyHMAC()}},
	} {
		given.Endpoints = append(given.Endpoints, catalog.Endpoint{
			Name: fmt.Sprint("auth-", i), URL: "https://auth.example.com",
			Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, Auth: &auth,
		})
	}
	given.Sources = []catalog.Source{
		{Name: "every", Secrets: []string{"616263"}, Verify: verify.Config{
			Provider: "hmac", HMAC: everyHMAC(), EventType: &verify.Locator{JSON: "type"},
			EventID: &verify.Locator{Header: "x-id"}, AllowedIPs: []string{"192.0.2.0/24"},
		}},
		{Name: "json", Secrets: []string{"hush-hush"}, Verify: verify.Config{
			Provider: "hmac", HMAC: &verify.HMAC{Header: "x-sig", TimestampJSON: "sent.at"},
			EventID: &verify.Locator{Body: true}, EventType: &verify.Locator{Header: "x-type"},
		}},
		{Name: "json-id", Secrets: []string{"hush-hush"}, Verify: verify.Config{
			Provider: "hmac", HMAC: &verify.HMAC{Header: "x-sig"},
			EventID: &verify.Locator{JSON: "id"},
		}},
		{
			Name: "of-acme", Verify: verify.Config{Provider: "none"},
			Tenant: &catalog.TenantOf{ID: "acme"},
		},
		{
			Name: "of-some", Verify: verify.Config{Provider: "none"},
			Tenant: &catalog.TenantOf{JSON: "account.id", Optional: true},
		},
		{Name: "once", Secrets: []string{"hush-hush"}, Verify: verify.Config{
			Provider: "github", Once: "body",
		}},
		{Name: "url", Secrets: []string{"hush-hush"}, Verify: verify.Config{
			Provider: "twilio", URL: "https://in.example.com/in/url",
		}},
		{Name: "settings", Verify: verify.Config{
			Provider: "sns", Settings: map[string]string{
				"topic_arns": "arn:aws:sns:eu-central-1:123456789012:topic",
			},
		}},
	}
	given.Subscriptions = []catalog.Subscription{
		{
			Name: "every-every", Source: "every", Endpoint: "every", Types: []string{"a.*"},
			Filter: `{"data":{"n":[{"numeric":["=",12345678901234567890]}]}}`,
		},
		{Name: "own", Source: catalog.OwnSource, Endpoint: "auth-0"},
	}
	must(t, r.catalog.For("").ReplaceCatalog(t.Context(), given, 0))
	return r
}

func everyHMAC() *verify.HMAC {
	return &verify.HMAC{
		Header: "x-sig", Algorithm: "sha512", Encoding: "base64", Key: "hex", Prefix: "v1=",
		Payload: "{id}.{timestamp}.{body}", TimestampHeader: "x-ts", TimestampFormat: "ms",
		IDHeader: "x-id", Tolerance: time.Minute,
	}
}

// TestResourcesComeBackAsTheyAre reads each resource, and puts it back as it was read. Nothing is
// lost by that, not even a secret, and no secret is shown.
func TestResourcesComeBackAsTheyAre(t *testing.T) {
	t.Parallel()
	r := filled(t)
	boss := r.token(access.Admin, "")
	before, _, err := r.catalog.For("").LoadCatalog(t.Context())
	must(t, err)
	for _, plural := range []string{"sources", "endpoints", "subscriptions"} {
		var names []string
		for next := ""; ; {
			var list struct {
				Items []struct{ Spec struct{ Name string } }
				Next  string
			}
			a := r.send(request{
				method: "GET", path: "/v1/" + plural + "?limit=1" + next, token: boss,
			}).wants(200, &list)
			if strings.Contains(string(a.body), "whsec_") {
				t.Errorf("%s: %s", plural, a.body)
			}
			for _, item := range list.Items {
				names = append(names, item.Spec.Name)
			}
			if next = "&next=" + list.Next; list.Next == "" {
				break
			}
		}
		if len(names) < 2 {
			t.Errorf("%s: %q", plural, names)
		}
		for _, name := range names {
			path := "/v1/" + plural + "/" + name
			var got struct {
				Spec      json.RawMessage
				ManagedBy string
			}
			a := r.send(request{method: "GET", path: path, token: boss}).wants(200, &got)
			for _, secret := range []string{
				"whsec_", `"hush-hush"`, `"616263"`, `"p"`, `"token"`, `"prod"`,
			} {
				if strings.Contains(string(a.body), secret) {
					t.Errorf("%s shows %s: %s", path, secret, a.body)
				}
			}
			put := request{
				method: "PUT", path: path, token: boss, body: string(got.Spec),
				header: ifMatch(a.header.Get("etag")),
			}
			r.send(put).problem(409, "managed-elsewhere")
			put.path += "?adopt=true"
			if a := r.send(put); a.status != 200 {
				t.Errorf("%s: %s\n%s", path, a.body, got.Spec)
			}
		}
	}
	after, _, err := r.catalog.For("").LoadCatalog(t.Context())
	must(t, err)
	opts := cmp.Options{
		cmpopts.EquateEmpty(), cmpopts.IgnoreFields(catalog.Source{}, "ManagedBy", "Changed"),
		cmpopts.IgnoreFields(catalog.Endpoint{}, "ManagedBy", "Changed"),
		cmpopts.IgnoreFields(catalog.Subscription{}, "ManagedBy", "Changed", "Order"),
	}
	if diff := cmp.Diff(before, after, opts); diff != "" {
		t.Errorf("put back (-was +is):\n%s", diff)
	}
}

// TestPuttingResources goes through what can happen to a PUT and a DELETE.
func TestPuttingResources(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "acme")
	endpoint := map[string]any{
		"url": "https://a.example.com", "headers": map[string]any{"x-a": "b"},
	}
	made := r.put("/v1/endpoints/a", boss, endpoint)
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("no secret was made: %+v", made)
	}
	r.put(
		"/v1/sources/github", boss,
		map[string]any{"provider": "github", "secrets": []string{"hunter2"}},
	)
	source := request{method: "GET", path: "/v1/sources/github", token: boss}
	var got admin.SourceView
	tag := r.send(source).wants(200, &got).header.Get("etag")
	if got.Path != "/in/acme/github" || got.ManagedBy != "api" || got.ChangedAt == nil {
		t.Errorf("%+v", got)
	}
	r.put(
		"/v1/subscriptions/s", boss,
		map[string]any{"source": "github", "endpoint": "a", "types": []string{"push"}},
	)

	// secrets that are left out stay
	again := request{
		method: "PUT", path: source.path, token: boss, header: ifMatch(tag),
		body: map[string]any{"provider": "github", "allowed_ips": []string{"192.0.2.1/32"}},
	}
	tag = r.send(again).wants(200, nil).header.Get("etag")
	res, err := r.catalog.For("acme").Resource(t.Context(), catalog.KindSource, "github")
	must(t, err)
	if len(res.Source.Secrets) != 1 || res.Source.Secrets[0] != "hunter2" {
		t.Errorf("secrets %q", res.Source.Secrets)
	}
	// an endpoint's replaced secrets keep signing
	var replaced admin.MadeEndpoint
	endpoint["secrets"] = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	r.send(request{
		method: "PUT", path: "/v1/endpoints/a?keep=2d&adopt=false", token: boss, body: endpoint,
		header: ifMatch(made.ETag),
	}).wants(200, &replaced)
	if old := replaced.Retiring; len(old) != 1 ||
		!old[0].Until.Equal(r.clock.now().Add(48*time.Hour).Truncate(time.Second)) {
		t.Errorf("retiring: %+v", old)
	}

	again.header = ifMatch(`"1"`)
	r.send(again).problem(412, "precondition-failed")
	again.header = nil
	r.send(again).problem(428, "precondition-required")
	again.header = ifNone
	r.send(again).problem(412, "precondition-failed")
	r.send(request{method: "GET", path: "/v1/sources/none", token: boss}).problem(404, "not-found")
	for _, path := range []string{"/v1/sources/github", "/v1/endpoints/a"} {
		p := r.send(request{method: "DELETE", path: path, token: boss}).problem(409, "in-use")
		if !strings.Contains(p.Detail, ": s") {
			t.Errorf("%s: %+v", path, p)
		}
	}
	remove := request{method: "DELETE", path: source.path, token: boss}
	var sub admin.SubscriptionView
	r.send(request{method: "GET", path: "/v1/subscriptions/s", token: boss}).wants(200, &sub)
	r.send(request{
		method: "DELETE", path: "/v1/subscriptions/s?adopt=true", token: boss,
		header: ifMatch(sub.ETag),
	}).wants(204, nil)
	r.send(remove.with(ifMatch(`"1"`))).problem(412, "precondition-failed")
	remove.path += "?adopt=true"
	r.send(remove.with(ifMatch(tag))).wants(204, nil)
	r.send(remove).problem(404, "not-found")
	r.put("/v1/endpoints/b", boss, endpoint)
	var b admin.EndpointView
	r.send(request{method: "GET", path: "/v1/endpoints/b", token: boss}).wants(200, &b)
	r.send(request{
		method: "DELETE", path: "/v1/endpoints/b?adopt=true", token: boss, header: ifMatch(b.ETag),
	}).wants(204, nil)
	// what the tenant has is in its own catalog only
	r.send(request{
		method: "GET", path: "/v1/endpoints/a", token: r.token(access.Read, ""),
	}).problem(404, "not-found")
	r.send(request{
		method: "DELETE", path: "/v1/tenants/acme", token: r.token(access.Admin, ""),
	}).problem(409, "in-use")
}

func TestBadResources(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) { c.JQ = skipper{} })
	operator, tenant := r.token(access.Admin, ""), r.token(access.Admin, "acme")
	for name, tt := range map[string]struct {
		path, token, body string
		status            int
		where             string
	}{
		"no JSON":       {"endpoints/a", operator, "url: https://a.example.com", 400, "/body"},
		"two documents": {"endpoints/a", operator, "{}{}", 400, "/body"},
		"a list":        {"endpoints/a", operator, "[]", 422, "/body"},
		"no url":        {"endpoints/a", operator, "{}", 422, "/body/url"},
		"unknown key": {
			"endpoints/a", operator, `{"url":"https://a.example.com","colour":"red"}`, 422,
			"/body/colour",
		},
		"two mistakes": {
			"endpoints/a", operator, `{"url":"ftp://a","timeout":"1h"}`, 422,
			"/body/url /body/timeout",
		},
		"inside a list": {
			"endpoints/a", operator,
			`{"url":"https://a.example.com","retry":{"final":["4xx","2xx"]}}`, 422,
			"/body/retry/final/1",
		},
		"of the environment": {
			"endpoints/a", operator, `{"url":"https://a.example.com","secrets":["env:HOME"]}`, 422,
			"/body/secrets/0",
		},
		"another name": {
			"endpoints/a", operator, `{"name":"b","url":"https://a.example.com"}`, 422,
			"/body/name",
		},
		"no name": {
			"endpoints/A_B", operator, `{"url":"https://a.example.com"}`, 422, "/body/name",
		},
		"another's mask": {
			"endpoints/a", operator,
			`{"url":"https://a.example.com","secrets":[{"present":true,"fingerprint":"0123"}]}`,
			422, "/body/secrets/0",
		},
		"a transform": {
			"endpoints/a", operator,
			`{"url":"https://a.example.com","send":{"app":{"body":{"a":"{nope}"}},"B":{},"b":{"preset":"slak"}}}`,
			422, "/body/send/B /body/send/app/body/a /body/send/b/preset",
		},
		"a jq program": {
			"endpoints/a", operator,
			`{"url":"https://a.example.com","send":{"app":{"jq":".data |"},"b":{"jq":"."}}}`, 422,
			"/body/send/app/jq",
		},
		"large transforms": {
			"endpoints/a", operator, strings.ReplaceAll(
				`{"url":"https://a.example.com","send":{"a":{"body":"x"},"b":{"body":"x"},"c":{"body":"x"}}}`,
				`"x"`, `"`+strings.Repeat("x", 60_000)+`"`,
			),
			422, "/body/send",
		},
		"a transform of a subscription": {
			"subscriptions/a", operator, `{"source":"relay","endpoint":"e","send":{"body":1}}`, 422,
			"/body/send",
		},
		"own source": {"sources/relay", operator, `{"provider":"none"}`, 422, "/body/name"},
		"no secret":  {"sources/a", operator, `{"provider":"github"}`, 422, "/body"},
		"no endpoint": {
			"subscriptions/a", operator, `{"source":"relay","endpoint":"none"}`, 422, "/body",
		},
		"bad filter": {
			"subscriptions/a", operator, `{"source":"relay","endpoint":"a","filter":{"data":1}}`,
			422, "/body/filter/data",
		},
		"AWS, by a tenant": {"endpoints/a", tenant,
			`{"url":"https://a.example.com","auth":{"bearer":"aws-secretsmanager:operators"}}`, 422,
			"/body/auth"},
		"AWS for TLS, by a tenant": {"endpoints/a", tenant,
			`{"url":"https://a.example.com","tls":{"ca":"aws-secretsmanager:operators"}}`, 422,
			"/body/tls"},
		"whose events, by a tenant": {
			"sources/a", tenant, `{"provider":"none","tenant":"globex"}`, 422, "/body/tenant",
		},
		"SigV4, by a tenant": {"endpoints/a", tenant,
			`{"url":"https://a.example.com","auth":{"sigv4":{"service":"lambda","region":"eu-central-1"}}}`, 422, "/body/auth"},
		"a bad time": {
			"endpoints/a?keep=soon", operator, `{"url":"https://a.example.com"}`, 422,
			"/query/keep",
		},
		"a negative time": {
			"endpoints/a?keep=-1h", operator, `{"url":"https://a.example.com"}`, 422, "/query/keep",
		},
	} {
		a := r.send(request{
			method: "PUT", path: "/v1/" + tt.path, token: tt.token, body: tt.body, header: ifNone,
		})
		var p admin.Problem
		must(t, json.Unmarshal(a.body, &p))
		if a.status != tt.status || pointers(p) != tt.where {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
}

func TestEndpointActions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss, who := r.token(access.Admin, "acme"), r.token(access.Operate, "acme")
	made := r.put("/v1/endpoints/a", boss, map[string]any{"url": "https://a.example.com"})
	post := func(action string, body any) request {
		return request{method: "POST", path: "/v1/endpoints/a/" + action, token: who, body: body}
	}
	var turned admin.Rotated
	r.send(post("secret/rotate", map[string]string{"keep": "1h"})).wants(200, &turned)
	if turned.Secret == made.Secret || len(turned.Retiring) != 1 {
		t.Errorf("%+v", turned)
	}
	r.send(post("secret/rotate", map[string]string{"keep": "soon"})).problem(422, "invalid")
	r.send(post("secret/rotate", map[string]string{"keep": "-1h"})).problem(422, "invalid")
	for range 3 {
		r.send(post("secret/rotate", map[string]string{})).wants(200, nil)
	}
	r.send(post("secret/rotate", map[string]string{})).problem(409, "not-possible-now")

	state := func() (v admin.StateView) {
		r.send(request{method: "GET", path: "/v1/endpoints/a/state", token: who}).wants(200, &v)
		var all struct{ Items []admin.NamedState }
		r.send(request{method: "GET", path: "/v1/states", token: who}).wants(200, &all)
		if len(all.Items) == 0 || all.Items[0].Name != "a" || all.Items[0].URL == "" ||
			all.Items[0].State != v.State {
			t.Errorf("%+v in the list, %+v alone", all.Items, v)
		}
		return v
	}
	if v := state(); v.State != "healthy" {
		t.Errorf("%+v", v)
	}
	var v admin.StateView
	r.send(post("pause", nil)).wants(200, &v)
	if v.State != "paused" {
		t.Errorf("paused: %+v", v)
	}
	if v := state(); v.State != "paused" || v.PausedAt == nil {
		t.Errorf("paused: %+v", v)
	}
	r.send(post("resume", nil)).wants(200, nil)
	if v = state(); v.State != "recovering" || v.Recovering == nil {
		t.Errorf("resumed: %+v", v)
	}
	r.send(request{method: "GET", path: "/v1/troubled", token: who}).wants(200, nil)
	if msgs, err := r.ingest.Receive(t.Context(), 9); err != nil || len(msgs) != 1 ||
		!strings.Contains(string(msgs[0].Body), "endpoint.enabled") {
		t.Errorf("told: %v, %v", msgs, err)
	}
	// everything that a state can show; also in the answers of the actions
	now := r.clock.now()
	for _, s := range []breaker.State{
		{
			OpenUntil: now.Add(time.Minute), Reason: "503", Failures: 2, FailingSince: now,
			FailedAt: now, WarnedAt: now,
		},
		{DisabledAt: now, Reason: "gone"},
		{PausedUntil: now.Add(time.Minute), Unproven: "404"},
	} {
		_, revision, err := r.states.EndpointState(t.Context(), "acme/a")
		must(t, err)
		must(t, r.states.SaveEndpointState(t.Context(), "acme/a", s, revision))
		if v := state(); v.State != string(s.Phase(now)) || v.Reason == "" {
			t.Errorf("%+v: %+v", s, v)
		}
		var list troubledList
		r.send(request{method: "GET", path: "/v1/troubled", token: who}).wants(200, &list)
		if len(list.Items) != 1 || list.Items[0].Endpoint != "a" ||
			list.Items[0].State.State != string(s.Phase(now)) {
			t.Errorf("%+v: in trouble are %+v", s, list)
		}
		r.send(post("pause", nil)).wants(200, nil)
	}
	r.send(request{method: "GET", path: "/v1/troubled", token: who}).wants(200, nil)
	var sent struct{ Event string }
	r.send(post("ping", nil)).wants(200, &sent)
	e, _, err := r.ledger.Event(t.Context(), sent.Event)
	if err != nil || len(e.Endpoints) != 1 || e.Endpoints[0] != "acme/a" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, action := range []string{"secret/rotate", "pause", "resume", "ping"} {
		r.send(request{
			method: "POST", path: "/v1/endpoints/none/" + action, token: who,
			body: map[string]string{},
		}).problem(404, "not-found")
	}
	r.send(request{
		method: "GET", path: "/v1/endpoints/none/state", token: who,
	}).problem(404, "not-found")
}

type troubledList struct {
	Items []admin.Troubled
	More  bool
}

// TestEndpointsInTrouble are those of one tenant, and at most 100.
func TestEndpointsInTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := r.clock.now()
	for i := range 101 {
		must(t, r.states.SaveEndpointState(
			t.Context(), fmt.Sprintf("e%03d", i), breaker.State{DisabledAt: now}, 0,
		))
	}
	must(t, r.states.SaveEndpointState(
		t.Context(), "other/x", breaker.State{DisabledAt: now}, 0,
	))
	for tenant, want := range map[string]int{"": 100, "other": 1, "acme": 0} {
		var list troubledList
		r.send(request{
			method: "GET", path: "/v1/troubled", token: r.token(access.Read, tenant),
		}).wants(200, &list)
		if len(list.Items) != want || list.More != (want == 100) {
			t.Errorf("%q: %d, more: %v", tenant, len(list.Items), list.More)
		}
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var got struct{ Items []admin.Provider }
	r.send(request{method: "GET", path: "/v1/providers", token: r.token(access.Read, "acme")}).
		wants(200, &got)
	if len(got.Items) != len(verify.Providers())+len(trigger.Providers()) {
		t.Errorf("%d providers", len(got.Items))
	}
	for _, p := range got.Items {
		if p.Name == "github" && (len(p.Fields) != 1 || p.Fields[0].Key != "secrets" ||
			!p.Fields[0].Required || !p.Fields[0].Secret) {
			t.Errorf("%+v", p)
		}
		if p.Name == trigger.S3 && (len(p.Fields) != 0 || !strings.Contains(p.Note, "triggers")) {
			t.Errorf("%+v", p)
		}
	}
}
