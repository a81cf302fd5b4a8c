package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// The phases of an attempt.
const (
	connecting int32 = iota
	shaking
	sending
	waiting
	answering
)

// progress records how far a request has come, as reported by net/http.
type progress struct {
	phase  atomic.Int32 // set by net/http's goroutines
	times  times
	conn   net.Conn // the last connection that the request was sent on
	conns  int
	reused bool
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { p.times.dns.begin() },
		DNSDone:      func(httptrace.DNSDoneInfo) { p.times.dns.end() },
		ConnectStart: func(string, string) { p.times.connect.begin() },
		ConnectDone: func(_, _ string, err error) {
			if err == nil { // else the next address is tried, or it is over
				p.times.connect.end()
			}
		},
		TLSHandshakeStart: func() {
			p.phase.CompareAndSwap(connecting, shaking)
			p.times.tls.begin()
		},
		TLSHandshakeDone: func(tls.ConnectionState, error) { p.times.tls.end() },
		GotConn: func(got httptrace.GotConnInfo) {
			p.conn, p.reused = got.Conn, got.Reused
			p.conns++
			p.phase.Store(sending)
		},
		WroteRequest: func(wrote httptrace.WroteRequestInfo) {
			if wrote.Err == nil {
				p.phase.CompareAndSwap(sending, waiting)
				p.times.answer.begin()
			}
		},
		GotFirstResponseByte: func() {
			p.phase.Store(answering)
			p.times.answer.end()
		},
	}
}

// noteHandshake tells the request that its connection begins the handshake, and returns what tells
// it of the end. If a program dials TLS itself, net/http leaves these calls to it.
func noteHandshake(ctx context.Context) (done func(error)) {
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil || trace.TLSHandshakeStart == nil {
		return func(error) {}
	}
	trace.TLSHandshakeStart()
	return func(err error) { trace.TLSHandshakeDone(tls.ConnectionState{}, err) }
}

// missing returns what the request is waiting for.
func (p *progress) missing() string {
	switch p.phase.Load() {
	case connecting:
		return "no connection"
	case shaking:
		return "TLS handshake not finished"
	case sending:
		return "request not sent"
	case waiting:
		return "no answer"
	default:
		return "headers of the answer not complete"
	}
}

func (p *progress) isHTTP2() bool {
	secure, ok := p.conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

// refusedCertificate reports whether a new connection broke on which the server had asked for our
// certificate. A server that closes the connection right after its alert may reset it, and then the
// alert is lost.
func (p *progress) refusedCertificate() bool {
	secure, ok := p.conn.(*tls.Conn)
	if !ok || p.reused || p.phase.Load() == answering {
		return false
	}
	conn, ok := secure.NetConn().(*askingConn)
	return ok && conn.asked
}

// errRejected means that an HTTP/2 endpoint rejected a request as unprocessed twice.
var errRejected = errors.New("rejected as unprocessed twice")

// roundTrip sends a request and returns the answer. If the answer switches protocols, its body is
// the connection itself, which has no deadline. The body is closed unread then, because the client
// speaks no other protocol.
func roundTrip(
	transport *http.Transport, req *http.Request, seen *progress,
) (*http.Response, error) {
	resp, err := send(transport, req, seen)
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
	}
	return resp, err
}

// send sends a request, and sends it again in the cases that the package comment lists: if the
// connection was found closed before a byte of the request was written, and once more if an HTTP/2
// endpoint rejected it as unprocessed.
func send(transport *http.Transport, req *http.Request, seen *progress) (*http.Response, error) {
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), seen.trace()))
	if body := req.GetBody; body != nil {
		// net/http asks for the body each time it sends the request again. Without this limit it
		// would do so seven times.
		req.GetBody = func() (io.ReadCloser, error) {
			if seen.conns > 1 && seen.isHTTP2() {
				return nil, errRejected
			}
			return body()
		}
	}
	resp, err := transport.RoundTrip(req)
	if err == nil || !seen.reused || !foundClosed(err) || req.Body != nil && req.GetBody == nil {
		return resp, err
	}
	again := req.WithContext(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return transport.RoundTrip(again)
}

// foundClosed reports whether the endpoint had closed a kept connection before net/http began to
// write the request. In all other such cases net/http sends a POST again by itself. In this one it
// saw the connection's end after choosing the connection and before using it. The error has neither
// a type nor an exported name, so it is recognised by its text. A test checks the text.
func foundClosed(err error) bool { return err.Error() == "http: server closed idle connection" }
