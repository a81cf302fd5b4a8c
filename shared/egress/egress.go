package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"webhook-relay/shared/relay"
)

const (
	// dialTimeout and handshakeTimeout leave an attempt of the default timeout time for the answer.
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second

	// idleTimeout is shorter than the time after which common servers close a kept connection (Node.js and Apache: 5 s), lest a
	// request be written into a closing one: it could not be sent again. net/http compares it with the wall clock too, so
	// connections that slept through a freeze of the Lambda sandbox are not used.
	idleTimeout = 4 * time.Second

	// Fewer connections are kept than half of the 1,024 file descriptors of a Lambda function, and all of them may be to one host: many
	// endpoints can be on one, and to dial anew for each costs more than the attempt.
	maxIdle = 448

	// maxHeaderBytes bounds the headers of a response, which are read whole and thrown away.
	maxHeaderBytes = 64 << 10

	// What an HTTP/2 peer may send unasked: by default 4 MiB for each request, of which we want relay.MaxResponseBytes.
	streamWindow     = 16 << 10
	connectionWindow = 1 << 20

	// An HTTP/2 connection is shared by all attempts at an endpoint, so that a dead one fails them all until it is found out.
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second
)

var (
	// ErrGuard: the guard refuses the address or port.
	ErrGuard = errors.New("egress: refused by the guard")
	// ErrRequest: the URL or a header is malformed; the message says which header, but never a value.
	ErrRequest = errors.New("egress: malformed request")
)

// Options are for New. The zero value is meant for production.
type Options struct {
	Unguarded bool // POST to any address and port: for development against one's own machine, never in production
}

// Client POSTs to endpoints and keeps connections to them for a few seconds. It is safe for concurrent use.
type Client struct {
	transport *http.Transport
}

var _ relay.Poster = (*Client)(nil)

// New returns a Client with connections of its own.
func New(o Options) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !o.Unguarded {
		dialer.Control = except(letThrough, guard(ssrf.New()))
	}
	return newClient(dialer, nil)
}

func newClient(dialer *net.Dialer, roots *x509.CertPool) *Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	return &Client{&http.Transport{
		DialContext:            dialer.DialContext,
		DialTLSContext:         dialTLS(dialer, config),
		Protocols:              &protocols,
		DisableCompression:     true, // else net/http asks for gzip and unpacks what it gets
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connectionWindow,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
		},
	}}
}

// letThrough is an IP address that the guard lets through, on any port: empty in every build but that of a test which runs the whole
// relay on one machine. It is set where the program is linked (-ldflags "-X webhook-relay/shared/egress.letThrough=127.0.0.1") and
// nowhere else: what is deployed has no switch that an environment could throw.
var letThrough string

// except lets one address through and leaves all others to judge. What is no address lets nothing through.
func except(address string, judge control) control {
	exempt, err := netip.ParseAddr(address)
	if err != nil {
		return judge
	}
	return func(network, address string, conn syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err == nil && to.Addr() == exempt {
			return nil
		}
		return judge(network, address, conn)
	}
}

// control is asked before a socket connects (net.Dialer); an error keeps it from doing so.
type control = func(network, address string, conn syscall.RawConn) error

// guard judges the address that a socket is about to connect to.
func guard(g *ssrf.Guardian) control {
	return func(network, address string, conn syscall.RawConn) error {
		if err := g.Safe(network, address, conn); err != nil {
			return fmt.Errorf("%w: %w", ErrGuard, err)
		}
		return nil
	}
}

// handshakeError is an error of the TLS handshake. Most of them have no type of their own, so they are known by where they arise.
type handshakeError struct{ cause error }

func (e handshakeError) Error() string { return "TLS handshake: " + e.cause.Error() }
func (e handshakeError) Unwrap() error { return e.cause }

func dialTLS(dialer *net.Dialer, config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		config := config.Clone()
		config.ServerName = host
		secure := tls.Client(conn, config)
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, handshakeError{err}
		}
		return secure, nil
	}
}

// Post makes one attempt within p.Timeout. What it returns is told in the package comment.
func (c *Client) Post(ctx context.Context, p relay.Post) (relay.Reply, error) {
	attempt, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	req, err := newRequest(attempt, p)
	if err != nil {
		return relay.Reply{}, &relay.PostError{Outcome: relay.Blocked, Err: err}
	}
	resp, err := c.transport.RoundTrip(req) // not an http.Client, which would follow redirects and quote the URL in its errors
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return relay.Reply{}, fmt.Errorf("egress: POST abandoned: %w", ctx.Err())
	case attempt.Err() != nil:
		return relay.Reply{}, &relay.PostError{Outcome: relay.TimedOut, Err: told{"no answer within " + p.Timeout.String(), err}}
	default:
		return relay.Reply{}, explain(err)
	}
	defer func() { _ = resp.Body.Close() }() // drops the connection if there is more to read
	body, _ := io.ReadAll(io.LimitReader(resp.Body, relay.MaxResponseBytes))
	return relay.Reply{StatusCode: resp.StatusCode, Body: body}, nil
}

func newRequest(ctx context.Context, p relay.Post) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: URL cannot be parsed", ErrRequest) // err quotes it
	}
	if u := req.URL; (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("%w: URL must have scheme http or https, a host, and no user or password", ErrRequest)
	}
	for name, value := range p.Header {
		switch {
		case !isToken(name):
			return nil, fmt.Errorf("%w: a header's name has a character that is not allowed", ErrRequest)
		case strings.ContainsFunc(value, isControl):
			return nil, fmt.Errorf("%w: header %s has a control character", ErrRequest, name)
		}
		req.Header[headerKey(name)] = []string{value}
	}
	return req, nil
}

// headerKey returns the name in the usual spelling, but for those that tell net/http to send a POST again after the endpoint
// may have seen it: it knows them only in that spelling.
func headerKey(name string) string {
	switch key := http.CanonicalHeaderKey(name); key {
	case "Idempotency-Key", "X-Idempotency-Key":
		return strings.ToLower(name)
	default:
		return key
	}
}

// isToken tells whether s is a token of RFC 9110, section 5.6.2, as a header's name must be.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
