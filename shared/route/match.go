package route

import "slices"

// check is a node of a filter that is made ready for a table.
type check struct {
	member int    // which of its object, see want
	lists  []list // each must hold for one and the same value
	fields []check
}

// outcome is what comes of holding a part of a filter against a part of an event.
type outcome int

const (
	no     outcome = iota
	absent         // nothing of what it names is there, and it allows that
	found          // it matches, in values that are there
)

// match holds c against what an event has in its place. The elements of an array that it matches
// in are the same for all its fields, and what it wants absent must be absent from these; from all,
// if it wants nothing else. The outcome means nothing once m is used up.
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

// matchFields holds the fields of a filter's object against an object of the event.
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
