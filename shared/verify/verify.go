package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Header holds a request's headers: lower-case names, and for each its value. A header that was sent several times
// has its values joined by ",", as API Gateway's payload 2.0 does.
type Header map[string]string

// Request is an inbound webhook, as far as verification needs it.
type Request struct {
	Header     Header
	Body       []byte    // raw bytes
	ReceivedAt time.Time // freshness is judged against this, not against the time of processing
}

// Result is what a verified request says of itself.
type Result struct {
	DeliveryID string // the provider's id of this webhook, the same when it is sent again; "" where it has none
	EventType  string // "" where it has none
}

// Webhook is what Sign makes a request of.
type Webhook struct {
	Body       []byte // sent as it is; holds the id and the type itself where the provider has them in the body
	DeliveryID string // goes where the provider has it in a header; required where it is signed
	EventType  string // goes where the provider has it in a header, less what Verify adds to it from the body
}

// Why a request was refused. Compare with errors.Is.
var (
	ErrMissing   = errors.New("verify: signature missing")               // a header that the scheme needs is absent or empty
	ErrMalformed = errors.New("verify: signature malformed")             // present, but not of the scheme's form
	ErrRepeated  = errors.New("verify: signature header repeated")       // a header that the scheme needs was sent more than once
	ErrMismatch  = errors.New("verify: signature does not match")        // no secret makes it
	ErrStale     = errors.New("verify: timestamp too old")               // older than the tolerance
	ErrFuture    = errors.New("verify: timestamp too far in the future") // further ahead than the tolerance
)

// Verifier checks the webhooks of one source. It is made by New and safe for concurrent use.
type Verifier struct {
	proof proof
	place places
}

// proof is a scheme with its secrets, ready for use. Implementations are safe for concurrent use, and are pointers, so
// that printing a Verifier shows no secret.
type proof interface {
	check(r Request) error
	sign(h Header, w Webhook, at time.Time) error // adds to h what check wants to see
	header() string                               // carries the proof itself; "" where there is none
}

// scheme is a way to prove a webhook, as the table of providers describes it.
type scheme interface {
	prepare(secrets []string) (proof, error)
}

// New returns the Verifier that cfg describes. The secrets are those that are accepted, newest first: at least one and
// none of them empty, but for provider "none", which takes none. Errors are ErrConfig; their message names the field as the
// configuration file does, and holds no secret.
func New(cfg Config, secrets []string) (*Verifier, error) {
	p, err := cfg.provider()
	if err != nil {
		return nil, err
	}
	proof, err := p.scheme.prepare(secrets)
	if err != nil {
		return nil, err
	}
	return &Verifier{proof, newPlaces(p)}, nil
}

// Verify returns what r says of itself, if r is authentic and fresh. The errors are those above; they tell names of headers and
// durations, never a secret or a signature.
func (v *Verifier) Verify(r Request) (Result, error) {
	if err := v.proof.check(r); err != nil {
		return Result{}, err
	}
	return v.place.read(r), nil
}

// Sign returns the headers with which the provider would send w at a time, signed with the first secret: the inverse of
// Verify, for tests and for sending samples. The error is that with which Verify would refuse w's delivery id.
func (v *Verifier) Sign(w Webhook, at time.Time) (Header, error) {
	h := Header{"content-type": "application/json"}
	v.place.write(h, w)
	if err := v.proof.sign(h, w, at); err != nil {
		return nil, err
	}
	return h, nil
}

// SignatureHeaders returns the names, in lower case, of the headers that carry the proof itself: of no more use once a request
// is verified, and, where the proof is a token, not to be kept.
func (v *Verifier) SignatureHeaders() []string {
	if name := v.proof.header(); name != "" {
		return []string{name}
	}
	return nil
}

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
		return wrong("secrets", "at least one is needed; only provider none goes without")
	}
	if i := slices.IndexFunc(secrets, func(s string) bool { return strings.TrimSpace(s) == "" }); i >= 0 {
		return wrong(fmt.Sprintf("secrets[%d]", i), "is empty: anybody could sign with it; give the provider's secret, or remove it")
	}
	return nil
}
