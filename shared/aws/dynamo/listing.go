package dynamo

import (
	"cmp"
	"context"
	"fmt"
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

// pageSize is the largest number of records in a page: as many as one BatchGetItem reads.
const pageSize = 100

// beforeAll sorts before every time, and afterAll sorts after every time. (A key's value cannot be
// empty.)
const (
	beforeAll = "0"
	afterAll  = ":"
)

// EventsBySource implements operate.Ledger. A page names the shard that the listing has reached and
// the last sort key read in it.
func (l *Ledger) EventsBySource(
	ctx context.Context, source string, t time.Time, from relay.Page,
) ([]relay.EventRecord, relay.Page, error) {
	listed, next, err := l.eventKeys(ctx, source, t, from, pageSize)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: events of %s: %w", source, err)
	}
	items, err := l.read(ctx, keysOf(listed), eventParts, true)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: events of %s: %w", source, err)
	}
	var events []relay.EventRecord
	for _, it := range items {
		r, err := l.readEvent(ctx, it)
		if err != nil {
			return nil, "", fmt.Errorf("dynamo: event %s: %w", textOf(it, PartitionKey), err)
		}
		r.Header, r.Body = nil, nil
		events = append(events, r)
	}
	return events, next, nil
}

// eventKey is the key of an event's item, and its position in the index.
type eventKey struct {
	item
	place relay.Page // the page that continues after this event
}

func keysOf(listed []eventKey) []item {
	keys := make([]item, len(listed))
	for i, k := range listed {
		keys[i] = k.item
	}
	return keys
}

// eventKeys lists up to limit of a source's events of an hour.
func (l *Ledger) eventKeys(
	ctx context.Context, source string, t time.Time, from relay.Page, limit int,
) (listed []eventKey, next relay.Page, err error) {
	shard, after, err := parseEventsPage(from)
	if err != nil {
		return nil, "", err
	}
	for ; shard < shards && next == ""; shard, after = shard+1, beforeAll {
		index := indexQuery{index: EventsIndex, partition: EventsPartitionKey, sort: EventsSortKey}
		found, more, err := l.keys(
			ctx, index, eventsPartition(source, t, shard), after, afterAll, limit-len(listed),
		)
		if err != nil {
			return nil, "", err
		}
		for _, it := range found {
			listed = append(
				listed,
				eventKey{
					item:  key(textOf(it, PartitionKey), textOf(it, SortKey)),
					place: eventsPage(shard, textOf(it, EventsSortKey)),
				},
			)
		}
		switch {
		case more != "":
			next = eventsPage(shard, more)
		case len(listed) == limit && shard+1 < shards:
			next = eventsPage(shard+1, beforeAll)
		}
	}
	return listed, next, nil
}

func eventsPage(shard int, after string) relay.Page {
	return relay.Page(strconv.Itoa(shard) + "/" + after)
}

func parseEventsPage(p relay.Page) (shard int, after string, err error) {
	if p == "" {
		return 0, beforeAll, nil
	}
	number, after, _ := strings.Cut(string(p), "/")
	shard, err = strconv.Atoi(number)
	if err != nil || shard < 0 || shard >= shards || after == "" {
		return 0, "", fmt.Errorf("dynamo: %q is not a page of a listing", p)
	}
	return shard, after, nil
}

// OpenDeliveries implements operate.Ledger. A page is the last sort key read, in whichever shard. A
// delivery that leaves the status after the index was read and before its record is read is
// omitted.
func (l *Ledger) OpenDeliveries(
	ctx context.Context, endpoint string, s relay.Status, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	return l.open(ctx, endpoint, s, afterAll, from)
}

// Overdue implements operate.Ledger. It is paged like OpenDeliveries.
func (l *Ledger) Overdue(
	ctx context.Context, endpoint string, before time.Time, from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	return l.open(ctx, endpoint, relay.Waiting, before.UTC().Format(sortableTime), from)
}

// open lists an endpoint's deliveries in a status, up to a sort key. Sort keys are unique, so the
// last one read is where the listing continues in every shard.
func (l *Ledger) open(ctx context.Context, endpoint string, s relay.Status, until string,
	from relay.Page,
) ([]relay.Delivery, relay.Page, error) {
	keys, more, err := l.openKeys(ctx, endpoint, s, cmp.Or(string(from), beforeAll), until)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: %s deliveries to %s: %w", s, endpoint, err)
	}
	items, err := l.read(ctx, keys, deliveryParts, true)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: %s deliveries to %s: %w", s, endpoint, err)
	}
	var deliveries []relay.Delivery
	for _, it := range items {
		d, err := readDelivery(it)
		if err != nil {
			return nil, "", fmt.Errorf(
				"dynamo: delivery %s to %s: %w", textOf(it, PartitionKey), endpoint, err,
			)
		}
		if d.Status == s {
			deliveries = append(deliveries, d)
		}
	}
	return deliveries, relay.Page(more), nil
}

