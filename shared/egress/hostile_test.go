package egress_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// The timeouts of attempts that are meant to time out: brief leaves time for a connection, slow for
// a handshake too.
const (
	brief = 150 * time.Millisecond
	slow  = 500 * time.Millisecond
)

// goodAddress is the only address of this machine that the guard of these tests treats as public.
const goodAddress = "127.0.0.2"

// hostile is one way to abuse the relay, and its expected result.
type hostile struct {
	// the URL to call if the case has no endpoint; else the endpoint:
	url  string
	name string // the endpoint's name; default: good.test
	// after its first answer, its name resolves to a private address
	rebinds bool
	// the endpoint over TCP; url is then its scheme, default: http
	serve   func(*net.TCPConn)
	serve2  func(p peer2, stream uint32) (ok bool) // the endpoint's answer to a request of HTTP/2
	hello   []byte                                 // frames sent before that, beside the usual ones
	header  relay.Header
	body    []byte
	tls     *catalog.TLS
	timeout time.Duration // default: ample

	want   relay.Outcome // "" if an answer is expected, with this status:
	status int
	reason string // text in the error
	is     error
	most   int32 // largest number of requests that may reach the endpoint of HTTP/2
}

// blockedAt is an address that the guard refuses.
func blockedAt(host, reason string) hostile {
	return hostile{url: "http://" + host, want: relay.Blocked, reason: reason, is: egress.ErrGuard}
}

// malformed is a URL that is rejected before it is looked up.
func malformed(url string) hostile {
	return hostile{url: url, want: relay.Blocked, reason: "URL", is: egress.ErrRequest}
}

// injected is a header that is rejected.
func injected(name, value string) hostile {
	return hostile{
		url: "http://good.test", header: relay.Header{name: value}, want: relay.Blocked,
		reason: "header", is: egress.ErrRequest,
	}
}

// Each case gives its outcome and a reason, and leaves the client as it was: the next request, to
// another endpoint, succeeds. In the end there are no more connections and goroutines than before.
// So this test runs alone.
func TestHostile(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("cases", func(t *testing.T) {
		ca := newAuthority(t)
		good := ca.issue(t, "good.test", time.Now().Add(time.Hour))
		for name, h := range cases(t, ca, good) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h.run(t, ca, good)
			})
		}
	})
	for range 500 { // closing takes its time
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf(
		"%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before,
		stacks[:runtime.Stack(stacks, true)],
	)
}

