package egress_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

func TestAuthOnTheWire(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		auth          catalog.Auth
		uri           string
		header, value string
	}{
		"basic": {
			catalog.Auth{Basic: &catalog.BasicAuth{Username: "Aladdin", Password: "open sesame"}},
			"/?a=b", "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
		},
		"bearer": {
			catalog.Auth{Bearer: "t-1"}, "/?a=b", "Authorization", "Bearer t-1",
		},
		"key in a header": {
			catalog.Auth{APIKey: &catalog.APIKey{Header: "x-api-key", Value: "k 1"}}, "/?a=b",
			"X-Api-Key", "k 1",
		},
		"key in the query": {
			catalog.Auth{APIKey: &catalog.APIKey{Query: "api key", Value: "k&1=é"}},
			"/?a=b&api+key=k%261%3D%C3%A9", "Authorization", "Own",
		},
		"a signature is there": {
			catalog.Auth{Signature: &catalog.Signature{}}, "/?a=b", "Authorization", "Own",
		},
		"nothing is asked for at all": {catalog.Auth{}, "/?a=b", "Authorization", "Own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
				if r.RequestURI != tt.uri || r.Header.Get(tt.header) != tt.value ||
					len(r.Header.Values(tt.header)) != 1 {
					t.Errorf(
						"%s %v, want %s and %s: %s", r.RequestURI, r.Header, tt.uri, tt.header,
						tt.value,
					)
				}
			})
			p := relay.Post{
				URL: url + "/?a=b", Header: relay.Header{"authorization": "Own"}, Auth: &tt.auth,
				Timeout: ample,
			}
			if reply, err := unguarded().Post(t.Context(), p); err != nil ||
				reply.StatusCode != http.StatusOK {
				t.Errorf("%d, %v", reply.StatusCode, err)
			}
		})
	}
	t.Run("key in the only query", func(t *testing.T) {
		t.Parallel()
		url, _ := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
			if r.RequestURI != "/?key=v" {
				t.Errorf("%s", r.RequestURI)
			}
		})
		p := relay.Post{
			URL: url, Auth: &catalog.Auth{APIKey: &catalog.APIKey{Query: "key", Value: "v"}},
			Timeout: ample,
		}
		if _, err := unguarded().Post(t.Context(), p); err != nil {
			t.Error(err)
		}
	})
}

// A secret need not come from the configuration, whose values are checked.
func TestAuthInjectsNothing(t *testing.T) {
	t.Parallel()
	const bad = secret + "\r\nX-More: x"
	for name, auth := range map[string]catalog.Auth{
		"bearer":          {Bearer: bad},
		"a line's end":    {Bearer: secret + "\n"},
		"key in a header": {APIKey: &catalog.APIKey{Header: "x-api-key", Value: bad}},
	} {
		p := postTo("http://127.0.0.1:1", ample)
		p.Auth = &auth
		_, err := unguarded().Post(t.Context(), p)
		wantOutcome(t, err, relay.Blocked)
		if !errors.Is(err, egress.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No error of any kind contains a key that is sent in the query.
func TestNoErrorHasTheKeyOfTheQuery(t *testing.T) {
	t.Parallel()
	host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) { readRequest(conn) })
	for url, want := range map[string]relay.Outcome{
		"http://" + host: relay.Broken, "https://" +
			host: relay.TLSFailed, "http://127.0.0.1:1": relay.Unreachable,
		"http://missing.invalid:80": relay.DNSFailed,
	} {
		client := egress.NewWith(nil, resolver(nil), nil)
		_, err := client.Post(
			t.Context(),
			relay.Post{
				URL:     url,
				Auth:    &catalog.Auth{APIKey: &catalog.APIKey{Query: secret, Value: secret}},
				Timeout: ample,
			},
		)
		wantOutcome(t, err, want)
	}
}

// An endpoint's answer is recorded, and may contain the request's credentials.
func TestAnswersAreRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	const password = "hunter2&" + secret
	for name, auth := range map[string]*catalog.Auth{
		"its own header":   nil,
		"basic":            {Basic: &catalog.BasicAuth{Username: "u", Password: password}},
		"bearer":           {Bearer: password},
		"key in a header":  {APIKey: &catalog.APIKey{Header: "x-api-key", Value: password}},
		"key in the query": {APIKey: &catalog.APIKey{Query: "key", Value: password}},
	} {
		// so that an end is cut off, too
		for _, room := range []int{0, relay.MaxResponseBytes - 100, relay.MaxResponseBytes - 40} {
			url, _ := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprintf(w, "%s%s %q", strings.Repeat("-", room), r.RequestURI, r.Header)
				user, pass, _ := r.BasicAuth()
				_, _ = fmt.Fprintf(w, " %s:%s end", user, pass)
			})
			p := relay.Post{
				URL: url, Header: relay.Header{"authorization": "Bearer " + password}, Auth: auth,
				Timeout: ample,
			}
			reply, err := unguarded().Post(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			basic := base64.StdEncoding.EncodeToString([]byte("u:" + password))
			for _, part := range []string{secret, "hunter", basic[:8]} {
				if bytes.Contains(reply.Body, []byte(part)) {
					t.Errorf("%s: %s is in %s", name, part, reply.Body)
				}
			}
			if room == 0 && (!bytes.Contains(reply.Body, []byte("[redacted]")) ||
				!bytes.HasSuffix(reply.Body, []byte(" end"))) {
				t.Errorf("%s: %s", name, reply.Body)
			}
			if len(reply.Body) > relay.MaxResponseBytes {
				t.Errorf("%s: %d bytes", name, len(reply.Body))
			}
		}
	}
}

