package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// contentful is Contentful's scheme: HMAC-SHA256, in hex, over method, path, headers and body, each
// on its own line. One header lists the signed headers. It is on its own list, so no header can be
// added or left out.
type contentful struct{}

// Contentful's headers.
const (
	contentfulSignature = "x-contentful-signature"
	contentfulSigned    = "x-contentful-signed-headers"
	contentfulTimestamp = "x-contentful-timestamp"
	contentfulTopic     = "x-contentful-topic"
	contentfulKey       = "x-contentful-idempotency-key"
)

// contentfulTolerance is the default of Contentful's own library.
const contentfulTolerance = 30 * time.Second

func (contentful) trust() Trust          { return Verified }
func (contentful) window() time.Duration { return contentfulTolerance }

func (contentful) describe() string {
	return "header " + contentfulSignature +
		": hex of HMAC-SHA256 over method, path, the headers that " + contentfulSigned +
		" lists, and {body}"
}

func (contentful) prepare(k *keys) (proof, error) {
	u, err := url.Parse(k.url)
	if err != nil || u.RawQuery != "" {
		return nil, wrong("url", "is not a URL, or has a query; give Contentful a URL without one")
	}
	raw, err := k.read(keyText)
	return &contentfulProof{
		path: cmp.Or(u.EscapedPath(), "/"), macs: newMacs(sha256.New, lowerHex{}, raw),
		fresh: k.freshness(contentfulTolerance),
	}, err
}

// contentfulProof is the scheme with its secrets.
type contentfulProof struct {
	path  string
	macs  *macs
	fresh freshness
}

func (p *contentfulProof) headers() []string {
	return []string{contentfulSignature, contentfulSigned}
}

func (p *contentfulProof) check(_ context.Context, r Request) error {
	sent, err := single(r.Header, contentfulSignature)
	if err != nil {
		return err
	}
	names, err := signedHeaders(r.Header)
	if err != nil {
		return err
	}
	at, err := readTime(timeMillis, "header "+contentfulTimestamp, r.Header[contentfulTimestamp])
	if err != nil {
		return err
	}
	if err := p.macs.checkAll(
		"header "+contentfulSignature, sent, p.signed(&r, names),
	); err != nil {
		return err
	}
	if err := checkHeaderSeams(r.Header, names); err != nil {
		return err
	}
	return p.fresh.check(at, r.ReceivedAt)
}

// signedHeaders returns the sorted names of the signed headers. A header that this package reads
// must be sent once. Others, such as the webhook's name, may contain a comma.
func signedHeaders(h Header) ([]string, error) {
	list := h[contentfulSigned]
	if list == "" {
		return nil, fmt.Errorf("%w: header %s", ErrMissing, contentfulSigned)
	}
	names := strings.Split(list, ",")
	slices.Sort(names)
	for i, name := range names[1:] {
		if name == names[i] {
			return nil, repeated(contentfulSigned)
		}
	}
	for _, needed := range []string{contentfulSigned, contentfulTimestamp} {
		if !slices.Contains(names, needed) {
			return nil, malformed(contentfulSigned, "a list with "+needed)
		}
	}
	for _, name := range []string{contentfulTimestamp, contentfulTopic, contentfulKey} {
		if !slices.Contains(names, name) {
			continue
		}
		if _, err := single(h, name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// checkHeaderSeams refuses a value that contains the beginning of another signed header. The
// signature would fit two divisions of the line.
func checkHeaderSeams(h Header, names []string) error {
	for _, name := range names {
		if !strings.Contains(h[name], ";") {
			continue
		}
		if slices.ContainsFunc(names, func(other string) bool {
			return strings.Contains(h[name], ";"+other+":")
		}) {
			return malformed(name, "a value without the name of another signed header")
		}
	}
	return nil
}

// signed returns the appender of the signed text.
func (p *contentfulProof) signed(r *Request, names []string) appender {
	return func(s *state) {
		s.buf = append(append(s.buf, cmp.Or(r.Method, "POST")...), '\n')
		s.buf = append(append(s.buf, p.path...), '\n')
		for i, name := range names {
			if i > 0 {
				s.buf = append(s.buf, ';')
			}
			s.buf = append(append(s.buf, name...), ':')
			s.buf = append(s.buf, strings.TrimSpace(r.Header[name])...)
		}
		s.buf = append(s.buf, '\n')
		s.flush()
		s.mac.Write(r.Body)
	}
}

func (p *contentfulProof) sign(r *Request, _ Webhook, at time.Time) error {
	names := []string{contentfulSigned, contentfulTimestamp}
	for _, name := range []string{contentfulKey, contentfulTopic} {
		if r.Header[name] != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	r.Header[contentfulTimestamp] = writeTime(timeMillis, at)
	r.Header[contentfulSigned] = strings.Join(names, ",")
	r.Header[contentfulSignature] = p.macs.signAll(p.signed(r, names))
	return nil
}
