package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// DefaultRetention is how long events and deliveries stay in the ledger. A provider's delivery id
// is remembered as long.
const DefaultRetention = 30 * 24 * time.Hour

// SweepDelay is the earliest time after its acceptance at which a sweep looks at an event. A
// message whose handling fails is retried for half an hour before it is set aside. The rest of the
// time allows for an outage of ours.
const SweepDelay = 2 * time.Hour

// MaxEndpoints is the number of endpoints to which one event can be routed.
const MaxEndpoints = 10_000

// DefaultChunk is the number of deliveries that are in memory as messages at once.
const DefaultChunk = 500

const (
	// sendChunkBytes is the most bytes in a chunk.
	sendChunkBytes = 8 << 20
	// sendReserve is the time that an invocation must have left to begin another chunk. With 256
	// MiB of memory a chunk takes about a second.
	sendReserve = 10 * time.Second
	// saveReserve is the time reserved for saving the progress.
	saveReserve = 3 * time.Second
)

// ErrUnfinished means that an event has more deliveries than one invocation can send. Its message
// must be received again. The ledger knows how many deliveries were sent; the next invocation sends
// the rest.
var ErrUnfinished = errors.New("relay: not all deliveries of the event have been sent yet")

// ErrUndecided means that the relay cannot tell whether a subscription takes an event: see
// route.Result.
var ErrUndecided = errors.New("relay: the filter could not be decided")

// BodiesOutlive is how much longer than the retention a large body must be kept, counted from its
// acceptance. It is the sum of the longest schedule with its jitter (16 days), of MaxQueueTime in
// the dead queue, and of one day.
const BodiesOutlive = 16*24*time.Hour + MaxQueueTime + 24*time.Hour

var errUnsettled = errors.New("relay: duplicate of a message that was routed a moment ago")

// FanoutConfig configures a Fanout. A zero duration means its default.
type FanoutConfig struct {
	Subscriptions catalog.Subscriptions
	Events        Events
	// the types of sources, whose schemas events are checked against; nil: none are
	Types catalog.Types
	// large bodies, for filters on data and for the keys of ordered endpoints
	Bodies    Bodies
	Delivery  Queue        // first attempts
	Ordered   OrderedQueue // deliveries of ordered endpoints; needed if there are any
	Poison    Queue        // messages that we cannot process
	Failures  Failures
	Listeners Listeners // nil: nobody can listen
	Reporter  Reporter
	Retention time.Duration // DefaultRetention
	CacheTTL  time.Duration // DefaultCacheTTL
	Chunk     int           // deliveries in memory as messages at once; DefaultChunk
	Now       func() time.Time
	Random    func() float64 // in [0, 1), for jitter
}

// Fanout is the second stage. It records an event once, and sends a delivery for each endpoint that
// takes it. There may be up to MaxEndpoints of them. If there are many, it takes several
// invocations.
type Fanout struct {
	cfg    FanoutConfig
	router *Router
	types  *checker // nil: nothing is checked
	failed failures
}

// NewFanout returns a Fanout. It calls nothing yet. The error names what cfg lacks.
func NewFanout(cfg FanoutConfig) (*Fanout, error) {
	if err := Lacks("FanoutConfig", map[string]bool{
		"Subscriptions": cfg.Subscriptions == nil, "Events": cfg.Events == nil,
		"Bodies": cfg.Bodies == nil, "Delivery": cfg.Delivery == nil,
		"Poison": cfg.Poison == nil, "Failures": cfg.Failures == nil,
		"Reporter": cfg.Reporter == nil,
	}); err != nil {
		return nil, err
	}
	cfg.Retention, cfg.Chunk = cmp.Or(cfg.Retention, DefaultRetention),
		cmp.Or(cfg.Chunk, DefaultChunk)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	states := catalog.NewStates(catalog.StatesConfig{ // one read of the pointer serves both
		TTL: cfg.CacheTTL, Now: cfg.Now, Generations: cfg.Subscriptions,
	})
	f := &Fanout{
		cfg:    cfg,
		router: newRouter(states, cfg.Subscriptions, cfg.Bodies),
		failed: failures{counts: cfg.Failures, random: cfg.Random},
	}
	if cfg.Types != nil {
		f.types = newChecker(states, cfg.Types, cfg.Bodies)
	}
	return f, nil
}

