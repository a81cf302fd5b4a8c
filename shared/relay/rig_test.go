package relay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/transform"
	"webhook-relay/shared/verify"
)

// The secrets of the rig's catalog.
const (
	bearerToken    = "rig-token"
	endpointSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// rig is a whole relay on in-memory ports. A test drives it by hand. Run it in a synctest bubble,
// so that its waits are virtual.
type rig struct {
	t         *testing.T
	catalog   memory.Catalog
	ledger    memory.Ledger
	bodies    memory.Bodies
	states    memory.States
	quotas    memory.Quotas
	slots     memory.Slots
	failures  memory.Failures
	ingest    memory.Queue
	delivery  memory.Queue
	retry     memory.Queue
	slow      memory.Queue
	schedule  memory.Scheduler
	ordered   struct{ ingest, delivery memory.Queue } // the ordered queues
	dead      memory.Queue
	ingestDL  memory.Queue
	poison    memory.Queue
	poster    *endpoints
	reports   reports
	origin    string // "": the default
	region    string // "": not on AWS
	claims    relay.Claims
	retention time.Duration // zero: the default
	jq        transform.Runner
	types     catalog.Types // nil: those of the catalog
	chunk     int           // deliveries that the fan-out sends at once; 0: the default

	receiver  *relay.Receiver
	fanout    *relay.Fanout
	deliverer *relay.Deliverer
}

// newRig returns a rig with the source "app" (bearer) and the given endpoints, all subscribed to
// it. wrap may replace ports before the stages are made; nil: it replaces none.
func newRig(t *testing.T, schedule []time.Duration, names ...string) *rig {
	t.Helper()
	r := &rig{t: t, poster: &endpoints{answers: map[string]func(relay.Post) (relay.Reply, error){}}}
	r.schedule.Queue = &r.retry
	r.nameQueues()
	cat := catalog.Catalog{Sources: []catalog.Source{{
		Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{bearerToken},
	}}}
	for _, name := range names {
		cat.Endpoints = append(cat.Endpoints, catalog.Endpoint{
			Name: name, URL: "https://" + name +
				".example.com/", Secrets: []string{endpointSecret}, Schedule: schedule,
		})
		cat.Subscriptions = append(
			cat.Subscriptions, catalog.Subscription{Source: "app", Endpoint: name},
		)
	}
	if err := r.catalog.ReplaceCatalog(t.Context(), cat, 0); err != nil {
		t.Fatal(err)
	}
	r.build(func(p ports) ports { return p })
	return r
}

// nameQueues sets up the rig's queues as deployed.
func (r *rig) nameQueues() {
	r.ordered.ingest.Ordered, r.ordered.delivery.Ordered = true, true
	for name, q := range map[string]*memory.Queue{
		"ingest": &r.ingest, "ordered-ingest": &r.ordered.ingest,
	} {
		q.Name, q.Visibility = name+"-", visibilityFactor*fanoutTimeout
	}
	for name, q := range map[string]*memory.Queue{
		"delivery": &r.delivery, "retry": &r.retry, "slow": &r.slow,
		"ordered-delivery": &r.ordered.delivery,
	} {
		q.Name, q.Visibility = name+"-", visibilityFactor*deliverTimeout
	}
}

// ports are the ports at which a fault can happen.
type ports struct {
	sources         catalog.Sources
	subs            catalog.Subscriptions
	endpoints       catalog.Endpoints
	events          relay.Events
	deliveries      relay.Deliveries
	bodies          relay.Bodies
	poster          relay.Poster
	scheduler       relay.Scheduler
	states          gate.EndpointStates
	quotas          gate.Quotas
	slots           gate.Slots
	failures        relay.Failures
	keeper          relay.EventKeeper
	ingest          relay.Queue
	delivery        relay.Queue
	retry           relay.Queue
	slow            relay.Queue
	orderedIngest   relay.OrderedQueue
	orderedDelivery relay.OrderedQueue
	dead            relay.Queue
	ingestDL        relay.Queue
	poison          relay.Queue
}

// ports returns the rig's own ports, without faults.
func (r *rig) ports() ports {
	return ports{
		&r.catalog, &r.catalog, &r.catalog, &r.ledger, &r.ledger, &r.bodies, r.poster, &r.schedule,
		&r.states, &r.quotas, &r.slots, &r.failures, &r.ledger,
		&r.ingest, &r.delivery, &r.retry, &r.slow, &r.ordered.ingest, &r.ordered.delivery, &r.dead,
		&r.ingestDL, &r.poison,
	}
}

// build makes new stages, as new function instances would be, on the rig's ports as wrap returns
// them.
func (r *rig) build(wrap func(ports) ports) {
	p := wrap(r.ports())
	r.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: p.sources, Subscriptions: p.subs, Ingest: valued{p.ingest, r.t},
		Ordered: p.orderedIngest, Bodies: p.bodies, Quotas: p.quotas,
		Reporter: &r.reports,
	}))
	r.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: p.subs, Types: cmp.Or[catalog.Types](r.types, &r.catalog),
		Events: p.events, Bodies: p.bodies,
		Delivery: valued{p.delivery, r.t},
		Ordered:  p.orderedDelivery, Poison: p.ingestDL, Failures: p.failures,
		Reporter: &r.reports, Retention: r.retention,
		Chunk: r.chunk,
	}))
	r.deliverer = lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: p.endpoints, Deliveries: p.deliveries, Bodies: p.bodies, Poster: p.poster,
		Retry: p.retry, Slow: p.slow, Ordered: p.orderedDelivery, Dead: p.dead, Poison: p.poison,
		Scheduler: p.scheduler, States: p.states, Quotas: p.quotas, Slots: p.slots,
		Failures: p.failures, Keeper: p.keeper, Reporter: &r.reports,
		Operator: operate.NewNotifier(relay.NewRouter(p.subs, nil, 0, time.Now), p.ingest),
		Origin:   r.origin, Region: r.region, Claims: r.claims, Retention: r.retention, JQ: r.jq,
	}))
}

