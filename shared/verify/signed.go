package verify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1" // #nosec G505 -- HMAC-SHA1 is what some senders have, and as a MAC it is unbroken
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// signed is the scheme of an HMAC over the body and the values that the provider adds to it.
type signed struct {
	HMAC
	layout layout // zero: the header holds Prefix and one signature
	// the headers are Header-1, Header-2, …: one for each of the provider's keys
	numbered bool
	// another header of the same form, for the provider's other key; in lower case; "": none
	or string
	// how the provider rewrites the URL before it signs it; nil: not at all
	tidyURL func(url string) string
	// a body compressed with gzip is signed as it was before compression
	inflated bool
	// a body that is no JSON object is refused, because the handshake signs other texts for anybody
	object bool
	// a body that is no JSON is refused, because nothing but its own end separates it from the
	// signed text after it
	whole   bool
	hashed  bool   // the hex of the body's SHA-256 is signed instead of the body
	setting string // the setting whose value replaces {setting} in the payload
	// another form of the body that the vendor's own receivers also accept as the signed one; nil:
	// none
	rewrite func(body []byte) []byte
	// length of an id that is directly followed by the next part; 0: not known (see checkGluedID)
	idLength int
}

var algorithms = map[string]func() hash.Hash{
	"": sha256.New, "sha256": sha256.New, "sha1": sha1.New, "sha512": sha512.New,
}

var encodings = map[string]encoding{"": lowerHex{}, "hex": lowerHex{}, "upper-hex": upperHex{},
	"base64": base64.StdEncoding.Strict(), "base64url": base64.RawURLEncoding.Strict(),
	encodingOfHex: base64OfHex{}}

var keyForms = []string{keyText, keyHex, keyBase64, keyStandard}

// encoding is the part of *base64.Encoding that this package uses.
type encoding interface {
	EncodedLen(n int) int
	AppendEncode(dst, src []byte) []byte
	Decode(dst, src []byte) (int, error)
}

// lowerHex writes hex in lower case and reads it in either case.
type lowerHex struct{}

func (lowerHex) EncodedLen(n int) int                { return hex.EncodedLen(n) }
func (lowerHex) AppendEncode(dst, src []byte) []byte { return hex.AppendEncode(dst, src) }
func (lowerHex) Decode(dst, src []byte) (int, error) { return hex.Decode(dst, src) }

// encodingOfHex is the base64 of the hex. Only entries of the table may use it.
const encodingOfHex = "base64 of the hex"

type base64OfHex struct{}

func (base64OfHex) EncodedLen(n int) int { return base64.StdEncoding.EncodedLen(hex.EncodedLen(n)) }

func (base64OfHex) AppendEncode(dst, src []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, hex.AppendEncode(nil, src))
}

func (base64OfHex) Decode(dst, src []byte) (int, error) {
	text, err := base64Strict.AppendDecode(nil, src)
	if err != nil {
		return 0, err
	}
	return hex.Decode(dst, text)
}

type upperHex struct{ lowerHex }

func (upperHex) AppendEncode(dst, src []byte) []byte {
	n := len(dst)
	dst = hex.AppendEncode(dst, src)
	copy(dst[n:], bytes.ToUpper(dst[n:]))
	return dst
}

// foldHex converts a hex signature to the case that e writes. Both cases stand for the same bytes,
// and the vendors' own receivers that decode a signature accept both.
func foldHex(e encoding, sent string) string {
	switch e.(type) {
	case lowerHex:
		return strings.ToLower(sent)
	case upperHex:
		return strings.ToUpper(sent)
	}
	return sent
}

// hmacProof is a signed scheme with its keys.
type hmacProof struct {
	signed            // names of headers in lower case
	names    []string // of the headers that may hold a signature
	url      string   // as the provider signs it
	query    string   // of the configured URL, in the same form
	encoding encoding
	size     int             // of an encoded signature
	payload  []string        // placeholders, and text between them
	timedBy  string          // names the place of the time, for errors
	time     *document.Paths // finds the time in the body; nil: it is not in the body
	glued    bool            // the id is directly followed by the next part of the payload
	// the bytes of the payload's text directly before and after the id; the id may contain none of
	// them
	idEnds string
	fresh  freshness
	keys   []*key
}

// The placeholders of a payload.
const (
	placeID        = "{id}"
	placeTimestamp = "{timestamp}"
	placeBody      = "{body}"
	placeURL       = "{url}"
	placeMethod    = "{method}"
	placeSetting   = "{setting}" // only for entries of the table
)

