package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
)

// keySPKI is the form of a public key as X.509 has it (RFC 5280, SubjectPublicKeyInfo): base64, or PEM, with or without its line breaks.
const keySPKI = "spki"

const (
	pemBegin = "-----BEGIN PUBLIC KEY-----"
	pemEnd   = "-----END PUBLIC KEY-----"
)

// readPublic returns the key of a text that the provider shows.
func readPublic(form, text string) (crypto.PublicKey, error) {
	if form == keySPKI {
		return readSPKI(text)
	}
	raw, err := readKey(form, text)
	if err != nil {
		return nil, fmt.Errorf("is not %s; copy the public key as the provider shows it", form)
	}
	return ed25519.PublicKey(raw), nil
}

// readSPKI takes PEM on one line too, since that is how eBay sends it, and how environment variables are often written.
func readSPKI(text string) (crypto.PublicKey, error) {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), pemBegin), pemEnd)
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("is neither base64 nor PEM (-----BEGIN PUBLIC KEY-----); copy the public key as the provider shows it")
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("decodes, but is no public key; copy it whole, as the provider shows it")
	}
	return key, nil
}

// writePublic is the inverse of readPublic.
func writePublic(form string, key crypto.PublicKey) (string, error) {
	if raw, ok := key.(ed25519.PublicKey); ok && form != keySPKI {
		return writeKey(form, raw), nil
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return base64.StdEncoding.EncodeToString(der), err
}

// readPrivate reads what SignWith takes: a private key in PKCS #8, base64. "" is nil.
func readPrivate(text string) (crypto.Signer, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // who only verifies needs none
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("verify: SignWith: the key is not base64")
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("verify: SignWith: the key is not a private key in PKCS #8")
	}
	return signer, nil
}

func writePrivate(key crypto.Signer) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return base64.StdEncoding.EncodeToString(der), err
}

func wantEd25519(key crypto.PublicKey) error {
	if k, ok := key.(ed25519.PublicKey); !ok || len(k) != ed25519.PublicKeySize {
		return errors.New("is no Ed25519 public key of 32 bytes; copy the public key as the provider shows it")
	}
	return nil
}

func wantP256(key crypto.PublicKey) error {
	if k, ok := key.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return errors.New("is no ECDSA public key on the curve P-256; copy the public key as the provider shows it")
	}
	return nil
}

// minRSABits is what every provider in the table has at least.
const minRSABits = 2048

func wantRSA(key crypto.PublicKey) error {
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return errors.New("is no RSA public key; copy the public key as the provider shows it")
	}
	if n := k.N.BitLen(); n < minRSABits {
		return fmt.Errorf("is an RSA key of %d bits; %d are the least that is safe", n, minRSABits)
	}
	return nil
}

func makeEd25519(seed []byte) (crypto.Signer, error) { return ed25519.NewKeyFromSeed(seed), nil }

// makeP256 clears the highest bit, so that the number is below the order of the curve.
func makeP256(seed []byte) (crypto.Signer, error) {
	scalar := append([]byte{seed[0] & 0x7f}, seed[1:]...)
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
}

// makeRSA makes the same key of the same seed, which rsa.GenerateKey does not: an example is signed by one program and verified by another.
func makeRSA(seed []byte) (crypto.Signer, error) {
	stream := rand.NewChaCha8([32]byte(seed))
	e, one := big.NewInt(65537), big.NewInt(1)
	prime := func() *big.Int {
		b := make([]byte, minRSABits/16)
		for {
			_, _ = stream.Read(b)                        // never fails
			b[0], b[len(b)-1] = b[0]|0xc0, b[len(b)-1]|1 // two of these have a product of all bits; odd
			p := new(big.Int).SetBytes(b)
			if new(big.Int).Mod(new(big.Int).Sub(p, one), e).Sign() != 0 && p.ProbablyPrime(20) {
				return p
			}
		}
	}
	p, q := prime(), prime()
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q}}
	key.Precompute()
	return key, key.Validate()
}
