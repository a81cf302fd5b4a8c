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

// Header holds a request's headers: lower-case names, and for each its value. A header that was sent several times
// has its values joined by ",", as API Gateway's payload 2.0 does.
type Header map[string]string

// Request is an inbound request, as far as verification needs it.
type Request struct {
	Method     string // "" is POST
	Query      string // raw, without the "?"
	RemoteIP   string // who connected to the front door; needed for Config.AllowedIPs alone
	Header     Header
	Body       []byte    // raw bytes
	ReceivedAt time.Time // freshness is judged against this, not against the time of processing
}

// Trust is what a webhook's proof is worth. The set is closed.
type Trust string

// The kinds of trust, the strongest first.
const (
	Verified      Trust = "verified"      // a signature covers the body
	Authenticated Trust = "authenticated" // a token, or a signature over less than the body: the sender is known, what is said is not proved
	Unverified    Trust = "unverified"    // nothing was checked
)

// Result is what a request turned out to be.
type Result struct {
	DeliveryID string // the provider's id of this webhook, the same when it is sent again; "" where it has none
	// Bound is what the proof covers, where it does not cover DeliveryID: together they name the webhook. Whoever holds a copy can send it with any
	// id, but not what another webhook says. nil where DeliveryID is covered, or "", or nothing is covered: a token is no signature. It may share
	// memory with the request's body.
	Bound []byte
	// Once: Bound alone names the webhook, whatever its id (see Config.Once).
	Once      bool
	EventType string // "" where it has none
	Trust     Trust
	Holder    document.Holder // where in the body the document is that filters read

	// Handshake: this is no webhook, the provider asks whether the URL is ours. Nothing is to be accepted; Reply answers.
	Handshake bool
	// Reply is the answer that the provider wants, nil where any 2xx will do.
	Reply *Reply
	// Learned is a secret that the provider hands over in a handshake, to sign with from now on: keep it before you answer, and only
	// if the source has none. Anybody can make such a request.
	Learned string
}

// Reply is an answer to a provider.
type Reply struct {
	Status      int
	ContentType string // "" with an empty body
	Header      Header // beside content-type; nil: none
	Body        string
}

// Webhook is what Sign makes a request of.
type Webhook struct {
	Body       []byte // holds the id and the type itself where the provider has them in the body
	DeliveryID string // goes where the provider has it in a header; required where it is signed
	EventType  string // goes where the provider has it in a header, less what Verify adds to it from the body
}

// Why a request was refused. Compare with errors.Is.
var (
	ErrMissing   = errors.New("verify: signature missing")                // what the scheme needs is absent or empty
	ErrMalformed = errors.New("verify: signature malformed")              // present, but not of the scheme's form
	ErrRepeated  = errors.New("verify: signature header repeated")        // a header that the scheme needs was sent more than once
	ErrMismatch  = errors.New("verify: signature does not match")         // no secret makes it
	ErrStale     = errors.New("verify: timestamp too old")                // older than the tolerance
	ErrFuture    = errors.New("verify: timestamp too far in the future")  // further ahead than the tolerance
	ErrMethod    = errors.New("verify: method not allowed")               // see Verifier.Methods
	ErrAddress   = errors.New("verify: address not allowed")              // RemoteIP is not in Config.AllowedIPs
	ErrNoSecret  = errors.New("verify: no secret yet")                    // the provider's handshake, which brings it, has not been made
	ErrFetch     = errors.New("verify: the provider's key cannot be had") // not the request's fault: it should be sent again
)

// ErrSecondHandshake is an ErrMismatch: a handshake brought a secret, and the source has one.
var ErrSecondHandshake = fmt.Errorf("%w: a second handshake, though there is a secret", ErrMismatch)

// Fetcher gets what a scheme needs from the provider's own servers: a certificate, a public key. It must be guarded against
// requests to private addresses, bound the answer's size, and give an error for any status but 200. Safe for concurrent use.
type Fetcher interface {
	Fetch(ctx context.Context, f Fetch) ([]byte, error)
}

// Fetch is a request of a Fetcher.
type Fetch struct {
	Method string // "" is GET
	URL    string // https; http only for the certificate of an issuer, which is held against the system's roots
	Header Header
	Body   []byte
	MaxAge time.Duration // of an answer that was kept, beside the keeper's own limit; 0: no other limit
}

// Option changes what New makes.
type Option func(*keys)

// FetchBy lets schemes that need it ask the provider's servers. Without it their webhooks fail with ErrFetch.
func FetchBy(f Fetcher) Option { return func(k *keys) { k.fetcher = f } }

// MaxAge bounds the age of every webhook whose time is signed: as long as delivery ids are remembered, 0 is DefaultMaxAge. A copy that is older would
// be taken for a new webhook.
func MaxAge(age time.Duration) Option { return func(k *keys) { k.maxAge = age } }

