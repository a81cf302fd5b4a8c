package relay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// world is a whole relay in which one thing happens at a time. Each call to a port waits until the
// world lets it go on. The seed decides which waiting call goes on and what its result is. Several
// instances of each function work at once, so that a seed stands for one interleaving of their
// calls. A world lives in a synctest bubble.
type world struct {
	*rig
	script script
	rng    *rand.Rand
	began  time.Time

	store       catalog.Store
	records     operate.Ledger
	putAside    [2]lister // the dead-letter queues of the fan-out and the deliverer
	redrive     func()    // redrives those
	redriveDead func()    // redrives the dead queue to the retry queue
	// a redrive was made, or the sweeper has sent something: attempts may be late by any time
	redriven   bool
	redrove    bool      // the operator has redriven
	sentAgain  bool      // dead deliveries were sent again
	revision   int64     // of the catalog
	sweeps     bool      // a sweeper runs
	sweepFrom  time.Time // when the next sweep may begin, while other things happen
	sweepBy    time.Time // when it begins at the latest, if nothing else happens
	sweeping   bool
	swept      chan sweep
	lastSweep  sweep
	lost       int  // messages that a queue has lost
	lostIngest int  // of these, messages at the fan-out
	taken      int  // batches that a queue might lose
	quiet      bool // no message was anywhere when the last sweep began

	in    ports // the functions' ports, without faults
	feeds []*feed
	ready chan struct{} // a call waits to go on, or has ended

	mu        sync.Mutex // an instance may make calls while another of its calls is in flight
	waiting   []*pendingCall
	ended     []*invocation
	senders   int // working now
	calls     int // that went on so far
	sweepCall int // of the sweeper
	struck    int // calls that went wrong
	outages   []outage
	steps     []string
	accepted  map[string]time.Time // webhooks that got a 2xx, and when each was first sent
	held      map[string]int       // invocations that now handle a delivery
	doubled   map[string]bool      // deliveries that two invocations handled at once
	// deliveries that a fan-out sent twice, since not all of the event's were accepted
	fannedOut map[string]bool
	carried   map[string]bool // attempts that could not be recorded at once
	inHand    map[string]int  // copies of a delivery's attempt that are being POSTed
	excuses   map[string]int  // allowed repeats of an attempt's POST
	posts     map[string]int
	underWay  map[string]int           // attempts in flight, by endpoint
	late      map[string]int           // of these, those that may outlast their slots
	heldFor   map[string]time.Duration // how long a delivery was held
	// messages, and copies of them, that the ingest queues have accepted
	received int
	// of these, copies in the dead-letter queue: the answer to setting one aside was lost
	copiesAside int
	turns       turns
}

// instance is one instance of a function. It works on one invocation at a time.
type instance struct {
	*world
	name    string
	dead    bool
	process func(context.Context, []relay.Message) []relay.Action

	holds   string    // the delivery that this invocation handles
	claimed time.Time // when it last tried to claim a slot
	posted  string    // the attempt that this invocation POSTed
	safe    bool      // that attempt is recorded, or in a message
	trouble int       // faults since the POST
}

// pendingCall is a call to a port that waits to go on.
type pendingCall struct {
	by   *instance
	what string
	goOn chan mode
}

// feed maps a queue to a function.
type feed struct {
	name      string
	from      source
	limit     int
	timeout   time.Duration
	make      func(*instance, ports) func(context.Context, []relay.Message) []relay.Action
	idle      []*instance
	instances int
}

// source hands out batches.
type source interface {
	Take(limit int) *batch // nil: nothing is visible
	Due() (time.Time, bool)
	lister
}

type lister interface{ List() []relay.Message }

// batch is a batch of messages; done settles it.
type batch struct {
	msgs []relay.Message
	hold func([]relay.Held) []error
	done func([]relay.Action)
}

type invocation struct {
	*instance
	of      *feed
	work    *batch
	actions []relay.Action
}

// memorySource is a memory.Queue as a source.
type memorySource struct{ *memory.Queue }

