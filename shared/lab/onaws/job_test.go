package onaws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/lambda"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// jobEvents is how many events are on record, each with a dead delivery.
const jobEvents = 5

// jobRun is a run of one job with the function admin's adapters. The test plays Lambda.
type jobRun struct {
	*pipeline
	jobs    *operate.Jobs // of the function that lives now
	clean   *operate.Jobs // without faults
	service *httptest.Server

	invoked sync.Mutex
	started [][2]string
}

// TestAFaultAtEveryKindOfCallOfAJob plans and runs a job that sends again, and an export. There is
// one run for each kind of AWS call and each way in which it can go wrong. In the end the job is
// done, and each delivery is sent and each event exported.
func TestAFaultAtEveryKindOfCallOfAJob(t *testing.T) {
	a := newAccount(t)
	counts := map[operate.JobKind]map[string]int{}
	seen := map[string]bool{}
	for _, kind := range []operate.JobKind{operate.JobRedrive, operate.JobExport} {
		counts[kind] = playJob(t, a, kind, fault{})
		for call := range counts[kind] {
			seen[call] = true
		}
	}
	if diff := cmp.Diff(jobCalls, slices.Sorted(maps.Keys(seen))); diff != "" || t.Failed() {
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
	for _, call := range jobCalls {
		for _, way := range ways {
			job := pick(random, []operate.JobKind{operate.JobRedrive, operate.JobExport})
			if counts[job][call] == 0 {
				job = map[operate.JobKind]operate.JobKind{
					operate.JobRedrive: operate.JobExport, operate.JobExport: operate.JobRedrive,
				}[job]
			}
			f := fault{pick(random, way), call, 1 + random.IntN(counts[job][call])}
			if !f.possible() {
				continue
			}
			if drawn++; drawn%share != 0 {
				continue
			}
			runs.Go(func() error {
				t.Run(strings.ReplaceAll(fmt.Sprint(call, ": ", f.strike), " ", "-"),
					func(t *testing.T) { playJob(t, a, job, f) })
				return nil
			})
		}
	}
	_ = runs.Wait()
}

// playJob plays one run, and returns the number of calls of each kind.
func playJob(t *testing.T, a *account, kind operate.JobKind, f fault) map[string]int {
	t.Helper()
	p, err := newPipeline(
		t.Context(), a, scripts["repeats"], func() aws.Retryer { return aws.NopRetryer{} }, 1, f,
	)
	if err != nil {
		t.Fatal(err)
	}
	p.services.server.Close() // a job sends nothing itself
	p.wire.done = func(*call, map[string]any) {}
	r := &jobRun{pipeline: p}
	r.service = httptest.NewServer(http.HandlerFunc(r.invoke))
	defer r.service.Close()
	r.jobs, r.clean = r.newJobs(p.clients("admin")), r.newJobs(p.cfg)
	if err := r.record(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := r.play(t.Context(), kind)
	switch {
	case err != nil:
		r.wrong("%v", err)
	case done.State != operate.JobDone || done.Progress != (operate.JobProgress{Done: jobEvents}):
		r.wrong("the job is %s: %+v, %s", done.State, done.Progress, done.Error)
	case kind == operate.JobExport:
		err = r.checkExport(t.Context(), done)
	default:
		err = r.checkSent(t.Context(), f)
	}
	if err != nil {
		r.wrong("%v", err)
	}
	if f.n > 0 && p.wire.counts[f.kind] < f.n {
		r.wrong("the fault never struck")
	}
	if len(p.broken) > 0 {
		t.Errorf("%s\nseed %d, %s, call %d of %s: %s\nsteps\n%s", strings.Join(p.broken, "\n"),
			*seedFlag, kind, f.n, f.kind, f.strike, strings.Join(p.steps, "\n"))
	}
	return p.wire.counts
}

// invoke plays the part of Lambda that takes asynchronous invocations.
func (r *jobRun) invoke(w http.ResponseWriter, request *http.Request) {
	var event lambda.JobEvent
	body, err := io.ReadAll(request.Body)
	if err != nil || json.Unmarshal(body, &event) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.invoked.Lock()
	defer r.invoked.Unlock()
	r.started = append(r.started, [2]string{event.Job.Tenant, event.Job.ID})
	w.WriteHeader(http.StatusAccepted)
}

func (r *jobRun) next() (job [2]string, found bool) {
	r.invoked.Lock()
	defer r.invoked.Unlock()
	if len(r.started) == 0 {
		return job, false
	}
	job, r.started = r.started[0], r.started[1:]
	return job, true
}

func (r *jobRun) starter(cfg aws.Config) *lambda.Starter {
	cfg.ConfigSources, cfg.BaseEndpoint = nil, &r.service.URL
	return lambda.NewStarter(cfg, "admin")
}

// newJobs wires jobs as the function admin does.
func (r *jobRun) newJobs(cfg aws.Config) *operate.Jobs {
	tables := dynamo.Client(cfg)
	catalogs := dynamo.NewCatalog(
		tables, r.catalogTable(), kms.New(cfg, secretsKey),
	)
	bodies := s3.New(s3.NewBucket(cfg, r.bucket))
	ledger := dynamo.NewLedger(tables, r.ledgerTable(), bodies)
	return lab.Must(operate.NewJobs(operate.JobsConfig{
		Documents:  dynamo.NewDocuments(tables, r.ledgerTable()),
		Deliveries: ledger, Records: ledger, Bodies: bodies,
		Events:    ledger,
		Endpoints: operate.EndpointsOf(catalogs),
		Replayer: operate.Replayer{
			Ledger: ledger, Deliveries: ledger,
			Retry: sqs.New(sqs.Client(cfg), r.urls["retry"]),
		},
		Starter: r.starter(cfg), Now: r.now,
	}))
}

// record puts events with dead deliveries on record. They are kept for a short time, so that they
// are kept longer when they are sent again.
func (r *jobRun) record(ctx context.Context) error {
	at := r.now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	expires := at.Add(24 * time.Hour).Truncate(time.Second)
	for i := range jobEvents {
		id := relay.EventID("", "app", fmt.Sprint(i))
		_, failed := relay.RecordEvent(ctx, r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: id, Source: "app", Trust: verify.Verified, ReceivedAt: at,
				Body: []byte(`{}`),
			},
			MessageID: id, Endpoints: []string{"bad"}, RoutedAt: at, ExpiresAt: expires,
		})
		if err := errors.Join(failed, r.ledger.SaveDelivery(ctx, relay.Delivery{
			EventID: id, Endpoint: "bad", ReceivedAt: at, Source: "app", Status: relay.Dead,
			Reason: relay.Exhausted, Attempts: 2, UpdatedAt: at, ExpiresAt: expires,
		}, 0)); err != nil {
			return err
		}
	}
	return nil
}

