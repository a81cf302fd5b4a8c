package operate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/route"
)

const (
	// jobStepTime is how long a step works at most, and jobReserve is what it leaves of its
	// context's time to save its progress.
	jobStepTime = 20 * time.Second
	jobReserve  = 5 * time.Second
	// jobLease is how long a lease lasts after the last write of its worker. It is longer than a
	// function may run, and shorter than the minute after which Lambda invokes a function again
	// that has died: that one goes on. jobSaveAfter is how long a worker works between two writes,
	// about.
	jobLease     = 45 * time.Second
	jobSaveAfter = 2 * time.Second
	// jobErrors is after how many steps in a row that ended with an error something is given up.
	// jobPause is the pause before the step that follows an error, times their number.
	jobErrors = 5
	jobPause  = 2 * time.Second
	// jobChunk is how many deliveries are sent again between two writes at most.
	jobChunk = 100
)

// Work works on a job for a step, and starts the next one if the job has not ended. It does nothing
// for a job that has ended, or that another worker works on. After an error, a part of the step may
// be done: the job has another step then, or has failed, or ResumeJobs finds it. When ctx ends, the
// step ends soon, without an error: what it has begun is saved, and the next step goes on.
func (j *Jobs) Work(ctx context.Context, tenant, id string) error {
	return j.workFor(ctx, tenant, id, jobStepTime)
}

func (j *Jobs) workFor(ctx context.Context, tenant, id string, atMost time.Duration) error {
	job, err := j.store.load(ctx, tenant, id)
	if err != nil {
		return err
	}
	if job.State != JobPlanning && job.State != JobRunning || job.isLeased(j.now()) {
		return nil
	}
	w := j.worker(ctx, job, atMost)
	err = w.step()
	switch {
	case errors.Is(err, errSuperseded):
		return nil
	case errors.Is(err, errLease):
		return err // ResumeJobs finds it when the lease is over
	case w.job.State.Final() || w.job.State == JobPlanned:
		return errors.Join(err, j.store.markClosed(ctx, w.job))
	}
	return errors.Join(err, j.cfg.Starter.StartJob(context.WithoutCancel(ctx), tenant, id))
}

var (
	errSuperseded = errors.New("relay: the job was ended, or another worker has it")
	errLease      = errors.New("relay: job's progress not saved")
)

// jobWorker is one step of a job.
type jobWorker struct {
	*Jobs
	ctx      context.Context // a step lasts for one call
	id       string          // random
	job      Job
	selector *selector
	ends     time.Time
	savedAt  time.Time
	scan     deliveryScan
	part     []byte // of an export: lines that were not written yet
	lines    int    // in part
	gone     int    // events that part lacks, because they are no longer on record
}

func (j *Jobs) worker(ctx context.Context, job Job, atMost time.Duration) *jobWorker {
	w := &jobWorker{
		Jobs: j, ctx: ctx, id: rand.Text()[:8], job: job, ends: j.cfg.Now().Add(atMost),
	}
	if deadline, ok := ctx.Deadline(); ok {
		w.ends = earliest(w.ends, deadline.Add(-jobReserve))
	}
	s := Selection{Tenant: job.Tenant, Sources: job.Filter.Sources, Types: job.Filter.Types}
	if job.Filter.Where != "" {
		s.Where, _ = route.ParseFilter([]byte(job.Filter.Where)) // checked when it was planned
	}
	w.selector = newSelector(s, j.cfg.Records, j.cfg.Bodies)
	w.scan = deliveryScan{
		tenant: job.Tenant, lister: j.cfg.Deliveries, endpoints: j.cfg.Endpoints,
		only:  job.Filter.Endpoints,
		query: Query{Statuses: job.statuses(), From: job.Filter.From, Until: job.until()},
	}
	return w
}

// step takes the lease, works, and gives the lease back.
func (w *jobWorker) step() error {
	w.job.step.Worker = w.id
	if err := w.save(); err != nil {
		return err
	}
	if n := w.job.step.Errors; n > 0 {
		wait(w.ctx, time.Duration(n)*jobPause)
	}
	err := w.work()
	if errors.Is(err, errLease) || errors.Is(err, errSuperseded) {
		return err
	}
	switch {
	case w.ctx.Err() != nil: // it was stopped, and that is no fault of the job's
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), jobReserve)
		defer cancel()
		w.ctx, err = ctx, nil
	case err == nil:
		w.job.step.Errors = 0
	default:
		w.fail(err)
		w.countError()
	}
	w.job.step.Worker, w.job.step.Until = "", time.Time{}
	return errors.Join(err, w.write())
}

