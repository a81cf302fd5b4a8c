package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

const (
	// outcomesPage is the largest number of events in a page of Outcomes, and outcomesNames is
	// about the largest number of their endpoints.
	outcomesPage  = 1000
	outcomesNames = 50_000
	// outcomesCalls is the number of concurrent calls.
	outcomesCalls = 16
	// outcomesQuery is the number of endpoints from which an event's deliveries are read by a
	// query. Deliveries of smaller events are read together with those of other events. That takes
	// a hundredth of the calls, but each delivery is billed half a read unit, while a query is
	// billed half a unit for each 4 KB.
	outcomesQuery = 11

	cursorPartition = "sweep"
	cursorSort      = "cursor"
)

// The projections of Outcomes, of an event and of a delivery.
const (
	outcomeOfEvent    = "pk, sk, expires_at, endpoints, parts"
	outcomeOfDelivery = "pk, sk, expires_at, " + statusName + ", " + OpenSortKey
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
	events, err := l.readMany(ctx, keysOf(listed), outcomeOfEvent)
	if err != nil {
		return "", fmt.Errorf("dynamo: outcomes of %s: %w", source, err)
	}
	if n := fitting(events); n < len(events) { // the others belong to the next page
		last := textOf(events[n-1], PartitionKey)
		i := slices.IndexFunc(listed, func(k eventKey) bool {
			return textOf(k.item, PartitionKey) == last
		})
		events, next = events[:n], listed[i].place
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
	var mu sync.Mutex
	told := func(o operate.EventOutcome) {
		mu.Lock()
		defer mu.Unlock()
		each(o)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(outcomesCalls)
	var together []item
	deliveries := 0
	readTogether := func() {
		some := together
		g.Go(func() error { return l.outcomesOfSome(ctx, some, told) })
		together, deliveries = nil, 0
	}
	for _, it := range events {
		n := namesOf(it)
		if n >= outcomesQuery {
			g.Go(func() error { return l.outcomeOfMany(ctx, it, told) })
			continue
		}
		if deliveries+n > pageSize {
			readTogether()
		}
		together, deliveries = append(together, it), deliveries+n
	}
	readTogether()
	return g.Wait()
}

// outcomesOfSome reads the deliveries of several events, at most pageSize in all, with one call.
func (l *Ledger) outcomesOfSome(
	ctx context.Context, events []item, each func(operate.EventOutcome),
) error {
	outcomes := make([]operate.EventOutcome, len(events))
	byEvent := make(map[string]*operate.EventOutcome, len(events))
	var keys []item
	for i, it := range events {
		id := textOf(it, PartitionKey)
		names, err := l.endpointsOf(ctx, it, false)
		if err != nil {
			return err
		}
		outcomes[i] = operate.EventOutcome{EventID: id, Endpoints: names}
		byEvent[id] = &outcomes[i]
		for _, name := range names {
			keys = append(keys, key(id, deliveryPrefix+name))
		}
	}
	items, err := l.readMany(ctx, keys, outcomeOfDelivery)
	if err != nil {
		return err
	}
	for _, it := range items {
		o := byEvent[textOf(it, PartitionKey)]
		if o.Deliveries, err = appendStatus(o.Deliveries, it); err != nil {
			return err
		}
	}
	for _, o := range outcomes {
		each(o)
	}
	return nil
}

// outcomeOfMany reads the deliveries of one event by a query.
func (l *Ledger) outcomeOfMany(
	ctx context.Context, event item, each func(operate.EventOutcome),
) error {
	id := textOf(event, PartitionKey)
	names, err := l.endpointsOf(ctx, event, false)
	if err != nil {
		return err
	}
	o := operate.EventOutcome{
		EventID: id, Endpoints: names, Deliveries: make([]operate.DeliveryStatus, 0, len(names)),
	}
	err = l.queryAll(ctx, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :id AND begins_with(sk, :deliveries)"),
		ExpressionAttributeValues: item{":id": text(id), ":deliveries": text(deliveryPrefix)},
		ProjectionExpression:      aws.String(outcomeOfDelivery),
		ExpressionAttributeNames:  map[string]string{statusName: statusAttribute},
	}, func(items []item) (err error) {
		for _, it := range items {
			if expired(it) {
				continue
			}
			if o.Deliveries, err = appendStatus(o.Deliveries, it); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	each(o)
	return nil
}

// appendStatus reads a delivery's status. Its sort key in the open index begins with the time at
// which it is due.
func appendStatus(to []operate.DeliveryStatus, it item) ([]operate.DeliveryStatus, error) {
	d := operate.DeliveryStatus{
		Endpoint: strings.TrimPrefix(
			textOf(it, SortKey), deliveryPrefix,
		), Status: relay.Status(textOf(it, statusAttribute)),
	}
	if d.Status == relay.Waiting {
		due, _, _ := strings.Cut(textOf(it, OpenSortKey), "#")
		var err error
		if d.NextAt, err = time.Parse(sortableTime, due); err != nil {
			return to, fmt.Errorf(
				"%w: delivery %s to %s: %w", format.ErrFormat, textOf(it, PartitionKey), d.Endpoint,
				err,
			)
		}
	}
	return append(to, d), nil
}

// readMany is an inconsistent read of any number of keys.
func (l *Ledger) readMany(ctx context.Context, keys []item, projection string) ([]item, error) {
	var chunks [][]item
	for chunk := range slices.Chunk(keys, pageSize) {
		chunks = append(chunks, chunk)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(outcomesCalls)
	for i, chunk := range chunks {
		g.Go(func() (err error) {
			chunks[i], err = l.read(ctx, chunk, projection, false)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(chunks...), nil
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
