package verify

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- HMAC-SHA1 is what some senders have, and as a MAC it is unbroken
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// signed is the scheme of an HMAC over the body and what the provider adds to it.
type signed struct {
	HMAC
	layout layout                              // zero: the header holds Prefix and one signature
	key    func(secret string) ([]byte, error) // the key in a secret; nil: its bytes
}

var algorithms = map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha1": sha1.New, "sha512": sha512.New}

var encodings = map[string]encoding{"": lowerHex{}, "hex": lowerHex{}, "base64": base64.StdEncoding.Strict()}

// encoding is what *base64.Encoding has and this package uses of it.
type encoding interface {
	EncodedLen(n int) int
	AppendEncode(dst, src []byte) []byte
	Decode(dst, src []byte) (int, error)
}

type lowerHex struct{}

func (lowerHex) EncodedLen(n int) int                { return hex.EncodedLen(n) }
func (lowerHex) AppendEncode(dst, src []byte) []byte { return hex.AppendEncode(dst, src) }

func (lowerHex) Decode(dst, src []byte) (int, error) {
	if i := slices.IndexFunc(src, func(c byte) bool { return 'A' <= c && c <= 'F' }); i >= 0 {
		return 0, hex.InvalidByteError(src[i])
	}
	return hex.Decode(dst, src)
}

// hmacProof is a signed scheme with its keys.
type hmacProof struct {
	name            string // of the signature's header
	timestampHeader string // "" where the layout or nobody has a timestamp
	idHeader        string // "" where no id is signed
	prefix          string
	layout          layout
	encoding        encoding
	size            int      // of an encoded signature
	payload         []string // placeholders, and text between them
	tolerance       time.Duration
	keys            []*key
}

// The placeholders of a payload.
const (
	placeID        = "{id}"
	placeTimestamp = "{timestamp}"
	placeBody      = "{body}"
)

func (s signed) prepare(secrets []string) (proof, error) {
	payload, err := s.parsePayload()
	if err != nil {
		return nil, err
	}
	newHash, encoding := algorithms[s.Algorithm], encodings[s.Encoding]
	if err := errors.Join(s.checkForm(newHash != nil, encoding != nil), s.checkUse(payload), checkSecrets(secrets)); err != nil {
		return nil, err
	}
	p := &hmacProof{
		name: strings.ToLower(s.Header), timestampHeader: strings.ToLower(s.TimestampHeader), idHeader: strings.ToLower(s.IDHeader),
		prefix: s.Prefix, layout: s.layout, encoding: encoding, size: encoding.EncodedLen(newHash().Size()),
		payload: payload, tolerance: s.Tolerance,
	}
	if p.tolerance == 0 {
		p.tolerance = DefaultTolerance
	}
	for i, secret := range secrets {
		raw := []byte(secret)
		if s.key != nil {
			if raw, err = s.key(secret); err != nil {
				return nil, wrong(fmt.Sprintf("secrets[%d]", i), "%v", err)
			}
		}
		p.keys = append(p.keys, newKey(newHash, raw))
	}
	return p, nil
}

// checkForm holds each field against what it may be.
func (s signed) checkForm(knownAlgorithm, knownEncoding bool) error {
	switch {
	case s.Header == "":
		return wrong("hmac.header", "missing; name the header that carries the signature")
	case !knownAlgorithm:
		return wrong("hmac.algorithm", "%q is unknown; known are sha1, sha256, sha512", s.Algorithm)
	case !knownEncoding:
		return wrong("hmac.encoding", "%q is unknown; known are base64, hex", s.Encoding)
	case strings.Contains(s.Prefix, ","):
		return wrong("hmac.prefix", "%q has a comma, which cannot be told from a header that was sent twice", s.Prefix)
	case s.Tolerance < 0:
		return wrong("hmac.tolerance", "%s is negative; leave it out for %s", s.Tolerance, DefaultTolerance)
	}
	return errors.Join(checkName("hmac.header", s.Header), checkName("hmac.timestamp_header", s.TimestampHeader),
		checkName("hmac.id_header", s.IDHeader))
}

