package dynamo

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

const (
	eventSort      = "event"
	deliveryPrefix = "delivery#"
)

// shards is the number of partitions over which related items are spread: the events of an hour in
// their index, the deliveries to an endpoint in the table, and its deliveries in a status in their
// index. One partition takes 1,000 writes a second. An index that cannot keep up throttles the
// writes to the table.
const shards = 8

// sortableTime has a fixed width, so times sort correctly as text.
const sortableTime = "2006-01-02T15:04:05.000Z"

func sortable(t time.Time) string { return t.UTC().Format(sortableTime) }

// Conditions of writes. :now is in Unix seconds, like expires_at.
const (
	absent        = "attribute_not_exists(pk) OR expires_at <= :now"
	afterAttempts = "(attempts = :prior AND expires_at > :now)"
)

// Ledger keeps events and deliveries. It implements relay.Events, relay.Deliveries and
// operate.Ledger. It is safe for concurrent use.
type Ledger struct {
	table
	bodies relay.Bodies // nil: none
	marked sync.Map     // the hours that this process has marked as having events
	most   int          // maxKeys
}

// NewLedger returns the ledger in a table. Where it costs less, the bodies of events that are
// recorded together are stored as one object in bodies. They are kept there as long as bodies keeps
// its objects: at least as long as an event. nil: all are in the table, and a body that is stored
// in an object cannot be read.
func NewLedger(client *signed.Client, tableName string, bodies relay.Bodies) *Ledger {
	return &Ledger{table: table{client: client, name: tableName}, bodies: bodies, most: maxKeys}
}

// Delivery implements relay.Deliveries.
func (l *Ledger) Delivery(ctx context.Context, k relay.DeliveryKey) (relay.Delivery, error) {
	at := deliveryKey(k)
	stored, err := l.get(ctx, textOf(at, PartitionKey), textOf(at, SortKey))
	if err == nil && expired(stored) {
		err = catalog.ErrNotFound
	}
	var d relay.Delivery
	if err == nil {
		d, err = readDelivery(stored)
	}
	if err != nil {
		return relay.Delivery{},
			fmt.Errorf("dynamo: delivery %s to %s: %w", k.EventID, k.Endpoint, err)
	}
	return d, nil
}

// SaveDelivery implements relay.Deliveries.
func (l *Ledger) SaveDelivery(ctx context.Context, d relay.Delivery, prior int) error {
	condition, values := afterAttempts,
		item{":now": number(time.Now().Unix()), ":prior": number(prior)}
	if prior == 0 {
		condition = absent + " OR " + afterAttempts // or it was held before its first attempt
	}
	written, _, err := l.putIf(ctx, deliveryItem(d), condition, values)
	if err == nil && !written {
		err = fmt.Errorf("its record does not have %d attempts: %w", prior, catalog.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("dynamo: save delivery %s to %s: %w", d.EventID, d.Endpoint, err)
	}
	return nil
}

// expired reports whether a stored item counts as absent. A nil item does.
func expired(it item) bool { return numberOf(it, TimeToLive) <= time.Now().Unix() }

// deliveryKey returns the key of a delivery's item. The deliveries to an endpoint are in the order
// in which their webhooks were accepted, within each shard. So they can be listed without an index,
// which would cost another write for each.
func deliveryKey(k relay.DeliveryKey) item {
	return key(
		deliveryPartition(k.Endpoint, shardOf(k.EventID, shards)),
		sortable(k.ReceivedAt)+"#"+k.EventID,
	)
}

func deliveryPartition(endpoint string, shard int) string {
	return deliveryPrefix + endpoint + "#" + strconv.Itoa(shard)
}

func openPartition(endpoint string, s relay.Status, shard int) string {
	return strings.Join([]string{endpoint, string(s), strconv.Itoa(shard)}, "#")
}

// shardOf returns the shard for an id.
func shardOf(id string, shards uint32) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // writing to a hash cannot fail
	return int(h.Sum32() % shards)
}

func deliveryItem(d relay.Delivery) item {
	it := deliveryKey(d.Key())
	pack(it, relay.EncodeDelivery(d), nil)
	it[attemptsAttribute] = number(d.Attempts)
	it[statusAttribute] = text(string(d.Status))
	it[changedAttribute] = number(d.UpdatedAt.UnixMilli())
	it[TimeToLive] = number(d.ExpiresAt.Unix())
	if isOpen(d.Status) {
		it[OpenPartitionKey] = text(openPartition(d.Endpoint, d.Status, shardOf(d.EventID, shards)))
	}
	if d.Status == relay.Waiting {
		it[DueTime] = number(d.NextAt.UnixMilli())
	}
	return it
}

// isOpen tells whether deliveries in a status are in OpenIndex: these are few.
func isOpen(s relay.Status) bool { return s == relay.Waiting || s == relay.Dead }

func readDelivery(it item) (relay.Delivery, error) {
	doc, _, err := unpack(it)
	if err != nil {
		return relay.Delivery{}, err
	}
	return relay.DecodeDelivery(doc)
}

// Event implements operate.Ledger.
func (l *Ledger) Event(
	ctx context.Context, id string,
) (relay.EventRecord, []relay.Delivery, error) {
	r, err := l.EventRecord(ctx, id)
	if err != nil {
		return relay.EventRecord{}, nil, err
	}
	keys := make([]item, len(r.Endpoints))
	for i, name := range slices.Sorted(slices.Values(r.Endpoints)) {
		keys[i] = deliveryKey(r.DeliveryTo(name))
	}
	items, err := l.readMany(ctx, keys, deliveryParts, true)
	if err != nil {
		return relay.EventRecord{}, nil, fmt.Errorf("dynamo: deliveries of %s: %w", id, err)
	}
	deliveries, err := readDeliveries(items)
	return r, deliveries, err
}

func readDeliveries(items []item) ([]relay.Delivery, error) {
	deliveries := make([]relay.Delivery, len(items))
	for i, it := range items {
		var err error
		if deliveries[i], err = readDelivery(it); err != nil {
			return nil, fmt.Errorf(
				"dynamo: %s %s: %w", textOf(it, PartitionKey), textOf(it, SortKey), err,
			)
		}
	}
	return deliveries, nil
}
