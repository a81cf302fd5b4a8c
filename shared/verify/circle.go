package verify

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// circle is the scheme of Circle: an ECDSA signature over the body, with a key that Circle
// publishes under an id.
type circle struct{}

const (
	circleHeader = "x-circle-signature"
	circleKeyID  = "x-circle-key-id"
)

// The settings of Circle.
const (
	settingAPIKey  = "api_key"
	settingProduct = "product"
)

// circlePaths are the paths of each product's keys. "" is the default.
var circlePaths = map[string]string{
	"": "/v2/notifications/publicKey/", "wallets": "/v2/notifications/publicKey/",
	"cpn":      "/v2/cpn/notifications/publicKey/",
	"stablefx": "/v2/stablefx/notifications/publicKey/",
}

func (circle) trust() Trust { return Verified }

func (circle) describe() string {
	return "header " + circleHeader + ": base64 of " + ecdsaSHA256.name + " over {body}"
}

// makeKey implements keyMaker.
func (circle) makeKey(seed []byte) (secret, signing string, err error) {
	return makePublished(ecdsaSHA256, seed)
}

// pin implements pinner.
func (circle) pin(signing string) (map[string]string, error) {
	return keySetOf(ecdsaSHA256, signing)
}

func (circle) prepare(k *keys) (proof, error) {
	if product := k.settings[settingProduct]; circlePaths[product] == "" {
		return nil, wrong(
			"settings."+settingProduct, "%q is unknown; known are cpn, stablefx, wallets", product,
		)
	}
	p := &circleProof{}
	var err error
	p.keyByID, err = newKeyByID(k, ecdsaSHA256, findCircle)
	return p, err
}

type circleProof struct {
	circle
	keyByID
}

func (p *circleProof) headers() []string { return []string{circleHeader, circleKeyID} }

func (p *circleProof) check(ctx context.Context, r Request) error {
	value, err := single(r.Header, circleHeader)
	if err != nil {
		return err
	}
	id, err := single(r.Header, circleKeyID)
	if err != nil {
		return err
	}
	signature, err := decode(base64Strict, value)
	if err != nil {
		return malformed(circleHeader, "a signature in base64")
	}
	if p.pinned == nil && !isUUID(id) {
		return malformed(circleKeyID, "the id of a key, a UUID")
	}
	key, err := p.find(ctx, circleKeyID, id)
	if err != nil {
		return err
	}
	if !ecdsaSHA256.verified(key, ecdsaSHA256.digest(r.Body), signature) {
		return fmt.Errorf("%w: header %s", ErrMismatch, circleHeader)
	}
	return nil
}

func (p *circleProof) sign(r *Request, _ Webhook, _ time.Time) error {
	signature, err := ecdsaSHA256.sign(p.private, r.Body)
	r.Header[circleHeader], r.Header[circleKeyID] = base64.StdEncoding.EncodeToString(signature),
		p.exampleID()
	return err
}

// findCircle asks Circle for a key.
func findCircle(ctx context.Context, k *keys, id string) (crypto.PublicKey, error) {
	text, err := k.fetch(ctx, Fetch{
		URL:    "https://api.circle.com" + circlePaths[k.settings[settingProduct]] + id,
		Header: Header{"authorization": "Bearer " + k.settings[settingAPIKey]},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Key string `json:"publicKey"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%w: Circle sent no key", ErrFetch)
	}
	return readFetched("Circle", answer.Data.Key)
}
