package admin_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
)

func TestQueues(t *testing.T) {
	t.Parallel()
	var (
		counted atomic.Int32
		broken  atomic.Bool
	)
	r := newRig(t, func(c *admin.Config) {
		c.Queues = map[string]admin.QueueCounter{}
		for name, n := range map[string]int{
			"retry": 12, "dead": 2, "triggers-dlq": 0, "ordered-ingest-dlq": 1, "trigger-dead": 3,
		} {
			c.Queues[name] = func(context.Context) (int, error) {
				counted.Add(1)
				if broken.Load() && name == "dead" {
					return 0, errors.New("access denied")
				}
				return n, nil
			}
		}
	})
	get := request{method: "GET", path: "/v1/queues", token: r.token(access.Read, "")}
	var got struct{ Items []admin.Queue }
	r.send(get).wants(200, &got)
	want := []admin.Queue{
		{Name: "dead", Messages: 2, Holds: admin.HoldsDead},
		{
			Name: "ordered-ingest-dlq", Messages: 1, Holds: admin.HoldsUnprocessed,
			Runbook: "OrderedIngestDlqNotEmpty",
		},
		{Name: "retry", Messages: 12, Holds: admin.HoldsWork},
		{Name: "trigger-dead", Messages: 3, Holds: admin.HoldsWork},
		{Name: "triggers-dlq", Holds: admin.HoldsUnprocessed, Runbook: "TriggersDlqNotEmpty"},
	}
	if diff := cmp.Diff(want, got.Items); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	r.send(get).wants(200, nil)
	if n := counted.Load(); int(n) != len(want) {
		t.Errorf("%d queues counted for two requests in a moment, want %d", n, len(want))
	}

	broken.Store(true)
	r.clock.add(time.Minute)
	r.send(get).problem(500, "internal")
	get.token = r.token(access.Admin, "acme")
	r.send(get).problem(403, "forbidden")
}

func TestARelayWithoutQueuesListsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) { c.Queues = nil })
	r.send(request{
		method: "GET", path: "/v1/queues", token: r.token(access.Read, ""),
	}).problem(404, "not-found")
}

// TestTheChaptersOfQueues are in the runbook, and their queues in the template.
func TestTheChaptersOfQueues(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	must(t, err)
	template, err := os.ReadFile("../../infra/stack/testdata/template.golden.json")
	must(t, err)
	for queue, chapter := range admin.Chapters {
		// as the variable RELAY_QUEUES names it; that of triggers is there if there are any
		if queue != "triggers-dlq" && !strings.Contains(string(template), `",`+queue+`:"`) {
			t.Errorf("the template has no queue %s", queue)
		}
		if !strings.Contains(string(text), "\n### "+chapter+"\n") {
			t.Errorf("the runbook has no chapter %s, of %s", chapter, queue)
		}
	}
}
