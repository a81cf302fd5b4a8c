package route

import (
	"cmp"
	"slices"
)

// Event is what rules are held against. Empty strings are absent.
type Event struct {
	Type   string
	Source string
	Trust  string
	Header map[string]string // lower-case names
	// Data is the event's document as valid JSON text (RFC 8259) in valid UTF-8, nested at most 512
	// deep; empty: the event has none. It is not looked at unless Table.NeedsBody says so.
	Data []byte
	// Opaque: there is a document, but it could not be read. No condition on data holds then.
	Opaque bool
}

// value is what an event has in a place that filters name. An array is what its elements are, so
// that one of them stands for itself.
type value struct {
	scalars *datum
	objects []object
}

// object is the members of an object that filters name, ascending by number, see want.
type object []member

type member struct {
	number int
	value  value
}

func (o object) member(number int) value {
	at, ok := slices.BinarySearchFunc(o, number, func(m member, number int) int { return m.number - number })
	if !ok {
		return value{}
	}
	return o[at].value
}

// tidy sorts members. Of several with one name it leaves the last, as most readers of JSON do, and
// none that has nothing.
func (o object) tidy() object {
	slices.SortStableFunc(o, func(a, b member) int { return cmp.Compare(a.number, b.number) })
	kept := o[:0]
	for i, m := range o {
		last := i+1 == len(o) || o[i+1].number != m.number
		if last && (m.value.scalars != nil || len(m.value.objects) > 0) {
			kept = append(kept, m)
		}
	}
	return kept
}

// want is a place in events that filters name.
type want struct {
	number  int                // of its name among those in its object
	scalars bool               // conditions on its values
	fields  map[string]*want   // what is named within it
	found   map[scalar]*bucket // rules to be held against an event that has this value here
}

// bucket is the entries of a table that a key leads to. It has an identity, so that an event takes
// it once.
type bucket struct{ entries []int }

func (w *want) field(name string) *want {
	next := w.fields[name]
	if next == nil {
		if w.fields == nil {
			w.fields = map[string]*want{}
		}
		next = &want{number: len(w.fields)}
		w.fields[name] = next
	}
	return next
}

// reader takes from an event what is wanted of it, and nothing else.
type reader struct {
	text string // valid JSON
	at   int

	data    []datum  // room for what is read next
	members []member // likewise
	open    []member // of the objects that are being read
	taken   map[*bucket]bool
	entries []int // of the buckets taken
}

func (r *reader) event(w *want, e Event, withData bool) object {
	var o object
	add := func(name, s string) {
		if field := w.fields[name]; field != nil && s != "" {
			o = append(o, member{field.number, r.string(field, s)})
		}
	}
	add(typeField, e.Type)
	add(sourceField, e.Source)
	add(trustField, e.Trust)
	if field := w.fields[headersField]; field != nil {
		header := value{objects: []object{r.headers(field, e.Header)}}
		o = append(o, member{field.number, header})
	}
	if field := w.fields[dataField]; field != nil && withData {
		o = append(o, member{field.number, r.document(field, e.Data)})
	}
	return o.tidy()
}

func (r *reader) headers(w *want, header map[string]string) object {
	var o object
	for name, s := range header {
		if field := w.fields[name]; field != nil {
			o = append(o, member{field.number, r.string(field, s)})
		}
	}
	return o.tidy()
}

func (r *reader) document(w *want, text []byte) value {
	var v value
	r.text, r.at = string(text), 0
	r.take(w, &v)
	return v
}

func (r *reader) string(w *want, s string) value {
	var v value
	r.scalar(w, &v, textScalar(s))
	return v
}

// scalar notes a value found at w, and takes the bucket that it leads to. Of a run of equal values it keeps one.
func (r *reader) scalar(w *want, v *value, s scalar) {
	if !w.scalars || v.scalars != nil && v.scalars.scalar == s {
		return
	}
	r.data = withRoom(r.data, 1)
	r.data = append(r.data, datum{scalar: s, next: v.scalars})
	v.scalars = &r.data[len(r.data)-1]
	if next := w.found[s]; next != nil && !r.taken[next] {
		if r.taken == nil {
			r.taken = map[*bucket]bool{}
		}
		r.taken[next] = true
		r.entries = append(r.entries, next.entries...)
	}
}

// take reads the next value and adds to v what w wants of it.
func (r *reader) take(w *want, v *value) {
	switch r.next() {
	case '[':
		for r.at++; r.more(']'); {
			r.take(w, v)
		}
	case '{':
		if o := r.object(w); len(o) > 0 {
			v.objects = append(v.objects, o)
		}
	default:
		if token := r.skip(); w.scalars {
			r.scalar(w, v, newScalar(token))
		}
	}
}

func (r *reader) object(w *want) object {
	if len(w.fields) == 0 {
		r.skip()
		return nil
	}
	const few = 16
	begin, limit := len(r.open), few
	for r.at++; r.more('}'); {
		name := unquote(r.skip())
		r.next() // the colon
		r.at++
		field := w.fields[name]
		if field == nil {
			r.skip()
			continue
		}
		m := member{number: field.number}
		r.take(field, &m.value)
		r.open = append(r.open, m)
		if n := len(r.open) - begin; n == limit { // it may be the same names again and again
			kept := object(r.open[begin:]).tidy()
			r.open = r.open[:begin+len(kept)]
			limit = max(few, 2*len(kept))
		}
	}
	o := r.keep(object(r.open[begin:]).tidy())
	r.open = r.open[:begin]
	return o
}

// keep returns a copy of o that stays.
func (r *reader) keep(o object) object {
	r.members = withRoom(r.members, len(o))
	begin := len(r.members)
	r.members = append(r.members, o...)
	return r.members[begin:len(r.members):len(r.members)]
}

// withRoom returns a slice with room for n more: block itself, or a new one. What is in the old one
// stays where it is.
func withRoom[T any](block []T, n int) []T {
	if len(block)+n <= cap(block) {
		return block
	}
	const few, many = 2, 512
	return make([]T, 0, max(n, min(max(few, 2*cap(block)), many)))
}

// more moves to the next element or member, or past the end.
func (r *reader) more(end byte) bool {
	if r.next() == ',' {
		r.at++
	}
	if r.next() != end {
		return true
	}
	r.at++
	return false
}

// next skips space and returns what comes then.
func (r *reader) next() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
}

// skip moves past the next value and returns it as it is written.
func (r *reader) skip() string {
	r.next()
	begin := r.at
	for depth := 0; ; {
		switch c := r.text[r.at]; c {
		case '"':
			r.skipString()
		case '{', '[':
			depth++
			r.at++
		case '}', ']':
			depth--
			r.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			r.at++
			continue // within an object or array
		default:
			r.skipWord()
		}
		if depth == 0 {
			return r.text[begin:r.at]
		}
	}
}

func (r *reader) skipString() {
	for r.at++; ; r.at++ {
		switch r.text[r.at] {
		case '\\':
			r.at++
		case '"':
			r.at++
			return
		}
	}
}

// skipWord moves past a number or a literal.
func (r *reader) skipWord() {
	for r.at++; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case ',', ':', ']', '}', ' ', '\t', '\n', '\r':
			return
		}
	}
}
