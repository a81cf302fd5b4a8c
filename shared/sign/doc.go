// Package sign signs outbound webhooks as Standard Webhooks describes (https://www.standardwebhooks.com), its v1 with that
// project's own library.
//
//	signer, err := sign.New(endpoint.Secrets)
//	header := signer.Headers(event.ID, time.Now(), body)
//
// Every secret makes a signature of its own over "{id}.{Unix seconds}.{body}", so that a receiver verifies with the old secret or the new one
// while it changes over: v1, HMAC-SHA256, with a secret that the receiver has too (whsec_), and v1a, Ed25519, with a private key (whsk_) whose
// public half (whpk_, see [PublicKey]) is all that the receiver needs. The body is signed as it is, binary too.
//
// No error of this package has a secret in it.
package sign
