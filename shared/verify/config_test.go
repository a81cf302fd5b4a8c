package verify_test

import (
	"cmp"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"webhook-relay/shared/verify"
)

func TestProviders(t *testing.T) {
	t.Parallel()
	got := verify.Providers()
	if !slices.IsSorted(got) {
		t.Errorf("not sorted: %v", got)
	}
	for _, name := range []string{
		"bearer", "github", "hmac", "none", "standard-webhooks", "stripe",
	} {
		if !slices.Contains(got, name) {
			t.Errorf("%s is not in %v", name, got)
		}
	}
}

func TestNew_NamesTheFieldAndTheCure(t *testing.T) {
	t.Parallel()
	type block = verify.HMAC
	described := func(b block) verify.Config {
		b.Header = cmp.Or(b.Header, "X-Sig")
		return verify.Config{Provider: "hmac", HMAC: &b}
	}
	located := func(l verify.Locator) verify.Config {
		return verify.Config{Provider: "github", EventType: &l}
	}
	for name, c := range map[string]struct {
		cfg  verify.Config
		want []string // all in the message
	}{
		"unknown provider": {verify.Config{Provider: "gitbub"},
			[]string{"provider: ", `"gitbub"`, "gitea, github, gitlab", "docs/providers.md"}},
		"no provider": {verify.Config{}, []string{"provider: ", "docs/providers.md"}},
		"no hmac block": {
			verify.Config{Provider: "hmac"}, []string{"hmac: missing", "hmac.header"},
		},
		"hmac block elsewhere": {verify.Config{Provider: "stripe", HMAC: &verify.HMAC{Header: "X"}},
			[]string{"hmac: ", "stripe", "remove"}},
		"no header": {
			verify.Config{Provider: "hmac", HMAC: &block{}}, []string{"hmac.header: missing"},
		},
		"no name of a header": {
			described(block{Header: "X Sig"}), []string{"hmac.header: ", `"X Sig"`},
		},
		"unknown algorithm": {described(block{Algorithm: "md5"}),
			[]string{"hmac.algorithm: ", `"md5"`, "sha1, sha256, sha512"}},
		"unknown encoding": {
			described(block{Encoding: "base32"}),
			[]string{"hmac.encoding: ", `"base32"`, "base64, base64url, hex, upper-hex"},
		},
		"unknown placeholder": {described(block{Payload: "{host}{body}"}),
			[]string{"hmac.payload: ", "{host}", "{body}, {id}, {method}, {timestamp}, {url}"}},
		"URL signed and not given": {
			described(block{Payload: "{url}{body}"}), []string{"url: missing", "exactly"},
		},
		"URL not signed": {
			verify.Config{Provider: "github", URL: "https://a.example"},
			[]string{"url: ", "GitHub", "remove"},
		},
		"unknown setting": {verify.Config{
			Provider: "github", Settings: map[string]string{"a": "b"},
		},
			[]string{"settings.a: ", "github has none"}},
		"no address": {verify.Config{
			Provider: "github", AllowedIPs: []string{"192.0.2.1", "192.0.2.0/33"},
		},
			[]string{"allowed_ips[1]: ", `"192.0.2.0/33"`, "192.0.2.0/24"}},
		"unknown key form": {
			described(block{Key: "base32"}),
			[]string{"hmac.key: ", `"base32"`, "base64, hex, whsec"},
		},
		"unknown time format": {
			described(block{TimestampFormat: "ns"}),
			[]string{"hmac.timestamp_format: ", `"ns"`, "ms, rfc3339, s, unix, utc"},
		},
		"two times": {described(block{
			Payload: "{timestamp}.{body}", TimestampHeader: "X-Ts", TimestampJSON: "at",
		}),
			[]string{"hmac.timestamp_json: ", "only one"}},
		"empty member of time": {
			described(block{TimestampJSON: "a..b"}), []string{"hmac.timestamp_json: ", `"a..b"`},
		},
		"format of no time": {
			described(block{TimestampFormat: "ms"}),
			[]string{"hmac.timestamp_format: ", "no {timestamp}"},
		},
		"hash for a type": {
			located(verify.Locator{Body: true}), []string{
				"event_type.body: ", "a hash cannot be an event type",
			},
		},
		"open brace": {described(block{Payload: "{body}.{id"}),
			[]string{"hmac.payload: ", "{body}, {id}, {method}"}},
		"payload without body": {described(block{Payload: "{timestamp}", TimestampHeader: "X-Ts"}),
			[]string{"hmac.payload: ", "no {body}"}},
		"time without header": {described(block{Payload: "{timestamp}.{body}"}),
			[]string{"hmac.timestamp_header: missing", "{timestamp}"}},
		"header without time": {described(block{TimestampHeader: "X-Ts"}),
			[]string{"hmac.timestamp_header: ", "no {timestamp}"}},
		"id without header": {
			described(block{Payload: "{id}.{body}"}), []string{"hmac.id_header: missing", "{id}"},
		},
		"header without id": {
			described(block{IDHeader: "X-Id"}), []string{"hmac.id_header: ", "event_id.header"},
		},
		"negative tolerance": {
			described(block{Tolerance: -time.Second}),
			[]string{"hmac.tolerance: ", "-1s", "negative"},
		},
		"tolerance of nothing": {
			described(block{Tolerance: time.Second}),
			[]string{"hmac.tolerance: ", "no {timestamp}"},
		},
		"comma in prefix": {described(block{Prefix: "v1,"}), []string{"hmac.prefix: ", "comma"}},
		"locator of nothing": {
			located(verify.Locator{}), []string{"event_type: ", "exactly one of header and json"},
		},
		"locator of both": {located(verify.Locator{Header: "X", JSON: "x"}),
			[]string{"event_type: ", "exactly one of header and json"}},
		"no header's name": {
			located(verify.Locator{Header: "X:"}), []string{"event_type.header: ", `"X:"`},
		},
		"empty member": {
			located(verify.Locator{JSON: "a..b"}), []string{"event_type.json: ", `"a..b"`},
		},
		"dot at the end": {
			located(verify.Locator{JSON: "a."}), []string{"event_type.json: ", `"a."`},
		},
		"another id than Mailgun's token": {verify.Config{
			Provider: "mailgun", EventID: &verify.Locator{JSON: "event-data.id"},
		},
			[]string{"event_id: ", "Mailgun", "remove"}},
		"another id than Ecwid's": {
			verify.Config{Provider: "ecwid", EventID: &verify.Locator{JSON: "entityId"}},
			[]string{"event_id: ", "Ecwid", "remove"},
		},
		"id's locator": {
			verify.Config{Provider: "github", EventID: &verify.Locator{}}, []string{"event_id: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify.New(c.cfg, []string{secret("current")})
			if !errors.Is(err, verify.ErrConfig) {
				t.Fatalf("got %v, want %v", err, verify.ErrConfig)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestNew_RefusesSecretsThatCannotWork(t *testing.T) {
	t.Parallel()
	whsec := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n))
	}
	for name, c := range map[string]struct{ provider, secret, want string }{
		"standard, 16 bytes": {"standard-webhooks", whsec(16), ""},
		"standard, 65 bytes": {"standard-webhooks", whsec(65), ""},
		"standard, 15 bytes": {
			"standard-webhooks", whsec(15), "secrets[1]: decodes to 15 bytes",
		},
		"standard, no base64": {
			"standard-webhooks", "whsec_pass-word", "secrets[1]: is not whsec_",
		},
		"standard, prefix only": {"standard-webhooks", "whsec_", "secrets[1]: decodes to 0 bytes"},
		"bearer, space":         {"bearer", "pass word", "secrets[1]: a token"},
		"bearer, line end":      {"bearer", "password\n", "secrets[1]: a token"},
		"bearer, comma":         {"bearer", "pass,word", "secrets[1]: a token"},
		"text, line end":        {"stripe", "whsec_abc\n", "secrets[1]: has white space"},
		"text, space before":    {"github", " password", "secrets[1]: has white space"},
		"text, in a body":       {"figma", "password\t", "secrets[1]: has white space"},
		"hmac takes any bytes":  {"github", "pass, wörd\x00", ""},
	} {
		_, err := verify.New(
			verify.Config{Provider: c.provider}, []string{secret("good"), c.secret},
		)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.Is(err, verify.ErrConfig) ||
			!strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %v with %q", name, err, verify.ErrConfig, c.want)
		case err != nil && c.secret != "whsec_" &&
			strings.Contains(err.Error(), strings.TrimPrefix(c.secret, "whsec_")):
			t.Errorf("%s: the secret is told: %v", name, err)
		}
	}
}

func TestNew_LeavesTheConfigurationAlone(t *testing.T) {
	t.Parallel()
	cfg := func() verify.Config {
		return verify.Config{Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Sig"},
			EventType: &verify.Locator{Header: "X-Type"}, EventID: &verify.Locator{JSON: "a.b"}}
	}
	used := cfg()
	newVerifier(t, used, secret("current"))
	if diff := gocmp.Diff(cfg(), used); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