// Process routes a batch of ingest messages and returns an Action for each. A finished message is
// acknowledged. The others are received again, because of ErrUnfinished or a failure. One bad
// message fails alone. ctx must have the invocation's deadline: Process ends before it.
func (f *Fanout) Process(ctx context.Context, msgs []Message) []Action {
	work, cancel := beforeDeadline(ctx)
	defer cancel()
	routed := make([]routing, len(msgs))
	ends := eachMessage(msgs, func(i int) (_ Action, err error) {
		routed[i], err = f.look(work, msgs[i])
		return Action{}, err
	})
	f.record(work, msgs, routed, ends)
	f.send(work, msgs, routed, ends)
	f.copy(work, routed, ends)
	return f.finish(ctx, msgs, routed, ends)
}

// copy copies the events that are finished to those who listen. It comes last and has no result,
// so that no delivery waits for a listener or depends on one.
func (f *Fanout) copy(ctx context.Context, routed []routing, ends []handled) {
	if f.cfg.Listeners == nil {
		return
	}
	var events []Event
	for i, r := range routed {
		if !ends[i].open() && (r.result == Routed || r.result == Unrouted) {
			events = append(events, r.event)
		}
	}
	until, err := f.router.routes.ListeningUntil(ctx)
	if len(events) == 0 || err != nil || !f.cfg.Now().Before(until) {
		return
	}
	_ = recovered(func() (Action, error) {
		f.cfg.Listeners.Copy(ctx, events)
		return Action{}, nil
	})
}

// finish decides on the Action of each message, and reports each.
func (f *Fanout) finish(
	ctx context.Context, msgs []Message, routed []routing, ends []handled,
) []Action {
	actions := make([]Action, len(msgs))
	for i, m := range msgs {
		actions[i] = f.failed.decide(ctx, m, ends[i].action, ends[i].err,
			func(ctx context.Context) error {
				return Send(ctx, f.cfg.Poison, Outgoing{Body: m.Body, Resent: true})
			})
		f.cfg.Reporter.Routed(ctx, routed[i].report(cmp.Or(ends[i].err, ends[i].action.Err)))
	}
	return actions
}

// routing is the state of one message in Process.
type routing struct {
	event     Event
	result    RouteResult
	recorded  bool              // this message recorded the event
	endpoints []string          // their deliveries are to be sent
	undecided []string          // of subscriptions whose filter could not be decided
	groups    map[string]string // message group of each ordered endpoint
	raw       []byte            // the encoded event
	resent    bool              // the deliveries may have been sent before
	// how many of endpoints, from the first on, have had their delivery sent
	sent int
}

func (r routing) report(err error) RouteReport {
	rep := RouteReport{
		EventID: r.event.ID, Source: r.event.Source, Tenant: r.event.Tenant,
		Type: r.event.Type, Result: r.result,
		Recorded: r.recorded, Endpoints: len(r.endpoints),
		Undecided: r.undecided, Err: err,
	}
	switch {
	case errors.Is(err, ErrUnfinished):
		rep.Result, rep.Err = Unfinished, nil
	case err != nil:
		rep.Result = RouteFailed
	}
	return rep
}

