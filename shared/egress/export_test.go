package egress

import (
	"crypto/x509"
	"net"
	"syscall"
)

// For tests.
var (
	Guard      = guard
	Except     = except
	LetThrough = letThrough
)

// NewWith returns a Client whose addresses are judged by control (nil: not at all), whose names are resolved by resolver (nil: by
// the system) and whose certificates are signed by roots: tests have no public addresses.
func NewWith(control func(string, string, syscall.RawConn) error, resolver *net.Resolver, roots *x509.CertPool) *Client {
	return newClient(&net.Dialer{Timeout: dialTimeout, Control: control, Resolver: resolver}, roots)
}
