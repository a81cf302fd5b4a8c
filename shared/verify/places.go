package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// maxValueBytes limits a delivery id and an event type.
const maxValueBytes = 256

// places says where requests hold their id and type.
type places struct {
	ids, types []place
	orType     []place         // one, or none
	paths      *document.Paths // of all places in the body, found in one pass
	holder     document.Holder
	allIDs     bool
	once       bool // what the proof covers identifies the webhook
	// an id that is not covered identifies a webhook only together with what is covered
	binds  bool
	idBy   func(r Request) string // the id if ids give none; nil: none
	typeBy func(r Request) string
}

// place is a header, or if header is "", the path with that index, or what the proof covers.
type place struct {
	header  string
	path    int
	body    bool
	covered bool // by the proof
}

func newPlaces(p provider, once string) places {
	x := places{
		holder: p.holder, allIDs: p.allIDs, idBy: p.idBy, once: once != "", typeBy: p.typeBy.read,
	}
	covers := p.scheme.covers()
	x.binds = !covers.nothing()
	var paths [][]string
	add := func(locators []Locator) (added []place) {
		for _, l := range locators {
			added = append(
				added,
				place{
					header: strings.ToLower(l.Header), path: len(paths), body: l.Body,
					covered: l.Body || covers.has(l),
				},
			)
			if l.JSON != "" {
				paths = append(paths, document.SplitPath(l.JSON))
			}
		}
		return added
	}
	x.ids, x.types = add(p.ids), add(p.types)
	if p.orType != (Locator{}) {
		x.orType = add([]Locator{p.orType})
	}
	x.paths = document.NewPaths(paths...)
	return x
}

// read returns the id and type of a proved request.
func (v *Verifier) read(r Request) Result {
	x, said := &v.place, v.readable(r)
	var room [4][]byte
	found := room[:0]
	if x.paths.Len() > 0 {
		found = document.Find(x.paths, said.Header["content-type"], said.Body, x.holder, found)
	}
	result := x.typed(said, found)
	id, covered := v.id(said.Header, found, r)
	result.DeliveryID, result.Once = id, x.once
	if x.once || x.binds && id != "" && !covered {
		result.Bound = orEmpty(v.covered(r))
	}
	return result
}

// orEmpty returns b, or an empty slice instead of nil.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (x *places) typed(r Request, found [][]byte) Result {
	result := Result{EventType: eventType(x.types, r.Header, found)}
	if result.EventType == "" {
		result.EventType = eventType(x.orType, r.Header, found)
	}
	if result.EventType == "" && x.typeBy != nil {
		result.EventType = checkedType(x.typeBy(r))
	}
	return result
}

func (p place) value(h Header, found [][]byte) string {
	if strings.HasPrefix(p.header, cloudEventsPrefix) {
		return cloudEventsValue(h[p.header])
	}
	if p.header != "" {
		return h[p.header]
	}
	return document.Scalar(found[p.path])
}

// hashed is the prefix of a delivery id that is the hash of a longer value.
const hashed = "sha256:"

// id returns the delivery id, and whether the proof covers it.
func (v *Verifier) id(h Header, found [][]byte, r Request) (id string, covered bool) {
	id, covered = v.placedID(h, found, r)
	if id == "" && v.place.idBy != nil {
		return v.place.idBy(r), false
	}
	return id, covered
}

// placedID returns the delivery id from its places.
func (v *Verifier) placedID(h Header, found [][]byte, r Request) (id string, covered bool) {
	if v.place.allIDs {
		return v.place.joinedID(h, found)
	}
	for _, p := range v.place.ids {
		if p.body {
			return hash256(v.covered(r)), true
		}
		id := p.value(h, found)
		if len(id) > maxValueBytes || strings.HasPrefix(id, hashed) {
			return hash256([]byte(id)), p.covered
		}
		if isTestID(id) {
			return "", false
		}
		if id != "" {
			return id, p.covered
		}
	}
	return "", false
}

// testZeros is how many zeros make an id that stands for no id.
const testZeros = 8

// isTestID tells whether a provider gives this id to all of its test webhooks, such as
// evt_00000000000000 (Stripe) or the UUID of zeros. Such webhooks are not copies of each other.
func isTestID(id string) bool {
	digits := id[strings.LastIndexByte(id, '_')+1:]
	return strings.Trim(digits, "0-") == "" && strings.Count(digits, "0") >= testZeros
}

// joinedID makes one id from several. It returns "" unless all are present. They are quoted before
// they are hashed, so that no other ids give the same result.
func (x *places) joinedID(h Header, found [][]byte) (id string, covered bool) {
	var all []byte
	covered = true
	for _, p := range x.ids {
		id := p.value(h, found)
		if id == "" || isTestID(id) {
			return "", false
		}
		all = strconv.AppendQuote(all, id)
		covered = covered && p.covered
	}
	return hash256(all), covered
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

// append appends the value to b, or nothing if there is none.
func (p place) append(b []byte, h Header, found [][]byte) []byte {
	if p.header != "" {
		return append(b, p.value(h, found)...)
	}
	return document.AppendScalar(b, found[p.path])
}

// CheckedType returns an event type as Verify would: "" if it is longer than 256 bytes, has control
// characters, or is not UTF-8.
func CheckedType(text string) string { return checkedType(text) }

func checkedType(joined string) string {
	switch {
	case len(joined) > maxValueBytes:
		return ""
	case isPrintable(joined): // nearly all types are, and this check is fast
		return joined
	case !utf8.ValidString(joined) || strings.ContainsFunc(joined, unicode.IsControl):
		return ""
	}
	return joined
}

// isPrintable tells whether a text is ASCII without control characters.
func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// write puts w's id and type into the headers from which read takes them. An id or type in the body
// is the caller's.
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
