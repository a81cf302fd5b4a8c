package verify

import (
	"context"
	"crypto/sha1" // #nosec G505 -- what these providers sign with
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

const formType = "application/x-www-form-urlencoded"

// formSigned is the scheme of who signs the URL, followed by each field of the form, its name and its value, sorted by name: HMAC-SHA1 in base64.
// Neither the order of the fields nor how they are escaped is signed, and nothing parts a name from its value.
type formSigned struct {
	header string // lower case
	twilio bool   // other bodies are signed by their hash in the query; and the URL may have its port or not
}

// bodyHash is the query's parameter that has the hash of a body that is no form, in hex.
const bodyHash = "bodySHA256"

func (formSigned) trust() Trust { return Verified }

func (s formSigned) describe() string {
	about := "header " + s.header + ": base64 of HMAC-SHA1 over {url} and the sorted fields of the form"
	if s.twilio {
		about += "; of another body, over {url} alone, whose query has the body's hash"
	}
	return about
}

func (s formSigned) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &formProof{formSigned: s, url: k.url, macs: newMacs(sha1.New, encodings["base64"], raw)}, err
}

type formProof struct {
	formSigned
	url  string
	macs *macs
}

func (p *formProof) headers() []string { return []string{p.header} }

func (p *formProof) check(_ context.Context, r Request) error {
	sent, err := single(r.Header, p.header)
	if err != nil {
		return err
	}
	signed, err := p.signed(r)
	if err != nil {
		return err
	}
	return p.macs.check("header "+p.header, sent, signed...)
}

// signed returns what the provider may have signed: it takes a URL with or without its port for the source's.
func (p *formProof) signed(r Request) ([]string, error) {
	text, err := p.signedText(r)
	if err != nil || !p.twilio {
		return []string{p.url + text}, err
	}
	return []string{p.url + text, otherPort(p.url) + text}, nil
}

// signedText returns what is signed after the URL. A form that says what the hash of another body would is none of Twilio's.
func (p *formProof) signedText(r Request) (string, error) {
	if hash := p.withHash(r.Body); p.twilio && r.Query == queryOf(p.url+hash) {
		return hash, nil
	}
	if r.Query != queryOf(p.url) {
		return "", errOtherQuery
	}
	text, err := formText(r.Body)
	if p.twilio && strings.HasPrefix(strings.TrimLeft(text, "?&"), bodyHash+"=") {
		return "", fmt.Errorf("%w: the form says %s, which is for the query", ErrMalformed, bodyHash)
	}
	return text, err
}

