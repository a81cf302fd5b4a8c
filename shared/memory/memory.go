// Package memory holds the ports of package relay in memory: for tests of the core, which run thousands of them in virtual time.
// Nothing survives the process.
//
// The zero value of each type is ready to use, and all are safe for concurrent use. They pass the suites of package conformance, so
// what a test sees here it sees on the durable adapters.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"webhook-relay/shared/breaker"
	"webhook-relay/shared/relay"
)

// Queue is a queue that hands messages out in the order in which they become visible. With Ordered set it is a relay.OrderedQueue: it hands out those
// of a group in the order in which they were sent, and none while one of them is in hand that was handed out before.
type Queue struct {
	Visibility time.Duration // how long a message is out of sight once received; zero: 30 s
	Ordered    bool

	mu       sync.Mutex
	messages []*stored
	last     int
	names    map[string]time.Time // of an ordered queue's messages, and when they were accepted
}

type stored struct {
	relay.Message
	group   string
	visible time.Time
}

const (
	// MaxMessageBytes is the largest body that is accepted, as in SQS.
	MaxMessageBytes = 1 << 20
	// onceFor is how long an ordered queue knows a name, as in SQS.
	onceFor = 5 * time.Minute
)

// Send accepts each message that is not too large, and in an ordered queue has a group, a name and no delay.
func (q *Queue) Send(_ context.Context, msgs []relay.Outgoing) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(msgs))
	behind := map[string]error{}
	for i, m := range msgs {
		if errs[i] = q.check(m, behind[m.Group]); errs[i] != nil {
			if q.Ordered {
				behind[m.Group] = errs[i]
			}
			continue
		}
		if q.Ordered && time.Since(q.names[m.Once]) < onceFor {
			continue
		}
		q.last++
		kept := &stored{
			relay.Message{ID: strconv.Itoa(q.last), Body: bytes.Clone(m.Body), Resent: m.Resent}, m.Group, time.Now().Add(m.Delay),
		}
		if q.Ordered {
			kept.Group = m.Group
			if q.names == nil {
				q.names = map[string]time.Time{}
			}
			q.names[m.Once] = time.Now()
		}
		q.messages = append(q.messages, kept)
	}
	return errs
}

func (q *Queue) check(m relay.Outgoing, behind error) error {
	switch {
	case len(m.Body) > MaxMessageBytes:
		return fmt.Errorf("memory: message of %d bytes, at most %d", len(m.Body), MaxMessageBytes)
	case q.Ordered && (m.Group == "" || m.Once == "" || m.Delay != 0):
		return fmt.Errorf("memory: message for an ordered queue of group %q, name %q and delay %v", m.Group, m.Once, m.Delay)
	case behind != nil:
		return fmt.Errorf("memory: one before it in its group: %w", behind)
	}
	return nil
}

// Receive hands out up to limit visible messages, and hides them for the visibility timeout.
func (q *Queue) Receive(_ context.Context, limit int) ([]relay.Message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if !q.Ordered {
		slices.SortStableFunc(q.messages, func(a, b *stored) int { return a.visible.Compare(b.visible) })
	}
	free := q.groupsDue()
	var out []relay.Message
	for _, m := range q.messages {
		if len(out) == limit {
			break
		}
		if m.visible.After(now) || q.Ordered && free[m.group].After(now) {
			continue
		}
		m.Receives++
		m.visible = now.Add(cmp.Or(q.Visibility, 30*time.Second))
		out = append(out, m.Message)
	}
	return out, nil
}

// groupsDue is from when on the next message of each group may be handed out: in an ordered queue none of its messages is in hand then.
func (q *Queue) groupsDue() map[string]time.Time {
	due := map[string]time.Time{}
	for _, m := range q.messages {
		at, known := due[m.group]
		if later := m.visible.After(at); !known || later == q.Ordered {
			due[m.group] = m.visible
		}
	}
	return due
}

// inHand returns a message that was handed out as m, and has not become visible again; nil if there is none.
func (q *Queue) inHand(m relay.Message) *stored {
	for _, s := range q.messages {
		if s.ID == m.ID && s.Receives == m.Receives && s.visible.After(time.Now()) {
			return s
		}
	}
	return nil
}

// Hold keeps a message that is in hand out of sight for a time from now on.
func (q *Queue) Hold(_ context.Context, m relay.Message, d time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.inHand(m)
	if s == nil || d > relay.MaxHold {
		return fmt.Errorf("memory: message %s is not in hand, or %v too long to hold it", m.ID, d)
	}
	s.visible = time.Now().Add(d)
	return nil
}