// countError counts a step that ended with an error. After some in a row, the deliveries that it
// was about to send count as failed. If the next ones fail as well, it is not them: the job has
// failed.
func (w *jobWorker) countError() {
	s := &w.job.step
	if s.Errors++; s.Errors < jobErrors {
		return
	}
	if s.Doing == 0 || s.GaveUp {
		w.end(JobFailed)
		return
	}
	w.job.Progress.Failed += s.Doing
	s.Pending = s.Pending[s.Doing:]
	s.Doing, s.Errors, s.GaveUp = 0, 0, true
}

// save renews the lease and saves the progress.
func (w *jobWorker) save() error {
	w.job.step.Until = w.now().Add(jobLease)
	w.savedAt = w.cfg.Now()
	return w.write()
}

// write writes the job. If somebody has cancelled it meanwhile, it writes only the counts.
func (w *jobWorker) write() error {
	for try := 1; ; try++ {
		err := w.store.save(w.ctx, &w.job)
		if err == nil {
			return nil
		}
		if !errors.Is(err, catalog.ErrConflict) {
			return fmt.Errorf("%w: %w", errLease, err)
		}
		stored, err := w.store.load(w.ctx, w.job.Tenant, w.job.ID)
		if err != nil {
			return fmt.Errorf("%w: %w", errLease, err)
		}
		if stored.State != JobCancelled || stored.step.Worker != w.id || try == tries {
			return errSuperseded
		}
		w.job.revision, w.job.State, w.job.EndedAt = stored.revision, JobCancelled, stored.EndedAt
	}
}

// fail notes why something failed.
func (w *jobWorker) fail(err error) {
	const most = 1000
	w.job.Error = err.Error()
	w.job.Error = strings.ToValidUTF8(w.job.Error[:min(len(w.job.Error), most)], "")
}

func (w *jobWorker) end(s JobState) { w.job.State, w.job.EndedAt = s, w.now() }

func (w *jobWorker) timeLeft() bool {
	return w.cfg.Now().Before(w.ends) && w.ctx.Err() == nil && !w.job.State.Final()
}

