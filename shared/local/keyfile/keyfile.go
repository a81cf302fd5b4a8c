package keyfile

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	keyName  = "relay.key"
	keyBytes = 32
)

// ErrSealed means that a value was not sealed with this key under this name, or has been changed.
var ErrSealed = errors.New(
	"keyfile: cannot decrypt a stored secret: the key has changed, or the value was altered",
)

// Sealer is a catalog.Sealer with a key in a file of its own, so a copy of the database alone
// reveals no secret. It seals with AES-256-GCM, a random nonce, and the name as additional data. It
// is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// New returns the sealer with the key in dir/relay.key. It creates both if they do not exist,
// accessible to the user only. If the key is lost, so are the secrets: the configuration must then
// be applied again.
func New(dir string) (*Sealer, error) {
	path := filepath.Join(dir, keyName)
	key, err := os.ReadFile(path) //nolint:gosec // the operator's own path
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir, path); err != nil {
			return nil, fmt.Errorf("keyfile: make key: %w", err)
		}
		key, err = os.ReadFile(path) //nolint:gosec // the operator's own path
	}
	if err != nil {
		return nil, fmt.Errorf("keyfile: read key: %w", err)
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("keyfile: key %s has %d bytes, want %d", path, len(key), keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keyfile: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("keyfile: %w", err)
	}
	return &Sealer{aead}, nil
}

// makeKey writes a new key. The file appears complete or not at all, and never replaces another. If
// several processes start together, one of them makes the key for all.
func makeKey(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, keyName+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	_, err = temp.Write(key)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Seal implements catalog.Sealer.
func (s *Sealer) Seal(_ context.Context, name string, plain []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plain, []byte(name)), nil
}

// Open implements catalog.Sealer. It returns ErrSealed if the value does not open.
func (s *Sealer) Open(_ context.Context, name string, sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrSealed, name)
	}
	return plain, nil
}
