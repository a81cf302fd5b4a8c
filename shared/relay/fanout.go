package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"webhook-relay/shared/route"
)

// DefaultRetention is how long events and deliveries stay on record, and how long a provider's delivery id is remembered.
const DefaultRetention = 30 * 24 * time.Hour

// BodiesOutlive is how much longer than the retention a large body must be kept, from when it was accepted: while the longest
// schedule lasts, with its jitter (16 days), then MaxQueueTime in the dead queue, and a day.
const BodiesOutlive = 16*24*time.Hour + MaxQueueTime + 24*time.Hour

// sendChunk is how many deliveries of one event are in memory as messages at once.
const sendChunk = 500

var errUnsettled = errors.New("relay: copy of a message that was routed a moment ago")

// FanoutConfig is what a Fanout works with. Zero durations mean their defaults.
type FanoutConfig struct {
	Subscriptions Subscriptions
	Events        Events
	Bodies        Bodies       // large bodies, for filters on data and the keys of ordered endpoints
	Delivery      Queue        // first attempts
	Ordered       OrderedQueue // deliveries of ordered endpoints; needed where there are such
	Poison        Queue        // messages that we cannot process
	Failures      Failures
	Reporter      Reporter
	Retention     time.Duration // DefaultRetention
	CacheTTL      time.Duration // DefaultCacheTTL
	Now           func() time.Time
	Random        func() float64 // in [0, 1), for jitter
}

// Fanout is the second stage: it records an event, once, and sends a delivery for each endpoint that wants it.
type Fanout struct {
	cfg    FanoutConfig
	routes *cache[routes]
	failed failures
	large  chan struct{} // held by the message whose large body is being matched
}

// routes are the subscriptions of one source, ready to be matched.
type routes struct {
	table     *route.Table
	endpoints []string         // of the table's rules, by index
	orders    map[string]Order // of the ordered among them
}

// NewFanout returns a Fanout. It calls nothing yet.
func NewFanout(cfg FanoutConfig) *Fanout {
	cfg.Retention = orDefault(cfg.Retention, DefaultRetention)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	f := &Fanout{cfg: cfg, large: make(chan struct{}, 1), failed: failures{counts: cfg.Failures, random: cfg.Random}}
	f.routes = newCache(cfg.CacheTTL, cfg.Now, func(ctx context.Context, source string) (routes, error) {
		return loadRoutes(ctx, cfg.Subscriptions, source)
	})
	return f
}

// Process routes a batch of ingest messages and returns one error for each: nil where the message is done with, whatever
// became of it, else an *Again that says when it is to be handed out again. One bad message fails alone.
func (f *Fanout) Process(ctx context.Context, msgs []Message) []error {
	work, cancel := beforeDeadline(ctx)
	defer cancel()
	routed := make([]routing, len(msgs))
	errs := eachMessage(msgs, func(i int) error {
		var err error
		routed[i], err = f.record(work, msgs[i])
		return err
	})
	f.send(work, msgs, routed, errs)
	return f.settle(ctx, msgs, routed, errs)
}

// settle decides what becomes of the messages that failed, and reports all.
func (f *Fanout) settle(ctx context.Context, msgs []Message, routed []routing, errs []error) []error {
	settled := make([]error, len(msgs))
	for i, m := range msgs {
		settled[i] = f.failed.settle(ctx, m, errs[i], func(ctx context.Context) error {
			return sendOne(ctx, f.cfg.Poison, Outgoing{Body: m.Body, Resent: true})
		})
		f.cfg.Reporter.Routed(ctx, routed[i].report(errs[i]))
	}
	return settled
}

// routing is one message on its way through Process.
type routing struct {
	event     Event
	result    RouteResult
	recorded  bool              // the event was not on record before
	endpoints []string          // deliveries to send
	lines     map[string]string // the groups of those to ordered endpoints
	raw       []byte            // the encoded event
	resent    bool              // they may have been sent before
}

