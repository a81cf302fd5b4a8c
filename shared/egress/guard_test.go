package egress_test

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"code.dny.dev/ssrf"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
)

func TestGuardRefuses(t *testing.T) {
	t.Parallel()
	hosts := map[string]string{
		"this network, 0.0.0.0":                "0.0.0.0",
		"this network":                         "0.1.2.3",
		"loopback":                             "127.0.0.1",
		"loopback, far end":                    "127.255.255.254",
		"Lambda runtime API":                   "127.0.0.1:9001",
		"private 10/8":                         "10.0.0.1",
		"private 10/8, far end":                "10.255.255.255",
		"private 172.16/12":                    "172.16.0.1",
		"private 172.16/12, far end":           "172.31.255.254",
		"private 192.168/16":                   "192.168.1.1",
		"carrier-grade NAT":                    "100.64.0.1",
		"carrier-grade NAT, far end":           "100.127.255.254",
		"Alibaba metadata":                     "100.100.100.200",
		"link-local":                           "169.254.0.1",
		"EC2 metadata":                         "169.254.169.254",
		"EC2 metadata over TLS":                "169.254.169.254:443",
		"ECS credentials":                      "169.254.170.2",
		"Lambda name server":                   "169.254.169.253",
		"X-Ray daemon":                         "169.254.79.129",
		"X-Ray daemon, its port":               "169.254.79.129:2000",
		"IETF protocol assignments":            "192.0.0.8",
		"Oracle metadata":                      "192.0.0.192",
		"documentation 1":                      "192.0.2.1",
		"documentation 2":                      "198.51.100.1",
		"documentation 3":                      "203.0.113.1",
		"AS112":                                "192.31.196.1",
		"AMT":                                  "192.52.193.1",
		"AS112, direct delegation":             "192.175.48.1",
		"6to4 relay":                           "192.88.99.1",
		"benchmarking":                         "198.18.0.1",
		"benchmarking, far end":                "198.19.255.255",
		"multicast":                            "224.0.0.1",
		"multicast, far end":                   "239.255.255.255",
		"reserved":                             "240.0.0.1",
		"broadcast":                            "255.255.255.255",
		"unspecified, IPv6":                    "[::]",
		"loopback, IPv6":                       "[::1]",
		"IPv4-mapped loopback":                 "[::ffff:127.0.0.1]",
		"IPv4-mapped private":                  "[::ffff:10.0.0.1]",
		"IPv4-mapped metadata, in hexadecimal": "[::ffff:a9fe:a9fe]",
		"IPv4-compatible":                      "[::127.0.0.1]",
		"IPv4-translated":                      "[::ffff:0:127.0.0.1]",
		"NAT64, loopback":                      "[64:ff9b::7f00:1]",
		"NAT64, public":                        "[64:ff9b::808:808]",
		"NAT64, local use":                     "[64:ff9b:1::a00:1]",
		"discard-only":                         "[100::1]",
		"Teredo":                               "[2001::1]",
		"benchmarking, IPv6":                   "[2001:2::1]",
		"ORCHIDv2":                             "[2001:20::1]",
		"documentation, IPv6":                  "[2001:db8::1]",
		"documentation, IPv6, new":             "[3fff::1]",
		"6to4 of a private address":            "[2002:a00:1::1]",
		"AS112, IPv6":                          "[2620:4f:8000::1]",
		"segment routing":                      "[5f00::1]",
		"unique local":                         "[fc00::1]",
		"EC2 metadata, IPv6":                   "[fd00:ec2::254]",
		"ECS credentials, IPv6":                "[fd00:ec2::23]",
		"link-local, IPv6":                     "[fe80::1]",
		"link-local with zone":                 "[fe80::1%25lo]",
		"site-local":                           "[fec0::1]",
		"multicast, IPv6":                      "[ff02::1]",
		"outside global unicast":               "[4000::1]",
		"port 22":                              "8.8.8.8:22",
		"port 8080":                            "8.8.8.8:8080",
		"port 8443, IPv6":                      "[2606:4700::1111]:8443",
		"port 0":                               "8.8.8.8:0",
	}
	client := egress.New(egress.Options{})
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, scheme := range []string{"http", "https"} {
				_, err := client.Post(t.Context(), postTo(scheme+"://"+host, ample))
				wantOutcome(t, err, relay.Blocked)
				if !errors.Is(err, egress.ErrGuard) {
					t.Errorf("got %v, want %v", err, egress.ErrGuard)
				}
			}
		})
	}
}

// Spellings of loopback that some resolvers understand must not reach it either.
func TestGuardLetsNoOddSpellingThrough(t *testing.T) {
	t.Parallel()
	client := egress.NewWith(egress.Guard(ssrf.New()), resolver(nil), nil)
	for _, host := range []string{"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "localhost.", "127.0.0.1."} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			_, err := client.Post(t.Context(), postTo("http://"+host, ample))
			failed, ok := errors.AsType[*relay.PostError](err)
			if !ok || (failed.Outcome != relay.Blocked && failed.Outcome != relay.DNSFailed) {
				t.Errorf("got %v, want outcome %s or %s", err, relay.Blocked, relay.DNSFailed)
			}
		})
	}
}

