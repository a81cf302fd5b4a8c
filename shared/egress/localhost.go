package egress

import (
	"context"
	"errors"
	"net"
	"strings"
)

// IsLocalhost reports whether a host name is this machine's, whatever a name server says:
// "localhost" or a name that ends in ".localhost" (RFC 6761, section 6.3).
func IsLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Localhost returns dial with one change: names of this machine are not looked up. They stand for
// its loopback addresses, and the first one that accepts a connection is used. A guard in dial
// checks these addresses like any others.
func Localhost(dial func(ctx context.Context, network, address string) (net.Conn, error),
) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || !IsLocalhost(host) {
			return dial(ctx, network, address)
		}
		conn, err := dial(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err == nil || errors.Is(err, ErrGuard) || ctx.Err() != nil {
			return conn, err
		}
		if conn, second := dial(ctx, network, net.JoinHostPort("::1", port)); second == nil {
			return conn, nil
		}
		return nil, err
	}
}
