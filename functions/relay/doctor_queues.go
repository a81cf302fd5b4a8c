package main

import (
	"context"
	"errors"
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// aBacklog is how many messages in a queue are worth a look.
const aBacklog = 1000

// queues judges how many messages are in each queue. Only the operator may know.
func (d *doctor) queues(ctx context.Context) ([]finding, error) {
	found, err := client.Get[struct{ Items []admin.Queue }](
		ctx, d.api.Client, client.Path("v1", "queues"), nil,
	)
	if p, is := errors.AsType[*admin.Problem](err); is && p.Status == http.StatusForbidden {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return judgeQueues(found.Items), nil
}

func judgeQueues(queues []admin.Queue) (found []finding) {
	waiting := 0
	for _, q := range queues {
		switch {
		case q.Holds == admin.HoldsUnprocessed && q.Messages > 0:
			found = append(found, finding{
				Result: isFail, What: "queue " + q.Name,
				Detail: plural(q.Messages, "message") + " that the relay could not process",
				Do:     "see " + q.Runbook + " in the runbook",
			})
		case q.Holds == admin.HoldsDead && q.Messages > 0:
			found = append(found, finding{
				Result: isWarn, What: "queue " + q.Name,
				Detail: plural(q.Messages, "dead delivery"),
				Do:     "see relay deliveries --status dead; relay redrive sends them again",
			})
		case q.Messages >= aBacklog:
			found = append(found, finding{
				Result: isWarn, What: "queue " + q.Name,
				Detail: plural(q.Messages, "message") + " wait",
				Do:     "look again in a minute: if there are not fewer, see the runbook",
			})
		default:
			waiting += q.Messages
		}
	}
	if len(found) == 0 {
		found = append(found, finding{
			Result: isOK, What: "queues",
			Detail: plural(waiting, "message") + " waiting; the dead-letter queues are empty",
		})
	}
	return found
}
