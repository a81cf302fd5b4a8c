package relay_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/lab/awsmodel"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// traffic is a run of the deliverer on a model of AWS, as deployed: three queues, their event
// source mappings, and one function. Its instances share only the ledger. A hundred quiet endpoints
// answer within a quarter of a second, and get most of the deliveries. Their latency is measured,
// from the send to the delivery queue until the answer.
type traffic struct {
	length    time.Duration
	measured  time.Duration // latencies are measured from then on
	settled   time.Duration // from then on latencies count as steady state
	quiet     int           // deliveries a second to all quiet endpoints together
	slow      []slowEndpoint
	noLane    bool // without the slow queue
	delivery  int  // maximum concurrency of the delivery queue's mapping; 0: as deployed
	batchSize int  // of the delivery queue's mapping; 0: 10
	ready     bool // this mapping has its maximum concurrency from the start
	limited   int  // concurrency of every endpoint; 0: not limited
	seed      uint64
}

// slowEndpoint is slow to answer, with 200.
type slowEndpoint struct {
	rate  int           // deliveries a second
	takes time.Duration // until it answers
	from  time.Duration // before that it answers as the quiet endpoints do
	until time.Duration // afterwards it does so again; 0: never
}

const (
	quietEndpoints = 100
	quietTakes     = 150 * time.Millisecond // from half of it to one and a half

	// The maximum concurrency of the mappings, as deployed.
	deliveryConcurrency = 300
	retryConcurrency    = 30
	slowConcurrency     = 50
)

// observed is what a run measured.
type observed struct {
	whole, steady latencies       // of the quiet endpoints
	peak          int             // most concurrent invocations of the delivery queue
	delivered     map[string]int  // by endpoint
	calls         map[string]int  // to AWS
	sentOn        []time.Duration // when deliveries were sent to the slow queue
}

// latencies are sorted.
type latencies []time.Duration

func (l latencies) percentile(p int) time.Duration { return l[len(l)*p/100] }

// over counts the latencies above a limit.
func (l latencies) over(bound time.Duration) int {
	i, _ := slices.BinarySearch(l, bound+1)
	return len(l) - i
}

func (l latencies) String() string {
	return fmt.Sprintf(
		"p50 %.2f s, p99 %.2f s", l.percentile(50).Seconds(), l.percentile(99).Seconds(),
	)
}

// model is the deliverer of a relay in the model of AWS.
type model struct {
	traffic
	memory.Catalog
	states   memory.States
	slots    memory.Slots
	began    time.Time
	delivery *awsmodel.Queue
	retry    *awsmodel.Queue
	slowLane *awsmodel.Queue

	mu    sync.Mutex
	count int
	observed
}

// run runs the traffic, and then waits another minute, so that the attempts in flight can end.
func (tr traffic) run(t *testing.T) (o observed) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &model{traffic: tr, began: time.Now()}
		m.delivered, m.calls = map[string]int{}, map[string]int{}
		m.configure(t)
		o = m.consume(t)
	})
	slices.Sort(o.whole)
	slices.Sort(o.steady)
	return o
}

// consume sends the traffic and maps the queues to the function.
func (m *model) consume(t *testing.T) observed {
	queue := awsmodel.QueueOptions{
		Visibility: visibilityFactor * deliverTimeout, Latency: 10 * time.Millisecond, Seed: m.seed,
	}
	m.delivery, m.retry, m.slowLane = awsmodel.NewQueue(queue), awsmodel.NewQueue(queue),
		awsmodel.NewQueue(queue)
	f := &awsmodel.Function{
		New: m.instance, Timeout: deliverTimeout, ColdStart: 150 * time.Millisecond,
	}
	first := &awsmodel.Mapping{
		Queue: m.delivery, Function: f, Ready: m.ready, BatchSize: m.batchSize,
		MaxConcurrency: deliveryConcurrency,
	}
	if m.traffic.delivery > 0 {
		first.MaxConcurrency = m.traffic.delivery
	}
	ctx, cancel := context.WithTimeout(t.Context(), m.length+time.Minute)
	defer cancel()
	var running sync.WaitGroup
	for _, mapping := range []*awsmodel.Mapping{
		first,
		{Queue: m.retry, Function: f, MaxConcurrency: retryConcurrency},
		{Queue: m.slowLane, Function: f, MaxConcurrency: slowConcurrency},
	} {
		running.Go(func() { mapping.Run(ctx) })
	}
	running.Go(func() {
		m.send(m.quiet, func(n int) string { return fmt.Sprintf("quiet%d", n%quietEndpoints) })
	})
	for i, s := range m.slow {
		running.Go(func() { m.send(s.rate, func(int) string { return slowName(i) }) })
	}
	running.Wait()
	m.peak = first.Peak()
	return m.observed
}

