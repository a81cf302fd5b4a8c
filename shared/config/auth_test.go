package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// parseAuth parses a file with one endpoint that has this auth.
func parseAuth(auth string, more ...string) (*catalog.Auth, error) {
	text := "endpoints:\n  - name: e\n    url: https://e.example.com\n    auth: " + auth +
		"\n    " + strings.Join(more, "\n    ") + "\n"
	c, err := config.Parse("relay.yaml", []byte(text), func(name string) (string, bool) {
		v, ok := map[string]string{
			"SECRET":    "hunter2",
			"REFERENCE": "aws-secretsmanager:arn:aws:secretsmanager:eu-central-1:1:secret:a-AbCdEf#k",
		}[name]
		return v, ok
	})
	if err != nil {
		return nil, err
	}
	return c.Endpoints[0].Auth, nil
}

func TestHowARequestIsProved(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		auth string
		want catalog.Auth
	}{
		"basic": {
			"{basic: {username: u, password: env:SECRET}}",
			catalog.Auth{Basic: &catalog.BasicAuth{Username: "u", Password: "hunter2"}},
		},
		"bearer": {"{bearer: env:SECRET}", catalog.Auth{Bearer: "hunter2"}},
		"key in a header": {
			"{api_key: {header: X-Api-Key, value: v}}",
			catalog.Auth{APIKey: &catalog.APIKey{Header: "x-api-key", Value: "v"}},
		},
		"key in the query": {
			"{api_key: {query: key, value: a b&}}",
			catalog.Auth{APIKey: &catalog.APIKey{Query: "key", Value: "a b&"}},
		},
		"sigv4": {
			"{sigv4: {service: execute-api, region: eu-central-1}}",
			catalog.Auth{SigV4: &catalog.SigV4{Service: "execute-api", Region: "eu-central-1"}},
		},
		"provider": {
			"{provider: github, secret: env:SECRET}",
			catalog.Auth{Signature: &catalog.Signature{Provider: "github", Secret: "hunter2"}},
		},
		"provider alone": {
			"{provider: github, secret: sec, standard: false}",
			catalog.Auth{
				Signature: &catalog.Signature{Provider: "github", Secret: "sec", Alone: true},
			},
		},
		"a reference": {
			"{bearer: 'aws-secretsmanager:shop/token'}",
			catalog.Auth{Bearer: "aws-secretsmanager:shop/token"},
		},
		"one by environment": {
			"{bearer: env:REFERENCE}",
			catalog.Auth{
				Bearer: "aws-secretsmanager:arn:aws:secretsmanager:eu-central-1:1:secret:a-AbCdEf#k",
			},
		},
		"a provider's secret elsewhere": {
			"{provider: svix, secret: 'aws-secretsmanager:a#b c'}", catalog.Auth{
				Signature: &catalog.Signature{Provider: "svix", Secret: "aws-secretsmanager:a#b c"},
			},
		},
		"hmac": {
			"{hmac: {header: X-Sig, payload: '{timestamp}.{url}.{body}', timestamp_header: X-Ts, tolerance: 1m}, secret: sec, standard: true}",
			catalog.Auth{Signature: &catalog.Signature{Provider: "hmac", Secret: "sec",
				HMAC: &verify.HMAC{
					Header: "X-Sig", Payload: "{timestamp}.{url}.{body}", TimestampHeader: "X-Ts",
					Tolerance: time.Minute}}},
		},
		"oauth2": {
			"{oauth2: {token_url: 'https://t.example.com/token', client_id: i, client_secret: env:SECRET, scopes: [a, 'b:c'], audience: x, style: body}}",
			catalog.Auth{OAuth2: &catalog.OAuth2{TokenURL: "https://t.example.com/token",
				ClientID: "i", ClientSecret: "hunter2", Scopes: []string{"a", "b:c"},
				Audience: "x", InBody: true}},
		},
		"oauth2, as usual": {
			"{oauth2: {token_url: 'https://t.example.com', client_id: i, client_secret: sec, style: header}}",
			catalog.Auth{
				OAuth2: &catalog.OAuth2{
					TokenURL: "https://t.example.com", ClientID: "i", ClientSecret: "sec",
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseAuth(tt.auth)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsWrongWithAnAuthIsSaidWithLineAndKey(t *testing.T) {
	t.Parallel()
	const oauth = "{oauth2: {token_url: '%', client_id: i, client_secret: sec}}"
	for name, tt := range map[string]struct {
		auth, more, want string
	}{
		"none": {
			"{}", "",
			"auth: must have exactly one of api_key, basic, bearer, hmac, oauth2, provider and sigv4, not 0",
		},
		"two": {"{bearer: x, sigv4: {service: lambda, region: r}}", "", "not 2"},
		"a described provider": {
			"{provider: github, hmac: {header: X}, secret: sec}", "", "not 2",
		},
		"unknown key": {
			"{bearre: x}", "", "endpoints[0].auth.bearre: is not a known key",
		},
		"secret with a token": {
			"{bearer: x, secret: sec}", "",
			"auth: has secret or standard, which only hmac and provider use",
		},
		"standard with a token": {
			"{bearer: x, standard: false}", "", "auth: has secret or standard",
		},
		"no such variable": {
			"{bearer: env:NOT_SET}", "", "auth.bearer: the environment variable NOT_SET is not set",
		},
		"token of two lines": {
			`{bearer: "a\r\nX-More: hunter2"}`, "", "auth.bearer: has control characters",
		},
		"password of two lines": {
			`{basic: {username: u, password: "hunter2\n"}}`, "",
			"auth.basic.password: has control characters",
		},
		"user with a colon": {
			"{basic: {username: 'a:b', password: p}}", "", "auth.basic.username: has a colon",
		},
		"no user": {"{basic: {password: p}}", "", "auth.basic.username: is empty"},
		"authorization twice": {
			"{bearer: x}", "headers: {Authorization: y}",
			"auth.bearer: sets the header authorization, which headers sets too",
		},
		"signature twice": {
			"{hmac: {header: X-Sig}, secret: sec}", "headers: {x-sig: y}",
			"auth.hmac: sets the header x-sig, which headers sets too",
		},
		"timestamp twice": {
			"{provider: slack, secret: sec}", "headers: {X-Slack-Request-Timestamp: y}",
			"auth.provider: sets the header x-slack-request-timestamp",
		},
		"date of AWS twice": {
			"{sigv4: {service: lambda, region: r}}", "headers: {X-Amz-Date: y}",
			"auth.sigv4: sets the header x-amz-date, which headers sets too",
		},
		"key twice": {
			"{api_key: {header: X-Key, value: x}}", "headers: {x-key: y}",
			"auth.api_key: sets the header x-key, which headers sets too",
		},
		"key nowhere": {
			"{api_key: {value: x}}", "", "auth.api_key: must have exactly one of header and query",
		},
		"key in both": {
			"{api_key: {header: X, query: x, value: x}}", "",
			"auth.api_key: must have exactly one of header and query",
		},
		"key without value": {"{api_key: {header: X}}", "", "auth.api_key.value: is empty"},
		"host as a key": {
			"{api_key: {header: Host, value: x}}", "",
			"is set by the relay or by the connection itself",
		},
		"length as a key": {
			"{api_key: {header: Content-Length, value: x}}", "",
			"is set by the relay or by the connection itself",
		},
		"hop-by-hop key": {
			"{api_key: {header: Connection, value: x}}", "",
			"is set by the relay or by the connection itself",
		},
		"our signature as key": {
			"{api_key: {header: Webhook-Signature, value: x}}", "",
			"is set by the relay or by the connection itself",
		},
		"no header's name": {
			`{api_key: {header: "X\r\nY", value: x}}`, "", "is not a valid header name",
		},
		"no token URL": {
			strings.ReplaceAll(oauth, "%", ""), "", "auth.oauth2.token_url: has the scheme",
		},
		"token URL in clear": {
			strings.ReplaceAll(oauth, "%", "http://t.example.com"), "",
			"auth.oauth2.token_url: must begin with https",
		},
		"password in token URL": {
			strings.ReplaceAll(oauth, "%", "https://a:hunter2@t.example.com"), "",
			"auth.oauth2.token_url: has a user or password",
		},
		"unknown style": {
			"{oauth2: {token_url: 'https://t.example.com', client_id: i, client_secret: sec, style: query}}",
			"", `auth.oauth2.style: "query" is neither`,
		},
		"no client": {
			"{oauth2: {token_url: 'https://t.example.com', client_secret: sec}}", "",
			"auth.oauth2.client_id: is empty",
		},
		"two scopes in one": {
			"{oauth2: {token_url: 'https://t.example.com', client_id: i, client_secret: sec, scopes: [a, b c]}}",
			"", "auth.oauth2.scopes[1]: is not a scope",
		},
		"no region": {
			"{sigv4: {service: lambda}}", "",
			"auth.sigv4.region: \"\" is not the name of an AWS region",
		},
		"no service": {
			"{sigv4: {service: 'a/b', region: r}}", "",
			`auth.sigv4.service: "a/b" is not the name of an AWS service`,
		},
		"unknown provider": {
			"{provider: githob, secret: hunter2}", "",
			`auth.provider: verify: configuration: provider: "githob" is unknown`,
		},
		"provider, no secret": {"{provider: github}", "", "auth.secret: is empty"},
		"hmac without header": {
			"{hmac: {algorithm: sha256}, secret: hunter2}", "",
			"auth.hmac: verify: configuration: hmac.header: missing",
		},
		"hmac in host": {
			"{hmac: {header: Host}, secret: hunter2}", "",
			"auth.hmac: relay: header host is set by the relay",
		},
		"key of another form": {
			"{hmac: {header: X, key: hex}, secret: hunter2}", "", "is not hex",
		},
		"a reference to none": {
			"{bearer: 'aws-secretsmanager:'}", "", "auth.bearer: is not a reference to a secret",
		},
		"a reference with more": {
			"{bearer: 'aws-secretsmanager:a b'}", "", "auth.bearer: is not a reference to a secret",
		},
		"an empty member": {
			"{bearer: 'aws-secretsmanager:a#'}", "", "auth.bearer: is not a reference to a secret",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseAuth(tt.auth, tt.more)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.want) ||
				!strings.Contains(err.Error(), "relay.yaml:4: ") {
				t.Fatalf("got %v\nwant line 4 and %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("tells a secret: %v", err)
			}
		})
	}
}

// A deployed relay sends no credential over http, because anybody on the network path could then
// use it.
func TestCredentialsAreNotSentInTheClear(t *testing.T) {
	t.Parallel()
	for auth, refused := range map[string]bool{
		"{basic: {username: u, password: p}}": true, "{bearer: t}": true,
		"{api_key: {query: k, value: v}}":                                                  true,
		"{oauth2: {token_url: 'https://t.example.com', client_id: i, client_secret: sec}}": true,
		"{provider: gitlab-legacy, secret: sec}":                                           true,
		"{provider: github, secret: sec}":                                                  false,
		"{hmac: {header: X-Sig}, secret: sec}":                                             false,
		"{sigv4: {service: lambda, region: r}}":                                            false,
	} {
		text := "endpoints:\n  - name: e\n    url: HTTP://e.example.com\n    auth: " + auth + "\n"
		if _, err := config.Parse("relay.yaml", []byte(text), lookup); err != nil {
			t.Errorf("%s: elsewhere: %v", auth, err)
		}
		_, _, err := config.ParseFor("", "relay.yaml", []byte(text), config.Relay{Mode: config.Deployed}, lookup, nil)
		if got := err != nil; got != refused || refused && !strings.Contains(
			err.Error(), "relay.yaml:4: endpoints[0].auth: would be sent in the clear",
		) {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

func TestAKeyOfTheURLIsNotGivenTwice(t *testing.T) {
	t.Parallel()
	text := "endpoints:\n  - name: e\n    url: https://e.example.com?key=a\n    auth:\n      api_key: {query: key, value: x}\n"
	_, err := config.Parse("relay.yaml", []byte(text), lookup)
	if err == nil || !strings.Contains(
		err.Error(),
		"relay.yaml:5: endpoints[0].auth.api_key.query: the endpoint's url already has a query parameter key",
	) {
		t.Error(err)
	}
}

func TestALocalRelayHasNeitherRolesNorSecretsElsewhere(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"auth: {bearer: 'aws-secretsmanager:a'}":                        "only a deployed relay reads AWS Secrets Manager",
		"auth: {sigv4: {service: lambda, region: x}}":                   "sigv4 works only in a deployed relay",
		"auth: {basic: {username: u, password: 'aws-sm'}}":              "",
		"tls: {certificate: env:CERT, key: 'aws-secretsmanager:a#key'}": "only a deployed relay reads AWS Secrets Manager",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			text := "endpoints:\n  - {name: f, url: https://f.example.com}\n  - name: e\n    url: https://e.example.com\n    " + line + "\n"
			if _, err := config.Parse("relay.yaml", []byte(text), lookupPEM); err != nil {
				t.Errorf("for a deployed relay: %v", err)
			}
			_, _, err := config.ParseFor(
				"", "relay.yaml", []byte(text), config.Relay{Mode: config.Local}, lookupPEM, nil,
			)
			if want == "" && err != nil || want != "" && (!errors.Is(err, config.ErrInvalid) ||
				!strings.Contains(err.Error(), "relay.yaml:3: endpoints[1]: "+want)) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// Every example in the table of docs/configuration.md is valid, and each kind has one.
func TestPageExamplesOfAuth(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range page.Rows(t, referencePage, "auth") {
		example := page.Names(row[0])[0]
		kind, _, _ := strings.Cut(strings.TrimPrefix(example, "{"), ":")
		seen[kind] = true
		for _, name := range []string{"PASSWORD", "TOKEN", "KEY"} {
			example = strings.ReplaceAll(example, "env:"+name, "env:SECRET")
		}
		if _, err := parseAuth(example); err != nil {
			t.Errorf("%s: %v", example, err)
		}
	}
	want := map[string]bool{
		"api_key": true, "basic": true, "bearer": true, "hmac": true, "oauth2": true,
		"provider": true, "sigv4": true,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
