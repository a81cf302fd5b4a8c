package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// fault makes the k-th call to any port go wrong, in one of several ways.
type fault struct {
	mu   sync.Mutex
	k, n int
	mode mode
	dead bool // the process is killed until the rig starts another

	steps    []string        // the calls
	open     map[string]bool // attempts that were POSTed and are not recorded
	excuses  map[string]int  // allowed repeats of an attempt's POST
	ingested int             // messages that the ingest queues have accepted
}

// gone tells whether the process is dead. What it reports then is lost.
func (f *fault) gone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// mode is the way in which a call goes wrong.
type mode string

const (
	none        mode = "no fault"
	before      mode = "fails before it takes effect"
	after       mode = "takes effect, the answer is lost"
	killBefore  mode = "process killed before"
	killAfter   mode = "process killed after"
	hangBefore  mode = "hangs until the invocation's deadline"
	hangAfter   mode = "takes effect and hangs until the invocation's deadline"
	throttled   mode = "throttled, and so are the next few calls"
	failFirst   mode = "the first entry fails"
	failLast    mode = "the last entry fails"
	failAllBut1 mode = "all entries fail but the first"
)

// throttledCalls is the number of calls in a row that are throttled.
const throttledCalls = 4

// harmful tells whether the mode may kill a process, or cut it off from all ports, between a POST
// and its record.
func (m mode) harmful() bool {
	return m == killBefore || m == killAfter || m == hangBefore || m == hangAfter
}

// partial tells which of the n entries of a Send fail. ok is false if m is no such mode.
func (m mode) partial(i, n int) (fails, ok bool) {
	switch m {
	case failFirst:
		return i == 0, true
	case failLast:
		return i == n-1, true
	case failAllBut1:
		return i > 0, true
	default:
		return false, false
	}
}

var errKilled = errors.New("killed")

// partialError is the fault of a Send some of whose entries fail. Other calls fail completely.
type partialError struct{ mode mode }

func (e *partialError) Error() string { return string(e.mode) }
func (e *partialError) Is(target error) bool {
	return target == errInjected //nolint:errorlint // what Is is for
}

// striker decides the result of each call to a port.
type striker interface {
	// strike makes the call or leaves it out, and returns its error or another.
	strike(ctx context.Context, what string, call func() error) error
}

func (f *fault) strike(ctx context.Context, what string, call func() error) error {
	m, err := f.next(what, call)
	if m == hangBefore || m == hangAfter {
		<-ctx.Done()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.excuse()
		return ctx.Err()
	}
	return err
}

// next makes the call, unless it is the one that goes wrong. It holds the lock, so that calls are
// made one by one.
func (f *fault) next(what string, call func() error) (mode, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return none, errKilled
	}
	f.n++
	f.steps = append(f.steps, fmt.Sprintf("%d: %s", f.n, what))
	if f.n != f.k && (f.mode != throttled || f.n < f.k || f.n >= f.k+throttledCalls) {
		return none, f.make(what, call)
	}
	ordered := strings.HasPrefix(what, "save delivery") && strings.Contains(what, " ordered,")
	if f.mode.dies() || ordered || f.mode == throttled && what == "send 1 to retry" {
		// The process died, or neither the ledger nor the queue took the attempt. An ordered
		// message cannot be sent past the others.
		defer f.excuse()
	}
	if _, partial := f.mode.partial(0, 1); partial {
		return f.mode, &partialError{f.mode}
	}
	if f.mode == after || f.mode == killAfter || f.mode == hangAfter {
		_ = f.make(what, call)
	}
	f.dead = f.mode.dies()
	return f.mode, errInjected
}

func (m mode) dies() bool { return m == killBefore || m == killAfter }

// make makes a call, and notes which attempts were POSTed and recorded.
func (f *fault) make(what string, call func() error) error {
	err := call()
	var event, endpoint, status, number string
	if attempt, ok := strings.CutPrefix(what, "POST "); ok {
		f.open[attempt] = true
	} else if n, _ := fmt.Sscanf(
		what, "save delivery %s %s %s after attempt %s", &event, &endpoint, &status, &number,
	); n == 4 && err == nil {
		delete(
			f.open, event+" "+strings.TrimSuffix(endpoint, ",")+" "+strings.TrimSuffix(number, ","),
		)
	}
	return err
}

// excuse allows another POST of each attempt that is not recorded.
func (f *fault) excuse() {
	for attempt := range f.open {
		f.excuses[attempt]++
	}
}

func (f *fault) wrap(p ports) ports {
	p.ingest, p.orderedIngest = counted{p.ingest, &f.ingested},
		counted{p.orderedIngest, &f.ingested}
	return withFaults(f, p)
}

