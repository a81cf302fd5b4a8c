package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

// StatsBy tells by what statistics are counted. The set is closed.
type StatsBy string

// The dimensions of statistics.
const (
	StatsTotal      StatsBy = "total" // everything together; the operator's has all tenants in it
	StatsBySource   StatsBy = "source"
	StatsByEndpoint StatsBy = "endpoint"
	StatsByType     StatsBy = "type"
)

// OtherStats is the name under which the rest is counted, if there are more than maxStatRows names
// in an hour.
const OtherStats = "(other)"

const (
	// maxStatRows is how many rows an hour may have, of all tenants. About as many fit into the
	// document that keeps them while the hour is being counted.
	maxStatRows = 10_000
	// statChunk is how many rows are in one document, at most some 100 bytes each.
	statChunk = 500
	// statRetention is how long roll-ups are kept.
	statRetention = 400 * 24 * time.Hour
	statHour      = "2006-01-02T15" // of a key
)

// Counts are the counts of one hour: of the events that were accepted in it, and of the deliveries
// of these events, whenever they ended. Accepted = Unrouted + Routed, and Deliveries = Delivered +
// Dead + Waiting: anything else is a bug of the relay. A repeat of a webhook is not counted. Rows
// by endpoint have deliveries only.
type Counts struct {
	Accepted   int `json:"accepted,omitempty"`
	Unrouted   int `json:"unrouted,omitempty"`
	Routed     int `json:"routed,omitempty"`
	Deliveries int `json:"deliveries,omitempty"`
	Delivered  int `json:"delivered,omitempty"`
	Dead       int `json:"dead,omitempty"`
	// Waiting counts the deliveries that had not ended when the hour was looked at, those without a
	// record among them.
	Waiting  int      `json:"waiting,omitempty"`
	Attempts int      `json:"attempts,omitempty"` // of the recorded deliveries
	Ages     AgeCount `json:"ages,omitempty"`     // of the delivered ones
}

// Unaccounted returns how many events and deliveries are missing in the counts, or are there twice.
// It is zero unless the relay has a bug.
func (c Counts) Unaccounted() int {
	abs := func(n int) int { return max(n, -n) }
	return abs(c.Accepted-c.Unrouted-c.Routed) +
		abs(c.Deliveries-c.Delivered-c.Dead-c.Waiting)
}

func (c *Counts) add(o Counts) {
	c.Accepted += o.Accepted
	c.Unrouted += o.Unrouted
	c.Routed += o.Routed
	c.Deliveries += o.Deliveries
	c.Delivered += o.Delivered
	c.Dead += o.Dead
	c.Waiting += o.Waiting
	c.Attempts += o.Attempts
	c.Ages = c.Ages.plus(o.Ages)
}

// AgeCount counts ages, which are times from the acceptance of a webhook to its delivery, in fixed
// buckets: four for each power of ten. AgeCount[i] is the number of ages of at most ageBound(i),
// and above the bound before. Trailing zeros are left out.
type AgeCount []int

// ageBuckets is the number of buckets: from 10 ms to 11 days, and one above.
const ageBuckets = 33

func ageBound(i int) time.Duration {
	return time.Duration(float64(10*time.Millisecond) * math.Pow(10, float64(i)/4))
}

// Count adds an age.
func (a *AgeCount) Count(age time.Duration) {
	i := 0
	for i < ageBuckets-1 && age > ageBound(i) {
		i++
	}
	for len(*a) <= i {
		*a = append(*a, 0)
	}
	(*a)[i]++
}

func (a AgeCount) plus(b AgeCount) AgeCount {
	sum := make(AgeCount, max(len(a), len(b)))
	copy(sum, a)
	for i, n := range b {
		sum[i] += n
	}
	if len(sum) == 0 {
		return nil
	}
	return sum
}

