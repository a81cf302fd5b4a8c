package awsenv_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
)

// With another -seed other calls are struck.
var seedFlag = flag.Uint64("seed", 1, "draws which call of each kind is struck, for how long, and in which batches")

const (
	atOnce = 6 // runs: they wait for the emulators most of the time
	outage = 3 // calls to one service: as often as package sqs tries
)

// ways are how a call can go wrong, by what it comes to. Of each way one is drawn.
var ways = [][]strike{
	{{refused, 1}, {refused, outage}, {failed, 1}, {failed, outage}},
	{{throttled, 1}, {throttled, outage}},
	{{unanswered, 1}, {unanswered, outage}, {late, 1}, {late, outage}},
	{{lost, 1}, {lost, outage}, {failedLate, 1}, {failedLate, outage}, {brokenOff, 1}, {brokenOff, outage}},
	{{killBefore, 1}},
	{{killAfter, 1}},
	{{failEntry, 1}, {throttleEntry, 1}},
	{{failEntry, outage}, {throttleEntry, outage}},
	{{failStored, 1}},
}

// unnoticed are those that clients which try again get over.
var unnoticed = [][]strike{
	{{refused, 1}, {failed, 1}, {throttled, 1}, {unanswered, 1}},
	{{lost, 1}, {late, 1}, {failedLate, 1}},
}

// TestAFaultAtEveryKindOfCall runs a small script of webhooks through the functions on the AWS adapters, once for each kind of AWS call that
// they make and each way in which it can go wrong, and holds the end against the promises. The SDK does not try again here, so that
// the faults reach the adapters and the core.
func TestAFaultAtEveryKindOfCall(t *testing.T) {
	s := sweep{newAccount(t), func() aws.Retryer { return aws.NopRetryer{} }, (*pipeline).check}
	s.run(t, ways)
}

// TestOneFaultIsNotNoticed does so with clients that try again as deployed: nobody sees that one call went wrong.
func TestOneFaultIsNotNoticed(t *testing.T) {
	a := newAccount(t)
	s := sweep{a, a.cfg.Retryer, (*pipeline).checkUnnoticed}
	s.run(t, unnoticed)
}

// sweep is a series of runs.
type sweep struct {
	*account
	retryer func() aws.Retryer
	check   func(*pipeline, context.Context) error
}

