package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// Header holds a request's headers: a value for each lower-case name. The values of a header that
// was sent several times are joined by ",", as in API Gateway's payload 2.0.
type Header map[string]string

// Request is the part of an inbound request that verification needs.
type Request struct {
	Method string // "" is POST
	Query  string // raw, without the "?"
	// the client's address, as the HTTP front end saw it; used only for Config.AllowedIPs
	RemoteIP string
	Header   Header
	Body     []byte // raw bytes
	// freshness is judged against this time, not against the time of processing
	ReceivedAt time.Time
}

// Trust says how far a webhook's proof goes. The set is closed.
type Trust string

// The kinds of trust, the strongest first.
const (
	Verified Trust = "verified" // a signature covers the body
	// a token, or a signature over less than the body: the sender is known, the content is not
	// proved
	Authenticated Trust = "authenticated"
	Unverified    Trust = "unverified" // nothing was checked
)

// Result describes a request that Verify accepted.
type Result struct {
	// the provider's id of this webhook, the same when it is sent again; "": it has none
	DeliveryID string
	// Bound is the part of the request that the proof covers. It is set if the proof does not cover
	// DeliveryID; then both together identify the webhook. An attacker with a copy can send it with
	// another id, but cannot give it the content of another webhook. Bound is nil if the proof
	// covers DeliveryID, if DeliveryID is "", or if the proof covers nothing: a token is no
	// signature. It may share memory with the request's body.
	Bound []byte
	// Once means that Bound alone identifies the webhook, whatever its id (see Config.Once).
	Once      bool
	EventType string // "": it has none
	Trust     Trust
	Holder    document.Holder // where the body holds the document that filters read

	// Handshake means that the request is no webhook: the provider checks the URL. Accept no event;
	// send Reply.
	Handshake bool
	// Reply is the answer that the provider expects. nil: any 2xx will do.
	Reply *Reply
	// Learned is a secret that the provider hands over in a handshake and signs with from now on.
	// Store it before you answer, and only if the source has no secret: anybody can make such a
	// request.
	Learned string
}

// Reply is an answer that a provider expects.
type Reply struct {
	Status      int
	ContentType string // "" with an empty body
	Header      Header // beside content-type; nil: none
	Body        string
}

// Webhook is the input of Sign.
type Webhook struct {
	Body []byte // holds the id and the type if the provider has them in the body
	// is written to the header that the provider uses for it; required if it is signed
	DeliveryID string
	// is written to the header that the provider uses for it, without the part that Verify reads
	// from the body
	EventType string
}

// The reasons why a request was refused. Compare with errors.Is.
var (
	// a value that the scheme needs is absent or empty
	ErrMissing = errors.New("verify: signature missing")
	// present, but not in the scheme's form
	ErrMalformed = errors.New("verify: signature malformed")
	// a header that the scheme needs was sent more than once
	ErrRepeated = errors.New("verify: signature header repeated")
	// no secret makes this signature
	ErrMismatch = errors.New("verify: signature does not match")
	// older than the tolerance
	ErrStale = errors.New("verify: timestamp too old")
	// further ahead than the tolerance allows
	ErrFuture = errors.New("verify: timestamp too far in the future")
	ErrMethod = errors.New("verify: method not allowed") // see Verifier.Methods
	// RemoteIP is not in Config.AllowedIPs
	ErrAddress = errors.New("verify: address not allowed")
	// the secret comes with the provider's handshake, which has not been made
	ErrNoSecret = errors.New("verify: no secret yet")
	// not the request's fault: the provider should send it again
	ErrFetch = errors.New("verify: the provider's key could not be fetched")
)

// ErrSecondHandshake is an ErrMismatch: a handshake brought a secret, but the source already has
// one.
var ErrSecondHandshake = fmt.Errorf(
	"%w: a second handshake, but the source has a secret already", ErrMismatch,
)

// Fetcher fetches a certificate or a public key from the provider's servers, if the scheme needs
// one. It must refuse private addresses, limit the size of the answer, and return an error for any
// status but 200. It must be safe for concurrent use.
type Fetcher interface {
	Fetch(ctx context.Context, f Fetch) ([]byte, error)
}

// Fetch is a request of a Fetcher.
type Fetch struct {
	Method string // "" is GET
	// https; http only for an issuer's certificate, which is checked against the system's roots
	URL    string
	Header Header
	Body   []byte
	MaxAge time.Duration // accept no cached answer that is older; 0: only the cache's own limit
}