func slowName(i int) string { return "slow" + strconv.Itoa(i) }

func (m *model) configure(t *testing.T) {
	t.Helper()
	var c catalog.Catalog
	add := func(name string) {
		c.Endpoints = append(c.Endpoints, catalog.Endpoint{
			Name: name, URL: "https://" + name + ".example.com/", Secrets: []string{endpointSecret},
			Timeout: catalog.MaxEndpointTimeout, Concurrency: m.limited,
		})
	}
	for i := range quietEndpoints {
		add(fmt.Sprintf("quiet%d", i))
	}
	for i := range m.slow {
		add(slowName(i))
	}
	if err := m.ReplaceCatalog(t.Context(), c, 0); err != nil {
		t.Error(err)
	}
}

// send sends first attempts at a rate, each at a random time within its interval.
func (m *model) send(rate int, endpoint func(n int) string) {
	for n := range rate * int(m.length/time.Second) {
		name := endpoint(n)
		at := (float64(n) + awsmodel.Random(m.seed, name, n)) / float64(rate)
		time.Sleep(time.Duration(at*float64(time.Second)) - time.Since(m.began))
		event := relay.EncodeEvent(relay.Event{
			ID: name + "-" + strconv.Itoa(n), Source: "app", Type: "push", ReceivedAt: time.Now(),
			Body: []byte("{}"),
		})
		body := fmt.Appendf(
			nil, `{"v":1,"endpoint":%q,"attempt":1,"step":0,"event":%s}`, name, event,
		)
		go m.delivery.Send(context.Background(), []relay.Outgoing{{Body: body, Group: name}})
	}
}

// instance makes a new instance of the function.
func (m *model) instance(int) awsmodel.Process {
	cfg := relay.DelivererConfig{
		Endpoints: m, Deliveries: m, Poster: m, States: m, Slots: m, Quotas: &memory.Quotas{},
		Reporter: m,
		Retry:    modelledQueue{m, "retry", m.retry}, Failures: &memory.Failures{},
		Bodies: &memory.Bodies{}, Dead: &memory.Queue{}, Poison: &memory.Queue{},
		Scheduler: &memory.Scheduler{Queue: &memory.Queue{}}, Keeper: &memory.Ledger{},
	}
	if !m.noLane {
		cfg.Slow = modelledQueue{m, "slow", m.slowLane}
	}
	return lab.Must(relay.NewDeliverer(cfg)).Process
}

// modelledQueue counts what is sent.
type modelledQueue struct {
	m    *model
	name string
	to   *awsmodel.Queue
}

func (q modelledQueue) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	q.m.called("send to " + q.name)
	if q.name == "slow" {
		q.m.mu.Lock()
		q.m.sentOn = append(q.m.sentOn, time.Since(q.m.began))
		q.m.mu.Unlock()
	}
	return q.to.Send(ctx, msgs)
}

// called counts a call to AWS.
func (m *model) called(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[what]++
	m.count++
	return m.count
}

// call counts a call to DynamoDB, and takes its time.
func (m *model) call(what string) {
	n := m.called(what)
	time.Sleep(time.Duration((5 + 5*awsmodel.Random(m.seed, what, n)) * float64(time.Millisecond)))
}

