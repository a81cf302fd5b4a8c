package access

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// ErrSealed means that sealed bytes cannot be opened: they were changed, or sealed by another
// relay, for another purpose or with another secret.
var ErrSealed = errors.New("access: cannot be opened")

const (
	keysCollection = "keys"
	rootKey        = "api"
	keyBytes       = 32
)

// Sealer encrypts what the API hands out or stores and must get back unchanged. Its key is derived
// from random bytes in the documents, made by the first use. It is safe for concurrent use.
type Sealer struct {
	documents operate.Documents

	mu   sync.Mutex
	root []byte
}

// NewSealer returns the Sealer of a relay. documents are those beside the catalog.
func NewSealer(documents operate.Documents) *Sealer { return &Sealer{documents: documents} }

// Seal encrypts plain (AES-GCM). It can be opened for the same purpose and with the same secret
// only. The secret may be "".
func (s *Sealer) Seal(ctx context.Context, purpose, secret string, plain []byte) ([]byte, error) {
	aead, err := s.cipher(ctx, purpose, secret)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, nil), nil
}

// Open returns what Seal encrypted. Error: ErrSealed.
func (s *Sealer) Open(ctx context.Context, purpose, secret string, sealed []byte) ([]byte, error) {
	aead, err := s.cipher(ctx, purpose, secret)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// cipher returns the cipher of a purpose and a secret. It makes the nonces itself.
func (s *Sealer) cipher(ctx context.Context, purpose, secret string) (cipher.AEAD, error) {
	root, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, root, []byte(secret), purpose, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// key returns the relay's random bytes. Of writers at the same time one wins, and all use its
// bytes.
func (s *Sealer) key(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root != nil {
		return s.root, nil
	}
	d, err := s.documents.Document(ctx, keysCollection, rootKey)
	if errors.Is(err, catalog.ErrNotFound) {
		made := make([]byte, keyBytes)
		_, _ = rand.Read(made) // never fails
		_, err = s.documents.PutDocument(
			ctx, keysCollection, operate.Document{Key: rootKey, Body: made}, 0,
		)
		if err == nil || errors.Is(err, catalog.ErrConflict) {
			d, err = s.documents.Document(ctx, keysCollection, rootKey)
		}
	}
	if err != nil {
		return nil, err
	}
	s.root = d.Body
	return s.root, nil
}
