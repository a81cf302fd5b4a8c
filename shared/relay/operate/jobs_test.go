package operate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// yard is what jobs work on, in memory.
type yard struct {
	t         *testing.T
	ledger    memory.Ledger
	documents memory.Documents
	bodies    memory.Bodies
	retry     memory.Queue
	endpoints []string // qualified
	keys      []relay.DeliveryKey
	events    []operate.EventKey // oldest first
	started   [][2]string        // tenant and id of jobs whose work was started
	jobs      *operate.Jobs
	strike    func(what string, call func() error) error
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{t: t, strike: func(_ string, call func() error) error { return call() }}
	y.jobs = y.worker()
	return y
}

// worker returns Jobs, as a new instance of a function would be.
func (y *yard) worker() *operate.Jobs {
	struck := &struckPorts{yard: y}
	return lab.Must(operate.NewJobs(operate.JobsConfig{
		Documents: struck, Deliveries: struck, Events: struck, Records: struck, Bodies: struck,
		Replayer: operate.Replayer{Ledger: struckLedger{&y.ledger, struck}, Deliveries: struck,
			Retry: struck},
		Endpoints: struck.endpointsOf, Starter: struck,
	}))
}

// event records an event, received now, and one delivery to each endpoint.
func (y *yard) event(
	tenant, id, eventType, body string, status relay.Status, endpoints ...string,
) {
	y.t.Helper()
	now := time.Now().UTC()
	source := "app"
	if tenant != "" {
		source = tenant + "/app"
	}
	for i := range endpoints {
		if tenant != "" {
			endpoints[i] = tenant + "/" + endpoints[i]
		}
	}
	if _, err := relay.RecordEvent(y.t.Context(), &y.ledger, relay.EventRecord{
		Event: relay.Event{
			ID: id, Tenant: tenant, Source: source, Type: eventType, ReceivedAt: now,
			Body:   []byte(body),
			Header: relay.Header{"content-type": "application/json"},
		},
		MessageID: id, Endpoints: endpoints, RoutedAt: now, ExpiresAt: now.Add(90 * 24 * time.Hour),
	}); err != nil {
		y.t.Fatal(err)
	}
	y.events = append(y.events, operate.EventKey{
		ID: id, Tenant: tenant, Source: source, Type: eventType, ReceivedAt: now,
	})
	for _, endpoint := range endpoints {
		d := relay.Delivery{
			EventID: id, Endpoint: endpoint, ReceivedAt: now, Source: source, Type: eventType,
			Status:   status,
			Attempts: 3, UpdatedAt: now, ExpiresAt: now.Add(90 * 24 * time.Hour),
			History: []relay.Attempt{{Number: 3, At: now, Outcome: relay.FailedAnswer}},
		}
		if status == relay.Dead {
			d.Reason = relay.Exhausted
		}
		if err := y.ledger.SaveDelivery(y.t.Context(), d, 0); err != nil {
			y.t.Fatal(err)
		}
		y.keys = append(y.keys, d.Key())
		if !slices.Contains(y.endpoints, endpoint) {
			y.endpoints = append(y.endpoints, endpoint)
		}
	}
}

// dead records n events with a dead delivery to each endpoint, one a second.
func (y *yard) dead(n int, endpoints ...string) {
	y.t.Helper()
	for i := range n {
		y.event("", fmt.Sprintf("evt_%03d", i), "push", fmt.Sprintf(`{"n": %d}`, i), relay.Dead,
			slices.Clone(endpoints)...)
		time.Sleep(time.Second)
	}
}