func (q memorySource) Take(limit int) *batch {
	msgs, _ := q.Receive(context.Background(), limit)
	if len(msgs) == 0 {
		return nil
	}
	hold := func(held []relay.Held) []error { return q.Hold(context.Background(), held) }
	return &batch{msgs, hold, func(actions []relay.Action) {
		for i, a := range actions {
			if !a.Retry {
				_ = q.Ack(context.Background(), msgs[i])
			}
		}
	}}
}

// outage makes a port, or all ports, fail from a call on.
type outage struct {
	port  string // a part of the names of its calls; "" for every port
	from  int    // the first failing call
	calls int    // how many calls fail; 0: all within the time
	lasts time.Duration

	begun time.Time
	n     int
}

// strikes tells whether the outage makes a call fail.
func (o *outage) strikes(call int, what string) bool {
	if call < o.from {
		return false
	}
	if o.begun.IsZero() {
		o.begun = time.Now()
	}
	if !strings.Contains(what, o.port) {
		return false
	}
	o.n++
	if o.calls > 0 {
		return o.n <= o.calls
	}
	return time.Since(o.begun) < o.lasts
}

// lateQueues makes the unordered queues hand messages out late, by up to the script's maximum.
func (w *world) lateQueues() {
	if w.script.late == 0 {
		return
	}
	for i, q := range []*memory.Queue{&w.ingest, &w.delivery, &w.retry, &w.slow} {
		// read with the queue's lock held
		random := rand.New(rand.NewPCG(w.script.seed, uint64(2+i)))
		q.Late = func() time.Duration { return time.Duration(random.Int64N(int64(w.script.late))) }
	}
}

func newWorld(t *testing.T, s script) *world {
	t.Helper()
	w := &world{
		rig: newRig(t, nil), script: s, rng: rand.New(rand.NewPCG(s.seed, 1)), began: time.Now(),
		revision: 2, ready: make(chan struct{}, 1),
		outages:  slices.Clone(s.outages),
		accepted: map[string]time.Time{}, inHand: map[string]int{}, excuses: map[string]int{},
		carried: map[string]bool{}, fannedOut: map[string]bool{}, held: map[string]int{},
		doubled: map[string]bool{}, posts: map[string]int{}, underWay: map[string]int{},
		late: map[string]int{}, heldFor: map[string]time.Duration{},
	}
	w.in = ports{
		&w.catalog, &w.catalog, &w.catalog, &w.ledger, &w.ledger, &w.bodies, nil,
		&memory.Scheduler{Queue: &w.retry}, &w.states, &w.quotas, &w.slots, &w.failures, &w.ledger,
		&w.ingest, &w.delivery, &w.retry, &w.slow, &w.inLine.ingest, &w.inLine.delivery, &w.dead,
		&w.ingestDL, &w.poison,
	}
	w.lateQueues()
	w.in.ingest, w.in.ingestLine = counted{w.in.ingest, &w.received},
		counted{w.in.ingestLine, &w.received}
	fanout := func(in *instance, p ports) func(context.Context, []relay.Message) []relay.Action {
		return lab.Must(relay.NewFanout(relay.FanoutConfig{
			Subscriptions: p.subs, Events: p.events, Bodies: p.bodies, Delivery: p.delivery,
			Ordered: p.line, Poison: p.ingestDL, Failures: p.failures, Reporter: in,
			Random: func() float64 {
				return s.jitter
			},
			Chunk: s.chunk, Retention: s.retain,
		})).Process
	}
	deliver := func(in *instance, p ports) func(context.Context, []relay.Message) []relay.Action {
		return lab.Must(relay.NewDeliverer(relay.DelivererConfig{
			Endpoints: p.endpoints, Deliveries: p.deliveries, Bodies: p.bodies, Poster: p.poster,
			Retry: p.retry, Slow: p.slow, Ordered: p.line, Dead: p.dead,
			Poison: p.poison, Scheduler: p.scheduler, States: p.states, Quotas: p.quotas,
			Slots: p.slots, Failures: p.failures, Keeper: p.keeper, Reporter: in,
			Operator: operate.NewNotifier(relay.NewRouter(p.subs, nil, 0, time.Now), p.ingest),
			Random:   func() float64 { return s.jitter }, Retention: s.retain,
		})).Process
	}
	w.feeds = []*feed{
		{
			name: "fanout", from: memorySource{&w.ingest}, limit: s.fanoutBatch,
			timeout: fanoutTimeout, make: fanout, instances: s.fanouts,
		},
		{
			name: "deliver", from: memorySource{&w.delivery}, limit: 1, timeout: deliverTimeout,
			make: deliver, instances: s.deliverers,
		},
		{
			name: "retry", from: memorySource{&w.retry}, limit: 1, timeout: deliverTimeout,
			make: deliver, instances: s.deliverers,
		},
		{name: "fanout in line", from: memorySource{&w.inLine.ingest}, limit: s.fanoutBatch,
			timeout: fanoutTimeout, make: fanout,
			instances: s.fanouts},
		{name: "deliver in line", from: memorySource{&w.inLine.delivery}, limit: 1,
			timeout: deliverTimeout, make: deliver,
			instances: s.deliverers},
		{
			name: "slow", from: memorySource{&w.slow}, limit: 1, timeout: deliverTimeout,
			make: deliver, instances: s.deliverers,
		},
	}
	w.store, w.records, w.putAside = &w.catalog, &w.ledger, [2]lister{&w.ingestDL, &w.poison}
	w.redrive = func() { w.ingestDL.Move(&w.ingest); w.poison.Move(&w.delivery) }
	w.redriveDead = func() { w.dead.Move(&w.retry) }
	w.sweeps, w.swept = true, make(chan sweep, 1)
	w.nextSweep(w.began)
	if err := w.store.ReplaceCatalog(t.Context(), s.catalog(), 1); err != nil {
		t.Fatal(err)
	}
	if len(w.feeds) != feeds {
		t.Fatalf("%d feeds, scripts know of %d", len(w.feeds), feeds)
	}
	return w
}

