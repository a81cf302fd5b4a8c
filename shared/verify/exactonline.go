package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// exactOnline is the scheme of Exact Online. The body is {"Content":…,"HashCode":"…"}, and HashCode
// is the HMAC of the content's raw bytes.
type exactOnline struct{}

// The text around the content and its hash.
const (
	exactContent = `{"Content":`
	exactHash    = `,"HashCode":"`
	exactEnd     = `"}`
)

func (exactOnline) trust() Trust { return Verified }

func (exactOnline) describe() string {
	return "body: HashCode, upper-case hex of HMAC-SHA256 over the bytes of Content"
}

func (exactOnline) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &exactProof{newMacs(sha256.New, upperHex{}, raw)}, err
}

type exactProof struct{ macs *macs }

func (*exactProof) headers() []string { return nil }

func (p *exactProof) check(_ context.Context, r Request) error {
	content, hash, err := readExact(r.Body)
	if err != nil {
		return err
	}
	return p.macs.checkAll("HashCode in the body", hash, asTextAndBody("", content))
}

// readExact splits a body. It accepts only the form that Exact Online writes, so that no reader can
// find another content in it.
func readExact(body []byte) (content []byte, hash string, err error) {
	rest, begins := bytes.CutPrefix(bytes.Trim(body, " \t\r\n"), []byte(exactContent))
	at := bytes.LastIndex(rest, []byte(exactHash))
	if !begins || at < 0 {
		return nil, "", fmt.Errorf("%w: HashCode in the body", ErrMissing)
	}
	sent, ends := bytes.CutSuffix(rest[at+len(exactHash):], []byte(exactEnd))
	if content = rest[:at]; !ends || !json.Valid(content) {
		return nil, "", fmt.Errorf(
			"%w: the body is not %s…%s…%s", ErrMalformed, exactContent, exactHash, exactEnd,
		)
	}
	return content, string(sent), nil
}

func (p *exactProof) sign(r *Request, _ Webhook, _ time.Time) error {
	content, _, err := readExact(r.Body)
	if err != nil {
		return err
	}
	hash := p.macs.signAll(asTextAndBody("", content))
	r.Body = fmt.Appendf(nil, "%s%s%s%s%s", exactContent, content, exactHash, hash, exactEnd)
	return nil
}
