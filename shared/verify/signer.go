package verify

import (
	"crypto"
	"errors"
	"slices"
	"strings"
)

// privately is a scheme whose provider signs with a private key. The verifying key cannot sign.
type privately interface {
	// publicHalf returns the secret that belongs to a private key; "": the scheme has no secrets.
	publicHalf(key string) (string, error)
}

// NewSigner returns a Verifier whose Sign signs as cfg's provider does. key is the secret itself
// or, if the provider signs with a private key, that private key in a form that SignWith takes. A
// private key replaces all of the source's secrets; the settings stay. The error says if key is a
// public key, or is not of the provider's kind.
func NewSigner(cfg Config, secrets []string, key string) (*Verifier, error) {
	p, ok := lookUp(cfg.Provider)
	if !ok {
		return nil, unknownProvider(cfg.Provider)
	}
	scheme, ok := p.scheme.(privately)
	if !ok {
		return New(cfg, []string{key})
	}
	secret, err := scheme.publicHalf(key)
	switch {
	case err != nil:
		return nil, err
	case secret == key: // the secret itself signs
		return New(cfg, []string{key})
	case slices.Contains(secrets, key): // 32 bytes of Ed25519 may be either half
		return nil, errPublicHalf
	case secret == "":
		return New(cfg, nil, SignWith(key))
	}
	return New(cfg, []string{secret}, SignWith(key))
}

// SignsPrivately tells whether a provider signs with a private key, and verifies with its public
// half.
func SignsPrivately(name string) bool {
	p, _ := lookUp(name)
	if _, isStandard := p.scheme.(standard); isStandard {
		return false // its senders use v1, an HMAC
	}
	switch s := p.scheme.(type) {
	case webToken:
		return s.isPrivate()
	case privately:
		return true
	}
	return false
}

var errNoKey = errors.New("verify: SignWith: no key")

// readSigner is readPrivate for a key that is required.
func readSigner(a algorithm, key string) (crypto.Signer, error) {
	if strings.TrimSpace(key) == "" {
		return nil, errNoKey
	}
	return readPrivate(a, key)
}

func (s public) publicHalf(key string) (string, error) {
	private, err := readSigner(s.signature, key)
	if err != nil {
		return "", err
	}
	return writePublic(s.keyForm, private.Public())
}

func (s webToken) isPrivate() bool { return s.public.make != nil || s.published.find != nil }

func (s webToken) publicHalf(key string) (string, error) {
	switch {
	case s.public.make != nil:
		return public{signature: s.public, keyForm: keySPKI}.publicHalf(key)
	case s.published.find == nil:
		return key, nil
	}
	_, err := readSigner(s.published.sign, key)
	return "", err
}

func (standard) publicHalf(key string) (string, error) {
	if !strings.HasPrefix(key, standardPrivate) {
		return key, nil
	}
	private, err := readStandardPrivate(key)
	if err != nil {
		return "", err
	}
	text, err := writePublic(keyBase64, private.Public())
	return standardPublic + text, err
}

// fetchedKey checks a private key for a provider whose public keys are fetched.
func fetchedKey(a algorithm, key string) (string, error) {
	_, err := readSigner(a, key)
	return "", err
}

func (circle) publicHalf(key string) (string, error) { return fetchedKey(ecdsaSHA256, key) }
func (ebay) publicHalf(key string) (string, error)   { return fetchedKey(ecdsaSHA1, key) }
func (paypal) publicHalf(key string) (string, error) { return fetchedKey(rsaSHA256, key) }
func (sns) publicHalf(key string) (string, error)    { return fetchedKey(rsaSHA256, key) }