func TestGuardLetsPublicAddressesThrough(t *testing.T) {
	t.Parallel()
	control := egress.Guard(ssrf.New())
	for address, network := range map[string]string{
		"8.8.8.8:80": "tcp4", "8.8.8.8:443": "tcp4", "172.15.255.255:443": "tcp4", "172.32.0.1:443": "tcp4", "100.63.255.255:443": "tcp4",
		"100.128.0.1:443": "tcp4", "[2606:4700::1111]:443": "tcp6", "[2a00::1]:80": "tcp6", "[2001:4860:4860::8888]:443": "tcp6",
	} {
		if err := control(network, address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// The guard of this test takes 127.0.0.2 for a public address.
func TestNamesAreJudgedByTheirAddresses(t *testing.T) {
	t.Parallel()
	const private, public = "127.0.0.3", "127.0.0.2" // addresses on which nothing else takes the same port
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
	guard := egress.Guard(ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix(public+"/32"))))
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
			t.Errorf("%s: got %d, %v, want the public address's answer", host, reply.StatusCode, err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to the private address", n)
	}
}

func TestUnguardedPostsToLoopback(t *testing.T) {
	t.Parallel()
	url, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := egress.New(egress.Options{Unguarded: true}).Post(t.Context(), postTo(url, ample)); err != nil {
		t.Error(err)
	}
}

func TestProxyOfTheEnvironmentIsNotAsked(t *testing.T) {
	url, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	proxy, asked := listen(t, "127.0.0.1:0", func(*net.TCPConn) {})
	t.Setenv("HTTP_PROXY", "http://"+proxy)
	t.Setenv("HTTPS_PROXY", "http://"+proxy)
	url = strings.Replace(url, "127.0.0.1", "hook.example", 1) // net/http never asks a proxy for loopback
	client := egress.NewWith(nil, resolver(map[string][]string{"hook.example": {"127.0.0.1"}}), nil)
	if _, err := client.Post(t.Context(), postTo(url, ample)); err != nil || asked.Load() != 0 {
		t.Errorf("got %v, the proxy was asked %d times", err, asked.Load())
	}
}

func TestMalformedRequestsAreNotSent(t *testing.T) {
	t.Parallel()
	url, connections := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	host := strings.TrimPrefix(url, "http://")
	tests := map[string]struct {
		url    string
		header relay.Header
	}{
		"value with CRLF":      {url, relay.Header{"x-a": "b\r\nx-" + secret + ": c"}},
		"value with LF":        {url, relay.Header{"x-a": "b\n" + secret}},
		"value with NUL":       {url, relay.Header{"x-a": secret + "\x00"}},
		"value with DEL":       {url, relay.Header{"x-a": secret + "\x7f"}},
		"name with CRLF":       {url, relay.Header{"x-a: b\r\nx-" + secret: "c"}},
		"name with colon":      {url, relay.Header{secret + ":": "c"}},
		"name with space":      {url, relay.Header{secret + " b": "c"}},
		"name beyond ASCII":    {url, relay.Header{secret + "é": "c"}},
		"name of nothing":      {url, relay.Header{"": secret}},
		"userinfo":             {"http://user:" + secret + "@" + host, nil},
		"scheme file":          {"file://" + host + "/" + secret, nil},
		"scheme ftp":           {"ftp://" + host + "/" + secret, nil},
		"no scheme":            {"//" + host, nil},
		"no host":              {"http:///" + secret, nil},
		"port without host":    {"http://" + host[strings.LastIndex(host, ":"):] + "/" + secret, nil},
		"empty":                {"", nil},
		"bad port":             {"http://127.0.0.1:" + secret, nil},
		"bad escape":           {url + "/%" + secret, nil},
		"control character":    {url + "/\n" + secret, nil},
		"bad userinfo":         {"http://us er:" + secret + "@" + host, nil},
		"opaque, not absolute": {"http:" + host, nil},
	}
	client := egress.New(egress.Options{Unguarded: true})
	for name, tt := range tests {
		_, err := client.Post(t.Context(), relay.Post{URL: tt.url, Header: tt.header, Timeout: ample})
		t.Log(name)
		wantOutcome(t, err, relay.Blocked)
		if !errors.Is(err, egress.ErrRequest) {
			t.Errorf("%s: got %v, want %v", name, err, egress.ErrRequest)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections made", n)
	}
}

func TestOurOwnExhaustionIsNoOutcome(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		client := egress.NewWith(func(string, string, syscall.RawConn) error { return cause }, nil, nil)
		_, err := client.Post(t.Context(), postTo("http://127.0.0.1", ample))
		if _, charged := errors.AsType[*relay.PostError](err); charged || !errors.Is(err, cause) {
			t.Errorf("got %#v, want %v and no outcome", err, cause)
		}
	}
}