// finish works on what was started, as often as it takes, and returns the job. A worker that died
// is followed by another when the hourly sweep finds it.
func (y *yard) finish(job operate.Job) operate.Job {
	y.t.Helper()
	for range 200 {
		for len(y.started) > 0 {
			next := y.started[0]
			y.started = y.started[1:]
			_ = y.worker().Work(y.t.Context(), next[0], next[1])
		}
		got, err := y.jobs.Job(y.t.Context(), job.Tenant, job.ID)
		if errors.Is(err, errFault) {
			y.jobs = y.worker()
		} else if err != nil {
			y.t.Fatal(err)
		}
		if got.State.Final() || got.State == operate.JobPlanned {
			return got
		}
		time.Sleep(time.Hour)
		if _, err := operate.ResumeJobs(
			y.t.Context(), &y.documents, &struckPorts{yard: y}, time.Now(),
		); err != nil && !errors.Is(err, errFault) {
			y.t.Fatal(err)
		}
	}
	y.t.Fatal("the job does not end")
	return job
}

func (y *yard) plan(tenant string, spec operate.JobSpec) operate.Job {
	y.t.Helper()
	job, err := y.jobs.Plan(y.t.Context(), tenant, operate.NewJobID(time.Now()), spec)
	if err != nil {
		y.t.Fatal(err)
	}
	return y.finish(job)
}

func (y *yard) run(job operate.Job) operate.Job {
	y.t.Helper()
	job, err := y.jobs.Run(y.t.Context(), job.Tenant, job.ID)
	if err != nil {
		y.t.Fatal(err)
	}
	return y.finish(job)
}

// sent returns how many messages of each delivery are in the retry queue.
func (y *yard) sent() map[string]int {
	counts := map[string]int{}
	for _, m := range y.retry.List() {
		var doc struct {
			Endpoint string
			Event    struct{ ID string }
		}
		if err := json.Unmarshal(m.Body, &doc); err != nil {
			y.t.Fatal(err)
		}
		counts[doc.Event.ID+" "+doc.Endpoint]++
	}
	return counts
}

// struckPorts are the ports of a worker, at each call of which something may go wrong.
type struckPorts struct {
	*yard
	mu   sync.Mutex
	dead bool // the worker is
}

func (p *struckPorts) do(what string, call func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errFault
	}
	err := p.strike(what, call)
	p.dead = errors.Is(err, errKilled)
	return err
}

func (p *struckPorts) Document(
	ctx context.Context, collection, key string,
) (d operate.Document, err error) {
	err = p.do("read "+collection, func() (err error) {
		d, err = p.documents.Document(ctx, collection, key)
		return err
	})
	return d, err
}

func (p *struckPorts) PutDocument(
	ctx context.Context, collection string, d operate.Document, base int64,
) (version int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = p.do("write "+collection, func() (err error) {
		version, err = p.documents.PutDocument(ctx, collection, d, base)
		return err
	})
	return version, err
}

func (p *struckPorts) DeleteDocument(
	ctx context.Context, collection, key string, base int64,
) error {
	return p.do("delete "+collection, func() error {
		return p.documents.DeleteDocument(ctx, collection, key, base)
	})
}

func (p *struckPorts) DocumentsIn(
	ctx context.Context, collection string, r operate.DocumentRange,
) (found []operate.Document, next string, err error) {
	return p.documents.DocumentsIn(ctx, collection, r)
}

func (p *struckPorts) ListDeliveries(
	ctx context.Context, q operate.Query, from relay.Page,
) (found []relay.Delivery, next relay.Page, err error) {
	err = p.do("list", func() (err error) {
		found, next, err = p.ledger.ListDeliveries(ctx, q, from)
		return err
	})
	return found, next, err
}

func (p *struckPorts) EventsIn(
	_ context.Context, q operate.EventQuery,
) (found []operate.EventKey, next relay.Page, err error) {
	err = p.do("list events", func() error {
		for _, k := range slices.Backward(p.events) {
			if from := string(q.Page); from != "" && k.ID >= from || !q.Takes(k) {
				continue
			}
			if len(found) == min(q.Limit, 7) {
				next = relay.Page(found[len(found)-1].ID)
				return nil
			}
			found = append(found, k)
		}
		return nil
	})
	return found, next, err
}

