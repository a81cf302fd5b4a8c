package dynamo

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

const (
	eventSort      = "event"
	deliveryPrefix = "delivery#"
)

// shards is the number of index partitions over which related items are spread: the events of a
// source and hour, and the deliveries to an endpoint in a status. One partition takes 1,000 writes
// a second. A held delivery takes two writes: one removes its old entry and one adds the new. An
// index that cannot keep up throttles the writes to the table.
const shards = 8

// sortableTime has a fixed width, so times sort correctly as text.
const sortableTime = "2006-01-02T15:04:05.000Z"

// Conditions of writes. :now is in Unix seconds, like expires_at.
const (
	absent        = "attribute_not_exists(pk) OR expires_at <= :now"
	afterAttempts = "(attempts = :prior AND expires_at > :now)"
)

// Ledger keeps events and deliveries. It implements relay.Events, relay.Deliveries and
// operate.Ledger. It is safe for concurrent use.
type Ledger struct{ table }

// NewLedger returns the ledger in a table.
func NewLedger(client *dynamodb.Client, tableName string) *Ledger {
	return &Ledger{table{client: client, name: tableName}}
}

// RecordEvent implements relay.Events.
func (l *Ledger) RecordEvent(ctx context.Context, r relay.EventRecord) (*relay.EventRecord, error) {
	// a record may expire between the refused write and the read, so the write is tried again
	const tries = 3
	it, err := l.eventItem(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("dynamo: record event %s: %w", r.ID, err)
	}
	for range tries {
		written, stored, err := l.putIf(ctx, it, absent, item{":now": number(time.Now().Unix())})
		if err != nil {
			return nil, fmt.Errorf("dynamo: record event %s: %w", r.ID, err)
		}
		if written {
			return nil, nil //nolint:nilnil // the port's way to say that there was none
		}
		if expired(stored) {
			continue
		}
		existing, err := l.readEvent(ctx, stored)
		if err == nil {
			existing.Sent, err = l.sent(ctx, existing)
		}
		if err != nil {
			return nil, fmt.Errorf("dynamo: event %s: %w", r.ID, err)
		}
		return &existing, nil
	}
	return nil,
		fmt.Errorf("dynamo: event %s: its record kept appearing and expiring; gave up after %d tries", r.ID, tries)
}

