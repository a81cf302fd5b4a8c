package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

const (
	aQueue  = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
	aRole   = "arn:aws:iam::999999999999:role/relay"
	aimFile = `
endpoints:
  - name: orders
    url: ` + aQueue + `
    group: "{data.customer.id}"
    envelope: json
    role: ` + aRole + `
    external_id: env:EXTERNAL
    claim: s3
  - name: archive
    url: s3://archive/{source}/{date}/{id}.json.gz
    region: eu-west-3
  - name: greet
    url: arn:aws:lambda:eu-central-1:123456789012:function:greet
    wait: true
`
)

func external(name string) (string, bool) { return "shared-id", name == "EXTERNAL" }

func TestDestinations(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("f", []byte(aimFile), external)
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.Endpoint{
		{
			Name: "archive", URL: "s3://archive/{source}/{date}/{id}.json.gz",
			Header: map[string]string{}, Destination: &destination.Options{Region: "eu-west-3"},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "s3", Region: "eu-west-3"}},
		},
		{
			Name: "greet", URL: "arn:aws:lambda:eu-central-1:123456789012:function:greet",
			Header: map[string]string{}, Destination: &destination.Options{Wait: true},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{Service: "lambda", Region: "eu-central-1"}},
		},
		{
			Name: "orders", URL: aQueue, Header: map[string]string{},
			Destination: &destination.Options{
				Envelope: destination.JSON, Group: "{data.customer.id}", Claim: destination.ClaimS3,
			},
			Auth: &catalog.Auth{SigV4: &catalog.SigV4{
				Service: "sqs", Region: "eu-central-1", Role: aRole, ExternalID: "shared-id",
			}},
		},
	}
	if diff := cmp.Diff(want, got.Endpoints); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := config.Export(got, access.Tenant{})
	if err != nil {
		t.Fatal(err)
	}
	variables := config.ExportedVariables(got)
	again, err := config.Parse("f", text, func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("exported and read again: %v\n%s\n%s", err, diff, text)
	}
	if strings.Contains(string(text), "shared-id") {
		t.Errorf("the export has the external id:\n%s", text)
	}
}

// TestADestinationHasNoSecretToShow: a secret that signs nothing would only confuse.
func TestADestinationHasNoSecretToShow(t *testing.T) {
	t.Parallel()
	next, err := config.Parse("f", []byte(aimFile), external)
	if err != nil {
		t.Fatal(err)
	}
	made, err := config.FillSecrets(&next, catalog.Catalog{}, 0, time.Now())
	if err != nil || len(made) != 0 || len(next.Endpoints[0].Secrets) != 1 {
		t.Errorf("%v, %v", made, err)
	}
}