func (p *struckPorts) endpointsOf(
	_ context.Context, tenant, after string,
) (names []string, err error) {
	err = p.do("names", func() error {
		for _, name := range slices.Sorted(slices.Values(p.endpoints)) {
			of, plain, qualified := strings.Cut(name, "/")
			if !qualified {
				of, plain = "", name
			}
			if of == tenant && plain > after && len(names) < 2 {
				names = append(names, plain)
			}
		}
		return nil
	})
	return names, err
}

func (p *struckPorts) EventRecord(
	ctx context.Context, id string,
) (r relay.EventRecord, err error) {
	err = p.do("read event", func() (err error) {
		r, err = p.ledger.EventRecord(ctx, id)
		return err
	})
	return r, err
}

func (p *struckPorts) Event(
	ctx context.Context, id string,
) (r relay.EventRecord, all []relay.Delivery, err error) {
	err = p.do("read event and deliveries", func() (err error) {
		r, all, err = p.ledger.Event(ctx, id)
		return err
	})
	return r, all, err
}

func (p *struckPorts) Delivery(
	ctx context.Context, k relay.DeliveryKey,
) (d relay.Delivery, err error) {
	err = p.do("read delivery", func() (err error) {
		d, err = p.ledger.Delivery(ctx, k)
		return err
	})
	return d, err
}

func (p *struckPorts) SaveDelivery(ctx context.Context, d relay.Delivery, prior int) error {
	return p.do("save delivery", func() error { return p.ledger.SaveDelivery(ctx, d, prior) })
}

func (p *struckPorts) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	err := p.do("send "+string(msgs[0].Body), func() error {
		return errors.Join(p.retry.Send(ctx, msgs)...)
	})
	return []error{err}
}

func (p *struckPorts) Put(ctx context.Context, key string, body []byte) error {
	return p.do("put", func() error { return p.bodies.Put(ctx, key, body) })
}

func (p *struckPorts) Get(ctx context.Context, key string) ([]byte, error) {
	return p.bodies.Get(ctx, key)
}

func (p *struckPorts) StartJob(_ context.Context, tenant, id string) error {
	return p.do("start", func() error {
		p.started = append(p.started, [2]string{tenant, id})
		return nil
	})
}

// struckLedger is the replayer's ledger.
type struckLedger struct {
	operate.Ledger
	struck *struckPorts
}

func (l struckLedger) EventRecord(ctx context.Context, id string) (relay.EventRecord, error) {
	return l.struck.EventRecord(ctx, id)
}

// TestJobs_AStepThatIsStoppedLosesNothing: its host ends, and the next one goes on at once.
func TestJobs_AStepThatIsStoppedLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(10, "a")
		job := y.plan("", operate.JobSpec{Kind: operate.JobRedrive, Rate: 1})
		if _, err := y.jobs.Run(t.Context(), "", job.ID); err != nil {
			t.Fatal(err)
		}
		y.started = nil
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		began := time.Now()
		if err := y.worker().Work(ctx, "", job.ID); err != nil {
			t.Errorf("the step that was stopped: %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it went on until %s", took)
		}
		y.started = nil // the host that was to start the next step has ended
		if n, err := operate.ResumeJobs(
			t.Context(), &y.documents, &struckPorts{yard: y}, time.Now(),
		); n != 1 || err != nil {
			t.Errorf("%d jobs stand still, %v", n, err)
		}
		if done := y.finish(job); done.State != operate.JobDone || done.Error != "" ||
			done.Progress != (operate.JobProgress{Done: 10}) {
			t.Errorf("%+v", done)
		}
		for key, n := range y.sent() {
			if n != 1 {
				t.Errorf("%s: %d messages", key, n)
			}
		}
	})
}

func TestJobs_RedriveSendsTheFrozenSetOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(30, "a", "b", "c")
		y.event("", "evt_900", "push", "{}", relay.Delivered, "a")
		y.event("acme", "evt_901", "push", "{}", relay.Dead, "a")
		planned := y.plan("", operate.JobSpec{
			Kind: operate.JobRedrive, By: "ann", Filter: operate.JobFilter{
				Endpoints: []string{"b", "a"},
			},
		})
		if planned.State != operate.JobPlanned || planned.Count != 60 ||
			len(planned.Sample) != operate.JobSamples || planned.Scanned != 60 ||
			planned.Duration() != 1200*time.Millisecond || planned.CostUSD() <= 0 {
			t.Fatalf("%+v", planned)
		}
		time.Sleep(time.Minute)
		y.event("", "evt_902", "push", "{}", relay.Dead, "a") // after the plan
		done := y.run(planned)
		if done.State != operate.JobDone || done.Progress != (operate.JobProgress{Done: 60}) {
			t.Errorf("%+v", done)
		}
		sent := y.sent()
		for i := range 30 {
			for _, endpoint := range []string{"a", "b"} {
				if key := fmt.Sprintf("evt_%03d %s", i, endpoint); sent[key] != 1 {
					t.Errorf("%s: %d messages", key, sent[key])
				}
			}
		}
		if len(sent) != 60 {
			t.Errorf("%d deliveries were sent", len(sent))
		}
		if _, err := y.jobs.Run(t.Context(), "", planned.ID); !errors.Is(
			err, operate.ErrJobState,
		) {
			t.Errorf("run again: %v", err)
		}
	})
}

func TestJobs_FiltersTakeWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   operate.JobKind
		tenant string
		filter func(start time.Time) operate.JobFilter
		want   []string
	}{
		"all dead": {operate.JobRedrive, "", nil, []string{"evt_1 a", "evt_2 a", "evt_4 b"}},
		"also delivered": {
			operate.JobReplay, "", nil, []string{"evt_1 a", "evt_2 a", "evt_3 a", "evt_4 b"},
		},
		"delivered only": {operate.JobReplay, "", func(time.Time) operate.JobFilter {
			return operate.JobFilter{Statuses: []relay.Status{relay.Delivered}}
		}, []string{"evt_3 a"}},
		"a tenant's": {operate.JobReplay, "acme", nil, []string{"evt_5 a"}},
		"a tenant's, by its names": {operate.JobReplay, "acme", func(time.Time) operate.JobFilter {
			return operate.JobFilter{
				Sources: []string{"app"}, Where: `{"source": ["app"], "data": {"x": [5]}}`,
			}
		}, []string{"evt_5 a"}},
		"by type": {operate.JobRedrive, "", func(time.Time) operate.JobFilter {
			return operate.JobFilter{Types: []string{"pull.*", "none"}}
		}, []string{"evt_2 a"}},
		"by source": {operate.JobRedrive, "", func(time.Time) operate.JobFilter {
			return operate.JobFilter{Sources: []string{"other"}}
		}, nil},
		"by reason": {operate.JobReplay, "", func(time.Time) operate.JobFilter {
			return operate.JobFilter{Reasons: []relay.Reason{relay.Expired}}
		}, nil},
		"by data": {operate.JobReplay, "", func(time.Time) operate.JobFilter {
			return operate.JobFilter{Where: `{"data": {"x": [{"numeric": [">=", 2, "<", 4]}]}}`}
		}, []string{"evt_2 a", "evt_3 a"}},
		"events": {operate.JobExport, "", nil, []string{"evt_1 ", "evt_2 ", "evt_3 ", "evt_4 "}},
		"events of a time": {operate.JobExport, "", func(start time.Time) operate.JobFilter {
			return operate.JobFilter{
				From: start.Add(time.Second), To: start.Add(3 * time.Second),
			}
		}, []string{"evt_2 ", "evt_3 "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				y, start := newYard(t), time.Now()
				for _, e := range []struct {
					tenant, id, eventType string
					status                relay.Status
					endpoint              string
				}{
					{"", "evt_1", "push", relay.Dead, "a"},
					{"", "evt_2", "pull.opened", relay.Dead, "a"},
					{"", "evt_3", "push", relay.Delivered, "a"},
					{"", "evt_4", "push", relay.Dead, "b"},
					{"acme", "evt_5", "push", relay.Dead, "a"},
				} {
					y.event(
						e.tenant, e.id, e.eventType, `{"x": `+e.id[4:]+`}`, e.status, e.endpoint,
					)
					time.Sleep(time.Second)
				}
				spec := operate.JobSpec{Kind: test.kind}
				if test.filter != nil {
					spec.Filter = test.filter(start)
				}
				planned := y.plan(test.tenant, spec)
				var got []string
				for _, i := range planned.Sample {
					got = append(got, i.EventID+" "+i.Endpoint)
				}
				slices.Sort(got)
				if diff := cmp.Diff(test.want, got); diff != "" || planned.Count != len(got) {
					t.Errorf("planned %d (-want +got):\n%s", planned.Count, diff)
				}
				if done := y.run(planned); done.Progress.Done != len(test.want) {
					t.Errorf("planned %d, %+v", planned.Count, done.Progress)
				}
			})
		})
	}
}