var placeholders = []string{placeBody, placeID, placeMethod, placeTimestamp, placeURL} // sorted

func (s signed) trust() Trust { return Verified }

// window returns the tolerance of the signed time, 0 if no time is signed.
func (s signed) window() time.Duration {
	if s.TimestampHeader == "" && s.TimestampJSON == "" && (!s.layout.timed() || s.layout.nonce) {
		return 0
	}
	return cmp.Or(s.Tolerance, DefaultTolerance)
}

func (s signed) describe() string {
	name := s.Header
	if s.numbered {
		name += "-1, -2, …"
	}
	if s.or != "" {
		name += " or " + s.or
	}
	form := s.Prefix + cmp.Or(s.Encoding, "hex")
	if s.layout != (layout{}) {
		form = strings.TrimSuffix(s.layout.write("<time>", form), " ")
	}
	return fmt.Sprintf(
		"header %s: %s of HMAC-%s over %s", name, form,
		strings.ToUpper(cmp.Or(s.Algorithm, "sha256")), cmp.Or(s.Payload, placeBody),
	)
}

// makeKey implements keyMaker.
func (s signed) makeKey(seed []byte) (secret, signing string, err error) {
	return writeKey(s.Key, seed), "", nil
}

func (s signed) prepare(k *keys) (proof, error) {
	payload, err := s.parsePayload()
	if err != nil {
		return nil, err
	}
	if k.described && !k.signsOnly {
		if err := checkSeams(s.Payload, payload, s.TimestampFormat); err != nil {
			return nil, err
		}
	}
	newHash, encoding := algorithms[s.Algorithm], encodings[s.Encoding]
	if err := errors.Join(
		s.checkForm(newHash != nil, encoding != nil), s.checkUse(payload), checkSecrets(k.secrets),
	); err != nil {
		return nil, err
	}
	for i, part := range payload {
		if part == placeSetting {
			payload[i] = k.settings[s.setting]
		}
	}
	p := &hmacProof{
		signed: s, encoding: encoding, size: encoding.EncodedLen(newHash().Size()),
		payload: payload,
	}
	p.glued, p.idEnds = besideID(payload)
	p.url, p.query = s.tidy(k.url), s.tidy(queryOf(k.url))
	p.Header, p.TimestampHeader, p.IDHeader = strings.ToLower(s.Header),
		strings.ToLower(s.TimestampHeader), strings.ToLower(s.IDHeader)
	p.names = p.signatureHeaders()
	p.fresh = k.freshness(s.window())
	p.timedBy = "header " + cmp.Or(p.TimestampHeader, p.Header)
	if s.TimestampJSON != "" {
		p.time = document.NewStrictPaths(document.SplitPath(s.TimestampJSON))
	}
	raw, err := k.read(s.Key)
	for _, r := range raw {
		p.keys = append(p.keys, newKey(newHash, r))
	}
	return p, err
}

// checkForm checks each field on its own.
func (s signed) checkForm(knownAlgorithm, knownEncoding bool) error {
	switch {
	case s.Header == "":
		return wrong("hmac.header", "missing; name the header that carries the signature")
	case !knownAlgorithm:
		return wrong("hmac.algorithm", "%q is unknown; known are sha1, sha256, sha512", s.Algorithm)
	case !knownEncoding:
		return wrong(
			"hmac.encoding", "%q is unknown; known are base64, base64url, hex, upper-hex",
			s.Encoding,
		)
	case !slices.Contains(keyForms, s.Key):
		return wrong(
			"hmac.key",
			"%q is unknown; known are base64, hex, whsec; leave it out for the secret's own bytes",
			s.Key,
		)
	case !slices.Contains(timeFormats, s.TimestampFormat):
		return wrong(
			"hmac.timestamp_format", "%q is unknown; known are http, ms, rfc3339, s, unix, utc",
			s.TimestampFormat,
		)
	case strings.Contains(s.Prefix, ","):
		return wrong(
			"hmac.prefix", "%q has a comma, which looks like a header that was sent twice",
			s.Prefix,
		)
	case s.Tolerance < 0:
		return wrong(
			"hmac.tolerance", "%s is negative; leave it out for %s", s.Tolerance, DefaultTolerance,
		)
	}
	return errors.Join(checkName("hmac.header", s.Header), checkName(
		"hmac.timestamp_header", s.TimestampHeader,
	),
		checkName("hmac.id_header", s.IDHeader))
}