// TestFaultAtEveryCall runs a small script of webhooks once for each call to a port and each way in
// which that call can go wrong. After every run it checks the promises.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]kind{
		"batches of 1": {batch: 1}, "batches of 10": {batch: 10},
		"ordered": {batch: 10, order: catalog.Order{On: true}, chunk: 2},
		"rates of a tenant": {batch: 10, rates: catalog.Rates{
			Accepted:  catalog.Rate{Count: 1, Per: time.Second},
			Delivered: catalog.Rate{Count: 1, Per: time.Second}, Revision: 1,
		}},
	} {
		calls := runScript(t, kind, newFault(0, none))
		if calls < 60 {
			t.Fatalf("the script makes only %d calls", calls)
		}
		for _, m := range []mode{
			before, after, killBefore, killAfter, hangBefore, hangAfter, throttled, failFirst,
			failLast, failAllBut1,
		} {
			t.Run(fmt.Sprintf("%s, %s", name, m), func(t *testing.T) {
				t.Parallel()
				for k := 1; k <= calls; k += faultStep {
					f := newFault(k, m)
					if runScript(t, kind, f); t.Failed() {
						t.Fatalf("at call %d of\n%s", k, strings.Join(f.steps, "\n"))
					}
				}
			})
		}
	}
}

func newFault(k int, m mode) *fault {
	return &fault{k: k, mode: m, open: map[string]bool{}, excuses: map[string]int{}}
}

// kind is a kind of run.
type kind struct {
	batch int           // of messages, except in ordered queues
	order catalog.Order // of the endpoint "ordered"; zero: there is no such endpoint
	chunk int           // deliveries that the fan-out sends at once; 0: the default
	// of the tenant acme, to which the webhooks belong, and its endpoint "own"; zero: there is none
	rates catalog.Rates
}

// deliveries returns how many deliveries each webhook has.
func (k kind) deliveries() int {
	if k.rates == (catalog.Rates{}) {
		return len(k.endpoints())
	}
	return len(k.endpoints()) + 1
}

// endpoints returns those that get each webhook.
func (k kind) endpoints() []string {
	if k.order.On {
		return []string{"bad", "flaky", "good", "ordered"}
	}
	return []string{"bad", "flaky", "good"}
}

// runScript sends a few webhooks through a relay with the fault f, waits until all queues are
// empty, and checks the promises. It returns the number of calls to ports.
func runScript(t *testing.T, kind kind, f *fault) int {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{
			time.Second, time.Second, time.Hour,
		}, append(kind.endpoints(), "operator")...)
		r.reports.lost = f.gone
		r.edit(func(c *catalog.Catalog) {
			for i := range c.Endpoints {
				switch e := &c.Endpoints[i]; e.Name {
				case "bad":
					e.Concurrency = 1
				case "flaky":
					e.RateLimit = 1
				case "good":
					e.Prove = catalog.ProvePing
				case "ordered":
					e.Order = kind.order
				}
			}
			own := &c.Subscriptions[len(c.Subscriptions)-1]
			own.Source, own.Types = catalog.OwnSource, []string{operate.DeliveryDead}
			if kind.deliveries() > len(kind.endpoints()) {
				c.Sources[0].Tenant = &catalog.TenantOf{ID: "acme"}
			}
		})
		if kind.deliveries() > len(kind.endpoints()) {
			r.addTenant("acme", time.Second, time.Second, time.Hour)
			r.setRates("acme", kind.rates)
		}
		r.poster.answers["bad"] = func(relay.Post) (relay.Reply, error) {
			return relay.Reply{StatusCode: 500}, nil
		}
		tries := map[string]int{}
		flaky := func(p relay.Post) (relay.Reply, error) {
			try := host(p) + p.Header["webhook-id"]
			if tries[try]++; tries[try] < 3 {
				return relay.Reply{StatusCode: 503}, nil
			}
			return relay.Reply{StatusCode: 200}, nil
		}
		r.poster.answers["flaky"], r.poster.answers["ordered"] = flaky, flaky
		r.chunk = kind.chunk
		r.build(f.wrap)
		accepted := map[string]bool{}
		large := strings.Repeat("x", relay.DefaultInlineBodyBytes+1)
		// the provider sends the first one once more
		for _, w := range [][2]string{{"1", "{}"}, {"2", large}, {"1", "{}"}} {
			for range 5 { // until it gets a 2xx
				event, err := r.post(w[0], "t", w[1])
				r.revive(f)
				if errors.Is(err, relay.ErrRate) {
					time.Sleep(time.Second)
				}
				if err == nil {
					accepted[event] = true
					break
				}
			}
		}
		r.pumpThrough(f, kind.batch)
		r.checkPromises(t, f, accepted, kind)
	})
	return f.n
}

// revive starts new function instances for those that were killed.
func (r *rig) revive(f *fault) bool {
	if !f.dead {
		return false
	}
	f.dead = false
	r.build(f.wrap)
	return true
}

// pumpThrough is pump for a relay with the fault f. A killed invocation acknowledges nothing.
func (r *rig) pumpThrough(f *fault, batch int) {
	r.t.Helper()
	queues := []*memory.Queue{
		&r.ingest, &r.ordered.ingest, &r.delivery, &r.retry, &r.slow, &r.ordered.delivery,
	}
	for range 2000 {
		busy, left := false, 0
		for i, q := range queues {
			process := r.deliverer.Process
			if i < 2 {
				process = r.fanout.Process
			}
			busy = r.invoke(f, q, batch, process) || busy
		}
		for _, q := range queues {
			left += q.Len()
		}
		switch {
		case left == 0:
			return
		case !busy:
			time.Sleep(30 * time.Second)
		}
	}
	r.t.Error("the queues never ran empty")
}