func TestJobs_AnOldPlanIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(1, "a")
		planned := y.plan("", operate.JobSpec{Kind: operate.JobRedrive})
		time.Sleep(operate.JobPlanAge + time.Second)
		if _, err := y.jobs.Run(
			t.Context(), "", planned.ID,
		); !errors.Is(err, operate.ErrStale) {
			t.Errorf("got %v", err)
		}
		if n := len(y.sent()); n > 0 || len(y.started) > 0 {
			t.Errorf("%d sent, started %v", n, y.started)
		}
	})
}

// Somebody else sends a part of the set again between the plan and the run.
func TestJobs_WhatHasChangedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(10, "a")
		spec := operate.JobSpec{Kind: operate.JobRedrive}
		first, second := y.plan("", spec), y.plan("", spec)
		y.run(first)
		if done := y.run(second); done.State != operate.JobDone || done.Progress.Done != 0 {
			t.Errorf("%+v", done)
		}
		for key, n := range y.sent() {
			if n != 1 {
				t.Errorf("%s: %d messages", key, n)
			}
		}
	})
}

func TestJobs_CancelStopsARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(40, "a")
		planned := y.plan("", operate.JobSpec{Kind: operate.JobRedrive, Rate: 1})
		if _, err := y.jobs.Run(t.Context(), "", planned.ID); err != nil {
			t.Fatal(err)
		}
		finished := make(chan operate.Job)
		go func() { finished <- y.finish(planned) }()
		time.Sleep(11 * time.Second)
		cancelled, err := y.jobs.Cancel(t.Context(), "", planned.ID)
		if err != nil || cancelled.State != operate.JobCancelled {
			t.Fatalf("%+v, %v", cancelled, err)
		}
		at := time.Now()
		<-finished
		if took := time.Since(at); took > 5*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		job, err := y.jobs.Job(t.Context(), "", planned.ID)
		if sent := len(y.sent()); err != nil || job.State != operate.JobCancelled ||
			job.Progress.Done != sent || sent < 8 || sent > 16 {
			t.Errorf("%d sent, job %+v, %v", sent, job, err)
		}
		if again, err := y.jobs.Cancel(t.Context(), "", planned.ID); err != nil ||
			!again.EndedAt.Equal(job.EndedAt) {
			t.Errorf("cancelled again: %+v, %v", again, err)
		}
		if _, err := y.jobs.Run(t.Context(), "", planned.ID); !errors.Is(
			err, operate.ErrJobState,
		) {
			t.Errorf("run after that: %v", err)
		}
	})
}

