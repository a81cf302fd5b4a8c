package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The prefixes of secrets, and of the public keys of Ed25519. After the prefix comes the key in
// padded standard base64.
const (
	SecretPrefix = "whsec_" // HMAC-SHA256
	// Ed25519: the seed (RFC 8032, section 5.1.5), with or without the public key after it
	PrivatePrefix = "whsk_"
	PublicPrefix  = "whpk_"
)

// The allowed length in bytes of a key with SecretPrefix, from Standard Webhooks.
const (
	MinKeyBytes = 24
	MaxKeyBytes = 64
)

// ErrSecret: a secret is missing or is not one of Standard Webhooks. The message names it by its
// position, never by its value.
var ErrSecret = errors.New("sign: secret")

// Signer signs requests to one endpoint. It is safe for concurrent use.
type Signer struct {
	keys []key
}

// key makes one entry of webhook-signature.
type key interface {
	Sign(id string, at time.Time, body []byte) (string, error)
}

// New returns a Signer that signs with each of the secrets, in their order. The error is ErrSecret
// if there is no secret, or if a secret has neither SecretPrefix nor PrivatePrefix, is not base64,
// or has a wrong length.
func New(secrets []string) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: none is given; at least one is needed", ErrSecret)
	}
	s := &Signer{make([]key, len(secrets))}
	for i, secret := range secrets {
		k, err := parse(secret)
		if err != nil {
			return nil, fmt.Errorf("%w %d of %d: %w", ErrSecret, i+1, len(secrets), err)
		}
		s.keys[i] = k
	}
	return s, nil
}

func parse(secret string) (key, error) {
	if encoded, ok := strings.CutPrefix(secret, PrivatePrefix); ok {
		return parsePrivate(encoded)
	}
	encoded, ok := strings.CutPrefix(secret, SecretPrefix)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s or %s", SecretPrefix, PrivatePrefix)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err // names a position, not the secret
	}
	if len(raw) < MinKeyBytes || len(raw) > MaxKeyBytes {
		return nil,
			fmt.Errorf("has %d bytes; %d to %d are allowed", len(raw), MinKeyBytes, MaxKeyBytes)
	}
	return standardwebhooks.NewWebhookRaw(raw)
}

// private signs with v1a.
type private ed25519.PrivateKey

func parsePrivate(encoded string) (key, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	if len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf(
			"has %d bytes; %d or %d are allowed", len(raw), ed25519.SeedSize,
			ed25519.PrivateKeySize,
		)
	}
	k := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if len(raw) == ed25519.PrivateKeySize && !bytes.Equal(raw, k) {
		return nil, errors.New("its private and public halves do not belong together")
	}
	return private(k), nil
}

// Sign implements key. Its error is always nil.
func (k private) Sign(id string, at time.Time, body []byte) (string, error) {
	signed := slices.Concat([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body)
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(ed25519.PrivateKey(k), signed)),
		nil
}

// PublicKey returns the public key for the receiver of a secret with PrivatePrefix: PublicPrefix
// and the key. It returns "" for any other secret.
func PublicKey(secret string) string {
	k, err := parse(secret)
	own, ok := k.(private)
	if err != nil || !ok {
		return ""
	}
	return PublicPrefix + base64.StdEncoding.EncodeToString(own[ed25519.SeedSize:])
}

// Headers returns the headers, in lower case, that sign a request: webhook-id, webhook-timestamp
// (at in Unix seconds) and webhook-signature. The last has one entry, "v1,…" or "v1a,…", for each
// secret, separated by spaces.
func (s *Signer) Headers(id string, at time.Time, body []byte) map[string]string {
	signatures := make([]string, len(s.keys))
	for i, k := range s.keys {
		// the error is always nil: neither HMAC nor Ed25519 can fail
		signatures[i], _ = k.Sign(id, at, body)
	}
	return map[string]string{
		standardwebhooks.HeaderWebhookID:        id,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
		standardwebhooks.HeaderWebhookSignature: strings.Join(signatures, " "),
	}
}

// NewSecret returns a new secret: SecretPrefix and 32 random bytes.
func NewSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails since Go 1.24
	return SecretPrefix + base64.StdEncoding.EncodeToString(key[:])
}
