package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// authority issues certificates. It has a root, and an intermediate below it that issues the
// others.
type authority struct {
	roots        *x509.CertPool
	intermediate *x509.Certificate
	key          crypto.Signer
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	rootKey, key := ecKey(t), ecKey(t)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true,
		BasicConstraintsValid: true,
		NotBefore:             signedAt.Add(-1000 * time.Hour),
		NotAfter:              signedAt.Add(1000 * time.Hour),
	}
	middle := *root
	middle.SerialNumber, middle.Subject.CommonName = big.NewInt(2), "intermediate"
	pool := x509.NewCertPool()
	pool.AddCert(issue(t, root, root, rootKey.Public(), rootKey))
	return authority{pool, issue(t, &middle, root, key.Public(), rootKey), key}
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func issue(
	t *testing.T, template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer,
) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c
}

// leaf issues a certificate for the key that Example makes for sns.
func (a authority) leaf(t *testing.T, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{
			CommonName: "sns.amazonaws.com",
		}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: signedAt.Add(-time.Hour), NotAfter: signedAt.Add(time.Hour),
		IssuingCertificateURL: []string{"http://crt.example.com/issuer.cer"},
	}
	change(template)
	key := private(t, "sns", "current").Public()
	if template.Subject.SerialNumber == "ec" {
		key = ecKey(t).Public()
	}
	return issue(t, template, a.intermediate, key, a.key)
}

func asPEM(chain ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range chain {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.String()
}

func TestVerify_ChecksCertificates(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	same := func(*x509.Certificate) {}
	good := a.leaf(t, same)
	expired := a.leaf(t, func(c *x509.Certificate) { c.NotAfter = signedAt.Add(-time.Second) })
	early := a.leaf(t, func(c *x509.Certificate) { c.NotBefore = signedAt.Add(time.Second) })
	other := a.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"sns.example.com"} })
	subject := a.leaf(t, func(c *x509.Certificate) { c.DNSNames = nil })
	china := a.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"sns.amazonaws.com.cn"} })
	alone := a.leaf(t, func(c *x509.Certificate) { c.IssuingCertificateURL = nil })
	elliptic := a.leaf(t, func(c *x509.Certificate) { c.Subject.SerialNumber = "ec" })
	for name, c := range map[string]struct {
		file, issuer string // what is served for the certificate, and for its issuer's
		want         error
	}{
		"whole chain in the file": {asPEM(good, a.intermediate), "", nil},
		"issuer fetched":          {asPEM(good), string(a.intermediate.Raw), nil},
		"name in the subject":     {asPEM(subject, a.intermediate), "", nil},
		"China's name":            {asPEM(china, a.intermediate), "", nil},
		"text before it":          {"Certificate:\n" + asPEM(good, a.intermediate), "", nil},
		"issuer not to be had":    {asPEM(good), "", verify.ErrFetch},
		"issuer is a page":        {asPEM(good), "<html>", verify.ErrFetch},
		"issuer is somebody else": {
			asPEM(good), string(stranger.intermediate.Raw), verify.ErrFetch,
		},
		"issuer not named": {asPEM(alone), string(a.intermediate.Raw), verify.ErrFetch},
		"of another authority": {
			asPEM(stranger.leaf(t, same), stranger.intermediate), "", verify.ErrFetch,
		},
		"ended":               {asPEM(expired, a.intermediate), "", verify.ErrFetch},
		"not begun":           {asPEM(early, a.intermediate), "", verify.ErrFetch},
		"for another name":    {asPEM(other, a.intermediate), "", verify.ErrFetch},
		"another name beside": {asPEM(a.intermediate, good), "", verify.ErrFetch},
		"no RSA":              {asPEM(elliptic, a.intermediate), "", verify.ErrFetch},
		"a page":              {"<html>", "", verify.ErrFetch},
		"broken": {
			"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", verify.ErrFetch,
		},
		"key in the certificate's way": {
			strings.ReplaceAll(asPEM(good), "CERTIFICATE", "PRIVATE KEY"), "", verify.ErrFetch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := map[string]string{snsMembers()["SigningCertURL"]: c.file}
			if c.issuer != "" {
				answers["http://crt.example.com/issuer.cer"] = c.issuer
			}
			v := fetchingSNS(t, newFetches(answers), a.roots)
			if _, err := v.Verify(
				t.Context(), snsRequest(t, snsMembers()),
			); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// fetchingSNS returns a Verifier without a pinned certificate.
func fetchingSNS(t *testing.T, f verify.Fetcher, roots *x509.CertPool) *verify.Verifier {
	t.Helper()
	s := newSubject(t, verify.Config{Provider: "sns"}, "current")
	delete(s.cfg.Settings, "certificate")
	v, err := verify.New(s.cfg, nil, verify.FetchBy(f), verify.TrustRoots(roots))
	must(t, err)
	return v
}

func TestVerify_ChecksACertificateAgainInTime(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := newFetches(map[string]string{
		snsMembers()["SigningCertURL"]: asPEM(
			a.leaf(t, func(*x509.Certificate) {}), a.intermediate,
		),
	})
	v := fetchingSNS(t, f, a.roots)
	r := snsRequest(t, snsMembers())
	for _, step := range []struct {
		after   time.Duration
		fetches int
		want    error
	}{
		{0, 1, nil}, {time.Minute, 0, nil}, {
			9 * time.Minute, 0, nil,
		}, {11 * time.Minute, 1, nil}, {12 * time.Minute, 0, nil},
		{55 * time.Minute, 1, nil}, {61 * time.Minute, 1, verify.ErrFetch}, // it ended at 60
	} {
		r.ReceivedAt = signedAt.Add(step.after)
		_, err := v.Verify(t.Context(), r)
		if urls := f.urls(); !errors.Is(err, step.want) || len(urls) != step.fetches {
			t.Errorf(
				"after %s: %v, fetched %q, want %v and %d", step.after, err, urls, step.want,
				step.fetches,
			)
		}
	}
	forged := r
	forged.ReceivedAt, forged.Body = signedAt, slices.Concat(r.Body[:1], []byte(" "), r.Body[1:])
	if _, err := v.Verify(t.Context(), forged); err != nil {
		t.Errorf("white space is not signed: %v", err)
	}
}

// A key that has the right form but belongs to somebody else.
func TestVerify_PinnedCertificateIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: signedAt.Add(time.Hour)}
	s := newSubject(t, verify.Config{Provider: "sns"}, "current")
	s.cfg.Settings["certificate"] = asPEM(issue(t, template, template, key.Public(), key))
	if _, err := newVerifier(t, s.cfg).Verify(
		t.Context(), snsRequest(t, snsMembers()),
	); !errors.Is(err, verify.ErrMismatch) {
		t.Errorf("got %v, want %v", err, verify.ErrMismatch)
	}
}
