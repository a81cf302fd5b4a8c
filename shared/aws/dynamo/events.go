package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
)

// RecordEvents implements relay.Events. Events of an hour share entries of EventsIndex, because an
// entry costs as much as an event. The first event of an entry is written first, and the entry with
// it. So an event is never on record without its entry. Nor is it without the mark of its hour,
// once RecordEvents has returned no error for it.
func (l *Ledger) RecordEvents(
	ctx context.Context, records []relay.EventRecord,
) []relay.Recorded {
	results := make([]relay.Recorded, len(records))
	places, err := l.storeBodies(ctx, records)
	if err != nil {
		err = fmt.Errorf("dynamo: store bodies of %d events: %w", len(records), err)
		return slices.Repeat([]relay.Recorded{{Err: err}}, len(records))
	}
	batch := batch{records: records, places: places, results: results}
	var g errgroup.Group
	g.Go(func() error { return l.markHours(ctx, records) })
	for _, group := range together(records) {
		g.Go(func() error {
			l.recordTogether(ctx, batch, group)
			return nil // each record has its own error
		})
	}
	if err := g.Wait(); err != nil {
		for i := range results {
			results[i] = relay.Recorded{Err: cmp.Or(results[i].Err, err)}
		}
	}
	return results
}

// batch is what RecordEvents records.
type batch struct {
	records []relay.EventRecord
	places  map[int]place // of bodies in an object
	results []relay.Recorded
}

// recordTogether writes the records of a group, under one entry of the index. All items have the
// entry's mark, so that a listing can tell the events of the entry from those that were on record
// before.
func (l *Ledger) recordTogether(ctx context.Context, b batch, group []int) {
	record := func(i int, mark string, entry item) relay.Recorded {
		if p, ok := b.places[i]; ok {
			return l.record(ctx, b.records[i], mark, entry, &p)
		}
		return l.record(ctx, b.records[i], mark, entry, nil)
	}
	for n, first := range group {
		e := entry{mark: newMark()}
		for _, i := range group[n:] {
			e.events = append(e.events, keyOf(b.records[i]))
		}
		b.results[first] = record(first, e.mark, e.item())
		if b.results[first].Err != nil || b.results[first].Existing != nil {
			continue // no entry was written
		}
		var g errgroup.Group
		for _, i := range group[n+1:] {
			g.Go(func() error {
				b.results[i] = record(i, e.mark, nil)
				return nil
			})
		}
		_ = g.Wait()
		return
	}
}

// record writes an event with a mark, and with an entry of the index or without one. p is the place
// of its body in an object; nil: the item holds it.
func (l *Ledger) record(
	ctx context.Context, r relay.EventRecord, mark string, entry item, p *place,
) relay.Recorded {
	// a record may expire between the refused write and the read, so the write is tried again
	const tries = 3
	it, err := l.eventItem(ctx, r, p)
	if err != nil {
		return relay.Recorded{Err: fmt.Errorf("dynamo: record event %s: %w", r.ID, err)}
	}
	it[markAttribute] = text(mark)
	maps.Copy(it, entry)
	for range tries {
		written, stored, err := l.putIf(ctx, it, absent, item{":now": number(time.Now().Unix())})
		switch {
		case err != nil:
			return relay.Recorded{Err: fmt.Errorf("dynamo: record event %s: %w", r.ID, err)}
		case written:
			return relay.Recorded{}
		case expired(stored):
			continue
		}
		existing, err := l.readEvent(ctx, stored)
		if err == nil {
			existing.Sent, err = l.sent(ctx, existing)
		}
		if err != nil {
			return relay.Recorded{Err: fmt.Errorf("dynamo: event %s: %w", r.ID, err)}
		}
		return relay.Recorded{Existing: &existing}
	}
	return relay.Recorded{Err: fmt.Errorf(
		"dynamo: event %s: its record kept appearing and expiring; gave up after %d tries", r.ID,
		tries,
	)}
}

// eventItem returns an event's item. Endpoints that do not fit into the item are stored before it
// returns.
func (l *Ledger) eventItem(
	ctx context.Context, r relay.EventRecord, p *place,
) (item, error) {
	body, packed, endpoints := r.Body, r.Packed, r.Endpoints
	// stored in attributes of their own; the body is not base64 there
	r.Body, r.Packed, r.Endpoints, r.Sent = nil, nil, nil, 0
	it := key(r.ID, eventSort)
	switch {
	case p != nil:
		body = nil
		it[placeAttribute] = text(p.String())
	case packed != nil:
		it[zippedAttribute] = bytesOf(packed)
	}
	if status := r.Schema.Decided(); status != "" {
		it[fitsAttribute] = text(string(status[:1]))
	}
	pack(it, relay.EncodeEventRecord(r), body)
	it[TimeToLive] = number(r.ExpiresAt.Unix())
	return it, l.addEndpoints(ctx, it, endpoints)
}

func (l *Ledger) readEvent(ctx context.Context, it item) (relay.EventRecord, error) {
	doc, body, err := unpack(it)
	if err != nil {
		return relay.EventRecord{}, err
	}
	r, err := relay.DecodeEventRecord(doc)
	if err != nil {
		return r, err
	}
	r.Body, r.Packed = body, binaryOf(it, zippedAttribute)
	if err := l.fetchBody(ctx, it, &r); err != nil {
		return r, err
	}
	// KeepEvent changes only this attribute, not doc
	r.ExpiresAt = time.Unix(numberOf(it, TimeToLive), 0).UTC()
	r.Endpoints, err = l.endpointsOf(ctx, it, true)
	return r, err
}

// AddEndpoints implements operate.Ledger.
func (l *Ledger) AddEndpoints(ctx context.Context, eventID string, endpoints []string) error {
	if len(endpoints) == 0 {
		return nil
	}
	_, err := l.do(ctx, updateItem, request{
		Key:       key(eventID, eventSort),
		Update:    "ADD " + addedAttribute + " :names",
		Condition: "expires_at > :now",
		Values: item{
			":now":   number(time.Now().Unix()),
			":names": {SS: endpoints},
		},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("dynamo: add endpoints to event %s: %w", eventID, err)
	}
	return nil
}