// Ack removes a message; from an ordered queue only while it is in hand.
func (q *Queue) Ack(_ context.Context, m relay.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.Ordered && q.inHand(m) == nil {
		return fmt.Errorf("memory: message %s is not in hand", m.ID)
	}
	q.messages = slices.DeleteFunc(q.messages, func(s *stored) bool { return s.ID == m.ID })
	return nil
}

// Len is how many messages are in the queue, visible or not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

// Backlog is how many messages are visible, or in an ordered queue how many there are.
func (q *Queue) Backlog(context.Context) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, now := 0, time.Now()
	for _, m := range q.messages {
		if q.Ordered || !m.visible.After(now) {
			n++
		}
	}
	return n, nil
}

// List returns all messages, visible or not, and hands out none of them.
func (q *Queue) List() []relay.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	msgs := make([]relay.Message, len(q.messages))
	for i, m := range q.messages {
		msgs[i] = m.Message
	}
	return msgs
}

// Due is when the next message may be handed out; false if there is none.
func (q *Queue) Due() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(slices.Collect(maps.Values(q.groupsDue())), time.Time.Compare), true
}

// Move sends every message of q to another queue as a new one, which is how SQS redrives dead letters.
func (q *Queue) Move(to *Queue) {
	q.mu.Lock()
	moved := q.messages
	q.messages = nil
	q.mu.Unlock()
	for _, m := range moved {
		to.Send(context.Background(), []relay.Outgoing{{Body: m.Body, Group: m.group, Resent: m.Resent}})
	}
}

// Scheduler sends a message to Queue at any time ahead.
type Scheduler struct {
	Queue *Queue

	mu    sync.Mutex
	names map[string]time.Time
}

// Schedule puts msg into the queue, visible from the given time on.
func (s *Scheduler) Schedule(ctx context.Context, name string, at time.Time, msg relay.Outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pending, ok := s.names[name]; ok && pending.After(time.Now()) {
		return nil
	}
	if s.names == nil {
		s.names = map[string]time.Time{}
	}
	s.names[name] = at
	msg.Delay = time.Until(at)
	return s.Queue.Send(ctx, []relay.Outgoing{msg})[0]
}

// Bodies keeps bodies.
type Bodies struct {
	mu     sync.Mutex
	bodies map[string][]byte
}

// Put keeps body.
func (b *Bodies) Put(_ context.Context, key string, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bodies == nil {
		b.bodies = map[string][]byte{}
	}
	b.bodies[key] = bytes.Clone(body)
	return nil
}

// Get returns what Put kept.
func (b *Bodies) Get(_ context.Context, key string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, ok := b.bodies[key]
	if !ok {
		return nil, fmt.Errorf("body %s: %w", key, relay.ErrNotFound)
	}
	return bytes.Clone(body), nil
}

// Catalog is a catalog.
type Catalog struct {
	mu       sync.Mutex
	catalog  relay.Catalog
	revision int64
}

// LoadCatalog returns the catalog.
func (c *Catalog) LoadCatalog(context.Context) (relay.Catalog, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.catalog, c.revision, nil
}

// ReplaceCatalog replaces the catalog.
func (c *Catalog) ReplaceCatalog(_ context.Context, next relay.Catalog, base int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if base != c.revision {
		return fmt.Errorf("catalog is at revision %d, not %d: %w", c.revision, base, relay.ErrConflict)
	}
	slices.SortFunc(next.Sources, func(a, b relay.Source) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(next.Endpoints, func(a, b relay.Endpoint) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(next.Subscriptions, func(a, b relay.Subscription) int { return cmp.Compare(a.Source, b.Source) })
	c.catalog, c.revision = next, base+1
	return nil
}

// Names lists the catalog's names.
func (c *Catalog) Names(context.Context) (sources, endpoints []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.catalog.Sources {
		sources = append(sources, s.Name)
	}
	for _, e := range c.catalog.Endpoints {
		endpoints = append(endpoints, e.Name)
	}
	return sources, endpoints, nil
}

// Source finds a source.
func (c *Catalog) Source(_ context.Context, name string) (relay.Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return find(c.catalog.Sources, "source", name, func(s relay.Source) string { return s.Name })
}

// LearnSecret gives a source without secrets one.
func (c *Catalog) LearnSecret(_ context.Context, source, secret string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := find(c.catalog.Sources, "source", source, func(s relay.Source) string { return s.Name })
	if err != nil {
		return err
	}
	if slices.Equal(s.Secrets, []string{secret}) {
		return nil
	}
	if len(s.Secrets) > 0 {
		return fmt.Errorf("source %s has a secret: %w", source, relay.ErrConflict)
	}
	c.catalog.Sources = slices.Clone(c.catalog.Sources) // those that were loaded before stay as they are
	i := slices.IndexFunc(c.catalog.Sources, func(s relay.Source) bool { return s.Name == source })
	c.catalog.Sources[i].Secrets = []string{secret}
	return nil
}

// Endpoint finds an endpoint.
func (c *Catalog) Endpoint(_ context.Context, name string) (relay.Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return find(c.catalog.Endpoints, "endpoint", name, func(e relay.Endpoint) string { return e.Name })
}

// Subscriptions finds the subscriptions of a source.
func (c *Catalog) Subscriptions(_ context.Context, source string) ([]relay.Subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.catalog.Subscriptions), func(s relay.Subscription) bool { return s.Source != source }), nil
}

