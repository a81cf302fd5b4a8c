package config_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/catalog"
)

// parseWithURL reads a configuration whose only endpoint has this URL.
func parseWithURL(raw string) (catalog.Catalog, error) {
	text := fmt.Sprintf("endpoints: [{name: a, url: %s}]", strconv.Quote(raw))
	return config.Parse("relay.yaml", []byte(text), lookup)
}

func TestURLsAreWrittenAsTheyAreSent(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://a.example.com":                "https://a.example.com",
		"https://a.example.com/":               "https://a.example.com/",
		"https://a.example.com?":               "https://a.example.com?",
		"https://a.example.com?x=1":            "https://a.example.com?x=1",
		"HTTPS://A.example.com/X":              "https://A.example.com/X",
		"https://a.example.com/a b":            "https://a.example.com/a%20b",
		"https://a.example.com/?q=a b&r=1":     "https://a.example.com/?q=a%20b&r=1",
		"https://a.example.com/?stadt=Zürich":  "https://a.example.com/?stadt=Z%C3%BCrich",
		"https://a.example.com/Zürich/日本":      "https://a.example.com/Z%C3%BCrich/%E6%97%A5%E6%9C%AC",
		"https://a.example.com/%2Fa%20b?c=%26": "https://a.example.com/%2Fa%20b?c=%26",
		"https://a.example.com/?a[]=1&b={x}|y": "https://a.example.com/?a%5B%5D=1&b=%7Bx%7D%7Cy",
		`https://a.example.com/"<>\^` +
			"`": "https://a.example.com/%22%3C%3E%5C%5E%60",
		"https://a.example.com/a?b?c/d:@!$&'()*+,;=":        "https://a.example.com/a?b?c/d:@!$&'()*+,;=",
		"https://a.example.com/?x=1&x=2&&=":                 "https://a.example.com/?x=1&x=2&&=",
		"https://xn--bcher-kva.example/":                    "https://xn--bcher-kva.example/",
		"https://a.example.com./x":                          "https://a.example.com/x",
		"https://a.example.com.:443/x":                      "https://a.example.com:443/x",
		"http://[::1]:8080/x":                               "http://[::1]:8080/x",
		"http://127.0.0.1:8080?x":                           "http://127.0.0.1:8080?x",
		"http://app.localhost:8080/":                        "http://app.localhost:8080/",
		"http://my_host.internal/":                          "http://my_host.internal/",
		"https://graph.example.com/$batch?$filter=a eq 'b'": "https://graph.example.com/$batch?$filter=a%20eq%20'b'",
	} {
		cat, err := parseWithURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := cat.Endpoints[0].URL; got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestURLsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                              "scheme",
		"a.example.com/hooks":                           "scheme",
		"//a.example.com/hooks":                         "scheme",
		"ftp://a.example.com":                           "scheme",
		"https:a.example.com":                           "no host",
		"https://":                                      "no host",
		"https:///x":                                    "no host",
		"https://:8080/x":                               "no host",
		"https://?x":                                    "no host",
		" https://a.example.com":                        "white space",
		"https://a.example.com\n":                       "white space",
		"https://a.example.com/\tx":                     "control character",
		"https://a.example.com/\u0085x":                 "control character",
		"https://a.example.com/x#":                      "fragment",
		"https://a.example.com/x#hunter2":               "fragment",
		"https://a.example.com/%zz":                     "%25",
		"https://a.example.com/?q=100%":                 "%25",
		"https://a.example.com/?q=%4":                   "%25",
		"https://user@a.example.com/":                   "user or password",
		"https://user:hunter2@a.example.com/":           "user or password",
		"https://@a.example.com/":                       "user or password",
		"https://a.example.com:/":                       "colon",
		"https://a.example.com:0/":                      "port",
		"https://a.example.com:65536/":                  "port",
		"https://a.example.com:https/":                  "not a URL",
		"https://a..example.com/":                       "host",
		"https://.example.com/":                         "host",
		"https://a.example.com../":                      "host",
		"https://./":                                    "host",
		"https://-a.example.com/":                       "host",
		"https://a b.example.com/":                      "URL",
		"https://" + strings.Repeat("a", 64) + ".com/":  "host",
		"https://" + strings.Repeat("a.", 130) + "com/": "host",
		"https://bücher.example/":                       "Punycode",
		"https://b%C3%BCcher.example/":                  "Punycode",
		"https://xn--\u2026.example/":                   "Punycode",
		"http://１２７.0.0.1/":                             "Punycode",
		"http://127.1/":                                 "number",
		"http://2130706433/":                            "number",
		"http://0x7f.0.0.1/":                            "number",
		"http://0177.0.0.0x1/":                          "number",
		"http://[fe80::1%25eth0]/":                      "zone",
		"https://${HOST}/hooks":                         "env:NAME",
		"https://a.example.com/hooks?t=${TOKEN}":        "env:NAME",
		"https://a.example.com/{{token}}":               "env:NAME",
		"env:HOOK_URL":                                  "is not set",
		"$HOOK_URL":                                     "env:NAME",
	} {
		cat, err := parseWithURL(raw)
		if !errors.Is(
			err, config.ErrInvalid,
		) || !strings.Contains(err.Error(), "endpoints[0].url") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", raw, cat.Endpoints, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error tells the secret: %v", raw, err)
		}
	}
}

