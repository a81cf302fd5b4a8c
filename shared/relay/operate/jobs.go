package operate

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

// JobStarter starts the work on a job somewhere else: it arranges that Jobs.Work is called, and
// does not wait for it. It is no harm if the work is started twice. It is safe for concurrent use.
type JobStarter interface {
	StartJob(ctx context.Context, tenant, id string) error
}

// DeliveryLister lists deliveries of an endpoint.
type DeliveryLister interface {
	// ListDeliveries lists an endpoint's recorded deliveries, newest first: in the order in which
	// their webhooks were accepted. A page may have few deliveries, or none, and still not be the
	// last one.
	ListDeliveries(
		ctx context.Context, q Query, from relay.Page,
	) ([]relay.Delivery, relay.Page, error)
}

// EventReader reads the records of events.
type EventReader interface {
	// EventRecord returns an event's record. It does not read the deliveries. Error: ErrNotFound.
	EventRecord(ctx context.Context, id string) (relay.EventRecord, error)
}

// JobsConfig configures Jobs.
type JobsConfig struct {
	Documents  Documents // of the ledger
	Deliveries DeliveryLister
	Events     EventLister
	Records    EventReader
	Replayer   Replayer
	Bodies     relay.Bodies // large bodies, and what exports write
	Endpoints  EndpointNames
	Starter    JobStarter
	Now        func() time.Time
}

// Jobs plans and runs jobs. It is safe for concurrent use.
//
// A job is worked on in steps of at most some 20 s. A step holds the job's lease, which it renews
// with each write of its progress; only one worker has it. A step that died leaves a lease that
// ends within a minute, and a later step goes on where it was. What the dead one may have done is
// not done again: a delivery is sent again only in the state in which it was listed.
type Jobs struct {
	cfg   JobsConfig
	store jobStore
}

// NewJobs returns Jobs. It calls nothing yet. The error names what cfg lacks.
func NewJobs(cfg JobsConfig) (*Jobs, error) {
	if err := relay.Lacks("JobsConfig", map[string]bool{
		"Documents": cfg.Documents == nil, "Deliveries": cfg.Deliveries == nil,
		"Events": cfg.Events == nil, "Records": cfg.Records == nil, "Bodies": cfg.Bodies == nil,
		"Endpoints": cfg.Endpoints == nil, "Starter": cfg.Starter == nil,
		"Replayer": cfg.Replayer.Ledger == nil,
	}); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Jobs{cfg: cfg, store: jobStore{cfg.Documents}}, nil
}

// openJobs is the collection that names the jobs that are worked on, of all tenants. So whoever
// looks for them reads no list of tenants.
const openJobs = "jobs-open"

func jobCollection(tenant string) string { return "jobs/" + tenant }

// jobStore keeps jobs.
type jobStore struct{ Documents }

func (s jobStore) load(ctx context.Context, tenant, id string) (Job, error) {
	d, err := s.Document(ctx, jobCollection(tenant), id)
	if err != nil {
		return Job{}, err
	}
	return decodeJob(tenant, d)
}

// save writes a job that nobody has written since it was read. Error: ErrConflict.
func (s jobStore) save(ctx context.Context, job *Job) error {
	version, err := s.PutDocument(ctx, jobCollection(job.Tenant), Document{
		Key: job.ID, Body: job.encode(), ExpiresAt: relay.Expiry(job.CreatedAt, JobRetention),
	}, job.revision)
	if err == nil {
		job.revision = version
	}
	return err
}

// markOpen notes that a job is worked on, before it is.
func (s jobStore) markOpen(ctx context.Context, job Job) error {
	_, err := s.PutDocument(ctx, openJobs, Document{
		Key: job.Tenant + "/" + job.ID, ExpiresAt: relay.Expiry(job.CreatedAt, JobRetention),
	}, AnyVersion)
	return err
}

// markClosed notes that a job is not worked on any more.
func (s jobStore) markClosed(ctx context.Context, job Job) error {
	return s.DeleteDocument(ctx, openJobs, job.Tenant+"/"+job.ID, AnyVersion)
}

// sortedEncoding writes numbers so that their texts are in the same order.
var sortedEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// NewJobID returns the id of a new job. Later ids are greater.
func NewJobID(now time.Time) string {
	var b [15]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16) //nolint:gosec // after 1970
	_, _ = rand.Read(b[6:])                                        // never fails since Go 1.24
	return "job_" + strings.ToLower(sortedEncoding.EncodeToString(b[:]))
}

func (j *Jobs) now() time.Time { return j.cfg.Now().UTC().Truncate(time.Millisecond) }