// Delivery implements relay.Deliveries.
func (l *Ledger) Delivery(ctx context.Context, eventID, endpoint string) (relay.Delivery, error) {
	stored, err := l.get(ctx, eventID, deliveryPrefix+endpoint)
	if err != nil {
		return relay.Delivery{}, fmt.Errorf("dynamo: delivery %s to %s: %w", eventID, endpoint, err)
	}
	if expired(stored) {
		return relay.Delivery{},
			fmt.Errorf("dynamo: delivery %s to %s: %w", eventID, endpoint, catalog.ErrNotFound)
	}
	d, err := readDelivery(stored)
	if err != nil {
		return relay.Delivery{}, fmt.Errorf("dynamo: delivery %s to %s: %w", eventID, endpoint, err)
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

// eventItem returns an event's item. Endpoints that do not fit into the item are stored before it
// returns.
func (l *Ledger) eventItem(ctx context.Context, r relay.EventRecord) (item, error) {
	body, endpoints := r.Body, r.Endpoints
	// stored in attributes of their own; the body is not base64 there
	r.Body, r.Endpoints, r.Sent = nil, nil, 0
	it := key(r.ID, eventSort)
	pack(it, relay.EncodeEventRecord(r), body)
	it[TimeToLive] = number(r.ExpiresAt.Unix())
	it[EventsPartitionKey] = text(eventsPartition(r.Source, r.ReceivedAt, shardOf(r.ID, shards)))
	it[EventsSortKey] = text(r.ReceivedAt.UTC().Format(sortableTime) + "#" + r.ID)
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
	r.Body = body
	// KeepEvent changes only this attribute, not doc
	r.ExpiresAt = time.Unix(numberOf(it, TimeToLive), 0).UTC()
	r.Endpoints, err = l.endpointsOf(ctx, it, true)
	return r, err
}

func eventsPartition(source string, t time.Time, shard int) string {
	return strings.Join([]string{source, t.UTC().Format("2006010215"), strconv.Itoa(shard)}, "#")
}

// shardOf returns the shard for an id.
func shardOf(id string, shards uint32) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // writing to a hash cannot fail
	return int(h.Sum32() % shards)
}

func deliveryItem(d relay.Delivery) item {
	it := key(d.EventID, deliveryPrefix+d.Endpoint)
	pack(it, relay.EncodeDelivery(d), nil)
	it[attemptsAttribute] = number(d.Attempts)
	it[statusAttribute] = text(string(d.Status))
	it[TimeToLive] = number(d.ExpiresAt.Unix())
	if at, listed := listedAt(d); listed {
		it[OpenPartitionKey] = text(openPartition(d.Endpoint, d.Status, shardOf(d.EventID, shards)))
		it[OpenSortKey] = text(at.UTC().Format(sortableTime) + "#" + d.EventID)
	}
	return it
}

func readDelivery(it item) (relay.Delivery, error) {
	doc, _, err := unpack(it)
	if err != nil {
		return relay.Delivery{}, err
	}
	return relay.DecodeDelivery(doc)
}

// listedAt returns the time under which a delivery is listed. Delivered ones are not listed,
// because that would cost one more write each.
func listedAt(d relay.Delivery) (at time.Time, listed bool) {
	switch d.Status {
	case relay.Waiting:
		return d.NextAt, true
	case relay.Dead:
		return d.UpdatedAt, true
	default:
		return time.Time{}, false
	}
}

func openPartition(endpoint string, s relay.Status, shard int) string {
	return strings.Join([]string{endpoint, string(s), strconv.Itoa(shard)}, "#")
}

// Event implements operate.Ledger.
func (l *Ledger) Event(
	ctx context.Context, id string,
) (relay.EventRecord, []relay.Delivery, error) {
	var event *relay.EventRecord
	var deliveries []relay.Delivery
	err := l.queryAll(ctx, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :id"),
		ExpressionAttributeValues: item{":id": text(id)},
		ConsistentRead:            aws.Bool(true),
	}, func(items []item) error {
		for _, it := range items {
			if expired(it) {
				continue
			}
			sort := textOf(it, SortKey)
			if sort == eventSort {
				r, err := l.readEvent(ctx, it)
				if err != nil {
					return err
				}
				event = &r
			}
			if !strings.HasPrefix(sort, deliveryPrefix) {
				continue
			}
			d, err := readDelivery(it)
			if err != nil {
				return err
			}
			deliveries = append(deliveries, d) // the key sorts them by endpoint
		}
		return nil
	})
	if err == nil && event == nil {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return relay.EventRecord{}, nil, fmt.Errorf("dynamo: event %s: %w", id, err)
	}
	return *event, deliveries, nil
}

// DeliveriesOf implements operate.Ledger.
func (l *Ledger) DeliveriesOf(ctx context.Context, eventID string) ([]relay.Delivery, error) {
	var deliveries []relay.Delivery
	err := l.queryAll(ctx, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :id AND begins_with(sk, :deliveries)"),
		ExpressionAttributeValues: item{":id": text(eventID), ":deliveries": text(deliveryPrefix)},
		ConsistentRead:            aws.Bool(true),
	}, func(items []item) error {
		for _, it := range items {
			if expired(it) {
				continue
			}
			d, err := readDelivery(it)
			if err != nil {
				return err
			}
			deliveries = append(deliveries, d) // the key sorts them by endpoint
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dynamo: deliveries of %s: %w", eventID, err)
	}
	return deliveries, nil
}