// feeds is the number of queues that are mapped to functions.
const feeds = 6

// start creates the instances of the feeds.
func (w *world) start() {
	for _, f := range w.feeds {
		for i := range f.instances {
			f.idle = append(f.idle, w.newInstance(f, fmt.Sprintf("%s-%d", f.name, i+1)))
		}
	}
}

func (w *world) newInstance(f *feed, name string) *instance {
	in := &instance{world: w, name: name}
	p := w.in
	p.poster = in
	in.process = f.make(in, withFaults(in, p))
	return in
}

// strike waits for its turn. Then it makes the call or not, as the world decides.
func (in *instance) strike(ctx context.Context, what string, call func() error) error {
	c := &pendingCall{in, what, make(chan mode)}
	in.mu.Lock()
	if strings.HasPrefix(what, "claim slot") {
		in.claimed = time.Now()
	}
	in.redriven = in.redriven || in.name == sweeperName && strings.HasPrefix(what, "send")
	in.waiting = append(in.waiting, c)
	in.mu.Unlock()
	in.notify()
	m := <-c.goOn
	if in.killed() {
		return errKilled
	}
	if ctx.Err() != nil {
		in.goesWrong(2)
		return ctx.Err()
	}
	err := errInjected
	if m == none || m == after || m == killAfter || m == hangAfter {
		callErr := call()
		if callErr == nil {
			in.tookEffect(what, m)
		}
		if m == none {
			err = callErr
		}
	}
	if m != none {
		in.goesWrong(1)
	}
	if m.harmful() {
		in.goesWrong(1)
	}
	if _, partial := m.partial(0, 1); partial {
		err = &partialError{m}
	}
	if m == hangBefore || m == hangAfter {
		<-ctx.Done()
		return ctx.Err()
	}
	if m == killBefore || m == killAfter {
		in.kill()
	}
	return err
}

// tookEffect notes what an effective call means for the attempt that the invocation POSTed, and for
// the counts.
func (in *instance) tookEffect(what string, m mode) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if strings.HasPrefix(what, "save delivery") {
		in.safe = true
	} else if what == "send 1 to retry" && !in.safe {
		in.safe, in.carried[in.posted] = true, true
	}
	if m != none && what == "send 1 to ingest-dlq" {
		in.received++
		in.copiesAside++
	}
}

