package admin

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// QueueCounter returns how many messages a queue has, about.
type QueueCounter = func(context.Context) (int, error)

// Queue is a queue of the relay.
type Queue struct {
	Name     string `json:"name" example:"ingest"`
	Messages int    `json:"messages" doc:"About. In AWS without those that are being processed or that wait for a later try"`
	Holds    Holds  `json:"holds" enum:"work,dead,unprocessed" doc:"work: what is to be done; dead: a note of each dead delivery; unprocessed: what the relay could not process"`
	Runbook  string `json:"runbook,omitempty" example:"IngestDlqNotEmpty" doc:"The chapter of docs/runbook.md about messages in it"`
}

// Holds tells what the messages of a queue are. The set is closed.
type Holds string

// What queues hold.
const (
	HoldsWork        Holds = "work"
	HoldsDead        Holds = "dead"
	HoldsUnprocessed Holds = "unprocessed"
)

// Chapters are those of the runbook about the queues of what the relay could not process.
var Chapters = map[string]string{
	"ingest-dlq": "IngestDlqNotEmpty", "delivery-dlq": "DeliveryDlqNotEmpty",
	"ordered-ingest-dlq":   "OrderedIngestDlqNotEmpty",
	"ordered-delivery-dlq": "OrderedDeliveryDlqNotEmpty",
	"triggers-dlq":         "TriggersDlqNotEmpty",
}

func holdsOf(name string) Holds {
	switch {
	case Chapters[name] != "":
		return HoldsUnprocessed
	case name == "dead":
		return HoldsDead
	}
	return HoldsWork
}

type queuesAnswer struct {
	Body struct {
		Items []Queue `json:"items" nullable:"false" doc:"By name"`
	}
}

// queuesTTL is how long counts are kept: many pages ask every five seconds.
const queuesTTL = 10 * time.Second

func registerQueues(r *registrar) {
	handle(r, "queues.list", func(ctx context.Context, _ *struct{}) (*queuesAnswer, error) {
		found, err := r.queues.Get(ctx)
		out := new(queuesAnswer)
		out.Body.Items = found
		return out, err
	})
}

// countQueues counts the messages of all queues.
func (s *server) countQueues(ctx context.Context) ([]Queue, error) {
	all := make([]Queue, 0, len(s.Queues))
	for _, name := range slices.Sorted(maps.Keys(s.Queues)) {
		all = append(all, Queue{Name: name, Holds: holdsOf(name), Runbook: Chapters[name]})
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range all {
		g.Go(func() (err error) {
			all[i].Messages, err = s.Queues[all[i].Name](ctx)
			return err
		})
	}
	return all, g.Wait()
}
