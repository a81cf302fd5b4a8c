package egress_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
)

func unguarded() *egress.Client { return egress.New(egress.Options{Unguarded: true}) }

func TestAnswers(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("x"), relay.MaxResponseBytes+1)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(long)
	_ = zip.Close()

	tests := map[string]struct {
		handler http.HandlerFunc
		want    relay.Reply
	}{
		"200 with a body": {
			respond(200, []byte("thanks\x00\xff")),
			relay.Reply{StatusCode: 200, Body: []byte("thanks\x00\xff")},
		},
		"204": {respond(204, nil), relay.Reply{StatusCode: 204, Body: []byte{}}},
		"404": {
			respond(404, []byte("who?")), relay.Reply{StatusCode: 404, Body: []byte("who?")},
		},
		"500": {
			respond(500, []byte("oops")), relay.Reply{StatusCode: 500, Body: []byte("oops")},
		},
		"body at the cap":  {respond(200, long[1:]), relay.Reply{StatusCode: 200, Body: long[1:]}},
		"body over it":     {respond(200, long), relay.Reply{StatusCode: 200, Body: long[1:]}},
		"early hints":      {earlyHints, relay.Reply{StatusCode: 200, Body: []byte("ok")}},
		"redirect":         {redirect(302), relay.Reply{StatusCode: 302, Body: []byte{}}},
		"redirect of POST": {redirect(307), relay.Reply{StatusCode: 307, Body: []byte{}}},
		"gzip as it comes": {
			func(w http.ResponseWriter, r *http.Request) {
				if r.Header["Accept-Encoding"] != nil {
					t.Errorf("asked for %v", r.Header["Accept-Encoding"])
				}
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(packed.Bytes())
			},
			relay.Reply{StatusCode: 200, Body: packed.Bytes()},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for protocol, send := range map[string]func() (relay.Reply, error){
				"HTTP/1.1": func() (relay.Reply, error) {
					url, _ := serveHTTP(t, tt.handler)
					return unguarded().Post(t.Context(), postTo(url, ample))
				},
				"HTTP/2": func() (relay.Reply, error) {
					client, url, _ := serveHTTP2(t, tt.handler)
					return client.Post(t.Context(), postTo(url, ample))
				},
			} {
				got, err := send()
				if err != nil {
					t.Fatalf("%s: %v", protocol, err)
				}
				if diff := cmp.Diff(tt.want, got, untimed); diff != "" {
					t.Errorf("%s: -want +got:\n%s", protocol, diff)
				}
			}
		})
	}
}

func respond(status int, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

func earlyHints(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusEarlyHints)
	_, _ = w.Write([]byte("ok"))
}

// redirect answers with a redirect, and with 200 at its target.
func redirect(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/elsewhere" {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}
	}
}

func TestRequestIsSentAsGiven(t *testing.T) {
	t.Parallel()
	body := []byte{0, 0xff, '\r', '\n', 0x80}
	check := func(_ http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) || r.ContentLength != int64(len(body)) {
			t.Errorf("body %q of %d bytes, %v", got, r.ContentLength, err)
		}
		if r.Method != http.MethodPost || r.RequestURI != "/a%2Fb?c=d%20e" {
			t.Errorf("%s %s", r.Method, r.RequestURI)
		}
		want := http.Header{
			"Content-Length": {"5"}, "Content-Type": {"application/x-thing"},
			"User-Agent":      {"relay-test"},
			"Idempotency-Key": {"k"}, "X-List": {"a,b"}, "X-Utf8": {"é\tb"},
		}
		if diff := cmp.Diff(want, r.Header); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
	}
	post := relay.Post{
		Header: relay.Header{
			"content-type": "application/x-thing", "user-agent": "relay-test",
			"host":            "elsewhere.example",
			"idempotency-key": "k", "x-list": "a,b", "x-utf8": "é\tb",
		},
		Body:    body,
		Timeout: ample,
	}
	url, _ := serveHTTP(t, check)
	client, url2, _ := serveHTTP2(t, check)
	for url, client := range map[string]*egress.Client{url: unguarded(), url2: client} {
		post.URL = url + "/a%2Fb?c=d%20e#fragment"
		if _, err := client.Post(t.Context(), post); err != nil {
			t.Error(err)
		}
	}
}

