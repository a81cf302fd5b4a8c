package onaws_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// Another -seed strikes other calls.
var seedFlag = flag.Uint64(
	"seed", 1,
	"draws in which script and batches each kind of call is struck, which of them, and for how long",
)

const (
	atOnce = 6 // concurrent runs; they mostly wait for the emulators
	outage = 3 // calls to one service, as many as package sqs tries
)

// ways are the ways in which a call can go wrong, grouped by their effect. Of each group one is
// drawn.
var ways = [][]strike{
	{{refused, 1}, {refused, outage}, {failed, 1}, {failed, outage}},
	{{throttled, 1}, {throttled, outage}},
	{{unanswered, 1}, {unanswered, outage}, {late, 1}, {late, outage}},
	{
		{lost, 1}, {lost, outage}, {failedLate, 1}, {failedLate, outage}, {brokenOff, 1},
		{brokenOff, outage},
	},
	{{killBefore, 1}},
	{{killAfter, 1}},
	{{failEntry, 1}, {throttleEntry, 1}},
	{{failEntry, outage}, {throttleEntry, outage}},
	{{failStored, 1}},
}

// unnoticed are the ways that clients with retries recover from.
var unnoticed = [][]strike{
	{{refused, 1}, {failed, 1}, {throttled, 1}, {unanswered, 1}},
	{{lost, 1}, {late, 1}, {failedLate, 1}},
}

// TestAFaultAtEveryKindOfCall runs small scripts of webhooks through the functions on the AWS
// adapters. There is one run for each kind of AWS call and each way in which it can go wrong. At
// the end of a run it checks the promises. The SDK does not retry here, so the faults reach the
// adapters and the core.
func TestAFaultAtEveryKindOfCall(t *testing.T) {
	s := sweep{newAccount(t), func() aws.Retryer { return aws.NopRetryer{} }, (*pipeline).check}
	s.run(t, ways)
}

// TestOneFaultIsNotNoticed does the same with clients that retry as deployed. Then a single fault
// has no visible effect.
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

// setting is the start of a run.
type setting struct {
	script string
	batch  int // the size of batches
}

// census is the number of calls of each kind in each setting, without a fault.
type census map[string]map[setting]int

// run first runs each script without a fault, to count the calls. Then it draws, for each kind of
// call and each way, one run that has such a call. It plays all of these with RELAY_TEST_LONG, else
// a quarter.
func (s sweep) run(t *testing.T, ways [][]strike) {
	t.Helper()
	calls := s.count(t)
	if diff := cmp.Diff(kinds(), slices.Sorted(maps.Keys(calls))); diff != "" || t.Failed() {
		t.Fatalf("kinds of calls without a fault (-want +got):\n%s", diff)
	}
	random := rand.New(rand.NewPCG(*seedFlag, 0))
	share := 4 // one of so many faults is played
	if os.Getenv("RELAY_TEST_LONG") != "" {
		share = 1
	}
	drawn := 0
	var runs errgroup.Group
	runs.SetLimit(atOnce)
	for _, kind := range kinds() {
		for _, way := range ways {
			in, f := calls.draw(random, kind, way)
			if !f.possible() {
				continue
			}
			if drawn++; drawn%share != 0 {
				continue
			}
			runs.Go(func() error {
				t.Run(strings.ReplaceAll(
					fmt.Sprint(kind, ": ", f.strike), " ", "-",
				), func(t *testing.T) {
					for kind := range s.play(t, in, f) {
						if calls[kind] == nil && !slices.Contains(afterFailures, kind) {
							t.Errorf("a call that is never struck: %s", kind)
						}
					}
				})
				return nil
			})
		}
	}
	_ = runs.Wait()
}

func (s sweep) count(t *testing.T) census {
	t.Helper()
	calls := census{}
	for script := range scripts {
		for _, batch := range []int{1, 10} {
			in := setting{script, batch}
			for kind, n := range s.play(t, in, fault{}) {
				if calls[kind] == nil {
					calls[kind] = map[setting]int{}
				}
				calls[kind][in] = n
			}
		}
	}
	return calls
}

// draw chooses a setting with calls of a kind, which of these calls is struck, and how.
func (c census) draw(r *rand.Rand, kind string, way []strike) (setting, fault) {
	in := pick(r, slices.SortedFunc(maps.Keys(c[kind]), setting.compare))
	return in, fault{pick(r, way), kind, 1 + r.IntN(c[kind][in])}
}

func (s setting) compare(other setting) int {
	return strings.Compare(fmt.Sprint(s), fmt.Sprint(other))
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// possible tells whether the fault can occur: only a batch can fail in part, and no function runs
// while its messages are deleted.
func (f fault) possible() bool {
	if f.mode.kills() {
		return !strings.HasPrefix(f.kind, "mapping")
	}
	return !f.mode.partial() || strings.Contains(f.kind, "MessageBatch")
}

// play plays one run. It returns the number of calls of each kind.
func (s sweep) play(t *testing.T, in setting, f fault) map[string]int {
	t.Helper()
	p, err := newPipeline(t.Context(), s.account, scripts[in.script], s.retryer, in.batch, f)
	if err != nil {
		t.Fatal(err)
	}
	defer p.services.server.Close()
	if err := errors.Join(p.play(t.Context()), s.check(p, t.Context())); err != nil {
		p.wrong("%v", err)
	}
	if f.n > 0 && p.wire.counts[f.kind] < f.n {
		p.wrong("the fault never struck")
	}
	if len(p.broken) > 0 {
		t.Errorf("%s\nseed %d, %s, batches of %d, call %d of %s: %s\nsteps\n%s",
			strings.Join(p.broken, "\n"), *seedFlag, in.script, in.batch, f.n, f.kind, f.strike,
			strings.Join(p.steps, "\n"))
	}
	return p.wire.counts
}

// play plays the script.
func (p *pipeline) play(ctx context.Context) error {
	requests, err := p.requests(p.name)
	if err != nil {
		return err
	}
	for _, r := range requests {
		p.send(ctx, r)
	}
	if err := errors.Join(p.poisonQueues(ctx), p.pump(ctx)); err != nil || len(p.losses) == 0 {
		return err
	}
	return p.sweep(ctx)
}