func find[T any](in []T, kind, name string, nameOf func(T) string) (T, error) {
	if i := slices.IndexFunc(in, func(v T) bool { return nameOf(v) == name }); i >= 0 {
		return in[i], nil
	}
	var none T
	return none, fmt.Errorf("%s %s: %w", kind, name, relay.ErrNotFound)
}

// Ledger is a ledger.
type Ledger struct {
	mu         sync.Mutex
	events     map[string]relay.EventRecord
	deliveries map[[2]string]relay.Delivery
}

// RecordEvent records r unless there is an unexpired record with its id.
func (l *Ledger) RecordEvent(_ context.Context, r relay.EventRecord) (*relay.EventRecord, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if existing, ok := l.events[r.ID]; ok && existing.ExpiresAt.After(time.Now()) {
		return &existing, nil
	}
	if l.events == nil {
		l.events = map[string]relay.EventRecord{}
	}
	l.events[r.ID] = r
	return nil, nil //nolint:nilnil // nil is the port's word for "no such record was there"
}

// Delivery returns a delivery.
func (l *Ledger) Delivery(_ context.Context, eventID, endpoint string) (relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.delivery(eventID, endpoint)
	if !ok {
		return relay.Delivery{}, fmt.Errorf("delivery of %s to %s: %w", eventID, endpoint, relay.ErrNotFound)
	}
	d.History = slices.Clone(d.History)
	return d, nil
}

// SaveDelivery writes d if the stored one has prior attempts.
func (l *Ledger) SaveDelivery(_ context.Context, d relay.Delivery, prior int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, _ := l.delivery(d.EventID, d.Endpoint); have.Attempts != prior {
		return fmt.Errorf("delivery of %s to %s has %d attempts, not %d: %w", d.EventID, d.Endpoint, have.Attempts, prior, relay.ErrConflict)
	}
	if l.deliveries == nil {
		l.deliveries = map[[2]string]relay.Delivery{}
	}
	d.History = slices.Clone(d.History)
	l.deliveries[[2]string{d.EventID, d.Endpoint}] = d
	return nil
}

// delivery looks an unexpired delivery up; the zero value has no attempts. The caller holds the lock.
func (l *Ledger) delivery(eventID, endpoint string) (relay.Delivery, bool) {
	d, ok := l.deliveries[[2]string{eventID, endpoint}]
	if !ok || !d.ExpiresAt.After(time.Now()) {
		return relay.Delivery{}, false
	}
	return d, true
}

// Event returns an event and its deliveries.
func (l *Ledger) Event(_ context.Context, id string) (relay.EventRecord, []relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.events[id]
	if !ok || !r.ExpiresAt.After(time.Now()) {
		return relay.EventRecord{}, nil, fmt.Errorf("event %s: %w", id, relay.ErrNotFound)
	}
	return r, l.deliveriesOf(id), nil
}

// EventsBySource lists a source's events of an hour, on one page.
func (l *Ledger) EventsBySource(_ context.Context, source string, t time.Time, _ relay.Page) ([]relay.EventRecord, relay.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []relay.EventRecord
	for r := range maps.Values(l.events) {
		if r.Source == source && r.ReceivedAt.Truncate(time.Hour).Equal(t.Truncate(time.Hour)) && r.ExpiresAt.After(time.Now()) {
			r.Body, r.Header = nil, nil
			out = append(out, r)
		}
	}
	return out, "", nil
}

