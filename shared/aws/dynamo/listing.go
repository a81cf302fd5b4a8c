package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// pageSize is the largest number of records in a page: as many as one BatchGetItem reads.
const pageSize = 100

// beforeAll sorts before every time, and afterAll sorts after every time. (A key's value cannot be
// empty.)
const (
	beforeAll = "0"
	afterAll  = ":"
)

// ListDeliveries implements operate.Ledger. Deliveries that are waiting or dead are found by
// OpenIndex, because they are few among all. A page is the sort key of its last delivery, in
// whichever shard. A delivery that leaves the status after the index was read and before its record
// is read is omitted.
func (l *Ledger) ListDeliveries(
	ctx context.Context, q operate.Query, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	s := stream{sort: SortKey, from: beforeAll, to: cmp.Or(string(from), afterAll), newest: true}
	const roundUp = time.Millisecond - 1 // a key's time is in whole milliseconds
	if !q.From.IsZero() {
		s.from = sortable(q.From.Add(roundUp))
	}
	if until := sortable(q.Until.Add(roundUp)); !q.Until.IsZero() && until < s.to {
		s.to = until
	}
	var streams []stream
	if len(q.Statuses) > 0 && !slices.ContainsFunc(q.Statuses, func(st relay.Status) bool {
		return !isOpen(st)
	}) {
		streams = openStreams(s, q.Endpoint, q.Statuses)
	} else {
		streams = deliveryStreams(s, q.Endpoint, q.Statuses)
	}
	deliveries, next, err := l.list(ctx, streams, string(from), q.Takes)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: deliveries to %s: %w", q.Endpoint, err)
	}
	return deliveries, next, nil
}

// Overdue implements operate.Ledger.
func (l *Ledger) Overdue(
	ctx context.Context, endpoint string, before time.Time, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	s := stream{
		sort: SortKey, from: beforeAll, to: cmp.Or(string(from), afterAll), newest: true,
		filter: dueName + " < :before", names: map[string]string{dueName: DueTime},
		values: item{":before": number(before.UnixMilli())},
	}
	deliveries, next, err := l.list(
		ctx, openStreams(s, endpoint, []relay.Status{relay.Waiting}), string(from),
		func(d relay.Delivery) bool {
			return d.Status == relay.Waiting && d.NextAt.Before(before)
		},
	)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: overdue deliveries to %s: %w", endpoint, err)
	}
	return deliveries, next, nil
}

// openStreams returns s for each shard of OpenIndex with deliveries in one of the statuses.
func openStreams(s stream, endpoint string, statuses []relay.Status) (all []stream) {
	s.index = OpenIndex
	for i, status := range statuses {
		if slices.Contains(statuses[:i], status) {
			continue
		}
		for shard := range shards {
			s.partition = [2]string{OpenPartitionKey, openPartition(endpoint, status, shard)}
			all = append(all, s)
		}
	}
	return all
}

// deliveryStreams returns s for each shard of an endpoint's deliveries in the table.
func deliveryStreams(s stream, endpoint string, statuses []relay.Status) (all []stream) {
	if len(statuses) > 0 {
		var wanted []string
		s.values, s.names = item{}, map[string]string{statusName: statusAttribute}
		for i, status := range statuses {
			wanted = append(wanted, fmt.Sprintf(":status%d", i))
			s.values[wanted[i]] = text(string(status))
		}
		s.filter = statusName + " IN (" + strings.Join(wanted, ", ") + ")"
	}
	for shard := range shards {
		s.partition = [2]string{PartitionKey, deliveryPartition(endpoint, shard)}
		all = append(all, s)
	}
	return all
}

// list returns a page of the deliveries of several streams that are wanted, newest first. Sort keys
// are unique, so the last one read is where the listing continues in every stream.
func (l *Ledger) list(
	ctx context.Context, streams []stream, after string, wanted func(relay.Delivery) bool,
) ([]relay.Delivery, relay.Page, error) {
	items, next, err := l.merge(ctx, streams, after)
	if err != nil {
		return nil, "", err
	}
	if streams[0].index != "" { // these are keys only
		for i, it := range items {
			items[i] = key(textOf(it, PartitionKey), textOf(it, SortKey))
		}
		if items, err = l.read(ctx, items, deliveryParts, true); err != nil {
			return nil, "", err
		}
	}
	items = slices.DeleteFunc(items, expired)
	deliveries, err := readDeliveries(items)
	if err != nil {
		return nil, "", err
	}
	return slices.DeleteFunc(deliveries, func(d relay.Delivery) bool { return !wanted(d) }),
		relay.Page(next), nil
}

