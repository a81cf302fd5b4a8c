package verify

import (
	"context"
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"webhook-relay/shared/document"
)

// webToken is the scheme of a JSON Web Token (RFC 7519) in a header. If a claim holds a hash of the
// body, the token proves the webhook. Otherwise it proves only the sender. The body may also be the
// token itself; then its claims are the webhook.
type webToken struct {
	header    string // lower case; "": the body is the token
	media     string // the content type if the body is the token
	prefix    string // before the token, such as "Bearer "
	algorithm string // the accepted one, whatever the token says
	published published
	// the secrets are public keys for it, in X.509's form; zero: they are keys of an HMAC
	public    algorithm
	bodyHash  string // the claim with the SHA-256 of the body; "": none
	hashForm  string // hex, base64, base64url
	timed     string // the claim with the time of issue: iat, nbf; "": none
	tolerance time.Duration
	claims    []wantedClaim
}

// published describes how to get a key that the provider publishes under an id. It is zero if the
// secrets are the keys.
type published struct {
	// find returns the key with an id. It is not called if keys are pinned.
	find  func(ctx context.Context, k *keys, id string) (crypto.PublicKey, error)
	check func(k *keys) error // checks the settings that find needs; nil: none
	sign  algorithm
}

// wantedClaim is a claim that must have one of some values. Without values, it must be present.
type wantedClaim struct {
	name    string
	values  []string
	setting string // the setting that holds the value; instead of values
	url     bool   // the value is the source's URL; instead of values
}

// maxToken limits a token before it is parsed. API Gateway limits all headers together to 10 KiB.
const maxToken = 16 << 10

func (s webToken) trust() Trust {
	if s.bodyHash == "" && s.header != "" {
		return Authenticated
	}
	return Verified
}

func (s webToken) window() time.Duration { return s.tolerance }

func (s webToken) describe() string {
	what := fmt.Sprintf("header %s: %sJSON Web Token, %s", s.header, s.prefix, s.algorithm)
	if s.header == "" {
		return "body: a JSON Web Token, " + s.algorithm
	}
	if s.bodyHash == "" {
		return what + "; the body is not signed"
	}
	return fmt.Sprintf(
		"%s, with the %s of the body's SHA-256 in its claim %s", what, s.hashForm, s.bodyHash,
	)
}

// makeKey implements keyMaker.
func (s webToken) makeKey(seed []byte) (secret, signing string, err error) {
	switch {
	case s.public.make != nil:
		return public{signature: s.public, keyForm: keySPKI}.makeKey(seed)
	case s.published.find == nil:
		return hex.EncodeToString(seed), "", nil
	}
	return makePublished(s.published.sign, seed)
}

// pin implements pinner.
func (s webToken) pin(signing string) (map[string]string, error) {
	if s.published.find == nil {
		return map[string]string{}, nil
	}
	return keySetOf(s.published.sign, signing)
}

func (s webToken) prepare(k *keys) (proof, error) {
	p := &webTokenProof{webToken: s, keys: k, fresh: k.freshness(s.tolerance)}
	var err error
	switch {
	case s.public.make != nil:
		var all []crypto.PublicKey
		if all, err = (public{signature: s.public, keyForm: keySPKI}).readKeys(k); err != nil {
			return nil, err
		}
		for _, key := range all {
			p.secrets.Keys = append(p.secrets.Keys, key)
		}
		p.private, err = readPrivate(s.public, k.signing)
		return p, err
	case s.published.find == nil:
		raw, err := k.read(keyText)
		for _, r := range raw {
			p.secrets.Keys = append(p.secrets.Keys, r)
		}
		return p, err
	}
	if err := noSecrets(k); err != nil {
		return nil, err
	}
	if p.pinned, err = pinnedKeySet(k); err != nil {
		return nil, err
	}
	if check := s.published.check; check != nil {
		if err := check(k); err != nil {
			return nil, err
		}
	}
	p.private, err = readPrivate(s.published.sign, k.signing)
	return p, err
}

// webTokenProof is a webToken with its keys.
type webTokenProof struct {
	webToken
	keys    *keys
	secrets jwt.VerificationKeySet
	pinned  keySet        // nil: keys are fetched
	private crypto.Signer // nil: cannot sign
	fresh   freshness
}

func (p *webTokenProof) headers() []string {
	if p.header == "" {
		return nil
	}
	return []string{p.header}
}

