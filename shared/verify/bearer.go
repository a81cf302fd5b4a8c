package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"
)

// bearer is the scheme of a token in the header authorization (RFC 6750): the secret itself.
type bearer struct{}

const authorization = "authorization"

func (bearer) prepare(secrets []string) (proof, error) {
	if err := checkSecrets(secrets); err != nil {
		return nil, err
	}
	p := &bearerProof{first: secrets[0]}
	for i, secret := range secrets {
		if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }) {
			return nil, wrong(fmt.Sprintf("secrets[%d]", i), "a bearer token has letters, digits and -._~+/= only")
		}
		p.sums = append(p.sums, sha256.Sum256([]byte(secret)))
	}
	return p, nil
}

// bearerProof compares hashes, so that the time it takes tells nothing of a token's length.
type bearerProof struct {
	first string
	sums  [][sha256.Size]byte
}

func (p *bearerProof) header() string { return authorization }

func (p *bearerProof) check(r Request) error {
	value, err := single(r.Header, authorization)
	if err != nil {
		return err
	}
	name, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(name, "Bearer") || token == "" {
		return malformed(authorization, "Bearer and a token")
	}
	sent := sha256.Sum256([]byte(token))
	for _, sum := range p.sums {
		if subtle.ConstantTimeCompare(sum[:], sent[:]) == 1 {
			return nil
		}
	}
	return fmt.Errorf("%w: header %s, secrets %d", ErrMismatch, authorization, len(p.sums))
}

func (p *bearerProof) sign(h Header, _ Webhook, _ time.Time) error {
	h[authorization] = "Bearer " + p.first
	return nil
}

// unsigned is the scheme that checks nothing, for a source that says so aloud.
type unsigned struct{}

func (unsigned) prepare(secrets []string) (proof, error) {
	if len(secrets) > 0 {
		return nil, wrong("secrets", "provider none checks nothing and takes none; remove them, or name another provider")
	}
	return &unsigned{}, nil
}

func (*unsigned) header() string                        { return "" }
func (*unsigned) check(Request) error                   { return nil }
func (*unsigned) sign(Header, Webhook, time.Time) error { return nil }