// SignsOnly says that nothing will be verified: what a receiver makes of a payload that can be divided in several ways is its own affair.
func SignsOnly() Option { return func(k *keys) { k.signsOnly = true } }

// SignWith gives Sign the private half of a key whose public half is among the secrets: as Example makes it, in PEM, or, of Ed25519, its 32 bytes
// in hex or base64.
func SignWith(key string) Option { return func(k *keys) { k.signing = key } }

// Verifier checks the requests that one source gets. It is made by New and safe for concurrent use.
type Verifier struct {
	proof     proof // nil: the secret is still to be learned
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

// proof is a scheme with its secrets, ready for use. Implementations are safe for concurrent use, and are pointers, so
// that printing a Verifier shows no secret.
type proof interface {
	check(ctx context.Context, r Request) error
	// sign adds to r, which has w's body, what check wants to see. It may write the body anew, where the proof is in it.
	sign(r *Request, w Webhook, at time.Time) error
	headers() []string // carry the proof itself; none where it is elsewhere
}

// scheme is a way to prove a webhook, as the table of providers describes it.
type scheme interface {
	prepare(k *keys) (proof, error)
	trust() Trust
	covers() cover
	describe() string // one line for the operator's documentation
}

// keys is what the configuration of one source gives a scheme. It is used by pointer, for the sake of %v.
type keys struct {
	secrets  []string
	settings map[string]string
	url      string // as the provider knows it; "" unless the provider needs it
	fetcher  Fetcher
	roots    *x509.CertPool // of certificates that are fetched; nil: the system's
	signing  string
	maxAge   time.Duration // 0: DefaultMaxAge

	described bool // the scheme is the operator's own description
	signsOnly bool
}

// New returns the Verifier that cfg describes. The secrets are those that are accepted, newest first: at least one and
// none of them empty, but for providers that have none or hand theirs over in a handshake. Errors are ErrConfig; their message
// names the field as the configuration file does and what the provider calls it, and holds no secret.
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
		trust: p.scheme.trust(), onceBy: p.onceBy, place: newPlaces(p, cfg.Once), handshake: p.handshake, reply: p.reply, beside: p.beside, allowed: allowed, keys: k,
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

// Verify returns what r is, if it is authentic and fresh, or a handshake of the provider's. The errors are those above; they tell
// names of headers and durations, never a secret or a signature. ctx bounds what a scheme asks of the provider's servers.
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
		return Result{}, fmt.Errorf("%w: the delivery id, which keeps copies with another event out", ErrMissing)
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
	if err != nil || !slices.ContainsFunc(v.allowed, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
		return fmt.Errorf("%w: %q", ErrAddress, remote)
	}
	return nil
}

// Sign returns the request with which the provider would send w at a time, signed with the first secret: the inverse of
// Verify, for tests and for sending samples. The error is that with which Verify would refuse w's delivery id or body, or says that
// the scheme needs SignWith.
func (v *Verifier) Sign(w Webhook, at time.Time) (Request, error) {
	r := Request{Method: "POST", Header: Header{"content-type": "application/json"}, Body: w.Body, ReceivedAt: at}
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

// SignatureHeaders returns the names, in lower case, of the headers that carry the proof itself: of no more use once a request
// is verified, and, where the proof is a token, not to be kept.
func (v *Verifier) SignatureHeaders() []string {
	if v.proof == nil {
		return nil
	}
	return v.proof.headers()
}

// Methods returns the methods that the provider uses, POST first, then those of its handshakes.
func (v *Verifier) Methods() []string { return append([]string{"POST"}, v.handshake.methods...) }

// WantsNoBody tells whether the provider wants its answers without a body. That holds for refusals too: Xero takes a URL for
// wrong that refuses with one.
func (v *Verifier) WantsNoBody() bool { return v.reply != nil && v.reply.Body == "" }

// single returns the value of a header that a proof needs once.
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

// checkSecrets holds for every scheme that has secrets: with an empty one anybody could sign.
func checkSecrets(secrets []string) error {
	if len(secrets) == 0 {
		return wrong("secrets", "at least one is needed")
	}
	if i := slices.IndexFunc(secrets, func(s string) bool { return strings.TrimSpace(s) == "" }); i >= 0 {
		return wrong(fmt.Sprintf("secrets[%d]", i), "is empty: anybody could sign with it; give the provider's secret, or remove it")
	}
	return nil
}

// checkLength refuses a key or a token of one byte. That stops slips, not attacks: providers recommend 16 bytes and more.
func checkLength(field string, n int) error {
	const least = 2
	if n < least {
		return wrong(field, "has %d bytes, which can be guessed; %d are the least that is taken, and 16 are safe", n, least)
	}
	return nil
}
