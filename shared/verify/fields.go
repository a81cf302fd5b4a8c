package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// signedFields is the scheme of an HMAC-SHA256 over two fields of a JSON body: a time, and an id or
// a type. Nothing else of the body is signed.
type signedFields struct {
	time, other []string // the paths of the fields; the time is in Unix seconds
	between     string   // the signed text between them
	// of the signature, in base64; lower case; "": the signature is in the body, in hex
	header string
	inBody []string // the path of the signature in the body
	// the part of a multipart/form-data body that holds the JSON; "": the body is JSON
	part string
}

func (signedFields) trust() Trust { return Authenticated }

// window is unlimited: a webhook that is sent again keeps its first time, but also its id or its
// facts.
func (signedFields) window() time.Duration { return Unlimited }

func (s signedFields) describe() string {
	where := "header " + s.header + ": base64"
	if s.header == "" {
		where = "body: " + s.signatureName() + ", hex"
	}
	return fmt.Sprintf(
		"%s of HMAC-SHA256 over {%s}%s{%s}; not over the rest of the body", where, dotted(s.time),
		s.between, dotted(s.other),
	)
}

func dotted(path []string) string { return strings.Join(path, ".") }

func (s signedFields) signatureName() string {
	if s.header != "" {
		return "header " + s.header
	}
	return dotted(s.inBody)
}

func (s signedFields) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	encoding := encodings["hex"]
	if s.header != "" {
		encoding = encodings["base64"]
	}
	paths := [][]string{s.time, s.other}
	if s.header == "" {
		paths = append(paths, s.inBody)
	}
	return &fieldsProof{
		signedFields: s, macs: newMacs(sha256.New, encoding, raw),
		paths: document.NewStrictPaths(paths...), fresh: k.freshness(s.window()),
	}, err
}

type fieldsProof struct {
	signedFields
	macs  *macs
	paths *document.Paths // find the time, the other field, and the signature if it is in the body
	fresh freshness
}

func (p *fieldsProof) headers() []string {
	if p.header == "" {
		return nil
	}
	return []string{p.header}
}

func (p *fieldsProof) check(_ context.Context, r Request) error {
	var sent string
	var err error
	if p.header != "" {
		if sent, err = single(r.Header, p.header); err != nil {
			return err
		}
	}
	found, err := p.find(r)
	if err != nil {
		return err
	}
	if p.header == "" {
		sent = document.Scalar(found[2])
	}
	if sent == "" {
		return fmt.Errorf("%w: %s", ErrMissing, p.signatureName())
	}
	text, at, err := p.text(document.Scalar(found[0]), document.Scalar(found[1]))
	if err != nil {
		return err
	}
	if err := p.macs.check(p.signatureName(), sent, text); err != nil {
		return err
	}
	return p.fresh.check(at, r.ReceivedAt)
}

// find reads the JSON in the body or in its part.
func (p *fieldsProof) find(r Request) ([][]byte, error) {
	body := r.Body
	if p.part != "" {
		var err error
		if body, err = onlyPart(r, p.part); err != nil {
			return nil, err
		}
	}
	return strictly(p.paths, body)
}

// text returns the signed text. The time consists of digits and the other field does not begin with
// one, so the text can be divided in one way only.
func (p *fieldsProof) text(first, second string) (string, time.Time, error) {
	if first == "" || second == "" {
		return "", time.Time{},
			fmt.Errorf("%w: %s or %s in the body", ErrMissing, dotted(p.time), dotted(p.other))
	}
	if p.between == "" && '0' <= second[0] && second[0] <= '9' {
		return "", time.Time{},
			fmt.Errorf("%w: %s in the body begins with a digit", ErrMalformed, dotted(p.other))
	}
	at, err := readTime(timeSeconds, dotted(p.time)+" in the body", first)
	return first + p.between + second, at, err
}

