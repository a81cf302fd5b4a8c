package egress_test

import (
	"encoding/csv"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"code.dny.dev/ssrf"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
)

// The files hold block, name and RFC of every row of the registries as of 2026-07-18:
// https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry. Globally reachable blocks are
// included: they belong to protocols, so they are not endpoints either.
func TestGuardRefusesWhatIANARegistersAsSpecial(t *testing.T) {
	t.Parallel()
	control := egress.Guard()
	for file, rows := range map[string]int{
		"testdata/iana-ipv4.csv": 26, "testdata/iana-ipv6.csv": 25,
	} {
		text, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = text.Close() })
		registry, err := csv.NewReader(text).ReadAll()
		if err != nil || len(registry) != rows+1 {
			t.Fatalf("%s: %d rows, %v, want %d", file, len(registry)-1, err, rows)
		}
		for _, row := range registry[1:] {
			block := netip.MustParsePrefix(row[0])
			for _, address := range []netip.Addr{block.Addr(), middle(block), last(block)} {
				if err := control(
					networkOf(address), netip.AddrPortFrom(address, 443).String(), nil,
				); !errors.Is(err, egress.ErrGuard) {
					t.Errorf(
						"%s of %s, %s: got %v, want %v", address, row[0], row[1], err,
						egress.ErrGuard,
					)
				}
			}
		}
	}
}

func networkOf(a netip.Addr) string {
	if a.Is4() {
		return "tcp4"
	}
	return "tcp6"
}

func last(p netip.Prefix) netip.Addr   { return plus(p, 1, 0) }
func middle(p netip.Prefix) netip.Addr { return plus(p, 2, 1) }

// plus returns the address that is (size of the prefix + spare)/divisor, less 1, after the prefix's
// start.
func plus(p netip.Prefix, divisor, spare int64) netip.Addr {
	size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	offset := size.Div(size.Add(size, big.NewInt(spare)), big.NewInt(divisor))
	sum := new(big.Int).Add(
		new(big.Int).SetBytes(p.Addr().AsSlice()), offset.Sub(offset, big.NewInt(1)),
	)
	address, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, p.Addr().BitLen()/8)))
	return address
}

func TestGuardLetsPublicAddressesThrough(t *testing.T) {
	t.Parallel()
	control := egress.Guard()
	for _, address := range []string{
		"8.8.8.8:80", "8.8.8.8:443", "172.15.255.255:443", "172.32.0.1:443", "100.63.255.255:443",
		"100.128.0.1:443", "192.0.1.1:443",
		"[2606:4700::1111]:443", "[2a00::1]:80", "[2001:4860:4860::8888]:443", "[2001:200::1]:443",
		"[2a00::5efe:a00:1:1]:443",
	} {
		if err := control(
			networkOf(netip.MustParseAddrPort(address).Addr()), address, nil,
		); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestPortsAreThoseOfTheWebAndThoseAllowed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allowed []uint16
		port    string
		want    error
	}{
		"HTTP":                     {nil, ":80", nil},
		"HTTPS":                    {nil, ":443", nil},
		"another":                  {nil, ":8443", egress.ErrGuard},
		"another that is allowed":  {[]uint16{8443}, ":8443", nil},
		"one that is not":          {[]uint16{8443}, ":8080", egress.ErrGuard},
		"HTTPS, beside an allowed": {[]uint16{8443}, ":443", nil},
		"SMTP":                     {[]uint16{8443}, ":25", egress.ErrGuard},
		"none":                     {nil, ":0", egress.ErrGuard},
	} {
		control := egress.GuardOf(egress.Options{Ports: tt.allowed})
		if err := control("tcp4", "8.8.8.8"+tt.port, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if err := control("tcp4", "10.0.0.1"+tt.port, nil); !errors.Is(err, egress.ErrGuard) {
			t.Errorf("%s, at a private address: got %v, want %v", name, err, egress.ErrGuard)
		}
	}
}

// The guard of this test treats 127.0.0.2 as a public address.
func TestNamesAreJudgedByTheirAddresses(t *testing.T) {
	t.Parallel()
	// addresses on which nothing else takes the same port
	const private, public = "127.0.0.3", "127.0.0.2"
	answer := func(conn *net.TCPConn) {
		readRequest(conn)
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
	}
	publicHost, _ := listen(t, public+":0", answer)
	_, port, _ := net.SplitHostPort(publicHost)
	_, connections := listen(t, private+":"+port, answer)
	names := resolver(map[string][]string{
		"public.example":  {public},
		"private.example": {private},
		"hidden.example":  {"10.0.0.1", private, "::1", "fd00:ec2::254"},
		"mixed.example":   {private, public},
		"mixed2.example":  {public, private},
		"both.example":    {"::1", public},
	})
	guard := egress.Guard(
		ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix(public+"/32")),
	)
	client := egress.NewWith(guard, names, nil)

	for host, refused := range map[string]bool{
		"public.example": false, "private.example": true, "hidden.example": true,
		"mixed.example": false, "mixed2.example": false, "both.example": false,
	} {
		reply, err := client.Post(t.Context(), postTo("http://"+host+":"+port, ample))
		switch {
		case refused:
			wantOutcome(t, err, relay.Blocked)
		case err != nil || reply.StatusCode != http.StatusNoContent:
			t.Errorf(
				"%s: got %d, %v, want the public address's answer", host, reply.StatusCode, err,
			)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to the private address", n)
	}
}

// A name that was public when it was looked up for the first connection is checked again for the
// second.
func TestRebindingIsSeen(t *testing.T) {
	t.Parallel()
	const public = "127.0.0.2"
	host, _ := listen(t, public+":0", func(conn *net.TCPConn) {
		readRequest(conn)
		write(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	_, port, _ := net.SplitHostPort(host)
	addresses := map[string][]string{"rebinds.example": {public}}
	guard := egress.Guard(
		ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix(public+"/32")),
	)
	client := egress.NewWith(guard, resolver(addresses), nil)
	if _, err := client.Post(
		t.Context(), postTo("http://rebinds.example:"+port, ample),
	); err != nil {
		t.Fatal(err)
	}
	addresses["rebinds.example"] = []string{"169.254.169.254"}
	_, err := client.Post(t.Context(), postTo("http://rebinds.example:"+port, ample))
	wantOutcome(t, err, relay.Blocked)
}

func TestUnguardedPostsToLoopback(t *testing.T) {
	t.Parallel()
	url, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := unguarded().Post(t.Context(), postTo(url, ample)); err != nil {
		t.Error(err)
	}
}

func TestProxyOfTheEnvironmentIsNotAsked(t *testing.T) {
	url, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	proxy, asked := listen(t, "127.0.0.1:0", func(*net.TCPConn) {})
	t.Setenv("HTTP_PROXY", "http://"+proxy)
	t.Setenv("HTTPS_PROXY", "http://"+proxy)
	// net/http never asks a proxy for loopback
	url = strings.Replace(url, "127.0.0.1", "hook.example", 1)
	client := egress.NewWith(nil, resolver(map[string][]string{"hook.example": {"127.0.0.1"}}), nil)
	if _, err := client.Post(t.Context(), postTo(url, ample)); err != nil || asked.Load() != 0 {
		t.Errorf("got %v, the proxy was asked %d times", err, asked.Load())
	}
}