// token returns the token of a request.
func (p *webTokenProof) token(r Request) (string, error) {
	if p.header == "" {
		token := string(r.Body)
		switch {
		case strings.Count(token, ".") != 2:
			return "", fmt.Errorf("%w: a token as the body", ErrMissing)
		case strings.ContainsFunc(token, func(r rune) bool {
			return !isAlphanumeric(r) && r != '-' && r != '_' && r != '.'
		}):
			// base64 decoders skip line ends
			return "", p.malformed("a JSON Web Token and nothing else")
		}
		return token, nil
	}
	value, err := single(r.Header, p.header)
	if err != nil {
		return "", err
	}
	token, ok := cutScheme(value, p.prefix)
	if !ok || len(value) > maxToken {
		return "", p.malformed(p.prefix + "and a token")
	}
	return token, nil
}

// where names the place of the token, for errors.
func (p *webTokenProof) where() string {
	if p.header == "" {
		return "the body"
	}
	return "header " + p.header
}

func (p *webTokenProof) malformed(expected string) error {
	return fmt.Errorf("%w: %s is not %s", ErrMalformed, p.where(), expected)
}

func (p *webTokenProof) check(ctx context.Context, r Request) error {
	token, err := p.token(r)
	if err != nil {
		return err
	}
	claims, err := p.readClaims(ctx, token)
	if err != nil {
		return err
	}
	if err := p.checkClaims(claims); err != nil {
		return err
	}
	if p.bodyHash != "" {
		sent, _ := claims[p.bodyHash].(string)
		if p.hashForm == "base64url" {
			sent = strings.TrimRight(sent, "=") // with or without padding, it is the same hash
		}
		if subtle.ConstantTimeCompare([]byte(sent), []byte(p.hashOf(r.Body))) != 1 {
			return fmt.Errorf(
				"%w: the body's hash is not the one in the token's claim %s", ErrMismatch,
				p.bodyHash,
			)
		}
	}
	return p.checkTime(claims, r.ReceivedAt)
}

// readClaims checks the signature of a token (RFC 7515, section 5.2) and returns its claims. It
// decodes the claims only after the check: decoded, a stranger's body would take many times its
// size in memory.
func (p *webTokenProof) readClaims(ctx context.Context, token string) (jwt.MapClaims, error) {
	end := strings.LastIndexByte(token, '.')
	signedText, encoded := token[:max(end, 0)], token[end+1:]
	head, payload, ok := strings.Cut(signedText, ".")
	signature, err := tokenEncoding.DecodeString(encoded)
	if !ok || err != nil || strings.Contains(payload, ".") || len(head) > maxToken {
		return nil, p.malformed("a JSON Web Token")
	}
	keyID, err := p.readHead(head)
	if err != nil {
		return nil, err
	}
	key, err := p.key(ctx, keyID)
	switch {
	case errors.Is(err, ErrFetch):
		return nil, err
	case err != nil || !verifiedBy(key, jwt.GetSigningMethod(p.algorithm), signedText, signature):
		return nil, fmt.Errorf("%w: %s", ErrMismatch, p.where())
	}
	var claims jwt.MapClaims
	if text, err := tokenEncoding.DecodeString(payload); err != nil ||
		json.Unmarshal(text, &claims) != nil || claims == nil {
		return nil, p.malformed("a JSON Web Token with claims")
	}
	return claims, nil
}

// tokenEncoding is the encoding of a token's parts.
var tokenEncoding = base64.RawURLEncoding.Strict()

// readHead returns the id of the key that the token names. The token must name the table's
// algorithm. A token with critical extensions is refused, because this package knows none.
func (p *webTokenProof) readHead(encoded string) (keyID string, err error) {
	text, err := tokenEncoding.DecodeString(encoded)
	if err != nil {
		return "", p.malformed("a JSON Web Token")
	}
	found, err := document.NewStrictPaths(
		[]string{"alg"}, []string{"kid"}, []string{"crit"},
	).Find(text, nil)
	switch {
	case err != nil:
		return "", p.malformed("a JSON Web Token")
	case document.Scalar(found[0]) != p.algorithm || len(found[2]) > 0:
		return "", fmt.Errorf("%w: %s", ErrMismatch, p.where())
	}
	return document.Scalar(found[1]), nil
}

// verifiedBy tells whether one of the keys made the signature.
func verifiedBy(key any, method jwt.SigningMethod, text string, signature []byte) bool {
	keys := []jwt.VerificationKey{key}
	if set, ok := key.(jwt.VerificationKeySet); ok {
		keys = set.Keys
	}
	return slices.ContainsFunc(keys, func(k jwt.VerificationKey) bool {
		return method.Verify(text, signature, k) == nil
	})
}

