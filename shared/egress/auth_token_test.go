package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

func TestATokenIsFetchedOnceForMany(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		says(`{"access_token":"t"}`)(w, r)
	}, respond(200, nil))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.post(t.Context(), ample); err != nil {
				t.Error(err)
			}
		})
	}
	<-s.asked
	close(release)
	all.Wait()
	if n := len(s.asked); n != 0 {
		t.Errorf("%d more tokens were asked for", n)
	}
}

func TestATokenIsKeptWhileItLasts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		kept   time.Duration // less than a second beside it
	}{
		"until a minute before its end":  {`"expires_in":600`, 9 * time.Minute},
		"for half of a short life":       {`"expires_in":60`, 30 * time.Second},
		"not if it is over already":      {`"expires_in":-60`, 0},
		"for an hour if nothing is said": {`"scope":"x"`, 59 * time.Minute},
		"for an hour at most":            {`"expires_in":9223372036854775807`, 59 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveTokens(t, says(`{"access_token":"t",`+tt.answer+`}`), respond(200, nil))
			began := time.Now().Round(0)
			var passed atomic.Int64
			s.client.SetClock(func() time.Time { return began.Add(time.Duration(passed.Load())) })
			post := func(after time.Duration, asked int) {
				t.Helper()
				passed.Store(int64(after))
				if _, err := s.post(t.Context(), ample); err != nil {
					t.Fatal(err)
				}
				if n := len(s.asked); n != asked {
					t.Errorf("%s later: %d tokens, want %d", after, n, asked)
				}
			}
			const slack = 5 * time.Second // the token's life counts from its arrival
			post(0, 1)
			if tt.kept > 0 {
				post(tt.kept-slack, 1)
			}
			post(tt.kept+slack, 2)
		})
	}
}

// An endpoint that rejects a cached token has rejected our credentials and processed nothing. It
// gets the request once more, with a new token.
func TestARefusedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	var made, good, posts atomic.Int32
	var none atomic.Bool
	s := serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
		if none.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		says(fmt.Sprintf(`{"access_token":"t%d"}`, made.Add(1)))(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", good.Load()) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for _, step := range []struct {
		name   string
		good   int32
		none   bool
		status int
		tokens int32 // from here on all of them so far
		posts  int32
	}{
		{"the first", 1, false, 200, 1, 1},
		{"kept", 1, false, 200, 1, 2},
		{"withdrawn", 2, false, 200, 2, 4},
		{"all of them refused", 0, false, 401, 3, 6},
		{"refused though new: not once more", 0, false, 401, 4, 7},
		{"taken again", 5, false, 200, 5, 8},
		{"withdrawn, and no other to be had", 0, true, 401, 5, 9},
	} {
		good.Store(step.good)
		none.Store(step.none)
		reply, err := s.post(t.Context(), ample)
		if err != nil || reply.StatusCode != step.status || made.Load() != step.tokens ||
			posts.Load() != step.posts {
			t.Errorf(
				"%s: %d, %v, %d tokens and %d POSTs so far, want %+v", step.name, reply.StatusCode,
				err, made.Load(), posts.Load(), step,
			)
		}
	}
}

