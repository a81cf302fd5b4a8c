package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

const (
	// outcomesPage is the largest number of events in a page of Outcomes, and outcomesNames is
	// about the largest number of their endpoints.
	outcomesPage  = 1000
	outcomesNames = 50_000

	cursorPartition = "sweep"
	cursorSort      = "cursor"
)

// The projections of Outcomes, of an event and of a delivery.
const (
	outcomeOfEvent    = "pk, sk, expires_at, endpoints, parts, added, mark, received, src, typ"
	outcomeOfDelivery = "pk, sk, expires_at, attempts, changed, " + statusName + ", " + dueName
)

// Outcomes implements operate.Ledger. None of its reads is consistent.
func (l *Ledger) Outcomes(
	ctx context.Context, source string, t time.Time, from relay.Page,
	each func(operate.EventOutcome),
) (relay.Page, error) {
	listed, next, err := l.eventKeys(ctx, source, t, from, outcomesPage)
	if err != nil {
		return "", fmt.Errorf("dynamo: outcomes of %s: %w", source, err)
	}
	events, err := l.readListed(ctx, listed, outcomeOfEvent, false)
	if err != nil {
		return "", fmt.Errorf("dynamo: outcomes of %s: %w", source, err)
	}
	if n := fitting(events); n < len(events) { // the others belong to the next page
		last := textOf(events[n-1], PartitionKey)
		i := slices.IndexFunc(listed, func(k eventKey) bool {
			return textOf(k.item, PartitionKey) == last
		})
		events, next = events[:n], relay.Page(listed[i].place.String())
	}
	if err := l.outcomes(ctx, events, each); err != nil {
		return "", fmt.Errorf("dynamo: outcomes of %s: %w", source, err)
	}
	return next, nil
}

// fitting returns how many of the events fit into a page by the number of their endpoints. It is at
// least one.
func fitting(events []item) int {
	names := 0
	for i, it := range events {
		if names += namesOf(it); names >= outcomesNames {
			return i + 1
		}
	}
	return len(events)
}

// outcomes reads the deliveries of events and calls each for every event, one call at a time.
func (l *Ledger) outcomes(
	ctx context.Context, events []item, each func(operate.EventOutcome),
) error {
	outcomes := make([]operate.EventOutcome, len(events))
	byEvent := make(map[string]*operate.EventOutcome, len(events))
	var keys []item
	for i, it := range events {
		names, err := l.endpointsOf(ctx, it, false)
		if err != nil {
			return err
		}
		o := &outcomes[i]
		*o = operate.EventOutcome{
			EventID:    textOf(it, PartitionKey),
			Source:     textOf(it, sourceAttribute),
			Type:       textOf(it, typeAttribute),
			ReceivedAt: time.UnixMilli(numberOf(it, receivedAttribute)).UTC(),
			Endpoints:  names,
		}
		byEvent[o.EventID] = o
		for _, name := range names {
			keys = append(keys, deliveryKey(relay.DeliveryKey{
				EventID: o.EventID, Endpoint: name, ReceivedAt: o.ReceivedAt,
			}))
		}
	}
	items, err := l.readMany(ctx, keys, outcomeOfDelivery, false)
	if err != nil {
		return err
	}
	for _, it := range items {
		event, d := deliveryStatus(it)
		byEvent[event].Deliveries = append(byEvent[event].Deliveries, d)
	}
	for _, o := range outcomes {
		each(o)
	}
	return nil
}

// deliveryStatus returns the id of a delivery's event, and the delivery's status.
func deliveryStatus(it item) (event string, d operate.DeliveryStatus) {
	partition := strings.TrimPrefix(textOf(it, PartitionKey), deliveryPrefix)
	d.Endpoint = partition[:max(0, strings.LastIndex(partition, "#"))]
	d.Status = relay.Status(textOf(it, statusAttribute))
	if d.Status == relay.Waiting {
		d.NextAt = time.UnixMilli(numberOf(it, DueTime)).UTC()
	}
	d.Attempts = int(numberOf(it, attemptsAttribute))
	d.UpdatedAt = time.UnixMilli(numberOf(it, changedAttribute)).UTC()
	_, event, _ = strings.Cut(textOf(it, SortKey), "#")
	return event, d
}

// SweepCursor implements operate.SweepCursors.
func (l *Ledger) SweepCursor(ctx context.Context) (operate.SweepCursor, error) {
	it, err := l.get(ctx, cursorPartition, cursorSort)
	if err != nil {
		return operate.SweepCursor{}, fmt.Errorf("dynamo: sweep cursor: %w", err)
	}
	if it == nil {
		return operate.SweepCursor{}, nil
	}
	return operate.DecodeSweepCursor([]byte(textOf(it, docAttribute)))
}

// cursorKept is how long the cursor stays after a relay is gone.
const cursorKept = 90 * 24 * time.Hour

// SaveSweepCursor implements operate.SweepCursors.
func (l *Ledger) SaveSweepCursor(ctx context.Context, c operate.SweepCursor) error {
	it := key(cursorPartition, cursorSort)
	it[docAttribute] = text(string(operate.EncodeSweepCursor(c)))
	// each sweep, every hour, writes it again
	it[TimeToLive] = number(time.Now().Add(cursorKept).Unix())
	if _, err := l.client.PutItem(
		ctx, &dynamodb.PutItemInput{TableName: &l.name, Item: it},
	); err != nil {
		return fmt.Errorf("dynamo: sweep cursor: %w", err)
	}
	return nil
}
