package operate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/schema"
)

const (
	// enoughFit is how many events of a type must have fitted before one that does not is a drift.
	enoughFit = 10
	// driftOver is how long a place must be without a failure until the next one counts as new. So
	// a drift is announced at most once a day.
	driftOver = 24 * time.Hour
	// maxDrifts and maxDriftTypes bound what is kept of a source.
	maxDrifts     = 20
	maxDriftTypes = 1000
	// driftExamples is how many failed events of a type a run reads, and maxExamples of all types.
	driftExamples = 5
	maxExamples   = 100
)

// Drift is a place at which events of a type do not fit its schema any more. Others did before.
type Drift struct {
	At      string    // JSON pointer in the example; "": the whole document
	Problem string    // as in relay.SchemaResult: it has no value of the event
	EventID string    // the example: the first event that a sweep saw
	Since   time.Time // when a sweep saw it
	SeenAt  time.Time // when a sweep saw it last
}

// Drifts returns what has not fitted within a day, by source and type. It takes one read for some
// hundred sources.
func Drifts(
	ctx context.Context, documents Documents, now time.Time,
) (map[string]map[string][]Drift, error) {
	all := map[string]map[string][]Drift{}
	for from, more := typesPrefix, true; more; more = from != "" {
		docs, next, err := documents.DocumentsIn(ctx, watchCollection, DocumentRange{
			From: from, Before: typesPrefix + "~", Limit: MaxDocuments,
		})
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			doc, err := decodeTypes(d.Body)
			if err != nil {
				return nil, err
			}
			all[strings.TrimPrefix(d.Key, typesPrefix)] = doc.drifts(now)
		}
		from = next
	}
	return all, nil
}

// typesDoc is what the sweep knows of the checked events of a source.
type typesDoc struct {
	Version int        `json:"v"`
	Types   []typeLine `json:"types"`
}

type typeLine struct {
	Name   string      `json:"name"`
	Fits   int         `json:"fits,omitempty"` // events that fitted, at most enoughFit
	Drifts []driftLine `json:"drifts,omitempty"`
}

type driftLine struct {
	At      string    `json:"at,omitempty"`
	Problem string    `json:"problem"`
	EventID string    `json:"eventId"`
	Since   time.Time `json:"since"`
	SeenAt  time.Time `json:"seenAt"`
	// it was told; false: too few events had fitted before
	Told bool `json:"told,omitempty"`
}

func decodeTypes(b []byte) (doc typesDoc, err error) {
	if b, err = unpack(b); err == nil {
		err = format.Decode(b, &doc, &doc.Version)
	}
	return doc, err
}

func (d typesDoc) drifts(now time.Time) map[string][]Drift {
	out := map[string][]Drift{}
	for _, t := range d.Types {
		for _, l := range t.Drifts {
			if l.Told && now.Sub(l.SeenAt) <= driftOver {
				out[t.Name] = append(out[t.Name], Drift{
					At: l.At, Problem: l.Problem, EventID: l.EventID, Since: l.Since,
					SeenAt: l.SeenAt,
				})
			}
		}
	}
	return out
}

// line returns the line of a type; nil: there are too many.
func (d *typesDoc) line(name string) *typeLine {
	at := slices.IndexFunc(d.Types, func(t typeLine) bool { return t.Name == name })
	if at < 0 {
		if len(d.Types) >= maxDriftTypes {
			return nil
		}
		at = len(d.Types)
		d.Types = append(d.Types, typeLine{Name: name})
	}
	return &d.Types[at]
}

// place returns a pointer with all elements of a list taken as one.
func place(pointer string) string {
	parts := strings.Split(pointer, "/")
	for i, part := range parts {
		if part != "" && strings.Trim(part, "0123456789") == "" {
			parts[i] = "0"
		}
	}
	return strings.Join(parts, "/")
}

// checkedType names a type of a source of the operator's.
type checkedType struct{ source, name string }