// Every URL in the configuration follows the same rules.
func TestEveryURLIsCheckedAlike(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"source, encoded by the provider": {
			`sources: [{name: a, provider: trello, secrets: [sec], url: "https://r.example.com/in/a?x=%C3%BC"}]`,
			"",
		},
		"source, not as it is sent": {
			`sources: [{name: a, provider: trello, secrets: [sec], url: "https://r.example.com/in/a?x=ü"}]`,
			"sources[0].url: is not written as it is sent",
		},
		"source, dot": {
			`sources: [{name: a, provider: trello, secrets: [sec], url: "https://r.example.com./in/a"}]`,
			"sources[0].url: is not written as it is sent",
		},
		"token URL": {
			`endpoints: [{name: a, url: "https://a.example.com", auth: {oauth2: {token_url: "https://a.example.com/a b", client_id: i, client_secret: sec}}}]`,
			"",
		},
		"token URL, fragment": {`endpoints: [{name: a, url: "https://a.example.com", auth: {oauth2: {token_url: "https://a.example.com/#x", client_id: i, client_secret: sec}}}]`,
			"auth.oauth2.token_url: has a fragment"},
		"token URL, http": {`endpoints: [{name: a, url: "https://a.example.com", auth: {oauth2: {token_url: "HTTP://a.example.com/", client_id: i, client_secret: sec}}}]`,
			"auth.oauth2.token_url: must begin with https"},
		"tls and HTTP in capitals": {
			`endpoints: [{name: a, url: "HTTP://a.example.com", tls: {ca: x}}]`,
			"needs an endpoint url that begins with https",
		},
	} {
		cat, err := config.Parse("relay.yaml", []byte(tt.text), lookup)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil ||
			!strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if name == "token URL" &&
			cat.Endpoints[0].Auth.OAuth2.TokenURL != "https://a.example.com/a%20b" {
			t.Errorf("token URL %s", cat.Endpoints[0].Auth.OAuth2.TokenURL)
		}
	}
}

// An accepted URL is sent exactly as cleanURL wrote it. Cleaning it again changes nothing.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"https://a.example.com/a b?c=ü#d", "https://bücher.example.:443", "http://[::1]/%2f",
		"https://%41.example",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		cat, err := parseWithURL(raw)
		if err != nil {
			return
		}
		clean := cat.Endpoints[0].URL
		again, err := parseWithURL(clean)
		if err != nil || again.Endpoints[0].URL != clean {
			t.Fatalf("%q became %q, and that %v, %v", raw, clean, again.Endpoints, err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, clean, nil)
		if err != nil {
			t.Fatalf("%q: %v", clean, err)
		}
		u, err := url.Parse(clean)
		if err != nil || strings.ContainsFunc(clean, func(r rune) bool {
			return r <= ' ' || r > '~'
		}) {
			t.Fatalf("%q: %v", clean, err)
		}
		if sent := u.Scheme + "://" + u.Host + req.URL.RequestURI(); sent != clean &&
			sent != strings.Replace(clean, u.Host, u.Host+"/", 1) {
			t.Errorf("%q is sent as %q", clean, sent)
		}
	})
}

// TestURLsOfTheEnvironment: an endpoint's URL may have a secret in its path.
func TestURLsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	text := []byte("endpoints: [{name: chat, url: env:CHAT_URL}]")
	set := func(value string) func(string) (string, bool) {
		return func(string) (string, bool) { return value, value != "" }
	}
	cat, err := config.Parse("relay.yaml", text, set("https://chat.example.com/T0/hunter2"))
	if err != nil || cat.Endpoints[0].URL != "https://chat.example.com/T0/hunter2" {
		t.Errorf("%+v, %v", cat.Endpoints, err)
	}
	for value, want := range map[string]string{
		"": "the environment variable CHAT_URL is not set", "ftp://hunter2": "url: ",
	} {
		_, err := config.Parse("relay.yaml", text, set(value))
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
}