// Option is an option of New.
type Option func(*keys)

// FetchBy sets the Fetcher for schemes that need keys or certificates from the provider's servers.
// Without it their webhooks fail with ErrFetch.
func FetchBy(f Fetcher) Option { return func(k *keys) { k.fetcher = f } }

// MaxAge limits the age of every webhook whose time is signed. Give it the time for which delivery
// ids are remembered. 0 is DefaultMaxAge. An older copy would be accepted as a new webhook.
func MaxAge(age time.Duration) Option { return func(k *keys) { k.maxAge = age } }

// SignsOnly says that the Verifier only signs. New then accepts a payload that can be divided in
// several ways: how the receiver reads it is not our concern.
func SignsOnly() Option { return func(k *keys) { k.signsOnly = true } }

// SignWith gives Sign the private key that belongs to one of the secrets, for schemes whose secrets
// are public keys. The key has the form that Example returns, or PEM; an Ed25519 key may also be
// its 32 bytes in hex or base64.
func SignWith(key string) Option { return func(k *keys) { k.signing = key } }

// Verifier checks the requests of one source. New makes it. It is safe for concurrent use.
type Verifier struct {
	proof     proof // nil: the secret is not learned yet
	trust     Trust
	onceBy    bool // see provider
	pin       pinned
	place     places
	handshake handshake
	reply     *Reply
	beside    []companion
	allowed   []netip.Prefix
	keys      *keys
}

// proof is a scheme with its secrets, ready for use. Implementations are safe for concurrent use.
// They are pointers, so that printing a Verifier shows no secret.
type proof interface {
	check(ctx context.Context, r Request) error
	// sign adds to r, whose body is w's, what check expects. It may rewrite the body if the proof
	// is in it.
	sign(r *Request, w Webhook, at time.Time) error
	headers() []string // that carry the proof itself; none if the proof is elsewhere
}

// scheme is a way to prove a webhook, as the table of providers describes it.
type scheme interface {
	prepare(k *keys) (proof, error)
	trust() Trust
	covers() cover
	describe() string // one line for the operator's documentation
}

// keys is what the configuration of one source gives a scheme. It is always used by pointer, so
// that %v prints no secret.
type keys struct {
	secrets  []string
	settings map[string]string
	url      string // as the provider knows it; "" unless the provider needs it
	fetcher  Fetcher
	roots    *x509.CertPool // for fetched certificates; nil: the system's
	signing  string
	maxAge   time.Duration // 0: DefaultMaxAge

	described bool // the scheme is the operator's own description
	signsOnly bool
}

// New returns the Verifier that cfg describes. secrets are the accepted secrets, newest first.
// There must be at least one, and none may be empty, except for providers that have no secret or
// send it in a handshake. Errors are ErrConfig. Their message names the field as the configuration
// file does, says what the provider calls it, and holds no secret.
func New(cfg Config, secrets []string, options ...Option) (*Verifier, error) {
	p, err := cfg.provider()
	if err != nil {
		return nil, err
	}
	allowed, err := cfg.allowedIPs()
	if err != nil {
		return nil, err
	}
	k := &keys{secrets: secrets, settings: cfg.Settings, url: cfg.URL, described: cfg.HMAC != nil}
	for _, o := range options {
		o(k)
	}
	v := &Verifier{
		trust: p.scheme.trust(), onceBy: p.onceBy, place: newPlaces(p, cfg.Once),
		handshake: p.handshake, reply: p.reply, beside: p.beside, allowed: allowed, keys: k,
	}
	if check := p.handshake.check; check != nil {
		if err := check(k); err != nil {
			return nil, err
		}
	}
	if v.pin, err = newPinned(p, k); err != nil {
		return nil, err
	}
	if len(secrets) == 0 && p.handshake.learns {
		return v, nil
	}
	if v.proof, err = p.scheme.prepare(k); err != nil {
		return nil, p.explain(err)
	}
	return v, nil
}

