package verify

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// settingKeySet pins keys, so that none are fetched.
const settingKeySet = "jwks"

// errNoSuchKey refuses a request that names a key which the provider does not have.
var errNoSuchKey = errors.New("verify: no such key")

// keySet holds the public keys of a JSON Web Key Set (RFC 7517), in its order.
type keySet []publishedKey

type publishedKey struct {
	id  string
	key crypto.PublicKey
}

func (s keySet) find(id string) (crypto.PublicKey, error) {
	for _, k := range s {
		if k.id == id {
			return k.key, nil
		}
	}
	return nil, errNoSuchKey
}

// webKey is a public key in a key set. Its numbers are in base64url.
type webKey struct {
	Type  string `json:"kty"`
	ID    string `json:"kid"`
	Curve string `json:"crv,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

var errWebKey = errors.New("verify: neither an RSA public key nor one on the curve P-256")

func (w webKey) read() (crypto.PublicKey, error) {
	number := func(text string) []byte {
		raw, _ := base64.RawURLEncoding.DecodeString(text) // an invalid number fits no key
		return raw
	}
	switch {
	case w.Type == "EC" && w.Curve == "P-256":
		x, y := number(w.X), number(w.Y)
		if len(x) != 32 || len(y) != 32 {
			return nil, errWebKey
		}
		return ecdsa.ParseUncompressedPublicKey(
			elliptic.P256(), append(append([]byte{4}, x...), y...),
		)
	case w.Type == "RSA":
		n, e := new(big.Int).SetBytes(number(w.N)), new(big.Int).SetBytes(number(w.E))
		if e.BitLen() > 31 || e.Bit(0) == 0 {
			return nil, errWebKey
		}
		key := &rsa.PublicKey{N: n, E: int(e.Int64())}
		return key, wantRSA(key)
	}
	return nil, errWebKey
}

// pinnedKeySet returns the keys in the settings, nil if there are none.
func pinnedKeySet(k *keys) (keySet, error) {
	text := k.settings[settingKeySet]
	if text == "" {
		return nil, nil
	}
	set, err := readKeySet([]byte(text))
	if err != nil || len(set) == 0 {
		return nil, wrong(
			"settings."+settingKeySet,
			`is not a JSON Web Key Set with a key in it: {"keys": [...]}`,
		)
	}
	return set, nil
}

// readKeySet reads a set. It skips keys of other kinds, as RFC 7517 says.
func readKeySet(text []byte) (keySet, error) {
	var all struct {
		Keys []webKey `json:"keys"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	var set keySet
	for _, w := range all.Keys {
		if key, err := w.read(); err == nil {
			set = append(set, publishedKey{id: w.ID, key: key})
		}
	}
	return set, nil
}

// writeKeySet is the inverse of readKeySet, for one key.
func writeKeySet(id string, key crypto.PublicKey) (string, error) {
	w := webKey{ID: id}
	switch key := key.(type) {
	case *rsa.PublicKey:
		w.Type, w.N, w.E = "RSA", base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "AQAB"
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return "", err
		}
		w.Type, w.Curve = "EC", "P-256"
		w.X, w.Y = base64.RawURLEncoding.EncodeToString(point[1:33]),
			base64.RawURLEncoding.EncodeToString(point[33:])
	}
	text, err := json.Marshal(map[string][]webKey{"keys": {w}})
	return string(text), err
}

// exampleKeyID is the id of keys made for an example. It has the form that ids have at all
// providers.
const exampleKeyID = "00000000-0000-4000-8000-000000000000"

// isUUID tells whether a text has the form of a UUID (RFC 9562, section 4).
func isUUID(text string) bool {
	for i := range len(text) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (text[i] == '-') || !dash &&
			!isName(text[i:i+1], hexDigits, 1) {
			return false
		}
	}
	return len(text) == 36
}

// makePublished makes the private key of a provider that publishes the public half.
func makePublished(a algorithm, seed []byte) (secret, signing string, err error) { //nolint:unparam // as keyMaker has it
	key, err := a.make(seed)
	if err != nil {
		return "", "", err
	}
	signing, err = writePrivate(key)
	return "", signing, err
}

// keySetOf returns the setting that pins the public half of a private key.
func keySetOf(a algorithm, signing string) (map[string]string, error) {
	key, err := readPrivate(a, signing)
	if err != nil {
		return nil, err
	}
	set, err := writeKeySet(exampleKeyID, key.Public())
	return map[string]string{settingKeySet: set}, err
}

// keyByID finds the provider's key that a request names.
type keyByID struct {
	keys    *keys
	fetch   func(ctx context.Context, k *keys, id string) (crypto.PublicKey, error)
	pinned  keySet        // nil: keys are fetched
	private crypto.Signer // nil: cannot sign
}

func newKeyByID(
	k *keys, a algorithm,
	fetch func(ctx context.Context, k *keys, id string) (crypto.PublicKey, error),
) (keyByID, error) {
	p := keyByID{keys: k, fetch: fetch}
	if err := noSecrets(k); err != nil {
		return p, err
	}
	var err error
	if p.pinned, err = pinnedKeySet(k); err != nil {
		return p, err
	}
	p.private, err = readPrivate(a, k.signing)
	return p, err
}