// checkUse holds the fields against the payload. A timestamp or an id that is not signed would look like protection and be none.
func (s signed) checkUse(payload []string) error {
	timed, named := slices.Contains(payload, placeTimestamp), slices.Contains(payload, placeID)
	switch {
	case !slices.Contains(payload, placeBody):
		return wrong("hmac.payload", "%q has no {body}, so that anybody could exchange the body", s.Payload)
	case timed && s.TimestampHeader == "" && s.layout.timestamp == "":
		return wrong("hmac.timestamp_header", "missing; hmac.payload has {timestamp}: name the header that carries it")
	case !timed && s.TimestampHeader != "":
		return wrong("hmac.timestamp_header", "hmac.payload has no {timestamp}; add it or remove this: unsigned, it proves nothing")
	case !timed && s.Tolerance != 0:
		return wrong("hmac.tolerance", "hmac.payload has no {timestamp} to hold it against; add it or remove this")
	case named && s.IDHeader == "":
		return wrong("hmac.id_header", "missing; hmac.payload has {id}: name the header that carries it")
	case !named && s.IDHeader != "":
		return wrong("hmac.id_header", "hmac.payload has no {id}; for an id that is not signed use event_id.header")
	}
	return nil
}

// parsePayload takes the payload apart: each part is a placeholder or text without braces.
func (s signed) parsePayload() ([]string, error) {
	if s.Payload == "" {
		return []string{placeBody}, nil
	}
	var parts []string
	for rest := s.Payload; rest != ""; {
		end := strings.IndexByte(rest, '{')
		if end == 0 {
			end = strings.IndexByte(rest, '}') + 1
			if part := rest[:end]; part != placeID && part != placeTimestamp && part != placeBody {
				return nil, wrong("hmac.payload", "unknown placeholder in %q; known are {body}, {id}, {timestamp}", s.Payload)
			}
		}
		if end < 0 {
			end = len(rest)
		}
		parts, rest = append(parts, rest[:end]), rest[end:]
	}
	return parts, nil
}

func (p *hmacProof) header() string { return p.name }

// claim is what a request says about its signature.
type claim struct {
	id, timestamp string
	sentAt        time.Time
	signatures    []string // encoded, without prefix or name; all of the right length
}

func (p *hmacProof) check(r Request) error {
	var room [4]string
	c, err := p.claim(r.Header, room[:0])
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(p.keys, func(k *key) bool { return p.matches(k, c, r.Body) }) {
		return p.refusal(c)
	}
	if c.timestamp == "" {
		return nil
	}
	return fresh(c.sentAt, r.ReceivedAt, p.tolerance)
}

// claim reads the headers and checks their form. room is where the signatures go, as long as it is enough.
func (p *hmacProof) claim(h Header, room []string) (c claim, err error) {
	value := h[p.name]
	if value == "" {
		return c, fmt.Errorf("%w: header %s", ErrMissing, p.name)
	}
	if p.layout == (layout{}) {
		c.signatures, err = readSingle(p.name, value, p.prefix, room)
	} else {
		c.timestamp, c.signatures, err = p.layout.read(p.name, value, room)
	}
	if err != nil {
		return c, err
	}
	c.signatures = slices.DeleteFunc(c.signatures, func(s string) bool { return len(s) != p.size })
	if len(c.signatures) == 0 {
		return c, p.malformedSignature()
	}
	if p.timestampHeader != "" {
		if c.timestamp, err = single(h, p.timestampHeader); err != nil {
			return c, err
		}
	}
	if c.timestamp != "" {
		if c.sentAt, err = unixSeconds(cmp.Or(p.timestampHeader, p.name), c.timestamp); err != nil {
			return c, err
		}
	}
	if p.idHeader != "" {
		c.id, err = p.checkedID(h)
	}
	return c, err
}

// checkedID returns the id that is signed. It must not contain the text that ends it in the payload: from "a.1.2" signed as
// id "a", time 1, body "2" one could else make id "a.1", time 2 and another body.
func (p *hmacProof) checkedID(h Header) (string, error) {
	id, err := single(h, p.idHeader)
	if err != nil {
		return "", err
	}
	next := slices.Index(p.payload, placeID) + 1
	if next < len(p.payload) && p.payload[next][0] != '{' && strings.Contains(id, p.payload[next]) {
		return "", malformed(p.idHeader, fmt.Sprintf("an id without %q", p.payload[next]))
	}
	return id, nil
}