// An endpoint that echoes a request quotes it in the format of its own answer.
func TestAnswersAreRecordedWithoutWhatThePostCallsSecret(t *testing.T) {
	t.Parallel()
	const key = `k"<&/é ` + secret
	p := relay.Post{
		Header: relay.Header{"x-api-key": key, "x-env": "prod"}, Secrets: []string{key},
		Auth: &catalog.Auth{
			SigV4: &catalog.SigV4{Service: "lambda", Region: "eu-central-1"},
		}, Timeout: ample,
	}
	client := egress.New(egress.Options{Unguarded: true, Credentials: provider(nil)})
	for name, echo := range map[string]func(io.Writer, *http.Request){
		"as they are": func(w io.Writer, r *http.Request) { _ = r.Header.Write(w) },
		"in JSON": func(w io.Writer, r *http.Request) {
			_ = json.NewEncoder(w).Encode(r.Header)
		},
		"in JSON of another kind": func(w io.Writer, r *http.Request) {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			_ = e.Encode(r.Header)
		},
		"in HTML": func(w io.Writer, r *http.Request) {
			_, _ = io.WriteString(w, html.EscapeString(fmt.Sprint(r.Header)))
		},
		"in a URL": func(w io.Writer, r *http.Request) {
			_, _ = io.WriteString(w, url.Values(r.Header).Encode())
		},
		"in its path": func(w io.Writer, r *http.Request) {
			_, _ = io.WriteString(w, url.PathEscape(fmt.Sprint(r.Header)))
		},
		"without an end": func(w io.Writer, r *http.Request) {
			_, _ = fmt.Fprint(w, r.Header.Get("X-Env"), key[:len(key)-1])
			_ = http.NewResponseController(w.(http.ResponseWriter)).Flush() //nolint:errcheck,forcetypeassert // it is one
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := p
			p.URL, _ = serveHTTP(t, func(w http.ResponseWriter, r *http.Request) { echo(w, r) })
			reply, err := client.Post(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{secret[:4], testCredentials.SessionToken} {
				if bytes.Contains(reply.Body, []byte(part)) {
					t.Errorf("%s is in %s", part, reply.Body)
				}
			}
			if !bytes.Contains(reply.Body, []byte("prod")) {
				t.Errorf("no secret, and gone from %s", reply.Body)
			}
		})
	}
}

var testCredentials = aws.Credentials{
	AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret, SessionToken: "session-token",
}

func provider(err error) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) { return testCredentials, err }
}