// invoke makes one invocation with a batch of a queue. It returns false if the queue is empty.
func (r *rig) invoke(
	f *fault, from *memory.Queue, batch int,
	process func(context.Context, []relay.Message) []relay.Action,
) bool {
	if from.Ordered {
		batch = 1
	}
	msgs, _ := from.Receive(context.Background(), batch)
	if len(msgs) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), deliverTimeout)
	defer cancel()
	actions := process(ctx, msgs)
	if r.revive(f) {
		return true
	}
	if held := toHold(msgs, actions); len(held) > 0 {
		_ = f.strike(ctx, "hold", func() error { return errors.Join(from.Hold(ctx, held)...) })
	}
	if !r.revive(f) {
		acknowledge(from, msgs, actions)
	}
	return true
}

// checkPromises checks the end of a run against the promises of the package.
func (r *rig) checkPromises(t *testing.T, f *fault, accepted map[string]bool, kind kind) {
	t.Helper()
	if len(accepted) != 2 {
		t.Errorf("%d webhooks were accepted", len(accepted))
	}
	dead := 0
	for event := range accepted {
		_, deliveries, err := r.ledger.Event(t.Context(), event)
		if err != nil || len(deliveries) != kind.deliveries() {
			t.Errorf("event %s: %d deliveries, %v", event, len(deliveries), err)
		}
		for _, d := range deliveries {
			want := relay.Delivered
			if d.Endpoint == "bad" {
				want = relay.Dead
				dead++
			}
			if d.Status != want {
				t.Errorf(
					"delivery of %s to %s is %s after %d attempts", d.EventID, d.Endpoint, d.Status,
					d.Attempts,
				)
			}
		}
	}
	listed := openOf(t, &r.ledger, "bad", relay.Dead)
	if len(listed) != dead || r.dead.Len() < dead {
		t.Errorf("%d dead, %d listed, %d in the dead queue", dead, len(listed), r.dead.Len())
	}
	if n := r.ingestDL.Len() + r.poison.Len(); n != 0 {
		t.Errorf("%d messages were put aside", n)
	}
	results, total := r.reports.results(), 0
	for _, n := range results {
		total += n
	}
	if routed := len(accepted) + dead; results[relay.Routed] != routed ||
		results[relay.Duplicate] != total-routed || total != f.ingested {
		t.Errorf("%d messages for %d events: %v", f.ingested, routed, results)
	}
	for event := range accepted {
		if !slices.ContainsFunc(r.poster.posts, func(p relay.Post) bool {
			return host(p) == "operator" && strings.Contains(string(p.Body), event)
		}) {
			t.Errorf("the operator was not told that %s to bad is dead", event)
		}
	}
	good := slices.IndexFunc(r.poster.posts, func(p relay.Post) bool { return host(p) == "good" })
	if good < 0 || !isProof(r.poster.posts[good]) {
		t.Error("a delivery before the endpoint has proved itself")
	}
	for attempt, n := range r.poster.attempts() {
		if n-1 > f.excuses[attempt] {
			t.Errorf(
				"attempt %s was POSTed %d times, with %d excuses", attempt, n, f.excuses[attempt],
			)
		}
	}
}

// The ports, each behind the fault.

func partialOf(e *partialError, i, n int) (fails, ok bool) {
	if e == nil {
		return false, false
	}
	return e.mode.partial(i, n)
}

// The ports that the sweeper reads.

// Ports that are down permanently.

type brokenQueue struct{}

func (brokenQueue) Send(_ context.Context, msgs []relay.Outgoing) []error {
	errs := make([]error, len(msgs))
	for i := range errs {
		errs[i] = errInjected
	}
	return errs
}

type brokenBodies struct{}

func (brokenBodies) Put(context.Context, string, []byte) error   { return errInjected }
func (brokenBodies) Get(context.Context, string) ([]byte, error) { return nil, errInjected }

// brokenSources and brokenEndpoints fail at the first call.
type brokenSources struct{ catalog.Sources }

func (brokenSources) State(context.Context, string) (catalog.State, error) {
	return catalog.State{}, errInjected
}

type brokenEndpoints struct{ catalog.Endpoints }

func (brokenEndpoints) State(context.Context, string) (catalog.State, error) {
	return catalog.State{}, errInjected
}

type brokenScheduler struct{}

func (brokenScheduler) Schedule(context.Context, string, time.Time, relay.Outgoing) error {
	return errInjected
}

type panicking struct{}

func (panicking) Post(context.Context, relay.Post) (relay.Reply, error) { panic("a bug") }

type cancelled struct{}

func (cancelled) Post(context.Context, relay.Post) (relay.Reply, error) {
	return relay.Reply{}, context.Canceled
}