// openKeys returns the keys of a page over all shards, in order, and the sort key after which the
// next page begins, or "" at the end.
func (l *Ledger) openKeys(
	ctx context.Context, endpoint string, s relay.Status, after, until string,
) (keys []item, more string, err error) {
	index := indexQuery{index: OpenIndex, partition: OpenPartitionKey, sort: OpenSortKey}
	found, mores := make([][]item, shards), make([]string, shards)
	g, ctx := errgroup.WithContext(ctx)
	for shard := range shards {
		g.Go(func() (err error) {
			found[shard], mores[shard], err = l.keys(
				ctx, index, openPartition(endpoint, s, shard), after, until, pageSize,
			)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, "", err
	}
	// A shard with more entries limits the page: it may continue with any sort key after its last
	// one, so keys of other shards beyond that must wait.
	end := ""
	for _, m := range mores {
		if m != "" && (end == "" || m < end) {
			end = m
		}
	}
	all := slices.Concat(found...)
	slices.SortFunc(all, func(a, b item) int {
		return cmp.Compare(textOf(a, OpenSortKey), textOf(b, OpenSortKey))
	})
	if end != "" {
		all = slices.DeleteFunc(all, func(it item) bool { return textOf(it, OpenSortKey) > end })
	}
	if len(all) > pageSize {
		all = all[:pageSize]
		end = textOf(all[pageSize-1], OpenSortKey)
	}
	for _, it := range all {
		keys = append(keys, key(textOf(it, PartitionKey), textOf(it, SortKey)))
	}
	return keys, end, nil
}

// indexQuery names an index and its keys.
type indexQuery struct{ index, partition, sort string }

// keys returns up to limit entries of an index partition, in order, with sort keys after one key
// and up to another. An entry has the table's keys and the index's. more is the sort key after
// which to continue, or "" at the end.
func (l *Ledger) keys(
	ctx context.Context, q indexQuery, partition, after, until string, limit int,
) (keys []item, more string, err error) {
	out, err := l.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &l.name,
		IndexName: &q.index,
		KeyConditionExpression: aws.String(
			q.partition + " = :partition AND " + q.sort + " BETWEEN :after AND :until",
		),
		ExpressionAttributeValues: item{
			":partition": text(partition), ":after": text(after + "\x00"), ":until": text(until),
		},
		Limit: aws.Int32(int32(limit)), //nolint:gosec // at most outcomesPage
	})
	if err != nil {
		return nil, "", err
	}
	return out.Items, textOf(out.LastEvaluatedKey, q.sort), nil
}

// The projections of read: an event, without a body that is stored separately, and a whole
// delivery.
const (
	eventParts    = "pk, sk, doc, packed, expires_at, endpoints, parts"
	deliveryParts = "pk, sk, doc, packed, expires_at"

	statusName = "#status" // for expressions, because status is a reserved word in DynamoDB
)

// read returns the projected parts of the items of keys (at most pageSize), in the order of keys.
// It omits absent and expired items. An inconsistent read costs half, and may be a second behind.
// The projection must include the keys and expires_at.
func (l *Ledger) read(
	ctx context.Context, keys []item, projection string, consistent bool,
) ([]item, error) {
	found := make(map[string]item, len(keys))
	left := types.KeysAndAttributes{
		Keys:                 keys,
		ConsistentRead:       &consistent,
		ProjectionExpression: &projection,
	}
	if strings.Contains(projection, statusName) {
		left.ExpressionAttributeNames = map[string]string{statusName: statusAttribute}
	}
	for try := 0; len(left.Keys) > 0; try++ {
		if try > 0 {
			if err := again(ctx, try); err != nil {
				return nil, err
			}
		}
		out, err := l.client.BatchGetItem(
			ctx,
			&dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{l.name: left},
			},
		)
		if err != nil {
			return nil, err
		}
		for _, it := range out.Responses[l.name] {
			found[identity(it)] = it
		}
		left.Keys = out.UnprocessedKeys[l.name].Keys
	}
	var items []item
	for _, k := range keys {
		if it := found[identity(k)]; !expired(it) {
			items = append(items, it)
		}
	}
	return items, nil
}

// identity returns an item's key as one string.
func identity(it item) string { return textOf(it, PartitionKey) + "\x00" + textOf(it, SortKey) }
