package relay

import (
	"cmp"
	"context"
	"webhook-relay/shared/relay/catalog"

	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// DefaultRetention is how long events and deliveries stay on record, and how long a provider's delivery id is remembered.
const DefaultRetention = 30 * 24 * time.Hour

// SweepDelay is how long after its acceptance an event is looked at by a sweep, at the earliest. A message that makes us fail comes back for half an
// hour before it is set aside; the rest is for an outage of ours.
const SweepDelay = 2 * time.Hour

// MaxEndpoints is to how many endpoints an event can be routed.
const MaxEndpoints = 10_000

// DefaultChunk is how many deliveries are in memory as messages at once.
const DefaultChunk = 500

const (
	// sendChunkBytes bounds the bytes of a chunk.
	sendChunkBytes = 8 << 20
	// sendReserve is how much of an invocation must be left to begin another chunk. At 256 MiB a chunk takes about a second.
	sendReserve = 10 * time.Second
	// saveReserve is kept for noting how far it got.
	saveReserve = 3 * time.Second
)

// ErrUnfinished: an event has more deliveries than one invocation can send. Its message must be handed out again; what has been
// sent is on record, and the rest is sent then.
var ErrUnfinished = errors.New("relay: not all deliveries of the event have been sent yet")

// ErrUndecided: whether a subscription wants an event cannot be told, see route.Result.
var ErrUndecided = errors.New("relay: filter not decided")

// BodiesOutlive is how much longer than the retention a large body must be kept, from when it was accepted: while the longest
// schedule lasts, with its jitter (16 days), then MaxQueueTime in the dead queue, and a day.
const BodiesOutlive = 16*24*time.Hour + MaxQueueTime + 24*time.Hour

var errUnsettled = errors.New("relay: copy of a message that was routed a moment ago")

// FanoutConfig is what a Fanout works with. Zero durations mean their defaults.
type FanoutConfig struct {
	Subscriptions catalog.Subscriptions
	Events        Events
	Bodies        Bodies       // large bodies, for filters on data and the keys of ordered endpoints
	Delivery      Queue        // first attempts
	Ordered       OrderedQueue // deliveries of ordered endpoints; needed where there are such
	Poison        Queue        // messages that we cannot process
	Failures      Failures
	Reporter      Reporter
	Retention     time.Duration // DefaultRetention
	CacheTTL      time.Duration // DefaultCacheTTL
	Chunk         int           // how many deliveries are in memory as messages at once; DefaultChunk
	Now           func() time.Time
	Random        func() float64 // in [0, 1), for jitter
}

// Fanout is the second stage: it records an event, once, and sends a delivery for each endpoint that wants it: up to MaxEndpoints,
// over several invocations if they are many.
type Fanout struct {
	cfg    FanoutConfig
	router *Router
	failed failures
}

// NewFanout returns a Fanout. It calls nothing yet. The error names what cfg lacks.
func NewFanout(cfg FanoutConfig) (*Fanout, error) {
	if err := Lacks("FanoutConfig", map[string]bool{
		"Subscriptions": cfg.Subscriptions == nil, "Events": cfg.Events == nil, "Bodies": cfg.Bodies == nil, "Delivery": cfg.Delivery == nil,
		"Poison": cfg.Poison == nil, "Failures": cfg.Failures == nil, "Reporter": cfg.Reporter == nil,
	}); err != nil {
		return nil, err
	}
	cfg.Retention, cfg.Chunk = cmp.Or(cfg.Retention, DefaultRetention), cmp.Or(cfg.Chunk, DefaultChunk)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	return &Fanout{
		cfg:    cfg,
		router: NewRouter(cfg.Subscriptions, cfg.Bodies, cfg.CacheTTL, cfg.Now),
		failed: failures{counts: cfg.Failures, random: cfg.Random},
	}, nil
}

// Process routes a batch of ingest messages and returns what is to become of each: those that are done with are acknowledged, the others are to be
// handed out again, for ErrUnfinished or a failure. One bad message fails
// alone. ctx must have the invocation's deadline: it ends in time before it.
func (f *Fanout) Process(ctx context.Context, msgs []Message) []Action {
	work, cancel := beforeDeadline(ctx)
	defer cancel()
	routed := make([]routing, len(msgs))
	ends := eachMessage(msgs, func(i int) (action Action, err error) {
		routed[i], action, err = f.record(work, msgs[i])
		return action, err
	})
	f.send(work, msgs, routed, ends)
	return f.finish(ctx, msgs, routed, ends)
}

// finish decides what becomes of the messages, and reports all.
func (f *Fanout) finish(ctx context.Context, msgs []Message, routed []routing, ends []handled) []Action {
	actions := make([]Action, len(msgs))
	for i, m := range msgs {
		actions[i] = f.failed.decide(ctx, m, ends[i].action, ends[i].err, func(ctx context.Context) error {
			return Send(ctx, f.cfg.Poison, Outgoing{Body: m.Body, Resent: true})
		})
		f.cfg.Reporter.Routed(ctx, routed[i].report(cmp.Or(ends[i].err, ends[i].action.Err)))
	}
	return actions
}

// routing is one message on its way through Process.
type routing struct {
	event     Event
	result    RouteResult
	recorded  bool              // the event was not on record before
	endpoints []string          // deliveries to send
	undecided []string          // endpoints whose filters could not be told of
	lines     map[string]string // the groups of those to ordered endpoints
	raw       []byte            // the encoded event
	resent    bool              // they may have been sent before
	sent      int               // to so many of endpoints, from the first on, they have been
}

func (r routing) report(err error) RouteReport {
	rep := RouteReport{
		EventID: r.event.ID, Source: r.event.Source, Type: r.event.Type, Result: r.result, Recorded: r.recorded, Endpoints: len(r.endpoints),
		Undecided: r.undecided, Err: err,
	}
	switch {
	case errors.Is(err, ErrUnfinished):
		rep.Result, rep.Err = Unfinished, nil
	case err != nil:
		rep.Result = RouteAgain
	}
	return rep
}

// record puts the event of m on record and tells which deliveries are to be sent.
func (f *Fanout) record(ctx context.Context, m Message) (routing, Action, error) {
	e, err := DecodeEvent(m.Body)
	if err == nil {
		err = f.failed.suspect(ctx, m, m.Receives)
	}
	if err != nil {
		return routing{result: Poisoned}, Action{}, Send(ctx, f.cfg.Poison, Outgoing{Body: m.Body, Resent: true})
	}
	r := routing{event: e, raw: m.Body, result: Routed}
	seen, err := f.router.look(ctx, e)
	if err != nil {
		return r, Action{}, err
	}
	r.endpoints, r.undecided, r.lines = seen.wanted, seen.undecided, seen.lines
	now := wholeMillis(f.cfg.Now())
	existing, err := f.cfg.Events.RecordEvent(ctx, EventRecord{
		Event: e, MessageID: m.ID, Endpoints: r.endpoints, RoutedAt: now, ExpiresAt: f.expires(e, now),
	})
	if err != nil {
		return r, Action{}, err
	}
	var action Action
	if r.recorded = existing == nil; !r.recorded {
		action = r.resume(existing, m, now)
	}
	if r.result == Routed && len(r.endpoints) == 0 {
		r.result = Unrouted
	}
	return r, action, nil
}

// resume decides what is left to do for a message whose event is on record already.
func (r *routing) resume(existing *EventRecord, m Message, now time.Time) Action {
	switch {
	case existing.Receipt != r.event.Receipt: // the provider sent its webhook twice
		r.result, r.endpoints = Duplicate, nil
		return Action{}
	case existing.MessageID != m.ID && now.Sub(existing.RoutedAt) < settleTime:
		// A second copy of our own message: sent twice since an answer was lost, or redriven from the dead-letter
		// queue. The first may be in hand this very moment.
		return Action{Retry: true, After: settleTime, Err: fmt.Errorf("%w: event %s", errUnsettled, r.event.ID)}
	}
	// We, or the first copy, died half-way: the deliveries that were meant then are sent again, and the deliverer drops the doubles.
	r.endpoints, r.sent, r.resent = existing.Endpoints, min(existing.Sent, len(existing.Endpoints)), true
	return Action{}
}

// expires is when an event that is routed now may be forgotten: the retention after it was accepted. What still waits then was kept for longer by
// the deliverer or the sweeper. The sweeper does not look at an event that is routed late: that one is kept while its messages may lie in a queue.
func (f *Fanout) expires(e Event, now time.Time) time.Time {
	at := Expiry(e.ReceivedAt, f.cfg.Retention)
	if late := Expiry(now, MaxQueueTime); now.Sub(e.ReceivedAt) > SweepDelay && late.After(at) {
		return late
	}
	return at
}

// Expiry is when what happened at t may be forgotten, in whole seconds as DynamoDB's time to live wants it.
func Expiry(t time.Time, retention time.Duration) time.Time {
	return t.Add(retention).UTC().Truncate(time.Second).Add(time.Second)
}
