package main

import (
	"context"
	"maps"
	"slices"
)

// aBacklog is how many messages in a queue are worth a look.
const aBacklog = 1000

// deadLetters are what the dead-letter queues mean: who put the messages there.
var deadLetters = map[string]string{
	"IngestDlq": "IngestDlqNotEmpty", "DeliveryDlq": "DeliveryDlqNotEmpty",
	"OrderedIngestDlq": "OrderedIngestDlqNotEmpty", "TriggersDlq": "TriggersDlqNotEmpty",
	"OrderedDeliveryDlq": "OrderedDeliveryDlqNotEmpty",
}

// judgeQueues judges the numbers of messages in queues.
func judgeQueues(counts map[string]int) (found []finding) {
	waiting := 0
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		n := counts[name]
		alarm, isDead := deadLetters[name]
		switch {
		case isDead && n > 0:
			found = append(found, finding{
				Result: isFail, What: "queue " + name,
				Detail: plural(n, "message") + " that the relay could not process",
				Do:     "see " + alarm + " in the runbook",
			})
		case name == "Dead" && n > 0:
			found = append(found, finding{
				Result: isWarn, What: "queue " + name, Detail: plural(n, "dead delivery"),
				Do: "see relay deliveries --status dead; relay redrive sends them again",
			})
		case n >= aBacklog:
			found = append(found, finding{
				Result: isWarn, What: "queue " + name, Detail: plural(n, "message") + " wait",
				Do: "look again in a minute: if there are not fewer, see the runbook",
			})
		case !isDead:
			waiting += n
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

// localQueues counts the messages in the queues of a relay whose files this process has open.
func (d *doctor) localQueues(ctx context.Context) ([]finding, error) {
	if d.api.queued == nil {
		return nil, nil
	}
	counts, err := d.api.queued(ctx)
	return judgeQueues(counts), err
}
