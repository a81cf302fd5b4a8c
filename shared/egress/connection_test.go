package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// piped returns a dial function over pipes, for tests in virtual time. It passes the server's end
// of each to serve, and counts them.
func piped(serve func(net.Conn)) (dial func(
	context.Context, string, string,
) (net.Conn, error), connections *atomic.Int32) {
	connections = new(atomic.Int32)
	return func(context.Context, string, string) (net.Conn, error) {
		connections.Add(1)
		client, end := net.Pipe()
		server := eagerConn{end, make(chan []byte, 1000)}
		go server.send()
		go func() {
			defer func() { _ = server.Close() }()
			serve(server)
		}()
		return client, nil
	}, connections
}

// eagerConn buffers writes, as a socket does and a pipe does not. The writer closes it.
type eagerConn struct {
	net.Conn
	out chan []byte
}

func (c eagerConn) Write(b []byte) (int, error) {
	c.out <- bytes.Clone(b)
	return len(b), nil
}

func (c eagerConn) Close() error {
	close(c.out)
	return nil
}

func (c eagerConn) send() {
	for b := range c.out {
		if _, err := c.Conn.Write(b); err != nil {
			continue // nobody reads any more
		}
	}
	_ = c.Conn.Close()
}

// answers answers each request on a connection with the status and no body.
func answers(status string) func(net.Conn) {
	return func(conn net.Conn) {
		for in := bufio.NewReader(conn); ; {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			write(conn, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
		}
	}
}

func TestEveryPhaseHasItsLimit(t *testing.T) {
	t.Parallel()
	never := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	silent, _ := piped(untilGone)
	drips, _ := piped(func(conn net.Conn) {
		readRequest(conn)
		write(conn, "HTTP/1.1 200 OK\r\n\r\n")
		for range 300 { // half a minute
			write(conn, "b")
			time.Sleep(100 * time.Millisecond)
		}
	})
	deaf, _ := piped(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		time.Sleep(time.Minute)
	})
	for name, tt := range map[string]struct {
		dial   func(context.Context, string, string) (net.Conn, error)
		scheme string
		whole  time.Duration
		took   time.Duration
		want   string // the error
	}{
		"connection": {
			never, "http", 30 * time.Second, 10 * time.Second, "timeout: no connection within 10s",
		},
		"connection, of the whole": {
			never, "http", 5 * time.Second, 5 * time.Second, "timeout: no connection within 5s",
		},
		"handshake": {
			silent, "https", 30 * time.Second, 10 * time.Second,
			"timeout: TLS handshake: no end within 10s",
		},
		"handshake, of the whole": {
			silent, "https", 5 * time.Second, 5 * time.Second,
			"timeout: TLS handshake not finished within 5s",
		},
		"request": {
			deaf, "http", 15 * time.Second, 15 * time.Second,
			"timeout: request not sent within 15s",
		},
		"first byte": {
			silent, "http", 15 * time.Second, 15 * time.Second, "timeout: no answer within 15s",
		},
		"body, once there is status": {drips, "http", 15 * time.Second, 2 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := egress.NewOver(tt.dial, nil)
				began := time.Now()
				post := postTo(tt.scheme+"://hook.test", tt.whole)
				post.Body = make([]byte, 64<<10) // more than is buffered
				reply, err := client.Post(t.Context(), post)
				switch {
				case tt.want == "" && (err != nil || reply.StatusCode != 200):
					t.Errorf("got %d, %v, want 200", reply.StatusCode, err)
				case tt.want != "" && (err == nil || err.Error() != tt.want):
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				time.Sleep(time.Minute) // the server's end
			})
		})
	}
}

// The hastiest of the common servers close idle connections after 5 s.
func TestConnectionsAreKeptForFourSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dial, connections := piped(answers("204 No Content"))
		client := egress.NewOver(dial, nil)
		for _, step := range []struct {
			pause time.Duration
			want  int32
		}{
			{0, 1}, {0, 1}, {3900 * time.Millisecond, 1}, {4100 * time.Millisecond, 2},
			{time.Hour, 3},
		} {
			time.Sleep(step.pause)
			if _, err := client.Post(t.Context(), postTo("http://hook.test", ample)); err != nil {
				t.Fatal(err)
			}
			if n := connections.Load(); n != step.want {
				t.Errorf(
					"after a pause of %s: %d connections made, want %d", step.pause, n, step.want,
				)
			}
		}
		time.Sleep(time.Minute) // until no connection is kept
	})
}