// withHash returns what Twilio appends to the URL for a body that is no form.
func (p *formProof) withHash(body []byte) string {
	separator := "?"
	if strings.Contains(p.url, "?") {
		separator = "&"
	}
	return separator + bodyHash + "=" + hexSHA256(body)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// otherPort returns a URL without its port, or, if it has none, with that of its scheme: Twilio signs either.
func otherPort(u string) string {
	scheme, rest, _ := strings.Cut(u, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path := rest[:end], rest[end:]
	colon := strings.LastIndexByte(host, ':')
	switch {
	case colon > strings.LastIndexAny(host, "]@"):
		host = host[:colon]
	case scheme == "http":
		host += ":80"
	default:
		host += ":443"
	}
	return scheme + "://" + host + path
}

// formText returns what is signed of a form. A field that comes several times counts once for each of its values, as Twilio's own libraries have it.
func formText(body []byte) (string, error) {
	fields, err := readForm(body)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		slices.Sort(fields[name])
		for _, value := range slices.Compact(fields[name]) {
			text.WriteString(name + value)
		}
	}
	return text.String(), nil
}

func readForm(body []byte) (url.Values, error) {
	fields, err := url.ParseQuery(string(body))
	if err != nil || fields.Has("") {
		return nil, fmt.Errorf("%w: the body is no form", ErrMalformed)
	}
	return fields, nil
}

func (p *formProof) sign(r *Request, _ Webhook, _ time.Time) error {
	if p.twilio && len(r.Body) > 0 && (r.Body[0] == '{' || r.Body[0] == '[') {
		r.Query = queryOf(p.url + p.withHash(r.Body))
	} else {
		r.Query, r.Header["content-type"] = queryOf(p.url), formType
	}
	text, err := p.signedText(*r)
	r.Header[p.header] = p.macs.sign(p.url + text)
	return err
}

// braintree is the scheme of Braintree: a form of a payload and its signature, one for each public key.
type braintree struct{}

func (braintree) trust() Trust { return Verified }

func (braintree) describe() string {
	return "form: bt_signature, <public key>|hex of HMAC-SHA1 over bt_payload, with the SHA-1 of the private key for a key"
}

func (braintree) prepare(k *keys) (proof, error) {
	if strings.ContainsAny(k.settings["public_key"], "|&") {
		return nil, wrong("settings.public_key", "has a | or &, which no public key of Braintree has")
	}
	raw, err := k.read(keyText)
	for i, secret := range raw {
		raw[i] = braintreeKey(string(secret))
	}
	return &braintreeProof{k.settings["public_key"], newMacs(sha1.New, lowerHex{}, raw)}, err
}

func braintreeKey(secret string) []byte {
	sum := sha1.Sum([]byte(secret)) // #nosec G401 -- Braintree's way to make a key
	return sum[:]
}

type braintreeProof struct {
	publicKey string
	macs      *macs
}

func (*braintreeProof) headers() []string { return nil }

func (p *braintreeProof) check(_ context.Context, r Request) error {
	payload, signatures, err := readBraintree(r.Body)
	if err != nil {
		return err
	}
	for pair := range strings.SplitSeq(signatures, "&") {
		if name, signature, _ := strings.Cut(pair, "|"); name == p.publicKey {
			// Braintree's own libraries take a signature that was made over one more line end.
			return p.macs.check("bt_signature in the form", signature, payload, payload+"\n")
		}
	}
	return fmt.Errorf("%w: bt_signature in the form has none of the public key in settings.public_key", ErrMismatch)
}

// readBraintree returns the fields of a notification. A payload with the form of a challenge is refused: anybody can have one signed.
func readBraintree(body []byte) (payload, signatures string, err error) {
	fields, err := readForm(body)
	if err != nil {
		return "", "", err
	}
	if len(fields) > 2 {
		return "", "", errOtherFields
	}
	for _, name := range []string{"bt_payload", "bt_signature"} {
		switch values := fields[name]; {
		case len(values) > 1:
			return "", "", fmt.Errorf("%w: %s in the form", ErrRepeated, name)
		case fields.Get(name) == "" && name == "bt_payload" || !fields.Has(name):
			return "", "", fmt.Errorf("%w: %s in the form", ErrMissing, name)
		}
	}
	payload, signatures = fields.Get("bt_payload"), fields.Get("bt_signature")
	if strings.Trim(payload, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=\n") != "" || isBraintreeChallenge(payload) {
		return "", "", fmt.Errorf("%w: bt_payload in the form is not base64", ErrMalformed)
	}
	return payload, signatures, nil
}

// errOtherFields refuses a form with fields that its signature does not cover: they would pass for proved.
var errOtherFields = fmt.Errorf("%w: the form has fields that are not signed", ErrMalformed)

// isBraintreeChallenge tells whether a text has the form of Braintree's challenges: 20 to 32 digits of hex in lower case.
func isBraintreeChallenge(text string) bool {
	return len(text) >= 20 && len(text) <= 32 && strings.Trim(text, "0123456789abcdef") == ""
}

func (p *braintreeProof) sign(r *Request, _ Webhook, _ time.Time) error {
	fields, err := readForm(r.Body)
	if err != nil {
		return err
	}
	fields.Set("bt_signature", p.publicKey+"|"+p.macs.sign(fields.Get("bt_payload")))
	r.Body = []byte(fields.Encode())
	r.Header["content-type"] = formType
	_, _, err = readBraintree(r.Body)
	return err
}

// braintreeKind reads the kind of a notification, which is XML in base64.
func braintreeKind(r Request) string {
	payload, _, err := readBraintree(r.Body)
	if err != nil {
		return ""
	}
	document, _ := base64.StdEncoding.DecodeString(payload) // line ends are passed over; "" where it is none
	_, rest, _ := strings.Cut(string(document), "<kind>")
	kind, _, ok := strings.Cut(rest, "</kind>")
	if !ok {
		return ""
	}
	return kind
}

// formEvent reads the event type of a form.
func formEvent(r Request) string {
	event, _ := formField(r.Body, "event") // none in what is no form
	return string(event)
}