// Verify checks that r is authentic and fresh, or is a handshake, and describes it. It returns the
// errors above. They hold names of headers and durations, never a secret or a signature. ctx limits
// requests to the provider's servers.
func (v *Verifier) Verify(ctx context.Context, r Request) (Result, error) {
	if err := v.checkAddress(r.RemoteIP); err != nil {
		return Result{}, err
	}
	if answer := v.handshake.open; answer != nil {
		if result, err := answer(v.keys, r); result != nil || err != nil {
			return handshaken(result), err
		}
	}
	if r.Method != "" && r.Method != "POST" {
		return Result{}, fmt.Errorf("%w: %s", ErrMethod, r.Method)
	}
	if v.proof == nil {
		return Result{}, ErrNoSecret
	}
	if err := v.proof.check(ctx, r); err != nil {
		return Result{}, err
	}
	if err := v.pin.check(r); err != nil {
		return Result{}, err
	}
	if answer := v.handshake.proved; answer != nil {
		if result, err := answer(ctx, v.keys, r); result != nil || err != nil {
			return handshaken(result), err
		}
	}
	result := v.read(r)
	if v.onceBy && result.DeliveryID == "" {
		return Result{}, fmt.Errorf(
			"%w: the delivery id; without it a copy could come with another event", ErrMissing,
		)
	}
	result.Trust, result.Reply, result.Holder = v.trust, v.reply, v.place.holder
	return result, nil
}

func handshaken(r *Result) Result {
	if r == nil {
		return Result{}
	}
	r.Handshake = true
	return *r
}

func (v *Verifier) checkAddress(remote string) error {
	if len(v.allowed) == 0 {
		return nil
	}
	ip, err := netip.ParseAddr(remote)
	if err != nil || !slices.ContainsFunc(v.allowed, func(p netip.Prefix) bool {
		return p.Contains(ip.Unmap())
	}) {
		return fmt.Errorf("%w: %q", ErrAddress, remote)
	}
	return nil
}

// Sign returns the request that the provider would send for w at the given time, signed with the
// first secret. It is the inverse of Verify, for tests and samples. The error is the one with which
// Verify would refuse w's delivery id or body, or says that the scheme needs SignWith.
func (v *Verifier) Sign(w Webhook, at time.Time) (Request, error) {
	r := Request{
		Method: "POST", Header: Header{"content-type": "application/json"}, Body: w.Body,
		ReceivedAt: at,
	}
	v.place.write(r.Header, w)
	if v.proof == nil {
		return Request{}, ErrNoSecret
	}
	r.Body = v.pin.fill(r)
	if err := v.pin.check(r); err != nil {
		return Request{}, err
	}
	if err := v.proof.sign(&r, w, at); err != nil {
		return Request{}, err
	}
	accompany(&r, v.beside, w, v.keys, at)
	return r, nil
}

// SignatureHeaders returns the names, in lower case, of the headers that carry the proof. They have
// no use after the request is verified. Do not store them: the proof may be a token.
func (v *Verifier) SignatureHeaders() []string {
	if v.proof == nil {
		return nil
	}
	return v.proof.headers()
}

// Methods returns the methods that the provider uses, POST first, then those of its handshakes.
func (v *Verifier) Methods() []string { return append([]string{"POST"}, v.handshake.methods...) }

// WantsNoBody tells whether the provider expects answers without a body. This also holds for
// refusals: Xero rejects a URL that refuses with a body.
func (v *Verifier) WantsNoBody() bool { return v.reply != nil && v.reply.Body == "" }

// single returns the value of a header that must be sent exactly once.
func single(h Header, name string) (string, error) {
	value := h[name]
	switch {
	case value == "":
		return "", fmt.Errorf("%w: header %s", ErrMissing, name)
	case strings.Contains(value, ","):
		return "", repeated(name)
	}
	return value, nil
}

func repeated(header string) error { return fmt.Errorf("%w: header %s", ErrRepeated, header) }

func malformed(header, expected string) error {
	return fmt.Errorf("%w: header %s is not %s", ErrMalformed, header, expected)
}

// checkSecrets holds for every scheme that has secrets. With an empty secret anybody could sign.
func checkSecrets(secrets []string) error {
	if len(secrets) == 0 {
		return wrong("secrets", "at least one is needed")
	}
	if i := slices.IndexFunc(secrets, func(s string) bool {
		return strings.TrimSpace(s) == ""
	}); i >= 0 {
		return wrong(
			fmt.Sprintf("secrets[%d]", i),
			"is empty: anybody could sign with it; give the provider's secret, or remove it",
		)
	}
	return nil
}

// checkLength refuses a key or a token of one byte. This catches mistakes, not attacks: providers
// recommend 16 bytes and more.
func checkLength(field string, n int) error {
	const least = 2
	if n < least {
		return wrong(
			field,
			"has %d bytes, which can be guessed; at least %d are needed, and 16 are safe",
			n, least,
		)
	}
	return nil
}
