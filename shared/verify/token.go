package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// token is the scheme of a header that holds the secret itself. It proves the sender, but not the
// content.
type token struct {
	header string // lower case
	// before the token, such as "Bearer "; compared without regard to case, as RFC 9110 says for
	// authentication schemes
	prefix string
	basic  bool // the secret is user:password, sent in base64 (RFC 7617)
	named  bool // settings.header can name another header
}

// headerSetting names the header of a token with named set.
const headerSetting = "header"

const authorization = "authorization"

func (t token) trust() Trust { return Authenticated }

func (t token) describe() string {
	if t.basic {
		return "header " + t.header + ": Basic, with the secret as user:password"
	}
	where := "header " + t.header
	if t.named {
		where = strings.TrimSuffix(
			"the header that settings.header names, else "+t.header, ", else ",
		)
	}
	return where + ": " + t.prefix + "the secret itself"
}

func (t token) prepare(k *keys) (proof, error) {
	if err := checkSecrets(k.secrets); err != nil {
		return nil, err
	}
	p := &tokenProof{token: t}
	if name := k.settings[headerSetting]; t.named && name != "" {
		if err := checkName("settings."+headerSetting, name); err != nil {
			return nil, err
		}
		p.header = strings.ToLower(name)
	}
	for i, secret := range k.secrets {
		field := fmt.Sprintf("secrets[%d]", i)
		if user, password, ok := strings.Cut(secret, ":"); t.basic {
			if !ok || password == "" && len(user) < 16 {
				return nil, wrong(field, "is not user:password")
			}
			secret = base64.StdEncoding.EncodeToString([]byte(secret))
		}
		if err := errors.Join(
			t.checkForm(field, secret), checkLength(field, len(secret)),
		); err != nil {
			return nil, err
		}
		if i == 0 {
			p.first = secret
		}
		p.sums = append(p.sums, sha256.Sum256([]byte(secret)))
	}
	return p, nil
}

// checkForm refuses a token that cannot be sent in one header. Without a prefix, a token may
// contain spaces: it may be "Bearer …" itself.
func (t token) checkForm(field, secret string) error {
	least := ' '
	if t.prefix != "" {
		least = '!'
	}
	switch {
	case strings.ContainsFunc(secret, func(r rune) bool {
		return r < least || r > '~' || r == ','
	}):
		return wrong(field, "a token in a header has visible ASCII characters only, and no comma")
	case strings.TrimSpace(secret) != secret:
		return wrong(field, "has a space at its beginning or end, which a header loses")
	}
	return nil
}

// makeKey implements keyMaker.
func (t token) makeKey(seed []byte) (secret, signing string, err error) { //nolint:unparam // as keyMaker has it
	secret = writeKey(keyHex, seed)
	if t.basic {
		secret = "user:" + secret
	}
	return secret, "", nil
}

// tokenProof compares hashes, so that the time of a comparison does not show a token's length.
type tokenProof struct {
	token
	first string
	sums  [][sha256.Size]byte
}

func (p *tokenProof) headers() []string { return []string{p.header} }

func (p *tokenProof) check(_ context.Context, r Request) error {
	value, err := single(r.Header, p.header)
	if err != nil {
		return err
	}
	sent, ok := cutScheme(value, p.prefix)
	if !ok {
		return malformed(p.header, p.prefix+"and a token")
	}
	return matchToken(p.sums, sent, "header "+p.header)
}

// cutScheme returns the text after an authentication scheme. prefix is the scheme's name with a
// space after it. Case does not matter, and there may be more spaces (RFC 9110, section 11.4). An
// empty prefix means no scheme. ok is false if nothing follows.
func cutScheme(value, prefix string) (credentials string, ok bool) {
	if len(value) < len(prefix) || !strings.EqualFold(value[:len(prefix)], prefix) {
		return "", false
	}
	credentials = value[len(prefix):]
	if prefix != "" {
		credentials = strings.TrimLeft(credentials, " ")
	}
	return credentials, credentials != ""
}

func matchToken(sums [][sha256.Size]byte, token, where string) error {
	sent := sha256.Sum256([]byte(token))
	for _, sum := range sums {
		if subtle.ConstantTimeCompare(sum[:], sent[:]) == 1 {
			return nil
		}
	}
	return fmt.Errorf("%w: %s, secrets %d", ErrMismatch, where, len(sums))
}

func (p *tokenProof) sign(r *Request, _ Webhook, _ time.Time) error {
	r.Header[p.header] = p.prefix + p.first
	return nil
}

// unsigned is the scheme that checks nothing. A source must ask for it by name.
type unsigned struct{}

func (unsigned) trust() Trust     { return Unverified }
func (unsigned) describe() string { return "nothing is checked" }

func (unsigned) prepare(k *keys) (proof, error) {
	if len(k.secrets) > 0 {
		return nil, wrong(
			"secrets",
			"this provider verifies nothing, so it uses no secrets; remove them, or name another provider",
		)
	}
	return &unsigned{}, nil
}

func (*unsigned) headers() []string                       { return nil }
func (*unsigned) check(context.Context, Request) error    { return nil }
func (*unsigned) sign(*Request, Webhook, time.Time) error { return nil }
