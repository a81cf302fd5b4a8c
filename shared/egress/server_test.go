package egress_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
)

// ample is a timeout that no test reaches.
const ample = 20 * time.Second

// secret is in the URLs, headers and bodies of requests. It must not be in any error.
const secret = "s3cret"

// postTo returns a request that contains secrets.
func postTo(url string, timeout time.Duration) relay.Post {
	return relay.Post{
		URL: url + "/" + secret + "?token=" + secret,
		Header: relay.Header{
			"content-type": "text/plain", "user-agent": "test", "authorization": "Bearer " + secret,
		},
		Body:    []byte("body " + secret),
		Timeout: timeout,
	}
}

// wantOutcome checks that err is a PostError with the outcome and without secrets.
func wantOutcome(t *testing.T, err error, want relay.Outcome) {
	t.Helper()
	failed, ok := errors.AsType[*relay.PostError](err)
	if !ok || failed.Outcome != want {
		t.Fatalf("got %v, want outcome %s", err, want)
	}
	if text := failed.Error(); strings.Contains(text, secret) ||
		strings.ContainsAny(text, "\r\n\x00") || len(text) > 500 {
		t.Errorf("the text is not fit for a record: %q", text)
	}
	t.Log(failed)
}

// serveHTTP starts a server, counts its connections, and returns its URL.
func serveHTTP(t *testing.T, handler http.HandlerFunc) (url string, connections *atomic.Int32) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	connections = countConnections(server)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, connections
}

// serveHTTP2 starts a server that speaks HTTP/2 over TLS, and a client that trusts it.
func serveHTTP2(
	t *testing.T, handler http.HandlerFunc,
) (client *egress.Client, url string, connections *atomic.Int32) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(
		w http.ResponseWriter, r *http.Request,
	) {
		if r.ProtoMajor != 2 {
			t.Errorf("%s, want HTTP/2", r.Proto)
		}
		handler(w, r)
	}))
	connections = countConnections(server)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return egress.NewWith(
		nil, nil, server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
	), server.URL, connections
}

func countConnections(server *httptest.Server) *atomic.Int32 {
	var n atomic.Int32
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	return &n
}

// listen accepts connections on address and passes each to serve. It returns the address that it
// listens on and the number of connections so far. A connection is closed when serve returns. serve
// must return when the client has closed the connection.
func listen(
	t *testing.T, address string, serve func(*net.TCPConn),
) (host string, connections *atomic.Int32) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return listener.Addr().String(), connections
}

// readRequest reads one request from a connection and returns its bytes.
func readRequest(conn net.Conn) []byte {
	var raw strings.Builder
	req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
	if err == nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	return []byte(raw.String())
}

// untilGone waits for the client to close its end.
func untilGone(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// resolver resolves names from a table, without a network. Names that are not in it do not exist.
func resolver(addresses map[string][]string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(
		context.Context, string, string,
	) (net.Conn, error) {
		client, server := net.Pipe()
		go answerDNS(server, addresses)
		return client, nil
	}}
}

// answerDNS answers queries in the format of DNS over TCP: two bytes of length before each message
// (RFC 1035, section 4.2.2).
func answerDNS(conn net.Conn, addresses map[string][]string) {
	defer func() { _ = conn.Close() }()
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		query := make([]byte, size)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := dnsReply(query, addresses)
		if _, err := conn.Write(
			append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...),
		); err != nil {
			return
		}
	}
}

func dnsReply(query []byte, addresses map[string][]string) []byte {
	const headerSize, noSuchName = 12, 3
	var labels []string
	end := headerSize
	for query[end] != 0 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
		end += 1 + int(query[end])
	}
	end += 5 // the root label, type, class
	wanted := binary.BigEndian.Uint16(query[end-4:])
	listed, exists := addresses[strings.Join(labels, ".")]

	var answers []byte
	var count uint16
	for _, text := range listed {
		address := netip.MustParseAddr(text)
		kind := uint16(1) // A
		if address.Is6() {
			kind = 28 // AAAA
		}
		if kind != wanted {
			continue
		}
		answers = append(
			answers, 0xc0, headerSize, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(address.BitLen()/8),
		)
		answers = append(answers, address.AsSlice()...)
		count++
	}
	flags := uint16(0x8180) // an answer, recursion desired and available
	if !exists {
		flags |= noSuchName
	}
	reply := append([]byte{}, query[:2]...)
	for _, field := range []uint16{flags, 1, count, 0, 0} {
		reply = binary.BigEndian.AppendUint16(reply, field)
	}
	return append(append(reply, query[headerSize:end]...), answers...)
}
