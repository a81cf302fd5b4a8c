package egress

import (
	"context"
	"errors"
	"net"
	"strings"
)

// IsLocalhost tells whether a host's name is that of this machine, "localhost" or one that ends in ".localhost", whatever a name
// server says of it (RFC 6761, section 6.3).
func IsLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Localhost returns dial, for which the names of this machine need no name server: they are its loopback addresses, of which the
// first that can be connected to is taken. A guard that dial has judges these as any address.
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
