package admin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// JobFilter is the set of a job.
type JobFilter struct {
	Sources   []string        `json:"sources,omitempty" maxItems:"100" doc:"Names of sources. Without it, all"`
	Endpoints []string        `json:"endpoints,omitempty" maxItems:"100" doc:"Names of endpoints. Without it, all"`
	Types     []string        `json:"types,omitempty" maxItems:"100" doc:"Event types; * stands for any characters. Without it, all" example:"[\"invoice.*\"]"`
	Statuses  []string        `json:"statuses,omitempty" maxItems:"100" doc:"delivered or dead. Without it, both; of a redrive, dead"`
	Reasons   []string        `json:"reasons,omitempty" maxItems:"100" doc:"Reasons of death. Others are left out" example:"[\"exhausted\"]"`
	From      string          `json:"from,omitempty" doc:"The webhook was not accepted before this time, or time from now" example:"-36h"`
	To        string          `json:"to,omitempty" doc:"The webhook was accepted before this time, or time from now"`
	Where     json.RawMessage `json:"where,omitempty" doc:"A filter, as in a subscription, over type, source, trust, schema, headers and data"`
}

type planInput struct {
	Body struct {
		Kind   string    `json:"kind" enum:"replay,redrive,export" doc:"replay sends delivered and dead deliveries again; redrive sends dead deliveries again; export writes events to files"`
		Filter JobFilter `json:"filter,omitempty" doc:"Which deliveries, or events of an export"`
		Rate   int       `json:"rate,omitempty" minimum:"1" maximum:"1000" doc:"Deliveries in a second. Without it, 50"`
	}
}

// JobPlan is a planned job as the API shows it.
type JobPlan struct {
	ID        string     `json:"id" example:"job_03e6ljuqs03hd8fia6m8ehbp"`
	Kind      string     `json:"kind" enum:"replay,redrive,export"`
	Filter    JobFilter  `json:"filter" doc:"What it was planned with; times are absolute"`
	Rate      int        `json:"rate" doc:"Deliveries in a second"`
	State     string     `json:"state" enum:"planning,planned,running,done,cancelled,failed"`
	By        string     `json:"by,omitempty" doc:"Who planned it"`
	UpTo      time.Time  `json:"upTo" doc:"What was accepted or has changed after this time is not in the set"`
	CreatedAt time.Time  `json:"createdAt"`
	PlannedAt *time.Time `json:"plannedAt,omitempty" doc:"When all was counted. It can be run for an hour"`
	Matches   int        `json:"matches" doc:"How many are in the set; still growing while the state is planning"`
	Scanned   int        `json:"scanned" doc:"How many records were looked at to count them"`
	Sample    []JobItem  `json:"sample" nullable:"false" doc:"The first of the set, at most 10"`
	CostUSD   float64    `json:"costUSD" doc:"What it costs to run it, about, by AWS's list prices"`
	Seconds   float64    `json:"seconds" doc:"How long it takes at its rate, at least; 0 for an export"`
}

// Job is a job and its progress, as the API shows it.
type Job struct {
	JobPlan

	StartedAt *time.Time `json:"startedAt,omitempty"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	Done      int        `json:"done" doc:"Sent again, or written"`
	Failed    int        `json:"failed" doc:"Could not be sent again"`
	Skipped   int        `json:"skipped" doc:"Have changed since the plan, or are no longer on record"`
	Error     string     `json:"error,omitempty" doc:"Why it has failed, or the last failure"`
	Files     int        `json:"files" doc:"Files of an export: /v1/jobs/{id}/files/1 and so on"`
}

// JobItem is a delivery, or an event of an export.
type JobItem struct {
	Event      string    `json:"event" example:"evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb"`
	Endpoint   string    `json:"endpoint,omitempty"`
	Source     string    `json:"source"`
	Type       string    `json:"type,omitempty"`
	AcceptedAt time.Time `json:"acceptedAt"`
	Status     string    `json:"status,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Attempts   int       `json:"attempts,omitempty"`
}

type planAnswer struct {
	Body JobPlan
}

type jobAnswer struct {
	Body Job
}

func jobOf(j operate.Job) Job {
	return Job{
		JobPlan: planOf(j), StartedAt: unlessZero(j.StartedAt), EndedAt: unlessZero(j.EndedAt),
		Done: j.Progress.Done, Failed: j.Progress.Failed, Skipped: j.Progress.Skipped,
		Error: j.Error, Files: len(j.Parts),
	}
}

func planOf(j operate.Job) JobPlan {
	f := j.Filter
	return JobPlan{
		ID: j.ID, Kind: string(j.Kind), Rate: j.Rate, State: string(j.State), By: j.By,
		UpTo: j.UpTo, CreatedAt: j.CreatedAt, PlannedAt: unlessZero(j.PlannedAt),
		Matches: j.Count,
		Scanned: j.Scanned, Sample: mapped(j.Sample, jobItemOf), CostUSD: j.CostUSD(),
		Seconds: j.Duration().Seconds(),
		Filter: JobFilter{
			Sources: f.Sources, Endpoints: f.Endpoints, Types: f.Types,
			Statuses: texts(f.Statuses), Reasons: texts(f.Reasons), From: timeText(f.From),
			To: timeText(f.To), Where: json.RawMessage(f.Where),
		},
	}
}