// Post takes as long as its endpoint.
func (m *model) Post(_ context.Context, p relay.Post) (relay.Reply, error) {
	name, id := host(p), p.Header["webhook-id"]
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	if err != nil {
		return relay.Reply{}, err
	}
	takes := time.Duration((0.5 + awsmodel.Random(m.seed, name, n)) * float64(quietTakes))
	for i, s := range m.slow {
		now := time.Since(m.began)
		if name == slowName(i) && now >= s.from && (s.until == 0 || now < s.until) {
			takes = s.takes
		}
	}
	time.Sleep(takes)
	return relay.Reply{StatusCode: 200}, nil
}

// Delivery finds no record: a run keeps none, and attempts nothing twice.
func (m *model) Delivery(context.Context, relay.DeliveryKey) (relay.Delivery, error) {
	m.call("read delivery")
	return relay.Delivery{}, catalog.ErrNotFound
}

func (m *model) SaveDelivery(context.Context, relay.Delivery, int) error {
	m.call("save delivery")
	return nil
}

func (m *model) EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error) {
	m.call("read state")
	return m.states.EndpointState(ctx, endpoint)
}

func (m *model) TroubledEndpoints(ctx context.Context) ([]string, error) {
	return m.states.TroubledEndpoints(ctx)
}

func (m *model) SaveEndpointState(
	ctx context.Context, endpoint string, s breaker.State, prior int64,
) error {
	m.call("save state")
	return m.states.SaveEndpointState(ctx, endpoint, s, prior)
}

func (m *model) ClaimSlot(
	ctx context.Context, endpoint string, number int, holder string, until time.Time,
) (bool, error) {
	m.call("claim slot")
	return m.slots.ClaimSlot(ctx, endpoint, number, holder, until)
}

func (m *model) ReleaseSlot(ctx context.Context, endpoint string, number int, holder string) error {
	m.call("release slot")
	return m.slots.ReleaseSlot(ctx, endpoint, number, holder)
}