// post sends a webhook to the source "app".
func (r *rig) post(id, eventType, body string) (string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), receiveTimeout)
	defer cancel()
	answer, err := r.receiver.Receive(ctx, inbound(id, eventType, body))
	return answer.EventID, err
}

// inbound returns a valid webhook to the source "app".
func inbound(id, eventType, body string) relay.Inbound {
	return relay.Inbound{
		Source: "app", Method: "POST", Body: []byte(body), ReceivedAt: time.Now(),
		Header: relay.Header{
			"authorization": "Bearer " +
				bearerToken, "webhook-id": id, "webhook-type": eventType,
			"content-type": "application/json",
		},
	}
}

// mustPost posts a webhook that must be accepted.
func (r *rig) mustPost(id, eventType, body string) string {
	r.t.Helper()
	event, err := r.post(id, eventType, body)
	if err != nil {
		r.t.Fatalf("post %s: %v", id, err)
	}
	return event
}

// The settings of the queues and functions, as deployed.
const (
	maxReceives      = 1000 // of every queue
	receiveTimeout   = 10 * time.Second
	fanoutTimeout    = 30 * time.Second
	deliverTimeout   = 60 * time.Second
	visibilityFactor = 6
)

// pump makes the functions consume their queues until all are empty, and waits as long as that
// takes.
func (r *rig) pump() {
	r.t.Helper()
	for range 10_000 {
		busy := r.consume(&r.ingest, &r.ingestDL, r.fanout.Process)
		// the deliverer itself sets aside messages that fail too often
		busy = r.consume(&r.delivery, nil, r.deliverer.Process) || busy
		busy = r.consume(&r.retry, nil, r.deliverer.Process) || busy
		busy = r.consume(&r.slow, nil, r.deliverer.Process) || busy
		busy = r.consume(&r.ordered.ingest, &r.ingestDL, r.fanout.Process) || busy
		busy = r.consume(&r.ordered.delivery, nil, r.deliverer.Process) || busy
		if busy {
			continue
		}
		var next time.Time
		for _, q := range []*memory.Queue{
			&r.ingest, &r.delivery, &r.retry, &r.slow, &r.ordered.ingest, &r.ordered.delivery,
		} {
			if due, ok := q.Due(); ok && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
		if next.IsZero() {
			return
		}
		time.Sleep(time.Until(next)) // virtual
	}
	r.t.Fatal("the queues never ran empty")
}

// consume makes one invocation, as an event source mapping does.
func (r *rig) consume(
	q, deadLetters *memory.Queue, process func(context.Context, []relay.Message) []relay.Action,
) bool {
	ctx := context.Background()
	limit := 10
	if q.Ordered {
		limit = 1
	}
	msgs, _ := q.Receive(ctx, limit)
	live := msgs[:0]
	for _, m := range msgs {
		if deadLetters != nil && m.Receives > maxReceives {
			_ = q.Ack(ctx, m)
			deadLetters.Send(ctx, []relay.Outgoing{{Body: m.Body}})
			continue
		}
		live = append(live, m)
	}
	if len(live) == 0 {
		return len(msgs) > 0
	}
	settle(q, live, process(ctx, live))
	return true
}

// settle does what Lambda and a function's handler do after a stage has handled a batch.
func settle(q *memory.Queue, msgs []relay.Message, actions []relay.Action) {
	acknowledge(q, msgs, actions)
	q.Hold(context.Background(), toHold(msgs, actions))
}

// acknowledge deletes the finished messages from their queue.
func acknowledge(q *memory.Queue, msgs []relay.Message, actions []relay.Action) {
	for i, a := range actions {
		if !a.Retry {
			_ = q.Ack(context.Background(), msgs[i])
		}
	}
}

// toHold returns the messages that are to be received again.
func toHold(msgs []relay.Message, actions []relay.Action) (held []relay.Held) {
	for i, a := range actions {
		if a.Retry {
			held = append(held, relay.Held{Message: msgs[i], For: a.After})
		}
	}
	return held
}

// endpoints is a Poster. Its hosts give the answers set for them, or else 200.
type endpoints struct {
	mu      sync.Mutex
	answers map[string]func(relay.Post) (relay.Reply, error)
	posts   []relay.Post
}

func (e *endpoints) Post(_ context.Context, p relay.Post) (relay.Reply, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.posts = append(e.posts, p)
	if answer := e.answers[host(p)]; answer != nil {
		return answer(p)
	}
	return relay.Reply{StatusCode: 200, Body: []byte("ok")}, nil
}

// failTimes answers 503 n times, then 200.
func (e *endpoints) failTimes(name string, n int) {
	e.answers[name] = func(relay.Post) (relay.Reply, error) {
		if n--; n >= 0 {
			return relay.Reply{StatusCode: 503, Body: []byte("busy")}, nil
		}
		return relay.Reply{StatusCode: 200}, nil
	}
}

// attempts returns how often each attempt of each delivery was POSTed, by "event endpoint attempt".
func (e *endpoints) attempts() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := map[string]int{}
	for _, p := range e.posts {
		n[attemptOf(p)]++
	}
	return n
}

