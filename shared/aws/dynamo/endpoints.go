package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

// An event's item holds the names of the endpoints that it is routed to, separated by commas. Ten
// thousand names can have 640 KB, more than an item may have. A list longer than maxNames is cut
// into separate items (parts), which are written before the event's item. Their sort keys contain a
// hash of the list. So two functions that route one event by different configurations do not mix
// their lists.
const (
	maxNames   = 64 << 10
	maxPart    = 256 << 10
	partPrefix = "endpoints#"
	sentSort   = "sent"
	// sentFrom is the number of endpoints from which an event may take several invocations. For
	// smaller events the progress is not read.
	sentFrom = 100
)

// listParts describes a list that is stored in parts.
type listParts struct {
	hash         string
	items, names int
}

// addEndpoints puts the names into an event's item, or writes them as parts to which the item
// refers.
func (l *Ledger) addEndpoints(ctx context.Context, it item, endpoints []string) error {
	if len(endpoints) == 0 {
		return nil
	}
	list := strings.Join(endpoints, ",")
	if len(list) <= maxNames {
		it[endpointsAttribute] = text(list)
		return nil
	}
	sum := sha256.Sum256([]byte(list))
	p := listParts{hash: hex.EncodeToString(sum[:8]), names: len(endpoints)}
	for rest := list; rest != ""; p.items++ {
		size := min(len(rest), maxPart)
		part := key(textOf(it, PartitionKey), p.sortKey(p.items))
		part[endpointsAttribute] = text(rest[:size])
		part[TimeToLive] = it[TimeToLive]
		if _, err := l.do(ctx, putItem, request{Item: part}); err != nil {
			return err
		}
		rest = rest[size:]
	}
	it[partsAttribute] = text(p.String())
	return nil
}

// endpointsOf returns the names that an event's item holds or refers to.
func (l *Ledger) endpointsOf(ctx context.Context, it item, consistent bool) ([]string, error) {
	list := textOf(it, endpointsAttribute)
	if refers := textOf(it, partsAttribute); refers != "" {
		p, err := parseParts(refers)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		for i := range p.items {
			sort := p.sortKey(i)
			out, err := l.do(ctx, getItem, request{
				Key: key(textOf(it, PartitionKey), sort), Consistent: consistent,
			})
			if err != nil {
				return nil, err
			}
			b.WriteString(textOf(out.Item, endpointsAttribute))
		}
		list = b.String()
	}
	var names []string
	if list != "" {
		names = strings.Split(list, ",")
	}
	for _, name := range slices.Sorted(slices.Values(namesAdded(it))) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// namesAdded returns the names that AddEndpoints added to an event's item.
func namesAdded(it item) []string {
	return textsOf(it, addedAttribute)
}

// namesOf returns the number of endpoints that an event's item holds or refers to.
func namesOf(it item) int {
	n := len(namesAdded(it))
	if refers := textOf(it, partsAttribute); refers != "" {
		p, _ := parseParts(refers) // endpointsOf reports a malformed reference
		return n + p.names
	}
	if list := textOf(it, endpointsAttribute); list != "" {
		n += strings.Count(list, ",") + 1
	}
	return n
}

func (p listParts) sortKey(i int) string { return partPrefix + p.hash + "#" + strconv.Itoa(i) }

func (p listParts) String() string { return fmt.Sprintf("%s %d %d", p.hash, p.items, p.names) }

func parseParts(s string) (listParts, error) {
	hash, numbers := nameAndNumbers(s)
	if len(numbers) != 2 {
		return listParts{}, fmt.Errorf("%w: endpoints in parts %q", format.ErrFormat, s)
	}
	return listParts{hash: hash, items: numbers[0], names: numbers[1]}, nil
}

// SaveSent implements relay.Events.
func (l *Ledger) SaveSent(ctx context.Context, eventID string, sent int) error {
	stored, err := l.get(ctx, eventID, eventSort)
	if err != nil || expired(stored) {
		return err
	}
	it := key(eventID, sentSort)
	it[sentAttribute] = number(sent)
	it[TimeToLive] = stored[TimeToLive]
	_, _, err = l.putIf(
		ctx, it, "("+absent+") OR sent < :sent",
		item{":now": number(time.Now().Unix()), ":sent": number(sent)},
	)
	if err != nil {
		return fmt.Errorf("dynamo: event %s, sent to %d endpoints: %w", eventID, sent, err)
	}
	return nil
}

// sent returns the number of endpoints that an event has been sent to, as last saved by SaveSent.
func (l *Ledger) sent(ctx context.Context, r relay.EventRecord) (int, error) {
	if len(r.Endpoints) < sentFrom {
		return 0, nil
	}
	it, err := l.get(ctx, r.ID, sentSort)
	if err != nil || expired(it) {
		return 0, err
	}
	return int(numberOf(it, sentAttribute)), nil
}

// EventRecord implements operate.Ledger.
func (l *Ledger) EventRecord(ctx context.Context, id string) (relay.EventRecord, error) {
	it, err := l.get(ctx, id, eventSort)
	if err == nil && expired(it) {
		err = catalog.ErrNotFound
	}
	var r relay.EventRecord
	if err == nil {
		r, err = l.readEvent(ctx, it)
	}
	if err != nil {
		return relay.EventRecord{}, fmt.Errorf("dynamo: event %s: %w", id, err)
	}
	return r, nil
}
