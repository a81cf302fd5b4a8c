package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const full = `
sources:
  - name: github
    provider: github
    secrets: [env:GITHUB_SECRET, old]
  - name: crm
    provider: hmac
    hmac: {header: X-Sig, algorithm: sha256, encoding: hex, prefix: "sha256=", payload: "{timestamp}.{body}", timestamp_header: X-Ts, tolerance: 5m}
    event_type: {json: event.kind}
    event_id: {header: X-Delivery}
    secrets: [env:CRM_SECRET]
endpoints:
  - name: shipping
    url: https://shipping.example.com/hooks?k=1
    secrets: [` + whsec + `]
    headers: {X-Env: prod}
    timeout: 20s
    prove: options
    retry: {schedule: [5s, 5m]}
  - name: billing
    url: http://billing.example.com
    retry: {schedule: []}
subscriptions:
  - source: github
    endpoint: shipping
    types: [push, "pull_request.*"]
  - source: crm
    endpoint: billing
    filter:
      trust: [verified]
      data: {"a.b": [1e2, 1.0, -0, 9007199254740993, 123456789012345678901234567890, "1e2", 2017-10-02, yes, ~, {numeric: [">", 0]}]}
  - source: crm
    endpoint: shipping
  - {source: relay, endpoint: billing, types: ["endpoint.*"]}
`

func lookup(name string) (string, bool) {
	v, ok := map[string]string{
		"GITHUB_SECRET": "gh-secret", "CRM_SECRET": "crm-secret", "EMPTY": "",
	}[name]
	return v, ok
}

