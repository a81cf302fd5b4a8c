package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// hubSpotEscapes are the only escapes that HubSpot replaces by their characters in the URL that it
// signs.
var hubSpotEscapes = []string{
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(",
	"%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
}

// hubSpotURL returns a URL in the form that HubSpot signs.
func hubSpotURL(u string) string {
	if !strings.Contains(u, "%") {
		return u
	}
	return strings.NewReplacer(hubSpotEscapes...).Replace(u)
}

// hubSpotSignature is the header with the signature of versions 1 and 2.
const hubSpotSignature = "x-hubspot-signature"

// hubSpotPlain is the scheme of HubSpot's versions 1 and 2, and of Recharge. It is no HMAC but a
// plain SHA-256, in hex, over the secret and the text after it. From such a hash anybody can
// compute the hash of a longer text, which continues with the hash's padding. The padding begins
// with a byte that JSON allows nowhere outside of strings, so a body that is no JSON is refused.
type hubSpotPlain struct {
	header string // carries the hash; lower case
	// the value of the header x-hubspot-signature-version; "": the sender has no versions
	version string
	withURL bool // method and URL are signed before the body
}

func (hubSpotPlain) trust() Trust { return Verified }

func (s hubSpotPlain) describe() string {
	signed := "{body}"
	if s.withURL {
		signed = "{method}{url}{body}"
	}
	return "header " + s.header + ": hex of a plain SHA-256 over the secret and " + signed
}

func (s hubSpotPlain) prepare(k *keys) (proof, error) {
	p := &hubSpotProof{hubSpotPlain: s, query: queryOf(k.url)}
	if s.withURL {
		p.before = "POST" + k.url
	}
	var err error
	p.secrets, err = k.read(keyText)
	return p, err
}

type hubSpotProof struct {
	hubSpotPlain
	before  string // the signed text before the body
	query   string // of the configured URL
	secrets [][]byte
}

func (p *hubSpotProof) headers() []string { return []string{p.header} }

func (p *hubSpotProof) check(_ context.Context, r Request) error {
	sent, err := single(r.Header, p.header)
	if err != nil {
		return err
	}
	sent = foldHex(lowerHex{}, sent)
	if err := checkHex(p.header, sent, sha256.Size); err != nil {
		return err
	}
	switch {
	case !json.Valid(r.Body):
		return errNoJSON
	case p.withURL && r.Query != p.query:
		return errOtherQuery
	case !slices.ContainsFunc(p.secrets, func(s []byte) bool {
		return subtle.ConstantTimeCompare(p.sum(s, r.Body), []byte(sent)) == 1
	}):
		return fmt.Errorf("%w: header %s, secrets %d", ErrMismatch, p.header, len(p.secrets))
	}
	return nil
}

var errNoJSON = fmt.Errorf("%w: the body is not JSON", ErrMalformed)

func (p *hubSpotProof) sum(secret, body []byte) []byte {
	h := sha256.New()
	h.Write(secret)
	h.Write([]byte(p.before))
	h.Write(body)
	return hex.AppendEncode(nil, h.Sum(nil))
}

func (p *hubSpotProof) sign(r *Request, _ Webhook, _ time.Time) error {
	if !json.Valid(r.Body) {
		return errNoJSON
	}
	r.Query = p.query
	if p.version != "" {
		r.Header[hubSpotSignature+"-version"] = p.version
	}
	r.Header[p.header] = string(p.sum(p.secrets[0], r.Body))
	return nil
}