// After a pause, or a freeze of the function, the server has closed the connection. The next one
// resumes the TLS session.
func TestATLSSessionOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	var resumed []bool
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.TLS.DidResume)
		w.Header().Set("Connection", "close")
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := egress.NewOver(func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server.Listener.Addr().String())
	}, roots)
	for range 3 {
		if _, err := client.Post(t.Context(), postTo("https://example.com", ample)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []bool{false, true, true}; !slices.Equal(resumed, want) {
		t.Errorf("resumed: %v, want %v", resumed, want)
	}
}

// A silent HTTP/2 connection is given up before the attempt's timeout, and not used again.
func TestDeadHTTP2ConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	certificate := ca.issue(t, "hook.test", time.Now().Add(time.Hour))
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		dead := atomic.Bool{}
		dial, connections := piped(func(conn net.Conn) {
			serve2(conn, certificate, &requests, frame(frameSettings, 0, 0), func(
				p peer2, stream uint32,
			) bool {
				if dead.Load() {
					untilGone(p)
					return false
				}
				p.send(frame(frameHeaders, endHeaders|endStream, stream, status200))
				return true
			})
		})
		client := egress.NewOver(dial, ca.pool())
		if _, err := client.Post(t.Context(), postTo("https://hook.test", ample)); err != nil {
			t.Fatal(err)
		}
		dead.Store(true)
		began := time.Now()
		_, err := client.Post(t.Context(), postTo("https://hook.test", ample))
		wantOutcome(t, err, relay.Broken)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("noticed after %s, want 10s", took)
		}
		dead.Store(false)
		if _, err := client.Post(t.Context(), postTo("https://hook.test", ample)); err != nil {
			t.Error(err)
		}
		if n, made := requests.Load(), connections.Load(); n != 3 || made != 2 {
			t.Errorf("%d requests on %d connections, want 3 on 2", n, made)
		}
		time.Sleep(time.Minute) // until no connection is kept
	})
}

// endingConn signals when net/http has closed it.
type endingConn struct {
	net.Conn
	closed chan struct{}
}

func (c endingConn) Close() error {
	err := c.Conn.Close()
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return err
}

// The endpoint may close a kept connection after it was chosen for a request and before a byte of
// the request is written. That costs no attempt.
func TestRequestIsSentAnewIfNothingOfItWasWritten(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"with a body": "body", "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			servers := make(chan net.Conn, 2)
			closed := make(chan struct{})
			dial := func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				servers <- server
				go func() {
					for in := bufio.NewReader(server); ; {
						req, err := http.ReadRequest(in)
						if err != nil {
							return
						}
						requests.Add(1)
						if got, _ := io.ReadAll(req.Body); string(got) != body {
							t.Errorf("body %q, want %q", got, body)
						}
						write(server, "HTTP/1.1 204 No Content\r\n\r\n")
					}
				}()
				if len(servers) > 1 {
					return client, nil
				}
				return endingConn{client, closed}, nil
			}
			client := egress.NewOver(dial, nil)
			post := relay.Post{URL: "http://hook.test", Body: []byte(body), Timeout: ample}
			if _, err := client.Post(t.Context(), post); err != nil {
				t.Fatal(err)
			}
			first := <-servers
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(
				got httptrace.GotConnInfo,
			) {
				if got.Reused {
					_ = first.Close()
					<-closed
				}
			}})
			reply, err := client.Post(ctx, post)
			if err != nil || reply.StatusCode != 204 {
				t.Errorf("got %d, %v, want 204", reply.StatusCode, err)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("the endpoint got %d requests for 2 calls", n)
			}
		})
	}
}

func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	for cause, want := range map[syscall.Errno]relay.Outcome{
		syscall.EHOSTUNREACH: relay.Unreachable, syscall.ENETUNREACH: relay.Unreachable,
		syscall.EADDRNOTAVAIL: relay.Unreachable,
		syscall.ETIMEDOUT:     relay.TimedOut,
	} {
		client := egress.NewWith(func(string, string, syscall.RawConn) error {
			return cause
		}, nil, nil)
		_, err := client.Post(t.Context(), postTo("http://127.0.0.1", ample))
		wantOutcome(t, err, want)
	}
}

func TestOurOwnExhaustionIsNoOutcome(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		client := egress.NewWith(func(string, string, syscall.RawConn) error {
			return cause
		}, nil, nil)
		_, err := client.Post(t.Context(), postTo("http://127.0.0.1", ample))
		if _, charged := errors.AsType[*relay.PostError](err); charged || !errors.Is(err, cause) {
			t.Errorf("got %#v, want %v and no outcome", err, cause)
		}
	}
}