// A worker whose process is stopped, by Ctrl-C, leaves the job to the next one at once.
func TestJobs_AStoppedWorkerLeavesTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(40, "a")
		planned := y.plan("", operate.JobSpec{Kind: operate.JobRedrive, Rate: 4})
		if _, err := y.jobs.Run(t.Context(), "", planned.ID); err != nil {
			t.Fatal(err)
		}
		y.started = nil
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		_ = y.worker().Work(ctx, "", planned.ID)
		stopped, err := y.jobs.Job(t.Context(), "", planned.ID)
		if err != nil || stopped.State != operate.JobRunning || stopped.Error != "" {
			t.Errorf("stopped: %+v, %v", stopped, err)
		}
		began := time.Now()
		_ = y.worker().Work(t.Context(), "", planned.ID)
		done := y.finish(planned)
		if done.State != operate.JobDone || done.Progress.Done != 40 ||
			time.Since(began) > 30*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), done)
		}
		for key, n := range y.sent() {
			if n != 1 {
				t.Errorf("%s: %d messages", key, n)
			}
		}
	})
}

func TestJobs_KeepTheirRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(70, "a")
		planned := y.plan("", operate.JobSpec{Kind: operate.JobRedrive, Rate: 2})
		began := time.Now()
		done := y.run(planned)
		if took := done.EndedAt.Sub(began); took < planned.Duration() ||
			took > planned.Duration()+5*time.Second {
			t.Errorf("%d took %v, want %v", done.Progress.Done, took, planned.Duration())
		}
	})
}

// Of two workers of one job, the second does nothing while the first has the lease.
func TestJobs_OneWorkerAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(40, "a")
		planned := y.plan("", operate.JobSpec{Kind: operate.JobRedrive, Rate: 2})
		if _, err := y.jobs.Run(t.Context(), "", planned.ID); err != nil {
			t.Fatal(err)
		}
		y.started = nil
		var g sync.WaitGroup
		for range 3 {
			g.Go(func() { _ = y.worker().Work(t.Context(), "", planned.ID) })
		}
		g.Wait()
		if len(y.started) != 1 {
			t.Errorf("%d workers started the next step", len(y.started))
		}
		for key, n := range y.sent() {
			if n != 1 {
				t.Errorf("%s: %d messages", key, n)
			}
		}
	})
}

func TestJobs_AnExportHasEachEventOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.dead(30, "a")
		y.event("", "evt_999", "", "\xff\x00", relay.Delivered, "a")
		done := y.run(y.plan("", operate.JobSpec{Kind: operate.JobExport}))
		lines := y.exported(done)
		if len(lines) != 31 || done.Progress.Done != 31 {
			t.Errorf("%d lines, %+v", len(lines), done)
		}
		if last := lines["evt_999"]; string(last.Body) != "\xff\x00" || last.Source != "app" ||
			last.Header["content-type"] == "" {
			t.Errorf("%+v", last)
		}
	})
}

// exported reads the files of an export. An event that is there twice is an error.
func (y *yard) exported(job operate.Job) map[string]operate.ExportedEvent {
	y.t.Helper()
	found := map[string]operate.ExportedEvent{}
	for _, key := range job.Parts {
		part, err := y.bodies.Get(y.t.Context(), key)
		if err != nil {
			y.t.Fatal(err)
		}
		for line := range bytes.Lines(part) {
			var e operate.ExportedEvent
			if err := json.Unmarshal(line, &e); err != nil {
				y.t.Fatal(err)
			}
			if _, twice := found[e.ID]; twice {
				y.t.Errorf("%s is there twice", e.ID)
			}
			found[e.ID] = e
		}
	}
	return found
}

var (
	errFault  = errors.New("injected fault")
	errKilled = fmt.Errorf("killed: %w", errFault)
)