// Quantile estimates the age that a share of the ages do not exceed: 0.5 is the median. The bucket
// is exact, so it is wrong by a factor of at most 1.8. It is zero if there are none.
func (a AgeCount) Quantile(share float64) time.Duration {
	all := 0
	for _, n := range a {
		all += n
	}
	if all == 0 {
		return 0
	}
	rank := max(share*float64(all), 1)
	below := 0.0
	for i, n := range a {
		if below+float64(n) >= rank {
			lower := time.Duration(0)
			if i > 0 {
				lower = ageBound(i - 1)
			}
			within := (rank - below) / float64(n)
			return lower + time.Duration(within*float64(ageBound(i)-lower))
		}
		below += float64(n)
	}
	return ageBound(len(a) - 1)
}

// statRow names a row of counts.
type statRow struct {
	Tenant string
	By     StatsBy
	Name   string
}

// tally counts the events of one hour.
type tally struct {
	hour time.Time
	rows map[statRow]*Counts
	// whole tells that it has counted every event before its position
	whole bool
}

func newTally(hour time.Time) *tally {
	return &tally{hour: hour, rows: map[statRow]*Counts{}, whole: true}
}

// row returns a row to count in. If there are too many rows, it is that of the rest.
func (t *tally) row(tenant string, by StatsBy, name string) *Counts {
	key := statRow{Tenant: tenant, By: by, Name: name}
	c := t.rows[key]
	if c == nil && len(t.rows) >= maxStatRows {
		key = statRow{Tenant: "", By: by, Name: OtherStats}
		c = t.rows[key]
	}
	if c == nil {
		c = new(Counts)
		t.rows[key] = c
	}
	return c
}

// add counts an event and its deliveries. The operator's rows have the operator's own sources and
// endpoints, and in total everything. A tenant's rows have the tenant's events, and of the
// deliveries those to its own endpoints.
func (t *tally) add(o EventOutcome) {
	tenant := o.Tenant
	if owner, _ := catalog.SplitName(o.Source); tenant == "" {
		tenant = owner
	}
	source := ownName(tenant, o.Source)
	of := map[string]Counts{} // by tenant
	recorded := make(map[string]DeliveryStatus, len(o.Deliveries))
	for _, d := range o.Deliveries {
		recorded[d.Endpoint] = d
	}
	var all Counts
	for _, endpoint := range o.Endpoints {
		owner, name := "", endpoint
		if tenant != "" && strings.HasPrefix(endpoint, tenant+"/") {
			owner, name = tenant, ownName(tenant, endpoint)
		}
		c := countOf(recorded[endpoint], o.ReceivedAt)
		t.row(owner, StatsByEndpoint, name).add(c)
		sum := of[owner]
		sum.add(c)
		of[owner] = sum
		all.add(c)
	}
	event := func(deliveries Counts) Counts {
		deliveries.Accepted = 1
		if deliveries.Deliveries > 0 {
			deliveries.Routed = 1
		} else {
			deliveries.Unrouted = 1
		}
		return deliveries
	}
	t.row("", StatsTotal, "").add(event(all))
	if tenant != "" {
		t.row(tenant, StatsTotal, "").add(event(of[tenant]))
		t.row(tenant, StatsBySource, source).add(event(of[tenant]))
		t.row(tenant, StatsByType, o.Type).add(event(of[tenant]))
		if strings.Contains(o.Source, "/") {
			return
		}
	}
	// a tenant's event, but the operator's source
	t.row("", StatsBySource, o.Source).add(event(all))
	t.row("", StatsByType, o.Type).add(event(all))
}

// countOf returns the counts of one delivery, the zero DeliveryStatus if it has no record.
func countOf(d DeliveryStatus, receivedAt time.Time) Counts {
	c := Counts{Deliveries: 1, Attempts: d.Attempts}
	switch d.Status {
	case relay.Delivered, relay.Unneeded: // both have ended well
		c.Delivered = 1
		c.Ages.Count(d.UpdatedAt.Sub(receivedAt))
	case relay.Dead:
		c.Dead = 1
	default:
		c.Waiting = 1
	}
	return c
}