// checked are the checked events of a type that a run looks at.
type checked struct {
	fit    int
	failed []string // ids of the first ones that do not fit
}

// check notes an event that was checked against a schema. It is called by one goroutine at a time.
func (r *sweep) check(o EventOutcome) {
	if o.Schema == "" {
		return
	}
	key := checkedType{source: o.Source, name: o.Type}
	c := r.checked[key]
	if c == nil {
		c = &checked{}
		r.checked[key] = c
	}
	switch {
	case o.Schema == schema.Passed:
		c.fit++
	case len(c.failed) < driftExamples:
		c.failed = append(c.failed, o.EventID)
	}
}

// compare looks for types whose events do not fit their schemas any more. docs are those of
// watchCollection, by key.
func (r *sweep) compare(docs map[string]Document) error {
	now := r.now.UTC().Truncate(time.Second)
	bySource := map[string]map[string]*checked{}
	for key, c := range r.checked {
		if bySource[key.source] == nil {
			bySource[key.source] = map[string]*checked{}
		}
		bySource[key.source][key.name] = c
	}
	left := maxExamples
	var failed []error
	for source, types := range bySource {
		// A document that cannot be read is begun anew.
		doc, _ := decodeTypes(docs[typesPrefix+source].Body)
		changed := false
		for name, c := range types {
			l := doc.line(name)
			if l == nil {
				continue
			}
			if fits := min(l.Fits+c.fit, enoughFit); fits != l.Fits {
				l.Fits, changed = fits, true
			}
			for _, id := range c.failed[:min(len(c.failed), left)] {
				left--
				noted, err := r.noteDrift(source, l, id, now)
				changed = changed || noted
				failed = append(failed, err)
			}
		}
		if changed {
			failed = append(failed, r.saveTypes(source, doc))
		}
	}
	return errors.Join(failed...)
}

// noteDrift reads an event that does not fit, and tells of the place if that is new.
func (r *sweep) noteDrift(source string, l *typeLine, id string, now time.Time) (bool, error) {
	record, err := r.cfg.Ledger.EventRecord(r.ctx, id)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && record.Schema == nil {
		return false, nil // it has expired since
	}
	if err != nil {
		return false, err
	}
	l.Drifts = slices.DeleteFunc(l.Drifts, func(d driftLine) bool {
		return now.Sub(d.SeenAt) > driftOver
	})
	at := slices.IndexFunc(l.Drifts, func(d driftLine) bool {
		return place(d.At) == place(record.Schema.At)
	})
	if at >= 0 {
		l.Drifts[at].SeenAt = now
		return true, nil
	}
	if len(l.Drifts) >= maxDrifts {
		return false, nil
	}
	d := driftLine{
		At: record.Schema.At, Problem: record.Schema.Problem, EventID: id, Since: now, SeenAt: now,
		Told: l.Fits >= enoughFit,
	}
	if d.Told {
		if err := r.cfg.Notifier.TellDrifted(r.ctx, DriftedType{
			Source: source, Type: l.Name, Result: *record.Schema, EventID: id, At: now,
		}); err != nil {
			return false, err
		}
	}
	l.Drifts = append(l.Drifts, d)
	return true, nil
}

func (r *sweep) saveTypes(source string, doc typesDoc) error {
	slices.SortFunc(doc.Types, func(a, b typeLine) int { return strings.Compare(a.Name, b.Name) })
	doc.Version = format.Version
	_, err := r.cfg.Documents.PutDocument(r.ctx, watchCollection, Document{
		Key: typesPrefix + source, Body: pack(format.Encode(doc)),
		ExpiresAt: relay.Expiry(r.now, watchKept),
	}, AnyVersion)
	return err
}

// DriftedType is a type whose events have begun not to fit its schema.
type DriftedType struct {
	Source, Type string
	Result       relay.SchemaResult // of the example
	EventID      string
	At           time.Time
}
