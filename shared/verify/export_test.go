package verify

import (
	"context"
	"crypto/x509"
)

// TrustRoots lets certificates that are fetched end in other roots than the system's.
func TrustRoots(pool *x509.CertPool) Option { return func(k *keys) { k.roots = pool } }

// Prove checks a request's proof, and reads nothing else of it.
func (v *Verifier) Prove(ctx context.Context, r Request) error { return v.proof.check(ctx, r) }

// SignedText returns what the proof of a request is made over, where its scheme puts that together in a way of its own.
func (v *Verifier) SignedText(r Request) (text string, ok bool) {
	switch p := v.proof.(type) {
	case *contentfulProof:
		names, _ := signedHeaders(r.Header)
		return p.text(&r, names), true
	case *hygraphProof:
		text, _ = hygraphText(r.Body, "master", "1700000000000")
		return text, true
	}
	return "", false
}
