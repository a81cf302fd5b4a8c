package verify

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"webhook-relay/shared/document"
)

// cover is the part of a request that a scheme's proof covers. An attacker with a copy of a webhook
// can change the rest.
type cover struct {
	body    bool     // all of the body; of a form or a token, all that is read from it
	members []string // if the body is not covered: the paths of the members that are
	headers []string // in lower case
	time    bool     // when it was sent
}

// has tells whether the value at l is covered.
func (c cover) has(l Locator) bool {
	switch {
	case l.Header != "":
		return slices.Contains(c.headers, strings.ToLower(l.Header))
	case l.JSON != "":
		return c.body || slices.Contains(c.members, l.JSON)
	}
	return c.body || len(c.members) > 0 // the value is the hash of what is covered
}

// hasAll tells whether the values at all places are covered.
func (c cover) hasAll(places []Locator) bool {
	return len(places) > 0 && !slices.ContainsFunc(places, func(l Locator) bool {
		return !c.has(l)
	})
}

// nothing tells whether the proof covers nothing at all. Then it is a token, and whoever has it can
// send any webhook.
func (c cover) nothing() bool { return !c.body && len(c.members) == 0 && len(c.headers) == 0 }

// What each scheme covers.

func (s signed) covers() cover {
	return cover{
		body: true, headers: headersOf(s.IDHeader, s.TimestampHeader), time: s.window() != 0,
	}
}

func (s public) covers() cover {
	return cover{
		body: true, headers: headersOf(s.idHeader, s.timestampHeader), time: s.window() != 0,
	}
}

// headersOf returns the names that are not empty, in lower case.
func headersOf(names ...string) []string {
	var headers []string
	for _, name := range names {
		if name != "" {
			headers = append(headers, strings.ToLower(name))
		}
	}
	return headers
}

func (s webToken) covers() cover { return cover{body: s.trust() == Verified, time: s.timed != ""} }
func (s standard) covers() cover { return s.v1.covers() }

// covers returns the headers that are read if they are signed. Which ones are signed differs from
// request to request; an unsigned one is not read (see readable).
func (contentful) covers() cover {
	return cover{
		body: true, headers: []string{contentfulKey, contentfulTimestamp, contentfulTopic},
		time: true,
	}
}

func (digest) covers() cover       { return cover{body: true, time: true} }
func (hygraph) covers() cover      { return cover{body: true, time: true} }
func (hubSpotPlain) covers() cover { return cover{body: true} }
func (circle) covers() cover       { return cover{body: true} }
func (fireblocks) covers() cover   { return cover{body: true} }
func (exactOnline) covers() cover  { return cover{body: true} }
func (favro) covers() cover        { return cover{members: []string{favroID}} }

// covers leaves out the headers that Hook0 signs as well: they differ from webhook to webhook, and
// none of them is read.
func (hook0) covers() cover      { return cover{body: true, time: true} }
func (ebay) covers() cover       { return cover{body: true} }
func (formSigned) covers() cover { return cover{body: true} }
func (braintree) covers() cover  { return cover{body: true} }

// covers leaves out the body: only its CRC-32 is signed, and other bodies have the same one.
func (paypal) covers() cover { return cover{headers: []string{paypalID, paypalTime}, time: true} }

func (mercadoPago) covers() cover {
	return cover{members: []string{"data.id"}, headers: []string{mercadoPagoRequest}, time: true}
}

func (mailgun) covers() cover {
	return cover{members: []string{"signature.timestamp", "signature.token"}, time: true}
}

func (s signedFields) covers() cover {
	return cover{members: []string{dotted(s.time), dotted(s.other)}, time: true}
}

func (adyenItems) covers() cover {
	var members []string
	for _, field := range adyenFields {
		members = append(members, "notificationItems.0."+adyenItem+"."+field)
	}
	return cover{members: members}
}

// covers describes a notification. SNS's other messages are handshakes.
func (sns) covers() cover { return cover{members: snsMembers(snsNotification), time: true} }

func (token) covers() cover     { return cover{} }
func (bodyToken) covers() cover { return cover{} }
func (unsigned) covers() cover  { return cover{} }

