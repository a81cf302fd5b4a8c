package egress

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// letThrough is an IP address that the guard allows, on any port. It is empty in every build except
// that of a test which runs the whole relay on one machine. It can only be set by the linker
// (-ldflags "-X webhook-relay/shared/egress.letThrough=127.0.0.1"), so a deployed program has no
// switch that its environment could turn.
var letThrough string

// control is called before a socket connects (net.Dialer). If it returns an error, the socket does
// not connect.
type control = func(network, address string, conn syscall.RawConn) error

// guard checks the address that a socket is about to connect to. The library's lists of prefixes
// are generated from IANA's registries.
func guard(options ...ssrf.Option) control {
	prefixes := ssrf.New(options...)
	return func(network, address string, conn syscall.RawConn) error {
		if err := prefixes.Safe(network, address, conn); err != nil {
			return fmt.Errorf("%w: %w", ErrGuard, err)
		}
		// Safe has parsed it already
		if to, _ := netip.ParseAddrPort(address); isISATAP(to.Addr()) {
			return fmt.Errorf("%w: %s is a tunnel to an IPv4 address (ISATAP)", ErrGuard, to.Addr())
		}
		return nil
	}
}

// CheckAddress returns what the guard will return for an endpoint at an address: ErrGuard, or nil.
func CheckAddress(a netip.Addr) error {
	a = a.Unmap() // as the dialer does
	network := "tcp4"
	if a.Is6() {
		network = "tcp6"
	}
	return guard()(network, netip.AddrPortFrom(a, 443).String(), nil)
}

// isISATAP reports whether an address has an interface identifier of RFC 5214, section 6.1:
// 0000:5efe or 0200:5efe (0200 marks the IPv4 address as globally unique), followed by an IPv4
// address. The prefix can be any.
func isISATAP(a netip.Addr) bool {
	const unique = 0x0200_0000
	b := a.As16()
	return binary.BigEndian.Uint32(b[8:])&^unique == 0x5efe
}

// except allows one address and leaves all others to judge. If address is not an IP address,
// nothing is excepted.
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
