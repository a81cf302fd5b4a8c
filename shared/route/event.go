package route

import (
	"encoding/json"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Event is what rules are held against. Empty strings are absent.
type Event struct {
	Type   string
	Source string
	Trust  string
	Header map[string]string // lower-case names
	Body   []byte            // as received; not looked at unless Table.NeedsBody
}

// value is what an event has in a place that filters name. An array is what its elements are, so that one of them stands for itself.
type value struct {
	scalars []scalar
	objects []object
}

// object is the members of an object that filters name, by name.
type object []member

type member struct {
	name  string
	value value
}

func (o object) member(name string) value {
	at, ok := slices.BinarySearchFunc(o, name, func(m member, name string) int { return strings.Compare(m.name, name) })
	if !ok {
		return value{}
	}
	return o[at].value
}

// tidy sorts members by name. Of several with one name it leaves the last, as most readers of JSON do, and none that has nothing.
func (o object) tidy() object {
	slices.SortStableFunc(o, func(a, b member) int { return strings.Compare(a.name, b.name) })
	kept := o[:0]
	for i, m := range o {
		if last := i+1 == len(o) || o[i+1].name != m.name; last && len(m.value.scalars)+len(m.value.objects) > 0 {
			kept = append(kept, m)
		}
	}
	return kept
}

// want is a place in events that filters name.
type want struct {
	scalars bool             // conditions on its values
	fields  map[string]*want // what is named within it
	found   map[scalar]*way  // rules to be held against an event that has this value here
}

// way is a list of entries of a table. It has an identity, so that it is gone once for each event.
type way struct{ entries []int }

func (w *want) field(name string) *want {
	next := w.fields[name]
	if next == nil {
		if next = new(want); w.fields == nil {
			w.fields = map[string]*want{}
		}
		w.fields[name] = next
	}
	return next
}

// reader takes from an event what is wanted of it, and nothing else.
type reader struct {
	text string // valid JSON
	at   int

	gone    map[*way]bool
	entries []int // what the values found lead to, each way once
}

func (r *reader) event(w *want, e Event, withBody bool) object {
	var o object
	add := func(name, s string) {
		if field := w.fields[name]; field != nil && s != "" {
			o = append(o, member{name, r.string(field, s)})
		}
	}
	add(typeField, e.Type)
	add(sourceField, e.Source)
	add(trustField, e.Trust)
	if field := w.fields[headersField]; field != nil {
		o = append(o, member{headersField, value{objects: []object{r.headers(field, e.Header)}}})
	}
	if field := w.fields[dataField]; field != nil && withBody {
		o = append(o, member{dataField, r.body(field, e)})
	}
	return o.tidy()
}

func (r *reader) headers(w *want, header map[string]string) object {
	var o object
	for name, s := range header {
		if field := w.fields[name]; field != nil {
			o = append(o, member{name, r.string(field, s)})
		}
	}
	return o.tidy()
}

func (r *reader) body(w *want, e Event) value {
	var v value
	mediaType, _, _ := mime.ParseMediaType(e.Header["content-type"])
	switch {
	case mediaType == "application/x-www-form-urlencoded":
		v.objects = []object{r.form(w, string(e.Body))}
	case utf8.Valid(e.Body) && json.Valid(e.Body):
		r.text, r.at = string(e.Body), 0
		r.take(w, &v)
	}
	return v
}

// form reads the fields of a form; one that cannot be read has none.
func (r *reader) form(w *want, body string) object {
	fields, err := url.ParseQuery(body)
	if err != nil {
		return nil
	}
	var o object
	for name, values := range fields {
		if field := w.fields[name]; field != nil {
			var v value
			for _, s := range values {
				v.scalars = append(v.scalars, r.string(field, s).scalars...)
			}
			o = append(o, member{name, v})
		}
	}
	return o.tidy()
}

func (r *reader) string(w *want, s string) value {
	var v value
	r.scalar(w, &v, textScalar(s))
	return v
}

// scalar notes a value found at w, and the ways it opens.
func (r *reader) scalar(w *want, v *value, s scalar) {
	if !w.scalars {
		return
	}
	v.scalars = append(v.scalars, s)
	if next := w.found[s]; next != nil && !r.gone[next] {
		if r.gone == nil {
			r.gone = map[*way]bool{}
		}
		r.gone[next] = true
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
	var o object
	for r.at++; r.more('}'); {
		name := unquote(r.skip())
		r.next() // the colon
		r.at++
		field := w.fields[name]
		if field == nil {
			r.skip()
			continue
		}
		m := member{name: name}
		r.take(field, &m.value)
		o = append(o, m)
	}
	return o.tidy()
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
