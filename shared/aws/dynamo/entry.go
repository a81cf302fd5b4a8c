package dynamo

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

const (
	// maxTogether is the largest number of events in one entry of EventsIndex. Unless their types
	// are long, such an entry fits into a write unit of 1 KB.
	maxTogether = 20
	// maxSpan is how far apart the webhooks of an entry's events may have been accepted. A listing
	// that begins in the middle of an hour begins to read this much later.
	maxSpan = time.Minute
)

// together groups records that share an entry, and returns their indexes. A repeated id has a group
// of its own.
func together(records []relay.EventRecord) (groups [][]int) {
	order := make([]int, len(records))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return records[a].ReceivedAt.Compare(records[b].ReceivedAt)
	})
	open := -1 // the group that is not full
	seen := map[string]bool{}
	for _, i := range order {
		r := records[i]
		switch {
		case seen[r.ID]:
			groups = append(groups, []int{i})
		case open >= 0 && share(records[groups[open][0]], r) && len(groups[open]) < maxTogether:
			groups[open] = append(groups[open], i)
		default:
			open = len(groups)
			groups = append(groups, []int{i})
		}
		seen[r.ID] = true
	}
	return groups
}

// share tells whether an event may be in the entry of an earlier one.
func share(first, r relay.EventRecord) bool {
	return hourOf(first.ReceivedAt).Equal(hourOf(r.ReceivedAt)) &&
		r.ReceivedAt.Sub(first.ReceivedAt) <= maxSpan
}

// hourOf returns the hour of EventsIndex to which a time belongs.
func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

func eventsPartition(hour time.Time, shard int) string {
	return hour.UTC().Format("2006010215") + "#" + strconv.Itoa(shard)
}

// keyOf returns what the index has of an event.
func keyOf(r relay.EventRecord) operate.EventKey {
	return operate.EventKey{
		ID: r.ID, Tenant: r.Tenant, Source: r.Source, Type: r.Type, ReceivedAt: r.ReceivedAt,
	}
}

// entry is an entry of EventsIndex. All its events were accepted in one hour.
type entry struct {
	mark   string
	events []operate.EventKey
}

// item returns the attributes of the entry. The item of its first event has them.
func (e entry) item() item {
	newest := slices.MaxFunc(e.events, func(a, b operate.EventKey) int {
		return a.ReceivedAt.Compare(b.ReceivedAt)
	}).ReceivedAt
	return item{
		EventsPartitionKey: text(
			eventsPartition(newest, shardOf(e.events[0].ID, shards)),
		),
		EventsSortKey: text(sortable(newest) + "#" + e.mark),
		Listed:        bytesOf(appendKeys(nil, newest, e.events)),
	}
}

// readEntry reads the item of an entry. newest is when the newest of its events was accepted: the
// time in its sort key.
func readEntry(it item) (e entry, newest time.Time, err error) {
	at, mark, _ := strings.Cut(textOf(it, EventsSortKey), "#")
	if newest, err = time.Parse(sortableTime, at); err == nil {
		e.mark = mark
		e.events, err = parseKeys(binaryOf(it, Listed), newest)
	}
	if err != nil {
		return e, newest, fmt.Errorf("%w: entry %q of the index of events: %w", format.ErrFormat,
			textOf(it, EventsSortKey), err)
	}
	return e, newest, nil
}

// An id of the relay's is this prefix and 20 bytes in this encoding.
const (
	idPrefix = "evt_"
	idBytes  = 20
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").
	WithPadding(base32.NoPadding)

// appendKeys appends the attribute Listed: the version of the format, and the events. An event is
// its id, the milliseconds from its acceptance to the newest one's, its tenant, source and type. An
// id has its length before it, or is 0 and 20 bytes. A name is the number of an earlier one, or 0
// and its text.
func appendKeys(b []byte, newest time.Time, events []operate.EventKey) []byte {
	b = binary.AppendUvarint(b, format.Version)
	names := map[string]uint64{}
	for _, e := range events {
		b = appendID(b, e.ID)
		b = binary.AppendVarint(b, newest.UnixMilli()-e.ReceivedAt.UnixMilli())
		for _, name := range []string{e.Tenant, e.Source, e.Type} {
			n := names[name]
			b = binary.AppendUvarint(b, n)
			if n == 0 {
				names[name] = uint64(len(names)) + 1
				b = appendText(b, name)
			}
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendID(b []byte, id string) []byte {
	rest, ok := strings.CutPrefix(id, idPrefix)
	raw, err := idEncoding.DecodeString(rest)
	if !ok || err != nil || len(raw) != idBytes || idEncoding.EncodeToString(raw) != rest {
		return appendText(b, id)
	}
	return append(append(b, 0), raw...)
}

// parseKeys reads what appendKeys wrote.
func parseKeys(b []byte, newest time.Time) (events []operate.EventKey, err error) {
	r := keysReader{rest: b}
	if version := r.uvarint(); version != format.Version {
		return nil, fmt.Errorf("version %d", version)
	}
	for len(r.rest) > 0 && !r.failed {
		e := operate.EventKey{ID: r.id(), ReceivedAt: newest.Add(-r.age())}
		e.Tenant, e.Source, e.Type = r.name(), r.name(), r.name()
		events = append(events, e)
	}
	if r.failed || len(events) == 0 {
		return nil, fmt.Errorf("%d bytes that are none", len(b))
	}
	return events, nil
}

// keysReader reads the attribute Listed. After a failure it returns zero values.
type keysReader struct {
	rest   []byte
	names  []string
	failed bool
}

func (r *keysReader) fail() { r.failed, r.rest = true, nil }

func (r *keysReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *keysReader) text(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *keysReader) id() string {
	if n := r.uvarint(); n > 0 {
		return r.text(n)
	}
	return idPrefix + idEncoding.EncodeToString([]byte(r.text(idBytes)))
}

// age returns by how much an event is older than the newest one: less than an hour.
func (r *keysReader) age() time.Duration {
	n, size := binary.Varint(r.rest)
	if size <= 0 || n < 0 || n >= time.Hour.Milliseconds() {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return time.Duration(n) * time.Millisecond
}

func (r *keysReader) name() string {
	n := r.uvarint()
	switch {
	case n == 0:
		r.names = append(r.names, r.text(r.uvarint()))
		n = uint64(len(r.names))
	case n > uint64(len(r.names)):
		r.fail()
		return ""
	}
	return r.names[n-1]
}

const (
	hoursPartition = "hours"
	// hoursKept is how long the mark of an hour is kept: longer than any event.
	hoursKept = 12 * 366 * 24 * time.Hour
)

// markHours marks the hours of events as having some, so that listings need not look into others. A
// process marks an hour once.
func (l *Ledger) markHours(ctx context.Context, records []relay.EventRecord) error {
	hours := map[time.Time]bool{}
	for _, r := range records {
		hours[hourOf(r.ReceivedAt)] = true
	}
	for hour := range maps.Keys(hours) {
		if _, marked := l.marked.Load(hour); marked {
			continue
		}
		it := key(hoursPartition, sortable(hour))
		it[TimeToLive] = number(hour.Add(hoursKept).Unix())
		if err := l.put(ctx, it); err != nil {
			return fmt.Errorf("dynamo: mark the hour %s: %w", sortable(hour), err)
		}
		l.marked.Store(hour, true)
	}
	return nil
}
