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

// NewWith returns a Client for tests, which have no public addresses. control checks its addresses
// (nil: no check), resolver resolves its names (nil: the system), and roots sign its certificates.
func NewWith(
	control func(string, string, syscall.RawConn) error, resolver *net.Resolver,
	roots *x509.CertPool,
) *Client {
	return NewOver((&net.Dialer{Control: control, Resolver: resolver}).DialContext, roots)
}

// NewOver returns a Client that connects by dial.
func NewOver(
	dial func(context.Context, string, string) (net.Conn, error), roots *x509.CertPool,
) *Client {
	return newClient(Options{}, dial, roots)
}

// HTTPClient returns the client for fetches.
func (c *Client) HTTPClient(maxBytes int64) *http.Client { return c.httpClient(maxBytes) }

// CloseIdleConnections closes the connections that are kept.
func (c *Client) CloseIdleConnections() { c.usual.CloseIdleConnections() }

// SetClock sets the clock that tells the age of tokens.
func (c *Client) SetClock(now func() time.Time) { c.tokens.now = now }

// SetRoleClock sets the clock that tells the age of a role's credentials.
func (c *Client) SetRoleClock(now func() time.Time) { c.roles.now = now }