// The endpoint computes the signature itself, over the headers that are listed as signed, and gets
// the same result.
func TestSigV4(t *testing.T) {
	t.Parallel()
	p := postTo("", ample)
	p.Header["x-amz-date"], p.Header["x-amz-content-sha256"] = "19700101T000000Z", "the provider's"
	p.Header["idempotency-key"], p.Header["x-list"] = "k", "a,  b"
	p.Auth = &catalog.Auth{SigV4: &catalog.SigV4{Service: "execute-api", Region: "eu-central-1"}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := signedAgain(t, r, body); r.Header.Get("Authorization") != want ||
			!bytes.Equal(body, p.Body) {
			t.Errorf("got  %s\nwant %s", r.Header.Get("Authorization"), want)
		}
		if got := r.Header.Get(
			"X-Amz-Content-Sha256",
		) + r.Header.Get("X-Amz-Security-Token"); got != testCredentials.SessionToken {
			t.Errorf("%q", got)
		}
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL + "/a%2Fb/é?c=d%20e&b=1"
	client := egress.New(egress.Options{Unguarded: true, Credentials: provider(nil)})
	if reply, err := client.Post(t.Context(), p); err != nil || reply.StatusCode != http.StatusOK {
		t.Errorf("%d, %v", reply.StatusCode, err)
	}
}

func signedAgain(t *testing.T, r *http.Request, body []byte) string {
	t.Helper()
	again, err := http.NewRequestWithContext(
		t.Context(), r.Method, "http://"+r.Host+r.RequestURI, bytes.NewReader(body),
	)
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(list, ";") {
		if values := r.Header.Values(name); len(values) > 0 && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	for _, name := range []string{"content-type", "host", "x-amz-date", "x-list"} {
		if !strings.Contains(";"+list+";", ";"+name+";") {
			t.Errorf("%s is not signed, only %s", name, list)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(
		t.Context(), testCredentials, again, hex.EncodeToString(sum[:]), "execute-api",
		"eu-central-1", at,
	); err != nil {
		t.Fatal(err)
	}
	return again.Header.Get("Authorization")
}

func TestSigV4WithoutCredentials(t *testing.T) {
	t.Parallel()
	p := postTo("http://127.0.0.1:1", ample)
	p.Auth = &catalog.Auth{SigV4: &catalog.SigV4{Service: "lambda", Region: "eu-central-1"}}
	_, err := unguarded().Post(t.Context(), p)
	wantOutcome(t, err, relay.AuthFailed)

	lost := errors.New("no credentials")
	_, err = egress.New(egress.Options{
		Unguarded: true, Credentials: provider(lost),
	}).Post(t.Context(), p)
	if _, charged := errors.AsType[*relay.PostError](err); charged || !errors.Is(err, lost) {
		t.Errorf("got %v, want our own failure", err)
	}
}

// Only SigV4 retrieves the role's credentials, because few endpoints need them.
func TestCredentialsAreAskedForBySigV4Alone(t *testing.T) {
	t.Parallel()
	url, _ := serveHTTP(t, respond(200, nil))
	client := egress.New(egress.Options{Unguarded: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			t.Error("asked for credentials")
			return testCredentials, nil
		})})
	for _, auth := range []*catalog.Auth{nil, {Bearer: "t"}} {
		if _, err := client.Post(
			t.Context(), relay.Post{URL: url, Auth: auth, Timeout: ample},
		); err != nil {
			t.Error(err)
		}
	}
}

// tokenServer is a token endpoint, and an endpoint that requires its tokens.
type tokenServer struct {
	client *egress.Client
	auth   catalog.OAuth2
	url    string
	asked  chan http.Header // for each token
}

func serveTokens(t *testing.T, token http.HandlerFunc, hook http.HandlerFunc) *tokenServer {
	t.Helper()
	s := &tokenServer{asked: make(chan http.Header, 100)}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s: %v", r.Method, err)
		}
		s.asked <- r.Header
		token(w, r)
	})
	mux.HandleFunc("/hook", hook)
	s.client, s.url, _ = serveHTTP2(t, mux.ServeHTTP)
	s.auth = catalog.OAuth2{
		TokenURL: s.url + "/token?" + secret, ClientID: "id " + secret, ClientSecret: "p&" + secret,
	}
	return s
}

func (s *tokenServer) post(ctx context.Context, timeout time.Duration) (relay.Reply, error) {
	return s.client.Post(
		ctx,
		relay.Post{
			URL: s.url + "/hook", Header: relay.Header{}, Auth: &catalog.Auth{OAuth2: &s.auth},
			Timeout: timeout,
		},
	)
}

// says answers with JSON.
func says(body string) http.HandlerFunc { return saysWith(http.StatusOK, body) }

func saysWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestOAuth2OnTheWire(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit  func(*catalog.OAuth2)
		form  map[string][]string
		basic string
	}{
		"by header": {
			func(*catalog.OAuth2) {}, map[string][]string{
				"grant_type": {"client_credentials"},
			}, "id+s3cret p%26s3cret",
		},
		"in the body": {
			func(o *catalog.OAuth2) {
				o.InBody, o.Scopes, o.Audience = true, []string{"a", "b:c"},
					"https://api.example.com"
			},
			map[string][]string{
				"grant_type": {"client_credentials"}, "client_id": {"id s3cret"},
				"client_secret": {"p&s3cret"}, "scope": {"a b:c"},
				"audience": {"https://api.example.com"},
			}, " ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
				delete(r.Form, secret) // the URL's
				user, password, _ := r.BasicAuth()
				if diff := cmp.Diff(tt.form, map[string][]string(r.Form)); diff != "" ||
					user+" "+password != tt.basic {
					t.Errorf("%q, -want +got:\n%s", user+" "+password, diff)
				}
				says(`{"access_token":"t/1~=","token_type":"bearer","expires_in":"300"}`)(w, r)
			}, func(_ http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != "Bearer t/1~=" {
					t.Errorf("%q", got)
				}
			})
			tt.edit(&s.auth)
			if reply, err := s.post(t.Context(), ample); err != nil ||
				reply.StatusCode != http.StatusOK {
				t.Errorf("%d, %v", reply.StatusCode, err)
			}
		})
	}
}