// revived replaces the function if it was killed.
func (r *jobRun) revived() {
	if r.wire.dead {
		r.wire.dead = false
		r.jobs = r.newJobs(r.clients("admin"))
	}
}

// play plans and runs a job. The operator tries again what fails.
func (r *jobRun) play(ctx context.Context, kind operate.JobKind) (operate.Job, error) {
	spec := operate.JobSpec{Kind: kind, Rate: operate.MaxJobRate, Filter: operate.JobFilter{
		From: r.now().Add(-time.Hour),
	}}
	var job operate.Job
	for try := 0; ; try++ {
		var err error
		if job, err = r.jobs.Plan(ctx, "", operate.NewJobID(r.now()), spec); err == nil {
			break
		}
		r.revived()
		if try == patience {
			return job, err
		}
	}
	planned, err := r.finish(ctx, job.ID)
	if err != nil || planned.Count != jobEvents {
		return planned, fmt.Errorf("%s: %d match, want %d, %w", planned.State, planned.Count,
			jobEvents, err)
	}
	for try := 0; ; try++ {
		_, err := r.jobs.Run(ctx, "", job.ID)
		r.revived()
		if err == nil || errors.Is(err, operate.ErrJobState) {
			break
		}
		if try == patience {
			return planned, err
		}
	}
	return r.finish(ctx, job.ID)
}

// finish works on the job until it waits for the operator or has ended. One that stands still is
// started again by the sweep.
func (r *jobRun) finish(ctx context.Context, id string) (operate.Job, error) {
	documents := dynamo.NewDocuments(dynamo.Client(r.cfg), r.ledgerTable())
	for range patience {
		for job, found := r.next(); found; job, found = r.next() {
			if err := r.jobs.Work(ctx, job[0], job[1]); err != nil {
				r.note("work: %v", err)
			}
			r.revived()
		}
		job, err := r.clean.Job(ctx, "", id)
		if err != nil || job.State.Final() || job.State == operate.JobPlanned {
			return job, err
		}
		r.skip(time.Minute)
		if _, err := operate.ResumeJobs(ctx, documents, r.starter(r.cfg), r.now()); err != nil {
			return job, err
		}
	}
	return operate.Job{}, errors.New("the job does not end")
}

// checkSent checks that each delivery waits and has a message. A function that is killed between
// the two leaves the message to the sweeper. A message whose answer is lost may be sent twice.
func (r *jobRun) checkSent(ctx context.Context, f fault) error {
	sent := map[string]int{}
	for {
		messages, err := r.receive(ctx, "retry", 10)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			sent[read(*m.Body).delivery()]++
		}
	}
	without := 0
	for i := range jobEvents {
		id := relay.EventID("", "app", fmt.Sprint(i))
		record, deliveries, err := r.ledger.Event(ctx, id)
		if err != nil {
			return err
		}
		if len(deliveries) != 1 || deliveries[0].Status != relay.Waiting {
			r.wrong("%s: deliveries %+v", id, deliveries)
			continue
		}
		if record.ExpiresAt.Before(deliveries[0].ExpiresAt) {
			r.wrong("%s expires before its delivery", id)
		}
		if sent[id+" bad"] == 0 {
			without++
		}
	}
	if without > 0 && !f.mode.kills() {
		r.wrong("%d deliveries have no message", without)
	}
	return nil
}

// checkExport checks that each event is in the files once.
func (r *jobRun) checkExport(ctx context.Context, job operate.Job) error {
	bodies, found := s3.New(s3.NewBucket(r.cfg, r.bucket)), map[string]int{}
	for _, part := range job.Parts {
		text, err := bodies.Get(ctx, part)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			var e operate.ExportedEvent
			if err := json.Unmarshal(line, &e); err != nil {
				return err
			}
			found[e.ID]++
		}
	}
	for id, n := range found {
		if n != 1 {
			r.wrong("%s is exported %d times", id, n)
		}
	}
	if len(found) != jobEvents {
		r.wrong("%d events are exported, want %d", len(found), jobEvents)
	}
	return nil
}
