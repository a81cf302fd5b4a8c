package verify

import (
	"cmp"
	"context"
	"crypto/sha1" // #nosec G505 -- what these providers sign with
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

const formType = "application/x-www-form-urlencoded"

// formSigned is the scheme that signs the URL, followed by the name and the value of each field of
// the form, sorted by name: HMAC-SHA1 in base64. It signs neither the order of the fields nor their
// escapes, and nothing separates a name from its value.
type formSigned struct {
	header string // lower case
	// a body that is no form is signed by its hash in the query; the URL may be signed with or
	// without its port; a header may name HMAC-SHA256
	twilio bool
}

// twilioSettings is the header that names the algorithm and the key if Twilio signs with a
// SharedKey: key=…,algorithm=HMAC_SHA256. The header is not signed. If an attacker changes it, no
// signature fits, because no text has the same HMAC with both algorithms.
const twilioSettings = "x-twilio-webhooks-signature-settings"

// bodyHash is the query parameter with the hash, in hex, of a body that is no form.
const bodyHash = "bodySHA256"

func (formSigned) trust() Trust { return Verified }

func (s formSigned) describe() string {
	about := "header " + s.header +
		": base64 of HMAC-SHA1 over {url} and the sorted fields of the form"
	if s.twilio {
		about += "; of another body, over {url} alone, whose query has the body's hash; HMAC-SHA256 with a SharedKey"
	}
	return about
}

func (s formSigned) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	p := &formProof{formSigned: s, url: k.url, macs: newMacs(sha1.New, encodings["base64"], raw)}
	if s.twilio {
		p.shared = newMacs(sha256.New, encodings["base64"], raw)
	}
	return p, err
}

type formProof struct {
	formSigned
	url    string
	macs   *macs
	shared *macs // for Twilio's SharedKeys
}

func (p *formProof) headers() []string { return []string{p.header} }

func (p *formProof) check(_ context.Context, r Request) error {
	sent, err := single(r.Header, p.header)
	if err != nil {
		return err
	}
	macs, err := p.macsOf(r.Header)
	if err != nil {
		return err
	}
	signed, err := p.signed(r)
	if err != nil {
		return err
	}
	return macs.check("header "+p.header, sent, signed...)
}

// macsOf returns the HMACs of the algorithm that the headers name.
func (p *formProof) macsOf(h Header) (*macs, error) {
	if !p.twilio {
		return p.macs, nil
	}
	for setting := range strings.SplitSeq(h[twilioSettings], ",") {
		name, value, _ := strings.Cut(setting, "=")
		if strings.TrimSpace(name) != settingAlgorithm {
			continue
		}
		switch strings.ToUpper(strings.TrimSpace(value)) {
		case "", "HMAC_SHA1":
		case "HMAC_SHA256":
			return p.shared, nil
		default:
			return nil,
				malformed(twilioSettings, "a list with the algorithm HMAC_SHA1 or HMAC_SHA256")
		}
	}
	return p.macs, nil
}

// signed returns the texts that the provider may have signed. Twilio may sign the URL with or
// without its port.
func (p *formProof) signed(r Request) ([]string, error) {
	text, err := p.signedText(r)
	if err != nil || !p.twilio {
		return []string{p.url + text}, err
	}
	return []string{p.url + text, otherPort(p.url) + text}, nil
}

// signedText returns the signed text after the URL. It refuses a form whose text looks like the
// hash of another body: Twilio sends none.
func (p *formProof) signedText(r Request) (string, error) {
	if hash := p.withHash(r.Body); p.twilio && r.Query == queryOf(p.url+hash) {
		return hash, nil
	}
	if r.Query != queryOf(p.url) {
		return "", errOtherQuery
	}
	text, err := formText(r.Body)
	if p.twilio && strings.HasPrefix(strings.TrimLeft(text, "?&"), bodyHash+"=") {
		return "",
			fmt.Errorf("%w: the form says %s, which is for the query", ErrMalformed, bodyHash)
	}
	return text, err
}

// withHash returns the text that Twilio appends to the URL for a body that is no form.
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

// otherPort returns a URL without its port, or with its scheme's port if it has none. Twilio signs
// either.
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

// formText returns the signed text of a form. If a field occurs several times, each different value
// counts once, as in Twilio's own libraries.
func formText(body []byte) (string, error) {
	fields, err := readForm(body)
	if err != nil {
		return "", err
	}
	slices.SortFunc(fields, func(a, b document.Field) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
	var text strings.Builder
	for _, f := range slices.Compact(fields) {
		if !isFieldName(f.Name) {
			return "", fmt.Errorf(
				"%w: the form has a field whose name Twilio does not send", ErrMalformed,
			)
		}
		text.WriteString(f.Name)
		text.WriteString(f.Value)
	}
	return text.String(), nil
}

// isFieldName tells whether a form's field has a plausible name. Nothing separates a name from its
// value in the signed text, so an attacker with a copy of a webhook can move characters between
// them. This check limits names to letters, digits and few signs.
func isFieldName(name string) bool {
	const signs = "_.-[]"
	return name != "" && len(name) <= 64 &&
		!strings.ContainsRune(signs+"0123456789", rune(name[0])) &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return !isAlphanumeric(r) && !strings.ContainsRune(signs, r)
		})
}

