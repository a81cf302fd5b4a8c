package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
)

// maxTogether is the largest number of events in one entry of EventsIndex. Their ids are in its
// sort key, which has at most 1,024 bytes.
const maxTogether = 20

// RecordEvents implements relay.Events. The events of a source and hour share entries of
// EventsIndex, because an entry costs as much as an event. The first event of an entry is written
// first, and the entry with it. So an event is never on record without its entry.
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
	for _, group := range together(records) {
		g.Go(func() error {
			l.recordTogether(ctx, batch, group)
			return nil
		})
	}
	_ = g.Wait() // each record has its own error
	return results
}

// batch is what RecordEvents records.
type batch struct {
	records []relay.EventRecord
	places  map[int]place // of bodies in an object
	results []relay.Recorded
}

// together groups records by source and hour, and returns their indexes. A repeated id begins a
// group of its own.
func together(records []relay.EventRecord) (groups [][]int) {
	open := map[string]int{} // the group of a source and hour that is not full
	seen := map[string]bool{}
	for i, r := range records {
		hour := eventsHour(r.Source, r.ReceivedAt)
		n, ok := open[hour]
		switch {
		case seen[r.ID]:
			groups = append(groups, []int{i})
		case ok && len(groups[n]) < maxTogether:
			groups[n] = append(groups[n], i)
		default:
			open[hour] = len(groups)
			groups = append(groups, []int{i})
		}
		seen[r.ID] = true
	}
	return groups
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
		ids := make([]string, 0, len(group))
		for _, i := range group[n:] {
			ids = append(ids, b.records[i].ID)
		}
		r := b.records[first]
		e := entry{at: r.ReceivedAt, mark: newMark(), ids: ids}
		b.results[first] = record(first, e.mark, item{
			EventsPartitionKey: text(
				eventsPartition(r.Source, r.ReceivedAt, shardOf(r.ID, shards)),
			),
			EventsSortKey: text(e.String()),
		})
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

// entry is an entry of EventsIndex.
type entry struct {
	at   time.Time // when its first event was accepted
	mark string
	ids  []string
}

// String returns the entry's sort key.
func (e entry) String() string {
	return sortable(e.at) + "#" + e.mark + "#" + strings.Join(e.ids, ",")
}

// parseEntry reads a sort key, without its time.
func parseEntry(sort string) entry {
	_, rest, _ := strings.Cut(sort, "#")
	mark, ids, _ := strings.Cut(rest, "#")
	return entry{mark: mark, ids: strings.Split(ids, ",")}
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
	pack(it, relay.EncodeEventRecord(r), body)
	it[TimeToLive] = number(r.ExpiresAt.Unix())
	it[receivedAttribute] = number(r.ReceivedAt.UnixMilli())
	it[sourceAttribute] = text(r.Source)
	if r.Type != "" {
		it[typeAttribute] = text(r.Type)
	}
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
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           &l.name,
		Key:                 key(eventID, eventSort),
		UpdateExpression:    aws.String("ADD " + addedAttribute + " :names"),
		ConditionExpression: aws.String("expires_at > :now"),
		ExpressionAttributeValues: item{
			":now":   number(time.Now().Unix()),
			":names": &types.AttributeValueMemberSS{Value: endpoints},
		},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("dynamo: add endpoints to event %s: %w", eventID, err)
	}
	return nil
}

func eventsHour(source string, t time.Time) string {
	return source + "#" + t.UTC().Format("2006010215")
}

func eventsPartition(source string, t time.Time, shard int) string {
	return eventsHour(source, t) + "#" + strconv.Itoa(shard)
}