func cases(t *testing.T, ca authority, good tls.Certificate) map[string]hostile {
	t.Helper()
	const head = "HTTP/1.1 200 OK\r\n"
	secure := func(c tls.Certificate, newest uint16) func(*net.TCPConn) {
		config := &tls.Config{
			Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10, MaxVersion: newest,
		}
		return func(conn *net.TCPConn) { _ = tls.Server(conn, config).Handshake() }
	}
	says := func(s string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) { readRequest(conn); write(conn, s) }
	}
	saysAnd := func(s string, then func(net.Conn)) func(*net.TCPConn) {
		return func(conn *net.TCPConn) { readRequest(conn); write(conn, s); then(conn) }
	}
	floods := func(s string) func(net.Conn) { return func(conn net.Conn) { flood(conn, s) } }
	echo := func(prefix string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) { write(conn, prefix+string(readRequest(conn))) }
	}
	send := func(frames ...[]byte) func(peer2, uint32) bool {
		return func(p peer2, _ uint32) bool { p.send(frames...); return true }
	}
	floods2 := func(frames ...[]byte) func(peer2, uint32) bool {
		return func(p peer2, _ uint32) bool { p.flood(frames...); return false }
	}
	resets := func(code uint32) func(peer2, uint32) bool {
		return func(p peer2, stream uint32) bool { p.send(reset(stream, code)); return true }
	}
	window0, answers1 := setting(initialWindow, 0), frame(frameHeaders, endHeaders, 1, status200)
	hint := frame(frameHeaders, endHeaders, 1, 0x08, 3, '1', '0', '3')
	large := make([]byte, 8<<20)
	expired := ca.issue(t, "good.test", time.Now().Add(-time.Hour))
	otherName := ca.issue(t, "other.test", time.Now().Add(time.Hour))
	selfSigned := newAuthority(t)
	certificate, _ := pemOf(t, good)
	_, otherKey := pemOf(t, otherName)

	return map[string]hostile{
		// Addresses, of every class.
		"unspecified":                      blockedAt("0.0.0.0", "0.0.0.0/8"),
		"this network":                     blockedAt("0.1.2.3", "0.0.0.0/8"),
		"loopback":                         blockedAt("127.0.0.1", "127.0.0.0/8"),
		"loopback, far end":                blockedAt("127.255.255.254", "127.0.0.0/8"),
		"Lambda runtime API":               blockedAt("127.0.0.1:9001", "port"),
		"Lambda runtime API, port 80":      blockedAt("127.0.0.1:80", "127.0.0.0/8"),
		"private 10/8":                     blockedAt("10.255.255.255", "10.0.0.0/8"),
		"private 172.16/12":                blockedAt("172.31.255.254", "172.16.0.0/12"),
		"private 192.168/16":               blockedAt("192.168.1.1", "192.168.0.0/16"),
		"carrier-grade NAT":                blockedAt("100.127.255.254", "100.64.0.0/10"),
		"Alibaba metadata":                 blockedAt("100.100.100.200", "100.64.0.0/10"),
		"link-local":                       blockedAt("169.254.0.1", "169.254.0.0/16"),
		"EC2 metadata":                     blockedAt("169.254.169.254", "169.254.0.0/16"),
		"ECS credentials and metadata":     blockedAt("169.254.170.2", "169.254.0.0/16"),
		"EKS pod identity":                 blockedAt("169.254.170.23", "169.254.0.0/16"),
		"Amazon name server":               blockedAt("169.254.169.253", "169.254.0.0/16"),
		"Amazon time":                      blockedAt("169.254.169.123", "169.254.0.0/16"),
		"X-Ray daemon":                     blockedAt("169.254.79.129", "169.254.0.0/16"),
		"Oracle metadata":                  blockedAt("192.0.0.192", "192.0.0.0/24"),
		"documentation":                    blockedAt("203.0.113.1", "203.0.113.0/24"),
		"6to4 relay":                       blockedAt("192.88.99.1", "192.88.99.0/24"),
		"benchmarking":                     blockedAt("198.19.255.255", "198.18.0.0/15"),
		"multicast":                        blockedAt("239.255.255.255", "224.0.0.0/4"),
		"reserved":                         blockedAt("240.0.0.1", "240.0.0.0/4"),
		"broadcast":                        blockedAt("255.255.255.255", "240.0.0.0/4"),
		"unspecified, IPv6":                blockedAt("[::]", "Global Unicast"),
		"loopback, IPv6":                   blockedAt("[::1]", "Global Unicast"),
		"IPv4-mapped":                      blockedAt("[::ffff:127.0.0.1]", "127.0.0.0/8"),
		"IPv4-mapped, in hexadecimal":      blockedAt("[::ffff:a9fe:a9fe]", "169.254.0.0/16"),
		"IPv4-mapped, written out":         blockedAt("[0:0:0:0:0:FFFF:10.0.0.1]", "10.0.0.0/8"),
		"IPv4-compatible":                  blockedAt("[::127.0.0.1]", "Global Unicast"),
		"IPv4-translated":                  blockedAt("[::ffff:0:127.0.0.1]", "Global Unicast"),
		"NAT64 of loopback":                blockedAt("[64:ff9b::7f00:1]", "Global Unicast"),
		"NAT64 of a public address":        blockedAt("[64:ff9b::808:808]", "Global Unicast"),
		"NAT64, local use":                 blockedAt("[64:ff9b:1::a00:1]", "Global Unicast"),
		"discard-only":                     blockedAt("[100::1]", "Global Unicast"),
		"Teredo":                           blockedAt("[2001:0:7f00:1::]", "2001::/23"),
		"ORCHIDv2":                         blockedAt("[2001:20::1]", "2001::/23"),
		"documentation, IPv6":              blockedAt("[2001:db8::1]", "2001:db8::/32"),
		"6to4 of a private address":        blockedAt("[2002:a00:1::1]", "2002::/16"),
		"ISATAP of a private address":      blockedAt("[2606:4700::5efe:a00:1]", "ISATAP"),
		"ISATAP, globally unique":          blockedAt("[2606:4700::200:5efe:808:808]", "ISATAP"),
		"segment routing":                  blockedAt("[5f00::1]", "Global Unicast"),
		"unique local":                     blockedAt("[fc00::1]", "Global Unicast"),
		"EC2 metadata, IPv6":               blockedAt("[fd00:ec2::254]", "Global Unicast"),
		"ECS credentials, IPv6":            blockedAt("[fd00:ec2::23]", "Global Unicast"),
		"link-local, IPv6":                 blockedAt("[fe80::1]", "Global Unicast"),
		"link-local with zone":             blockedAt("[fe80::1%25lo]", "Global Unicast"),
		"public with zone":                 blockedAt("[2606:4700::1111%25lo]", "Global Unicast"),
		"site-local":                       blockedAt("[fec0::1]", "Global Unicast"),
		"multicast, IPv6":                  blockedAt("[ff02::1]", "Global Unicast"),
		"unassigned, IPv6":                 blockedAt("[4000::1]", "Global Unicast"),
		"port of SSH":                      blockedAt("8.8.8.8:22", "port"),
		"port of a proxy":                  blockedAt("8.8.8.8:8080", "port"),
		"name of a private address":        blockedAt("private.test", "10.0.0.0/8"),
		"name of many private addresses":   blockedAt("hidden.test", "refused by the guard"),
		"name of a private and a dead one": blockedAt("mixed.test", "127.0.0.0/8"),
		"name of loopback":                 blockedAt("localhost", "127.0.0.0/8"),
		"loopback's name, upper case":      blockedAt("LOCALHOST", "127.0.0.0/8"),
		"loopback's name, circled letters": blockedAt("ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "127.0.0.0/8"),
		"loopback in wide digits":          blockedAt("１２７.０.０.１", "127.0.0.0/8"),
		"loopback with ideographic dots":   blockedAt("127。0。0。1", "127.0.0.0/8"),

		// Spellings that some resolvers read as an address. Ours looks them up as names, and they
		// do not exist.
		"loopback, short": {url: "http://127.1", want: relay.DNSFailed, reason: "127.1"},
		"loopback, decimal": {
			url: "http://2130706433", want: relay.DNSFailed, reason: "2130706433",
		},
		"loopback, hexadecimal": {
			url: "http://0x7f000001", want: relay.DNSFailed, reason: "0x7f000001",
		},
		"loopback, octal": {
			url: "http://0177.0.0.1", want: relay.DNSFailed, reason: "0177.0.0.1",
		},
		"loopback, trailing dot": {
			url: "http://127.0.0.1.", want: relay.DNSFailed, reason: "127.0.0.1.",
		},
		"metadata, mixed radices": {
			url: "http://0xa9.254.0251.254", want: relay.DNSFailed, reason: "no such host",
		},
		"a name that is not there": {
			url: "https://missing.test", want: relay.DNSFailed, reason: "no such host",
		},

		// Names with public and private addresses, of which only the public ones are dialled; and
		// DNS answers that lead elsewhere.
		"private, then public": {
			serve: says(head + "\r\n"), name: "mixed.test", status: 200,
		},
		"public, then private": {
			serve: says(head + "\r\n"), name: "mixed2.test", status: 200,
		},
		"dead, then private": {
			url: "http://mixed2.test", want: relay.Unreachable, reason: "connection refused",
		},
		"private once it was public": {
			serve: says(head + "Connection: close\r\n\r\n"), rebinds: true, want: relay.Blocked,
			reason: "refused by the guard", is: egress.ErrGuard,
		},
		"redirects to metadata": {
			serve:  says("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"),
			status: 302,
		},
		"redirects the POST": {
			serve: says(
				"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://private.test/\r\n\r\n",
			),
			status: 307,
		},
		"redirects without an end": {
			serve: says("HTTP/1.1 308 Permanent Redirect\r\nLocation: /\r\n\r\n"), status: 308,
		},
		"redirects to another scheme": {
			serve: says(
				"HTTP/1.1 301 Moved Permanently\r\nLocation: file:///proc/self/environ\r\n\r\n",
			),
			status: 301,
		},

		// URLs and headers.
		"port 0, IPv6":               malformed("http://[2606:4700::1111]:0"),
		"port beyond all":            malformed("http://good.test:65536"),
		"port that wraps to 80":      malformed("http://good.test:65616"),
		"percent-encoded loopback":   malformed("http://%31%32%37.0.0.1"),
		"userinfo":                   malformed("http://user:" + secret + "@good.test"),
		"userinfo that looks a host": malformed("http://good.test@127.0.0.1"),
		"bad userinfo":               malformed("http://us er:" + secret + "@good.test"),
		"backslash before the host":  malformed("http://good.test\\@127.0.0.1"),
		"scheme file":                malformed("file:///proc/self/environ"),
		"scheme ftp":                 malformed("ftp://good.test/" + secret),
		"scheme gopher":              malformed("gopher://good.test/" + secret),
		"no scheme":                  malformed("//good.test"),
		"no host":                    malformed("http:///" + secret),
		"port without host":          malformed("http://:80"),
		"empty":                      malformed(""),
		"opaque":                     malformed("http:good.test"),
		"port that is none":          malformed("http://good.test:" + secret),
		"bad escape":                 malformed("http://good.test/%" + secret),
		"line break in the URL":      malformed("http://good.test/\r\nx-" + secret + ": a"),
		"bracket open":               malformed("http://[::1/"),
		"header's value with CRLF":   injected("x-a", "b\r\nx-"+secret+": c"),
		"header's value with LF":     injected("x-a", "b\n"+secret),
		"header's value with NUL":    injected("x-a", secret+"\x00"),
		"header's value with DEL":    injected("x-a", secret+"\x7f"),
		"header's name with CRLF":    injected("x-a: b\r\nx-"+secret, "c"),
		"header's name with colon":   injected(secret+":", "c"),
		"header's name with space":   injected(secret+" b", "c"),
		"header's name beyond ASCII": injected(secret+"é", "c"),
		"header's name of nothing":   injected("", secret),
		"client certificate is none": {
			url:  "https://good.test",
			tls:  &catalog.TLS{Certificate: []byte(secret), Key: []byte(secret)},
			want: relay.Blocked, reason: "client certificate", is: egress.ErrRequest,
		},
		"another certificate's key": {
			url: "https://good.test", tls: &catalog.TLS{Certificate: certificate, Key: otherKey},
			want: relay.Blocked, reason: "client certificate", is: egress.ErrRequest,
		},
		"authorities without any": {
			url: "https://good.test", tls: &catalog.TLS{Authorities: []byte(secret)},
			want: relay.Blocked, reason: "authorities", is: egress.ErrRequest,
		},
		"certificate without its key": {
			url: "https://good.test", tls: &catalog.TLS{Certificate: certificate},
			want: relay.Blocked, reason: "client certificate", is: egress.ErrRequest,
		},

		// Handshakes.
		"wrong host": {
			serve: secure(otherName, tls.VersionTLS13), url: "https", want: relay.TLSFailed,
			reason: "other.test",
		},
		"expired": {
			serve: secure(expired, tls.VersionTLS13), url: "https", want: relay.TLSFailed,
			reason: "expired",
		},
		"self-signed": {
			serve: secure(
				selfSigned.issue(t, "good.test", time.Now().Add(time.Hour)), tls.VersionTLS13,
			),
			url: "https", want: relay.TLSFailed, reason: "unknown authority",
		},
		"TLS 1.1": {
			serve: secure(good, tls.VersionTLS11), url: "https", want: relay.TLSFailed,
			reason: "protocol version",
		},
		"no TLS": {serve: func(conn *net.TCPConn) {
			write(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			untilGone(conn)
		}, url: "https", want: relay.TLSFailed, reason: "TLS handshake"},
		"handshake closes": {serve: func(conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 1<<10))
		}, url: "https", want: relay.TLSFailed, reason: "TLS handshake"},
		"handshake hangs": {serve: func(conn *net.TCPConn) {
			untilGone(conn)
		}, url: "https", timeout: brief, want: relay.TimedOut,
			reason: "no end of the TLS handshake within 150ms"},
		"handshake drips": {serve: func(conn *net.TCPConn) {
			write(conn, "\x16\x03\x03\x3f\xff")
			drip(conn)
		}, url: "https", timeout: brief, want: relay.TimedOut,
			reason: "no end of the TLS handshake"},

		// Malformed HTTP/1.1 answers.
		"hangs": {
			serve: saysAnd("", untilGone), timeout: brief, want: relay.TimedOut,
			reason: "no answer within 150ms",
		},
		"reads nothing": {serve: func(*net.TCPConn) {
			<-t.Context().Done()
		}, body: large, timeout: brief, want: relay.TimedOut,
			reason: "request not taken within 150ms"},
		"half a status": {
			serve: saysAnd("HTTP/1.1 20", untilGone), timeout: brief, want: relay.TimedOut,
			reason: "no end of the answer's headers within 150ms",
		},
		"headers never end": {
			serve: saysAnd(head+"A: b\r\n", untilGone), timeout: brief, want: relay.TimedOut,
			reason: "no end of the answer's headers",
		},
		"headers drip": {
			serve: saysAnd(head+"A: ", drip), timeout: brief, want: relay.TimedOut,
			reason: "no end of the answer's headers",
		},
		"headers flood": {
			serve: saysAnd(head, floods("A: b\r\n")), want: relay.Broken, reason: "65536 bytes",
		},
		"one endless header": {
			serve: saysAnd(head+"A: ", floods("b")), want: relay.Broken, reason: "65536 bytes",
		},
		"headers of 80 KiB": {
			serve: says(head + strings.Repeat("A: 345\r\n", 80<<10/8) + "\r\n"), want: relay.Broken,
			reason: "65536 bytes",
		},
		"endless 1xx": {
			serve: saysAnd("", floods("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")),
			want:  relay.Broken, reason: "no answer in HTTP",
		},
		"closes at once": {
			serve: func(*net.TCPConn) {}, want: relay.Broken, reason: "connection",
		},
		"closes after reading": {
			serve: says(""), want: relay.Broken, reason: "closed before an answer",
		},
		"closes in the middle": {serve: func(conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 64<<10))
		}, body: large, want: relay.Broken, reason: "before an answer"},
		"closes in the status": {
			serve: says("HTTP/1.1 2"), want: relay.Broken, reason: "no answer in HTTP",
		},
		"resets": {serve: func(conn *net.TCPConn) {
			readRequest(conn)
			_ = conn.SetLinger(0)
		}, want: relay.Broken, reason: "reset before an answer"},
		"speaks no HTTP": {
			serve: says("220 mail ready\r\n"), want: relay.Broken, reason: "no answer in HTTP",
		},
		"speaks HTTP/2 unasked": {
			serve: says(string(frame(frameSettings, 0, 0))), want: relay.Broken,
			reason: "no answer in HTTP",
		},
		"echoes": {serve: echo(""), want: relay.Broken, reason: "no answer in HTTP"},
		"echoes in the headers": {
			serve: echo(head), want: relay.Broken, reason: "no answer in HTTP",
		},
		"length that is none": {
			serve: says(head + "Content-Length: " + secret + "\r\n\r\n"), want: relay.Broken,
			reason: "no answer in HTTP",
		},
		"two lengths": {
			serve: says(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
			want:  relay.Broken, reason: "no answer in HTTP",
		},
		"unknown coding": {
			serve: says(head + "Transfer-Encoding: " + secret + "\r\n\r\n"), want: relay.Broken,
			reason: "no answer in HTTP",
		},
		"status of four digits": {
			serve: says("HTTP/1.1 2000 OK\r\n\r\n"), want: relay.Broken,
			reason: "no answer in HTTP",
		},
		"version of the future": {
			serve: says("HTTP/9.9 200 OK " + secret + "\r\n\r\n"), want: "", status: 200,
		},
		"redirect to metadata": {
			serve: says(
				"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n",
			),
			status: 302,
		},
		"redirect that repeats": {
			serve: says(
				"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
			),
			status: 307,
		},
		"answers before reading": {serve: func(conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 1<<10))
			write(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
			untilGone(conn)
		}, body: large, status: 413},
		"switches protocols": {
			serve: saysAnd(
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
				untilGone,
			),
			timeout: brief, status: 101,
		},
		"body drips":      {serve: saysAnd(head+"\r\n", drip), timeout: brief, status: 200},
		"body never ends": {serve: saysAnd(head+"\r\n", floods("b")), status: 200},
		"body shorter than said": {
			serve: says(head + "Content-Length: 100\r\n\r\nab"), status: 200,
		},
		"chunk of 16 EiB": {
			serve:  says(head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab"),
			status: 200,
		},
		"chunks with long names": {
			serve: saysAnd(head+"Transfer-Encoding: chunked\r\n\r\n1;", floods("b")), status: 200,
		},
		"endless trailers": {
			serve:   saysAnd(head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", floods("a: b\r\n")),
			timeout: brief, status: 200,
		},
		"gzip bomb": {
			serve: says(head + "Content-Encoding: gzip\r\n\r\n" + bomb()), status: 200,
		},
		"answers twice": {
			serve:  says(head + "Content-Length: 0\r\n\r\n" + head + "Content-Length: 0\r\n\r\n"),
			status: 200,
		},

		// HTTP/2.
		"GOAWAY mid-request": {serve2: func(p peer2, _ uint32) bool {
			p.send(goAway(0, 0))
			return false
		}, want: relay.Broken, reason: "again when it was sent anew", most: 2},
		"GOAWAY, and the end": {serve2: func(p peer2, stream uint32) bool {
			p.send(goAway(stream, 0))
			return false
		}, want: relay.Broken, reason: "connection", most: 1},
		"GOAWAY, in anger": {
			serve2: send(goAway(1, codeProtocol)), timeout: slow, want: relay.TimedOut,
			reason: "no answer", most: 1,
		},
		"refuses streams": {
			serve2: resets(codeRefused), want: relay.Broken, reason: "again when it was sent anew",
			most: 2,
		},
		"resets for the protocol": {
			serve2: resets(codeProtocol), want: relay.Broken, reason: "again when it was sent anew",
			most: 2,
		},
		"resets for itself": {
			serve2: resets(codeInternal), want: relay.Broken, reason: "no answer in HTTP", most: 1,
		},
		"resets in a flood": {
			serve2: floods2(reset(1, codeInternal)), want: relay.Broken,
			reason: "no answer in HTTP", most: 1,
		},
		"pings in a flood": {
			serve2: floods2(frame(framePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)), timeout: slow,
			want: relay.TimedOut, reason: "no answer", most: 1,
		},
		"settings in a flood": {
			serve2: floods2(setting(maxStreams, 1)), timeout: slow, want: relay.TimedOut,
			reason: "no answer", most: 1,
		},
		"hangs, HTTP/2": {serve2: func(p peer2, _ uint32) bool {
			untilGone(p)
			return false
		}, timeout: slow, want: relay.TimedOut, reason: "no answer", most: 1},
		"no stream allowed": {
			hello: setting(maxStreams, 0), serve2: send(), timeout: slow, want: relay.TimedOut,
			reason: "within 500ms", most: 1,
		},
		"window of nothing": {
			hello: window0, serve2: send(), body: large, timeout: slow, want: relay.TimedOut,
			reason: "request not taken within 500ms", most: 1,
		},
		"window larger than allowed": {
			hello: setting(initialWindow, 1<<31), serve2: send(), want: relay.Broken,
			reason: "no answer in HTTP", most: 1,
		},
		"frame of 16 MiB": {
			serve2: send([]byte{0xff, 0xff, 0xff, frameHeaders, endHeaders, 0, 0, 0, 1}),
			want:   relay.Broken, reason: "no answer in HTTP", most: 1,
		},
		"HTTP/1.1 in HTTP/2": {
			serve2: send([]byte(head + "\r\n" + secret)), want: relay.Broken,
			reason: "no answer in HTTP", most: 1,
		},
		"endless continuations": {serve2: func(p peer2, _ uint32) bool {
			p.send(frame(frameHeaders, 0, 1, status200))
			p.flood(frame(frameContinuation, 0, 1, 0xbb))
			return false
		}, want: relay.Broken, reason: "no answer in HTTP", most: 1},
		"header bomb": {
			serve2: send(
				frame(frameHeaders, endHeaders, 1, append([]byte{status200}, bytes.Repeat([]byte{0xbb}, 16000)...)...),
			),
			want: relay.Broken, reason: "65536 bytes", most: 1,
		},
		"headers out of order": {
			serve2: send(frame(frameHeaders, endHeaders|endStream, 1, 0xbb, status200)),
			want:   relay.Broken, reason: "no answer in HTTP", most: 2,
		},
		"endless 1xx, HTTP/2": {
			serve2: floods2(hint), want: relay.Broken, reason: "no answer in HTTP", most: 1,
		},
		"data before headers": {
			serve2: send(frame(frameData, endStream, 1, 'a')), want: relay.Broken,
			reason: "no answer in HTTP", most: 2,
		},
		"push": {
			serve2: send(frame(framePush, endHeaders, 1, 0, 0, 0, 2, status200)),
			want:   relay.Broken, reason: "no answer in HTTP", most: 1,
		},
		"stream of nobody": {
			serve2: send(frame(frameHeaders, endHeaders, 2, status200)), timeout: slow,
			want: relay.TimedOut, reason: "no answer", most: 1,
		},
		"more data than the window": {
			serve2: send(
				answers1, frame(frameData, 0, 1, make([]byte, 16<<10)...),
				frame(frameData, 0, 1, make([]byte, 16<<10)...),
			),
			status: 200, most: 1,
		},
		"data of nothing": {serve2: func(p peer2, _ uint32) bool {
			p.send(answers1)
			p.flood(frame(frameData, 0, 1))
			return false
		}, timeout: slow, status: 200, most: 1},
		"resets after the status": {
			serve2: send(answers1, reset(1, codeProtocol)), status: 200, most: 1,
		},
	}
}

