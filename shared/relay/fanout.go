package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/route"
)

// DefaultRetention is how long events and deliveries stay on record, and how long a provider's delivery id is remembered.
const DefaultRetention = 30 * 24 * time.Hour

// sendChunk is how many deliveries of one event are in memory as messages at once.
const sendChunk = 500

var errUnsettled = errors.New("relay: copy of a message that was routed a moment ago")

// FanoutConfig is what a Fanout works with. Zero durations mean their defaults.
type FanoutConfig struct {
	Subscriptions Subscriptions
	Events        Events
	Delivery      Queue // first attempts
	Poison        Queue // messages that cannot be read
	Reporter      Reporter
	Retention     time.Duration // DefaultRetention
	CacheTTL      time.Duration // DefaultCacheTTL
	Now           func() time.Time
}

// Fanout is the second stage: it records an event, once, and sends a delivery for each endpoint that wants it.
type Fanout struct {
	cfg    FanoutConfig
	routes *cache[routes]
}

// routes are the subscriptions of one source, ready to be matched.
type routes struct {
	table     *route.Table
	endpoints []string // of the table's rules, by index
}

// NewFanout returns a Fanout. It calls nothing yet.
func NewFanout(cfg FanoutConfig) *Fanout {
	cfg.Retention = orDefault(cfg.Retention, DefaultRetention)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Fanout{cfg: cfg}
	f.routes = newCache(cfg.CacheTTL, cfg.Now, f.loadRoutes)
	return f
}

// Process routes a batch of ingest messages and returns one error for each: nil where the message is done with, whatever
// became of it, else why it is to be handed out again. One bad message fails alone.
func (f *Fanout) Process(ctx context.Context, msgs []Message) []error {
	routed := make([]routing, len(msgs))
	errs := eachMessage(msgs, func(i int) error {
		var err error
		routed[i], err = f.record(ctx, msgs[i])
		return err
	})
	f.send(ctx, routed, errs)
	for i, r := range routed {
		f.cfg.Reporter.Routed(ctx, r.report(errs[i]))
	}
	return errs
}

// routing is one message on its way through Process.
type routing struct {
	event     Event
	result    RouteResult
	endpoints []string // deliveries to send
	raw       []byte   // the encoded event
	resent    bool     // they may have been sent before
}

func (r routing) report(err error) RouteReport {
	rep := RouteReport{EventID: r.event.ID, Source: r.event.Source, Type: r.event.Type, Result: r.result, Endpoints: len(r.endpoints), Err: err}
	if err != nil {
		rep.Result, rep.Endpoints = RouteAgain, 0
	}
	return rep
}

// record puts the event of m on record and tells which deliveries are to be sent.
func (f *Fanout) record(ctx context.Context, m Message) (routing, error) {
	e, err := DecodeEvent(m.Body)
	if err != nil {
		return routing{result: Poisoned}, sendOne(ctx, f.cfg.Poison, Outgoing{Body: m.Body})
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
	if existing != nil {
		if err := r.resume(existing, m, now); err != nil {
			return r, err
		}
	}
	if r.result == Routed && len(r.endpoints) == 0 {
		r.result = Unrouted
	}
	return r, nil
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
		return fmt.Errorf("%w: event %s", errUnsettled, r.event.ID)
	}
	// We, or the first copy, died half-way: the deliveries that were meant then are sent again, and the deliverer drops the doubles.
	r.endpoints, r.resent = existing.Endpoints, true
	return nil
}

// send sends all deliveries of the batch together, so that a call carries as many as it can, and sets errs[i] for each
// message one of whose deliveries was not accepted.
func (f *Fanout) send(ctx context.Context, routed []routing, errs []error) {
	out := make([]Outgoing, 0, sendChunk)
	owners := make([]int, 0, sendChunk)
	flush := func() {
		for k, err := range f.cfg.Delivery.Send(ctx, out) {
			if err != nil {
				errs[owners[k]] = err
			}
		}
		out, owners = out[:0], owners[:0]
	}
	for i, r := range routed {
		if errs[i] != nil {
			continue
		}
		for _, endpoint := range r.endpoints {
			out = append(out, Outgoing{
				Body:   task{Endpoint: endpoint, Attempt: 1}.encode(r.raw),
				Group:  endpoint,
				Resent: r.resent,
			})
			if owners = append(owners, i); len(out) == sendChunk {
				flush()
			}
		}
	}
	if len(out) > 0 {
		flush()
	}
}

// match returns the endpoints whose subscriptions want e, each once, in the order of the catalog.
func (f *Fanout) match(ctx context.Context, e Event) ([]string, error) {
	rs, err := f.routes.get(ctx, e.Source)
	if err != nil {
		return nil, err
	}
	matched := rs.table.Match(e.Type)
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

func (f *Fanout) loadRoutes(ctx context.Context, source string) (routes, error) {
	subs, err := f.cfg.Subscriptions.Subscriptions(ctx, source)
	if err != nil {
		return routes{}, err
	}
	rules := make([]route.Rule, len(subs))
	endpoints := make([]string, len(subs))
	for i, s := range subs {
		rules[i], endpoints[i] = route.Rule{Types: s.Types}, s.Endpoint
	}
	return routes{route.New(rules), endpoints}, nil
}

// expiry is when what happened at t may be forgotten, in whole seconds as DynamoDB's time to live wants it.
func expiry(t time.Time, retention time.Duration) time.Time {
	return t.Add(retention).UTC().Truncate(time.Second).Add(time.Second)
}
