package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// The ledger's partitions that do not belong to an event.
const (
	endpointPrefix = "endpoint#"
	quotaPrefix    = "quota#"
	slotPrefix     = "slot#"
	stateSort      = "state"
	lineSort       = "line"
	claimSort      = "claim"
)

const (
	// stateKept is how long an endpoint's state stays on record after its last change: longer than
	// any delivery could need it.
	stateKept = 10 * 365 * 24 * time.Hour
	lineKept  = 2 * time.Hour
	// reserveTries is the number of tries of Reserve. If a line has ended, only one of several
	// concurrent callers can start it anew. The others come after it in their next try.
	reserveTries = 3
	slotKept     = time.Hour
	// troubledShards is the number of shards of the index. In an outage of the internet thousands
	// of endpoints fail within seconds, and each is written to the index.
	troubledShards = 4
)

// EndpointState implements gate.EndpointStates.
func (l *Ledger) EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error) {
	it, err := l.get(ctx, endpointPrefix+endpoint, stateSort)
	if err != nil {
		return breaker.State{}, 0, fmt.Errorf("dynamo: state of endpoint %s: %w", endpoint, err)
	}
	if expired(it) {
		return breaker.State{}, 0, nil
	}
	s, err := breaker.Decode([]byte(textOf(it, docAttribute)))
	if err != nil {
		return breaker.State{}, 0, fmt.Errorf("dynamo: state of endpoint %s: %w", endpoint, err)
	}
	return s, numberOf(it, revisionAttribute), nil
}

// SaveEndpointState implements gate.EndpointStates.
func (l *Ledger) SaveEndpointState(
	ctx context.Context, endpoint string, s breaker.State, prior int64,
) error {
	it := key(endpointPrefix+endpoint, stateSort)
	it[docAttribute] = text(string(breaker.Encode(s)))
	it[revisionAttribute] = number(prior + 1)
	it[TimeToLive] = number(time.Now().Add(stateKept).Unix())
	if !s.Well() {
		it[TroubledPartitionKey] = text(troubledPartition(shardOf(endpoint, troubledShards)))
		it[TroubledSortKey] = text(endpoint)
	}
	condition, values := absent, item{":now": number(time.Now().Unix())}
	if prior > 0 {
		condition, values = "revision = :prior", item{":prior": number(prior)}
	}
	written, _, err := l.putIf(ctx, it, condition, values)
	if err == nil && !written {
		err = fmt.Errorf("its revision is no longer %d: %w", prior, catalog.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("dynamo: state of endpoint %s: %w", endpoint, err)
	}
	return nil
}

// TroubledEndpoints implements gate.EndpointStates. It queries all shards of the index
// concurrently.
func (l *Ledger) TroubledEndpoints(ctx context.Context) ([]string, error) {
	shards := make([][]string, troubledShards)
	g, ctx := errgroup.WithContext(ctx)
	for shard := range shards {
		g.Go(func() error {
			for it, err := range l.matching(ctx, request{
				Index:        TroubledIndex,
				KeyCondition: TroubledPartitionKey + " = :shard",
				Values:       item{":shard": text(troubledPartition(shard))},
			}) {
				if err != nil {
					return err
				}
				shards[shard] = append(shards[shard], textOf(it, TroubledSortKey))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("dynamo: endpoints in trouble: %w", err)
	}
	return slices.Concat(shards...), nil
}

func troubledPartition(shard int) string { return "troubled#" + strconv.Itoa(shard) }

// Reserve implements gate.Quotas. If an answer is lost and the call is repeated, a piece is
// reserved twice; the limit still holds. A line is one item. DynamoDB takes 1,000 writes a second
// to an item, refused writes included. A caller that is refused is told how long the line is taken.
func (l *Ledger) Reserve(
	ctx context.Context, line string, d time.Duration, earliest, latest time.Time,
) (time.Time, bool, error) {
	from, ok, err := l.reserve(
		ctx, line, d.Microseconds(), earliest.UnixMicro(), latest.UnixMicro(),
		latest.Add(lineKept).Unix(),
	)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("dynamo: quota %s: %w", line, err)
	}
	return time.UnixMicro(from).UTC(), ok, nil
}

// reserve is Reserve in microseconds. It first tries to extend the line, the usual case. It reads
// the line only if that is refused.
func (l *Ledger) reserve(
	ctx context.Context, line string, length, first, last, expires int64,
) (from int64, ok bool, err error) {
	for range reserveTries {
		from, ok, err = l.extend(ctx, line, "ends BETWEEN :first AND :last", "ends + :d", item{
			":d": number(length), ":first": number(first), ":last": number(last),
			":expires": number(expires),
		})
		if ok || err != nil {
			return from - length, ok, err
		}
		it, err := l.get(ctx, quotaPrefix+line, lineSort)
		if err != nil {
			return 0, false, err
		}
		if ends := numberOf(it, "ends"); ends > last {
			return ends, false, nil
		}
		from, ok, err = l.extend(ctx, line, "attribute_not_exists(ends) OR ends < :first", ":end",
			item{
				":end": number(first + length), ":first": number(first),
				":expires": number(expires),
			})
		if ok || err != nil {
			return from - length, ok, err
		}
	}
	return 0, false, fmt.Errorf("other instances changed it first, %d times in a row", reserveTries)
}

// extend sets a line's end on a condition, and returns the new end.
func (l *Ledger) extend(
	ctx context.Context, line, condition, end string, values item,
) (int64, bool, error) {
	out, err := l.do(ctx, updateItem, request{
		Key:       key(quotaPrefix+line, lineSort),
		Update:    "SET ends = " + end + ", expires_at = :expires",
		Condition: condition,
		Values:    values,
		Returns:   updated,
	})
	if conditionFailed(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return numberOf(out.Attributes, "ends"), true, nil
}

// ClaimSlot implements gate.Slots. Each slot is a partition of its own, so a busy endpoint makes no
// partition hot.
func (l *Ledger) ClaimSlot(
	ctx context.Context, endpoint string, slot int, holder string, until time.Time,
) (bool, error) {
	_, err := l.do(ctx, updateItem, request{
		Key:       slotKey(endpoint, slot),
		Update:    "SET holder = :holder, held_until = :until, expires_at = :expires",
		Condition: "attribute_not_exists(holder) OR holder = :holder OR held_until <= :now",
		Values: item{
			":holder": text(holder), ":until": number(until.UnixMilli()), ":now": number(
				time.Now().UnixMilli(),
			),
			":expires": number(until.Add(slotKept).Unix()),
		},
	})
	if conditionFailed(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("dynamo: slot %d of endpoint %s: %w", slot, endpoint, err)
	}
	return true, nil
}

// ReleaseSlot implements gate.Slots.
func (l *Ledger) ReleaseSlot(ctx context.Context, endpoint string, slot int, holder string) error {
	_, err := l.do(ctx, updateItem, request{
		Key:       slotKey(endpoint, slot),
		Update:    "REMOVE holder, held_until",
		Condition: "holder = :holder",
		Values:    item{":holder": text(holder)},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("dynamo: slot %d of endpoint %s: %w", slot, endpoint, err)
	}
	return nil
}

func slotKey(endpoint string, slot int) item {
	return key(slotPrefix+endpoint+"#"+strconv.Itoa(slot), claimSort)
}