// EventsBySource implements operate.Ledger.
func (l *Ledger) EventsBySource(
	ctx context.Context, source string, t time.Time, from relay.Page,
) ([]relay.EventRecord, relay.Page, error) {
	listed, next, err := l.eventKeys(ctx, source, t, from, pageSize)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: events of %s: %w", source, err)
	}
	items, err := l.readListed(ctx, listed, eventParts, true)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: events of %s: %w", source, err)
	}
	var events []relay.EventRecord
	for _, it := range items {
		r, err := l.readEvent(ctx, it)
		if err != nil {
			return nil, "", fmt.Errorf("dynamo: event %s: %w", textOf(it, PartitionKey), err)
		}
		r.Header, r.Body, r.Packed = nil, nil, nil
		events = append(events, r)
	}
	return events, next, nil
}

// eventsPage is a position in the listing of a source's events of an hour: a shard, an entry in it,
// and how many of the entry's events come before. The zero value is the start.
type eventsPage struct {
	shard int
	entry string // its sort key, or a text before it
	done  int
}

func (p eventsPage) String() string {
	return strconv.Itoa(p.shard) + "/" + strconv.Itoa(p.done) + "/" + p.entry
}

func parseEventsPage(page relay.Page) (p eventsPage, err error) {
	if page == "" {
		return eventsPage{entry: beforeAll}, nil
	}
	parts := strings.SplitN(string(page), "/", 3)
	if len(parts) == 3 {
		var shardErr, doneErr error
		p.shard, shardErr = strconv.Atoi(parts[0])
		p.done, doneErr = strconv.Atoi(parts[1])
		p.entry = parts[2]
		err = errors.Join(shardErr, doneErr)
	}
	if len(parts) != 3 || err != nil || p.shard < 0 || p.shard >= shards || p.done < 0 ||
		p.entry == "" {
		return eventsPage{}, fmt.Errorf("dynamo: %q is not a page of a listing", page)
	}
	return p, nil
}

// eventKey is the key of an event's item, and its position in the index.
type eventKey struct {
	item
	mark  string     // of the entry that lists it
	place eventsPage // continues after this event
}

// readListed reads the items of listed events. It leaves out an event that was on record before it
// was to be recorded with the others of the entry: another entry lists it.
func (l *Ledger) readListed(
	ctx context.Context, listed []eventKey, projection string, consistent bool,
) ([]item, error) {
	keys, marks := make([]item, len(listed)), map[string][]string{}
	for i, k := range listed {
		keys[i] = k.item
		marks[identity(k.item)] = append(marks[identity(k.item)], k.mark)
	}
	items, err := l.readMany(ctx, once(keys), projection, consistent)
	return slices.DeleteFunc(items, func(it item) bool {
		return !slices.Contains(marks[identity(it)], textOf(it, markAttribute))
	}), err
}

// eventKeys lists up to limit of a source's events of an hour.
func (l *Ledger) eventKeys(
	ctx context.Context, source string, t time.Time, from relay.Page, limit int,
) (listed []eventKey, next relay.Page, err error) {
	at, err := parseEventsPage(from)
	if err != nil {
		return nil, "", err
	}
	for ; at.shard < shards; at = (eventsPage{shard: at.shard + 1, entry: beforeAll}) {
		entries, more, err := l.query(ctx, stream{
			index: EventsIndex, partition: [2]string{
				EventsPartitionKey, eventsPartition(source, t, at.shard),
			}, sort: EventsSortKey, from: at.entry, to: afterAll,
		}, limit)
		if err != nil {
			return nil, "", err
		}
		for _, it := range entries {
			sort := textOf(it, EventsSortKey)
			e := parseEntry(sort)
			for n, id := range e.ids {
				if sort == at.entry && n < at.done {
					continue
				}
				if len(listed) == limit {
					return listed, relay.Page(listed[limit-1].place.String()), nil
				}
				listed = append(listed, eventKey{
					item: key(id, eventSort), mark: e.mark,
					place: eventsPage{shard: at.shard, entry: sort, done: n + 1},
				})
			}
		}
		if more != "" {
			return listed, relay.Page(listed[len(listed)-1].place.String()), nil
		}
	}
	return listed, "", nil
}
