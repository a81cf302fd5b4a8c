package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

const (
	// maxKeys is about how many events one page looks at. Those of other tenants count, too.
	maxKeys = 50_000
	// maxHours is how many hours with events one page looks into.
	maxHours = 100
)

// EventsIn implements operate.EventLister. It finds the hours that have events with one read. An
// hour that has some takes a read of each shard at least. The events are filtered by what the index
// has of them. Only the records of those that are returned are read, to leave out what is not on
// record.
func (l *Ledger) EventsIn(
	ctx context.Context, q operate.EventQuery,
) ([]operate.EventKey, relay.Page, error) {
	at, err := firstPlace(q)
	if err != nil {
		return nil, "", err
	}
	q.Limit = max(q.Limit, 1)
	s := &search{Ledger: l, q: q, at: at}
	if err := s.run(ctx); err != nil {
		return nil, "", fmt.Errorf("dynamo: list events: %w", err)
	}
	found, err := l.readEntered(ctx, s.found, markOfEvent, true)
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: list events: %w", err)
	}
	keys := make([]operate.EventKey, len(found))
	for i, e := range found {
		keys[i] = e.EventKey
	}
	if s.ended {
		return keys, "", nil
	}
	return keys, relay.Page(s.at.String()), nil
}

// Arrivals implements operate.Arrivals. It finds the hours that have events with one read, which is
// all for an idle relay. A read of 4 KB has some fifty events, for half a unit.
func (l *Ledger) Arrivals(
	ctx context.Context, from time.Time, each func(operate.EventKey) bool,
) error {
	marks, _, err := l.query(ctx, stream{
		partition: [2]string{PartitionKey, hoursPartition}, sort: SortKey, newest: true,
		from: sortable(hourOf(from)), to: afterAll,
	}, maxHours)
	for i := 0; err == nil && i < len(marks); i++ {
		var hour time.Time
		if hour, err = time.Parse(sortableTime, textOf(marks[i], SortKey)); err != nil {
			break
		}
		var more bool
		if more, err = l.arrivals(ctx, hour, from, each); !more {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("dynamo: arrivals: %w", err)
	}
	return nil
}

// arrivals lists the events of an hour, and tells whether each wants more.
func (l *Ledger) arrivals(
	ctx context.Context, hour, from time.Time, each func(operate.EventKey) bool,
) (more bool, err error) {
	for shard := range shards {
		s := entriesOf(hour, shard, sortable(from), afterAll)
		s.newest = true
		for next := afterAll; next != ""; {
			s.to = next
			var entries []item
			if entries, next, err = l.query(ctx, s, mostOutcomes); err != nil {
				return false, err
			}
			for _, it := range entries {
				e, _, err := readEntry(it)
				if err != nil {
					return false, err
				}
				for _, k := range e.events {
					if !k.ReceivedAt.Before(from) && !each(k) {
						return false, nil
					}
				}
			}
		}
	}
	return true, nil
}

// eventsPlace is a position in the list of events, newest first. It is before the events of an
// earlier millisecond, and those of the same one with a smaller id.
type eventsPlace struct {
	at int64 // Unix milliseconds
	id string
	// the entries that have such events are not newer, in Unix milliseconds
	entries int64
}

// firstPlace returns where a query begins. Error: ErrPosition.
func firstPlace(q operate.EventQuery) (p eventsPlace, err error) {
	if q.Page == "" {
		if q.To.IsZero() {
			return eventsPlace{at: math.MaxInt64, entries: math.MaxInt64}, nil
		}
		p.at = ceilMilli(q.To)
		p.entries = p.at + maxSpan.Milliseconds()
		return p, nil
	}
	parts := strings.SplitN(string(q.Page), "/", 3)
	if len(parts) == 3 {
		if p.at, err = strconv.ParseInt(parts[0], 10, 64); err == nil {
			p.entries, err = strconv.ParseInt(parts[1], 10, 64)
		}
		p.id = parts[2]
	}
	if len(parts) != 3 || err != nil {
		return p, fmt.Errorf("%w: %.60q", operate.ErrPosition, q.Page)
	}
	return p, nil
}

func (p eventsPlace) String() string {
	return fmt.Sprintf("%d/%d/%s", p.at, p.entries, p.id)
}

// ceilMilli returns t in Unix milliseconds, rounded up.
func ceilMilli(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// has tells whether an event comes after the position.
func (p eventsPlace) has(k operate.EventKey) bool {
	at := k.ReceivedAt.UnixMilli()
	return at < p.at || at == p.at && k.ID < p.id
}

// newest returns when the newest event after the position can have been accepted.
func (p eventsPlace) newest() int64 {
	if p.id == "" {
		return p.at - 1
	}
	return p.at
}

// isBefore tells whether p is nearer to the newest event than o.
func (p eventsPlace) isBefore(o eventsPlace) bool {
	return p.at > o.at || p.at == o.at && p.id > o.id
}

// sortableFrom returns a sort key of EventsIndex before all of a time on, and sortableTo one after
// all up to a time.
func sortableFrom(t time.Time) string {
	if t.IsZero() {
		return beforeAll
	}
	return sortable(t.Add(time.Millisecond - 1))
}

func sortableTo(milli int64) string {
	if milli > time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		return afterAll
	}
	return sortable(time.UnixMilli(milli)) + "~"
}

// search collects the events of one page.
type search struct {
	*Ledger
	q     operate.EventQuery
	at    eventsPlace
	found []entered // newest first
	keys  int       // that were looked at
	ended bool
}

// run looks into the hours that have events, until the page is full or much was read.
func (s *search) run(ctx context.Context) error {
	marks, more, err := s.query(ctx, stream{
		partition: [2]string{PartitionKey, hoursPartition}, sort: SortKey, newest: true,
		from: sortableFrom(hourOf(s.q.From)), to: sortableTo(s.at.newest()),
	}, maxHours)
	if err != nil {
		return err
	}
	for _, mark := range marks {
		hour, err := time.Parse(sortableTime, textOf(mark, SortKey))
		if err != nil {
			return err
		}
		if done, err := s.hour(ctx, hour); err != nil || !done {
			return err
		}
	}
	s.ended = more == ""
	return nil
}

// hour collects the events of an hour. It returns false if the page ends with it, or in it.
func (s *search) hour(ctx context.Context, hour time.Time) (done bool, err error) {
	m := newMerge(s, hour)
	for limit := (s.q.Limit-len(s.found))/shards + 10; ; limit = min(2*limit, 1000) {
		if err := m.read(ctx, limit); err != nil {
			return false, err
		}
		ready, room := m.ready(), s.q.Limit-len(s.found)
		switch {
		case m.frontier() < 0 && ready <= room:
			m.take(ready)
			s.at = eventsPlace{at: hour.UnixMilli(), entries: hour.UnixMilli()}
			return ready < room && s.keys < s.most, nil
		case ready >= room:
			s.at = m.take(room)
			return false, nil
		case s.keys >= s.most && s.at.isBefore(m.end(ready)):
			s.at = m.take(ready)
			return false, nil
		}
	}
}

// merge merges the shards of an hour, newest first. Entries are in the order of their newest
// events, so one that was not read may have any event up to that time: see frontier.
type merge struct {
	*search
	shards [shards]shardEntries
	held   []heldKey // newest first
}

// shardEntries are the entries of a shard that were not read.
type shardEntries struct {
	stream
	last  string // the sort key of the entry before them; "": none was read
	until int64  // when the newest event of that entry was accepted, in Unix milliseconds
	ended bool   // there are none
}

// heldKey is an event that was read, and how new its entry is.
type heldKey struct {
	entered
	entry int64 // Unix milliseconds
}

func newMerge(s *search, hour time.Time) *merge {
	m := &merge{search: s}
	for shard := range shards {
		st := entriesOf(hour, shard, sortableFrom(s.q.From), sortableTo(s.at.entries))
		st.newest = true
		m.shards[shard] = shardEntries{stream: st}
	}
	return m
}

// read reads up to limit more entries of each shard.
func (m *merge) read(ctx context.Context, limit int) error {
	found, mores := [shards][]item{}, [shards]string{}
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range m.shards {
		if s.ended {
			continue
		}
		g.Go(func() (err error) {
			found[i], mores[i], err = m.query(ctx, s.stream, limit+1) // the last one is read again
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range m.shards {
		if err := m.hold(&m.shards[i], found[i]); err != nil {
			return err
		}
		m.shards[i].ended = mores[i] == ""
	}
	slices.SortFunc(m.held, func(a, b heldKey) int {
		return cmp.Or(b.ReceivedAt.Compare(a.ReceivedAt), strings.Compare(b.ID, a.ID))
	})
	return nil
}

// hold keeps the wanted events of entries that were read.
func (m *merge) hold(s *shardEntries, entries []item) error {
	for _, it := range entries {
		sort := textOf(it, EventsSortKey)
		if sort == s.last {
			continue
		}
		e, newest, err := readEntry(it)
		if err != nil {
			return err
		}
		s.last, s.to, s.until = sort, sort, newest.UnixMilli()
		m.keys += len(e.events)
		for _, k := range e.events {
			if m.q.Takes(k) && m.at.has(k) {
				m.held = append(m.held, heldKey{
					entered: entered{EventKey: k, mark: e.mark}, entry: s.until,
				})
			}
		}
	}
	return nil
}

// frontier returns the time up to which there may be events that were not read, in Unix
// milliseconds; -1: there are none.
func (m *merge) frontier() int64 {
	until := int64(-1)
	for _, s := range m.shards {
		if !s.ended {
			until = max(until, s.until)
		}
	}
	return until
}

// ready returns how many of the held events are newer than every event that was not read.
func (m *merge) ready() int {
	until := m.frontier()
	i := slices.IndexFunc(m.held, func(k heldKey) bool { return k.ReceivedAt.UnixMilli() <= until })
	if i < 0 {
		return len(m.held)
	}
	return i
}

// take adds the newest n events that are held to the page, and returns its end. n is at most ready.
func (m *merge) take(n int) eventsPlace {
	for _, k := range m.held[:n] {
		m.found = append(m.found, k.entered)
	}
	return m.end(n)
}

// end returns the place after the newest n events that are held: right after them if others are
// ready, else at the frontier.
func (m *merge) end(n int) eventsPlace {
	until := m.frontier()
	p := eventsPlace{at: until + 1, entries: until}
	if n < m.ready() {
		last := m.held[n-1]
		p.at, p.id = last.ReceivedAt.UnixMilli(), last.ID
	}
	for _, k := range m.held[n:] {
		p.entries = max(p.entries, k.entry)
	}
	return p
}
