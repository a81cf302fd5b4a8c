package route

import "slices"

// check is a node of a filter, prepared for a table.
type check struct {
	member int    // its number in the object, see want
	lists  []list // each must hold for the same value
	fields []check
}

// outcome is the result of matching a part of a filter against a part of an event.
type outcome int

const (
	no     outcome = iota
	absent         // nothing that it names is present, and it allows that
	found          // it matches values that are present
)

// match matches c against the event's value in its place. All fields of c must match in the same
// elements of an array. A field that must be absent must be absent from these elements, or from all
// of them if c has no other condition. The outcome has no meaning once m is used up.
func (c *check) match(m *meter, v value) outcome {
	switch {
	case len(c.lists) > 0 && v.scalars != nil:
		for d := v.scalars; d != nil && !m.exceeded(); d = d.next {
			if c.holds(m, d) {
				return found
			}
		}
		return no
	case len(c.lists) > 0:
		if slices.ContainsFunc(c.lists, func(l list) bool { return !l.absent }) {
			return no
		}
		return absent
	case len(v.objects) == 0:
		return matchFields(m, c.fields, nil)
	}
	best := absent
	for _, o := range v.objects {
		switch matchFields(m, c.fields, o) {
		case found:
			return found
		case no:
			best = no
		case absent:
		}
		if m.exceeded() {
			return no
		}
	}
	return best
}

// matchFields matches the fields of a filter's object against an object of the event.
func matchFields(m *meter, fields []check, o object) outcome {
	best := absent
	for i := range fields {
		f := &fields[i]
		if !m.spend(1) {
			return no
		}
		switch f.match(m, o.member(f.member)) {
		case no:
			return no
		case found:
			best = found
		case absent:
		}
	}
	return best
}

func (c *check) holds(m *meter, d *datum) bool {
	for i := range c.lists {
		if !c.lists[i].holds(m, d) {
			return false
		}
	}
	return true
}
