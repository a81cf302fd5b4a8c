package console_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
)

// TestTheOverviewTellsOfDeadLetters: what the relay could not process is in its first sentence, and
// queues that cannot be counted do not hide the rest of the page.
func TestTheOverviewTellsOfDeadLetters(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		queues map[string]int // -1: it cannot be counted
		want   []string
		never  []string
	}{
		"empty": {
			map[string]int{"retry": 1, "ingest-dlq": 0},
			[]string{"1 message waits. The dead-letter queues are empty.", "All endpoints are healthy."},
			[]string{"not processed"},
		},
		"not processed": {
			map[string]int{"retry": 0, "ingest-dlq": 1200, "delivery-dlq": 34, "dead": 0},
			[]string{
				"1,234 messages could not be processed: see the queues below.",
				"See IngestDlqNotEmpty in the runbook.", "See DeliveryDlqNotEmpty in the runbook.",
				"No message waits in the work queues.",
			},
			[]string{"All endpoints are healthy.", "Dead deliveries</a>:"},
		},
		"dead": {
			map[string]int{"ingest-dlq": 0, "dead": 5},
			[]string{"Dead deliveries</a>: they get no more attempts.", "All endpoints are healthy."},
			[]string{"not processed"},
		},
		"unknown": {
			map[string]int{"ingest-dlq": -1},
			[]string{"The queues could not be counted", "All endpoints are healthy.", "Last changes"},
			[]string{"are empty", "access denied"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *admin.Config) {
				c.Queues = map[string]admin.QueueCounter{}
				for queue, n := range tt.queues {
					c.Queues[queue] = func(context.Context) (int, error) {
						if n < 0 {
							return 0, errors.New("access denied")
						}
						return n, nil
					}
				}
			})
			r.put("", "/v1/tenants/acme", map[string]any{"name": "Acme"})
			a := r.signedIn(access.Read, "").get("/")
			if a.Code != http.StatusOK {
				t.Fatalf("%d %s", a.Code, a.Body)
			}
			for _, text := range tt.want {
				if !strings.Contains(a.Body.String(), text) {
					t.Errorf("no %q in %s", text, a.Body)
				}
			}
			for _, text := range tt.never {
				if strings.Contains(a.Body.String(), text) {
					t.Errorf("%q in %s", text, a.Body)
				}
			}
			if text := r.signedIn(access.Read, "acme").get("/").Body.String(); strings.Contains(
				text, "ueues",
			) {
				t.Errorf("a tenant sees the queues: %s", text)
			}
			if text := r.signedIn(access.Read, "").get("/~acme/").Body.String(); strings.Contains(
				text, "ueues",
			) {
				t.Errorf("the overview of a tenant shows the queues: %s", text)
			}
		})
	}
}