// waiting returns how many deliveries of the hour have not ended.
func (t *tally) waiting() int { return t.row("", StatsTotal, "").Waiting }

// statLine is a row, as documents have it.
type statLine struct {
	Tenant string  `json:"tenant,omitempty"` // of a tally only
	By     StatsBy `json:"by,omitempty"`     // of a tally only
	Name   string  `json:"name"`
	Counts
}

type statDoc struct {
	Version int        `json:"v"`
	AsOf    time.Time  `json:"asOf"`
	Settled bool       `json:"settled"`
	Lines   []statLine `json:"lines"`
}

type tallyDoc struct {
	Version int        `json:"v"`
	Hour    time.Time  `json:"hour"`
	Whole   bool       `json:"whole"`
	Cursor  cursorDoc  `json:"cursor"`
	Tries   int        `json:"tries,omitempty"`
	Due     time.Time  `json:"due,omitzero"`
	Lines   []statLine `json:"lines,omitempty"`
}

func (t *tally) lines() []statLine {
	var lines []statLine
	for k, c := range t.rows {
		lines = append(lines, statLine{Tenant: k.Tenant, By: k.By, Name: k.Name, Counts: *c})
	}
	slices.SortFunc(lines, func(a, b statLine) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.By, b.By),
			strings.Compare(a.Name, b.Name))
	})
	return lines
}

func tallyOf(d tallyDoc) *tally {
	t := &tally{hour: d.Hour.UTC(), rows: make(map[statRow]*Counts, len(d.Lines)), whole: d.Whole}
	for _, l := range d.Lines {
		t.rows[statRow{Tenant: l.Tenant, By: l.By, Name: l.Name}] = &l.Counts
	}
	return t
}

// pack compresses a document if it is worth it. The first byte tells.
func pack(b []byte) []byte {
	if z := format.Deflate(b); z != nil {
		return append([]byte{'z'}, z...)
	}
	return b
}

// maxUnpacked is the largest document that is unpacked.
const maxUnpacked = 16 << 20

func unpack(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0] == 'z' {
		return format.Inflate(b[1:], maxUnpacked)
	}
	return b, nil
}

// statStore keeps roll-ups and tallies.
type statStore struct{ Documents }

func statCollection(tenant string) string { return "stats/" + tenant }

// tallyCollection has the tally of the hour that the sweep looks at, under openTally, and those of
// hours that it looks at again, each under its hour.
const (
	tallyCollection = "stats-tally"
	openTally       = "open"
	againPrefix     = "again/"
)

// write writes the roll-ups of a whole hour. If it is done again, it replaces them: an hour has no
// fewer names then.
func (s statStore) write(ctx context.Context, t *tally, now time.Time) error {
	lines, number := t.lines(), 0
	for begin := 0; begin < len(lines); number++ {
		end := begin + 1
		for end < len(lines) && end-begin < statChunk && lines[end].Tenant == lines[begin].Tenant &&
			lines[end].By == lines[begin].By {
			end++
		}
		first := lines[begin]
		if begin == 0 || lines[begin-1].Tenant != first.Tenant || lines[begin-1].By != first.By {
			number = 0
		}
		d := statDoc{Version: format.Version, AsOf: now, Settled: t.waiting() == 0 && t.whole}
		for _, l := range lines[begin:end] {
			l.Tenant, l.By = "", ""
			d.Lines = append(d.Lines, l)
		}
		if _, err := s.PutDocument(ctx, statCollection(first.Tenant), Document{
			Key:       fmt.Sprintf("%s/%s/%04d", first.By, t.hour.UTC().Format(statHour), number),
			Body:      pack(format.Encode(d)),
			ExpiresAt: relay.Expiry(t.hour, statRetention),
		}, AnyVersion); err != nil {
			return fmt.Errorf("statistics of %s: %w", t.hour.Format(statHour), err)
		}
		begin = end
	}
	return nil
}

