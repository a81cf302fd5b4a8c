package verify

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// digest is the scheme of a plain hash over the body, the time and the secret, in hex. The secret
// comes last, so nothing can be appended to the signed text. Nothing separates the body from the
// time. A body that ends in a digit is refused, because the same hash would fit a body with more or
// fewer digits at its end.
type digest struct {
	header          string // both names are in lower case
	timestampHeader string // Unix seconds
	tolerance       time.Duration
}

// settingAlgorithm is the setting that names the hash.
const settingAlgorithm = "algorithm"

func (d digest) trust() Trust          { return Verified }
func (d digest) window() time.Duration { return d.tolerance }

func (d digest) describe() string {
	return "header " + d.header + ": hex of SHA-1 or SHA-256 over {body}{timestamp} and the secret"
}

func (d digest) prepare(k *keys) (proof, error) {
	p := &digestProof{
		digest: d, fresh: k.freshness(d.tolerance),
		algorithm: cmp.Or(k.settings[settingAlgorithm], "sha1"),
	}
	if p.algorithm != "sha1" && p.algorithm != "sha256" {
		return nil, wrong(
			"settings."+settingAlgorithm, "%q is unknown; known are sha1, sha256", p.algorithm,
		)
	}
	var err error
	p.secrets, err = k.read(keyText)
	return p, err
}

// digestProof is a digest with its secrets.
type digestProof struct {
	digest
	fresh     freshness
	algorithm string
	secrets   [][]byte
}

func (p *digestProof) headers() []string { return []string{p.header} }

func (p *digestProof) check(_ context.Context, r Request) error {
	sent, err := single(r.Header, p.header)
	if err != nil {
		return err
	}
	timestamp, err := single(r.Header, p.timestampHeader)
	if err != nil {
		return err
	}
	at, err := readTime(timeSeconds, "header "+p.timestampHeader, timestamp)
	if err != nil {
		return err
	}
	sent = foldHex(lowerHex{}, sent)
	if err := p.checkForm(sent, r.Body); err != nil {
		return err
	}
	matches := func(secret []byte) bool {
		return subtle.ConstantTimeCompare(p.sum(r.Body, timestamp, secret), []byte(sent)) == 1
	}
	if !slices.ContainsFunc(p.secrets, matches) {
		return fmt.Errorf("%w: header %s, secrets %d", ErrMismatch, p.header, len(p.secrets))
	}
	return p.fresh.check(at, r.ReceivedAt)
}

func (p *digestProof) checkForm(sent string, body []byte) error {
	if err := checkHex(p.header, sent, algorithms[p.algorithm]().Size()); err != nil {
		return err
	}
	return checkDigestBody(body)
}

// checkHex refuses a text that is not the lower-case hex of size bytes.
func checkHex(header, sent string, size int) error {
	if n := hex.EncodedLen(size); len(sent) != n || strings.Trim(sent, "0123456789abcdef") != "" {
		return malformed(header, fmt.Sprintf("a signature of %d characters, hex", n))
	}
	return nil
}

func checkDigestBody(body []byte) error {
	if n := len(body); n > 0 && '0' <= body[n-1] && body[n-1] <= '9' {
		return fmt.Errorf(
			"%w: the body ends in a digit, so the border between body and time is ambiguous",
			ErrMalformed,
		)
	}
	return nil
}

func (p *digestProof) sum(body []byte, timestamp string, secret []byte) []byte {
	h := algorithms[p.algorithm]()
	h.Write(body)
	h.Write([]byte(timestamp))
	h.Write(secret)
	return hex.AppendEncode(nil, h.Sum(nil))
}

func (p *digestProof) sign(r *Request, _ Webhook, at time.Time) error {
	timestamp := writeTime(timeSeconds, at)
	r.Header[p.timestampHeader] = timestamp
	r.Header[p.header] = string(p.sum(r.Body, timestamp, p.secrets[0]))
	return checkDigestBody(r.Body)
}
