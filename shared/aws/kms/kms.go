package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
)

// MaxPlainBytes is how much KMS encrypts in one call (its API reference, Encrypt, symmetric keys).
const MaxPlainBytes = 4096

// ErrTooLarge means that the secret to seal is larger than MaxPlainBytes.
var ErrTooLarge = errors.New("kms: secret too large")

// Sealer seals with one key. It implements catalog.Sealer and is safe for concurrent use.
type Sealer struct {
	client *signed.Client
	keyARN string
}

// New returns the sealer of a symmetric key. It opens only what the same key has sealed. It calls
// nothing yet.
func New(cfg aws.Config, keyARN string) *Sealer {
	return &Sealer{
		client: signed.New(cfg, signed.Service{ID: "KMS", Name: "kms"}), keyARN: keyARN,
	}
}

// request is that of both calls:
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html and API_Decrypt.html
type request struct {
	KeyID      string `json:"KeyId"`
	Plaintext  []byte `json:",omitempty"`
	Ciphertext []byte `json:"CiphertextBlob,omitempty"`
	Context    named  `json:"EncryptionContext"`
}

type answer struct {
	Plaintext  []byte
	Ciphertext []byte `json:"CiphertextBlob"`
}

// named binds what is sealed to its name.
type named struct {
	Name string `json:"name"`
}

// Seal implements catalog.Sealer. It returns ErrTooLarge for more than MaxPlainBytes.
func (s *Sealer) Seal(ctx context.Context, name string, plain []byte) ([]byte, error) {
	if len(plain) > MaxPlainBytes {
		return nil, fmt.Errorf(
			"%w: %s has %d bytes; KMS encrypts at most %d", ErrTooLarge, name, len(plain),
			MaxPlainBytes,
		)
	}
	out, err := s.call(ctx, "Encrypt", request{Plaintext: plain, Context: named{name}})
	if err != nil {
		return nil, fmt.Errorf("kms: encrypt %s: %w", name, err)
	}
	return out.Ciphertext, nil
}

// Open implements catalog.Sealer.
func (s *Sealer) Open(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	out, err := s.call(ctx, "Decrypt", request{Ciphertext: sealed, Context: named{name}})
	if err != nil {
		return nil, fmt.Errorf("kms: decrypt %s: %w", name, err)
	}
	return out.Plaintext, nil
}

func (s *Sealer) call(ctx context.Context, action string, in request) (out answer, err error) {
	in.KeyID = s.keyARN
	call := signed.Call{Target: "TrentService." + action, Version: "1.1"}
	err = s.client.JSON(ctx, call, in, &out)
	return out, err
}
