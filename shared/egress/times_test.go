package egress_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
)

// untimed compares replies without their timing, which is tested here.
var untimed = cmp.Transformer("untimed", func(relay.Timing) string { return "" })

// slowly returns a dialer that takes 10 ms for the lookup and 20 ms to connect, as net.Dialer
// reports it, after an address at which nobody listens.
func slowly(dial func(context.Context, string, string) (net.Conn, error),
) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		trace := httptrace.ContextClientTrace(ctx)
		trace.DNSStart(httptrace.DNSStartInfo{})
		time.Sleep(10 * time.Millisecond)
		trace.DNSDone(httptrace.DNSDoneInfo{})
		trace.ConnectStart(network, "192.0.2.1:443")
		time.Sleep(15 * time.Millisecond)
		trace.ConnectDone(network, "192.0.2.1:443", errors.New("refused"))
		trace.ConnectStart(network, address)
		time.Sleep(5 * time.Millisecond)
		trace.ConnectDone(network, address, nil)
		return dial(ctx, network, address)
	}
}

// TestTimings: each phase is timed. A connection that was kept has only the last.
func TestTimings(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	certificate := ca.issue(t, "hook.test", time.Now().Add(time.Hour))
	synctest.Test(t, func(t *testing.T) {
		dial, _ := piped(func(conn net.Conn) {
			secure := tls.Server(conn, &tls.Config{
				Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
			})
			time.Sleep(40 * time.Millisecond)
			for len(readRequest(secure)) > 0 {
				time.Sleep(80 * time.Millisecond)
				if _, err := io.WriteString(
					secure, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
				); err != nil {
					return
				}
			}
		})
		client := egress.NewOver(slowly(dial), ca.pool())
		whole := relay.Timing{
			DNS: 10 * time.Millisecond, Connect: 20 * time.Millisecond,
			TLS: 40 * time.Millisecond, FirstByte: 80 * time.Millisecond,
		}
		for _, want := range []relay.Timing{whole, {FirstByte: 80 * time.Millisecond}} {
			reply, err := client.Post(t.Context(), postTo("https://hook.test", ample))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, reply.Timing); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		client.CloseIdleConnections()
	})
}

// TestTimingsOfAFailure: the phase in which an attempt failed lasts until then.
func TestTimingsOfAFailure(t *testing.T) {
	t.Parallel()
	silent, _ := piped(untilGone)
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) {
		httptrace.ContextClientTrace(ctx).ConnectStart("", "")
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, tt := range map[string]struct {
		dial func(context.Context, string, string) (net.Conn, error)
		url  string
		want relay.Timing
	}{
		"connect":    {hangs, "http://hook.test", relay.Timing{Connect: time.Second}},
		"handshake":  {silent, "https://hook.test", relay.Timing{TLS: time.Second}},
		"first byte": {silent, "http://hook.test", relay.Timing{FirstByte: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, err := egress.NewOver(tt.dial, nil).Post(
					t.Context(), postTo(tt.url, time.Second),
				)
				failed, ok := errors.AsType[*relay.PostError](err)
				if !ok || failed.Outcome != relay.TimedOut || failed.Timing != tt.want {
					t.Errorf("%+v, want %+v", failed, tt.want)
				}
				time.Sleep(time.Minute) // the server's end
			})
		})
	}
}

// TestALookupIsTimed as Go's own resolver reports it.
func TestALookupIsTimed(t *testing.T) {
	t.Parallel()
	url, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	_, port, err := net.SplitHostPort(url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	slow := resolver(map[string][]string{"hook.test": {"127.0.0.1"}})
	dial := slow.Dial
	const pause = 30 * time.Millisecond
	slow.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		time.Sleep(pause)
		return dial(ctx, network, address)
	}
	reply, err := egress.NewWith(nil, slow, nil).Post(
		t.Context(), postTo("http://hook.test:"+port, ample),
	)
	if err != nil || reply.Timing.DNS < pause || reply.Timing.TLS != 0 {
		t.Errorf("%v, %+v", err, reply.Timing)
	}
}