// find returns the key with the id that a header names.
func (p *keyByID) find(ctx context.Context, header, id string) (crypto.PublicKey, error) {
	if p.pinned == nil {
		return p.fetch(ctx, p.keys, id)
	}
	key, err := p.pinned.find(id)
	if err != nil {
		return nil, fmt.Errorf("%w: header %s: %w", ErrMismatch, header, err)
	}
	return key, nil
}

// exampleID returns the id of the key that signs.
func (p *keyByID) exampleID() string {
	if len(p.pinned) > 0 {
		return p.pinned[0].id
	}
	return exampleKeyID
}

// refetchKeySet limits how often a set is fetched again because a key is not in it.
const refetchKeySet = time.Minute

// findGoogle finds a key in the set with which Google signs identity tokens.
func findGoogle(ctx context.Context, k *keys, id string) (crypto.PublicKey, error) {
	return k.findInSet(ctx, "https://www.googleapis.com/oauth2/v3/certs", id)
}

// findInSet finds a key in the set at a URL.
func (k *keys) findInSet(ctx context.Context, keysURL, id string) (crypto.PublicKey, error) {
	key, err := k.findIn(ctx, Fetch{URL: keysURL}, id)
	if errors.Is(err, errNoSuchKey) { // it may be newer than the cached set
		return k.findIn(ctx, Fetch{URL: keysURL, MaxAge: refetchKeySet}, id)
	}
	return key, err
}

func (k *keys) findIn(ctx context.Context, f Fetch, id string) (crypto.PublicKey, error) {
	text, err := k.fetch(ctx, f)
	if err != nil {
		return nil, err
	}
	set, err := readKeySet(text)
	if err != nil || len(set) == 0 {
		return nil, fmt.Errorf("%w: %s sent no key set", ErrFetch, hostOf(f.URL))
	}
	return set.find(id)
}

// The settings that a provider needs from those who ask for its keys.
const (
	settingEnvironment  = "environment"
	settingClientID     = "client_id"
	settingClientSecret = "client_secret"
)

// Environments that several providers have. The first is the default.
const (
	production = "production"
	sandbox    = "sandbox"
)

// checkEnvironment refuses an unknown environment.
func checkEnvironment(k *keys) error {
	if e := k.settings[settingEnvironment]; e != "" && e != production && e != sandbox {
		return wrong(
			"settings."+settingEnvironment, "%q is unknown; known are %s, %s", e, production,
			sandbox,
		)
	}
	return nil
}

// findPlaid asks Plaid for a key. A key with a time of expiry is withdrawn.
func findPlaid(ctx context.Context, k *keys, id string) (crypto.PublicKey, error) {
	if !isUUID(id) {
		return nil, errNoSuchKey
	}
	host := production
	if k.settings[settingEnvironment] == sandbox {
		host = sandbox
	}
	body, err := json.Marshal(map[string]string{
		"client_id": k.settings[settingClientID], "secret": k.settings[settingClientSecret],
		"key_id": id,
	})
	if err != nil {
		return nil, err
	}
	text, err := k.fetch(ctx, Fetch{
		Method: "POST", URL: "https://" + host +
			".plaid.com/webhook_verification_key/get", Header: Header{
			"content-type": "application/json",
		}, Body: body,
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Key struct {
			webKey
			ExpiredAt *int64 `json:"expired_at"`
		} `json:"key"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%w: Plaid sent no key", ErrFetch)
	}
	if answer.Key.ExpiredAt != nil {
		return nil, errNoSuchKey
	}
	key, err := answer.Key.read()
	if err != nil {
		return nil, fmt.Errorf("%w: Plaid: %w", ErrFetch, err)
	}
	return key, nil
}

// findEBay asks eBay for a key, with an application token (OAuth client credentials).
func findEBay(ctx context.Context, k *keys, id string) (crypto.PublicKey, error) {
	host := "https://api.ebay.com"
	if k.settings[settingEnvironment] == sandbox {
		host = "https://api.sandbox.ebay.com"
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"https://api.ebay.com/oauth/api_scope"},
	}
	credentials := base64.StdEncoding.EncodeToString([]byte(
		k.settings[settingClientID] + ":" + k.settings[settingClientSecret],
	))
	text, err := k.fetch(ctx, Fetch{
		Method: "POST", URL: host + "/identity/v1/oauth2/token", Body: []byte(form.Encode()),
		Header: Header{"content-type": formType, "authorization": "Basic " + credentials},
	})
	if err != nil {
		return nil, err
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(text, &token); err != nil || token.Access == "" {
		return nil, fmt.Errorf("%w: eBay sent no token", ErrFetch)
	}
	text, err = k.fetch(ctx, Fetch{
		URL: host + "/commerce/notification/v1/public_key/" + url.PathEscape(id), Header: Header{
			"authorization": "Bearer " + token.Access,
		},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%w: eBay sent no key", ErrFetch)
	}
	return readFetched("eBay", answer.Key)
}

// readFetched reads a P-256 key that a provider sent.
func readFetched(provider, text string) (crypto.PublicKey, error) {
	key, err := readSPKI(text)
	if err == nil {
		err = wantP256(key)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s's key %w", ErrFetch, provider, err)
	}
	return key, nil
}