// TestJobs_AnyCallMayFail fails each call of a plan and of a run in turn, before or after it took
// effect, and either goes on or kills the worker there. In the end everything of the set was sent,
// nothing twice, and the counts are right.
func TestJobs_AnyCallMayFail(t *testing.T) {
	t.Parallel()
	for _, kind := range []operate.JobKind{operate.JobRedrive, operate.JobExport} {
		for _, mode := range []string{"before", "after", "killed before", "killed after"} {
			t.Run(string(kind)+" "+mode, func(t *testing.T) {
				t.Parallel()
				k := 1
				for more := true; more; k++ {
					synctest.Test(t, func(t *testing.T) { more = jobWithFault(t, kind, mode, k) })
				}
				if k < 30 {
					t.Errorf("only %d calls", k)
				}
			})
		}
	}
}

// jobWithFault runs a job in which call k goes wrong. It returns false if there are fewer calls.
func jobWithFault(t *testing.T, kind operate.JobKind, mode string, k int) bool {
	t.Helper()
	y := newYard(t)
	y.dead(12, "a", "b")
	n, hit, what := 0, false, ""
	y.strike = func(name string, call func() error) error {
		if n++; n != k {
			return call()
		}
		hit, what = true, name
		if strings.HasSuffix(mode, "after") {
			_ = call()
		}
		if strings.HasPrefix(mode, "killed") {
			return errKilled
		}
		return errFault
	}
	var job operate.Job
	for ; ; time.Sleep(time.Hour) { // the operator tries again
		var err error
		if job, err = y.jobs.Plan(
			t.Context(), "", operate.NewJobID(time.Now()), operate.JobSpec{Kind: kind},
		); err == nil {
			break
		}
		y.jobs = y.worker()
	}
	planned := y.finish(job)
	count := map[operate.JobKind]int{operate.JobRedrive: 24, operate.JobExport: 12}[kind]
	if planned.State != operate.JobPlanned || planned.Count != count {
		t.Fatalf("call %d, %s, %s: plan %+v", k, what, mode, planned)
	}
	for ; ; time.Sleep(time.Minute) {
		if _, err := y.jobs.Run(t.Context(), "", job.ID); err == nil ||
			errors.Is(err, operate.ErrJobState) {
			break
		}
		y.jobs = y.worker()
	}
	done := y.finish(planned)
	if done.State != operate.JobDone || done.Progress.Done != count ||
		done.Progress.Failed+done.Progress.Skipped > 0 {
		t.Errorf("call %d, %s, %s: %+v", k, what, mode, done)
	}
	if kind == operate.JobExport {
		if lines := y.exported(done); len(lines) != count {
			t.Errorf("call %d, %s, %s: %d lines", k, what, mode, len(lines))
		}
		return hit
	}
	sent := y.sent()
	for _, key := range y.keys {
		d, err := y.ledger.Delivery(t.Context(), key)
		if err != nil || d.Status != relay.Waiting {
			t.Errorf("call %d, %s, %s: %+v, %v", k, what, mode, d, err)
		}
		messages := sent[key.EventID+" "+key.Endpoint]
		// A delivery that is recorded as waiting and has no message, because its worker was killed,
		// is found by the sweeper. A lost answer of the queue gives two messages, of which the
		// deliverer drops one.
		lost := messages == 0 && strings.HasPrefix(mode, "killed")
		twice := messages == 2 && strings.HasPrefix(what, "send ") &&
			strings.HasSuffix(mode, "after")
		if messages != 1 && !lost && !twice {
			t.Errorf("call %d, %s, %s: %d messages of %v", k, what, mode, messages, key)
		}
	}
	return hit
}

