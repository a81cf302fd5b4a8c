package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// hygraph is the scheme of Hygraph: it signs a JSON object of the body, as a text, the environment and the time. Hygraph itself signs the body with
// a &, < or > escaped, as Go writes JSON; its own package for receivers, @hygraph/utils, signs and takes the body as it is. Both are taken: who
// reads JSON reads the same.
type hygraph struct{}

const hygraphHeader = "gcms-signature"

// hygraphLayout is that of the signature and the time; the environment's entry is read apart.
var hygraphLayout = layout{separator: ", ", equals: "=", signature: "sign", timestamp: "t"}

func (hygraph) trust() Trust          { return Verified }
func (hygraph) window() time.Duration { return DefaultTolerance }

func (hygraph) describe() string {
	return "header " + hygraphHeader + `: sign=<base64 of HMAC-SHA256>, env=, t= over {"Body":{body},"EnvironmentName":env,"TimeStamp":t}`
}

func (hygraph) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &hygraphProof{newMacs(sha256.New, base64Strict, raw), k.freshness(DefaultTolerance)}, err
}

type hygraphProof struct {
	macs  *macs
	fresh freshness
}

func (*hygraphProof) headers() []string { return []string{hygraphHeader} }

func (p *hygraphProof) check(_ context.Context, r Request) error {
	value := r.Header[hygraphHeader]
	if value == "" {
		return fmt.Errorf("%w: header %s", ErrMissing, hygraphHeader)
	}
	if strings.Count(value, ",") > 2 {
		return repeated(hygraphHeader)
	}
	var room [4]string
	timestamp, signatures, err := hygraphLayout.read(hygraphHeader, value, room[:0])
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(value, ", env=")
	environment, _, more := strings.Cut(rest, ", ")
	if !ok || !more || len(signatures) != 1 {
		return malformed(hygraphHeader, "a list of sign=…, env=… and t=…")
	}
	at, err := readTime(timeMillis, "header "+hygraphHeader, timestamp)
	if err != nil {
		return err
	}
	signed, err := hygraphSigned(r.Body, environment, timestamp)
	if err != nil {
		return err
	}
	if !p.macs.match(signatures[0], signed(hygraphRaw)) {
		if err := p.macs.checkAll("header "+hygraphHeader, signatures[0], signed(hygraphEscaped)); err != nil {
			return err
		}
	}
	return p.fresh.check(at, r.ReceivedAt)
}

// hygraphSigned returns what appends what is signed, given the escapes of the body. Bytes that are no UTF-8 cannot be told apart in it.
func hygraphSigned(body []byte, environment, timestamp string) (func(escapes func() *byteEscapes) appender, error) {
	if !utf8.Valid(body) || !utf8.ValidString(environment) {
		return nil, fmt.Errorf("%w: the body is no UTF-8", ErrMalformed)
	}
	return func(escapes func() *byteEscapes) appender {
		return func(s *state) {
			s.buf = append(s.buf, `{"Body":"`...)
			s.writeEscaped(body, escapes())
			s.buf = append(s.buf, `","EnvironmentName":"`...)
			s.writeEscaped([]byte(environment), escapes())
			s.buf = append(append(append(s.buf, `","TimeStamp":`...), timestamp...), '}')
		}
	}, nil
}

// byteEscapes are what stands for each byte in a text in JSON (RFC 8259, section 7); "": itself.
type byteEscapes [256]string

// writeEscaped writes a text as it is written into JSON. It is hashed in pieces: with its escapes a hostile body is many times its size.
func (s *state) writeEscaped(text []byte, escapes *byteEscapes) {
	const piece = 4 << 10
	done := 0
	for i, c := range text {
		if escape := escapes[c]; escape != "" {
			s.buf = append(append(s.buf, text[done:i]...), escape...)
			done = i + 1
		}
		if len(s.buf) > piece {
			s.flush()
		}
	}
	s.buf = append(s.buf, text[done:]...)
}

// The escapes of the two forms.
var (
	hygraphRaw = sync.OnceValue(func() *byteEscapes {
		var escapes byteEscapes
		for c := range ' ' {
			escapes[c] = fmt.Sprintf(`\u%04x`, c)
		}
		for short, c := range map[string]byte{`\b`: '\b', `\f`: '\f', `\n`: '\n', `\r`: '\r', `\t`: '\t', `\"`: '"', `\\`: '\\'} {
			escapes[c] = short
		}
		return &escapes
	})
	hygraphEscaped = sync.OnceValue(func() *byteEscapes {
		escapes := *hygraphRaw()
		escapes['&'], escapes['<'], escapes['>'] = `\\u0026`, `\\u003c`, `\\u003e`
		return &escapes
	})
)

func (p *hygraphProof) sign(r *Request, _ Webhook, at time.Time) error {
	const environment = "master" // the first that a project has
	timestamp := writeTime(timeMillis, at)
	signed, err := hygraphSigned(r.Body, environment, timestamp)
	if err != nil {
		return err
	}
	r.Header[hygraphHeader] = fmt.Sprintf("sign=%s, env=%s, t=%s", p.macs.signAll(signed(hygraphRaw)), environment, timestamp)
	return nil
}