// maxFormFields limits the forms from which proofs are read. Each field costs memory, and nothing
// is proved yet. Providers send a few dozen.
const maxFormFields = 1000

func readForm(body []byte) (document.Fields, error) {
	fields, ok := document.ParseForm(body, maxFormFields)
	if !ok || slices.ContainsFunc(fields, func(f document.Field) bool { return f.Name == "" }) {
		return nil, fmt.Errorf(
			"%w: the body is not a form of at most %d named fields", ErrMalformed, maxFormFields,
		)
	}
	return fields, nil
}

// formValue returns the value of a field that must occur once.
func formValue(fields document.Fields, name string) (string, error) {
	switch values := fields.Values(name); {
	case len(values) > 1:
		return "", fmt.Errorf("%w: %s in the form", ErrRepeated, name)
	case len(values) == 0 || values[0] == "":
		return "", fmt.Errorf("%w: %s in the form", ErrMissing, name)
	default:
		return values[0], nil
	}
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

// braintree is the scheme of Braintree: a form with a payload and its signatures, one for each
// public key.
type braintree struct{}

func (braintree) trust() Trust { return Verified }

func (braintree) describe() string {
	return "form: bt_signature, <public key>|hex of HMAC-SHA1 over bt_payload, with the SHA-1 of the private key for a key"
}

func (braintree) prepare(k *keys) (proof, error) {
	if strings.ContainsAny(k.settings["public_key"], "|&") {
		return nil,
			wrong("settings.public_key", "has a | or &, which no public key of Braintree has")
	}
	raw, err := k.read(keyText)
	for i, secret := range raw {
		raw[i] = braintreeKey(string(secret))
	}
	return &braintreeProof{
		publicKey: k.settings["public_key"], macs: newMacs(sha1.New, lowerHex{}, raw),
	}, err
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
			// Braintree's own libraries also accept a signature over the payload with one more line
			// end.
			return p.macs.check("bt_signature in the form", signature, payload, payload+"\n")
		}
	}
	return fmt.Errorf(
		"%w: bt_signature in the form has no signature for the public key in settings.public_key",
		ErrMismatch,
	)
}

// readBraintree returns the fields of a notification. It refuses a payload in the form of a
// challenge, because anybody can have a challenge signed.
func readBraintree(body []byte) (payload, signatures string, err error) {
	fields, err := readForm(body)
	if err != nil {
		return "", "", err
	}
	if payload, err = formValue(fields, "bt_payload"); err != nil {
		return "", "", err
	}
	if signatures, err = formValue(fields, "bt_signature"); err != nil {
		return "", "", err
	}
	if len(fields) > 2 {
		return "", "", errOtherFields
	}
	if strings.Trim(
		payload, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=\n",
	) != "" || isBraintreeChallenge(payload) {
		return "", "", fmt.Errorf("%w: bt_payload in the form is not base64", ErrMalformed)
	}
	return payload, signatures, nil
}

// errOtherFields refuses a form with fields that its signature does not cover. They would look
// proved.
var errOtherFields = fmt.Errorf("%w: the form has fields that are not signed", ErrMalformed)

// isBraintreeChallenge tells whether a text has the form of Braintree's challenges: 20 to 32 digits
// of hex in lower case.
func isBraintreeChallenge(text string) bool {
	return len(text) >= 20 && len(text) <= 32 && strings.Trim(text, "0123456789abcdef") == ""
}

func (p *braintreeProof) sign(r *Request, _ Webhook, _ time.Time) error {
	parsed, err := readForm(r.Body)
	if err != nil {
		return err
	}
	fields := url.Values{}
	for _, f := range parsed {
		fields.Add(f.Name, f.Value)
	}
	fields.Set("bt_signature", p.publicKey+"|"+p.macs.sign(fields.Get("bt_payload")))
	r.Body = []byte(fields.Encode())
	r.Header["content-type"] = formType
	_, _, err = readBraintree(r.Body)
	return err
}

// braintreeKind returns the kind of a notification, which is XML in base64.
func braintreeKind(r Request) string {
	payload, _, err := readBraintree(r.Body)
	if err != nil {
		return ""
	}
	// the decoder skips line ends; "" if it is no base64
	document, _ := base64.StdEncoding.DecodeString(payload)
	_, rest, _ := strings.Cut(string(document), "<kind>")
	kind, _, ok := strings.Cut(rest, "</kind>")
	if !ok {
		return ""
	}
	return kind
}

// formEvent returns the event type of a form.
func formEvent(r Request) string {
	event, _ := formField(r.Body, "event") // "" if the body is no form
	return string(event)
}