// Attempted notes how long the delivery took.
func (m *model) Attempted(_ context.Context, r relay.AttemptReport) {
	if r.Status != relay.Delivered {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delivered[r.Endpoint]++
	sent := time.Since(m.began) - r.Age
	if !strings.HasPrefix(r.Endpoint, "quiet") || sent < m.measured {
		return
	}
	m.whole = append(m.whole, r.Age)
	if sent >= m.settled {
		m.steady = append(m.steady, r.Age)
	}
}

func (m *model) Received(context.Context, relay.ReceiveReport) {}
func (m *model) Routed(context.Context, relay.RouteReport)     {}

// TestASlowEndpointDelaysNoOther: one endpoint of a hundred and one begins to take 14 s for each of
// its hundred webhooks a second. It answers all of them with 200. The p99 of the others stays
// within twice of what it is without the slow endpoint, in the steady state and over the ten
// minutes in which that happens.
func TestASlowEndpointDelaysNoOther(t *testing.T) {
	t.Parallel()
	const (
		warm   = 10 * time.Second // the mapping has scaled up
		begins = 30 * time.Second // and back to what the quiet endpoints need
		steady = begins + 20*time.Second
		ends   = steady + 10*time.Second
		rate   = 500
	)
	base := traffic{length: begins, measured: warm, settled: warm, quiet: rate, seed: 1}.run(t)
	if n := base.calls["send to slow"] + base.calls["save state"]; n > 0 {
		t.Errorf("%d calls for the slow lane while all endpoints are fast", n)
	}
	got := traffic{
		length: ends, measured: begins, settled: steady, quiet: rate, seed: 1,
		slow: []slowEndpoint{{rate: 100, takes: 14 * time.Second, from: begins}},
	}.run(t)
	bound := 2 * base.steady.percentile(99)
	if p99 := got.steady.percentile(99); p99 > bound {
		t.Errorf("p99 of the others %v in the steady state, want at most %v", p99, bound)
	}
	if n, most := got.whole.over(bound), rate*600/100; n > most {
		t.Errorf(
			"%d deliveries took longer than %v, want at most the %d that are 1 %% of ten minutes",
			n, bound, most,
		)
	}
	if n, least := got.delivered["slow0"], 100*30; n < least {
		t.Errorf("%d deliveries to the slow endpoint, want %d at least", n, least)
	}
}

// TestAnEndpointThatIsFastAgainLeavesTheSlowLane: an endpoint takes 5 s for some minutes.
func TestAnEndpointThatIsFastAgainLeavesTheSlowLane(t *testing.T) {
	t.Parallel()
	const from, until = time.Minute, 4 * time.Minute
	got := traffic{
		length: 7 * time.Minute, quiet: 10, seed: 1,
		slow: []slowEndpoint{{rate: 10, takes: 5 * time.Second, from: from, until: until}},
	}.run(t)
	// Two seconds until the first attempts count, and five until all instances have read it.
	if first := got.sentOn[0]; first < from+2*time.Second || first > from+7*time.Second {
		t.Errorf("the first delivery was sent on at %v", first)
	}
	if n, least := len(got.sentOn), 10*int((until-from)/time.Second-10); n < least {
		t.Errorf("%d deliveries were sent on, want %d at least", n, least)
	}
	// The last slow attempt counts up to 5 s later, for a minute, and up to five more seconds.
	if last := got.sentOn[len(got.sentOn)-1]; last > until+70*time.Second {
		t.Errorf("the last delivery was sent on at %v", last)
	}
}

// BenchmarkSlowEndpoint shows the latency of a hundred other endpoints over ten minutes in which
// one endpoint begins to take 14 s, in seconds of virtual time. It compares the slow queue with
// none, and with the alternatives that were considered.
func BenchmarkSlowEndpoint(b *testing.B) {
	slow := func(rate int) []slowEndpoint {
		return []slowEndpoint{{rate: rate, takes: 14 * time.Second, from: time.Minute}}
	}
	runs := map[string]traffic{
		"none":             {},
		"20 a second/old":  {slow: slow(20), noLane: true, delivery: 100},
		"20 a second/lane": {slow: slow(20)},
		"100 a second/old": {slow: slow(100), noLane: true, delivery: 100},
		"100 a second/old, ideal mapping": {
			slow: slow(100), noLane: true, delivery: 100, ready: true,
		},
		"100 a second/old, 300": {slow: slow(100), noLane: true},
		"100 a second/old, single": {
			slow: slow(100), noLane: true, delivery: 1000, batchSize: 1,
		},
		"100 a second/concurrency of 50":   {slow: slow(100), noLane: true, limited: 50},
		"100 a second/lane, 100":           {slow: slow(100), delivery: 100},
		"100 a second/lane":                {slow: slow(100)},
		"100 a second/lane, ideal mapping": {slow: slow(100), ready: true},
		"five of 20 a second/lane":         {slow: slices.Repeat(slow(20), 5)},
	}
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		tr := runs[name]
		tr.length, tr.measured, tr.settled, tr.quiet, tr.seed = 11*time.Minute, time.Minute,
			100*time.Second, 500, 1
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				o := tr.inBenchmark()
				b.ReportMetric(o.whole.percentile(50).Seconds(), "p50-s")
				b.ReportMetric(o.whole.percentile(99).Seconds(), "p99-s")
				b.ReportMetric(o.steady.percentile(99).Seconds(), "steady-p99-s")
				b.ReportMetric(float64(o.peak), "invocations")
			}
		})
	}
}

// inBenchmark runs the traffic in a test of its own, because only tests have bubbles.
func (tr traffic) inBenchmark() (o observed) {
	all := func(string, string) (bool, error) { return true, nil }
	testing.RunTests(all, []testing.InternalTest{{Name: "traffic", F: func(t *testing.T) {
		o = tr.run(t)
	}}})
	return o
}