// checkUse checks the fields against the payload. A timestamp or an id that is not signed would
// look like protection and be none.
func (s signed) checkUse(payload []string) error {
	timed, named := slices.Contains(payload, placeTimestamp), slices.Contains(payload, placeID)
	inBody := s.TimestampJSON != ""
	switch {
	case !slices.Contains(payload, placeBody):
		return wrong(
			"hmac.payload", "%q has no {body}, so anybody could replace the body; add {body}",
			s.Payload,
		)
	case inBody && (timed || s.TimestampHeader != ""):
		return wrong(
			"hmac.timestamp_json",
			"hmac.payload has {timestamp}, or there is hmac.timestamp_header: only one time can be the webhook's",
		)
	case document.CheckPath(s.TimestampJSON) != nil && inBody:
		return wrong("hmac.timestamp_json", "%v", document.CheckPath(s.TimestampJSON))
	case timed && s.TimestampHeader == "" && !s.layout.timed():
		return wrong(
			"hmac.timestamp_header",
			"missing; hmac.payload has {timestamp}: name the header that carries it",
		)
	case !timed && s.TimestampHeader != "":
		return wrong(
			"hmac.timestamp_header",
			"hmac.payload has no {timestamp}; add it or remove this: unsigned, it proves nothing",
		)
	case !timed && !inBody && s.TimestampFormat != "":
		return wrong(
			"hmac.timestamp_format", "hmac.payload has no {timestamp}; add it or remove this",
		)
	case !timed && !inBody && s.Tolerance != 0:
		return wrong(
			"hmac.tolerance",
			"hmac.payload has no {timestamp} to compare it with; add it or remove this",
		)
	case named && s.IDHeader == "":
		return wrong(
			"hmac.id_header", "missing; hmac.payload has {id}: name the header that carries it",
		)
	case !named && s.IDHeader != "":
		return wrong(
			"hmac.id_header",
			"hmac.payload has no {id}; for an id that is not signed use event_id.header",
		)
	}
	return nil
}

// parsePayload splits the payload into parts: each is a placeholder or text without braces.
func (s signed) parsePayload() ([]string, error) {
	if s.Payload == "" {
		return []string{placeBody}, nil
	}
	var parts []string
	for rest := s.Payload; rest != ""; {
		end := strings.IndexByte(rest, '{')
		if end == 0 {
			end = strings.IndexByte(rest, '}') + 1
			if !slices.Contains(placeholders, rest[:end]) && (s.setting == "" ||
				rest[:end] != placeSetting) {
				return nil, wrong(
					"hmac.payload", "unknown placeholder in %q; known are %s", s.Payload,
					strings.Join(placeholders, ", "),
				)
			}
		}
		if end < 0 {
			end = len(rest)
		}
		parts, rest = append(parts, rest[:end]), rest[end:]
	}
	return parts, nil
}

// besideID tells whether the id is directly followed by the next part, and which bytes of text are
// next to it.
func besideID(payload []string) (glued bool, ends string) {
	at := slices.Index(payload, placeID)
	if at < 0 {
		return false, ""
	}
	if at > 0 && isText(payload[at-1]) {
		ends = payload[at-1][len(payload[at-1])-1:]
	}
	if at+1 < len(payload) && isText(payload[at+1]) {
		return false, ends + payload[at+1][:1]
	}
	return at+1 < len(payload), ends
}

func isText(part string) bool { return part[0] != '{' }

// checkSeams refuses a payload whose signed text can be divided into its parts in several ways.
// Otherwise an attacker with a copy of a webhook could move bytes from one part to another, and the
// signature would still fit. The URL and the method are constant, so they count as text.
func checkSeams(text string, payload []string, timeFormat string) error {
	varies := func(part string) bool {
		return part == placeID || part == placeTimestamp || part == placeBody
	}
	before := "" // the last part that varies
	between := ""
	for _, part := range payload {
		if !varies(part) {
			between += strings.NewReplacer(placeURL, "https://", placeMethod, "POST").Replace(part)
			continue
		}
		if before != "" {
			if err := checkSeam(text, before, between, part, timeFormat); err != nil {
				return err
			}
		}
		before, between = part, ""
	}
	return nil
}

