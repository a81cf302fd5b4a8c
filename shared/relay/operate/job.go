package operate

import (
	"errors"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// JobKind tells what a job does. The set is closed.
type JobKind string

// The kinds of jobs.
const (
	JobReplay  JobKind = "replay"  // sends delivered and dead deliveries again
	JobRedrive JobKind = "redrive" // sends dead deliveries again
	JobExport  JobKind = "export"  // writes events to files of JSON lines
)

// JobState is the state of a job. The set is closed.
type JobState string

// The states of a job. The last three are final.
const (
	JobPlanning  JobState = "planning" // what matches is being counted
	JobPlanned   JobState = "planned"  // it waits to be run
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobCancelled JobState = "cancelled"
	JobFailed    JobState = "failed" // it was given up: see Job.Error
)

// Final tells whether nothing follows the state.
func (s JobState) Final() bool {
	return s == JobDone || s == JobCancelled || s == JobFailed
}

// Bounds of jobs.
const (
	// JobPlanAge is how long a plan can be run. An older one is refused with ErrStale.
	JobPlanAge = time.Hour
	// JobRetention is how long a job is kept after its plan.
	JobRetention = 30 * 24 * time.Hour
	// JobSamples is how many of the matches a plan shows.
	JobSamples = 10
	// DefaultJobRate and MaxJobRate are deliveries in a second.
	DefaultJobRate = 50
	MaxJobRate     = 1000
	// MaxJobNames is how many names, types, statuses or reasons one list of a filter may have.
	MaxJobNames = 100
	// MaxExportParts is how many files an export may have. See exportPartBytes.
	MaxExportParts = 2000
)

// Errors of jobs.
var (
	// ErrJob means that a job cannot be planned as asked. The error is a *JobError.
	ErrJob = errors.New("relay: job")
	// ErrStale means that a plan is too old to be run.
	ErrStale = errors.New("relay: plan is too old")
	// ErrJobState means that the job is in a state that does not allow this.
	ErrJobState = errors.New("relay: job's state")
)

// JobError says what is wrong with the request for a job, and where.
type JobError struct {
	Field   string // such as "filter.statuses[1]"
	Problem string // what is wrong, and what is allowed
}

// Error implements error.
func (e *JobError) Error() string { return ErrJob.Error() + ": " + e.Field + ": " + e.Problem }

// Unwrap returns ErrJob.
func (e *JobError) Unwrap() error { return ErrJob }

// JobFilter selects deliveries, or events for JobExport. A list that is empty takes everything. All
// names are those that the tenant uses.
type JobFilter struct {
	Sources   []string       `json:"sources,omitempty"`
	Endpoints []string       `json:"endpoints,omitempty"`
	Types     []string       `json:"types,omitempty"` // patterns, as in a subscription
	Statuses  []relay.Status `json:"statuses,omitempty"`
	Reasons   []relay.Reason `json:"reasons,omitempty"` // of dead deliveries; others are left out
	From      time.Time      `json:"from,omitzero"`     // not accepted before
	To        time.Time      `json:"to,omitzero"`       // accepted before; zero: Job.UpTo
	Where     string         `json:"where,omitempty"`   // a filter of package route
}

// JobSpec is what a job is asked to do.
type JobSpec struct {
	Kind   JobKind
	Filter JobFilter
	Rate   int    // deliveries in a second, 1 to MaxJobRate; 0: DefaultJobRate
	By     string // who asks for it
}

// JobItem is a delivery of a job, or an event of an export.
type JobItem struct {
	EventID    string       `json:"eventId"`
	Endpoint   string       `json:"endpoint,omitempty"` // the tenant's name of it
	Source     string       `json:"source,omitempty"`
	Type       string       `json:"type,omitempty"`
	ReceivedAt time.Time    `json:"receivedAt"`
	Status     relay.Status `json:"status,omitempty"`
	Reason     relay.Reason `json:"reason,omitempty"`
	Attempts   int          `json:"attempts,omitempty"`
}

// JobProgress counts what a running job has done.
type JobProgress struct {
	Done    int `json:"done"`    // sent again, or written
	Failed  int `json:"failed"`  // could not be: see Job.Error for the last reason
	Skipped int `json:"skipped"` // changed since the plan, or no longer on record
}

// Job is a bulk action: planned, run, watched. Its set is frozen when it is planned: the filter,
// and the time UpTo. A delivery that has changed after UpTo is not in the set, neither is an event
// that was accepted after it.
type Job struct {
	ID     string // "job_…", in the order of the plans
	Tenant string
	JobSpec
	UpTo  time.Time // UTC, whole milliseconds
	State JobState

	CreatedAt time.Time // UTC, whole milliseconds, like the following
	PlannedAt time.Time // when the plan was complete; zero before
	StartedAt time.Time
	EndedAt   time.Time

	Count    int       // what matches; still growing while JobPlanning
	Scanned  int       // records that were looked at for it
	Sample   []JobItem // the first matches, at most JobSamples
	Progress JobProgress
	Error    string   // of a failed job, or the last failure of a running one
	Parts    []string // an export's files, keys of relay.Bodies

	step     jobStep
	revision int64
}

// CostUSD estimates what running the job costs, by AWS's list prices. A local relay costs nothing.
func (j Job) CostUSD() float64 {
	price := USDPerReplay
	if j.Kind == JobExport {
		price = USDPerExport
	}
	return float64(j.Count)*price + float64(j.Scanned)*USDPerRead
}

// Duration returns how long the job will run at its rate, at least. It is zero for an export, which
// has no rate.
func (j Job) Duration() time.Duration {
	if j.Kind == JobExport || j.Rate == 0 {
		return 0
	}
	return time.Duration(j.Count) * time.Second / time.Duration(j.Rate)
}

// Prices of a job in USD, at AWS's list prices for bodies of up to 4 KB; see docs/cost.md. They are
// held against the prices in shared/lab/cost.
const (
	USDPerReplay = 7.0e-6  // reads of event and delivery, the delivery's records, its messages
	USDPerExport = 0.25e-6 // read of the event, its share of a file
	USDPerRead   = 0.2e-6  // a record that is looked at
)

// jobStep is the progress of a job's work. Before anything is done to the items of a page, they are
// saved as Pending: so a worker that follows a killed one knows what may have been done already.
type jobStep struct {
	deliveryPlace // of an export: only Page and End

	Pending []JobItem `json:"pending,omitempty"` // listed, and not done yet
	// the worker and the end of its lease; zero: nobody works on it
	Worker string    `json:"worker,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Errors int       `json:"errors,omitempty"` // steps in a row that ended with an error
	GaveUp bool      `json:"gaveUp,omitempty"` // the deliveries before were given up
	// how many of Pending, from the first on, may be done
	Doing int `json:"doing,omitempty"`
}

type jobDoc struct {
	Version   int         `json:"v"`
	ID        string      `json:"id"`
	Kind      JobKind     `json:"kind"`
	Filter    JobFilter   `json:"filter"`
	Rate      int         `json:"rate"`
	By        string      `json:"by,omitempty"`
	UpTo      time.Time   `json:"upTo"`
	State     JobState    `json:"state"`
	CreatedAt time.Time   `json:"createdAt"`
	PlannedAt time.Time   `json:"plannedAt,omitzero"`
	StartedAt time.Time   `json:"startedAt,omitzero"`
	EndedAt   time.Time   `json:"endedAt,omitzero"`
	Count     int         `json:"count"`
	Scanned   int         `json:"scanned"`
	Sample    []JobItem   `json:"sample,omitempty"`
	Progress  JobProgress `json:"progress"`
	Error     string      `json:"error,omitempty"`
	Parts     []string    `json:"parts,omitempty"`
	Step      jobStep     `json:"step"`
}

func (j *Job) encode() []byte {
	return format.Encode(jobDoc{
		Version: format.Version, ID: j.ID, Kind: j.Kind, Filter: j.Filter, Rate: j.Rate, By: j.By,
		UpTo: j.UpTo, State: j.State, CreatedAt: j.CreatedAt, PlannedAt: j.PlannedAt,
		StartedAt: j.StartedAt, EndedAt: j.EndedAt, Count: j.Count, Scanned: j.Scanned,
		Sample: j.Sample, Progress: j.Progress, Error: j.Error, Parts: j.Parts, Step: j.step,
	})
}

func decodeJob(tenant string, d Document) (Job, error) {
	var doc jobDoc
	if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
		return Job{}, err
	}
	return Job{
		ID: doc.ID, Tenant: tenant,
		JobSpec: JobSpec{Kind: doc.Kind, Filter: doc.Filter, Rate: doc.Rate, By: doc.By},
		UpTo:    doc.UpTo, State: doc.State, CreatedAt: doc.CreatedAt, PlannedAt: doc.PlannedAt,
		StartedAt: doc.StartedAt, EndedAt: doc.EndedAt, Count: doc.Count, Scanned: doc.Scanned,
		Sample: doc.Sample, Progress: doc.Progress, Error: doc.Error, Parts: doc.Parts,
		step: doc.Step, revision: d.Version,
	}, nil
}
