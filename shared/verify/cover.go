package verify

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"webhook-relay/shared/document"
)

// cover is what of a request a scheme's proof covers. Whoever holds a copy of a webhook can exchange the rest.
type cover struct {
	body    bool     // all of the body; of a form or a token all that is read of it
	members []string // where the body is not covered: the members that are, by their paths
	headers []string // in lower case
	time    bool     // when it was sent
}

// has tells whether the value at a place is covered.
func (c cover) has(l Locator) bool {
	switch {
	case l.Header != "":
		return slices.Contains(c.headers, strings.ToLower(l.Header))
	case l.JSON != "":
		return c.body || slices.Contains(c.members, l.JSON)
	}
	return c.body || len(c.members) > 0 // it is the hash of what is covered
}

// hasAll tells whether the values at all places are covered.
func (c cover) hasAll(places []Locator) bool {
	return len(places) > 0 && !slices.ContainsFunc(places, func(l Locator) bool { return !c.has(l) })
}

// nothing tells whether the proof covers nothing at all: it is a token, and whoever has it can send what he likes.
func (c cover) nothing() bool { return !c.body && len(c.members) == 0 && len(c.headers) == 0 }

// What each scheme covers.

func (s signed) covers() cover {
	return cover{body: true, headers: headersOf(s.IDHeader, s.TimestampHeader), time: s.window() != 0}
}

func (s public) covers() cover {
	return cover{body: true, headers: headersOf(s.idHeader, s.timestampHeader), time: s.window() != 0}
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

// covers: which headers are signed differs from request to request. Those that are not are not read (see readable).
func (contentful) covers() cover {
	return cover{body: true, headers: []string{contentfulKey, contentfulTimestamp, contentfulTopic}, time: true}
}

func (digest) covers() cover       { return cover{body: true, time: true} }
func (hygraph) covers() cover      { return cover{body: true, time: true} }
func (hubSpotPlain) covers() cover { return cover{body: true} }
func (circle) covers() cover       { return cover{body: true} }
func (fireblocks) covers() cover   { return cover{body: true} }
func (exactOnline) covers() cover  { return cover{body: true} }
func (favro) covers() cover        { return cover{members: []string{favroID}} }

// covers: the headers that Hook0 signs as well differ from webhook to webhook, and none of them is read.
func (hook0) covers() cover      { return cover{body: true, time: true} }
func (ebay) covers() cover       { return cover{body: true} }
func (formSigned) covers() cover { return cover{body: true} }
func (braintree) covers() cover  { return cover{body: true} }

// covers: of the body only a CRC-32 is signed, which other bodies have too.
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

// covers: of a notification. What else SNS sends is a handshake.
func (sns) covers() cover { return cover{members: snsMembers(snsNotification), time: true} }

func (token) covers() cover     { return cover{} }
func (bodyToken) covers() cover { return cover{} }
func (unsigned) covers() cover  { return cover{} }

// coverer is a proof that does not cover the bytes of the body as they came.
type coverer interface {
	// covered returns what the proof covers of a request that it accepted: the same bytes for two requests that differ only in what is
	// not covered, or in when they were sent.
	covered(r Request) []byte
}

// covered returns what the proof covers of a request, less when it was sent. It is the body, unless the scheme says otherwise.
func (v *Verifier) covered(r Request) []byte {
	if c, ok := v.proof.(coverer); ok {
		return c.covered(r)
	}
	return r.Body
}

// covered: a form's fields have no order, and their escapes are not signed.
func (p *formProof) covered(r Request) []byte {
	text, _ := p.signedText(r) // what is proved has it
	return []byte(text)
}

// covered: the payload without line ends after it. One signature fits a payload with one of them and without.
func (p *braintreeProof) covered(r Request) []byte {
	payload, _, _ := readBraintree(r.Body) // what is proved has it
	return []byte(strings.TrimRight(payload, "\n"))
}

func (p *publicProof) covered(r Request) []byte {
	if p.form == "" {
		return r.Body
	}
	field, _ := formField(r.Body, p.form) // what is proved has it
	return field
}

// covered: an &, < or > has the signature of its escape.
func (p *hygraphProof) covered(r Request) []byte {
	escaped := strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`)
	return []byte(escaped.Replace(string(r.Body)))
}

// covered: a body that is signed as it was before it was compressed can be compressed in other ways.
func (p *hmacProof) covered(r Request) []byte {
	if !p.inflated || !document.IsGzip(r.Body) {
		return r.Body
	}
	var body bytes.Buffer
	if document.Inflate(&body, r.Body) != nil {
		return r.Body // what is signed is then the body as it came
	}
	return body.Bytes()
}

func (p *hook0Proof) covered(r Request) []byte { return r.Body }

func (p *exactProof) covered(r Request) []byte {
	content, _, _ := readExact(r.Body) // what is proved has it
	return content
}

func (p *favroProof) covered(r Request) []byte {
	text, _ := p.text(r) // what is proved has it
	return []byte(text)
}

// covered returns the signed text of each item, quoted, so that no others make the same.
func (p *adyenProof) covered(r Request) (all []byte) {
	list, err := strictly(p.list, r.Body)
	if err != nil {
		return nil // what is proved has it
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
		return nil // what is proved has it
	}
	text, _, _ := p.text(document.Scalar(found[0]), document.Scalar(found[1]))
	return []byte(text)
}

func (p *mailgunProof) covered(r Request) []byte {
	found, err := strictly(p.paths, r.Body)
	if err != nil {
		return nil // what is proved has it
	}
	return strconv.AppendQuote(strconv.AppendQuote(nil, document.Scalar(found[0])), document.Scalar(found[1]))
}

func (p *mercadoPagoProof) covered(r Request) []byte {
	text, _ := mercadoPagoText(r, "") // what is proved has it
	return []byte(text)
}

func (p *paypalProof) covered(r Request) []byte { return []byte(r.Header[paypalID]) }

func (p *snsProof) covered(r Request) []byte {
	m, _ := parseSNS(r.Body) // what is proved is one
	text, _ := m.signedText()
	return []byte(text)
}

// readable returns a request without the headers that the list of those that are signed does not have.
func (p *contentfulProof) readable(r Request) Request {
	names, _ := signedHeaders(r.Header) // what is proved has the list
	kept := make(Header, len(names))
	for _, name := range names {
		kept[name] = r.Header[name]
	}
	r.Header = kept
	return r
}

// readable returns a request as ids and types are read from it: without what must not decide either.
func (v *Verifier) readable(r Request) Request {
	if p, ok := v.proof.(*contentfulProof); ok {
		return p.readable(r)
	}
	return r
}
