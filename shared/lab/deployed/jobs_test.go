package deployed_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// job is a job as the API shows it.
type job struct {
	ID, State     string
	Matches, Done int
	Files         int
}

// plan plans a job of a tenant, and waits until it is counted.
func (c client) plan(t *testing.T, tenant, spec string) job {
	t.Helper()
	j := c.job(t, "POST", "/v1/jobs?tenant="+tenant, spec)
	return c.jobIs(t, tenant, j.ID, "planned", func(j job) bool { return j.State == "planned" })
}

func (c client) job(t *testing.T, method, path, body string) (j job) {
	t.Helper()
	answer := c.do(t, ok, method, path, body)
	if err := json.Unmarshal(answer, &j); err != nil {
		t.Fatalf("%v: %.300s", err, answer)
	}
	return j
}

// act runs or cancels a job of a tenant.
func (c client) act(t *testing.T, tenant, id, action string) {
	t.Helper()
	c.job(t, "POST", "/v1/jobs/"+id+"/"+action+"?tenant="+tenant, "")
}

// jobIs waits for a state of a job.
func (c client) jobIs(
	t *testing.T, tenant, id, what string, holds func(job) bool,
) (j job) {
	t.Helper()
	eventually(t, "the job is "+what, func() bool {
		j = c.job(t, "GET", "/v1/jobs/"+id+"?tenant="+tenant, "")
		return holds(j)
	})
	return j
}

// jobs plans and runs jobs through the API: two that send again, one that is cancelled, and an
// export with its file.
func jobs(t *testing.T, w *world) {
	c := newClient(t, w)
	const tenant, of = "initech", "?tenant=initech"
	c.newTenant(t, tenant)
	w.answer("refuses", statuses(http.StatusUnprocessableEntity))
	c.want(t, ok, "PUT", "/v1/endpoints/refuses"+of, fmt.Sprintf(
		`{"url": %q, "retry": {"final": ["422"]}}`, w.endpoints+"/refuses",
	), "if-none-match", "*")
	c.want(
		t, ok, "PUT", "/v1/subscriptions/refuses"+of,
		`{"source": "initech", "endpoint": "refuses"}`, "if-none-match", "*",
	)
	var events []string
	for i := range 3 {
		events = append(events, c.webhook(t, tenant, fmt.Sprint(i), []byte(`{}`)))
	}
	for _, id := range events {
		w.settled(t, id, "initech/refuses", relay.Dead, 1)
	}
	w.answer("refuses", statuses(http.StatusOK))
	redrive := c.plan(t, tenant, `{"kind": "redrive"}`)
	c.act(t, tenant, redrive.ID, "run")
	for _, id := range events {
		w.settled(t, id, "initech/refuses", relay.Delivered, 2)
	}
	const delivered = `"filter": {"statuses": ["delivered"], "endpoints": ["initech"]}`
	replay := c.plan(t, tenant, `{"kind": "replay", `+delivered+`}`)
	if replay.Matches != len(events) {
		t.Errorf("%d deliveries match, want %d", replay.Matches, len(events))
	}
	c.act(t, tenant, replay.ID, "run")
	c.jobIs(t, tenant, replay.ID, "done", func(j job) bool {
		return j.State == "done" && j.Done == len(events)
	})
	eventually(t, "each is sent again", func() bool {
		return !slices.ContainsFunc(events, func(id string) bool {
			return len(w.posts(tenant, id)) < 2
		})
	})
	slow := c.plan(t, tenant, `{"kind": "replay", "rate": 1, `+delivered+`}`)
	c.act(t, tenant, slow.ID, "run")
	c.act(t, tenant, slow.ID, "cancel")
	c.jobIs(t, tenant, slow.ID, "cancelled", func(j job) bool { return j.State == "cancelled" })
	export := c.plan(
		t, tenant, `{"kind": "export", "filter": {"sources": ["initech"], "from": "-1h"}}`,
	)
	c.act(t, tenant, export.ID, "run")
	export = c.jobIs(t, tenant, export.ID, "done", func(j job) bool { return j.State == "done" })
	lines := strings.Split(strings.TrimSpace(string(
		c.do(t, ok, "GET", "/v1/jobs/"+export.ID+"/files/1"+of, ""),
	)), "\n")
	if export.Files != 1 || len(lines) != len(events) || !slices.ContainsFunc(
		lines, func(line string) bool { return strings.Contains(line, events[0]) },
	) {
		t.Errorf("%d files, %d lines: %.300s", export.Files, len(lines), lines)
	}
	if all := items[job](t, c.do(t, ok, "GET", "/v1/jobs"+of, "")); len(all) != 4 {
		t.Errorf("%d jobs are listed", len(all))
	}
	c.want(t, http.StatusNotFound, "GET", "/v1/jobs/"+export.ID+"?tenant=acme", "")
}

// jobOutlivesItsWorker kills the instance that works on a job, twice. The first time Lambda invokes
// the function again, the second time the sweep does. No delivery is left out or sent twice.
func jobOutlivesItsWorker(t *testing.T, w *world) {
	c := newClient(t, w)
	const tenant, count = "hooli", 6
	c.newTenant(t, tenant)
	var events []string
	for i := range count {
		events = append(events, c.webhook(t, tenant, fmt.Sprint(i), []byte(`{}`)))
	}
	sent := func() (n int) {
		for _, id := range events {
			n += len(w.posts(tenant, id))
		}
		return n
	}
	replay := c.plan(t, tenant, `{"kind": "replay", "rate": 1}`)
	c.act(t, tenant, replay.ID, "run")
	for _, kill := range []struct {
		sent int
		next func()
	}{
		{sent: count + 2, next: func() {
			if n := w.host.InvokeAgain(); n != 1 {
				t.Errorf("%d invocations have failed, want one", n)
			}
		}},
		{sent: count + 4, next: func() {
			if err := w.host.PlayRules(t.Context()); err != nil {
				t.Error(err)
			}
		}},
	} {
		eventually(t, fmt.Sprint(kill.sent, " POSTs"), func() bool { return sent() >= kill.sent })
		// It waits now until the rate allows the next.
		if n := w.host.Kill("Admin"); n != 1 {
			t.Errorf("%d instances were killed, want one", n)
		}
		w.endLease(t, tenant, replay.ID)
		kill.next()
	}
	c.jobIs(t, tenant, replay.ID, "done", func(j job) bool {
		return j.State == "done" && j.Done == count
	})
	eventually(t, "all is sent", func() bool { return sent() >= 2*count })
	for _, id := range events {
		if n := len(w.posts(tenant, id)); n != 2 {
			t.Errorf("%s was POSTed %d times, want 2", id, n)
		}
	}
}

// endLease lets the time pass after which another worker may go on with a job.
func (w *world) endLease(t *testing.T, tenant, id string) {
	t.Helper()
	documents := dynamo.NewDocuments(w.host.Tables, w.host.Outputs["LedgerTable"])
	collection := "jobs/" + tenant
	d, err := documents.Document(t.Context(), collection, id)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(d.Body, &doc); err != nil {
		t.Fatal(err)
	}
	doc["step"].(map[string]any)["until"] = time.Now().Add(-time.Second).UTC()
	if d.Body, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if _, err := documents.PutDocument(
		t.Context(), collection, d, operate.AnyVersion,
	); err != nil {
		t.Fatal(err)
	}
}