// coverer is a proof that does not cover the raw bytes of the body.
type coverer interface {
	// covered returns the part of an accepted request that the proof covers, without the time of
	// sending. Two requests have the same result if they differ only in uncovered parts or in that
	// time.
	covered(r Request) []byte
}

// covered returns the part of a request that the proof covers, without the time of sending. It is
// the body, unless the scheme is a coverer.
func (v *Verifier) covered(r Request) []byte {
	if c, ok := v.proof.(coverer); ok {
		return c.covered(r)
	}
	return r.Body
}

// covered returns the signed text: a form's fields have no order, and their escapes are not signed.
func (p *formProof) covered(r Request) []byte {
	text, _ := p.signedText(r) // no error: the request is proved
	return []byte(text)
}

// covered returns the payload without the line ends after it: the same signature fits a payload
// with and without a line end.
func (p *braintreeProof) covered(r Request) []byte {
	payload, _, _ := readBraintree(r.Body) // no error: the request is proved
	return []byte(strings.TrimRight(payload, "\n"))
}

func (p *publicProof) covered(r Request) []byte {
	if p.form == "" {
		return r.Body
	}
	field, _ := formField(r.Body, p.form) // no error: the request is proved
	return field
}

// covered returns the body with &, < and > escaped: the plain character and its escape have the
// same signature.
func (p *hygraphProof) covered(r Request) []byte {
	escaped := strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`)
	return []byte(escaped.Replace(string(r.Body)))
}

// covered returns the decompressed body if that is what is signed: the same body can be compressed
// in several ways.
func (p *hmacProof) covered(r Request) []byte {
	if !p.inflated || !document.IsGzip(r.Body) {
		return r.Body
	}
	var body bytes.Buffer
	if document.Inflate(&body, r.Body) != nil {
		return r.Body // the signature is then over the body as received
	}
	return body.Bytes()
}

func (p *hook0Proof) covered(r Request) []byte { return r.Body }

func (p *exactProof) covered(r Request) []byte {
	content, _, _ := readExact(r.Body) // no error: the request is proved
	return content
}

func (p *favroProof) covered(r Request) []byte {
	text, _ := p.text(r) // no error: the request is proved
	return []byte(text)
}

// covered returns the signed text of each item, quoted, so that no other items give the same
// result.
func (p *adyenProof) covered(r Request) (all []byte) {
	list, err := strictly(p.list, r.Body)
	if err != nil {
		return nil // cannot happen: the request is proved
	}
	for element := range document.Elements(list[0]) {
		text, _, _ := p.itemText(element)
		all = strconv.AppendQuote(all, text)
	}
	return all
}

func (p *fieldsProof) covered(r Request) []byte {
	found, err := p.find(r)
	if err != nil {
		return nil // cannot happen: the request is proved
	}
	text, _, _ := p.text(document.Scalar(found[0]), document.Scalar(found[1]))
	return []byte(text)
}

func (p *mailgunProof) covered(r Request) []byte {
	found, err := strictly(p.paths, r.Body)
	if err != nil {
		return nil // cannot happen: the request is proved
	}
	return strconv.AppendQuote(
		strconv.AppendQuote(nil, document.Scalar(found[0])), document.Scalar(found[1]),
	)
}

func (p *mercadoPagoProof) covered(r Request) []byte {
	text, _ := mercadoPagoText(r, "") // no error: the request is proved
	return []byte(text)
}

func (p *paypalProof) covered(r Request) []byte { return []byte(r.Header[paypalID]) }

func (p *snsProof) covered(r Request) []byte {
	m, _ := parseSNS(r.Body) // no error: the request is proved
	text, _ := m.signedText()
	return []byte(text)
}

// readable returns a request with only the headers that are on the list of signed headers.
func (p *contentfulProof) readable(r Request) Request {
	names, _ := signedHeaders(r.Header) // no error: the request is proved
	kept := make(Header, len(names))
	for _, name := range names {
		kept[name] = r.Header[name]
	}
	r.Header = kept
	return r
}

// readable returns the request from which ids and types are read. Headers that must not decide
// either are left out.
func (v *Verifier) readable(r Request) Request {
	if p, ok := v.proof.(*contentfulProof); ok {
		return p.readable(r)
	}
	return r
}