// merge returns the newest items of all streams before the sort key after, at most pageSize, and
// the sort key at which the next page begins, or "" at the end.
func (l *Ledger) merge(
	ctx context.Context, streams []stream, after string,
) (all []item, next string, err error) {
	found, mores := make([][]item, len(streams)), make([]string, len(streams))
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range streams {
		g.Go(func() (err error) {
			found[i], mores[i], err = l.query(ctx, s, pageSize+1) // one of them may be after itself
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, "", err
	}
	// A stream with more entries limits the page: it may continue with any sort key before its last
	// one, so keys of other streams beyond that must wait.
	next = slices.Max(mores)
	all = slices.DeleteFunc(slices.Concat(found...), func(it item) bool {
		return textOf(it, SortKey) == after || textOf(it, SortKey) < next
	})
	slices.SortFunc(all, func(a, b item) int {
		return cmp.Compare(textOf(b, SortKey), textOf(a, SortKey))
	})
	if len(all) > pageSize {
		all = all[:pageSize]
		next = textOf(all[pageSize-1], SortKey)
	}
	return all, next, nil
}

// stream is a range of one partition of the table or of an index, both ends included.
type stream struct {
	index     string    // "": the table
	partition [2]string // attribute and value
	sort      string    // attribute
	from, to  string
	newest    bool // in descending order

	filter string // "": none, with its names and values
	names  map[string]string
	values item
}

// query reads up to limit items of a stream, those that the filter refuses included. An index's
// items are keys only. more is the sort key of the last one read, or "" at the end.
func (l *Ledger) query(
	ctx context.Context, s stream, limit int,
) (items []item, more string, err error) {
	values := item{
		":partition": text(s.partition[1]), ":from": text(s.from), ":to": text(s.to),
	}
	for name, value := range s.values {
		values[name] = value
	}
	in := request{
		KeyCondition: s.partition[0] + " = :partition AND " + s.sort + " BETWEEN :from AND :to",
		Names:        s.names,
		Values:       values,
		Ascending:    new(!s.newest),
		Limit:        limit,
	}
	if s.index != "" {
		in.Index = s.index
	} else {
		in.Consistent = true
	}
	if s.filter != "" {
		in.Filter = s.filter
	}
	if s.from > s.to {
		return nil, "", nil // DynamoDB refuses such a range
	}
	out, err := l.do(ctx, query, in)
	if err != nil {
		return nil, "", err
	}
	return out.Items, textOf(out.Last, s.sort), nil
}

// The projections of read.
const (
	markOfEvent   = "pk, sk, expires_at, mark"
	deliveryParts = "pk, sk, doc, packed, expires_at"

	// for expressions, because these may be reserved words in DynamoDB
	statusName = "#status"
	dueName    = "#due"
)

// readMany is read for any number of keys.
func (l *Ledger) readMany(
	ctx context.Context, keys []item, projection string, consistent bool,
) ([]item, error) {
	chunks := slices.Collect(slices.Chunk(keys, pageSize))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readCalls)
	for i, chunk := range chunks {
		g.Go(func() (err error) {
			chunks[i], err = l.read(ctx, chunk, projection, consistent)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(chunks...), nil
}

// readCalls is the number of concurrent calls of readMany.
const readCalls = 16

// read returns the projected parts of the items of keys (at most pageSize), in the order of keys.
// It omits absent and expired items. An inconsistent read costs half, and may be a second behind.
// The projection must include the keys and expires_at. Each key is there once.
func (l *Ledger) read(
	ctx context.Context, keys []item, projection string, consistent bool,
) ([]item, error) {
	in := keysRead{
		Keys:       keys,
		Consistent: consistent,
		Projection: projection,
	}
	if strings.Contains(projection, statusName) {
		in.Names = map[string]string{
			statusName: statusAttribute, dueName: DueTime,
		}
	}
	stored, err := l.getBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	found := make(map[string]item, len(keys))
	for _, it := range stored {
		found[identity(it)] = it
	}
	var items []item
	for _, k := range keys {
		if it := found[identity(k)]; !expired(it) {
			items = append(items, it)
		}
	}
	return items, nil
}

// once returns keys without repeats, which BatchGetItem refuses.
func once(keys []item) []item {
	seen := make(map[string]bool, len(keys))
	return slices.DeleteFunc(slices.Clone(keys), func(k item) bool {
		id := identity(k)
		repeated := seen[id]
		seen[id] = true
		return repeated
	})
}

// identity returns an item's key as one string.
func identity(it item) string { return textOf(it, PartitionKey) + "\x00" + textOf(it, SortKey) }
