package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// hygraph is the scheme of Hygraph: it signs a JSON object of the body, as a text, the environment and the time. A &, < or > is the same to its
// signature as the escape of it, as it is to who reads JSON.
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
	return &hygraphProof{macs{sha256.New, base64Strict, raw}}, err
}

type hygraphProof struct{ macs macs }

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
	text, err := hygraphText(r.Body, environment, timestamp)
	if err != nil {
		return err
	}
	if err := p.macs.check("header "+hygraphHeader, signatures[0], text); err != nil {
		return err
	}
	return fresh(at, r.ReceivedAt, DefaultTolerance)
}

var hygraphEscapes = strings.NewReplacer("&", `\\u0026`, "<", `\\u003c`, ">", `\\u003e`)

// hygraphText returns what is signed. Bytes that are no UTF-8 cannot be told apart in it.
func hygraphText(body []byte, environment, timestamp string) (string, error) {
	if !utf8.Valid(body) || !utf8.ValidString(environment) {
		return "", fmt.Errorf("%w: the body is no UTF-8", ErrMalformed)
	}
	return `{"Body":` + hygraphEscapes.Replace(quoteJSON(string(body))) + `,"EnvironmentName":` + hygraphEscapes.Replace(quoteJSON(environment)) +
		`,"TimeStamp":` + timestamp + `}`, nil
}

// quoteJSON writes a text as JSON does, and leaves &, < and > as they are.
func quoteJSON(text string) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text has a form in JSON, and a buffer takes all
	return strings.TrimSuffix(out.String(), "\n")
}

func (p *hygraphProof) sign(r *Request, _ Webhook, at time.Time) error {
	const environment = "master" // the first that a project has
	timestamp := writeTime(timeMillis, at)
	text, err := hygraphText(r.Body, environment, timestamp)
	r.Header[hygraphHeader] = fmt.Sprintf("sign=%s, env=%s, t=%s", p.macs.sign(text), environment, timestamp)
	return err
}
