package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// tlsFiles is an endpoint's tls, in PEM.
type tlsFiles struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	CA          string `yaml:"ca"`
}

// tls converts an endpoint's tls into the catalog's form. Values kept in Secrets Manager cannot be
// checked here. They are checked when they are used.
func (c *checker) tls(path string, t *tlsFiles, url string) *catalog.TLS {
	if t == nil {
		return nil
	}
	if strings.HasPrefix(url, "http:") {
		c.fail(path, "needs an endpoint url that begins with https")
	}
	if (t.Certificate == "") != (t.Key == "") {
		c.fail(path, "needs both certificate and key, or neither")
	}
	if t.Certificate == "" && t.CA == "" {
		c.fail(path, "has neither a certificate with its key nor a ca")
	}
	var out catalog.TLS
	known := true
	for _, part := range []struct {
		key, value string
		to         *[]byte
	}{
		{"certificate", t.Certificate, &out.Certificate}, {"key", t.Key, &out.Key},
		{"ca", t.CA, &out.Authorities},
	} {
		if part.value == "" {
			continue
		}
		value, ok := c.secretOrReference(path+"."+part.key, part.value)
		*part.to = []byte(value)
		if part.key != "ca" {
			known = known && ok && !catalog.IsReference(value)
		} else if ok && !catalog.IsReference(value) {
			c.checkAuthorities(path+".ca", out.Authorities)
		}
	}
	if known && len(out.Certificate) > 0 {
		c.checkPair(path, out)
	}
	return &out
}

// checkPair checks the relay's client certificate and its key. The errors of crypto/tls say what is
// wrong without quoting the key.
func (c *checker) checkPair(path string, t catalog.TLS) {
	pair, err := tls.X509KeyPair(t.Certificate, t.Key)
	if err != nil {
		c.fail(path, "certificate and key: %w", err)
		return
	}
	if err := expired(pair.Leaf); err != nil {
		c.fail(path+".certificate", "%w", err)
	}
}

// checkAuthorities checks every certificate that may sign the endpoint's certificate.
func (c *checker) checkAuthorities(path string, text []byte) {
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n++
		authority, err := x509.ParseCertificate(block.Bytes)
		if err == nil {
			err = expired(authority)
		}
		if err != nil {
			c.fail(path, "block %d, %s: %w", n, block.Type, err)
		}
	}
	if n == 0 {
		c.fail(path, "has no certificate in PEM")
	}
}

func expired(c *x509.Certificate) error {
	if end := c.NotAfter; time.Now().After(end) {
		return fmt.Errorf(
			"the certificate of %s expired on %s", c.Subject, end.UTC().Format(time.DateOnly),
		)
	}
	return nil
}