// bomb is a compressed mebibyte of zeros.
func bomb() string {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(make([]byte, 1<<20))
	_ = zip.Close()
	return packed.String()
}

func (h hostile) run(t *testing.T, ca authority, good tls.Certificate) {
	friend, _ := listen(t, goodAddress+":0", func(conn *net.TCPConn) {
		readRequest(conn)
		write(conn, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	addresses := map[string][]string{
		"good.test": {goodAddress}, "mixed.test": {
			"127.0.0.3", goodAddress,
		}, "mixed2.test": {
			goodAddress, "127.0.0.3",
		}, "private.test": {"10.0.0.1"}, "hidden.test": {
			"10.0.0.1", "127.0.0.3", "::1", "fd00:ec2::254",
		},
		"localhost": {"127.0.0.1"},
	}
	var open, requests atomic.Int32
	connect := (&net.Dialer{
		Control: egress.Except(goodAddress, egress.Guard()), Resolver: resolver(addresses),
	}).DialContext
	client := egress.NewOver(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &countedConn{Conn: conn, open: &open}, nil
	}, ca.pool())

	post := h.post(t, good, &requests)
	if h.rebinds {
		if _, err := client.Post(t.Context(), post); err != nil {
			t.Error(err)
		}
		addresses["good.test"] = []string{"169.254.169.254"}
	}
	reply, err := client.Post(t.Context(), post)
	if h.want == "" {
		if err != nil || reply.StatusCode != h.status || len(reply.Body) > relay.MaxResponseBytes {
			t.Errorf(
				"got %d with %d bytes, %v, want %d", reply.StatusCode, len(reply.Body), err,
				h.status,
			)
		}
	} else {
		wantOutcome(t, err, h.want)
		if !strings.Contains(err.Error(), h.reason) || h.is != nil && !errors.Is(err, h.is) {
			t.Errorf("got %v, want %q in it, and %v", err, h.reason, h.is)
		}
	}
	if n := requests.Load(); h.serve2 != nil && n > h.most {
		t.Errorf("the endpoint got the request %d times, at most %d", n, h.most)
	}

	if reply, err = client.Post(t.Context(), postTo("http://"+friend, ample)); err != nil ||
		reply.StatusCode != 204 {
		t.Errorf("the next request: %d, %v", reply.StatusCode, err)
	}
	client.CloseIdleConnections()
	for range 500 {
		if open.Load() == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d connections are left open", open.Load())
}

// post starts the endpoint, if the case has one, and returns the request to it.
func (h hostile) post(t *testing.T, good tls.Certificate, requests *atomic.Int32) relay.Post {
	serve, url := h.serve, h.url
	if h.serve2 != nil {
		serve, url = func(conn *net.TCPConn) {
			serve2(conn, good, requests, append(frame(frameSettings, 0, 0), h.hello...), h.serve2)
		}, "https"
	}
	if serve != nil {
		host, _ := listen(t, goodAddress+":0", serve)
		if url == "" {
			url = "http"
		}
		url += strings.Replace("://"+host, goodAddress, cmp.Or(h.name, "good.test"), 1)
	}
	post := relay.Post{URL: url, Header: h.header, Body: h.body, TLS: h.tls, Timeout: h.timeout}
	if serve != nil {
		post.URL = url + "/" + secret + "?token=" + secret
		post.Header = relay.Header{"authorization": "Bearer " + secret}
	}
	if post.Body == nil {
		post.Body = []byte("body " + secret)
	}
	if post.Timeout == 0 {
		post.Timeout = ample
	}
	return post
}

// countedConn counts down when it is closed.
type countedConn struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}