// work does pages until there is no time left, or no page.
func (w *jobWorker) work() error {
	if w.job.Kind == JobExport && w.job.State == JobRunning {
		return w.export()
	}
	for w.timeLeft() {
		switch s := &w.job.step; {
		case len(s.Pending) > 0:
			if err := w.sendSome(); err != nil {
				return err
			}
		case s.End && w.job.State == JobPlanning:
			w.job.State, w.job.PlannedAt = JobPlanned, w.now()
			return nil
		case s.End:
			w.end(JobDone)
			return nil
		default:
			if err := w.nextPage(); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextPage lists the next page. Its items are counted if the job is being planned, else they are
// pending.
func (w *jobWorker) nextPage() error {
	items, err := w.list()
	if err != nil || w.job.State == JobRunning {
		w.job.step.Pending = items
		return err
	}
	w.job.Count += len(items)
	w.job.Sample = append(w.job.Sample, items[:min(len(items), JobSamples-len(w.job.Sample))]...)
	if w.cfg.Now().Sub(w.savedAt) >= jobSaveAfter {
		return w.save()
	}
	return nil
}

// list returns the items of the next page that are in the job's set. After an error it can be
// called again.
func (w *jobWorker) list() ([]JobItem, error) {
	listed := w.listDeliveries
	if w.job.Kind == JobExport {
		listed = w.listEvents
	}
	next := w.job.step
	items, scanned, err := listed(&next)
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(items, func(i JobItem) bool {
		return !w.selector.takesKey(w.ctx, i.Source, i.Type)
	})
	items, err = keep(w.ctx, items, func(ctx context.Context, i JobItem) (bool, error) {
		return w.selector.takes(ctx, i.EventID)
	})
	if err != nil {
		return nil, err
	}
	if w.job.State == JobPlanning {
		w.job.Scanned += scanned
	}
	w.job.step = next
	return items, nil
}

// until returns before which time the events of the set were accepted.
func (j *Job) until() time.Time {
	return earliest(j.Filter.To, j.UpTo.Add(time.Millisecond))
}

// listEvents lists the next page of events, and moves s on.
func (w *jobWorker) listEvents(s *jobStep) ([]JobItem, int, error) {
	keys, next, err := w.cfg.Events.EventsIn(w.ctx, EventQuery{
		Tenant: w.job.Tenant, From: w.job.Filter.From, To: w.job.until(), Limit: jobChunk,
		Page: s.Page,
	})
	if err != nil {
		return nil, 0, err
	}
	items := make([]JobItem, len(keys))
	for i, k := range keys {
		items[i] = JobItem{
			EventID: k.ID, Source: ownName(w.job.Tenant, k.Source), Type: k.Type,
			ReceivedAt: k.ReceivedAt,
		}
	}
	s.Page, s.End = next, next == ""
	return items, len(items), nil
}

// listDeliveries lists the next page of deliveries in the set, endpoint by endpoint.
func (w *jobWorker) listDeliveries(s *jobStep) ([]JobItem, int, error) {
	found, err := w.scan.next(w.ctx, &s.deliveryPlace)
	var items []JobItem
	for _, d := range found {
		if w.takesDelivery(d) {
			items = append(items, w.item(d))
		}
	}
	return items, len(found), err
}

func (j *Job) statuses() []relay.Status {
	switch {
	case j.Kind == JobRedrive || len(j.Filter.Reasons) > 0:
		return []relay.Status{relay.Dead}
	case len(j.Filter.Statuses) > 0:
		return j.Filter.Statuses
	}
	return []relay.Status{relay.Delivered, relay.Dead}
}

// takesDelivery tells whether a listed delivery is in the frozen set, but for its source and type.
func (w *jobWorker) takesDelivery(d relay.Delivery) bool {
	return slices.Contains(w.job.statuses(), d.Status) && !d.UpdatedAt.After(w.job.UpTo) &&
		(len(w.job.Filter.Reasons) == 0 || slices.Contains(w.job.Filter.Reasons, d.Reason))
}

func (w *jobWorker) item(d relay.Delivery) JobItem {
	return JobItem{
		EventID: d.EventID, Endpoint: ownName(w.job.Tenant, d.Endpoint),
		Source: ownName(w.job.Tenant, d.Source), Type: d.Type, ReceivedAt: d.ReceivedAt,
		Status: d.Status, Reason: d.Reason, Attempts: d.Attempts,
	}
}

// sendSome sends the first of the pending deliveries again, as many as the rate allows in the time
// between two writes. Before that it saves which these are.
func (w *jobWorker) sendSome() error {
	s := &w.job.step
	again := s.Doing > 0 // a worker before this one has begun with them
	if !again {
		s.Doing = min(len(s.Pending), jobChunk, max(1, int(jobSaveAfter.Seconds())*w.job.Rate))
	}
	if err := w.save(); err != nil {
		return err
	}
	if w.job.State.Final() {
		return nil
	}
	began := w.cfg.Now()
	chunk := s.Pending[:s.Doing]
	left, err := w.send(chunk, again)
	s.Pending = slices.Concat(left, s.Pending[s.Doing:])
	s.Doing = len(left)
	if err == nil {
		s.Errors, s.GaveUp = 0, false
		pace := time.Duration(len(chunk)) * time.Second / time.Duration(w.job.Rate)
		wait(w.ctx, min(began.Add(pace).Sub(w.cfg.Now()), jobLease/2))
	}
	return err
}

// send sends deliveries again. It returns those that failed twice, and the first failure. again
// tells that they may have been sent already: then one that has changed counts as done.
func (w *jobWorker) send(items []JobItem, again bool) (left []JobItem, failed error) {
	left = items
	var tried time.Time // zero: not yet
	for range 2 {
		results := make([]error, len(left))
		begun := time.Now().Truncate(time.Millisecond) // as records have it
		_ = each(indexes(left), func(i int) error {
			results[i] = w.cfg.Replayer.replayListed(w.ctx, w.job.Tenant, left[i], tried)
			return nil
		})
		tried = begun
		var more []JobItem
		failed = nil
		for i, err := range results {
			switch {
			case err == nil, again && errors.Is(err, catalog.ErrConflict):
				w.job.Progress.Done++
			case errors.Is(err, catalog.ErrConflict), errors.Is(err, catalog.ErrNotFound):
				w.job.Progress.Skipped++
			case errors.Is(err, format.ErrFormat):
				w.job.Progress.Failed++
				w.fail(err)
			default:
				more = append(more, left[i])
				if failed == nil {
					failed = err
				}
			}
		}
		if left = more; len(left) == 0 {
			break
		}
		again = true
	}
	return left, failed
}

// replayListed sends a delivery again that is as it was listed. tried is when this worker tried to
// record it as waiting and does not know whether it did; zero: it has not tried. If it did, the
// message is still to be sent. Error: ErrConflict if the delivery has changed.
func (r Replayer) replayListed(
	ctx context.Context, tenant string, i JobItem, tried time.Time,
) error {
	return r.replay(ctx, i.EventID, qualified(tenant, i.Endpoint), func(d relay.Delivery) bool {
		ours := d.Status == relay.Waiting && !tried.IsZero() && !d.NextAt.Before(tried)
		return d.Attempts == i.Attempts && (d.Status == i.Status || ours)
	})
}

func indexes[T any](all []T) []int {
	out := make([]int, len(all))
	for i := range out {
		out[i] = i
	}
	return out
}

// wait waits for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