func TestJobs_WhatCannotBePlanned(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for field, spec := range map[string]operate.JobSpec{
		"kind": {Kind: "delete"},
		"rate": {Kind: operate.JobReplay, Rate: operate.MaxJobRate + 1},
		"filter.statuses[0]": {
			Kind:   operate.JobRedrive,
			Filter: operate.JobFilter{Statuses: []relay.Status{relay.Waiting}},
		},
		"filter.statuses[1]": {
			Kind:   operate.JobReplay,
			Filter: operate.JobFilter{Statuses: []relay.Status{relay.Dead, relay.Waiting}},
		},
		"filter.endpoints": {
			Kind: operate.JobExport, Filter: operate.JobFilter{Endpoints: []string{"a"}},
		},
		"filter.reasons": {
			Kind:   operate.JobExport,
			Filter: operate.JobFilter{Reasons: []relay.Reason{relay.Expired}},
		},
		"filter.reasons[0]": {
			Kind: operate.JobReplay, Filter: operate.JobFilter{Reasons: []relay.Reason{"tired"}},
		},
		"filter.types[1]": {
			Kind: operate.JobReplay, Filter: operate.JobFilter{Types: []string{"a", ""}},
		},
		"filter.where": {
			Kind: operate.JobReplay, Filter: operate.JobFilter{Where: `{"data": 1}`},
		},
		"filter.to": {
			Kind:   operate.JobReplay,
			Filter: operate.JobFilter{From: time.Unix(2, 0), To: time.Unix(1, 0)},
		},
		"filter.sources": {
			Kind:   operate.JobReplay,
			Filter: operate.JobFilter{Sources: make([]string, operate.MaxJobNames+1)},
		},
		"filter.endpoints[1]": {
			Kind:   operate.JobReplay,
			Filter: operate.JobFilter{Sources: []string{"s"}, Endpoints: []string{"a", ""}},
		},
	} {
		_, err := y.jobs.Plan(t.Context(), "", operate.NewJobID(time.Now()), spec)
		var wrong *operate.JobError
		if !errors.As(err, &wrong) || wrong.Field != field || !errors.Is(err, operate.ErrJob) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := y.jobs.Run(t.Context(), "", "job_none"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("no such job: %v", err)
	}
}

func TestJobs_AreListedNewestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		var want []string
		for range 5 {
			want = append(want, y.plan("", operate.JobSpec{Kind: operate.JobRedrive}).ID)
			time.Sleep(time.Millisecond)
		}
		y.plan("acme", operate.JobSpec{Kind: operate.JobRedrive})
		slices.Reverse(want)
		var got []string
		for next, more := "", true; more; more = next != "" {
			jobs, after, err := y.jobs.Jobs(t.Context(), "", next, 2)
			if err != nil {
				t.Fatal(err)
			}
			next = after
			for _, j := range jobs {
				got = append(got, j.ID)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A queue that is down for a while delays a job. One that stays down fails it. A delivery that can
// never be sent fails alone.
func TestJobs_OutagesAndPoison(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		down  func(since time.Duration, record string) bool
		state operate.JobState
		want  operate.JobProgress
	}{
		"a short outage": {func(since time.Duration, _ string) bool {
			return since > time.Second && since < 8*time.Second
		}, operate.JobDone, operate.JobProgress{Done: 30}},
		"one that stays": {func(time.Duration, string) bool {
			return true
		}, operate.JobFailed, operate.JobProgress{Failed: 2}},
		"poison": {func(_ time.Duration, record string) bool {
			return strings.Contains(record, "evt_013")
		}, operate.JobDone, operate.JobProgress{Done: 29, Failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t)
				y.dead(30, "a")
				planned := y.plan("", operate.JobSpec{Kind: operate.JobRedrive, Rate: 10})
				began := time.Now()
				y.strike = func(what string, call func() error) error {
					if record, sends := strings.CutPrefix(what, "send "); sends &&
						test.down(time.Since(began), record) {
						return errFault
					}
					return call()
				}
				done := y.run(planned)
				if done.State != test.state || done.Progress != test.want ||
					(done.Progress.Failed > 0) != (done.State == operate.JobFailed ||
						done.Error != "" && name == "poison") {
					t.Errorf("%s, %+v, %q", done.State, done.Progress, done.Error)
				}
			})
		})
	}
}
