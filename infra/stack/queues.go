package stack

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
)

const (
	// deadLetterDays is the longest time that SQS keeps a message.
	deadLetterDays = 14
	// queueDays leaves a week to repair whatever stops a consumer; the age alarm fires within the
	// hour. A message keeps its time of sending when SQS moves it, so it then has another week in
	// the dead-letter queue.
	queueDays = 7
	// maxReceives is SQS's own limit. It is this high so that SQS moves no message that a function
	// could process.
	//
	// SQS also counts receives that reach no function. While Lambda throttles, or a deployment is
	// broken, a message is received again after each visibility timeout (3 minutes for fanout, 6
	// for deliver): some 10 times in half an hour for fanout. 1,000 receives are two days for
	// fanout and four for deliver. Each wait of an ordered message is one receive, and 1,000 are
	// more than it needs.
	//
	// The functions themselves move messages that they cannot process (see relay.MaxFailures) to
	// the dead-letter queue of ingest or of delivery. deliver writes the message's id into the
	// message, since SQS would lose it. With this id a redriven message continues where it stopped.
	// The retry queue's own dead-letter queue, dead, therefore holds only deliveries that the
	// receivers would not take.
	//
	// If a function survives a failure, the message comes back within seconds. The visibility
	// timeout is for failures that it does not survive: it is killed, it runs out of time, or it
	// cannot reach SQS.
	maxReceives = 1000
	// visibilityFactor is what Lambda asks for. It leaves time for a batch to be throttled and
	// received again.
	visibilityFactor = 6
)

// addQueues makes the queues and their dead-letter queues. They are standard queues, with FIFO
// queues beside them for ordered endpoints. The queues of deliveries are fair. This needs no
// setting: each message carries its endpoint as MessageGroupId.
//
// The functions also put messages into the dead-letter queues themselves. SQS does not know where
// these messages came from, so a redrive must name its destination. A dead-letter queue cannot name
// the queues that may use it (a redrive allow policy). Each queue would need the other's ARN first,
// and nothing here has a fixed name.
func (r *relay) addQueues() {
	r.ingestDLQ = r.addDeadLetters("IngestDlq")
	r.deliveryDLQ = r.addDeadLetters("DeliveryDlq")
	r.dead = r.addDeadLetters("Dead")
	r.ingest = r.addQueue("Ingest", fanoutTimeoutSeconds, r.ingestDLQ)
	r.delivery = r.addQueue("Delivery", deliverTimeoutSeconds, r.deliveryDLQ)
	r.retry = r.addQueue("Retry", deliverTimeoutSeconds, r.dead)
	// a redrive goes to the delivery queue
	r.slow = r.addQueue("Slow", deliverTimeoutSeconds, r.deliveryDLQ)
	r.ordered.ingestDLQ = r.addOrderedQueue("OrderedIngestDlq", 0, 0, nil)
	r.ordered.deliveryDLQ = r.addOrderedQueue("OrderedDeliveryDlq", 0, 0, nil)
	r.ordered.ingest = r.addOrderedQueue(
		"OrderedIngest", fanoutTimeoutSeconds, maxReceives, r.ordered.ingestDLQ,
	)
	r.ordered.delivery = r.addOrderedQueue(
		"OrderedDelivery", deliverTimeoutSeconds, maxReceives, r.ordered.deliveryDLQ,
	)
}

// queues returns the queues that the API counts, by its names for them. Those of triggers would not
// fit into the environment of admin; they have an alarm.
func (r *relay) queues() map[string]awssqs.Queue {
	all := map[string]awssqs.Queue{
		"ingest": r.ingest, "delivery": r.delivery, "retry": r.retry, "slow": r.slow,
		"ordered-ingest": r.ordered.ingest, "ordered-delivery": r.ordered.delivery,
		"dead": r.dead, "ingest-dlq": r.ingestDLQ, "delivery-dlq": r.deliveryDLQ,
		"ordered-ingest-dlq":   r.ordered.ingestDLQ,
		"ordered-delivery-dlq": r.ordered.deliveryDLQ,
	}
	if r.triggersDLQ != nil {
		all["triggers-dlq"] = r.triggersDLQ
	}
	return all
}

// queueNames returns the names that SQS has for the queues.
func (r *relay) queueNames() map[string]string {
	names := map[string]string{}
	for name, queue := range r.queues() {
		names[name] = *queue.QueueName()
	}
	return names
}

func (r *relay) queueARNs() (arns []*string) {
	all := r.queues()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		arns = append(arns, all[name].QueueArn())
	}
	return arns
}

// orderedQueues are the queues of ordered sources and endpoints. They always exist, since the
// catalog can get such sources and endpoints without a deployment. Idle queues cost only Lambda's
// polling.
type orderedQueues struct{ ingest, delivery, ingestDLQ, deliveryDLQ awssqs.Queue }

// addOrderedQueue makes a FIFO queue. Deduplication and throughput limits are per message group,
// since one order is independent of another. Messages are kept for as long as SQS allows: a message
// waits for as long as the schedules of those before it last. When SQS moves a message to the
// dead-letter queue, its retention starts again.
func (r *relay) addOrderedQueue(
	id string, consumerTimeoutSeconds, receives int, deadLetters awssqs.Queue,
) awssqs.Queue {
	p := &awssqs.QueueProps{
		Fifo:                new(true),
		DeduplicationScope:  awssqs.DeduplicationScope_MESSAGE_GROUP,
		FifoThroughputLimit: awssqs.FifoThroughputLimit_PER_MESSAGE_GROUP_ID,
		RetentionPeriod:     days(deadLetterDays),
		Encryption:          queueEncryption(r.dataKey),
		EncryptionMasterKey: r.dataKey,
		DataKeyReuse:        r.dataKeyReuse(),
		EnforceSSL:          new(true),
	}
	if deadLetters != nil {
		p.VisibilityTimeout = seconds(visibilityFactor * consumerTimeoutSeconds)
		p.DeadLetterQueue = &awssqs.DeadLetterQueue{
			Queue: deadLetters, MaxReceiveCount: number(receives),
		}
	}
	return awssqs.NewQueue(r.stack, &id, p)
}

func (r *relay) addDeadLetters(id string) awssqs.Queue {
	return awssqs.NewQueue(r.stack, &id, &awssqs.QueueProps{
		RetentionPeriod: days(deadLetterDays),
		EnforceSSL:      new(true),

		Encryption: queueEncryption(r.dataKey), EncryptionMasterKey: r.dataKey,
		DataKeyReuse: r.dataKeyReuse(),
	})
}

func (r *relay) addQueue(
	id string, consumerTimeoutSeconds int, deadLetters awssqs.Queue,
) awssqs.Queue {
	return awssqs.NewQueue(r.stack, &id, &awssqs.QueueProps{
		VisibilityTimeout: seconds(visibilityFactor * consumerTimeoutSeconds),
		RetentionPeriod:   days(queueDays),
		EnforceSSL:        new(true),

		Encryption: queueEncryption(r.dataKey), EncryptionMasterKey: r.dataKey,
		DataKeyReuse: r.dataKeyReuse(),

		DeadLetterQueue: &awssqs.DeadLetterQueue{
			Queue: deadLetters, MaxReceiveCount: number(maxReceives),
		},
	})
}
