package config_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

const exportedFile = `
sources:
  - {name: github, provider: github, secrets: [first-secret, second-secret], allowed_ips: [192.0.2.0/24]}
  - {name: learner, provider: asana}
  - name: crm
    provider: hmac
    secrets: [s3cret]
    hmac: {header: X-Sig, algorithm: sha512, encoding: base64, prefix: "sha512=", payload: "{timestamp}.{body}", timestamp_header: X-Ts, tolerance: 1h}
    event_type: {json: "event.kind"}
    event_id: {header: X-Delivery}
    tenant: {json: account.id, optional: true}
  - {name: published, provider: none, tenant: {header: Webhook-Tenant}}
  - {name: fixed, provider: none, tenant: "1"}
endpoints:
  - {name: plain, url: "https://e.example.com/a?b=c:d"}
  - name: all
    url: https://all.example.com
    secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]
    headers: {X-Env: "yes", X-Number: "0123", X-Env-2: prod}
    timeout: 90s
    retry: {schedule: [5s, 1h30m], max_age: 48h, final: ["404", 4xx]}
    rate_limit: 90/m
    concurrency: 4
    prove: ping
    ordered: {key: data.account.id}
    auth: {basic: {username: u, password: "p:w"}}
  - {name: once, url: "https://once.example.com", retry: {schedule: []}, ordered: true, auth: {oauth2: {token_url: "https://id.example.com/t", client_id: i, client_secret: s, scopes: [a], style: body}}}
  - {name: bearer, url: "https://b.example.com", rate_limit: 5/s, auth: {bearer: "aws-secretsmanager:shop/token"}}
  - {name: keyed, url: "https://k.example.com", auth: {api_key: {header: X-Key, value: v}}}
  - {name: signed, url: "https://s.example.com", auth: {provider: github, secret: hook-secret, standard: false}}
  - {name: aws, url: "https://a.example.com", auth: {sigv4: {service: lambda, region: eu-central-1}}}
subscriptions:
  - {source: github, endpoint: all, types: [push, "pull_request.*", "123"]}
  - {name: named, source: crm, endpoint: all, filter: {data: {a.b: [1e2, 1.0, -0, 9007199254740993, "1e2", "yes", null, true, {numeric: [">", 0]}]}}}
  - {source: relay, endpoint: plain}
  - {source: acme/own, endpoint: plain}
`

