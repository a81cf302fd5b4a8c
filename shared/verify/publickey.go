package verify

import (
	"bytes"
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
	"sync"
)

// keySPKI is the form of a public key in X.509 (RFC 5280, SubjectPublicKeyInfo): base64, or PEM,
// with or without line breaks.
const keySPKI = "spki"

// The text around the base64 in PEM. Its kind is between these marks.
const (
	pemBegin  = "-----BEGIN "
	pemEnd    = "-----END "
	pemDashes = "-----"
)

// readPublic reads a public key in the form that the provider shows.
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

// readSPKI reads a public key, or the key of a certificate.
func readSPKI(text string) (crypto.PublicKey, error) {
	kind, der, err := readPEM(text)
	if err != nil {
		return nil, errors.New(
			"is neither base64 nor PEM (-----BEGIN PUBLIC KEY-----); copy the public key as the provider shows it",
		)
	}
	if strings.Contains(kind, "PRIVATE KEY") {
		return nil, errors.New(
			"is a private key, which cannot verify; give the public key that the provider shows",
		)
	}
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key, nil
	}
	if certificate, err := x509.ParseCertificate(der); err == nil {
		return certificate.PublicKey, nil
	}
	return nil,
		errors.New("decodes, but is not a public key; copy all of it, as the provider shows it")
}

// readPEM returns the kind that PEM names, and the decoded bytes. For base64 without PEM's frame
// the kind is "". It reads PEM on one line, as eBay sends it; with line ends written as \n, as in
// environment variables; and encoded in base64 as a whole, as Wix shows it.
func readPEM(text string) (kind string, der []byte, err error) {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, `\n`, "\n")), " ")
	if framed, ok := strings.CutPrefix(text, pemBegin); ok {
		kind, text, _ = strings.Cut(framed, pemDashes)
		text = strings.TrimSuffix(text, pemEnd+kind+pemDashes)
	}
	der, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(text, " ", ""))
	if kind == "" && err == nil && bytes.HasPrefix(der, []byte(pemBegin)) {
		return readPEM(string(der))
	}
	return kind, der, err
}

// writePublic is the inverse of readPublic.
func writePublic(form string, key crypto.PublicKey) (string, error) {
	if raw, ok := key.(ed25519.PublicKey); ok && form != keySPKI {
		return writeKey(form, raw), nil
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return base64.StdEncoding.EncodeToString(der), err
}

// The reasons why SignWith refuses a text.
var (
	errPublicHalf = errors.New(
		"verify: SignWith: this is a public key, which cannot sign; give its private half",
	)
	errNoPrivate = errors.New(
		"verify: SignWith: this is not a private key; give it in PEM or as the base64 of PKCS #8, or the 32 bytes of an Ed25519 key in hex or base64",
	)
)

// readPrivate reads the key for SignWith: a private key for a, in PEM or as the base64 of PKCS #8,
// as Example returns it. An Ed25519 key may also be the bare seed. It returns nil for "".
func readPrivate(a algorithm, text string) (crypto.Signer, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // who only verifies needs none
	}
	signer := readBareSeed(a, text)
	if signer == nil {
		kind, der, err := readPEM(text)
		if err != nil {
			return nil, errNoPrivate
		}
		if signer = parsePrivate(der); signer == nil {
			return nil, whyNoPrivate(a, kind, text)
		}
	}
	if err := a.fits(signer.Public()); err != nil {
		return nil, fmt.Errorf("verify: SignWith: the key is none of %s", a.name)
	}
	return signer, nil
}

// whyNoPrivate distinguishes a public key from a text that is no key.
func whyNoPrivate(a algorithm, kind, text string) error {
	public, err := readSPKI(text)
	if strings.Contains(kind, "PUBLIC KEY") || kind == "CERTIFICATE" || err == nil &&
		a.fits(public) == nil {
		return errPublicHalf
	}
	return errNoPrivate
}

// parsePrivate reads a private key in any form that PEM may have. nil: it is none.
func parsePrivate(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := key.(crypto.Signer)
		return signer
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// readBareSeed reads an Ed25519 key as its libraries write it: the seed, or the seed followed by
// the public key, in hex or base64. nil: it is none.
func readBareSeed(a algorithm, text string) crypto.Signer {
	if a.name != ed25519Pure.name {
		return nil
	}
	for _, form := range []string{keyHex, keyBase64} {
		raw, err := readKey(form, strings.TrimSpace(text))
		if n := len(raw); err == nil && (n == ed25519.SeedSize || n == ed25519.PrivateKeySize) {
			return ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		}
	}
	return nil
}

func writePrivate(key crypto.Signer) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return base64.StdEncoding.EncodeToString(der), err
}

func wantEd25519(key crypto.PublicKey) error {
	if k, ok := key.(ed25519.PublicKey); !ok || len(k) != ed25519.PublicKeySize {
		return errors.New(
			"is not an Ed25519 public key of 32 bytes; copy the public key as the provider shows it",
		)
	}
	return nil
}

func wantP256(key crypto.PublicKey) error {
	if k, ok := key.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return errors.New(
			"is not an ECDSA public key on the curve P-256; copy the public key as the provider shows it",
		)
	}
	return nil
}

// minRSABits is the smallest key size of the providers in the table.
const minRSABits = 2048

func wantRSA(key crypto.PublicKey) error {
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return errors.New("is not an RSA public key; copy the public key as the provider shows it")
	}
	if n := k.N.BitLen(); n < minRSABits {
		return fmt.Errorf(
			"is an RSA key of %d bits; at least %d are needed to be safe", n, minRSABits,
		)
	}
	return nil
}

func makeEd25519(seed []byte) (crypto.Signer, error) { return ed25519.NewKeyFromSeed(seed), nil }

// makeP256 clears the highest bit, so that the number is less than the order of the curve.
func makeP256(seed []byte) (crypto.Signer, error) {
	scalar := append([]byte{seed[0] & 0x7f}, seed[1:]...)
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
}

// smallPrimes is the product of the odd primes below 4096.
var smallPrimes = sync.OnceValue(func() *big.Int {
	product := big.NewInt(1)
	for n := int64(3); n < 4096; n += 2 {
		if p := big.NewInt(n); p.ProbablyPrime(0) { // which is exact for such numbers
			product.Mul(product, p)
		}
	}
	return product
})

// hasSmallFactor finds most numbers that are not prime in a fraction of the time of ProbablyPrime.
func hasSmallFactor(n *big.Int) bool {
	return new(big.Int).GCD(nil, nil, n, smallPrimes()).BitLen() > 1
}

// makeRSA makes the same key from the same seed. rsa.GenerateKey does not. One program signs an
// example and another verifies it, so both must make the same key.
func makeRSA(seed []byte) (crypto.Signer, error) {
	stream := rand.NewChaCha8([32]byte(seed))
	e, one := big.NewInt(65537), big.NewInt(1)
	prime := func() *big.Int {
		b := make([]byte, minRSABits/16)
		for {
			_, _ = stream.Read(b) // never fails
			// the two top bits make the product full size; the last makes it odd
			b[0], b[len(b)-1] = b[0]|0xc0, b[len(b)-1]|1
			p := new(big.Int).SetBytes(b)
			usable := new(big.Int).Mod(new(big.Int).Sub(p, one), e).Sign() != 0
			if usable && !hasSmallFactor(p) && p.ProbablyPrime(20) {
				return p
			}
		}
	}
	p, q := prime(), prime()
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}
