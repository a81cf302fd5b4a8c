package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValueBytes bounds a delivery id and an event type.
const maxValueBytes = 256

// places is where requests say what they are.
type places struct {
	ids, types []place
	orType     []place    // one, or none
	paths      [][]string // of every place in the body, found in one pass
	form       string
	allIDs     bool
	idBy       func(r Request) string // nil, or the id where ids yield nothing
	typeBy     func(r Request) string
	unwrap     func(r Request) []byte // nil: the document is as it comes
}

// place is a header, or, where that is "", the path of that index, or the body.
type place struct {
	header string
	path   int
	body   bool
}

func newPlaces(p provider) places {
	x := places{form: p.form, allIDs: p.allIDs, idBy: p.idBy, typeBy: p.typeBy.read, unwrap: p.document}
	add := func(locators []Locator) (added []place) {
		for _, l := range locators {
			added = append(added, place{strings.ToLower(l.Header), len(x.paths), l.Body})
			if l.JSON != "" {
				x.paths = append(x.paths, splitPath(l.JSON))
			}
		}
		return added
	}
	x.ids, x.types = add(p.ids), add(p.types)
	if p.orType != (Locator{}) {
		x.orType = add([]Locator{p.orType})
	}
	return x
}

func (x *places) read(r Request) Result {
	var room [4][]byte
	found := room[:0]
	if len(x.paths) > 0 {
		found = lookup(x.document(r), x.paths, found)
	}
	result := Result{DeliveryID: x.id(r, found), EventType: eventType(x.types, r.Header, found)}
	if result.EventType == "" {
		result.EventType = eventType(x.orType, r.Header, found)
	}
	if result.EventType == "" && x.typeBy != nil {
		result.EventType = checkedType(x.typeBy(r))
	}
	return result
}

// document returns the JSON of a request: its body, or the field of its form.
func (x *places) document(r Request) []byte {
	if x.unwrap != nil {
		return x.unwrap(r)
	}
	if x.form == "" || !strings.HasPrefix(r.Header["content-type"], "application/x-www-form-urlencoded") {
		return r.Body
	}
	for field := range bytes.SplitSeq(r.Body, []byte("&")) {
		if value, ok := bytes.CutPrefix(field, []byte(x.form+"=")); ok {
			document, _ := url.QueryUnescape(string(value)) // "" where it is no form
			return []byte(document)
		}
	}
	return nil
}

func (p place) value(h Header, found [][]byte) string {
	if strings.HasPrefix(p.header, cloudEventsPrefix) {
		return cloudEventsValue(h[p.header])
	}
	if p.header != "" {
		return h[p.header]
	}
	return scalar(found[p.path])
}

// hashed is what a delivery id begins with that stands for something longer.
const hashed = "sha256:"

func (x *places) id(r Request, found [][]byte) string {
	if x.allIDs {
		if id := x.joinedID(r, found); id != "" || x.idBy == nil {
			return id
		}
	}
	if x.idBy != nil {
		return x.idBy(r)
	}
	for _, p := range x.ids {
		if p.body {
			return hash256(r.Body)
		}
		id := p.value(r.Header, found)
		if len(id) > maxValueBytes || strings.HasPrefix(id, hashed) {
			return hash256([]byte(id))
		}
		if isTestID(id) {
			return ""
		}
		if id != "" {
			return id
		}
	}
	return ""
}

// testZeros is how many zeros make an id that stands for none.
const testZeros = 8

// isTestID tells whether an id is one that a provider gives to all of its test webhooks, such as evt_00000000000000 (Stripe) or the
// UUID of zeros: they are no copies of each other.
func isTestID(id string) bool {
	digits := id[strings.LastIndexByte(id, '_')+1:]
	return strings.Trim(digits, "0-") == "" && strings.Count(digits, "0") >= testZeros
}

// joinedID makes one id of several, "" unless all are there. They are quoted before they are hashed, so that no others make the same.
func (x *places) joinedID(r Request, found [][]byte) string {
	var all []byte
	for _, p := range x.ids {
		id := p.value(r.Header, found)
		if id == "" || isTestID(id) {
			return ""
		}
		all = strconv.AppendQuote(all, id)
	}
	return hash256(all)
}

func hash256(b []byte) string {
	sum := sha256.Sum256(b)
	var room [len(hashed) + 2*sha256.Size]byte
	return string(hex.AppendEncode(append(room[:0], hashed...), sum[:]))
}

func eventType(places []place, h Header, found [][]byte) string {
	if len(places) == 1 {
		return checkedType(places[0].value(h, found))
	}
	var room [64]byte
	joined := room[:0]
	for i, p := range places {
		before := len(joined)
		if i > 0 {
			joined = append(joined, '.')
		}
		start := len(joined)
		if joined = p.append(joined, h, found); len(joined) == start {
			joined = joined[:before]
			break
		}
	}
	return checkedType(string(joined))
}

// append appends the value to b; nothing where there is none.
func (p place) append(b []byte, h Header, found [][]byte) []byte {
	if p.header != "" {
		return append(b, p.value(h, found)...)
	}
	return appendScalar(b, found[p.path])
}

func checkedType(joined string) string {
	switch {
	case len(joined) > maxValueBytes:
		return ""
	case isPlain([]byte(joined)): // as nearly all are, and soon told
		return joined
	case !utf8.ValidString(joined) || strings.ContainsFunc(joined, unicode.IsControl):
		return ""
	}
	return joined
}

// write puts w's id and type into the headers where read finds them. What is in the body is the body's.
func (x *places) write(h Header, w Webhook) {
	if len(x.ids) > 0 && x.ids[0].header != "" && w.DeliveryID != "" {
		h[x.ids[0].header] = w.DeliveryID
	}
	if len(x.types) > 0 && x.types[0].header != "" && w.EventType != "" {
		name := w.EventType
		if len(x.types) > 1 {
			name, _, _ = strings.Cut(name, ".") // the rest is in the body
		}
		h[x.types[0].header] = name
	}
}