func TestALateRefusalDropsNoNewerToken(t *testing.T) {
	t.Parallel()
	var made atomic.Int32
	arrived, release := make(chan struct{}), make(chan struct{})
	s := serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
		says(fmt.Sprintf(`{"access_token":"t%d"}`, made.Add(1)))(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer t1" {
			close(arrived)
			<-release
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	var passed atomic.Int64
	began := time.Now().Round(0)
	s.client.SetClock(func() time.Time { return began.Add(time.Duration(passed.Load())) })
	late := make(chan int)
	go func() {
		reply, err := s.post(t.Context(), ample)
		if err != nil {
			t.Error(err)
		}
		late <- reply.StatusCode
	}()
	<-arrived
	passed.Store(int64(time.Hour))
	for n := range 2 {
		if reply, err := s.post(t.Context(), ample); err != nil ||
			reply.StatusCode != http.StatusOK || made.Load() != 2 {
			t.Errorf("%d, %v and %d tokens", reply.StatusCode, err, made.Load())
		}
		if n == 0 {
			close(release)
			if status := <-late; status != http.StatusUnauthorized {
				t.Errorf("the late one: %d", status)
			}
		}
	}
}

func TestEndpointsDoNotShareTokens(t *testing.T) {
	t.Parallel()
	s := serveTokens(t, says(`{"access_token":"t"}`), respond(200, nil))
	for _, scopes := range [][]string{nil, {"a"}, {"b"}, {"a"}} {
		s.auth.Scopes = scopes
		if _, err := s.post(t.Context(), ample); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.asked); n != 3 {
		t.Errorf("%d tokens for 3 kinds", n)
	}
}

// A hostile token endpoint fails the attempt. It reveals no secret, and leaves the client as it
// was.
func TestHostileTokenEndpoints(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		token  http.HandlerFunc
		reason string
	}{
		"refuses": {
			saysWith(401, `{"error":"invalid_client","error_description":"`+secret+`"}`),
			"the token endpoint answered 401 invalid_client",
		},
		"refuses with 200": {
			says(`{"error":"invalid_scope","access_token":"t"}`), "answered 200 invalid_scope",
		},
		"says what it was told": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			says(`{"error":"`+secret+`"}`)(w, r)
		}, "answered 400"},
		"fails": {respond(500, []byte(secret)), "answered 500"},
		"sends elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}, "answered 302"},
		"sends to itself": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		}, "answered 307"},
		"no JSON":            {respond(200, []byte("<html>"+secret)), "malformed"},
		"nothing":            {respond(204, nil), "malformed"},
		"no token":           {says(`{"token":"` + secret + `"}`), "malformed"},
		"a number for token": {says(`{"access_token":1}`), "malformed"},
		"life is no number":  {says(`{"access_token":"t","expires_in":1e400}`), "malformed"},
		"never ends": {func(w http.ResponseWriter, _ *http.Request) {
			writeUpTo(w, 1<<30)
		}, "over 65536 bytes"},
		"breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "cut off"},
		"a long token": {
			says(`{"access_token":"` + strings.Repeat(secret, 2000) + `"}`), "no bearer token",
		},
		"lines in it":  {says(`{"access_token":"` + secret + `\r\nX-More: x"}`), "no bearer token"},
		"another type": {says(`{"access_token":"t","token_type":"mac"}`), "no bearer token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveTokens(t, tt.token, func(http.ResponseWriter, *http.Request) {
				t.Error("the endpoint got a request")
			})
			_, err := s.post(t.Context(), ample)
			wantOutcome(t, err, relay.AuthFailed)
			if !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %q in it", err, tt.reason)
			}
		})
	}
}

// A slow token endpoint costs the attempt's timeout.
func TestSlowTokenEndpoints(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]time.Duration{
		"hangs": time.Hour, "drips": 5 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			s := serveTokens(t, func(w http.ResponseWriter, _ *http.Request) {
				dripUntil(w, rest, done)
			}, respond(200, nil))
			t.Cleanup(func() { close(done) }) // before the server waits for it
			_, err := s.post(t.Context(), brief)
			wantOutcome(t, err, relay.AuthFailed)
			if !strings.Contains(err.Error(), "no access token in time") {
				t.Error(err)
			}
		})
	}
}

func dripUntil(w http.ResponseWriter, rest time.Duration, done <-chan struct{}) {
	for tick := time.Tick(rest); ; {
		select {
		case <-done:
			return
		case <-tick:
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
		}
	}
}

// The guard checks the token endpoint's address like an endpoint's.
func TestTokensAreFetchedByTheGuardedClient(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url, reason string
		is          error
	}{
		"private address": {"https://10.0.0.1/" + secret, "10.0.0.1", egress.ErrGuard},
		"metadata": {
			"https://169.254.169.254/" + secret, "169.254.169.254", egress.ErrGuard,
		},
		"private by name": {"https://inside.test/" + secret, "127.0.0.1", egress.ErrGuard},
		"another port": {
			"https://198.51.100.1:8443/" + secret, "blocked by the guard", egress.ErrGuard,
		},
		"http":            {"http://198.51.100.1/" + secret, "scheme https", egress.ErrRequest},
		"user in the URL": {"https://a:" + secret + "@a.test/", "no user", egress.ErrRequest},
		"no such name":    {"https://missing.test/" + secret, "no such host", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := egress.NewWith(
				egress.GuardOf(egress.Options{}),
				resolver(map[string][]string{"inside.test": {"127.0.0.1"}}), nil,
			)
			p := postTo("https://a.test", ample)
			p.Auth = &catalog.Auth{
				OAuth2: &catalog.OAuth2{TokenURL: tt.url, ClientID: secret, ClientSecret: secret},
			}
			_, err := client.Post(t.Context(), p)
			wantOutcome(t, err, relay.AuthFailed)
			if !strings.Contains(err.Error(), tt.reason) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v with %q", err, tt.is, tt.reason)
			}
		})
	}
}

// If the invocation ends while a token is awaited, no attempt is used up.
func TestTheEndOfContextIsNoFailureOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	s := serveTokens(t, func(http.ResponseWriter, *http.Request) { <-done }, respond(200, nil))
	t.Cleanup(func() { close(done) })
	ctx, cancel := context.WithTimeout(t.Context(), brief)
	defer cancel()
	_, err := s.post(ctx, ample)
	if _, charged := errors.AsType[*relay.PostError](err); charged ||
		!errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
