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

// hygraph is the scheme of Hygraph. It signs a JSON object that holds the body as a string, the
// environment and the time. Hygraph signs the body with &, < and > escaped, as Go writes JSON. Its
// package for receivers, @hygraph/utils, signs and accepts the body unescaped. Both are accepted: a
// JSON reader reads the same from both.
type hygraph struct{}

const hygraphHeader = "gcms-signature"

// hygraphLayout describes the signature and the time. The entry of the environment is read
// separately.
var hygraphLayout = layout{separator: ", ", equals: "=", signature: "sign", timestamp: "t"}

func (hygraph) trust() Trust          { return Verified }
func (hygraph) window() time.Duration { return DefaultTolerance }

func (hygraph) describe() string {
	return "header " + hygraphHeader +
		`: sign=<base64 of HMAC-SHA256>, env=, t= over {"Body":{body},"EnvironmentName":env,"TimeStamp":t}`
}

func (hygraph) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &hygraphProof{
		macs: newMacs(sha256.New, base64Strict, raw), fresh: k.freshness(DefaultTolerance),
	}, err
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
		if err := p.macs.checkAll(
			"header "+hygraphHeader, signatures[0], signed(hygraphEscaped),
		); err != nil {
			return err
		}
	}
	return p.fresh.check(at, r.ReceivedAt)
}

// hygraphSigned returns a function that makes the appender of the signed text from the escapes for
// the body. Bytes that are not valid UTF-8 are refused, because different ones would be written the
// same way.
func hygraphSigned(
	body []byte, environment, timestamp string,
) (func(escapes func() *byteEscapes) appender, error) {
	if !utf8.Valid(body) || !utf8.ValidString(environment) {
		return nil, fmt.Errorf("%w: the body is not UTF-8", ErrMalformed)
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

// byteEscapes holds the JSON escape of each byte (RFC 8259, section 7); "": the byte itself.
type byteEscapes [256]string

// writeEscaped hashes a text as JSON writes it. It works in pieces, because the escapes make a
// hostile body many times larger.
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
		for short, c := range map[string]byte{
			`\b`: '\b', `\f`: '\f', `\n`: '\n', `\r`: '\r', `\t`: '\t', `\"`: '"', `\\`: '\\',
		} {
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
	const environment = "master" // the first environment of a project
	timestamp := writeTime(timeMillis, at)
	signed, err := hygraphSigned(r.Body, environment, timestamp)
	if err != nil {
		return err
	}
	r.Header[hygraphHeader] = fmt.Sprintf(
		"sign=%s, env=%s, t=%s", p.macs.signAll(signed(hygraphRaw)), environment, timestamp,
	)
	return nil
}
