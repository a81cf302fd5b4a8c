package verify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"webhook-relay/shared/document"
)

// ebay is the scheme of eBay: a header with JSON in base64, which holds the key's id and an ECDSA
// signature over the body.
type ebay struct{}

const ebayHeader = "x-ebay-signature"

func (ebay) trust() Trust { return Verified }

func (ebay) describe() string {
	return "header " + ebayHeader + ": base64 of JSON with an " + ecdsaSHA1.name + " over {body}"
}

// makeKey implements keyMaker.
func (ebay) makeKey(seed []byte) (secret, signing string, err error) {
	return makePublished(ecdsaSHA1, seed)
}

// pin implements pinner.
func (ebay) pin(signing string) (map[string]string, error) { return keySetOf(ecdsaSHA1, signing) }

func (s ebay) prepare(k *keys) (proof, error) {
	if err := checkEnvironment(k); err != nil {
		return nil, err
	}
	p := &ebayProof{}
	var err error
	p.keyByID, err = newKeyByID(k, ecdsaSHA1, findEBay)
	return p, err
}

type ebayProof struct {
	ebay
	keyByID
}

func (p *ebayProof) headers() []string { return []string{ebayHeader} }

func (p *ebayProof) check(ctx context.Context, r Request) error {
	value, err := single(r.Header, ebayHeader)
	if err != nil {
		return err
	}
	keyID, signature, ok := readEBay(value)
	if !ok {
		return malformed(
			ebayHeader, "base64 of JSON with alg ecdsa, digest SHA1, kid and signature",
		)
	}
	if p.pinned == nil && !isUUID(keyID) {
		return malformed(ebayHeader, "that of a key whose id is a UUID")
	}
	key, err := p.find(ctx, ebayHeader, keyID)
	if err != nil {
		return err
	}
	if !ecdsaSHA1.verified(key, ecdsaSHA1.digest(r.Body), signature) {
		return fmt.Errorf("%w: header %s", ErrMismatch, ebayHeader)
	}
	return nil
}

// readEBay returns the content of the header. It accepts only the algorithm that eBay's keys are
// for.
func readEBay(value string) (keyID string, signature []byte, ok bool) {
	text, err := decode(base64Strict, value)
	if err != nil {
		return "", nil, false
	}
	found, err := document.NewStrictPaths(
		[]string{"kid"}, []string{"alg"}, []string{"digest"}, []string{"signature"},
	).Find(text, nil)
	if err != nil {
		return "", nil, false
	}
	keyID, algorithm := document.Scalar(found[0]), document.Scalar(found[1])
	signature, err = decode(base64Strict, document.Scalar(found[3]))
	ok = err == nil && keyID != "" && len(keyID) <= maxValueBytes &&
		(algorithm == "ecdsa" || algorithm == "ECDSA") && document.Scalar(found[2]) == "SHA1"
	return keyID, signature, ok
}

func (p *ebayProof) sign(r *Request, _ Webhook, _ time.Time) error {
	signature, err := ecdsaSHA1.sign(p.private, r.Body)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]string{
		"alg": "ecdsa", "digest": "SHA1", "kid": p.exampleID(),
		"signature": base64.StdEncoding.EncodeToString(signature),
	})
	r.Header[ebayHeader] = base64.StdEncoding.EncodeToString(text)
	return err
}
