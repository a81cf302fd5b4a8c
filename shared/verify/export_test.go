package verify

import (
	"context"
	"crypto/x509"
	"hash"
	"hash/crc32"
)

// TrustRoots lets fetched certificates end in other roots than the system's.
func TrustRoots(pool *x509.CertPool) Option { return func(k *keys) { k.roots = pool } }

// Prove checks only a request's proof.
func (v *Verifier) Prove(ctx context.Context, r Request) error { return v.proof.check(ctx, r) }

// Signed returns the signed text of a request, for schemes that build it in a special way.
func (v *Verifier) Signed(r Request) (signed []byte, ok bool) {
	switch p := v.proof.(type) {
	case *contentfulProof:
		names, _ := signedHeaders(r.Header)
		return written(p.signed(&r, names)), true
	case *hygraphProof:
		a, _ := hygraphSigned(r.Body, "master", "1700000000000")
		return written(a(hygraphRaw)), true
	}
	return nil, false
}

// recorder keeps what is hashed.
type recorder struct {
	hash.Hash
	text []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.text = append(r.text, b...)
	return len(b), nil
}

// written returns what an appender writes.
func written(signed appender) []byte {
	r := &recorder{Hash: crc32.NewIEEE()}
	s := &state{mac: r}
	signed(s)
	s.flush()
	return r.text
}