// checkSeam checks the text between two parts. Next to an id, or after a time, it must have a byte
// that the id or the time cannot contain.
func checkSeam(text, before, between, after, timeFormat string) error {
	const mend = "have the sender sign a text between them, such as %s.%s"
	if between == "" {
		return wrong("hmac.payload",
			"%q has nothing between %s and %s, so bytes can be moved from one to the other under the same signature; "+mend,
			text, before, after, before, after)
	}
	first, last := between[0], between[len(between)-1]
	inTime := func(b byte) bool {
		// UTC may have fractions of a second, and no end of its own
		return '0' <= b && b <= '9' || timeFormat == timeUTC && b == '.'
	}
	inID := func(b byte) bool { return isAlphanumeric(rune(b)) || b == '-' || b == '_' }
	unsafe := before == placeTimestamp && inTime(first) || after == placeTimestamp &&
		inTime(last) ||
		before == placeID && inID(first) || after == placeID && inID(last)
	if unsafe {
		return wrong("hmac.payload",
			"%q has %q between %s and %s, which can be a part of either, so bytes can be moved from one to the other under "+
				"the same signature; "+mend, text, between, before, after, before, after)
	}
	return nil
}

func (p *hmacProof) headers() []string { return slices.Clone(p.names) }

// maxNumber is how many numbered headers are read. DocuSign allows 100 keys for an account.
const maxNumber = 100

func (p *hmacProof) signatureHeaders() []string {
	switch {
	case p.numbered:
		names := make([]string, maxNumber)
		for i := range names {
			names[i] = p.Header + "-" + strconv.Itoa(i+1)
		}
		return names
	case p.or != "":
		return []string{p.Header, p.or}
	}
	return []string{p.Header}
}

// claim is what a request says about its signature.
type claim struct {
	id, timestamp string
	method        string
	sentAt        time.Time
	signatures    []string // encoded, without prefix or name; all of the right length
}

func (p *hmacProof) check(_ context.Context, r Request) error {
	var room [4]string
	c, err := p.claim(r, room[:0])
	if err != nil {
		return err
	}
	if p.url != "" && p.tidy(r.Query) != p.query {
		return errOtherQuery
	}
	if !p.matchesAny(&c, r.Body) {
		return p.refusal(c)
	}
	if err := p.checkBody(r.Body); err != nil {
		return err
	}
	if p.time != nil {
		if c.sentAt, err = p.timeInBody(r.Body); err != nil {
			return err
		}
	}
	if c.sentAt.IsZero() {
		return nil
	}
	return p.fresh.check(c.sentAt, r.ReceivedAt)
}

func (p *hmacProof) checkBody(body []byte) error {
	if p.object && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return fmt.Errorf("%w: the body is not a JSON object", ErrMalformed)
	}
	if p.whole && !json.Valid(body) {
		return errNoJSON
	}
	return nil
}

// claim reads the headers and checks their form. room is memory for the signatures; more is
// allocated if it is too small.
func (p *hmacProof) claim(r Request, room []string) (c claim, err error) {
	c.method = cmp.Or(r.Method, "POST")
	if c.timestamp, c.signatures, err = p.readSignatures(r.Header, room); err != nil {
		return c, err
	}
	c.signatures = slices.DeleteFunc(c.signatures, func(s string) bool { return len(s) != p.size })
	for i, sent := range c.signatures {
		c.signatures[i] = foldHex(p.encoding, sent)
	}
	if len(c.signatures) == 0 {
		return c, p.malformedSignature()
	}
	if p.TimestampHeader != "" {
		if c.timestamp, err = p.timeInHeader(r.Header); err != nil {
			return c, err
		}
	}
	if p.layout.nonce {
		if err := p.checkEnd(p.Header, placeTimestamp, c.timestamp); err != nil {
			return c, err
		}
	}
	if c.timestamp != "" && !p.layout.nonce {
		if c.sentAt, err = readTime(p.TimestampFormat, p.timedBy, c.timestamp); err != nil {
			return c, err
		}
	}
	if p.IDHeader != "" {
		c.id, err = p.checkedID(r)
	}
	return c, err
}

func (p *hmacProof) readSignatures(
	h Header, room []string,
) (timestamp string, signatures []string, err error) {
	if len(p.names) > 1 {
		signatures, err = p.readEach(h, room)
		return "", signatures, err
	}
	value := h[p.Header]
	switch {
	case value == "":
		return "", nil, fmt.Errorf("%w: header %s", ErrMissing, p.Header)
	case p.layout == (layout{}):
		signatures, err = readSingle(p.Header, value, p.Prefix, room)
		return "", signatures, err
	}
	return p.layout.read(p.Header, value, room)
}

