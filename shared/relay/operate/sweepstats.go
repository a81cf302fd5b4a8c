package operate

import (
	"errors"
	"strings"
	"time"

	"webhook-relay/shared/relay/format"
)

const (
	// recountAfter is how long after its end an hour with waiting deliveries is counted again. The
	// time doubles with each try, up to recounts of them: 17 days, longer than any delivery waits
	// that is not held.
	recountAfter = 6 * time.Hour
	recounts     = 7
)

// resumeTally returns the cursor to go on from, and the tally of its hour. The tally is saved
// before the cursor, and with it. So if a run was killed between the two, the tally's own cursor
// counts.
func (r *sweep) resumeTally(at SweepCursor) (SweepCursor, *tally, error) {
	if r.cfg.Documents == nil {
		return at, nil, nil
	}
	d, found, err := statStore{r.cfg.Documents}.loadTally(r.ctx, openTally)
	if err != nil {
		return at, nil, err
	}
	if found && !d.Hour.Before(at.Hour) {
		return d.Cursor.cursor(), tallyOf(d), nil
	}
	t := newTally(at.Hour)
	t.whole = at.Page == "" && !at.Done
	return at, t, nil
}

// saveTally saves the tally with the cursor up to which it has counted.
func (c *cursor) saveTally() error {
	if c.tally == nil {
		return nil
	}
	return statStore{c.cfg.Documents}.saveTally(c.ctx, openTally, c.tally.doc(c.at))
}

func (t *tally) doc(at SweepCursor) tallyDoc {
	return tallyDoc{Hour: t.hour, Whole: t.whole, Cursor: at.doc(), Lines: t.lines()}
}

// nextHour ends the cursor's hour. It writes the hour's statistics, and plans to count again what
// is not over.
func (c *cursor) nextHour() error {
	next := c.at.Hour.Add(time.Hour)
	if c.tally != nil {
		if err := c.conclude(c.tally, 0); err != nil {
			return err
		}
		c.tally = newTally(next)
	}
	c.at.Hour, c.at.Page, c.at.Done = next, "", false
	return nil
}

// conclude writes an hour's statistics. tries is how often the hour was counted before.
func (r *sweep) conclude(t *tally, tries int) error {
	store := statStore{r.cfg.Documents}
	again := againPrefix + t.hour.Format(statHour)
	if err := store.write(r.ctx, t, r.now.UTC().Truncate(time.Second)); err != nil {
		return err
	}
	if t.whole && t.waiting() == 0 || tries >= recounts {
		return store.DeleteDocument(r.ctx, tallyCollection, again, AnyVersion)
	}
	d := newTally(t.hour).doc(SweepCursor{Hour: t.hour})
	d.Tries, d.Due = tries+1, t.hour.Add(time.Hour+recountAfter<<tries)
	return store.saveTally(r.ctx, again, d)
}

// recount counts the hours again that had waiting deliveries, as long as there is time. What one
// run cannot finish, the next one continues.
func (r *sweep) recount() error {
	if r.cfg.Documents == nil {
		return nil
	}
	var failed []error
	for from, more := againPrefix, true; more; more = from != "" {
		docs, next, err := r.cfg.Documents.DocumentsIn(r.ctx, tallyCollection, DocumentRange{
			From: from, Before: againPrefix + "~", Limit: 50,
		})
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		from = next
		for _, d := range docs {
			doc, err := decodeTally(d.Body)
			if err != nil || !strings.HasPrefix(d.Key, againPrefix) || doc.Due.After(r.now) {
				continue
			}
			if !r.timeLeft(1) {
				return errors.Join(failed...)
			}
			if err := r.recountHour(doc); err != nil {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

func (r *sweep) recountHour(d tallyDoc) error {
	t, at := tallyOf(d), d.Cursor.cursor()
	for !at.Done {
		if !r.timeLeft(1) {
			later := t.doc(at)
			later.Tries, later.Due = d.Tries, d.Due
			return statStore{r.cfg.Documents}.saveTally(
				r.ctx, againPrefix+t.hour.Format(statHour), later,
			)
		}
		counted := newTally(t.hour)
		next, err := r.cfg.Ledger.Outcomes(
			r.ctx, t.hour, at.Page, func(o EventOutcome) { counted.add(o) },
		)
		if err != nil {
			return err
		}
		t.merge(counted)
		at = at.to(next)
	}
	return r.conclude(t, d.Tries)
}

// merge adds the counts of another tally of the same hour.
func (t *tally) merge(o *tally) {
	for k, c := range o.rows {
		t.row(k.Tenant, k.By, k.Name).add(*c)
	}
}

func (c SweepCursor) doc() cursorDoc {
	return cursorDoc{
		Version: format.Version, Hour: c.Hour, Page: c.Page, Done: c.Done, Endpoint: c.Endpoint,
	}
}

func (d cursorDoc) cursor() SweepCursor {
	return SweepCursor{Hour: d.Hour.UTC(), Page: d.Page, Done: d.Done, Endpoint: d.Endpoint}
}
