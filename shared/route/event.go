package route

import (
	"cmp"
	"slices"
)

// Event is an event to match. Empty strings count as absent.
type Event struct {
	Type   string
	Source string
	Trust  string
	Schema string            // what checking it against its type's schema gave; "": there is none
	Header map[string]string // lower-case names
	// Data is the event's document, as valid JSON (RFC 8259) in valid UTF-8, nested at most 512
	// levels deep. Empty: the event has none. It is read only if Table.NeedsBody says so.
	Data []byte
	// Opaque means that there is a document, but it could not be read. Then no condition on data
	// holds.
	Opaque bool
}

// value is the event's value in a place that filters name. An array is represented by its elements,
// and a single value by itself.
type value struct {
	scalars *datum
	objects []object
}

// object holds those members of an object that filters name, in ascending order of their numbers,
// see want.
type object []member

type member struct {
	number int
	value  value
}

func (o object) member(number int) value {
	at, ok := slices.BinarySearchFunc(o, number, func(m member, number int) int {
		return m.number - number
	})
	if !ok {
		return value{}
	}
	return o[at].value
}

// tidy sorts the members. It keeps the last of several members with the same name, as most JSON
// readers do, and drops empty members.
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
	number  int                // number of the name among the names in its object
	scalars bool               // there are conditions on its values
	fields  map[string]*want   // the names within it
	found   map[scalar]*bucket // entries to try for an event with this value here
}

// bucket holds the entries of a table under a key. It is used by pointer, so that an event takes it
// only once.
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

// reader reads the wanted values of an event and nothing else.
type reader struct {
	text string // valid JSON
	at   int

	data    []datum  // free space for the next values
	members []member // likewise
	open    []member // members of the objects that are being read
	taken   map[*bucket]bool
	entries []int // of the buckets taken
}

func (r *reader) event(w *want, e Event, withData bool) object {
	var o object
	add := func(name, s string) {
		if field := w.fields[name]; field != nil && s != "" {
			o = append(o, member{number: field.number, value: r.string(field, s)})
		}
	}
	add(typeField, e.Type)
	add(sourceField, e.Source)
	add(trustField, e.Trust)
	add(schemaField, e.Schema)
	if field := w.fields[headersField]; field != nil {
		header := value{objects: []object{r.headers(field, e.Header)}}
		o = append(o, member{number: field.number, value: header})
	}
	if field := w.fields[dataField]; field != nil && withData {
		o = append(o, member{number: field.number, value: r.document(field, e.Data)})
	}
	return o.tidy()
}

func (r *reader) headers(w *want, header map[string]string) object {
	var o object
	for name, s := range header {
		if field := w.fields[name]; field != nil {
			o = append(o, member{number: field.number, value: r.string(field, s)})
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

// scalar records a value found at w, and takes the bucket under it. Of equal values in a row it
// keeps one.
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

// take reads the next value and adds the part that w wants to v.
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
		if n := len(r.open) - begin; n == limit { // the same names may be repeated many times
			kept := object(r.open[begin:]).tidy()
			r.open = r.open[:begin+len(kept)]
			limit = max(few, 2*len(kept))
		}
	}
	o := r.keep(object(r.open[begin:]).tidy())
	r.open = r.open[:begin]
	return o
}

// keep returns a copy of o that is not overwritten.
func (r *reader) keep(o object) object {
	r.members = withRoom(r.members, len(o))
	begin := len(r.members)
	r.members = append(r.members, o...)
	return r.members[begin:len(r.members):len(r.members)]
}

// withRoom returns a slice with space for n more elements: block itself, or a new one. Elements in
// the old slice stay valid.
func withRoom[T any](block []T, n int) []T {
	if len(block)+n <= cap(block) {
		return block
	}
	const few, many = 2, 512
	return make([]T, 0, max(n, min(max(few, 2*cap(block)), many)))
}

// more moves to the next element or member, or past the end of the array or object.
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

// next skips white space and returns the next byte.
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

// skip moves past the next value and returns its text.
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