// readEach reads several headers, each with one signature. Some of them may be absent.
func (p *hmacProof) readEach(h Header, room []string) (signatures []string, err error) {
	signatures = room
	for _, name := range p.names {
		value := h[name]
		if value == "" {
			continue
		}
		if signatures, err = readSingle(name, value, p.Prefix, signatures); err != nil {
			return nil, err
		}
	}
	if len(signatures) == 0 {
		return nil, fmt.Errorf("%w: header %s", ErrMissing, p.names[0])
	}
	return signatures, nil
}

// tidy returns a URL or its query as the provider signs it.
func (s signed) tidy(url string) string {
	if s.tidyURL == nil {
		return url
	}
	return s.tidyURL(url)
}

// errOtherQuery refuses a request whose query is not the query of the configured URL. If both URL
// and body are signed, nothing separates them, so a part of the body could pass as a part of the
// query.
var errOtherQuery = fmt.Errorf("%w: the request's query is not the one in url", ErrMismatch)

// queryOf returns the query that a request to the URL comes with.
func queryOf(url string) string {
	_, query, _ := strings.Cut(url, "?")
	return query
}

// timeInHeader returns the header with the time. An HTTP date contains one comma.
func (p *hmacProof) timeInHeader(h Header) (string, error) {
	value := h[p.TimestampHeader]
	if p.TimestampFormat == timeHTTP && strings.Count(value, ",") == 1 {
		return value, nil
	}
	return single(h, p.TimestampHeader)
}

// timeInBody reads the time from the body.
func (p *hmacProof) timeInBody(body []byte) (time.Time, error) {
	var room [1][]byte
	found, err := p.time.Find(body, room[:0])
	if err != nil {
		return time.Time{},
			fmt.Errorf("%w: the body is not JSON, or says %s twice", ErrMalformed, p.TimestampJSON)
	}
	value := document.Scalar(found[0])
	if value == "" {
		return time.Time{}, fmt.Errorf("%w: %s in the body", ErrMissing, p.TimestampJSON)
	}
	return readTime(p.TimestampFormat, p.TimestampJSON+" in the body", value)
}

// checkedID returns the signed id. The same signature must not fit another division of the payload.
// From "a.1.2", signed as id "a", time 1, body "2", an attacker could otherwise make id "a.1", time
// 2 and another body.
func (p *hmacProof) checkedID(r Request) (string, error) {
	id, err := single(r.Header, p.IDHeader)
	if err != nil {
		return "", err
	}
	if p.glued {
		return id, p.checkGluedID(id, r.Body)
	}
	if strings.ContainsAny(id, p.idEnds) {
		return "", malformed(p.IDHeader, fmt.Sprintf("an id without %q", p.idEnds))
	}
	return id, nil
}

// checkEnd refuses a value that contains the text which follows it in the payload.
func (p *hmacProof) checkEnd(header, place, value string) error {
	next := slices.Index(p.payload, place) + 1
	if next < len(p.payload) && p.payload[next] != "" && p.payload[next][0] != '{' &&
		strings.Contains(value, p.payload[next]) {
		return malformed(header, fmt.Sprintf("an id without %q", p.payload[next]))
	}
	return nil
}

// matchesAny tells whether one of the keys made one of the signatures, over the body or over its
// other form.
func (p *hmacProof) matchesAny(c *claim, body []byte) bool {
	if slices.ContainsFunc(p.keys, func(k *key) bool { return p.matches(k, c, body) }) {
		return true
	}
	if p.rewrite == nil {
		return false
	}
	other := p.rewrite(body)
	return !bytes.Equal(other, body) && slices.ContainsFunc(p.keys, func(k *key) bool {
		return p.matches(k, c, other)
	})
}

// checkGluedID checks an id that is directly followed by the next part of the payload. An id that
// begins with idLength letters and digits has the provider's form and must end there. After any
// other id the body must begin with { or [. Neither an id nor a time contains these bytes, so the
// first of them marks the end of both. The time cannot begin elsewhere: with one digit more or less
// it would be decades off.
func (p *hmacProof) checkGluedID(id string, body []byte) error {
	plain := func(text string) bool {
		return !strings.ContainsFunc(text, func(r rune) bool { return !isAlphanumeric(r) })
	}
	own := p.idLength > 0 && len(id) >= p.idLength && plain(id[:p.idLength])
	foreign := strings.ContainsFunc(id, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune(tokenMarks, r)
	})
	switch {
	case foreign || own && len(id) > p.idLength:
		return malformed(p.IDHeader, "an id of the provider's form")
	case own || len(body) == 0 || body[0] == '{' || body[0] == '[':
		return nil
	}
	return fmt.Errorf(
		"%w: the body does not begin with { or [, so the border between id and body is ambiguous",
		ErrMalformed,
	)
}