func (p *fieldsProof) sign(r *Request, _ Webhook, at time.Time) (err error) {
	r.Body, err = rewrite(r.Body, func(object map[string]any) error {
		if holder := holderOf(object, p.time); holder != nil {
			holder[p.time[len(p.time)-1]] = writeTime(timeSeconds, at)
		}
		text, _, err := p.text(member(object, p.time...), member(object, p.other...))
		if err != nil {
			return err
		}
		if p.header != "" {
			r.Header[p.header] = p.macs.sign(text)
			return nil
		}
		holderOf(object, p.inBody)[p.inBody[len(p.inBody)-1]] = p.macs.sign(text)
		return nil
	})
	if err != nil {
		return err
	}
	if p.part != "" {
		r.Body, r.Header["content-type"] = writePart(p.part, r.Body)
	}
	_, err = p.find(*r)
	return err
}

// holderOf returns the object that holds the last member of a path, nil if there is none.
func holderOf(object map[string]any, path []string) map[string]any {
	for _, name := range path[:len(path)-1] {
		object, _ = object[name].(map[string]any)
	}
	return object
}

// onlyPart returns the only part of a multipart/form-data body (RFC 7578), in the one form that the
// sender writes. Readers differ in everything else: which of two parts with the same name they use,
// what a part's other headers mean, where a line ends, and whose boundary counts.
func onlyPart(r Request, name string) ([]byte, error) {
	bad := fmt.Errorf(
		"%w: the body is not a multipart form with %s and nothing else", ErrMalformed, name,
	)
	line, rest, _ := bytes.Cut(r.Body, []byte("\r\n"))
	boundary, ok := bytes.CutPrefix(line, []byte("--"))
	if !ok || !isBoundary(string(boundary)) {
		return nil, fmt.Errorf("%w: %s in the form", ErrMissing, name)
	}
	media, parameters, err := mime.ParseMediaType(r.Header["content-type"])
	if r.Header["content-type"] != "" && (err != nil || media != "multipart/form-data" ||
		parameters["boundary"] != string(boundary)) {
		return nil,
			fmt.Errorf("%w: content-type does not name the boundary of the body", ErrMalformed)
	}
	head, rest, ok := bytes.Cut(rest, []byte("\r\n\r\n"))
	if !ok || !isHeadOf(string(head), name) {
		return nil, bad
	}
	value, end, ok := bytes.Cut(rest, line)
	value, ended := bytes.CutSuffix(value, []byte("\r\n"))
	if !ok || !ended || (string(end) != "--" && string(end) != "--\r\n") {
		return nil, bad
	}
	return value, nil
}

// isBoundary tells whether a text is a valid boundary (RFC 2046, section 5.1.1) that needs no
// quotes.
func isBoundary(text string) bool {
	return text != "" && len(text) <= 70 && !strings.ContainsFunc(text, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("-_'+.", r)
	})
}

// isHeadOf tells whether a part's headers are its name and at most a content type.
func isHeadOf(head, name string) bool {
	named, typed := 0, 0
	for line := range strings.SplitSeq(head, "\r\n") {
		header, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(header) {
		case "content-disposition":
			if named++; strings.TrimSpace(value) != `form-data; name="`+name+`"` {
				return false
			}
		case "content-type":
			if typed++; typed > 1 || !isTextOfUTF8(value) {
				return false
			}
		default:
			return false
		}
	}
	return named == 1
}

// isTextOfUTF8 tells whether a content type leaves a part unchanged: text or JSON, in no other
// encoding than UTF-8.
func isTextOfUTF8(contentType string) bool {
	media, parameters, err := mime.ParseMediaType(contentType)
	charset, other := parameters["charset"]
	return err == nil && (media == "application/json" || media == "text/plain") && (!other ||
		strings.EqualFold(charset, "utf-8"))
}

// writePart returns a form with one part, and its content type. The boundary is a hash of the
// value, so the value cannot contain it.
func writePart(name string, value []byte) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary(hexSHA256(value))   // a hash has a boundary's form
	_ = w.WriteField(name, string(value)) // a write to a buffer cannot fail
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

const dropboxSignPart = "json"