// OpenDeliveries lists an endpoint's deliveries that wait or are dead, on one page.
func (l *Ledger) OpenDeliveries(_ context.Context, endpoint string, status relay.Status, _ relay.Page) ([]relay.Delivery, relay.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ds := l.matching(func(d relay.Delivery) bool { return d.Endpoint == endpoint && d.Status == status })
	slices.SortFunc(ds, func(a, b relay.Delivery) int {
		if status == relay.Waiting {
			return a.NextAt.Compare(b.NextAt)
		}
		return a.UpdatedAt.Compare(b.UpdatedAt)
	})
	return ds, "", nil
}

// Overdue lists an endpoint's deliveries that were due before a time, on one page.
func (l *Ledger) Overdue(ctx context.Context, endpoint string, before time.Time, _ relay.Page) ([]relay.Delivery, relay.Page, error) {
	waiting, _, _ := l.OpenDeliveries(ctx, endpoint, relay.Waiting, "") // never fails
	return slices.DeleteFunc(waiting, func(d relay.Delivery) bool { return !d.NextAt.Before(before) }), "", nil
}

// DeliveriesOf returns an event's deliveries.
func (l *Ledger) DeliveriesOf(_ context.Context, id string) ([]relay.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deliveriesOf(id), nil
}

func (l *Ledger) deliveriesOf(id string) []relay.Delivery {
	ds := l.matching(func(d relay.Delivery) bool { return d.EventID == id })
	slices.SortFunc(ds, func(a, b relay.Delivery) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return ds
}

func (l *Ledger) matching(want func(relay.Delivery) bool) []relay.Delivery {
	var out []relay.Delivery
	for d := range maps.Values(l.deliveries) {
		if want(d) && d.ExpiresAt.After(time.Now()) {
			out = append(out, d)
		}
	}
	return out
}

// States keeps the states of endpoints in trouble.
type States struct {
	mu     sync.Mutex
	states map[string]stateOf
}

type stateOf struct {
	breaker.State
	revision int64
}

// EndpointState returns an endpoint's state and its revision.
func (s *States) EndpointState(_ context.Context, endpoint string) (breaker.State, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.states[endpoint]
	return found.State, found.revision, nil
}

// SaveEndpointState writes a state if the stored one has revision prior.
func (s *States) SaveEndpointState(_ context.Context, endpoint string, state breaker.State, prior int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.states[endpoint].revision != prior {
		return fmt.Errorf("state of endpoint %s is not of revision %d: %w", endpoint, prior, relay.ErrConflict)
	}
	if s.states == nil {
		s.states = map[string]stateOf{}
	}
	s.states[endpoint] = stateOf{state, prior + 1}
	return nil
}

// Slots keeps who holds which slot. A host that is a single process needs no other: nobody is at work once it has died.
type Slots struct {
	mu      sync.Mutex
	holders map[slotKey]holder
}

type slotKey struct {
	endpoint string
	number   int
}

type holder struct {
	name  string
	until time.Time
}

// ClaimSlot gives a slot to a holder, unless another has it.
func (s *Slots) ClaimSlot(_ context.Context, endpoint string, number int, name string, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := slotKey{endpoint, number}
	if h := s.holders[key]; h.name != name && h.until.After(time.Now()) {
		return false, nil
	}
	if s.holders == nil {
		s.holders = map[slotKey]holder{}
	}
	s.holders[key] = holder{name, until}
	return true, nil
}

// ReleaseSlot takes a slot from its holder.
func (s *Slots) ReleaseSlot(_ context.Context, endpoint string, number int, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := (slotKey{endpoint, number}); s.holders[key].name == name {
		delete(s.holders, key)
	}
	return nil
}

// Quotas keeps lines of time. A host that is a single process needs no other: when it starts again it knows of no place that was kept, so that
// a rate may be exceeded for as long as places were kept ahead.
type Quotas struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

// Reserve reserves the next piece of a line.
func (q *Quotas) Reserve(_ context.Context, line string, d time.Duration, earliest, latest time.Time) (time.Time, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := q.ends[line]
	if from.Before(earliest) {
		from = earliest.UTC().Truncate(time.Microsecond)
	}
	if from.After(latest) {
		return time.Time{}, false, nil
	}
	if q.ends == nil {
		q.ends = map[string]time.Time{}
	}
	q.ends[line] = from.Add(d.Truncate(time.Microsecond))
	return from, true, nil
}