func (in *instance) goesWrong(n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.trouble += n
}

func (in *instance) kill() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.dead = true
}

func (in *instance) killed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.dead
}

func (w *world) notify() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// run runs the world until nothing is left to do, and checks the promises at every quiet moment.
func (w *world) run() {
	for range 20_000 {
		synctest.Wait()
		if w.reap() || w.beginSweep() {
			continue // what has ended is settled when everything is quiet
		}
		if w.step() {
			if w.rng.IntN(50) == 0 {
				// a slow moment
				time.Sleep(time.Duration(w.rng.IntN(20_000))*time.Millisecond + time.Microsecond)
			}
			continue
		}
		if w.lost == 0 && !w.t.Failed() { // once is enough
			w.checkNothingStranded()
		}
		if !w.await() {
			return
		}
	}
	w.t.Errorf("it never ends")
}

// step makes one thing happen: a waiting call goes on, or an idle instance gets a batch.
func (w *world) step() bool {
	w.mu.Lock()
	slices.SortFunc(w.waiting, func(a, b *pendingCall) int {
		return cmp.Or(cmp.Compare(a.by.name, b.by.name), cmp.Compare(a.what, b.what))
	})
	n := len(w.waiting)
	w.mu.Unlock()
	free := slices.DeleteFunc(slices.Clone(w.feeds), func(f *feed) bool { return len(f.idle) == 0 })
	for n+len(free) > 0 {
		i := w.rng.IntN(n + len(free))
		if i < n {
			w.letGo(i)
			return true
		}
		f := free[i-n]
		if b := f.from.Take(f.limit); b != nil {
			if w.jammed(f, b) || w.loses(f, b) {
				return true
			}
			w.invoke(f, b)
			return true
		}
		free = slices.Delete(free, i-n, i-n+1)
	}
	return false
}

// letGo lets a call go on.
func (w *world) letGo(i int) {
	w.mu.Lock()
	c := w.waiting[i]
	w.waiting = slices.Delete(w.waiting, i, i+1)
	w.calls++
	m := w.fate(c)
	if m != none {
		w.struck++
	}
	w.mu.Unlock()
	w.note("%-10s call %d: %s: %s", c.by.name, w.calls, c.what, m)
	c.goOn <- m
}

// fate decides the result of the call that goes on now.
func (w *world) fate(c *pendingCall) mode {
	if c.by.name == sweeperName {
		if w.sweepCall++; w.sweepCall == w.script.sweepFault.k {
			return w.script.sweepFault.mode
		}
	}
	for _, f := range w.script.faults {
		if f.k == w.calls {
			return f.mode
		}
	}
	for i := range w.outages {
		if w.outages[i].strikes(w.calls, c.what) {
			return before
		}
	}
	return none
}

// unsettled is the result for the messages of a killed process.
var unsettled = relay.Action{Retry: true, Err: errKilled}

// jammed tells whether a batch that was taken reaches no function. It is received again, as if its
// function had been killed.
func (w *world) jammed(f *feed, b *batch) bool {
	now := time.Since(w.began)
	if !slices.ContainsFunc(w.script.jams, func(j jam) bool {
		return j.holds(slices.Index(w.feeds, f), now)
	}) {
		return false
	}
	w.note("message %s of %s reaches no function", b.msgs[0].ID, f.name)
	b.done(slices.Repeat([]relay.Action{unsettled}, len(b.msgs)))
	return true
}

// invoke passes a batch to an idle instance.
func (w *world) invoke(f *feed, b *batch) {
	in := f.idle[0]
	f.idle = f.idle[1:]
	for _, m := range b.msgs {
		in.takes(deliveryOf(m))
		if f.name == "deliver" && m.Resent {
			in.fannedOut[in.holds] = true
		}
		w.note(
			"%-10s gets message %s, for the %d. time, resent %t", in.name, m.ID, m.Receives,
			m.Resent,
		)
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
		defer cancel()
		actions := in.process(ctx, b.msgs)
		in.holdAgain(ctx, b, actions)
		w.mu.Lock()
		w.ended = append(w.ended, &invocation{in, f, b, actions})
		w.mu.Unlock()
		w.notify()
	}()
}