func (r routing) report(err error) RouteReport {
	rep := RouteReport{
		EventID: r.event.ID, Source: r.event.Source, Type: r.event.Type, Result: r.result, Recorded: r.recorded, Endpoints: len(r.endpoints), Err: err,
	}
	if err != nil {
		rep.Result = RouteAgain
	}
	return rep
}

// record puts the event of m on record and tells which deliveries are to be sent.
func (f *Fanout) record(ctx context.Context, m Message) (routing, error) {
	e, err := DecodeEvent(m.Body)
	if err == nil {
		err = f.failed.suspect(ctx, m, m.Receives)
	}
	if err != nil {
		return routing{result: Poisoned}, sendOne(ctx, f.cfg.Poison, Outgoing{Body: m.Body, Resent: true})
	}
	r := routing{event: e, raw: m.Body, result: Routed}
	if r.endpoints, err = f.match(ctx, e); err != nil {
		return r, err
	}
	now := wholeMillis(f.cfg.Now())
	existing, err := f.cfg.Events.RecordEvent(ctx, EventRecord{
		Event: e, MessageID: m.ID, Endpoints: r.endpoints, RoutedAt: now, ExpiresAt: expiry(e.ReceivedAt, f.cfg.Retention),
	})
	if err != nil {
		return r, err
	}
	r.recorded = existing == nil
	if !r.recorded {
		if err := r.resume(existing, m, now); err != nil {
			return r, err
		}
	}
	if r.result == Routed && len(r.endpoints) == 0 {
		r.result = Unrouted
	}
	r.lines, err = f.lines(ctx, e, r.endpoints)
	return r, err
}

// resume decides what is left to do for a message whose event is on record already.
func (r *routing) resume(existing *EventRecord, m Message, now time.Time) error {
	switch {
	case existing.Receipt != r.event.Receipt: // the provider sent its webhook twice
		r.result, r.endpoints = Duplicate, nil
		return nil
	case existing.MessageID != m.ID && now.Sub(existing.RoutedAt) < settleTime:
		// A second copy of our own message: sent twice since an answer was lost, or redriven from the dead-letter
		// queue. The first may be in hand this very moment.
		return &Again{After: settleTime, Err: fmt.Errorf("%w: event %s", errUnsettled, r.event.ID)}
	}
	// We, or the first copy, died half-way: the deliveries that were meant then are sent again, and the deliverer drops the doubles.
	r.endpoints, r.resent = existing.Endpoints, true
	return nil
}

// send sends all deliveries of the batch together, so that a call carries as many as it can, and sets errs[i] for each
// message one of whose deliveries was not accepted.
func (f *Fanout) send(ctx context.Context, msgs []Message, routed []routing, errs []error) {
	plain := outbox{queue: f.cfg.Delivery, errs: errs, out: make([]Outgoing, 0, sendChunk), owners: make([]int, 0, sendChunk)}
	ordered := outbox{queue: f.cfg.Ordered, errs: errs}
	for i, r := range routed {
		if k := before(msgs, i); k >= 0 && errs[k] != nil && errs[i] == nil {
			errs[i] = &Again{Err: errBehind}
		}
		if errs[i] != nil {
			continue
		}
		for _, endpoint := range r.endpoints {
			first := task{Endpoint: endpoint, Attempt: 1}
			if group, ok := r.lines[endpoint]; ok {
				ordered.add(ctx, i, first.inLine(r.event, r.raw, group, r.resent))
			} else {
				plain.add(ctx, i, Outgoing{Body: first.encode(r.raw), Group: endpoint, Resent: r.resent})
			}
		}
	}
	plain.flush(ctx)
	ordered.flush(ctx)
}

// outbox gathers the messages for a queue.
type outbox struct {
	queue  Queue
	errs   []error // by message that they come from
	out    []Outgoing
	owners []int // which that is
}

