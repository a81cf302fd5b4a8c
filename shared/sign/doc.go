// Package sign signs outbound webhooks as Standard Webhooks describes (https://www.standardwebhooks.com), with that project's
// own library.
//
//	signer, err := sign.New(endpoint.Secrets)
//	header := signer.Headers(event.ID, time.Now(), body)
//
// Every secret makes a signature of its own, HMAC-SHA256 over "{id}.{Unix seconds}.{body}", so that a receiver verifies with
// the old secret or the new one while it changes over. The body is signed as it is, binary too.
//
// No error of this package has a secret in it.
package sign
