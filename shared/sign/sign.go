package sign

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// SecretPrefix begins every secret; the rest is the key in padded standard base64.
const SecretPrefix = "whsec_"

// The length of a key in bytes, as Standard Webhooks asks for it.
const (
	MinKeyBytes = 24
	MaxKeyBytes = 64
)

// ErrSecret: a secret is missing or is not one of Standard Webhooks. The message names it by its position, never by its value.
var ErrSecret = errors.New("sign: secret")

// Signer signs requests to one endpoint. It is safe for concurrent use.
type Signer struct {
	webhooks []*standardwebhooks.Webhook
}

// New returns a Signer that signs with every one of the secrets, in their order. ErrSecret if there is none, or one that lacks
// SecretPrefix, is not base64, or is not of MinKeyBytes to MaxKeyBytes.
func New(secrets []string) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%w: none given, at least one is needed", ErrSecret)
	}
	s := &Signer{make([]*standardwebhooks.Webhook, len(secrets))}
	for i, secret := range secrets {
		webhook, err := parse(secret)
		if err != nil {
			return nil, fmt.Errorf("%w %d of %d: %w", ErrSecret, i+1, len(secrets), err)
		}
		s.webhooks[i] = webhook
	}
	return s, nil
}

func parse(secret string) (*standardwebhooks.Webhook, error) {
	encoded, ok := strings.CutPrefix(secret, SecretPrefix)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s", SecretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err // tells a position, not what is there
	}
	if len(key) < MinKeyBytes || len(key) > MaxKeyBytes {
		return nil, fmt.Errorf("%d bytes, allowed are %d to %d", len(key), MinKeyBytes, MaxKeyBytes)
	}
	return standardwebhooks.NewWebhookRaw(key)
}

// Headers returns the headers, in lower case, that sign a request: webhook-id, webhook-timestamp (Unix seconds of at) and
// webhook-signature, one "v1," entry for each secret with spaces between.
func (s *Signer) Headers(id string, at time.Time, body []byte) map[string]string {
	signatures := make([]string, len(s.webhooks))
	for i, webhook := range s.webhooks {
		signatures[i], _ = webhook.Sign(id, at, body) // its error is always nil: HMAC cannot fail
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