// The endpoint asks for the relay's certificate, and its own certificate is signed by its own
// authority.
func TestEndpointsOwnCertificates(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	until := time.Now().Add(time.Hour)
	config := &tls.Config{
		Certificates: []tls.Certificate{
			ca.issue(t, "hook.test", until),
		}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}
	var connections atomic.Int32
	host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		secure := tls.Server(conn, config)
		if secure.Handshake() == nil {
			connections.Add(1)
			answers("204 No Content")(secure)
		}
	})
	url := "https://" + strings.Replace(host, "127.0.0.1", "hook.test", 1)
	certificate, key := pemOf(t, ca.issue(t, "relay.test", until))
	strange, strangeKey := pemOf(t, other.issue(t, "relay.test", until))
	client := egress.NewWith(nil, resolver(map[string][]string{"hook.test": {"127.0.0.1"}}), nil)
	for _, tt := range []struct {
		name string
		tls  *catalog.TLS
		want relay.Outcome // "" for an answer
		made int32         // connections by then
	}{
		{
			"with both", &catalog.TLS{Certificate: certificate, Key: key, Authorities: ca.pem()},
			"", 1,
		},
		{
			"with the same, on the same connection",
			&catalog.TLS{Certificate: bytes.Clone(certificate), Key: key, Authorities: ca.pem()},
			"", 1,
		},
		{
			"without its authority", &catalog.TLS{Certificate: certificate, Key: key},
			relay.TLSFailed, 1,
		},
		{
			"with another authority",
			&catalog.TLS{Certificate: certificate, Key: key, Authorities: other.pem()},
			relay.TLSFailed, 1,
		},
		{"without a certificate", &catalog.TLS{Authorities: ca.pem()}, relay.TLSFailed, 1},
		{
			"with a stranger's certificate",
			&catalog.TLS{Certificate: strange, Key: strangeKey, Authorities: ca.pem()},
			relay.TLSFailed, 1,
		},
		{"with nothing", nil, relay.TLSFailed, 1},
	} {
		post := postTo(url, ample)
		post.TLS = tt.tls
		reply, err := client.Post(t.Context(), post)
		if tt.want != "" {
			wantOutcome(t, err, tt.want)
		} else if err != nil || reply.StatusCode != 204 {
			t.Errorf("%s: got %d, %v, want 204", tt.name, reply.StatusCode, err)
		}
		if n := connections.Load(); n != tt.made {
			t.Errorf("%s: %d connections, want %d", tt.name, n, tt.made)
		}
	}
}