func jobItemOf(i operate.JobItem) JobItem {
	return JobItem{
		Event: i.EventID, Endpoint: i.Endpoint, Source: i.Source, Type: i.Type,
		AcceptedAt: i.ReceivedAt, Status: string(i.Status), Reason: string(i.Reason),
		Attempts: i.Attempts,
	}
}

// texts returns the texts of closed sets.
func texts[T ~string](all []T) []string {
	return mapped(all, func(t T) string { return string(t) })
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// jobsProblem returns the problem of an error of jobs.
func jobsProblem(err error) error {
	var wrong *operate.JobError
	switch {
	case errors.As(err, &wrong):
		pointer := "/body/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(wrong.Field)
		return at(pointer, "%s", wrong.Problem)
	case errors.Is(err, operate.ErrStale):
		return stateConflict.problem("%s. Plan it again.", textOf(err))
	case errors.Is(err, operate.ErrJobState):
		return stateConflict.problem("%s", textOf(err))
	}
	return err
}

type fileInput struct {
	ID     string `path:"id" maxLength:"100"`
	Number int    `path:"number" minimum:"1" maximum:"10000"`
}

// fileAnswer is a file of an export.
type fileAnswer struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func registerJobs(r *registrar) {
	handle(r, "jobs.list", func(ctx context.Context, in *Paging) (*List[Job, Covered], error) {
		before, err := r.position(ctx, in.Next, nil)
		if err != nil {
			return nil, err
		}
		found, place, err := r.Jobs.Jobs(ctx, callOf(ctx).tenant, before, in.Limit)
		if err != nil {
			return nil, err
		}
		next, err := r.seal(ctx, place, nil)
		items := mapped(found, jobOf)
		return page(items, next, covered(items, len(items), func(j Job) time.Time {
			return j.CreatedAt
		})), err
	})
	handle(r, "jobs.plan", r.planJob)
	handle(r, "jobs.get", func(ctx context.Context, in *idInput) (*jobAnswer, error) {
		j, err := r.Jobs.Job(ctx, callOf(ctx).tenant, in.ID)
		if err != nil {
			return nil, err
		}
		return &jobAnswer{jobOf(j)}, nil
	})
	handle(r, "jobs.run", func(ctx context.Context, in *idInput) (*jobAnswer, error) {
		return r.changeJob(ctx, in.ID, r.Jobs.Run)
	})
	handle(r, "jobs.cancel", func(ctx context.Context, in *idInput) (*jobAnswer, error) {
		return r.changeJob(ctx, in.ID, r.Jobs.Cancel)
	})
	handle(r, "jobs.file", r.jobFile, produces("application/x-ndjson"))
}

func (s *server) planJob(ctx context.Context, in *planInput) (*planAnswer, error) {
	c, f := callOf(ctx), in.Body.Filter
	from, err := s.moment("/body/filter/from", f.From)
	if err != nil {
		return nil, err
	}
	to, err := s.moment("/body/filter/to", f.To)
	if err != nil {
		return nil, err
	}
	spec := operate.JobSpec{
		Kind: operate.JobKind(in.Body.Kind), Rate: in.Body.Rate, By: nameOf(c.principal),
		Filter: operate.JobFilter{
			Sources: f.Sources, Endpoints: f.Endpoints, Types: f.Types,
			Statuses: mapped(f.Statuses, func(s string) relay.Status { return relay.Status(s) }),
			Reasons:  mapped(f.Reasons, func(s string) relay.Reason { return relay.Reason(s) }),
			From:     from, To: to, Where: whereText(f.Where),
		},
	}
	if err := spec.Check(); err != nil {
		return nil, jobsProblem(err)
	}
	id := operate.NewJobID(s.Now())
	out := new(planAnswer)
	err = s.change(ctx, "job/"+id, nil, map[string]any{
		"kind": spec.Kind, "filter": spec.Filter, "rate": spec.Rate,
	}, func() error {
		j, err := s.Jobs.Plan(ctx, c.tenant, id, spec)
		out.Body = planOf(j)
		return jobsProblem(err)
	})
	return out, err
}

// whereText returns the text of a filter; "": there is none.
func whereText(where json.RawMessage) string {
	if string(where) == "null" {
		return ""
	}
	return string(where)
}

// nameOf returns who sends a request, for people.
func nameOf(p Principal) string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

func (s *server) changeJob(
	ctx context.Context, id string,
	do func(ctx context.Context, tenant, id string) (operate.Job, error),
) (*jobAnswer, error) {
	tenant := callOf(ctx).tenant
	j, err := s.Jobs.Job(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	out := new(jobAnswer)
	err = s.change(ctx, "job/"+id, map[string]any{"state": j.State}, nil, func() error {
		_, err := do(ctx, tenant, id)
		return jobsProblem(err)
	})
	if err != nil {
		return nil, err
	}
	j, err = s.Jobs.Job(ctx, tenant, id) // it may have gone on
	out.Body = jobOf(j)
	return out, err
}

func (s *server) jobFile(ctx context.Context, in *fileInput) (*fileAnswer, error) {
	j, err := s.Jobs.Job(ctx, callOf(ctx).tenant, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Number > len(j.Parts) {
		return nil, notFound.problem("The job has %d files.", len(j.Parts))
	}
	body, err := s.Bodies.Get(ctx, j.Parts[in.Number-1])
	if err != nil {
		return nil, err
	}
	return &fileAnswer{
		ContentType: "application/x-ndjson", Body: body,
		Disposition: `attachment; filename="` + j.ID + "-" + pad(in.Number) + `.jsonl"`,
	}, nil
}
