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

// progress is how far a request has come, as net/http tells it.
type progress struct {
	phase  atomic.Int32 // told from goroutines of net/http's
	conn   net.Conn     // the last one the request was given to
	conns  int
	reused bool
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeStart: func() { p.phase.CompareAndSwap(connecting, shaking) },
		GotConn: func(got httptrace.GotConnInfo) {
			p.conn, p.reused = got.Conn, got.Reused
			p.conns++
			p.phase.Store(sending)
		},
		WroteRequest: func(wrote httptrace.WroteRequestInfo) {
			if wrote.Err == nil {
				p.phase.CompareAndSwap(sending, waiting)
			}
		},
		GotFirstResponseByte: func() { p.phase.Store(answering) },
	}
}

// noteHandshake tells the request that asked for a connection that its handshake begins: net/http leaves that to who dials.
func noteHandshake(ctx context.Context) {
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
}

// missing is what the request waits for.
func (p *progress) missing() string {
	switch p.phase.Load() {
	case connecting:
		return "no connection"
	case shaking:
		return "no end of the TLS handshake"
	case sending:
		return "request not taken"
	case waiting:
		return "no answer"
	default:
		return "no end of the answer's headers"
	}
}

func (p *progress) isHTTP2() bool {
	secure, ok := p.conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

// refusedCertificate tells whether a new connection broke whose server had asked for our certificate. A server that closes the
// connection right after its alert may reset it, so that the alert is lost.
func (p *progress) refusedCertificate() bool {
	secure, ok := p.conn.(*tls.Conn)
	if !ok || p.reused || p.phase.Load() == answering {
		return false
	}
	conn, ok := secure.NetConn().(*askingConn)
	return ok && conn.asked
}

// errTurnedAway: an HTTP/2 endpoint turned a request away unprocessed, and again when it was sent anew.
var errTurnedAway = errors.New("turned away twice")

// roundTrip sends a request and returns the answer. The body of one that switches protocols is the connection itself, which knows no
// deadline: it is closed unread, since we speak nothing else.
func roundTrip(transport *http.Transport, req *http.Request, seen *progress) (*http.Response, error) {
	resp, err := send(transport, req, seen)
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
	}
	return resp, err
}

// send sends a request, and anew what the package comment says: on connections that were found dead before a byte of it was written,
// and once more what an HTTP/2 endpoint turned away.
func send(transport *http.Transport, req *http.Request, seen *progress) (*http.Response, error) {
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), seen.trace()))
	if body := req.GetBody; body != nil {
		// net/http asks for the body each time it sends the request anew; by itself it would do so seven times.
		req.GetBody = func() (io.ReadCloser, error) {
			if seen.conns > 1 && seen.isHTTP2() {
				return nil, errTurnedAway
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

// foundClosed tells whether the endpoint had closed a kept connection before net/http began to write a request to it. It sends a POST
// anew in all such cases but this one, in which the connection's end was seen between its choice and its use. Its error has neither a
// type nor an exported name, so it is known by its text; a test holds that.
func foundClosed(err error) bool { return err.Error() == "http: server closed idle connection" }