// Job returns a job. Error: ErrNotFound.
func (j *Jobs) Job(ctx context.Context, tenant, id string) (Job, error) {
	return j.store.load(ctx, tenant, id)
}

// Jobs lists a tenant's jobs, newest first, at most limit of them (1 to MaxDocuments). before is
// where to go on: a result of the call before, or "".
func (j *Jobs) Jobs(
	ctx context.Context, tenant, before string, limit int,
) (found []Job, next string, err error) {
	docs, next, err := j.cfg.Documents.DocumentsIn(
		ctx, jobCollection(tenant), DocumentRange{Before: before, Newest: true, Limit: limit},
	)
	if err != nil {
		return nil, "", err
	}
	for _, d := range docs {
		job, err := decodeJob(tenant, d)
		if err != nil {
			return nil, "", err
		}
		found = append(found, job)
	}
	return found, next, nil
}

// maxNameBytes is the length of a source's or endpoint's name, with that of its tenant before it.
const maxNameBytes = 127

// planTime is how long Plan counts itself. Then a step goes on.
const planTime = 3 * time.Second

// Plan makes a job and begins to count what matches. A small set is counted at once: the job is
// JobPlanned. Otherwise it is JobPlanning, and becomes JobPlanned later. Nothing is sent. id is one
// of NewJobID. Error: ErrJob.
func (j *Jobs) Plan(ctx context.Context, tenant, id string, spec JobSpec) (Job, error) {
	if err := spec.Check(); err != nil {
		return Job{}, err
	}
	spec.Rate = cmp.Or(spec.Rate, DefaultJobRate)
	now := j.now()
	job := Job{
		ID: id, Tenant: tenant, JobSpec: spec, UpTo: now, State: JobPlanning,
		CreatedAt: now,
	}
	if err := j.store.markOpen(ctx, job); err != nil {
		return Job{}, err
	}
	if err := j.store.save(ctx, &job); err != nil {
		return Job{}, err
	}
	if err := j.workFor(ctx, tenant, job.ID, planTime); err != nil {
		return Job{}, err
	}
	return j.Job(ctx, tenant, job.ID)
}

// Run begins to run a planned job. For a job that is running it does nothing, unless its worker has
// died: then it starts another. Errors: ErrNotFound; ErrStale; ErrJobState for a job that is not
// planned yet, or has ended.
func (j *Jobs) Run(ctx context.Context, tenant, id string) (Job, error) {
	return j.change(ctx, tenant, id, func(job *Job) (bool, error) {
		now := j.now()
		switch {
		case job.State == JobRunning:
			return false, nil
		case job.State != JobPlanned:
			return false, fmt.Errorf("%w: it is %s, and only a planned job can be run",
				ErrJobState, job.State)
		case now.Sub(job.PlannedAt) > JobPlanAge:
			return false, fmt.Errorf("%w: it is of %s, at most %v old", ErrStale,
				job.PlannedAt.Format(time.RFC3339), JobPlanAge)
		}
		job.State, job.StartedAt, job.step = JobRunning, now, jobStep{}
		return true, nil
	})
}

// Cancel ends a job that is not over. A running one stops within some seconds; what it has done
// stays done. A cancelled job stays so. Errors: ErrNotFound; ErrJobState for a job that has ended
// in another way.
func (j *Jobs) Cancel(ctx context.Context, tenant, id string) (Job, error) {
	return j.change(ctx, tenant, id, func(job *Job) (bool, error) {
		switch {
		case job.State == JobCancelled:
			return false, nil
		case job.State.Final():
			return false, fmt.Errorf("%w: it is %s already", ErrJobState, job.State)
		}
		job.State, job.EndedAt = JobCancelled, j.now()
		return true, nil
	})
}

// change writes what edit makes of a job, and tries again if its worker writes it at the same time.
// It starts the work on a job that is to be worked on and is not.
func (j *Jobs) change(
	ctx context.Context, tenant, id string, edit func(*Job) (changed bool, err error),
) (Job, error) {
	for try := 1; ; try++ {
		job, err := j.Job(ctx, tenant, id)
		if err != nil {
			return Job{}, err
		}
		changed, err := edit(&job)
		if err != nil {
			return Job{}, err
		}
		if job.State == JobRunning {
			if err := j.store.markOpen(ctx, job); err != nil {
				return Job{}, err
			}
		}
		if changed {
			err = j.store.save(ctx, &job)
		}
		switch {
		case errors.Is(err, catalog.ErrConflict) && try < tries:
			continue
		case err != nil:
			return Job{}, err
		case job.State.Final():
			return job, j.store.markClosed(ctx, job)
		case job.State == JobRunning && !job.isLeased(j.now()):
			return job, j.cfg.Starter.StartJob(ctx, tenant, id)
		}
		return job, nil
	}
}