func (o *outbox) add(ctx context.Context, owner int, m Outgoing) {
	o.out = append(o.out, m)
	if o.owners = append(o.owners, owner); len(o.out) == sendChunk {
		o.flush(ctx)
	}
}

func (o *outbox) flush(ctx context.Context) {
	if len(o.out) == 0 {
		return
	}
	for k, err := range o.queue.Send(ctx, o.out) {
		if err != nil {
			o.errs[o.owners[k]] = err
		}
	}
	o.out, o.owners = o.out[:0], o.owners[:0]
}

// match returns the endpoints whose subscriptions want e, each once, in the order of the catalog.
func (f *Fanout) match(ctx context.Context, e Event) ([]string, error) {
	rs, err := f.routes.get(ctx, e.Source)
	if err != nil {
		return nil, err
	}
	matched, err := f.matchRoutes(ctx, rs, e)
	if err != nil {
		return nil, err
	}
	endpoints := make([]string, 0, len(matched))
	seen := make(map[string]bool, len(matched))
	for _, i := range matched {
		if name := rs.endpoints[i]; !seen[name] {
			seen[name] = true
			endpoints = append(endpoints, name)
		}
	}
	return endpoints, nil
}

// matchRoutes returns the indexes of the rules that e matches. A large body is read only if one of them has to see it.
func (f *Fanout) matchRoutes(ctx context.Context, rs routes, e Event) (matched []int, err error) {
	err = f.look(ctx, e, rs.table.NeedsBody(e.Type), func(body []byte) {
		matched = rs.table.Match(route.Event{Type: e.Type, Source: e.Source, Trust: string(e.Trust), Header: e.Header, Body: body})
	})
	return matched, err
}

// lines returns the groups of the deliveries to those endpoints that are ordered.
func (f *Fanout) lines(ctx context.Context, e Event, endpoints []string) (map[string]string, error) {
	rs, err := f.routes.get(ctx, e.Source)
	if err != nil || len(rs.orders) == 0 {
		return nil, err
	}
	keyed := slices.ContainsFunc(endpoints, func(name string) bool { return rs.orders[name].Key != "" })
	groups := map[string]string{}
	err = f.look(ctx, e, keyed, func(body []byte) {
		for _, name := range endpoints {
			if o, ordered := rs.orders[name]; ordered {
				groups[name] = o.group(name, body)
			}
		}
	})
	return groups, err
}

// look shows the body of e. A large one is read only if it is needed, and looked at one at a time: what is made of it may be many times its
// size, and a function's memory has no room for a batch of those.
func (f *Fanout) look(ctx context.Context, e Event, needed bool, at func(body []byte)) error {
	body := e.Body
	if e.BodyRef != nil && needed {
		select {
		case f.large <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-f.large }()
		var err error
		if body, err = f.cfg.Bodies.Get(ctx, e.BodyRef.Key); err != nil {
			return err
		}
	}
	at(body)
	return nil
}

func loadRoutes(ctx context.Context, subscriptions Subscriptions, source string) (routes, error) {
	subs, err := subscriptions.Subscriptions(ctx, source)
	if err != nil {
		return routes{}, err
	}
	rules := make([]route.Rule, len(subs))
	endpoints := make([]string, len(subs))
	orders := map[string]Order{}
	for i, s := range subs {
		rules[i], endpoints[i] = route.Rule{Types: s.Types}, s.Endpoint
		if s.Order.On {
			orders[s.Endpoint] = s.Order
		}
		if s.Filter == "" {
			continue
		}
		if rules[i].Filter, err = route.ParseFilter([]byte(s.Filter)); err != nil {
			return routes{}, fmt.Errorf("subscription of %s to %s: %w", source, s.Endpoint, err)
		}
	}
	return routes{route.New(rules), endpoints, orders}, nil
}

// expiry is when what happened at t may be forgotten, in whole seconds as DynamoDB's time to live wants it.
func expiry(t time.Time, retention time.Duration) time.Time {
	return t.Add(retention).UTC().Truncate(time.Second).Add(time.Second)
}