// holdAgain hides the messages that are to be received again, for the time that the stage asked
// for, as its handler does.
func (in *instance) holdAgain(ctx context.Context, work *batch, actions []relay.Action) {
	if held := toHold(work.msgs, actions); len(held) > 0 {
		_ = in.strike(ctx, fmt.Sprintf(
			"hold %d, the first for %s", len(held), held[0].For,
		), func() error {
			return errors.Join(work.hold(held)...)
		})
	}
}

// takes notes the delivery that an invocation handles.
func (in *instance) takes(delivery string) {
	in.holds = delivery
	if in.held[delivery]++; in.held[delivery] > 1 {
		in.doubled[delivery] = true
	}
}

// reap settles the batches of invocations that have ended. A killed process has settled nothing.
func (w *world) reap() bool {
	select {
	case s := <-w.swept:
		w.endSweep(s)
		return true
	default:
	}
	w.mu.Lock()
	ended := w.ended
	w.ended = nil
	w.mu.Unlock()
	slices.SortFunc(ended, func(a, b *invocation) int { return cmp.Compare(a.name, b.name) })
	for _, i := range ended {
		if i.posted != "" {
			w.inHand[i.posted]--
			// Neither recorded nor sent in a message: cut off or killed. An ordered message cannot
			// be sent on.
			if trouble := i.trouble; !i.safe && (trouble >= 2 || trouble >= 1 &&
				w.script.endpoints[strings.Fields(i.posted)[1]].order.On) {
				w.excuses[i.posted]++
			}
		}
		w.held[i.holds]--
		i.posted, i.holds = "", ""
		if i.dead {
			for k := range i.actions {
				i.actions[k] = unsettled
			}
			i.instance = w.newInstance(i.of, i.name)
		}
		w.note("%-10s ends: %v", i.name, i.actions)
		i.work.done(i.actions)
		i.of.idle = append(i.of.idle, i.instance)
	}
	return len(ended) > 0
}

// await waits until there is something to do. It returns false if there never will be.
func (w *world) await() bool {
	var due time.Time
	w.mu.Lock()
	busy := w.senders > 0 || w.sweeping
	w.mu.Unlock()
	for _, f := range w.feeds {
		busy = busy || len(f.idle) < f.instances
		if at, ok := f.from.Due(); ok && len(f.idle) > 0 && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if due.IsZero() && !busy {
		return false
	}
	if w.sweeps && !w.sweeping && (due.IsZero() || w.sweepBy.Before(due)) {
		due = w.sweepBy
	}
	var alarm <-chan time.Time
	if !due.IsZero() {
		alarm = time.After(max(time.Until(due), time.Millisecond))
	}
	select {
	case <-w.ready:
	case <-alarm:
	}
	return true
}

// Post is an endpoint. It takes its time and answers as in the script.
func (in *instance) Post(ctx context.Context, p relay.Post) (relay.Reply, error) {
	attempt := attemptOf(p)
	in.mu.Lock()
	if in.inHand[attempt] > 0 || in.carried[attempt] || (in.redriven || in.fannedOut[in.holds]) &&
		in.doubled[in.holds] {
		// a copy, while the other is in flight or carries the attempt; or copies that an operator
		// or a fan-out sent again
		in.excuses[attempt]++
	}
	in.inHand[attempt]++
	in.posts[attempt]++
	in.checkTurn(p.Header["webhook-id"], host(p))
	answer := in.script.endpoints[host(p)].answer(
		p.Header[relay.HeaderAttempt], time.Since(in.began),
	)
	defer in.beginPost(host(p))()
	in.posted, in.safe, in.trouble = attempt, false, 0
	in.mu.Unlock()
	select {
	case <-ctx.Done():
		in.goesWrong(2) // cut off from all ports
		return relay.Reply{}, ctx.Err()
	case <-time.After(min(answer.takes, p.Timeout)):
	}
	switch {
	case answer.takes > p.Timeout:
		return relay.Reply{}, &relay.PostError{Outcome: relay.TimedOut, Err: errSlow}
	case answer.status == 0:
		return relay.Reply{}, &relay.PostError{Outcome: relay.Broken, Err: errReset}
	}
	return relay.Reply{StatusCode: answer.status, Header: answer.header}, nil
}

// beginPost counts the attempts in flight at an endpoint, and returns the function that ends the
// count. An attempt may begin so long after its slot was claimed that it outlasts the claim. Such
// an attempt allows one too many.
func (in *instance) beginPost(endpoint string) (end func()) {
	limit, late := in.script.endpoints[endpoint].concurrency, 0
	if time.Since(in.claimed) >= slotSpare {
		late = 1
	}
	in.underWay[endpoint]++
	in.late[endpoint] += late
	if n := in.underWay[endpoint]; limit > 0 && n > limit+in.late[endpoint] {
		in.t.Errorf("%d attempts at %s are under way, allowed are %d", n, endpoint, limit)
	}
	return func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.underWay[endpoint]--
		in.late[endpoint] -= late
	}
}

