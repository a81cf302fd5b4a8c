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
	// dialTimeout and handshakeTimeout leave an attempt of the default timeout time for the answer.
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second

	// idleTimeout is shorter than the time after which common servers close a kept connection (Node.js and Apache: 5 s), lest a
	// request be written into a closing one: it could not be sent again. net/http compares it with the wall clock too, so
	// connections that slept through a freeze of the Lambda sandbox are not used.
	idleTimeout = 4 * time.Second

	// Fewer connections are kept than half of the 1,024 file descriptors of a Lambda function, and all of them may be to one host: many
	// endpoints can be on one, and to dial anew for each costs more than the attempt.
	maxIdle = 448

	// maxHeaderBytes bounds the headers of a response, which are read whole and thrown away but for relay.ReplyHeaders.
	maxHeaderBytes = 64 << 10

	// What an HTTP/2 peer may send unasked: by default 4 MiB for each request, of which we want relay.MaxResponseBytes.
	streamWindow     = 16 << 10
	connectionWindow = 1 << 20

	// An HTTP/2 connection is shared by all attempts at an endpoint, so that a dead one fails them all until it is found out.
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second

	// maxSpecial is how many sets of endpoints' own certificates have their connections kept.
	maxSpecial = 32
)

// dialer connects, as net.Dialer does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// usualTLS is what a connection to an endpoint without certificates of its own is made with. No roots: the system's.
func usualTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

func newTransport(dial dialer, config *tls.Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialContext:            dial.plain,
		DialTLSContext:         dial.secure(config),
		Protocols:              &protocols,
		DisableCompression:     true, // else net/http asks for gzip and unpacks what it gets
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

// secure connects, and then shakes hands within handshakeTimeout.
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
		noteHandshake(ctx)
		config := config.Clone()
		config.ServerName = host
		asked := &askingConn{Conn: conn}
		config.GetClientCertificate = asked.certificate(config.Certificates)
		secure := tls.Client(asked, config)
		if err := within(ctx, handshakeTimeout, "no end", secure.HandshakeContext); err != nil {
			_ = conn.Close()
			return nil, handshakeError{err}
		}
		return secure, nil
	}
}

// askingConn is a connection whose server may ask for a certificate of ours. It does so in the handshake.
type askingConn struct {
	net.Conn
	asked bool
}

// certificate returns what crypto/tls calls when the server asks: it gives the certificate that fits, or an empty one.
func (c *askingConn) certificate(ours []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
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

// within runs a phase of an attempt, and says in its error if that took longer than its limit.
func within(ctx context.Context, limit time.Duration, missing string, phase func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := phase(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return told{missing + " within " + limit.String(), err}
	}
	return err
}

// transport returns the connections for an endpoint with the given certificates: those that were given the same before, byte for byte,
// share them, and nobody else does.
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
	for other, transport := range c.special { // whichever: to make one anew costs a handshake
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
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // a hash takes everything
		hash.Write(part)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func specialTLS(t *catalog.TLS) (*tls.Config, error) {
	config := usualTLS(nil)
	if len(t.Authorities) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(t.Authorities) {
			return nil, fmt.Errorf("%w: the endpoint's authorities have no certificate in PEM", ErrRequest)
		}
	}
	if len(t.Certificate)+len(t.Key) > 0 {
		pair, err := tls.X509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: client certificate: not a certificate and its private key, both in PEM", ErrRequest)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
