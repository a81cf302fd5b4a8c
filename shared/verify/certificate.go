package verify

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// settingCertificate pins a certificate, so that none is fetched.
const settingCertificate = "certificate"

// certificates provides the key of the certificate at a URL that a request names. The caller must
// have checked that the URL is the provider's own.
type certificates struct {
	keys   *keys
	names  []string       // the certificate must be for one of these
	pinned *rsa.PublicKey // nil: certificates are fetched

	mu      sync.Mutex
	lastURL string // of the certificate that was checked last; it stays the same for weeks
	last    *x509.Certificate
	lastAt  time.Time
}

// keepChecked is how long a checked certificate is used without another check of its chain.
const keepChecked = 10 * time.Minute

func newCertificates(k *keys, names ...string) (*certificates, error) {
	c := &certificates{keys: k, names: names}
	if text := k.settings[settingCertificate]; text != "" {
		chain, err := parseCertificates([]byte(text))
		if err != nil {
			return nil,
				wrong("settings."+settingCertificate, "%v; give the certificate in PEM", err)
		}
		if c.pinned, err = rsaKeyOf(chain[0]); err != nil {
			return nil, wrong("settings."+settingCertificate, "%v", err)
		}
	}
	return c, nil
}

// key returns the key to verify with. Its errors are ErrFetch, also for a bad certificate: only the
// provider can put one at the URL, so the request itself is not to blame and should be sent again.
func (c *certificates) key(ctx context.Context, url string, at time.Time) (*rsa.PublicKey, error) {
	if c.pinned != nil {
		return c.pinned, nil
	}
	leaf := c.checked(url, at)
	if leaf == nil {
		body, err := c.keys.fetch(ctx, Fetch{URL: url})
		if err != nil {
			return nil, err
		}
		if leaf, err = c.verify(ctx, body, at); err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.lastURL, c.last, c.lastAt = url, leaf, at
		c.mu.Unlock()
	}
	key, err := rsaKeyOf(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate at %s %w", ErrFetch, hostOf(url), err)
	}
	return key, nil
}

// checked returns the certificate of a URL if it was checked recently, else nil.
func (c *certificates) checked(url string, at time.Time) *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastURL != url || at.Sub(c.lastAt) > keepChecked || at.After(c.last.NotAfter) {
		return nil
	}
	return c.last
}

// verify returns the first certificate of a file. It must be for one of the names, valid at the
// given time, and issued under one of the system's roots.
func (c *certificates) verify(
	ctx context.Context, file []byte, at time.Time,
) (*x509.Certificate, error) {
	chain, err := parseCertificates(file)
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate that was served %w", ErrFetch, err)
	}
	leaf := chain[0]
	if !slices.ContainsFunc(c.names, func(name string) bool { return isFor(leaf, name) }) {
		return nil, fmt.Errorf("%w: the certificate is for none of %q", ErrFetch, c.names)
	}
	intermediates := x509.NewCertPool()
	for _, issuer := range chain[1:] {
		intermediates.AddCert(issuer)
	}
	check := x509.VerifyOptions{
		Roots: c.keys.roots, Intermediates: intermediates, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	_, err = leaf.Verify(check)
	if issuer := (x509.UnknownAuthorityError{}); errors.As(err, &issuer) &&
		len(leaf.IssuingCertificateURL) > 0 {
		if err := c.addIssuer(ctx, intermediates, leaf.IssuingCertificateURL[0]); err != nil {
			return nil, err
		}
		_, err = leaf.Verify(check)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate: %w", ErrFetch, err)
	}
	return leaf, nil
}

// addIssuer fetches the issuer of a certificate from the URL in that certificate (RFC 5280, section
// 4.2.2.1), because a file may hold only the first certificate of a chain. The fetched one need not
// be trusted: it is checked against the system's roots.
func (c *certificates) addIssuer(ctx context.Context, pool *x509.CertPool, url string) error {
	der, err := c.keys.fetch(ctx, Fetch{URL: url})
	if err != nil {
		return err
	}
	issuer, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%w: %s: no certificate", ErrFetch, hostOf(url))
	}
	pool.AddCert(issuer)
	return nil
}

// isFor tells whether a certificate is for a host. A certificate without alternative names has the
// host in its subject, as PayPal's does.
func isFor(c *x509.Certificate, name string) bool {
	if len(c.DNSNames) == 0 {
		return c.Subject.CommonName == name
	}
	return c.VerifyHostname(name) == nil
}

// parseCertificates reads a PEM file with one or more certificates.
func parseCertificates(file []byte) (chain []*x509.Certificate, err error) {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("is a broken certificate")
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("is not a certificate")
	}
	return chain, nil
}

func rsaKeyOf(c *x509.Certificate) (*rsa.PublicKey, error) {
	if err := wantRSA(c.PublicKey); err != nil {
		return nil, err
	}
	key, _ := c.PublicKey.(*rsa.PublicKey)
	return key, nil
}

// certificateOf returns the setting that pins a certificate of a private key.
func certificateOf(signing string) (map[string]string, error) {
	key, err := readPrivate(rsaSHA256, signing)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return map[string]string{settingCertificate: string(text)}, err
}

// hexDigits are the characters of the names that providers give to keys.
const hexDigits = "0123456789abcdefABCDEF"

// isName tells whether a text consists of the given characters and has 1 to longest bytes. A name
// from a request is fetched only if it has the form of the provider's names, so that few invented
// names lead to a request.
func isName(text, characters string, longest int) bool {
	return text != "" && len(text) <= longest && strings.Trim(text, characters) == ""
}

// noSecrets refuses secrets for schemes whose keys the provider publishes.
func noSecrets(k *keys) error {
	if len(k.secrets) > 0 {
		return wrong(
			"secrets", "are not used: the provider signs with a key that it publishes; remove them",
		)
	}
	return nil
}