// slotSpare is how much longer than its attempt a slot is claimed.
const slotSpare = 15 * time.Second

var (
	errSlow  = errors.New("no answer in time")
	errReset = errors.New("connection reset")
)

// The reports of a function are lost with its process.

func (in *instance) Received(ctx context.Context, r relay.ReceiveReport) {
	if !in.killed() {
		in.reports.Received(ctx, r)
	}
}

func (in *instance) Routed(ctx context.Context, r relay.RouteReport) {
	if !in.killed() {
		in.reports.Routed(ctx, r)
	}
}

func (in *instance) Attempted(ctx context.Context, r relay.AttemptReport) {
	in.mu.Lock()
	in.heldFor[r.EventID+" "+r.Endpoint] += r.Held // also if the process died after it
	in.mu.Unlock()
	if !in.killed() {
		in.reports.Attempted(ctx, r)
	}
}

// counted is a queue that counts the accepted messages.
type counted struct {
	relay.Queue
	n *int
}

func (c counted) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	errs := c.Queue.Send(ctx, msgs)
	for _, err := range errs {
		if err == nil {
			*c.n++
		}
	}
	return errs
}

// send is a provider: it posts a webhook until it gets a 2xx.
func (w *world) send(i int, h webhook) {
	defer func() {
		w.mu.Lock()
		w.senders--
		w.mu.Unlock()
		w.notify()
	}()
	time.Sleep(h.at)
	w.mu.Lock()
	w.turns.sent(h)
	w.mu.Unlock()
	began := time.Now()
	for try := 1; ; try++ {
		in := &instance{world: w, name: fmt.Sprintf("receive-%d", i+1)}
		p := withFaults(in, w.in)
		receiver := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: p.sources, Subscriptions: p.subs, Ingest: p.ingest, Ordered: p.ingestLine,
			Bodies:   p.bodies,
			Reporter: in,
		}))
		ctx, cancel := context.WithTimeout(context.Background(), receiveTimeout)
		answer, err := receiver.Receive(ctx, inbound(h.id, h.eventType, h.body))
		cancel()
		if err == nil && !in.killed() {
			w.mu.Lock()
			if first, ok := w.accepted[answer.EventID]; !ok || began.Before(first) {
				w.accepted[answer.EventID] = began
			}
			w.turns.accepted(answer.EventID)
			w.mu.Unlock()
			return
		}
		time.Sleep(time.Duration(min(try, 3))*time.Minute + time.Duration(i)*time.Microsecond)
	}
}

func (w *world) note(format string, args ...any) {
	w.steps = append(
		w.steps, fmt.Sprintf("%-14s ", time.Since(w.began))+fmt.Sprintf(format, args...),
	)
}

// sorted returns a map's keys in order, so that nothing depends on the order of maps.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// setAside returns the messages that our own functions could not process.
func (w *world) setAside() []relay.Message {
	return slices.Concat(w.putAside[0].List(), w.putAside[1].List())
}

func byEvent(ds []relay.Delivery) []relay.Delivery {
	return slices.SortedFunc(slices.Values(ds), func(a, b relay.Delivery) int {
		return cmp.Compare(a.EventID, b.EventID)
	})
}