// saveTally keeps a tally under a key.
func (s statStore) saveTally(ctx context.Context, key string, d tallyDoc) error {
	d.Version = format.Version
	_, err := s.PutDocument(ctx, tallyCollection, Document{
		Key: key, Body: pack(format.Encode(d)),
		ExpiresAt: relay.Expiry(d.Hour, relay.DefaultRetention),
	}, AnyVersion)
	return err
}

// loadTally returns the tally under a key; false: there is none that can be read.
func (s statStore) loadTally(ctx context.Context, key string) (tallyDoc, bool, error) {
	d, err := s.Document(ctx, tallyCollection, key)
	if errors.Is(err, catalog.ErrNotFound) {
		return tallyDoc{}, false, nil
	}
	if err != nil {
		return tallyDoc{}, false, err
	}
	doc, err := decodeTally(d.Body)
	return doc, err == nil, nil
}

func decodeTally(b []byte) (doc tallyDoc, err error) {
	if b, err = unpack(b); err == nil {
		err = format.Decode(b, &doc, &doc.Version)
	}
	return doc, err
}

// StatsQuery asks for statistics.
type StatsQuery struct {
	Tenant   string
	By       StatsBy
	From, To time.Time     // hours that begin not before From, and before To; at most MaxStatsRange
	Step     time.Duration // whole hours; zero: one
	Names    []string      // none: all
}

// MaxStatsRange is the longest time of a StatsQuery. maxStatsItems is how many items it answers.
const (
	MaxStatsRange = 100 * 24 * time.Hour
	maxStatsItems = 5000
)

// StatsItem are the counts of a name in a step of time.
type StatsItem struct {
	At time.Time // UTC; the beginning of the step
	// of the source or endpoint, or the type; "" for StatsTotal and events without one
	Name string
	Counts
	// Settled tells that every delivery has ended and everything was counted. Otherwise the counts
	// are those of AsOf, the time of the last look.
	Settled bool
	AsOf    time.Time
	// Partial tells that the step has hours that no sweep has looked at yet. Of those, only the
	// accepted events are counted, and at least as many as Counts says.
	Partial bool
}

// ErrStats means that statistics cannot be given as asked.
var ErrStats = errors.New("relay: statistics")

// Statistics reads statistics. It is safe for concurrent use.
type Statistics struct {
	Documents Documents   // of the ledger
	Events    EventLister // for the hours that no sweep has looked at yet; nil: they are left out
}

// Stats returns what is asked for, oldest first, by name within a step. The counts of hours that a
// sweep has looked at are exact, as of that look. Error: ErrStats.
func (s Statistics) Stats(ctx context.Context, q StatsQuery) ([]StatsItem, error) {
	q.Step = cmp.Or(q.Step, time.Hour)
	q.From, q.To = q.From.UTC().Truncate(time.Hour), q.To.UTC()
	switch {
	case q.Step < time.Hour || q.Step%time.Hour != 0:
		return nil, fmt.Errorf("%w: step %v is not a number of whole hours", ErrStats, q.Step)
	case !q.From.Before(q.To):
		return nil, fmt.Errorf("%w: to is not after from", ErrStats)
	case q.To.Sub(q.From) > MaxStatsRange:
		return nil, fmt.Errorf("%w: %v is too long, at most %v", ErrStats, q.To.Sub(q.From),
			MaxStatsRange)
	case !slices.Contains([]StatsBy{
		StatsTotal, StatsBySource, StatsByEndpoint, StatsByType,
	}, q.By):
		return nil, fmt.Errorf("%w: by %q is none of total, source, endpoint and type", ErrStats,
			q.By)
	}
	found := statsFound{query: q, items: map[statsKey]*StatsItem{}}
	last := q.From
	prefix := string(q.By) + "/"
	for from, more := prefix+q.From.Format(statHour), true; more; more = from != "" {
		docs, next, err := s.Documents.DocumentsIn(ctx, statCollection(q.Tenant), DocumentRange{
			From: from, Before: prefix + q.To.Add(time.Hour-1).Format(statHour),
			Limit: MaxDocuments / 10,
		})
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			hour, err := found.addDocument(d, prefix)
			if err != nil {
				return nil, err
			}
			last = hour.Add(time.Hour)
		}
		from = next
		if len(found.items) > maxStatsItems {
			return nil, fmt.Errorf("%w: more than %d items; ask for less time, a longer step, or"+
				" fewer names", ErrStats, maxStatsItems)
		}
	}
	if err := s.addRecent(ctx, &found, last); err != nil {
		return nil, err
	}
	return found.sorted(), nil
}