func (j *Job) isLeased(now time.Time) bool {
	return j.step.Worker != "" && now.Before(j.step.Until)
}

// ResumeJobs starts the work on all jobs whose worker has died, of all tenants. It returns how many
// these were.
func ResumeJobs(
	ctx context.Context, documents Documents, starter JobStarter, now time.Time,
) (resumed int, err error) {
	const page = 100
	store := jobStore{documents}
	for from, more := "", true; more; more = from != "" {
		docs, next, err := documents.DocumentsIn(
			ctx, openJobs, DocumentRange{From: from, Limit: page},
		)
		if err != nil {
			return resumed, err
		}
		from = next
		for _, d := range docs {
			tenant, id, _ := strings.Cut(d.Key, "/")
			stands, err := store.standsStill(ctx, tenant, id, now)
			if err == nil && stands {
				resumed++
				err = starter.StartJob(ctx, tenant, id)
			}
			if err != nil {
				return resumed, fmt.Errorf("job %s: %w", id, err)
			}
		}
	}
	return resumed, nil
}

// standsStill tells whether nobody works on a job that is to be worked on.
func (s jobStore) standsStill(ctx context.Context, tenant, id string, now time.Time) (bool, error) {
	job, err := s.load(ctx, tenant, id)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return false, s.markClosed(ctx, Job{Tenant: tenant, ID: id})
	case err != nil:
		return false, err
	case job.State != JobPlanning && job.State != JobRunning:
		return false, s.markClosed(ctx, job)
	}
	return !job.isLeased(now), nil
}

// Check checks what is asked for. Error: ErrJob.
func (s JobSpec) Check() error {
	fail := func(field, format string, args ...any) error {
		return &JobError{Field: field, Problem: fmt.Sprintf(format, args...)}
	}
	f := s.Filter
	statuses := map[JobKind][]relay.Status{
		JobReplay: {relay.Delivered, relay.Dead}, JobRedrive: {relay.Dead}, JobExport: nil,
	}
	allowed, known := statuses[s.Kind]
	switch {
	case !known:
		return fail("kind", "%q is none of replay, redrive and export", s.Kind)
	case s.Rate < 0 || s.Rate > MaxJobRate:
		return fail("rate", "%d is not 1 to %d deliveries in a second", s.Rate, MaxJobRate)
	case !f.To.IsZero() && !f.From.Before(f.To):
		return fail("filter.to", "%s is not after from, %s", f.To.Format(time.RFC3339),
			f.From.Format(time.RFC3339))
	case s.Kind == JobExport && len(f.Endpoints) > 0:
		return fail("filter.endpoints", "an export is of events, which have no endpoint")
	case s.Kind == JobExport && len(f.Reasons) > 0:
		return fail("filter.reasons", "an export is of events, which do not die")
	}
	for name, n := range map[string]int{
		"sources": len(f.Sources), "endpoints": len(f.Endpoints), "types": len(f.Types),
		"statuses": len(f.Statuses), "reasons": len(f.Reasons),
	} {
		if n > MaxJobNames {
			return fail("filter."+name, "has %d values, at most %d", n, MaxJobNames)
		}
	}
	for i, name := range slices.Concat(f.Sources, f.Endpoints) {
		if n := len(name); n == 0 || n > maxNameBytes {
			list := "sources"
			if i >= len(f.Sources) {
				list, i = "endpoints", i-len(f.Sources)
			}
			return fail(fmt.Sprintf("filter.%s[%d]", list, i),
				"is a name of %d bytes, a name has 1 to %d", n, maxNameBytes)
		}
	}
	for i, status := range f.Statuses {
		if !slices.Contains(allowed, status) {
			return fail(fmt.Sprintf("filter.statuses[%d]", i), "a job of kind %s takes %v, not %q",
				s.Kind, allowed, status)
		}
	}
	reasons := []relay.Reason{
		relay.Exhausted, relay.Expired, relay.EndpointGone, relay.Declined,
		relay.TransformFailed, relay.SchemaFailed, relay.TooLarge,
	}
	for i, reason := range f.Reasons {
		if !slices.Contains(reasons, reason) {
			return fail(fmt.Sprintf("filter.reasons[%d]", i), "%q is none of %v", reason, reasons)
		}
	}
	for i, pattern := range f.Types {
		if err := route.Validate(pattern); err != nil {
			return fail(fmt.Sprintf("filter.types[%d]", i), "%v", err)
		}
	}
	if f.Where != "" {
		if _, err := route.ParseFilter([]byte(f.Where)); err != nil {
			return fail("filter.where", "%v", err)
		}
	}
	return nil
}