func TestBadDestinations(t *testing.T) {
	t.Parallel()
	const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/shop"
	for name, tt := range map[string]struct{ endpoint, want string }{
		"no ARN":           {"url: 'arn:aws:sqs:q'", "url: is not an ARN of the form"},
		"another service":  {"url: 'arn:aws:rds:eu-central-1:123456789012:db:x'", "of rds"},
		"a variable":       {"url: 'arn:aws:sqs:${REGION}:123456789012:q'", "is not replaced"},
		"a key of another": {"url: " + bus + ", group: x", "group: does not exist for events"},
		"wait for a queue": {
			"url: '" + aQueue + "', wait: true", "wait: does not exist for sqs",
		},
		"wait for a URL": {"url: 'https://a.example.com', wait: false", "wait: is only for"},
		"an envelope":    {"url: " + bus + ", envelope: xml", `"xml" is neither raw nor json`},
		"a template":     {"url: '" + aQueue + "', group: '{data.}'", "group: column"},
		"a key":          {"url: 's3://archive/{id}/{data.}'", "url: column 24"},
		"a key for all":  {"url: 's3://archive/latest'", "url: gives every webhook the same key"},
		"no region":      {"url: 's3://archive/{id}', region: Paris", `"Paris" is not a region`},
		"region of a queue": {
			"url: '" + aQueue + "', region: eu-west-3", "region: does not exist for sqs",
		},
		"claim of a bucket": {
			"url: 's3://archive/{id}', claim: s3", "claim: does not exist for s3",
		},
		"another claim":  {"url: '" + aQueue + "', claim: gcs", `claim: "gcs" is not s3`},
		"claim of a URL": {"url: 'https://a.example.com', claim: s3", "claim: is only for"},
		"an order without a group": {
			"url: 'arn:aws:kinesis:eu-central-1:123456789012:stream/s', ordered: true",
			"group: is missing; a stream keeps an order only",
		},
		"stream of a URL": {"url: 'https://a.example.com', stream: x", "stream: is only for"},
		"headers": {
			"url: " + bus + ", headers: {a: b}", "headers: is only for an endpoint",
		},
		"auth": {
			"url: " + bus + ", auth: {bearer: x}", "auth: is only for an endpoint",
		},
		"secrets": {
			"url: " + bus + ", secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]",
			"secrets: is only",
		},
		"prove": {"url: " + bus + ", prove: ping", "prove: is only for an endpoint"},
		"a role": {
			"url: " + bus + ", role: relay", "role: \"relay\" is not of the form",
		},
		"an id alone": {
			"url: " + bus + ", external_id: abc", "external_id: is given without",
		},
		"an id with spaces": {
			"url: " + bus + ", role: '" + aRole + "', external_id: 'a b'",
			"external_id: is not an external id",
		},
		"a role for a secret": {
			"url: 'https://a.example.com', role: '" + aRole + "'", "role: is only for",
		},
	} {
		_, err := config.Parse("f", []byte("endpoints: [{name: a, "+tt.endpoint+"}]"), external)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestATransformForADestination may change only the body.
func TestATransformForADestination(t *testing.T) {
	t.Parallel()
	const file = `
sources: [{name: s, provider: none}]
endpoints: [{name: a, url: "` + aQueue + `"}]
subscriptions: [{source: s, endpoint: a, send: SEND}]
`
	for send, want := range map[string]string{
		`{body: {n: "{data.n}"}}`:                 "",
		`{preset: slack, text: "{type}"}`:         "",
		`{body: {}, path: "/x", query: {a: "b"}}`: "sets path and query",
		`{headers: {a: b}}`:                       "sets headers",
		`{preset: cloudevents, mode: binary}`:     "sets headers",
	} {
		_, err := config.Parse("f", []byte(strings.Replace(file, "SEND", send, 1)), external)
		if want == "" && err != nil || want != "" && (err == nil ||
			!strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", send, err, want)
		}
		_, err = config.ParseResource(
			catalog.KindEndpoint, "a", []byte(`{url: "`+aQueue+`", send: {s: `+send+`}}`),
			config.Relay{Mode: config.Deployed},
		)
		if want == "" && err != nil || want != "" && (err == nil ||
			!strings.Contains(err.Error(), want)) {
			t.Errorf("a resource, %s: %v, want %q", send, err, want)
		}
	}
}

func TestGranted(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("f", []byte(aimFile), external)
	if err != nil {
		t.Fatal(err)
	}
	archive, greet, orders := c.Endpoints[0], c.Endpoints[1], c.Endpoints[2]
	plain := catalog.Endpoint{URL: "https://a.example.com", Auth: &catalog.Auth{
		SigV4: &catalog.SigV4{Service: "lambda", Region: "eu-central-1"},
	}}
	for name, tt := range map[string]struct {
		e       catalog.Endpoint
		granted []string
		path    string
	}{
		"a bucket":                  {archive, []string{"arn:aws:s3:::archive"}, ""},
		"another bucket":            {archive, []string{"arn:aws:s3:::archive2"}, "url"},
		"granted":                   {greet, []string{greet.URL}, ""},
		"not granted":               {greet, []string{aQueue, greet.URL + ":live"}, "url"},
		"nothing is granted":        {greet, nil, "url"},
		"a role":                    {orders, []string{aRole}, ""},
		"a queue in place of it":    {orders, []string{aQueue}, "role"},
		"a URL of its own":          {plain, nil, ""},
		"a URL without credentials": {catalog.Endpoint{URL: "https://a.example.com"}, nil, ""},
	} {
		found := config.Problems(config.CheckGranted(tt.e, tt.granted))
		if len(found) > 1 || (len(found) == 1) != (tt.path != "") ||
			len(found) == 1 && found[0].Path != tt.path {
			t.Errorf("%s: %v, want %q", name, found, tt.path)
		}
	}
}

func TestTenantsHaveNoDestinations(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("f", []byte(aimFile), external)
	if err != nil {
		t.Fatal(err)
	}
	found := config.Problems(config.CheckTenants(catalog.Resource{Endpoint: &c.Endpoints[0]}))
	if len(found) != 1 || found[0].Path != "url" {
		t.Errorf("%v", found)
	}
}