func (p *hmacProof) matches(k *key, c *claim, body []byte) bool {
	s := k.get()
	defer k.put(s)
	made := s.sign(p, c, body)
	return slices.ContainsFunc(c.signatures, func(sent string) bool {
		return subtle.ConstantTimeCompare(made, []byte(sent)) == 1
	})
}

// refusal says why no signature matched. Signatures are decoded only here: one that matches needs
// no decoding.
func (p *hmacProof) refusal(c claim) error {
	raw := make([]byte, p.size)
	decodes := func(s string) bool {
		_, err := p.encoding.Decode(raw, []byte(s))
		return err == nil
	}
	if !slices.ContainsFunc(c.signatures, decodes) {
		return p.malformedSignature()
	}
	return fmt.Errorf(
		"%w: header %s, signatures %d, secrets %d", ErrMismatch, p.Header, len(c.signatures),
		len(p.keys),
	)
}

func (p *hmacProof) malformedSignature() error {
	form := cmp.Or(strings.TrimPrefix(p.Encoding, "upper-"), "hex")
	return malformed(p.Header, fmt.Sprintf("a signature of %d characters, %s", p.size, form))
}

func (p *hmacProof) sign(r *Request, w Webhook, at time.Time) (err error) {
	if err := p.checkBody(r.Body); err != nil {
		return err
	}
	r.Query = p.query
	c := claim{method: r.Method}
	if slices.Contains(p.payload, placeTimestamp) {
		c.timestamp = writeTime(p.TimestampFormat, at)
	}
	if p.layout.nonce {
		c.timestamp = w.DeliveryID
	}
	if p.TimestampHeader != "" {
		r.Header[p.TimestampHeader] = c.timestamp
	}
	if p.time != nil {
		r.Body = p.withTime(r.Body, at)
		if _, err := p.timeInBody(r.Body); err != nil {
			return err
		}
	}
	if p.IDHeader != "" {
		r.Header[p.IDHeader] = w.DeliveryID
		if c.id, err = p.checkedID(*r); err != nil {
			return err
		}
	}
	s := p.keys[0].get()
	defer p.keys[0].put(s)
	r.Header[p.names[0]] = p.Prefix + p.layout.write(c.timestamp, string(s.sign(p, &c, r.Body)))
	return nil
}

// withTime returns the body with its time set to at. A body without a time is returned unchanged.
func (p *hmacProof) withTime(body []byte, at time.Time) []byte {
	found, err := p.time.Find(body, nil)
	if err != nil || len(found[0]) == 0 {
		return body
	}
	value := found[0]
	now := writeTime(p.TimestampFormat, at)
	if value[0] == '"' {
		now = strconv.Quote(now)
	}
	from := cap(body) - cap(value)
	return slices.Concat(body[:from], []byte(now), body[from+len(value):])
}

// writeBody hashes the body as the provider signs it. It returns false if the body cannot be
// decompressed. A decompressed body is never in memory as a whole, because nothing is proved yet.
func (s signed) writeBody(mac hash.Hash, body []byte) bool {
	if s.inflated && document.IsGzip(body) {
		return document.Inflate(mac, body) == nil
	}
	mac.Write(body)
	return true
}

// sign returns the encoded signature of a request. It is valid until the state is used again. nil:
// the body cannot be read.
func (s *state) sign(p *hmacProof, c *claim, body []byte) []byte {
	s.mac.Reset()
	s.buf = s.buf[:0]
	for _, part := range p.payload {
		switch part {
		case placeID:
			s.buf = append(s.buf, c.id...)
		case placeTimestamp:
			s.buf = append(s.buf, c.timestamp...)
		case placeURL:
			s.buf = append(s.buf, p.url...)
		case placeMethod:
			s.buf = append(s.buf, c.method...)
		case placeBody:
			if p.hashed {
				s.buf = append(s.buf, hexSHA256(body)...)
				continue
			}
			s.mac.Write(s.buf)
			s.buf = s.buf[:0]
			if !p.writeBody(s.mac, body) {
				return nil
			}
		default:
			s.buf = append(s.buf, part...)
		}
	}
	return s.sum(p.encoding)
}
