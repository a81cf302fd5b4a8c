package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/schema"
)

const (
	// mostOutcomes is the largest number of events in a page of Outcomes, and outcomesNames is
	// about the largest number of their endpoints.
	mostOutcomes  = 1000
	outcomesNames = 50_000

	cursorPartition = "sweep"
	cursorSort      = "cursor"
)

// The projections of Outcomes, of an event and of a delivery.
const (
	outcomeOfEvent    = "pk, sk, expires_at, endpoints, parts, added, mark, fits"
	outcomeOfDelivery = "pk, sk, expires_at, attempts, changed, " + statusName + ", " + dueName
)

// Outcomes implements operate.Ledger. None of its reads is consistent.
func (l *Ledger) Outcomes(
	ctx context.Context, t time.Time, from relay.Page, each func(operate.EventOutcome),
) (relay.Page, error) {
	next, err := l.outcomesPage(ctx, hourOf(t), from, each)
	if err != nil {
		return "", fmt.Errorf("dynamo: outcomes of %s: %w", sortable(hourOf(t)), err)
	}
	return next, nil
}

func (l *Ledger) outcomesPage(
	ctx context.Context, hour time.Time, from relay.Page, each func(operate.EventOutcome),
) (relay.Page, error) {
	entered, next, err := l.entered(ctx, hour, from, mostOutcomes)
	if err != nil {
		return "", err
	}
	events, err := l.readEntered(ctx, entered, outcomeOfEvent, false)
	if err != nil {
		return "", err
	}
	if n := fitting(events); n < len(events) { // the others belong to the next page
		next = relay.Page(events[n-1].place.String())
		events = events[:n]
	}
	return next, l.outcomes(ctx, events, each)
}

// outcomesPlace is a position in the entries of an hour: a shard, an entry in it, and how many of
// the entry's events come before.
type outcomesPlace struct {
	shard int
	entry string // its sort key, or a text before it
	done  int
}

func (p outcomesPlace) String() string {
	return strconv.Itoa(p.shard) + "/" + strconv.Itoa(p.done) + "/" + p.entry
}

func parseOutcomesPlace(page relay.Page) (p outcomesPlace, err error) {
	if page == "" {
		return outcomesPlace{entry: beforeAll}, nil
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
		return outcomesPlace{}, fmt.Errorf("%q is not a page of a listing", page)
	}
	return p, nil
}

// entered is an event that an entry of the index lists.
type entered struct {
	operate.EventKey
	mark  string        // of the entry
	place outcomesPlace // continues after this event
	item  item          // the event's; nil: not read yet
}

// entered lists up to limit events of an hour, shard by shard.
func (l *Ledger) entered(
	ctx context.Context, hour time.Time, from relay.Page, limit int,
) (all []entered, next relay.Page, err error) {
	at, err := parseOutcomesPlace(from)
	if err != nil {
		return nil, "", err
	}
	for ; at.shard < shards; at = (outcomesPlace{shard: at.shard + 1, entry: beforeAll}) {
		entries, more, err := l.query(ctx, entriesOf(hour, at.shard, at.entry, afterAll), limit)
		if err != nil {
			return nil, "", err
		}
		for _, it := range entries {
			sort := textOf(it, EventsSortKey)
			e, _, err := readEntry(it)
			if err != nil {
				return nil, "", err
			}
			for n, k := range e.events {
				if sort == at.entry && n < at.done {
					continue
				}
				if len(all) == limit {
					return all, relay.Page(all[limit-1].place.String()), nil
				}
				all = append(all, entered{
					EventKey: k, mark: e.mark,
					place: outcomesPlace{shard: at.shard, entry: sort, done: n + 1},
				})
			}
		}
		if more != "" {
			return all, relay.Page(all[len(all)-1].place.String()), nil
		}
	}
	return all, "", nil
}

// entriesOf returns the entries of an hour in a shard, by a range of their sort keys.
func entriesOf(hour time.Time, shard int, from, to string) stream {
	return stream{
		index: EventsIndex, partition: [2]string{EventsPartitionKey, eventsPartition(hour, shard)},
		sort: EventsSortKey, from: from, to: to,
	}
}

// readEntered reads the items of entered events. It leaves out an event that was on record before
// it was to be recorded with the others of the entry, because another entry lists it; and one that
// is not on record.
func (l *Ledger) readEntered(
	ctx context.Context, all []entered, projection string, consistent bool,
) ([]entered, error) {
	keys := make([]item, len(all))
	for i, e := range all {
		keys[i] = key(e.ID, eventSort)
	}
	items, err := l.readMany(ctx, once(keys), projection, consistent)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]item, len(items))
	for _, it := range items {
		byID[textOf(it, PartitionKey)] = it
	}
	var found []entered
	for _, e := range all {
		if e.item = byID[e.ID]; e.item != nil && textOf(e.item, markAttribute) == e.mark {
			found = append(found, e)
		}
	}
	return found, nil
}

// fitting returns how many of the events fit into a page by the number of their endpoints. It is at
// least one.
func fitting(events []entered) int {
	names := 0
	for i, e := range events {
		if names += namesOf(e.item); names >= outcomesNames {
			return i + 1
		}
	}
	return len(events)
}

// outcomes reads the deliveries of events and calls each for every event, one call at a time.
func (l *Ledger) outcomes(
	ctx context.Context, events []entered, each func(operate.EventOutcome),
) error {
	outcomes := make([]operate.EventOutcome, len(events))
	byEvent := make(map[string]*operate.EventOutcome, len(events))
	var keys []item
	for i, e := range events {
		names, err := l.endpointsOf(ctx, e.item, false)
		if err != nil {
			return err
		}
		o := &outcomes[i]
		*o = operate.EventOutcome{
			EventID: e.ID, Tenant: e.Tenant, Source: e.Source, Type: e.Type,
			ReceivedAt: e.ReceivedAt, Endpoints: names, Schema: fitsOf(e.item),
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

// fitsOf returns whether an event fits the schema of its type. Its item has the first letter of the
// status, or no such attribute if that is not known.
func fitsOf(it item) schema.Status {
	for _, status := range []schema.Status{schema.Passed, schema.Failed} {
		if textOf(it, fitsAttribute) == string(status[:1]) {
			return status
		}
	}
	return ""
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
	if _, err := l.do(ctx, putItem, request{Item: it}); err != nil {
		return fmt.Errorf("dynamo: sweep cursor: %w", err)
	}
	return nil
}