func (p *hmacProof) matches(k *key, c claim, body []byte) bool {
	s := k.get()
	defer k.put(s)
	made := s.sign(p, c, body)
	return slices.ContainsFunc(c.signatures, func(sent string) bool {
		return subtle.ConstantTimeCompare(made, []byte(sent)) == 1
	})
}

// refusal says why none of the signatures matched. They are decoded only here: what matched needs no decoding.
func (p *hmacProof) refusal(c claim) error {
	raw := make([]byte, p.size)
	decodes := func(s string) bool { _, err := p.encoding.Decode(raw, []byte(s)); return err == nil }
	if !slices.ContainsFunc(c.signatures, decodes) {
		return p.malformedSignature()
	}
	return fmt.Errorf("%w: header %s, signatures %d, secrets %d", ErrMismatch, p.name, len(c.signatures), len(p.keys))
}

func (p *hmacProof) malformedSignature() error {
	form := "hex in lower case"
	if p.encoding != (lowerHex{}) {
		form = "base64"
	}
	return malformed(p.name, fmt.Sprintf("a signature of %d characters, %s", p.size, form))
}

func (p *hmacProof) sign(h Header, w Webhook, at time.Time) (err error) {
	var c claim
	if slices.Contains(p.payload, placeTimestamp) {
		c.timestamp = strconv.FormatInt(at.Unix(), 10)
	}
	if p.timestampHeader != "" {
		h[p.timestampHeader] = c.timestamp
	}
	if p.idHeader != "" {
		h[p.idHeader] = w.DeliveryID
		if c.id, err = p.checkedID(h); err != nil {
			return err
		}
	}
	s := p.keys[0].get()
	defer p.keys[0].put(s)
	h[p.name] = p.prefix + p.layout.write(c.timestamp, string(s.sign(p, c, w.Body)))
	return nil
}

// unixSeconds reads digits and nothing else; twelve of them reach far beyond any year and below any overflow.
func unixSeconds(header, value string) (time.Time, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || len(value) > 12 {
		return time.Time{}, malformed(header, "a time in Unix seconds")
	}
	return time.Unix(int64(n), 0), nil // #nosec G115 -- at most twelve digits
}

func fresh(sentAt, receivedAt time.Time, tolerance time.Duration) error {
	if age := receivedAt.Sub(sentAt); age > tolerance {
		return fmt.Errorf("%w: %s old, tolerance %s", ErrStale, seconds(age), seconds(tolerance))
	}
	if lead := sentAt.Sub(receivedAt); lead > tolerance {
		return fmt.Errorf("%w: %s ahead, tolerance %s", ErrFuture, seconds(lead), seconds(tolerance))
	}
	return nil
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Truncate(time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

// key is one secret, ready to sign. Used states are kept, since a state that is reset has the key's own two blocks
// hashed already, and needs no memory.
type key struct{ states sync.Pool }

type state struct {
	mac hash.Hash
	buf []byte
}

func newKey(newHash func() hash.Hash, secret []byte) *key {
	return &key{sync.Pool{New: func() any { return &state{mac: hmac.New(newHash, secret)} }}}
}

func (k *key) get() *state  { return k.states.Get().(*state) } //nolint:forcetypeassert // the pool holds nothing else
func (k *key) put(s *state) { k.states.Put(s) }

// sign returns the encoded signature; it is valid until the state is used again.
func (s *state) sign(p *hmacProof, c claim, body []byte) []byte {
	s.mac.Reset()
	s.buf = s.buf[:0]
	for _, part := range p.payload {
		switch part {
		case placeID:
			s.buf = append(s.buf, c.id...)
		case placeTimestamp:
			s.buf = append(s.buf, c.timestamp...)
		case placeBody:
			s.mac.Write(s.buf)
			s.mac.Write(body)
			s.buf = s.buf[:0]
		default:
			s.buf = append(s.buf, part...)
		}
	}
	s.mac.Write(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	n := len(s.buf)
	s.buf = p.encoding.AppendEncode(s.buf, s.buf)
	return s.buf[n:]
}