func (p *webTokenProof) key(ctx context.Context, id string) (any, error) {
	if p.published.find == nil {
		return p.secrets, nil
	}
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
		values := p.wanted(want)
		if len(values) == 0 && hasText(claims, want.name) {
			continue
		}
		if !slices.ContainsFunc(values, func(v string) bool {
			return holds(claims[want.name], v)
		}) {
			return fmt.Errorf(
				"%w: the token's claim %s has a wrong value", ErrMismatch, want.name,
			)
		}
	}
	return nil
}

func hasText(claims jwt.MapClaims, name string) bool {
	text, _ := claims[name].(string)
	return text != ""
}

// wanted returns the values that a claim may have.
func (p *webTokenProof) wanted(c wantedClaim) []string {
	switch {
	case c.setting != "":
		return []string{p.keys.settings[c.setting]}
	case c.url:
		return []string{p.keys.url}
	}
	return c.values
}

// holds tells whether a claim is the value, a list that contains it (as aud may be), or the boolean
// that is written so.
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
	switch p.hashForm {
	case "base64":
		return base64.StdEncoding.EncodeToString(sum.Sum(nil))
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// clockLeeway is how far a token's own times may lie ahead. RFC 7519 allows some leeway for
// differing clocks.
const clockLeeway = time.Minute

// checkTime checks the time of issue against the tolerance, if the provider signs one. It also
// checks every token against its own times (RFC 7519, sections 4.1.4 to 4.1.6).
func (p *webTokenProof) checkTime(claims jwt.MapClaims, receivedAt time.Time) error {
	times := map[string]time.Time{}
	for name, read := range map[string]func() (*jwt.NumericDate, error){
		"exp": claims.GetExpirationTime, "iat": claims.GetIssuedAt, "nbf": claims.GetNotBefore,
	} {
		at, err := read()
		if err != nil || at == nil && name == p.timed {
			return p.malformed("a token with a time " + name)
		}
		if at != nil {
			times[name] = at.Time
		}
	}
	if ends, ok := times["exp"]; ok && !receivedAt.Before(ends) {
		return fmt.Errorf("%w: the token ended %s ago", ErrStale, seconds(receivedAt.Sub(ends)))
	}
	for _, name := range []string{"iat", "nbf"} {
		if ahead := times[name].Sub(receivedAt); name != p.timed && ahead > clockLeeway {
			return fmt.Errorf("%w: the token's %s is %s ahead", ErrFuture, name, seconds(ahead))
		}
	}
	if p.timed == "" {
		return nil
	}
	return p.fresh.check(times[p.timed], receivedAt)
}

func (p *webTokenProof) sign(r *Request, _ Webhook, at time.Time) error {
	claims := jwt.MapClaims{}
	if p.header == "" {
		object, err := decodeObject(r.Body)
		if err != nil {
			return err
		}
		claims = object
	}
	for _, want := range p.claims {
		switch values := p.wanted(want); {
		case len(values) == 0 && !hasText(claims, want.name):
			return fmt.Errorf("%w: the body has no %s", ErrMalformed, want.name)
		case len(values) == 0: // the body has the claim already
		case values[0] == "true":
			claims[want.name] = true
		default:
			claims[want.name] = values[0]
		}
	}
	if p.bodyHash != "" {
		claims[p.bodyHash] = p.hashOf(r.Body)
	}
	if p.timed != "" {
		claims[p.timed] = at.Unix()
		if p.tolerance != Unlimited {
			// at the time exp the token is already invalid
			claims["exp"] = at.Add(p.tolerance + time.Second).Unix()
		}
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(p.algorithm), claims)
	var key any = p.private
	switch {
	case p.published.find == nil && p.public.make == nil:
		key = p.secrets.Keys[0]
	case p.private == nil:
		return errNeedsKey
	case len(p.pinned) > 0:
		t.Header["kid"] = p.pinned[0].id
	}
	text, err := t.SignedString(key)
	if p.header == "" {
		r.Body, r.Header["content-type"] = []byte(text), p.media
		return err
	}
	r.Header[p.header] = p.prefix + text
	return err
}

// findKinde finds a key in the key set of a business at Kinde.
func findKinde(ctx context.Context, k *keys, id string) (crypto.PublicKey, error) {
	return k.findInSet(
		ctx, "https://"+k.settings[settingSubdomain]+".kinde.com/.well-known/jwks", id,
	)
}

// settingSubdomain names a business at Kinde.
const settingSubdomain = "subdomain"

// checkSubdomain refuses a value that would change the host from which keys are fetched.
func checkSubdomain(k *keys) error {
	if value := k.settings[settingSubdomain]; strings.ContainsFunc(value, func(r rune) bool {
		return !isAlphanumeric(r) && r != '-'
	}) {
		return wrong("settings."+settingSubdomain, "%q is not the part before .kinde.com", value)
	}
	return nil
}
