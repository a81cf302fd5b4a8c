package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"math"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// BenchmarkVerifyPublicKeys measures a whole Verify of 1 KiB and, in the same run, the bare check
// of such a signature, like BenchmarkVerify for HMACs.
func BenchmarkVerifyPublicKeys(b *testing.B) {
	body := jsonBody(1<<10, `"id":"evt_1","type":"invoice.paid"`, `"data":1`)
	for _, provider := range []string{
		"discord", "sendgrid", "wise", "plaid", "google-pubsub", "sns",
	} {
		b.Run(provider, func(b *testing.B) {
			s := newSubject(b, verify.Config{Provider: provider}, "current")
			r := s.request
			if provider != "sns" {
				r = request(b, s.verifier, verify.Webhook{Body: body}, signedAt)
			}
			whole := func() {
				if _, err := s.verifier.Verify(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
			bare := bareCheck(b, private(b, provider, "current"), r.Body)
			wholeTime, bareTime := math.Inf(1), math.Inf(1)
			for b.Loop() {
				wholeTime, bareTime = min(wholeTime, each(4, whole)), min(bareTime, each(4, bare))
			}
			b.ReportMetric(wholeTime, "ns/op")
			b.ReportMetric(bareTime, "bare-ns/op")
			b.ReportMetric(wholeTime/bareTime, "x-bare")
			b.ReportMetric(testing.AllocsPerRun(100, whole), "allocs/verify")
		})
	}
}

// bareCheck returns a function that only checks a signature over body.
func bareCheck(b *testing.B, key crypto.Signer, body []byte) func() {
	digest := func() []byte { sum := sha256.Sum256(body); return sum[:] }
	sign := func(message []byte, hash crypto.Hash) []byte {
		signature, err := key.Sign(strings.NewReader(strings.Repeat("x", 1<<10)), message, hash)
		if err != nil {
			b.Fatal(err)
		}
		return signature
	}
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
		signature := sign(body, 0)
		return func() { _ = ed25519.Verify(public, body, signature) }
	case *ecdsa.PublicKey:
		signature := sign(digest(), crypto.SHA256)
		return func() { _ = ecdsa.VerifyASN1(public, digest(), signature) }
	case *rsa.PublicKey:
		signature := sign(digest(), crypto.SHA256)
		return func() { _ = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest(), signature) }
	}
	b.Fatalf("no check for %T", key)
	return nil
}
