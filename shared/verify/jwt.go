package verify

import (
	"context"
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// webToken is the scheme of a JSON Web Token (RFC 7519) in a header. Where it has a hash of the body in a claim it proves the webhook, else
// only who sends it.
type webToken struct {
	header    string // lower case
	prefix    string // before the token, such as "Bearer "
	algorithm string // the one that is taken, whatever the token says of itself
	published published
	bodyHash  string // the claim with the SHA-256 of the body; "" where there is none
	hashForm  string // hex, base64
	timed     string // the claim that says when it was made: iat, nbf; "" where none does
	tolerance time.Duration
	claims    []wantedClaim
}

// published is how a key is had that the provider publishes by its id; the zero value is for keys among the secrets.
type published struct {
	// find returns the key of an id. It is asked for keys that are not pinned.
	find  func(ctx context.Context, k *keys, id string) (crypto.PublicKey, error)
	check func(k *keys) error // of the settings that find needs; nil: none
	sign  algorithm
}

// wantedClaim is a claim that must be one of some values.
type wantedClaim struct {
	name    string
	values  []string
	setting string // the value is that of a setting; in the place of values
}

// maxToken bounds a token before it is parsed. API Gateway bounds all headers together to 10 KiB.
const maxToken = 16 << 10

func (s webToken) trust() Trust {
	if s.bodyHash == "" {
		return Authenticated
	}
	return Verified
}

func (s webToken) window() time.Duration { return s.tolerance }

func (s webToken) describe() string {
	what := fmt.Sprintf("header %s: %sJSON Web Token, %s", s.header, s.prefix, s.algorithm)
	if s.bodyHash == "" {
		return what + "; the body is not signed"
	}
	return fmt.Sprintf("%s, with the %s of the body's SHA-256 in its claim %s", what, s.hashForm, s.bodyHash)
}

// makeKey implements keyMaker.
func (s webToken) makeKey(seed []byte) (secret, signing string, settings map[string]string, err error) {
	if s.published.find == nil {
		return hex.EncodeToString(seed), "", nil, nil
	}
	return makePublished(s.published.sign, seed)
}

func (s webToken) prepare(k *keys) (proof, error) {
	p := &webTokenProof{webToken: s, keys: k}
	p.parser = jwt.NewParser(jwt.WithValidMethods([]string{s.algorithm}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	if s.published.find == nil {
		raw, err := k.read(keyText)
		for _, r := range raw {
			p.secrets.Keys = append(p.secrets.Keys, r)
		}
		return p, err
	}
	if err := noSecrets(k); err != nil {
		return nil, err
	}
	var err error
	if p.pinned, err = pinnedKeySet(k); err != nil {
		return nil, err
	}
	if check := s.published.check; check != nil {
		if err := check(k); err != nil {
			return nil, err
		}
	}
	p.private, err = readPrivate(k.signing)
	return p, err
}

// webTokenProof is a webToken with its keys.
type webTokenProof struct {
	webToken
	keys    *keys
	parser  *jwt.Parser
	secrets jwt.VerificationKeySet
	pinned  keySet        // nil: keys are fetched
	private crypto.Signer // nil: cannot sign
}

func (p *webTokenProof) headers() []string { return []string{p.header} }

func (p *webTokenProof) check(ctx context.Context, r Request) error {
	value, err := single(r.Header, p.header)
	if err != nil {
		return err
	}
	if len(value) < len(p.prefix) || len(value) > maxToken || !strings.EqualFold(value[:len(p.prefix)], p.prefix) {
		return malformed(p.header, p.prefix+"and a token")
	}
	claims := jwt.MapClaims{}
	_, err = p.parser.ParseWithClaims(value[len(p.prefix):], claims, func(t *jwt.Token) (any, error) { return p.key(ctx, t) })
	switch {
	case errors.Is(err, ErrFetch):
		return err
	case errors.Is(err, jwt.ErrTokenMalformed):
		return malformed(p.header, "a JSON Web Token")
	case err != nil: // what the library says may hold what the token says
		return fmt.Errorf("%w: header %s", ErrMismatch, p.header)
	}
	if err := p.checkClaims(claims); err != nil {
		return err
	}
	if p.bodyHash != "" {
		sent, _ := claims[p.bodyHash].(string)
		if subtle.ConstantTimeCompare([]byte(sent), []byte(p.hashOf(r.Body))) != 1 {
			return fmt.Errorf("%w: the body has another hash than the token's claim %s", ErrMismatch, p.bodyHash)
		}
	}
	return p.checkTime(claims, r.ReceivedAt)
}

func (p *webTokenProof) key(ctx context.Context, t *jwt.Token) (any, error) {
	if p.published.find == nil {
		return p.secrets, nil
	}
	id, _ := t.Header["kid"].(string)
	if p.pinned != nil {
		return p.pinned.find(id)
	}
	if id == "" || len(id) > maxValueBytes {
		return nil, errNoSuchKey
	}
	return p.published.find(ctx, p.keys, id)
}

func (p *webTokenProof) checkClaims(claims jwt.MapClaims) error {
	for _, want := range p.claims {
		values := want.values
		if want.setting != "" {
			values = []string{p.keys.settings[want.setting]}
		}
		if !slices.ContainsFunc(values, func(v string) bool { return holds(claims[want.name], v) }) {
			return fmt.Errorf("%w: the token's claim %s is not what it must be", ErrMismatch, want.name)
		}
	}
	return nil
}

// holds tells whether a claim is a value, or a list with it (as aud may be), or a boolean that is written so.
func holds(claim any, value string) bool {
	switch claim := claim.(type) {
	case string:
		return claim == value
	case bool:
		return fmt.Sprint(claim) == value
	case []any:
		return slices.Contains(claim, any(value))
	}
	return false
}

func (p *webTokenProof) hashOf(body []byte) string {
	sum := crypto.SHA256.New()
	sum.Write(body)
	if p.hashForm == "base64" {
		return base64.StdEncoding.EncodeToString(sum.Sum(nil))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// checkTime holds the time the token was made at against the tolerance, and its own end, if it has one.
func (p *webTokenProof) checkTime(claims jwt.MapClaims, receivedAt time.Time) error {
	if p.timed == "" {
		return nil
	}
	made, ends := claims.GetIssuedAt, claims.GetExpirationTime
	if p.timed == "nbf" {
		made = claims.GetNotBefore
	}
	from, err := made()
	if err != nil || from == nil {
		return malformed(p.header, "a token with a time "+p.timed)
	}
	if until, err := ends(); err != nil {
		return malformed(p.header, "a token with a time exp")
	} else if until != nil && receivedAt.After(until.Time) {
		return fmt.Errorf("%w: the token ended %s ago", ErrStale, seconds(receivedAt.Sub(until.Time)))
	}
	return fresh(from.Time, receivedAt, p.tolerance)
}

func (p *webTokenProof) sign(r *Request, _ Webhook, at time.Time) error {
	claims := jwt.MapClaims{}
	for _, want := range p.claims {
		switch {
		case want.setting != "":
			claims[want.name] = p.keys.settings[want.setting]
		case want.values[0] == "true":
			claims[want.name] = true
		default:
			claims[want.name] = want.values[0]
		}
	}
	if p.bodyHash != "" {
		claims[p.bodyHash] = p.hashOf(r.Body)
	}
	if p.timed != "" {
		claims[p.timed] = at.Unix()
		if p.tolerance != Unlimited {
			claims["exp"] = at.Add(p.tolerance).Unix()
		}
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(p.algorithm), claims)
	var key any = p.private
	switch {
	case p.published.find == nil:
		key = p.secrets.Keys[0]
	case p.private == nil:
		return errNeedsKey
	case len(p.pinned) > 0:
		t.Header["kid"] = p.pinned[0].id
	}
	text, err := t.SignedString(key)
	r.Header[p.header] = p.prefix + text
	return err
}