// attemptOf returns the name of the attempt that p is.
func attemptOf(p relay.Post) string {
	return fmt.Sprintf("%s %s %s", p.Header["webhook-id"], host(p), p.Header[relay.HeaderAttempt])
}

func host(p relay.Post) string {
	return strings.TrimSuffix(strings.TrimPrefix(p.URL, "https://"), ".example.com/")
}

// reports keeps the reports of the stages.
type reports struct {
	lost      func() bool // nil: they are never lost
	mu        sync.Mutex
	received  []relay.ReceiveReport
	routed    []relay.RouteReport
	attempted []relay.AttemptReport
}

func (r *reports) Received(_ context.Context, rep relay.ReceiveReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received = append(r.received, rep)
}

func (r *reports) Routed(_ context.Context, rep relay.RouteReport) {
	if r.lost != nil && r.lost() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.routed = append(r.routed, rep)
}

func (r *reports) Attempted(_ context.Context, rep relay.AttemptReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempted = append(r.attempted, rep)
}

// results counts the final results of routing.
func (r *reports) results() map[relay.RouteResult]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := map[relay.RouteResult]int{}
	for _, rep := range r.routed {
		if rep.Result != relay.RouteFailed && rep.Result != relay.Unfinished {
			n[rep.Result]++
		}
	}
	return n
}

// delivery returns a delivery's record.
func (r *rig) deliveryOf(event, endpoint string) relay.Delivery {
	r.t.Helper()
	e, err := r.ledger.EventRecord(r.t.Context(), event)
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := r.ledger.Delivery(r.t.Context(), e.DeliveryTo(endpoint))
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// openOf lists all of an endpoint's deliveries with a status.
func openOf(
	t *testing.T, l operate.Ledger, endpoint string, status relay.Status,
) (all []relay.Delivery) {
	t.Helper()
	for page, more := relay.Page(""), true; more; more = page != "" {
		var some []relay.Delivery
		var err error
		if some, page, err = l.ListDeliveries(
			t.Context(), operate.Query{Endpoint: endpoint, Statuses: []relay.Status{status}}, page,
		); err != nil {
			t.Error(err)
			return all
		}
		all = append(all, some...)
	}
	return all
}

var errInjected = errors.New("injected")