func TestConnectionsOfManyCertificatesAreNotKept(t *testing.T) {
	t.Parallel()
	const sets, kept = 40, 32
	ca := newAuthority(t)
	config := &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "hook.test", time.Now().Add(time.Hour))},
	}
	var open atomic.Int32
	host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		open.Add(1)
		answers("204 No Content")(tls.Server(conn, config))
		open.Add(-1)
	})
	client := egress.NewWith(nil, resolver(map[string][]string{"hook.test": {"127.0.0.1"}}), nil)
	for i := range sets {
		post := postTo("https://"+strings.Replace(host, "127.0.0.1", "hook.test", 1), ample)
		post.TLS = &catalog.TLS{Authorities: append(ca.pem(), strings.Repeat("\n", i)...)}
		if _, err := client.Post(t.Context(), post); err != nil {
			t.Fatal(err)
		}
	}
	for range 500 { // closing takes its time
		if open.Load() <= kept {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d connections are kept, want %d", open.Load(), kept)
}

func TestHeadersThatSayWhenToComeAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header string
		want   relay.Header
	}{
		"none": {"Location: /x\r\nSet-Cookie: " + secret + "\r\n", nil},
		"both": {
			"RETRY-AFTER: 120\r\nWebhook-Delivery: abort-message\r\n",
			relay.Header{"retry-after": "120", "webhook-delivery": "abort-message"},
		},
		"a date": {
			"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n",
			relay.Header{"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"},
		},
		"allowed": {
			"WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 120\r\n",
			relay.Header{"webhook-allowed-origin": "*", "webhook-allowed-rate": "120"},
		},
		"first wins": {"Retry-After: 1\r\nRetry-After: 2\r\n", relay.Header{"retry-after": "1"}},
		"empty":      {"Retry-After:\r\n", nil},
		"too long": {
			"Retry-After: " + strings.Repeat("1", 254) + "\r\nWebhook-Delivery: disable\r\n",
			relay.Header{"webhook-delivery": "disable"},
		},
		"no text": {"Retry-After: 1\xff\r\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dial, _ := piped(answers(
				"503 Service Unavailable\r\n" + strings.TrimSuffix(tt.header, "\r\n"),
			))
			reply, err := egress.NewOver(dial, nil).Post(
				t.Context(), postTo("http://hook.test", ample),
			)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(
				relay.Reply{StatusCode: 503, Header: tt.want, Body: []byte{}}, reply, untimed,
			); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFetching(t *testing.T) {
	t.Parallel()
	const limit = 1000
	long := strings.Repeat("x", limit+1)
	host, _ := listen(t, goodAddress+":0", func(conn *net.TCPConn) {
		request := string(readRequest(conn))
		body, status := "none", "200 OK"
		switch {
		case strings.Contains(request, "/at-the-limit"):
			body = long[1:]
		case strings.Contains(request, "/over"):
			body = long
		case strings.Contains(request, "/redirect"):
			status = "302 Found\r\nLocation: http://10.0.0.1/"
		case strings.Contains(request, "/upgrade"):
			status = "101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade"
		}
		_, _ = fmt.Fprintf(
			conn, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status,
			len(body), body,
		)
	})
	guarded := egress.NewWith(
		egress.Except(goodAddress, egress.Guard()), resolver(nil), nil,
	).HTTPClient(limit)
	open := "http://" + host
	for name, tt := range map[string]struct {
		url, header string
		status      int
		size        int
		want        error
		outcome     relay.Outcome
	}{
		"an answer":    {url: open, status: 200, size: 4},
		"at the limit": {url: open + "/at-the-limit", status: 200, size: limit},
		"over the limit": {
			url: open + "/over", status: 200, size: limit, want: egress.ErrTooLarge,
		},
		"redirect":          {url: open + "/redirect", status: 302, size: 4},
		"protocol switched": {url: open + "/upgrade", status: 101},
		"metadata": {
			url: "http://169.254.169.254/latest", want: egress.ErrGuard, outcome: relay.Blocked,
		},
		"runtime API": {
			url: "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", want: egress.ErrGuard,
			outcome: relay.Blocked,
		},
		"file": {
			url: "file:///proc/self/environ", want: egress.ErrRequest, outcome: relay.Blocked,
		},
		"password in the URL": {
			url: "http://user:" + secret + "@" + host, want: egress.ErrRequest,
			outcome: relay.Blocked,
		},
		"header injected": {
			url: open, header: "a\r\nb: c", want: egress.ErrRequest, outcome: relay.Blocked,
		},
		"no such name": {url: "http://missing.test", outcome: relay.DNSFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header["X-A"] = []string{tt.header}
			var body []byte
			resp, err := guarded.Do(req)
			if err == nil {
				if resp.StatusCode != tt.status {
					t.Errorf("got %d, want %d", resp.StatusCode, tt.status)
				}
				body, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			failed, _ := errors.AsType[*relay.PostError](err)
			switch {
			case len(body) != tt.size || tt.want != nil && !errors.Is(err, tt.want):
				t.Errorf("got %d bytes, %v, want %d, %v", len(body), err, tt.size, tt.want)
			case (failed == nil) != (tt.outcome == "") || failed != nil &&
				failed.Outcome != tt.outcome:
				t.Errorf("got %v, want outcome %q", err, tt.outcome)
			case tt.want == nil && tt.outcome == "" && err != nil:
				t.Error(err)
			}
		})
	}
}

func TestFetchingByHTTPSOnly(t *testing.T) {
	t.Parallel()
	url, connections := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	o := egress.Options{Unguarded: true, HTTPSOnly: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := egress.New(o).HTTPClient(1).Do(req); !errors.Is(err, egress.ErrRequest) {
		t.Errorf("fetching: got %v, %v, want %v", resp, err, egress.ErrRequest)
	}
	if _, err := egress.New(o).Post(
		t.Context(), postTo(url, ample),
	); !errors.Is(err, egress.ErrRequest) {
		t.Errorf("posting: got %v, want %v", err, egress.ErrRequest)
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections made", n)
	}
}

// In TLS 1.3 the alert comes after the handshake, instead of an answer, in both versions of HTTP.
func TestAnAlertAfterTheHandshakeIsOneOfTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for _, protocol := range []string{"http/1.1", "h2"} {
		config := &tls.Config{
			Certificates: []tls.Certificate{
				ca.issue(t, "hook.test", time.Now().Add(time.Hour)),
			}, ClientCAs: ca.pool(),
			ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{protocol},
			MinVersion: tls.VersionTLS13,
		}
		host, _ := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
			_ = tls.Server(conn, config).Handshake()
		})
		client := egress.NewWith(
			nil, resolver(map[string][]string{"hook.test": {"127.0.0.1"}}), nil,
		)
		post := postTo("https://"+strings.Replace(host, "127.0.0.1", "hook.test", 1), ample)
		post.TLS = &catalog.TLS{Authorities: ca.pem()}
		_, err := client.Post(t.Context(), post)
		wantOutcome(t, err, relay.TLSFailed)
	}
}
