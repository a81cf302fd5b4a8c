package egress

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"code.dny.dev/ssrf"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"webhook-relay/shared/relay"
)

// bodyTimeout limits the time for the body once the status is known. Only the record needs the
// body, so an endpoint that sends its answer very slowly must not occupy the attempt's whole
// timeout.
const bodyTimeout = 2 * time.Second

// maxReplyHeader is the longest meaningful value of relay.ReplyHeaders: that of a DNS name.
const maxReplyHeader = 253

var (
	// ErrGuard means that the guard forbids the address or port.
	ErrGuard = errors.New("egress: blocked by the guard")
	// ErrRequest means that the URL, a header or a certificate is malformed. The message says
	// which, but never contains a value.
	ErrRequest = errors.New("egress: malformed request")
)

// Options are for New and NewKeyFetcher. The zero value is for production.
type Options struct {
	// connect to any address and port: for development on one's own machine, never in production
	Unguarded bool
	HTTPSOnly bool     // refuse http URLs, with ErrRequest
	Ports     []uint16 // allowed in addition to 80 and 443

	Credentials aws.CredentialsProvider // sign for endpoints with SigV4; nil: such requests fail
	// Endpoint returns the base URL of an AWS service in place of its own, such as that of an
	// emulator; "" or nil: its own. The guard holds for it too.
	Endpoint func(service string) string
}

func (o Options) ports() ssrf.Option {
	return ssrf.WithPorts(append([]uint16{80, 443}, o.Ports...)...)
}

// Client POSTs to endpoints and keeps connections to them for a few seconds. It is safe for
// concurrent use.
type Client struct {
	dial      dialer
	httpsOnly bool
	usual     *http.Transport

	credentials aws.CredentialsProvider
	signer      *v4.Signer // keeps the keys that it derives from credentials
	signerS3    *v4.Signer
	endpoint    func(service string) string
	tokens      *tokens
	roles       *roles

	mu      sync.Mutex
	special map[[sha256.Size]byte]*http.Transport // by the content of catalog.TLS
}

var _ relay.Poster = (*Client)(nil)

// New returns a Client with connections of its own.
func New(o Options) *Client {
	d := &net.Dialer{}
	if !o.Unguarded {
		d.Control = except(letThrough, guard(o.ports()))
	}
	return newClient(o, d.DialContext, nil)
}

func newClient(o Options, dial dialer, roots *x509.CertPool) *Client {
	dial = Localhost(dial)
	c := &Client{
		dial:      dial,
		httpsOnly: o.HTTPSOnly,
		usual:     newTransport(dial, usualTLS(roots)),
		special:   map[[sha256.Size]byte]*http.Transport{},

		credentials: o.Credentials,
		signer:      v4.NewSigner(),
		// every other service signs the path encoded twice
		signerS3: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		endpoint: o.Endpoint,
		tokens: newTokens(func() *http.Client {
			return newClient(Options{HTTPSOnly: true}, dial, roots).httpClient(maxAnswerBytes)
		}),
	}
	c.roles = newRoles(c)
	return c
}

// Post makes one attempt within p.Timeout. The package comment describes what it returns.
func (c *Client) Post(ctx context.Context, p relay.Post) (relay.Reply, error) {
	attempt, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	reply, withdrawn, err := c.post(attempt, p)
	if err == nil && lacks(p, reply) {
		reply, withdrawn, err = c.prepare(attempt, p)
	}
	if withdrawn {
		// if no other token can be had, the 401 is the result
		if again, _, failed := c.post(attempt, p); !errors.Is(failed, errAuth) {
			reply, err = again, failed
		}
	}
	if err != nil && ctx.Err() != nil {
		return relay.Reply{}, fmt.Errorf("egress: POST abandoned: %w", ctx.Err())
	}
	return reply, err
}