// parsed reads a file. Timeouts above the limit are cut in the text above by the caller.
func parsed(t *testing.T, text string, lookup map[string]string) catalog.Catalog {
	t.Helper()
	c, err := config.Parse("relay.yaml", []byte(text), func(name string) (string, bool) {
		value, ok := lookup[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnExportedCatalogIsReadBackAsItWas(t *testing.T) {
	t.Parallel()
	want := parsed(t, strings.Replace(exportedFile, "90s", "25s", 1), nil)
	i := slices.IndexFunc(want.Sources, func(s catalog.Source) bool { return s.Name == "learner" })
	learned := slices.Clone(want.Sources)
	learned[i].Secrets = []string{"from-the-handshake"}
	made := slices.Clone(want.Endpoints)
	for j := range made {
		if made[j].Name == "plain" {
			made[j].Secrets, made[j].SecretsMade = []string{"whsec_bWFkZQ=="}, true
		}
	}
	text, err := config.Export(catalog.Catalog{
		Sources: learned, Endpoints: made, Subscriptions: want.Subscriptions,
	}, access.Tenant{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{
		"first-secret", "s3cret", "MfKQ9r8", "p:w", "hook-secret", "from-the-handshake", "bWFkZQ",
		"0123",
	} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the file has the secret %s:\n%s", secret, text)
		}
	}
	variables := config.ExportedVariables(want)
	got := parsed(t, string(text), variables)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s\nfrom:\n%s", diff, text)
	}
	if !strings.Contains(string(text), "env:SOURCE_GITHUB_SECRET_2") {
		t.Errorf("no second secret in:\n%s", text)
	}
}

// TestALongCatalogIsExportedInOneFile: it is written in parts.
func TestALongCatalogIsExportedInOneFile(t *testing.T) {
	t.Parallel()
	for _, n := range []int{99, 100, 101, 250} {
		var want catalog.Catalog
		for i := range n {
			name := fmt.Sprint("n", i)
			s := catalog.Source{Name: name}
			s.Verify.Provider = "none"
			want.Sources = append(want.Sources, s)
			want.Subscriptions = append(want.Subscriptions, catalog.Subscription{
				Name: name, Source: name, Endpoint: "e", Filter: `{"data":{"n":[1]}}`,
			})
		}
		want.Endpoints = []catalog.Endpoint{{Name: "e", URL: "https://e.example.com"}}
		text, err := config.Export(want, access.Tenant{})
		if err != nil {
			t.Fatal(err)
		}
		got := parsed(t, string(text), nil)
		if changes := config.Changes(want, got, time.Time{}); len(changes) > 0 {
			t.Errorf("%d sources: %v", n, changes)
		}
		if keys := strings.Count("\n"+string(text), "\nsources:\n"); keys != 1 {
			t.Errorf("%d sources: %d times sources", n, keys)
		}
	}
}

func TestAnEmptyCatalogIsExportedAsAnEmptyFile(t *testing.T) {
	t.Parallel()
	text, err := config.Export(catalog.Catalog{}, access.Tenant{})
	if err != nil {
		t.Fatal(err)
	}
	got := parsed(t, string(text), nil)
	if diff := cmp.Diff(catalog.Catalog{}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: (-want +got):\n%s", text, diff)
	}
}

func TestATenantOfASource(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		yaml string
		want string // part of the error; "": none
	}{
		"an id":               {"acme", ""},
		"a number":            {"42", ""},
		"a header":            {"{header: Webhook-Tenant}", ""},
		"a path":              {"{json: account.id, optional: true}", ""},
		"not an id":           {"a/b", `sources[0].tenant: "a/b" is not a tenant's id`},
		"nothing":             {"{optional: true}", "sources[0].tenant: needs one of"},
		"two":                 {"{header: a, json: b}", "sources[0].tenant: needs one of"},
		"not a header's name": {"{header: a b}", "sources[0].tenant.header: is not a valid"},
		"not a path":          {`{json: "a..b"}`, `sources[0].tenant.json: "a..b" is not the path`},
		"an unknown key":      {"{query: a}", "sources[0].tenant.query: is not a known key"},
		"a list":              {"[a]", "sources[0].tenant: is not a map"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("relay.yaml", []byte(
				"sources: [{name: app, provider: none, tenant: "+tt.yaml+"}]",
			), nil)
			if tt.want == "" && err != nil ||
				tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestNamesOfSubscriptions(t *testing.T) {
	t.Parallel()
	const head = "sources: [{name: s, provider: none}]\n" +
		"endpoints: [{name: e, url: \"https://e.example.com\"}]\nsubscriptions:\n"
	c := parsed(t, head+"  - {source: s, endpoint: e}\n  - {source: s, endpoint: e}\n"+
		"  - {name: s-e-2, source: s, endpoint: e}\n  - {source: s, endpoint: e}\n"+
		"  - {source: Acme_1/own, endpoint: e}\n", nil)
	var names []string
	for _, s := range c.Subscriptions {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	want := []string{"acme-1-own-e", "s-e", "s-e-2", "s-e-3", "s-e-4"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	long := strings.Repeat("a", 63)
	subs := []catalog.Subscription{
		{Source: long, Endpoint: long}, {Source: long, Endpoint: long[1:]},
	}
	catalog.NameSubscriptions(subs)
	if len(subs[0].Name) != 63 || len(subs[1].Name) != 63 || subs[0].Name == subs[1].Name {
		t.Errorf("%+v", subs)
	}
	for name, text := range map[string]string{
		"twice":      "  - {name: n, source: s, endpoint: e}\n  - {name: n, source: s, endpoint: e}\n",
		"not a name": "  - {name: N_, source: s, endpoint: e}\n",
	} {
		_, err := config.Parse("relay.yaml", []byte(head+text), nil)
		if err == nil || !strings.Contains(err.Error(), ".name: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatATenantMayNotHave(t *testing.T) {
	t.Parallel()
	own := catalog.SourceResource(catalog.Source{
		Name: "s", Verify: verify.Config{Provider: "none"}, Tenant: &catalog.TenantOf{ID: "other"},
	})
	refers := catalog.EndpointResource(catalog.Endpoint{
		Name: "e", Auth: &catalog.Auth{Bearer: catalog.SecretPrefix + "the-operators"},
	})
	signs := catalog.EndpointResource(catalog.Endpoint{
		Name: "e", Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "lambda"}},
	})
	for path, r := range map[string]catalog.Resource{"tenant": own, "auth": refers} {
		err := config.CheckTenants(r)
		problems := config.Problems(err)
		if !errors.Is(err, config.ErrInvalid) || len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := config.CheckTenants(signs); !errors.Is(err, config.ErrInvalid) {
		t.Errorf("sigv4: %v", err)
	}
	plain := catalog.EndpointResource(catalog.Endpoint{Name: "e", Timeout: time.Second})
	if err := config.CheckTenants(plain); err != nil {
		t.Error(err)
	}
}
