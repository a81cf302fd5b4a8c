package egress

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"time"

	"webhook-relay/shared/relay/catalog"
)

const (
	// dialTimeout and handshakeTimeout leave time for the answer in an attempt with the default
	// timeout.
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second

	// idleTimeout is shorter than the time after which common servers close an idle connection
	// (Node.js and Apache: 5 s). Otherwise a request could be written into a connection that is
	// being closed, and could not be sent again. net/http also compares the idle time with the wall
	// clock, so connections that were idle during a freeze of the Lambda sandbox are not used.
	idleTimeout = 4 * time.Second

	// maxIdle is less than half of the 1,024 file descriptors of a Lambda function. All kept
	// connections may be to one host: many endpoints can be on one host, and a new connection for
	// each attempt costs more than the attempt.
	maxIdle = 448

	// maxHeaderBytes limits a response's headers. They are read completely, and discarded except
	// for relay.ReplyHeaders.
	maxHeaderBytes = 64 << 10

	// How much an HTTP/2 peer may send before we read it. The default is 4 MiB for each request, of
	// which we need relay.MaxResponseBytes.
	streamWindow     = 16 << 10
	connectionWindow = 1 << 20

	// All attempts at an endpoint share an HTTP/2 connection. A dead connection fails them all
	// until a ping detects it.
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second

	// maxSessions is the number of hosts whose TLS sessions are kept: some 2 KB each.
	maxSessions = 1000

	// maxSpecial is the number of sets of endpoints' certificates for which connections are kept.
	maxSpecial = 32
)

// dialer opens a connection, like net.Dialer.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// usualTLS returns the configuration for endpoints without certificates of their own. If roots is
// nil, the system's are used.
func usualTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		// A connection that was closed while the function was frozen is opened again without a
		// whole handshake.
		ClientSessionCache: tls.NewLRUClientSessionCache(maxSessions),
	}
}

func newTransport(dial dialer, config *tls.Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialContext:    dial.plain,
		DialTLSContext: dial.secure(config),
		Protocols:      &protocols,
		// otherwise net/http asks for gzip and decompresses the answer
		DisableCompression:     true,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connectionWindow,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTimeout,
		},
	}
}

// plain connects within dialTimeout.
func (d dialer) plain(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = within(ctx, dialTimeout, "no connection", func(ctx context.Context) error {
		conn, err = d(ctx, network, address)
		return err
	})
	return conn, err
}

// secure connects, and then does the TLS handshake within handshakeTimeout.
func (d dialer) secure(config *tls.Config) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		conn, err := d.plain(ctx, network, address)
		if err != nil {
			return nil, err
		}
		done := noteHandshake(ctx)
		config := config.Clone()
		config.ServerName = host
		asked := &askingConn{Conn: conn}
		config.GetClientCertificate = asked.certificate(config.Certificates)
		secure := tls.Client(asked, config)
		err = within(ctx, handshakeTimeout, "no end", secure.HandshakeContext)
		if done(err); err != nil {
			_ = conn.Close()
			return nil, handshakeError{err}
		}
		return secure, nil
	}
}

// askingConn records whether the server asked for our certificate, which happens in the handshake.
type askingConn struct {
	net.Conn
	asked bool
}

// certificate returns the function that crypto/tls calls when the server asks for a certificate. It
// returns one that fits, or an empty one.
func (c *askingConn) certificate(
	ours []tls.Certificate,
) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.asked = true
		for i := range ours {
			if request.SupportsCertificate(&ours[i]) == nil {
				return &ours[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
}

// within runs a phase of an attempt. If the phase exceeds its limit, the error says so.
func within(
	ctx context.Context, limit time.Duration, missing string, phase func(context.Context) error,
) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := phase(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return told{text: missing + " within " + limit.String(), cause: err}
	}
	return err
}

// transport returns the connection pool for an endpoint with the given certificates. Endpoints
// whose certificates are equal byte for byte share a pool; no others do.
func (c *Client) transport(t *catalog.TLS) (*http.Transport, error) {
	if t == nil {
		return c.usual, nil
	}
	key := contentKey(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.special[key]; known != nil {
		return known, nil
	}
	config, err := specialTLS(t)
	if err != nil {
		return nil, err
	}
	for other, transport := range c.special { // any one: making it again costs only a handshake
		if len(c.special) < maxSpecial {
			break
		}
		transport.CloseIdleConnections()
		delete(c.special, other)
	}
	c.special[key] = newTransport(c.dial, config)
	return c.special[key], nil
}

func contentKey(t *catalog.TLS) (key [sha256.Size]byte) {
	hash := sha256.New()
	for _, part := range [][]byte{t.Certificate, t.Key, t.Authorities} {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // writing to a hash cannot fail
		hash.Write(part)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func specialTLS(t *catalog.TLS) (*tls.Config, error) {
	config := usualTLS(nil)
	if len(t.Authorities) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(t.Authorities) {
			return nil,
				fmt.Errorf("%w: the endpoint's authorities have no certificate in PEM", ErrRequest)
		}
	}
	if len(t.Certificate)+len(t.Key) > 0 {
		pair, err := tls.X509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf(
				"%w: the client certificate or its private key is not PEM, or they do not belong together",
				ErrRequest,
			)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