func TestOptionsHasNoBody(t *testing.T) {
	t.Parallel()
	check := func(_ http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if r.Method != http.MethodOptions || len(got) > 0 || err != nil ||
			r.Header.Get("Webhook-Request-Origin") != "relay.example" {
			t.Errorf("%s %q, %v, %v", r.Method, got, err, r.Header)
		}
	}
	url, _ := serveHTTP(t, check)
	client, url2, _ := serveHTTP2(t, check)
	for url, client := range map[string]*egress.Client{url: unguarded(), url2: client} {
		reply, err := client.Post(t.Context(), relay.Post{
			Method: http.MethodOptions, URL: url, Header: relay.Header{
				"webhook-request-origin": "relay.example",
			}, Timeout: ample,
		})
		if err != nil || reply.StatusCode != 200 {
			t.Errorf("%d, %v", reply.StatusCode, err)
		}
	}
}

func TestHostComesFromTheURL(t *testing.T) {
	t.Parallel()
	host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		request := readRequest(conn)
		_, _ = fmt.Fprintf(
			conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(request), request,
		)
	})
	_, port, _ := net.SplitHostPort(host)
	client := egress.NewWith(nil, resolver(map[string][]string{"hook.example": {"127.0.0.1"}}), nil)
	reply, err := client.Post(t.Context(), relay.Post{
		URL: "http://hook.example:" + port, Header: relay.Header{
			"host": "elsewhere.example", "user-agent": "test",
		}, Timeout: ample,
	})
	want := "POST / HTTP/1.1\r\nHost: hook.example:" + port +
		"\r\nUser-Agent: test\r\nContent-Length: 0\r\n\r\n"
	if diff := cmp.Diff(want, string(reply.Body)); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func write(conn net.Conn, s string) { _, _ = io.WriteString(conn, s) }

// flood writes s until the client has closed the connection.
func flood(conn net.Conn, s string) {
	chunk := []byte(strings.Repeat(s, 32<<10/len(s)))
	for {
		if _, err := conn.Write(chunk); err != nil {
			return
		}
	}
}

// drip writes a byte every few milliseconds until the client has closed the connection.
func drip(conn net.Conn) {
	for range time.Tick(5 * time.Millisecond) {
		if _, err := conn.Write([]byte("b")); err != nil {
			return
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	for _, scheme := range []string{"http", "https"} {
		_, err = unguarded().Post(t.Context(), postTo(scheme+"://"+listener.Addr().String(), ample))
		wantOutcome(t, err, relay.Unreachable)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want %v", err, syscall.ECONNREFUSED)
		}
	}
}

// The status line is the answer, whatever happens to the body.
func TestBodyThatDoesNotEndLeavesTheAnswer(t *testing.T) {
	t.Parallel()
	const brief = 400 * time.Millisecond
	tests := map[string]struct {
		then        func(net.Conn)
		timeout     time.Duration
		ctxDeadline time.Duration
	}{
		"stalls":                {untilGone, brief, ample},
		"stalls until ctx ends": {untilGone, ample, brief},
		"breaks off":            {func(net.Conn) {}, ample, ample},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
				readRequest(conn)
				write(conn, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nsome")
				tt.then(conn)
			})
			ctx, cancel := context.WithTimeout(t.Context(), tt.ctxDeadline)
			defer cancel()
			got, err := unguarded().Post(ctx, postTo("http://"+host, tt.timeout))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(
				relay.Reply{StatusCode: 201, Body: []byte("some")}, got, untimed,
			); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestHugeAnswersCostNoMoreThanShortOnes(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, length := range map[string]string{"1 GiB": fmt.Sprint(gib), "never ends": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan int, 2)
			handler := func(w http.ResponseWriter, _ *http.Request) {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				sent <- writeUpTo(w, gib)
			}
			url, _ := serveHTTP(t, handler)
			client2, url2, _ := serveHTTP2(t, handler)
			for _, tt := range []struct {
				client *egress.Client
				url    string
				// the sockets' buffers on both sides; in HTTP/2, where streams share a connection,
				// the stream's window
				most int
			}{
				{unguarded(), url, 32 << 20},
				{client2, url2, 64 << 10},
			} {
				reply, err := tt.client.Post(t.Context(), postTo(tt.url, ample))
				if err != nil || len(reply.Body) != relay.MaxResponseBytes {
					t.Fatalf("%d bytes, %v", len(reply.Body), err)
				}
				if n := <-sent; n > tt.most {
					t.Errorf("the server got rid of %d bytes, want at most %d", n, tt.most)
				} else {
					t.Logf("the server got rid of %d bytes", n)
				}
			}
		})
	}
}

