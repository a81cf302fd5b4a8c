// Package sign signs outbound webhooks by the Standard Webhooks specification
// (https://www.standardwebhooks.com). It uses that project's own library for v1.
//
//	signer, err := sign.New(endpoint.Secrets)
//	header := signer.Headers(event.ID, time.Now(), body)
//
// Every secret makes its own signature over "{id}.{Unix seconds}.{body}". So during a rotation a
// receiver can verify with the old or the new secret. There are two kinds of secrets. With v1,
// HMAC-SHA256, the receiver has the same secret (whsec_). With v1a, Ed25519, the secret is a
// private key (whsk_), and the receiver needs only its public key (whpk_, see [PublicKey]). The
// body is signed byte for byte; it may be binary.
//
// No error of this package contains a secret.
package sign