// run runs the script without a fault, to count the calls, and then once for each kind of call and each way.
func (s sweep) run(t *testing.T, ways [][]strike) {
	t.Helper()
	census := map[int]map[string]int{} // by size of batches
	for _, batch := range []int{1, 10} {
		census[batch] = s.play(t, batch, fault{})
	}
	if len(census[1]) < 15 || t.Failed() {
		t.Fatalf("without a fault there are these calls: %v", census)
	}
	random := rand.New(rand.NewPCG(*seedFlag, 0))
	var runs errgroup.Group
	runs.SetLimit(atOnce)
	for _, kind := range slices.Sorted(maps.Keys(census[1])) {
		for _, way := range ways {
			batch := pick(random, []int{1, 10})
			f := fault{pick(random, way), kind, 1 + random.IntN(census[batch][kind])}
			if !f.possible() {
				continue
			}
			runs.Go(func() error {
				t.Run(strings.ReplaceAll(fmt.Sprint(kind, ": ", f.strike), " ", "-"), func(t *testing.T) { s.play(t, batch, f) })
				return nil
			})
		}
	}
	_ = runs.Wait()
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// possible tells whether the fault can be: a batch alone can fail in part, and no function is at work when its messages are deleted.
func (f fault) possible() bool {
	if f.mode.kills() {
		return !strings.HasPrefix(f.kind, "DeleteMessageBatch")
	}
	return !f.mode.partial() || strings.Contains(f.kind, "Batch")
}

// play is one run. It returns the number of calls of each kind.
func (s sweep) play(t *testing.T, batch int, f fault) map[string]int {
	t.Helper()
	p, err := newPipeline(t.Context(), s.account, strings.ToLower(crand.Text()), s.retryer, batch, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range p.webhooks() {
		p.send(t.Context(), h)
	}
	if err := errors.Join(p.pump(t.Context()), s.check(p, t.Context())); err != nil {
		p.wrong("%v", err)
	}
	if f.n > 0 && p.wire.counts[f.kind] < f.n {
		p.wrong("the fault never struck")
	}
	if len(p.broken) > 0 {
		t.Errorf("%s\nseed %d, batches of %d, call %d of %s: %s\nsteps\n%s",
			strings.Join(p.broken, "\n"), *seedFlag, batch, f.n, f.kind, f.strike, strings.Join(p.steps, "\n"))
	}
	return p.wire.counts
}

// webhook is one that a provider sends.
type webhook struct {
	id, eventType string
	body          []byte
}

// webhooks are a small one, a large one, the first once more, and one that nobody wants.
func (p *pipeline) webhooks() []webhook {
	small := []byte(`{"run":"` + p.name + `"}`)
	large := append(bytes.Repeat([]byte{0xff}, relay.DefaultInlineBodyBytes), p.name...)
	return []webhook{{"1", "order.paid", small}, {"2", "order.paid", large}, {"1", "order.paid", small}, {"3", "ping", small}}
}

// checkUnnoticed is check of a run in which the clients have hidden the fault.
func (p *pipeline) checkUnnoticed(ctx context.Context) error {
	if n := len(p.webhooks()); p.tries != n {
		p.wrong("%d webhooks were sent %d times", n, p.tries)
	}
	if p.failures > 0 {
		p.wrong("%d messages failed at the deliverer", p.failures)
	}
	if p.reported != len(p.posts) {
		p.wrong("%d attempts were made, %d reported", len(p.posts), p.reported)
	}
	return p.check(ctx)
}

// check holds the end of a run against the promises.
func (p *pipeline) check(ctx context.Context) error {
	if len(p.sent) != 3 {
		p.wrong("%d different webhooks were accepted", len(p.sent))
	}
	p.checkSums()
	for event, body := range p.sent {
		if err := p.checkDeliveries(ctx, event, body); err != nil {
			return err
		}
	}
	for attempt, n := range p.posts {
		if n-1 > p.excuses[attempt] {
			p.wrong("attempt %s was POSTed %d times, with %d excuses", attempt, n, p.excuses[attempt])
		}
	}
	return errors.Join(p.checkListed(ctx), p.checkQueues(ctx))
}

// checkSums: what the ingest queue has accepted is routed, unrouted or a duplicate, and each event is so but once.
func (p *pipeline) checkSums() {
	events := map[string]int{}
	for receipt, event := range p.receipts {
		switch result := p.results[receipt]; result {
		case relay.Routed, relay.Unrouted:
			if events[event]++; (result == relay.Unrouted) != (event == relay.EventID("app", "3")) {
				p.wrong("event %s is %s", event, result)
			}
		case relay.Duplicate:
		default:
			p.wrong("event %s, receipt %s: accepted, and never routed: %q", event, receipt, result)
		}
	}
	for event := range p.sent {
		if events[event] != 1 {
			p.wrong("event %s was routed for %d receipts", event, events[event])
		}
	}
}

// histories are the outcomes of the attempts at each endpoint, whatever goes wrong at ours.
var histories = map[string]string{"good": "delivered [succeeded]", "flaky": "delivered [rejected succeeded]", "bad": "dead [rejected rejected]"}

// checkDeliveries: each delivery has ended, after no more and no fewer attempts than the endpoint gave cause for.
func (p *pipeline) checkDeliveries(ctx context.Context, event string, body []byte) error {
	record, deliveries, err := p.ledger.Event(ctx, event)
	if err != nil {
		return err
	}
	if len(deliveries) != len(record.Endpoints) {
		p.wrong("event %s has %d deliveries to %v", event, len(deliveries), record.Endpoints)
	}
	if len(deliveries) > 0 && !bytes.Equal(p.bodies[event], body) {
		p.wrong("event %s: %d bytes were POSTed, %d were sent", event, len(p.bodies[event]), len(body))
	}
	for _, d := range deliveries {
		var outcomes []relay.Outcome
		for _, a := range d.History {
			outcomes = append(outcomes, a.Outcome)
		}
		if got := fmt.Sprintf("%s %v", d.Status, outcomes); got != histories[d.Endpoint] || d.Attempts != len(outcomes) {
			p.wrong("delivery of %s to %s: %s, %d attempts, want %s", event, d.Endpoint, got, d.Attempts, histories[d.Endpoint])
		}
	}
	return nil
}

// checkListed: the dead deliveries are listed, and no others.
func (p *pipeline) checkListed(ctx context.Context) error {
	for endpoint := range histories {
		for status, want := range map[relay.Status]int{relay.Waiting: 0, relay.Dead: strings.Count(histories[endpoint], "dead") * 2} {
			listed, _, err := p.ledger.OpenDeliveries(ctx, endpoint, status, "")
			if err != nil {
				return err
			}
			if len(listed) != want {
				p.wrong("%d deliveries to %s are listed as %s, want %d", len(listed), endpoint, status, want)
			}
		}
	}
	return nil
}

// checkQueues: the dead deliveries can be redriven, and nothing was put aside.
func (p *pipeline) checkQueues(ctx context.Context) error {
	for queue, want := range map[string]int{"dead": 2, "ingest-dlq": 0, "delivery-dlq": 0} {
		msgs, err := p.receive(ctx, queue)
		if err != nil {
			return err
		}
		deliveries := map[string]bool{}
		for _, m := range msgs {
			deliveries[read(*m.Body).delivery()] = true
		}
		if len(deliveries) != want {
			p.wrong("the queue %s has messages of %d deliveries, want %d", queue, len(deliveries), want)
		}
	}
	return nil
}