// look decodes the event of m and finds the endpoints that take it.
func (f *Fanout) look(ctx context.Context, m Message) (routing, error) {
	e, err := eventOf(m)
	if err == nil {
		err = f.failed.suspect(ctx, m, m.Receives)
	}
	if err != nil {
		return routing{result: Unreadable},
			Send(ctx, f.cfg.Poison, Outgoing{Body: m.Body, Resent: true})
	}
	r := routing{event: e, raw: m.Body, result: Routed}
	if r.event.Schema, err = f.types.check(ctx, e); err != nil {
		return r, err
	}
	if r.event.Schema != nil {
		r.raw = EncodeEvent(r.event)
	}
	seen, err := f.router.look(ctx, r.event)
	r.endpoints, r.undecided, r.groups = seen.wanted, seen.undecided, seen.groups
	return r, err
}

// record writes the events of a batch to the ledger, together, and decides which deliveries are to
// be sent. It sets ends[i] for an event that was not recorded.
func (f *Fanout) record(ctx context.Context, msgs []Message, routed []routing, ends []handled) {
	now := wholeMillis(f.cfg.Now())
	var records []EventRecord
	var of []int // the index of each record's message
	for i, r := range routed {
		if ends[i].open() || r.result == Unreadable {
			continue
		}
		of = append(of, i)
		records = append(records, EventRecord{
			Event: r.event, MessageID: msgs[i].ID, Endpoints: r.endpoints, RoutedAt: now,
			ExpiresAt: f.expires(r.event, now),
		})
	}
	if len(records) == 0 {
		return
	}
	var results []Recorded
	all := recovered(func() (Action, error) {
		results = f.cfg.Events.RecordEvents(ctx, records)
		return Action{}, nil
	})
	for k, i := range of {
		ends[i] = all
		if all.err == nil {
			ends[i] = routed[i].onRecord(results[k], msgs[i], now)
		}
	}
}

// onRecord decides which deliveries are to be sent, after the event was recorded.
func (r *routing) onRecord(result Recorded, m Message, now time.Time) (end handled) {
	if result.Err != nil {
		return handled{err: result.Err}
	}
	if r.recorded = result.Existing == nil; !r.recorded {
		end.action = r.resume(result.Existing, m, now)
	}
	if r.result == Routed && len(r.endpoints) == 0 {
		r.result = Unrouted
	}
	return end
}

// resume decides what is left to do for a message whose event is recorded already.
func (r *routing) resume(existing *EventRecord, m Message, now time.Time) Action {
	switch {
	case existing.Receipt != r.event.Receipt: // the provider sent its webhook twice
		r.result, r.endpoints = Duplicate, nil
		return Action{}
	case existing.MessageID != m.ID && now.Sub(existing.RoutedAt) < settleTime:
		// A second copy of our own message: it was sent twice because an answer was lost, or it was
		// redriven from the dead-letter queue. The first copy may be in flight at this moment.
		return Action{
			Retry: true, After: settleTime,
			Err: fmt.Errorf("%w: event %s", errUnsettled, r.event.ID),
		}
	}
	// An earlier run, of this message or of the first copy, died half-way. The deliveries of that
	// run are sent again, and the deliverer drops the repeats.
	r.endpoints, r.sent, r.resent = existing.Endpoints, min(existing.Sent, len(existing.Endpoints)),
		true
	return Action{}
}

// expires returns when the record of an event that is routed now may expire: the retention after
// its acceptance. If a delivery still waits then, the deliverer or the sweeper has prolonged it.
// The sweeper does not look at events that were routed late. Those are kept as long as a queue may
// hold their messages.
func (f *Fanout) expires(e Event, now time.Time) time.Time {
	at := Expiry(e.ReceivedAt, f.cfg.Retention)
	if late := Expiry(now, MaxQueueTime); now.Sub(e.ReceivedAt) > SweepDelay && late.After(at) {
		return late
	}
	return at
}

// Expiry returns t plus the retention, rounded up to the next whole second: DynamoDB's time to live
// counts in seconds.
func Expiry(t time.Time, retention time.Duration) time.Time {
	return t.Add(retention).UTC().Truncate(time.Second).Add(time.Second)
}