type statsKey struct {
	at   time.Time
	name string
}

// statsFound collects the items of a query.
type statsFound struct {
	query StatsQuery
	items map[statsKey]*StatsItem
}

func (f *statsFound) addDocument(d Document, prefix string) (time.Time, error) {
	text, _, _ := strings.Cut(strings.TrimPrefix(d.Key, prefix), "/")
	hour, err := time.Parse(statHour, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: key %q: %w", format.ErrFormat, d.Key, err)
	}
	var doc statDoc
	body, err := unpack(d.Body)
	if err == nil {
		err = format.Decode(body, &doc, &doc.Version)
	}
	if err != nil {
		return time.Time{}, err
	}
	for _, l := range doc.Lines {
		if i := f.item(hour, l.Name); i != nil {
			i.add(l.Counts)
			i.Settled = i.Settled && doc.Settled
			if i.AsOf.IsZero() || doc.AsOf.Before(i.AsOf) {
				i.AsOf = doc.AsOf.UTC()
			}
		}
	}
	return hour, nil
}

// item returns the item of an hour and name, nil if it is not asked for.
func (f *statsFound) item(hour time.Time, name string) *StatsItem {
	if len(f.query.Names) > 0 && !slices.Contains(f.query.Names, name) {
		return nil
	}
	at := f.query.From.Add(hour.Sub(f.query.From).Truncate(f.query.Step))
	i := f.items[statsKey{at: at, name: name}]
	if i == nil {
		i = &StatsItem{At: at, Name: name, Settled: true}
		f.items[statsKey{at: at, name: name}] = i
	}
	return i
}

func (f *statsFound) sorted() []StatsItem {
	out := make([]StatsItem, 0, len(f.items))
	for _, i := range slices.SortedFunc(maps.Values(f.items), func(a, b *StatsItem) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Name, b.Name))
	}) {
		out = append(out, *i)
	}
	return out
}

// addRecent counts the accepted events of the hours from a time on, as far as a search may read.
func (s Statistics) addRecent(ctx context.Context, f *statsFound, from time.Time) error {
	q := f.query
	if s.Events == nil || q.By == StatsByEndpoint || !from.Before(q.To) {
		return nil
	}
	// A quiet relay has no roll-ups either; no look back further than the sweep may be behind.
	from = latest(from, time.Now().UTC().Add(-recentHours).Truncate(time.Hour))
	budget := newBudget()
	for page, more := relay.Page(""), from.Before(q.To); more; more = page != "" {
		keys, next, err := s.Events.EventsIn(ctx, EventQuery{
			Tenant: q.Tenant, From: from, To: q.To, Limit: jobChunk, Page: page,
		})
		if err != nil {
			return err
		}
		for _, k := range keys {
			name := ""
			switch q.By {
			case StatsBySource:
				name = ownName(q.Tenant, k.Source)
			case StatsByType:
				name = k.Type
			case StatsTotal, StatsByEndpoint:
			}
			if i := f.item(k.ReceivedAt.UTC().Truncate(time.Hour), name); i != nil {
				i.Accepted++
				i.Partial, i.Settled = true, false
			}
		}
		page = next
		if !budget.take(len(keys)) {
			return nil
		}
	}
	return nil
}

// recentHours is how far back hours without a roll-up are counted from the index.
const recentHours = 4 * time.Hour

// latest returns the later of two times.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
