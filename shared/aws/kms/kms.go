package kms

import (
	"context"
	"errors"
	"fmt"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
)

// MaxPlainBytes is how much KMS encrypts in one call (its API reference, Encrypt, symmetric keys).
const MaxPlainBytes = 4096

// ErrTooLarge means that the secret to seal is larger than MaxPlainBytes.
var ErrTooLarge = errors.New("kms: secret too large")

// Sealer seals with one key. It implements catalog.Sealer and is safe for concurrent use.
type Sealer struct {
	client *awskms.Client
	keyARN string
}

// New returns the sealer of a symmetric key. It opens only what the same key has sealed.
func New(client *awskms.Client, keyARN string) *Sealer {
	return &Sealer{client: client, keyARN: keyARN}
}

// Seal implements catalog.Sealer. It returns ErrTooLarge for more than MaxPlainBytes.
func (s *Sealer) Seal(ctx context.Context, name string, plain []byte) ([]byte, error) {
	if len(plain) > MaxPlainBytes {
		return nil, fmt.Errorf(
			"%w: %s has %d bytes; KMS encrypts at most %d", ErrTooLarge, name, len(plain),
			MaxPlainBytes,
		)
	}
	out, err := s.client.Encrypt(
		ctx,
		&awskms.EncryptInput{KeyId: &s.keyARN, Plaintext: plain, EncryptionContext: named(name)},
	)
	if err != nil {
		return nil, fmt.Errorf("kms: encrypt %s: %w", name, err)
	}
	return out.CiphertextBlob, nil
}

// Open implements catalog.Sealer.
func (s *Sealer) Open(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	out, err := s.client.Decrypt(
		ctx,
		&awskms.DecryptInput{
			KeyId: &s.keyARN, CiphertextBlob: sealed, EncryptionContext: named(name),
		},
	)
	if err != nil {
		return nil, fmt.Errorf("kms: decrypt %s: %w", name, err)
	}
	return out.Plaintext, nil
}

func named(name string) map[string]string { return map[string]string{"name": name} }
