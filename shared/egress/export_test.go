package egress

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"syscall"
	"time"
)

// For tests.
var (
	Guard      = guard
	Except     = except
	LetThrough = letThrough

	ErrTooLarge = errTooLarge
)

// GuardOf is the guard of a Client with the given options.
func GuardOf(o Options) func(string, string, syscall.RawConn) error { return guard(o.ports()) }

// NewWith returns a Client whose addresses are judged by control (nil: not at all), whose names are resolved by resolver (nil: by
// the system) and whose certificates are signed by roots: tests have no public addresses.
func NewWith(control func(string, string, syscall.RawConn) error, resolver *net.Resolver, roots *x509.CertPool) *Client {
	return NewOver((&net.Dialer{Control: control, Resolver: resolver}).DialContext, roots)
}

// NewOver returns a Client that connects by dial.
func NewOver(dial func(context.Context, string, string) (net.Conn, error), roots *x509.CertPool) *Client {
	return newClient(Options{}, dial, roots)
}

// HTTPClient is that by which a Client fetches.
func (c *Client) HTTPClient(maxBytes int64) *http.Client { return c.httpClient(maxBytes) }

// CloseIdleConnections closes the connections that are kept.
func (c *Client) CloseIdleConnections() { c.usual.CloseIdleConnections() }

// SetClock lets a test say how old tokens are.
func (c *Client) SetClock(now func() time.Time) { c.tokens.now = now }