func TestEverythingThatCanBeSaid(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("relay.yaml", []byte(full), lookup)
	if err != nil {
		t.Fatal(err)
	}
	want := catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "crm", Secrets: []string{"crm-secret"}, Verify: verify.Config{
				Provider: "hmac",
				HMAC: &verify.HMAC{
					Header: "X-Sig", Algorithm: "sha256", Encoding: "hex", Prefix: "sha256=",
					Payload:         "{timestamp}.{body}",
					TimestampHeader: "X-Ts", Tolerance: 5 * time.Minute,
				},
				EventType: &verify.Locator{JSON: "event.kind"},
				EventID:   &verify.Locator{Header: "X-Delivery"},
			}},
			{
				Name: "github", Secrets: []string{"gh-secret", "old"},
				Verify: verify.Config{Provider: "github"},
			},
		},
		Endpoints: []catalog.Endpoint{
			{
				Name: "billing", URL: "http://billing.example.com", Header: map[string]string{},
				Schedule: []time.Duration{},
			},
			{
				Name: "shipping", URL: "https://shipping.example.com/hooks?k=1",
				Secrets: []string{whsec},
				Header:  map[string]string{"x-env": "prod"}, Timeout: 20 * time.Second,
				Prove: catalog.ProveOptions, Schedule: []time.Duration{
					5 * time.Second, 5 * time.Minute,
				},
			},
		},
		Subscriptions: []catalog.Subscription{
			{Name: "crm-billing", Source: "crm", Endpoint: "billing",
				Filter: `{"trust":["verified"],"data":{"a.b":[1e2,1.0,-0,9007199254740993,` +
					`123456789012345678901234567890,"1e2","2017-10-02","yes",null,{"numeric":[">",0]}]}}`},
			{Name: "crm-shipping", Source: "crm", Endpoint: "shipping"},
			{
				Name: "github-shipping", Source: "github", Endpoint: "shipping",
				Types: []string{"push", "pull_request.*"},
			},
			{
				Name: "relay-billing", Source: catalog.OwnSource, Endpoint: "billing",
				Types: []string{"endpoint.*"},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKeyOfASource(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("relay.yaml", []byte(`
sources:
  - name: meta
    provider: meta
    secrets: [env:GITHUB_SECRET]
    settings: {verify_token: env:CRM_SECRET}
    allowed_ips: [192.0.2.0/24, "2001:db8::1"]
    event_id: {body: true}
  - name: hub
    provider: github
    secrets: [bb]
    once: body
  - name: mine
    provider: hmac
    secrets: [aabb]
    url: https://in.example.com/in/mine?a=b
    hmac: {header: X-Sig, key: hex, payload: "{method}{url}{body}", timestamp_json: sent.at, timestamp_format: ms}
`), lookup)
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.Source{
		{
			Name: "hub", Secrets: []string{"bb"},
			Verify: verify.Config{Provider: "github", Once: verify.OnceBody},
		},
		{Name: "meta", Secrets: []string{"gh-secret"}, Verify: verify.Config{
			Provider: "meta", Settings: map[string]string{
				"verify_token": "crm-secret",
			}, AllowedIPs: []string{"192.0.2.0/24", "2001:db8::1"},
			EventID: &verify.Locator{Body: true},
		}},
		{Name: "mine", Secrets: []string{"aabb"}, Verify: verify.Config{
			Provider: "hmac", URL: "https://in.example.com/in/mine?a=b",
			HMAC: &verify.HMAC{
				Header: "X-Sig", Key: "hex", Payload: "{method}{url}{body}",
				TimestampJSON: "sent.at", TimestampFormat: "ms",
			},
		}},
	}
	if diff := cmp.Diff(want, got.Sources); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsWrongIsSaidWithFileLineAndKey(t *testing.T) {
	t.Parallel()
	source := "sources:\n  - name: s\n    provider: none\n"
	endpoint := func(line string) string { return "endpoints:\n  - name: e\n    " + line + "\n" }
	filter := func(lines string) string {
		return source + "endpoints:\n  - name: e\n    url: https://e.example.com\nsubscriptions:\n  - source: s\n    endpoint: e\n    filter:\n" + lines
	}
	tests := map[string]struct{ text, want string }{
		"unknown operator": {
			filter(
				"      type: [a]\n      data:\n        a:\n          - x\n          - {prefx: y}\n",
			),
			`relay.yaml:15: subscriptions[0].filter.data.a[1]: operator "prefx" is unknown; known are anything-but`,
		},
		"filter of a scalar": {
			filter("      $or:\n        - {type: [a]}\n        - data:\n            a: x\n"),
			"relay.yaml:14: subscriptions[0].filter.$or[1].data.a: is a single value",
		},
		"filter on no field": {
			filter("      body: {a: [x]}\n"),
			"relay.yaml:11: subscriptions[0].filter.body: is not a field of an event; the fields are type, source, trust, schema, headers and data",
		},
		"filter under a dot": {
			filter("      data:\n        a.b:\n          c: []\n"),
			"relay.yaml:13: subscriptions[0].filter.data.a.b.c: is an empty list",
		},
		"filter of a range": {
			filter("      data: {a: [{numeric: [1, 5]}]}\n"),
			"relay.yaml:11: subscriptions[0].filter.data.a[0]: numeric takes a comparison (=, <, <=, > or >=)",
		},
		"filter with a tag": {
			filter("      type: [a]\n      data: {a: [!!binary eA==]}\n"),
			"relay.yaml:12: subscriptions[0].filter: has YAML that a filter cannot have",
		},
		"filter with a reference": {
			filter("      type: &types [a]\n      data: {a: *types}\n"),
			"relay.yaml:11: subscriptions[0].filter: has YAML that a filter cannot have",
		},
		"filter with infinity": {
			filter("      type: [a]\n      data:\n        a: [.inf]\n"),
			"relay.yaml:13: subscriptions[0].filter: has the number .inf, which is not a number in JSON",
		},
		"filter in octal": {
			filter("      type: [a]\n      data: {a: [0o17]}\n"),
			"relay.yaml:12: subscriptions[0].filter: has the number 0o17, which is not a number in JSON",
		},
		"empty filter": {
			filter("      {}\n"),
			"relay.yaml:11: subscriptions[0].filter: is empty; name the fields that matter",
		},
		"filter too long": {
			filter("      type: [" + strings.Repeat("x", 4096) + "]\n"),
			"relay.yaml:11: subscriptions[0].filter: has 4109 bytes of JSON; at most 4096",
		},
		"unknown key": {
			"sources:\n  - name: s\n    provider: none\n    secert: x\n",
			`relay.yaml:4: sources[0].secert: is not a known key; the keys here are name, provider`,
		},
		"unknown section": {
			"source: []\n",
			`relay.yaml:1: source: is not a known key; the keys here are sources, endpoints, subscriptions`,
		},
		"key given twice": {
			"sources: []\nsources: []\n", `relay.yaml:2: sources: is given twice, first on line 1`,
		},
		"not YAML": {"sources: [\n", "relay.yaml:"},
		"wrong kind of value": {
			"sources: 7\n", "relay.yaml:1: sources: is not a list such as [a, b]",
		},
		"duration without unit": {
			endpoint("url: https://e.example.com\n    timeout: 15"),
			"relay.yaml:4: endpoints[0].timeout: is not a duration such as 15s or 5m",
		},
		"source of the relay's own": {
			"sources:\n  - {name: relay, provider: none}\n",
			`relay.yaml:2: sources[0].name: "relay" is the source of the relay's own events`,
		},
		"source named twice": {
			source + "  - name: s\n    provider: none\n",
			`relay.yaml:4: sources[1].name: "s" is already the name of sources[0] on line 2`,
		},
		"endpoint named twice": {
			"endpoints:\n  - {name: e, url: https://e.example.com}\n  - {name: e, url: https://e.example.com}\n",
			`relay.yaml:3: endpoints[1].name: "e" is already the name of endpoints[0] on line 2`,
		},
		"bad name": {
			"sources:\n  - name: A b\n    provider: none\n",
			`relay.yaml:2: sources[0].name: "A b" is not a name`,
		},
		"no name": {
			"sources:\n  - provider: none\n", `relay.yaml:2: sources[0].name: "" is not a name`,
		},
		"unknown provider": {
			"sources:\n  - name: s\n    provider: githbu\n    secrets: [xy]\n",
			"relay.yaml:2: sources[0]: verify: configuration: provider:",
		},
		"no secret": {
			"sources:\n  - name: s\n    provider: github\n",
			"relay.yaml:2: sources[0]: verify: configuration: secrets:",
		},
		"empty secret": {
			"sources:\n  - name: s\n    provider: github\n    secrets: [\"\"]\n",
			"relay.yaml:4: sources[0].secrets[0]: is empty",
		},
		"secret not in environment": {
			"sources:\n  - name: s\n    provider: github\n    secrets: [x, env:NOPE]\n",
			"relay.yaml:4: sources[0].secrets[1]: the environment variable NOPE is not set, or empty",
		},
		"secret empty there": {
			"sources:\n  - name: s\n    provider: github\n    secrets: [env:EMPTY]\n",
			"the environment variable EMPTY is not set, or empty",
		},
		"no URL to sign": {
			"sources:\n  - name: s\n    provider: square\n    secrets: [xy]\n",
			"relay.yaml:2: sources[0]: verify: configuration: url: missing; Square",
		},
		"URL without host": {
			"sources:\n  - name: s\n    provider: square\n    secrets: [xy]\n    url: https:///in/s\n",
			"relay.yaml:5: sources[0].url: has no host",
		},
		"no setting": {
			"sources:\n  - name: s\n    provider: meta\n    secrets: [xy]\n",
			"relay.yaml:2: sources[0]: verify: configuration: settings.verify_token: missing; at Meta",
		},
		"setting not there": {
			"sources:\n  - name: s\n    provider: meta\n    secrets: [xy]\n    settings: {verify_token: env:NOPE}\n",
			"relay.yaml:5: sources[0].settings.verify_token: the environment variable NOPE is not set, or empty",
		},
		"key that does not decode": {
			"sources:\n  - name: s\n    provider: discord\n    secrets: [hunter2]\n",
			"relay.yaml:2: sources[0]: verify: configuration: secrets[0]: ",
		},
		"bad address": {
			source + "    allowed_ips: [192.0.2.0/33]\n",
			`relay.yaml:2: sources[0]: verify: configuration: allowed_ips[0]: "192.0.2.0/33"`,
		},
		"unknown source": {
			source + "subscriptions:\n  - source: t\n    endpoint: e\n",
			`relay.yaml:5: subscriptions[0].source: there is no source "t"`,
		},
		"unknown endpoint": {
			source + "subscriptions:\n  - source: s\n    endpoint: e\n",
			`relay.yaml:6: subscriptions[0].endpoint: there is no endpoint "e"`,
		},
		"empty type": {
			source + "subscriptions:\n  - source: s\n    endpoint: e\n    types: [\"\"]\n",
			"relay.yaml:7: subscriptions[0].types[0]: ",
		},
		"userinfo": {
			endpoint("url: https://u:hunter2@e.example.com"),
			"relay.yaml:3: endpoints[0].url: has a user or password in it",
		},
		"unknown proof": {
			endpoint("prove: head"),
			`relay.yaml:3: endpoints[0].prove: "head" is not known; there are ping and options`,
		},
		"more secrets than may be": {
			endpoint("secrets: [" + strings.Repeat(whsec+", ", 5) + whsec + "]"),
			"relay.yaml:3: endpoints[0].secrets: has 6 secrets; at most 5 can sign at a time",
		},
		"unknown scheme": {
			endpoint("url: ftp://e.example.com"),
			`relay.yaml:3: endpoints[0].url: has the scheme "ftp"`,
		},
		"no scheme": {
			endpoint("url: e.example.com"), `relay.yaml:3: endpoints[0].url: has the scheme ""`,
		},
		"no host": {
			endpoint("url: https:///x"), "relay.yaml:3: endpoints[0].url: has no host",
		},
		"no URL": {
			"endpoints:\n  - name: e\n", "relay.yaml:2: endpoints[0].url: ",
		},
		"no such port": {
			endpoint("url: https://e.example.com:65536"),
			"relay.yaml:3: endpoints[0].url: has the port 65536; ports are 1 to 65535",
		},
		"port zero": {
			endpoint("url: https://e.example.com:0"),
			"relay.yaml:3: endpoints[0].url: has the port 0; ports are",
		},
		"fragment": {
			endpoint("url: https://e.example.com/#x"),
			"relay.yaml:3: endpoints[0].url: has a fragment",
		},
		"malformed URL": {
			endpoint("url: \"https://e.example.com/%zz?hunter2\""),
			"relay.yaml:3: endpoints[0].url: has a % without two hex digits after it; write %25 for a percent sign",
		},
		"bad signing secret": {
			endpoint("url: https://e.example.com\n    secrets: [hunter2]"),
			"relay.yaml:4: endpoints[0].secrets: sign: secret 1 of 1: ",
		},
		"header injection": {
			endpoint("url: https://e.example.com\n    headers: {X-A: \"1\\r\\nX-B: 2\"}"),
			"relay.yaml:4: endpoints[0].headers.X-A: has a value with control characters",
		},
		"header not there": {
			endpoint("url: https://e.example.com\n    headers: {X-Key: env:NOPE}"),
			"relay.yaml:4: endpoints[0].headers.X-Key: the environment variable NOPE is not set, or empty",
		},
		"header in two spellings": {
			endpoint("url: https://e.example.com\n    headers: {X-A: a, x-a: b}"),
			"relay.yaml:4: endpoints[0].headers.x-a: is given twice, in different spellings",
		},
		"bad header name": {
			endpoint("url: https://e.example.com\n    headers: {\"X A\": x}"),
			"endpoints[0].headers.X A: is not a valid header name",
		},
		"our own header": {
			endpoint("url: https://e.example.com\n    headers: {Webhook-Signature: x}"),
			"relay.yaml:4: endpoints[0].headers.Webhook-Signature: is set by the relay",
		},
		"timeout too long": {
			endpoint("url: https://e.example.com\n    timeout: 31s"),
			"relay.yaml:4: endpoints[0].timeout: 31s is not between 1s and 30s",
		},
		"timeout zero": {
			endpoint("url: https://e.example.com\n    timeout: 0s"),
			"relay.yaml:4: endpoints[0].timeout: 0s is not between",
		},
		"negative wait": {
			endpoint("url: https://e.example.com\n    retry: {schedule: [5s, -1s]}"),
			"relay.yaml:4: endpoints[0].retry.schedule: retry: schedule: entry 2 of 2",
		},
		"filter on the user agent": {
			filter("      headers:\n        x-a: [b]\n        user-agent: [{prefix: GitHub}]\n"),
			"relay.yaml:13: subscriptions[0].filter.headers.user-agent: is never kept with an event",
		},
		"filter on credentials": {
			filter("      $or:\n        - {type: [a]}\n        - headers: {authorization: [x]}\n"),
			"relay.yaml:13: subscriptions[0].filter.$or[1].headers.authorization: is never kept",
		},
		"filter on a cookie": {
			filter("      headers: {cookie: [{exists: false}]}\n"),
			"filter.headers.cookie: is never kept",
		},
		"filter on the connection": {
			filter("      headers: {transfer-encoding: [chunked]}\n"),
			"filter.headers.transfer-encoding: is never kept",
		},
		"filter on a proxy's": {
			filter("      headers: {x-forwarded-for: [{cidr: 10.0.0.0/8}]}\n"),
			"filter.headers.x-forwarded-for: is never kept",
		},
		"filter on a signature": {
			filter("      headers: {x-hub-signature-256: [{exists: true}]}\n"),
			"filter.headers.x-hub-signature-256: is never kept",
		},
		"filter on the proof": {
			strings.Replace(
				filter("      headers: {x-proof: [{exists: true}]}\n"), source,
				"sources:\n  - name: s\n    provider: token\n    settings: {header: X-Proof}\n    secrets: [a-secret-of-some-length-1234567890]\n",
				1,
			),
			"filter.headers.x-proof: is never kept",
		},
		"once of another thing": {
			"sources:\n  - name: s\n    provider: github\n    secrets: [xy]\n    once: id\n",
			`once: "id" is unknown; there is body`,
		},
		"once where the id is signed": {
			"sources:\n  - name: s\n    provider: stripe\n    secrets: [xy]\n    once: body\n",
			"once: Stripe makes its delivery ids from what it signs",
		},
		"once where nothing is signed": {
			source + "    once: body\n", "once: whoever asks does not sign the body",
		},
		"payload of two divisions": {
			"sources:\n  - name: s\n    provider: hmac\n    secrets: [xy]\n    hmac: {header: X, payload: \"{id}{body}\", id_header: Y}\n",
			"hmac.payload: ",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Parse("relay.yaml", []byte(tt.text), lookup)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
			if diff := cmp.Diff(catalog.Catalog{}, got); diff != "" {
				t.Errorf("a catalog all the same: %s", diff)
			}
		})
	}
}

func TestHeadersOfAnEndpointAreTakenFromTheEnvironment(t *testing.T) {
	t.Parallel()
	lookup := func(name string) (string, bool) { return "of " + name, true }
	text := "endpoints:\n  - {name: e, url: https://e.example.com, headers: {X-Key: env:KEY, X-Env: prod, X-Empty: \"\"}}\n"
	got, err := config.Parse("relay.yaml", []byte(text), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		map[string]string{"x-key": "of KEY", "x-env": "prod", "x-empty": ""},
		got.Endpoints[0].Header,
	); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAHeaderOfTheEnvironmentIsCheckedAsOneOfTheFileIs(t *testing.T) {
	t.Parallel()
	lookup := func(string) (string, bool) { return "hunter2\r\nX-More: b", true }
	text := "endpoints:\n  - name: e\n    url: https://e.example.com\n    headers: {X-Key: env:KEY}\n"
	_, err := config.Parse("relay.yaml", []byte(text), lookup)
	if !errors.Is(err, config.ErrInvalid) || !strings.Contains(
		err.Error(),
		"relay.yaml:4: endpoints[0].headers.X-Key: has a value with control characters",
	) {
		t.Errorf("got %v", err)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Parse(
		"r.yaml",
		[]byte(
			"endpoints:\n  - {name: A, url: ftp://x}\n  - {name: b, url: https://x, timeout: 1h}\n",
		),
		lookup,
	)
	if err == nil || strings.Count(err.Error(), "\nr.yaml:") != 3 {
		t.Errorf("got %v", err)
	}
}

func TestEmptyFileIsAnEmptyCatalog(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# nothing yet\n"} {
		if got, err := config.Parse("r.yaml", []byte(text), lookup); err != nil ||
			!cmp.Equal(got, catalog.Catalog{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestReadNamesTheFileThatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := config.Read(t.TempDir()+"/none.yaml", lookup); err == nil ||
		!strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ended := catalog.RetiringSecret{Secret: "ended", Until: now}
	ending := catalog.RetiringSecret{Secret: "ending", Until: now.Add(time.Second)}
	next := catalog.Catalog{
		Endpoints: []catalog.Endpoint{
			{Name: "old"}, {Name: "new"}, {Name: "own", Secrets: []string{"mine"}},
		},
	}
	current := catalog.Catalog{Endpoints: []catalog.Endpoint{
		{Name: "old", Secrets: []string{"kept"}, Retiring: []catalog.RetiringSecret{ending, ended}},
		{Name: "own", Secrets: []string{"mine"}},
	}}
	made, err := config.FillSecrets(&next, current, catalog.DefaultKeep, now)
	if err != nil || len(made) != 1 || !strings.HasPrefix(made["new"], "whsec_") {
		t.Errorf("made %v, %v", made, err)
	}
	want := []catalog.Endpoint{
		{
			Name: "old", Secrets: []string{"kept"}, SecretsMade: true,
			Retiring: []catalog.RetiringSecret{ending},
		},
		{Name: "new", Secrets: []string{made["new"]}, SecretsMade: true},
		{Name: "own", Secrets: []string{"mine"}},
	}
	if diff := cmp.Diff(want, next.Endpoints, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A secret that the file no longer names keeps signing for a while, so the receiver need not change
// over at the same moment.
func TestSecretsThatTheFileReplacesRetire(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	until := func(secret string, d time.Duration) catalog.RetiringSecret {
		return catalog.RetiringSecret{Secret: secret, Until: now.Add(d)}
	}
	for name, tt := range map[string]struct {
		current catalog.Endpoint
		next    []string
		keep    time.Duration
		want    []catalog.RetiringSecret
		changes []string
		err     error
	}{
		"replaced": {
			catalog.Endpoint{
				Secrets: []string{"a"},
			}, []string{"b"}, time.Hour, []catalog.RetiringSecret{until("a", time.Hour)},
			[]string{"~ endpoint e: secrets"}, nil,
		},
		"one of two": {
			catalog.Endpoint{
				Secrets: []string{"a", "b"},
			}, []string{"b"}, time.Hour, []catalog.RetiringSecret{until("a", time.Hour)},
			[]string{"~ endpoint e: secrets"}, nil,
		},
		"a made one": {
			catalog.Endpoint{
				Secrets: []string{"a"}, SecretsMade: true,
				Retiring: []catalog.RetiringSecret{until("r", time.Minute)},
			}, []string{"b"}, time.Hour,
			[]catalog.RetiringSecret{
				until("a", time.Hour), until("r", time.Minute),
			}, []string{"~ endpoint e: secrets"}, nil,
		},
		"no longer than one that retires already": {
			catalog.Endpoint{
				Secrets: []string{"a"}, Retiring: []catalog.RetiringSecret{until("r", 2*time.Hour)},
			}, []string{"b"}, time.Hour,
			[]catalog.RetiringSecret{
				until("r", 2*time.Hour), until("a", time.Hour),
			}, []string{"~ endpoint e: secrets"}, nil,
		},
		"put back": {
			catalog.Endpoint{
				Secrets: []string{"b"}, Retiring: []catalog.RetiringSecret{until("a", time.Minute)},
			}, []string{"a", "b"}, time.Hour,
			nil, []string{"~ endpoint e: secrets"}, nil,
		},
		"leaked": {
			catalog.Endpoint{
				Secrets: []string{"a"}, Retiring: []catalog.RetiringSecret{until("r", time.Minute)},
			}, []string{"b"}, 0, nil, []string{"~ endpoint e: secrets"}, nil,
		},
		"leaked, as was found out later": {
			catalog.Endpoint{
				Secrets: []string{"b"}, Retiring: []catalog.RetiringSecret{until("a", time.Minute)},
			}, []string{"b"}, 0, nil, []string{"~ endpoint e: secrets"}, nil,
		},
		"applied again": {
			catalog.Endpoint{
				Secrets: []string{"b"}, Retiring: []catalog.RetiringSecret{until("a", 2*time.Hour)},
			}, []string{"b"}, time.Hour,
			[]catalog.RetiringSecret{until("a", 2*time.Hour)}, nil, nil,
		},
		"applied again after its end": {
			catalog.Endpoint{
				Secrets: []string{"b"}, Retiring: []catalog.RetiringSecret{until("a", 0)},
			},
			[]string{"b"}, time.Hour, nil, nil, nil,
		},
		"too many": {
			catalog.Endpoint{Secrets: []string{"a", "b", "c"}}, []string{"d", "e", "f"}, time.Hour,
			nil, nil, catalog.ErrTooManySecrets,
		},
		"not too many, if none is kept": {
			catalog.Endpoint{
				Secrets: []string{"a", "b", "c"},
			}, []string{"d", "e", "f"}, 0, nil, []string{"~ endpoint e: secrets"}, nil,
		},
		"no time": {
			catalog.Endpoint{Secrets: []string{"a"}}, []string{"b"}, -time.Second, nil, nil,
			catalog.ErrKeep,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.current.Name = "e"
			current := catalog.Catalog{Endpoints: []catalog.Endpoint{tt.current}}
			next := catalog.Catalog{Endpoints: []catalog.Endpoint{{Name: "e", Secrets: tt.next}}}
			_, err := config.FillSecrets(&next, current, tt.keep, now)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if tt.err != nil {
				return
			}
			if diff := cmp.Diff(
				tt.want, next.Endpoints[0].Retiring, cmpopts.EquateEmpty(),
			); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.changes, config.Changes(current, next, now)); diff != "" {
				t.Errorf("changes, -want +got:\n%s", diff)
			}
		})
	}
}

func TestSecretsOfHandshakesAreKept(t *testing.T) {
	t.Parallel()
	source := func(name, provider string, secrets ...string) catalog.Source {
		return catalog.Source{
			Name: name, Verify: verify.Config{Provider: provider}, Secrets: secrets,
		}
	}
	next := catalog.Catalog{Sources: []catalog.Source{
		source("same", "asana"), source(
			"own", "asana", "mine",
		), source("moved", "notion"), source("new", "asana"),
	}}
	current := catalog.Catalog{Sources: []catalog.Source{
		source("same", "asana", "learned"), source("own", "asana", "learned"), source(
			"moved", "asana", "learned",
		),
	}}
	if _, err := config.FillSecrets(&next, current, catalog.DefaultKeep, time.Now()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"learned", "mine", "", ""} {
		if got := strings.Join(next.Sources[i].Secrets, " "); got != want {
			t.Errorf("%s has %q, want %q", next.Sources[i].Name, got, want)
		}
	}
}

func TestChangesNameFieldsAndNoValues(t *testing.T) {
	t.Parallel()
	current, err := config.Parse("r.yaml", []byte(full), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if lines := config.Changes(current, current, time.Now()); len(lines) != 0 {
		t.Errorf("against itself: %v", lines)
	}
	edited := strings.NewReplacer("env:CRM_SECRET", "hunter2", "timeout: 20s", "timeout: 25s",
		"[push, ", "[push, issues, ", "[verified]", "[unverified]", "\"pull_request.*\"]",
		"\"pull_request.*\"]\n    filter: {trust: [verified]}",
		"  - source: crm\n    endpoint: shipping\n", "", "billing", "invoices").Replace(full)
	next, err := config.Parse("r.yaml", []byte(edited), lookup)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"- endpoint billing", "- subscription crm → billing", "- subscription crm → shipping",
		"- subscription relay → billing",
		"~ source crm: secrets", "+ endpoint invoices", "~ endpoint shipping: timeout",
		"+ subscription crm → invoices", "~ subscription github → shipping: types, filter",
		"+ subscription relay → invoices",
	}
	if diff := cmp.Diff(want, config.Changes(current, next, time.Now())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	got := config.Warnings(catalog.Catalog{Endpoints: []catalog.Endpoint{
		{
			Name: "fine", URL: "https://a.example.com:443/",
		}, {Name: "clear", URL: "http://a.example.com"}, {
			Name: "port", URL: "https://a.example.com:8443",
		},
		{
			Name: "public", URL: "https://8.8.8.8/",
		}, {Name: "private", URL: "https://10.0.0.1"}, {
			Name: "loopback", URL: "https://[::1]/hooks",
		},
		{Name: "mapped", URL: "https://[::ffff:169.254.169.254]"}, {
			Name: "public-mapped", URL: "https://[::ffff:8.8.8.8]",
		},
	}})
	want := []string{
		"endpoint clear: http sends webhooks in the clear; use https",
		"endpoint port: port 8443 is blocked by the guard unless the stack's egressPorts have it",
		"endpoint private: 10.0.0.1 is blocked by the guard, which lets nothing through to private and reserved addresses",
		"endpoint loopback: ::1 is blocked by the guard, which lets nothing through to private and reserved addresses",
		"endpoint mapped: ::ffff:169.254.169.254 is blocked by the guard, which lets nothing through to private and reserved addresses",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The number of endpoints of one event is bounded, because the event's record holds them all.
func TestASourceHasAsManyEndpointsAsAnEventCanGoTo(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(
		"sources: [{name: app, provider: none}, {name: other, provider: none}]\nendpoints:\n",
	)
	for i := range relay.MaxEndpoints + 1 {
		fmt.Fprintf(&b, "  - {name: e%d, url: https://e.example.com}\n", i)
	}
	b.WriteString(
		"subscriptions:\n  - {source: other, endpoint: e0}\n  - {source: app, endpoint: e0, types: [a]}\n",
	)
	for i := range relay.MaxEndpoints + 1 {
		fmt.Fprintf(&b, "  - {source: app, endpoint: e%d, types: [b]}\n", i)
	}
	_, err := config.Parse("relay.yaml", []byte(b.String()), lookup)
	want := fmt.Sprintf(
		"subscriptions[%d]: source \"app\" has more than 10000 endpoints; one event can go to 10000",
		relay.MaxEndpoints+2,
	)
	if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), want) ||
		strings.Count(err.Error(), "endpoints;") != 1 {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