// writeUpTo returns how many bytes it could write.
func writeUpTo(w io.Writer, most int) int {
	chunk := make([]byte, 16<<10)
	for n := 0; n < most; {
		m, err := w.Write(chunk)
		n += m
		if err != nil {
			return n
		}
	}
	return most
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	handler := respond(200, bytes.Repeat([]byte("x"), relay.MaxResponseBytes))
	url, connections := serveHTTP(t, handler)
	client2, url2, connections2 := serveHTTP2(t, handler)
	for _, tt := range []struct {
		client      *egress.Client
		url         string
		connections *atomic.Int32
	}{{unguarded(), url, connections}, {client2, url2, connections2}} {
		for range 5 {
			if _, err := tt.client.Post(t.Context(), postTo(tt.url, ample)); err != nil {
				t.Fatal(err)
			}
		}
		if n := tt.connections.Load(); n != 1 {
			t.Errorf("%s: %d connections for 5 requests, want 1", tt.url, n)
		}
	}
}

// net/http sends a POST with an Idempotency-Key again if a kept connection breaks. The relay counts
// attempts itself, so that must not happen.
func TestRequestThatWasWrittenIsNotSentAgain(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		for n := range 2 {
			if len(readRequest(conn)) == 0 {
				return
			}
			requests.Add(1)
			if n == 0 {
				write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	for _, name := range []string{"idempotency-key", "X-Idempotency-Key"} {
		client, post := unguarded(), postTo("http://"+host, ample)
		post.Header[name] = "k"
		if _, err := client.Post(t.Context(), post); err != nil {
			t.Fatal(err)
		}
		_, err := client.Post(t.Context(), post)
		wantOutcome(t, err, relay.Broken)
		if n := requests.Swap(0); n != 2 {
			t.Errorf("%s: the endpoint got %d requests for 2 calls", name, n)
		}
	}
}

func TestEndOfContextIsItsError(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	soon, cancelSoon := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancelSoon()
	during, cancelDuring := context.WithCancel(t.Context())
	defer cancelDuring()
	tests := map[string]struct {
		ctx   context.Context
		serve func(*net.TCPConn)
		want  error
	}{
		"before":   {ended, func(conn *net.TCPConn) { untilGone(conn) }, context.Canceled},
		"deadline": {soon, func(conn *net.TCPConn) { untilGone(conn) }, context.DeadlineExceeded},
		"during": {during, func(conn *net.TCPConn) {
			readRequest(conn)
			cancelDuring()
			untilGone(conn)
		}, context.Canceled},
	}
	for name, tt := range tests {
		host, _ := listen(t, "127.0.0.1:0", tt.serve)
		_, err := unguarded().Post(tt.ctx, postTo("http://"+host, ample))
		if _, charged := errors.AsType[*relay.PostError](err); charged || !errors.Is(err, tt.want) {
			t.Errorf("%s: got %#v, want %v and no outcome", name, err, tt.want)
		}
	}
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	url, _ := serveHTTP(t, respond(200, nil))
	client := unguarded()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 4 {
				if _, err := client.Post(t.Context(), postTo(url, ample)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkPost(b *testing.B) {
	server := httptest.NewServer(respond(200, nil))
	b.Cleanup(server.Close)
	client := unguarded()
	post := postTo(server.URL, ample)
	post.Body = bytes.Repeat([]byte("x"), 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Post(b.Context(), post); err != nil {
			b.Fatal(err)
		}
	}
}
