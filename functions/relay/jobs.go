package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/operate"
)

type jobsCommand struct {
	List   listJobsCommand  `cmd:"" default:"withargs" help:"List the jobs, newest first."`
	Get    getJobCommand    `cmd:"" help:"Show a job."`
	Watch  watchJobCommand  `cmd:"" help:"Watch a job until it ends."`
	Run    runJobCommand    `cmd:"" help:"Run a job that was planned within the last hour."`
	Cancel cancelJobCommand `cmd:"" help:"End a job. What it has done stays done."`
	Export exportJobCommand `cmd:"" help:"Write events to files, an event a line, as JSON."`
	Files  jobFilesCommand  `cmd:"" help:"Fetch the files of an export."`
}

var jobColumns = []column{
	{
		title: "CREATED", time: true,
	}, {title: "JOB"}, {title: "KIND"}, {title: "STATE"}, {title: "MATCHES"},
	{title: "DONE"}, {title: "FAILED"}, {title: "SKIPPED", spare: 2}, {title: "BY", spare: 1},
}

func jobRow(j admin.Job) []cell {
	state, failed := cell{text: j.State}, cell{text: thousands(j.Failed)}
	switch operate.JobState(j.State) {
	case operate.JobDone:
		state.colour = green
	case operate.JobFailed, operate.JobCancelled:
		state.colour = red
	case operate.JobPlanning, operate.JobPlanned, operate.JobRunning:
		state.colour = yellow
	}
	if j.Failed > 0 {
		failed.colour = red
	}
	return []cell{
		text(when(j.CreatedAt)), text(j.ID), text(j.Kind), state, text(thousands(j.Matches)),
		text(thousands(j.Done)), failed, text(thousands(j.Skipped)), text(j.By),
	}
}

type listJobsCommand struct{ listFlags }

// Run lists the jobs.
func (c *listJobsCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[admin.Job]{
			path: client.Path("v1", "jobs"), columns: jobColumns, row: jobRow,
			none: "there are no jobs; relay redrive and relay replay plan one",
		})
	})
}

// jobFlags name a job.
type jobFlags struct {
	relayFlags
	ID string `arg:"" help:"The job's id: job_…."`
}

func (f jobFlags) path(more ...string) string {
	return client.Path(append([]string{"v1", "jobs", f.ID}, more...)...)
}

type getJobCommand struct{ jobFlags }

// Run shows a job.
func (c *getJobCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return show(ctx, inv, api, c.path(), nil, func(j admin.Job) error {
			if err := inv.table(jobColumns, [][]cell{jobRow(j)}); err != nil {
				return err
			}
			inv.plan(j.JobPlan)
			if j.Error != "" {
				inv.line("error  %s", j.Error)
			}
			return nil
		})
	})
}

type watchJobCommand struct{ jobFlags }

// Run watches a job.
func (c *watchJobCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return api.watch(ctx, inv, c.ID)
	})
}

type runJobCommand struct {
	jobFlags
	Yes bool `help:"Do not ask."`
}

// Run runs a planned job.
func (c *runJobCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		j, err := client.Get[admin.Job](ctx, api.Client, c.path(), nil)
		if err != nil {
			return err
		}
		return api.run(ctx, inv, j.JobPlan, c.Yes)
	})
}

type cancelJobCommand struct {
	jobFlags
	Yes bool `help:"Do not ask."`
}

// Run ends a job.
func (c *cancelJobCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		if err := inv.confirm(c.Yes, "end the job "+c.ID+"?"); err != nil {
			return err
		}
		j, err := call[admin.Job](ctx, api, c.path("cancel"), nil)
		if err != nil {
			return err
		}
		return inv.say(j, "job %s is cancelled; %s", j.ID, progressOf(j))
	})
}

// plan says what a planned job would do.
func (i *invocation) plan(p admin.JobPlan) {
	what := map[string]string{
		string(operate.JobRedrive): "dead deliveries to send again",
		string(operate.JobReplay):  "deliveries to send again",
		string(operate.JobExport):  "events to write",
	}[p.Kind]
	i.line("plan   %s, %s %s, up to %s", p.ID, thousands(p.Matches), what, when(p.UpTo))
	kinds := map[string]int{}
	for _, s := range p.Sample {
		kind := typeOf(s.Type) + " from " + s.Source
		if s.Endpoint != "" {
			kind += " to " + s.Endpoint
		}
		if s.Reason != "" {
			kind += ", " + s.Reason
		}
		kinds[kind]++
	}
	for n, kind := range slices.Sorted(maps.Keys(kinds)) {
		word := "such as"
		if n > 0 {
			word = "       "
		}
		i.line("       %s %s", word, kind)
	}
	if p.Matches > 0 {
		i.line("       it costs %s USD%s", dollars(p.CostUSD), takes(p))
	}
}

func dollars(d float64) string {
	const least = 0.01
	if d > 0 && d < least {
		return "less than 0.01"
	}
	return fmt.Sprintf("%.2f", d)
}

