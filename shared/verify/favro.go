package verify

import (
	"context"
	"crypto/sha1" // #nosec G505 -- what Favro signs with
	"fmt"
	"time"

	"webhook-relay/shared/document"
)

// favro is the scheme of Favro. It signs an id in the body and the URL, and nothing else of the
// body. A copy with another event is kept out only because each id is accepted once.
type favro struct{}

const (
	favroHeader = "x-favro-webhook"
	favroID     = "payloadId"
)

func (favro) trust() Trust { return Authenticated }

func (favro) describe() string {
	return "header " + favroHeader + ": base64 of HMAC-SHA1 over {" + favroID +
		"}{url}; not over the rest of the body"
}

func (favro) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &favroProof{url: k.url, macs: newMacs(sha1.New, encodings["base64"], raw)}, err
}

type favroProof struct {
	url  string
	macs *macs
}

func (*favroProof) headers() []string { return []string{favroHeader} }

func (p *favroProof) check(_ context.Context, r Request) error {
	sent, err := single(r.Header, favroHeader)
	if err != nil {
		return err
	}
	text, err := p.text(r)
	if err != nil {
		return err
	}
	return p.macs.check("header "+favroHeader, sent, text)
}

func (p *favroProof) text(r Request) (string, error) {
	if r.Query != queryOf(p.url) {
		return "", errOtherQuery
	}
	found, err := strictly(document.NewStrictPaths([]string{favroID}), r.Body)
	if err != nil {
		return "", err
	}
	id := document.Scalar(found[0])
	if id == "" {
		return "", fmt.Errorf("%w: %s in the body", ErrMissing, favroID)
	}
	return id + p.url, nil
}

func (p *favroProof) sign(r *Request, _ Webhook, _ time.Time) error {
	r.Query = queryOf(p.url)
	text, err := p.text(*r)
	r.Header[favroHeader] = p.macs.sign(text)
	return err
}
