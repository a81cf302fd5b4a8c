package egress

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// letThrough is an IP address that the guard lets through, on any port: empty in every build but that of a test which runs the whole
// relay on one machine. It is set where the program is linked (-ldflags "-X webhook-relay/shared/egress.letThrough=127.0.0.1") and
// nowhere else: what is deployed has no switch that an environment could throw.
var letThrough string

// control is asked before a socket connects (net.Dialer); an error keeps it from doing so.
type control = func(network, address string, conn syscall.RawConn) error

// guard judges the address that a socket is about to connect to. The library's lists of prefixes are generated from IANA's registries.
func guard(options ...ssrf.Option) control {
	prefixes := ssrf.New(options...)
	return func(network, address string, conn syscall.RawConn) error {
		if err := prefixes.Safe(network, address, conn); err != nil {
			return fmt.Errorf("%w: %w", ErrGuard, err)
		}
		if to, _ := netip.ParseAddrPort(address); isISATAP(to.Addr()) { // parsed above, too
			return fmt.Errorf("%w: %s is a tunnel to an IPv4 address (ISATAP)", ErrGuard, to.Addr())
		}
		return nil
	}
}

// CheckAddress tells what the guard will say to an endpoint at an address: ErrGuard, or nil.
func CheckAddress(a netip.Addr) error {
	a = a.Unmap() // as the dialer does
	network := "tcp4"
	if a.Is6() {
		network = "tcp6"
	}
	return guard()(network, netip.AddrPortFrom(a, 443).String(), nil)
}

// isISATAP tells whether an address has an interface identifier of RFC 5214, section 6.1: 0000:5efe or 0200:5efe (which says that what
// follows is globally unique) and an IPv4 address, under a prefix like any other.
func isISATAP(a netip.Addr) bool {
	const unique = 0x0200_0000
	b := a.As16()
	return binary.BigEndian.Uint32(b[8:])&^unique == 0x5efe
}

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