func takes(p admin.JobPlan) string {
	if p.Seconds == 0 {
		return ""
	}
	least := time.Duration(p.Seconds * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf(
		", and takes at least %s at %d a second", max(least, time.Second), p.Rate,
	)
}

// progressOf says how far a job is.
func progressOf(j admin.Job) string {
	return fmt.Sprintf(
		"done %s, failed %s, skipped %s of %s", thousands(j.Done), thousands(j.Failed),
		thousands(j.Skipped), thousands(j.Matches),
	)
}

// planJob plans a job, and waits until all is counted.
func (api *connection) planJob(
	ctx context.Context, inv *invocation, kind operate.JobKind, filter admin.JobFilter, rate int,
) (admin.JobPlan, error) {
	body := map[string]any{"kind": kind, "filter": filter}
	if rate != 0 {
		body["rate"] = rate
	}
	p, err := call[admin.JobPlan](ctx, api, client.Path("v1", "jobs"), body)
	if err != nil {
		return p, err
	}
	counted := newScan(inv)
	defer counted.clear()
	for p.State == string(operate.JobPlanning) {
		counted.clear()
		counted.report(p.Matches, admin.Covered{Scanned: p.Scanned - counted.scanned})
		if err := pause(ctx, watchPoll); err != nil {
			return p, err
		}
		if p, err = client.Get[admin.JobPlan](
			ctx, api.Client, client.Path("v1", "jobs", p.ID), nil,
		); err != nil {
			return p, err
		}
	}
	if p.State != string(operate.JobPlanned) {
		return p, fmt.Errorf("the job %s is %s; see relay jobs get %[1]s", p.ID, p.State)
	}
	return p, nil
}

// run runs a planned job after a question, and watches it.
func (api *connection) run(
	ctx context.Context, inv *invocation, p admin.JobPlan, yes bool,
) error {
	if err := inv.confirm(yes, "run it?"); err != nil {
		return fmt.Errorf("%w; relay jobs run %s runs it within an hour", err, p.ID)
	}
	if _, err := call[admin.Job](
		ctx, api, client.Path("v1", "jobs", p.ID, "run"), nil,
	); err != nil {
		return err
	}
	return api.watch(ctx, inv, p.ID)
}

const (
	// watchPoll is the time between two looks at a job.
	watchPoll = 300 * time.Millisecond
	// resumeAfter is how many looks it takes to look for jobs whose worker has died.
	resumeAfter = 10
)

// watch shows a job's progress until it ends, and prints its result.
func (api *connection) watch(ctx context.Context, inv *invocation, id string) error {
	bar := newBar(inv)
	defer bar.end()
	path := client.Path("v1", "jobs", id)
	for looks := 0; ; looks++ {
		j, err := client.Get[admin.Job](ctx, api.Client, path, nil)
		if err != nil {
			return watchAgain(ctx, inv, id, err)
		}
		bar.show(j)
		if operate.JobState(j.State).Final() {
			bar.end()
			return inv.result(j)
		}
		if j.State == string(operate.JobPlanned) {
			return usageError{fmt.Errorf("it does not run: relay jobs run %s runs it", id)}
		}
		if api.resume != nil && looks%resumeAfter == 0 {
			if err := api.resume(ctx); err != nil {
				return err
			}
		}
		if err := pause(ctx, watchPoll); err != nil {
			return watchAgain(ctx, inv, id, err)
		}
	}
}

// watchAgain says how to go on after Ctrl-C.
func watchAgain(ctx context.Context, inv *invocation, id string, err error) error {
	if ctx.Err() != nil {
		inv.note(
			"the job is not cancelled; relay jobs watch %s watches it again, relay jobs cancel %[1]s ends it",
			id,
		)
	}
	return err
}

// result prints the end of a job.
func (i *invocation) result(j admin.Job) error {
	if err := i.say(j, "%s  %s, %s", j.ID, j.State, progressOf(j)); err != nil {
		return err
	}
	switch {
	case operate.JobState(j.State) == operate.JobDone && j.Failed == 0:
		return nil
	case j.Done == 0 && operate.JobState(j.State) == operate.JobFailed:
		return fmt.Errorf("the job %s has failed: %s", j.ID, j.Error)
	}
	text := progressOf(j)
	if j.Error != "" {
		text += ": " + j.Error
	}
	return fmt.Errorf("%w: %s", ErrPartly, text)
}

type exportJobCommand struct {
	eventSelection
	Dir string `help:"Directory to write the files to, once all is exported." default:"." placeholder:"DIR"`
	Yes bool   `help:"Do not ask."`
	relayFlags
}

// Run exports events.
func (c *exportJobCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		p, err := api.planJob(ctx, inv, operate.JobExport, c.filter(), 0)
		if err != nil {
			return err
		}
		if !inv.json {
			inv.plan(p)
		}
		if p.Matches == 0 {
			return nothingFound(inv, p)
		}
		if err := api.run(ctx, inv, p, c.Yes); err != nil {
			return err
		}
		return api.files(ctx, inv, p.ID, c.Dir)
	})
}

// nothingFound ends a command whose plan is empty.
func nothingFound(inv *invocation, p admin.JobPlan) error {
	if inv.json {
		return inv.document(p)
	}
	inv.note("there is nothing to do")
	return nil
}

type jobFilesCommand struct {
	jobFlags
	Dir string `help:"Directory to write the files to." default:"." placeholder:"DIR"`
}

// Run fetches the files of an export.
func (c *jobFilesCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		return api.files(ctx, inv, c.ID, c.Dir)
	})
}

// files writes the files of an export into a directory.
func (api *connection) files(ctx context.Context, inv *invocation, id, dir string) error {
	j, err := client.Get[admin.Job](ctx, api.Client, client.Path("v1", "jobs", id), nil)
	if err != nil {
		return err
	}
	for n := 1; n <= j.Files; n++ {
		answer, err := api.Do(ctx, client.Request{
			Method: http.MethodGet, Path: client.Path("v1", "jobs", id, "files", fmt.Sprint(n)),
		})
		name := filepath.Join(dir, fmt.Sprintf("%s-%05d.jsonl", j.ID, n))
		if err == nil {
			err = writePrivately(inv.path(name), answer.Body)
		}
		if err != nil && n > 1 {
			return errors.Join(fmt.Errorf("%w: %d of %d files", ErrPartly, n-1, j.Files), err)
		}
		if err != nil {
			return err
		}
		inv.note("written %s, %d bytes", name, len(answer.Body))
	}
	return nil
}