// post sends the request once. withdrawn: the endpoint rejected an access token that was kept from
// an earlier request.
func (c *Client) post(
	attempt context.Context, p relay.Post,
) (reply relay.Reply, withdrawn bool, err error) {
	attempt, cancel := context.WithCancel(attempt)
	defer cancel()
	req, err := c.newRequest(attempt, p)
	if err != nil {
		return relay.Reply{}, false, blocked(err)
	}
	transport, err := c.transport(p.TLS)
	if err != nil {
		return relay.Reply{}, false, blocked(err)
	}
	token, err := c.authorize(attempt, req, p)
	if err != nil {
		return relay.Reply{}, false, err
	}
	var seen progress
	// not an http.Client, which would follow redirects and quote the URL in its errors
	resp, err := roundTrip(transport, req, &seen)
	timing := seen.timing()
	if err != nil {
		return relay.Reply{}, false, withTiming(timing, seen.failure(attempt, p, err))
	}
	if resp.StatusCode == http.StatusUnauthorized && token.value != "" {
		c.tokens.drop(p.Auth.OAuth2, token.value)
		withdrawn = token.kept
	}
	defer func() { _ = resp.Body.Close() }() // drops the connection if the body has more to read
	defer time.AfterFunc(bodyTimeout, cancel).Stop()
	reply = relay.Reply{
		StatusCode: resp.StatusCode, Header: replyHeader(resp.Header), Timing: timing,
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit(p)))
	cut := err != nil || len(body) >= relay.MaxResponseBytes
	if p.To != nil {
		reply.Result = judge(p, resp, body)
		body = body[:min(len(body), relay.MaxResponseBytes)]
	}
	reply.Body = redact(body, req, p, cut)
	return reply, withdrawn, nil
}

// failure returns the error of a request without an answer, as Post has it.
func (p *progress) failure(attempt context.Context, post relay.Post, err error) error {
	if attempt.Err() != nil {
		return &relay.PostError{
			Outcome: relay.TimedOut,
			Err:     told{text: p.missing() + " within " + post.Timeout.String(), cause: err},
		}
	}
	err = explain(err)
	if failed, ok := errors.AsType[*relay.PostError](err); ok &&
		failed.Outcome == relay.Broken && p.refusedCertificate() {
		failed.Outcome = relay.TLSFailed
		failed.Err = told{
			text:  "TLS: connection lost after the endpoint asked for a client certificate",
			cause: failed.Err,
		}
	}
	return err
}

func (c *Client) newRequest(ctx context.Context, p relay.Post) (*http.Request, error) {
	method := cmp.Or(p.Method, http.MethodPost)
	req, err := http.NewRequestWithContext(ctx, method, c.urlOf(p), bytes.NewReader(p.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: URL cannot be parsed", ErrRequest) // err quotes the URL
	}
	if err := checkURL(req.URL, c.httpsOnly); err != nil {
		return nil, err
	}
	for name, value := range p.Header {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
		req.Header[headerKey(name)] = []string{value}
	}
	return req, nil
}

func checkURL(u *url.URL, httpsOnly bool) error {
	switch {
	case u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf(
			"%w: URL must have scheme http or https, a host, and no user or password", ErrRequest,
		)
	case !IsPort(u.Port()):
		return fmt.Errorf("%w: URL has an invalid port", ErrRequest)
	case httpsOnly && u.Scheme != "https":
		return fmt.Errorf("%w: URL must have scheme https", ErrRequest)
	default:
		return nil
	}
}

// IsPort reports whether a URL's port is valid: 1 to 65535, or absent.
func IsPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func checkHeader(name, value string) error {
	switch {
	case !isToken(name):
		return fmt.Errorf("%w: a header's name has a character that is not allowed", ErrRequest)
	case strings.ContainsFunc(value, isControl):
		return fmt.Errorf("%w: header %s has a control character", ErrRequest, name)
	default:
		return nil
	}
}

// headerKey returns the header's name in its canonical spelling. Two names are an exception: on
// their account net/http sends a POST again that the endpoint may have received already. It
// recognises them only in the canonical spelling, so they get another.
func headerKey(name string) string {
	switch key := http.CanonicalHeaderKey(name); key {
	case "Idempotency-Key", "X-Idempotency-Key":
		return strings.ToLower(name)
	default:
		return key
	}
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2, as a header's name must be.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func replyHeader(h http.Header) relay.Header {
	var kept relay.Header
	for _, name := range relay.ReplyHeaders() {
		if value := h.Get(name); value != "" && len(value) <= maxReplyHeader &&
			printable(value) == value {
			if kept == nil {
				kept = relay.Header{}
			}
			kept[name] = value
		}
	}
	return kept
}
