package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
)

const (
	// deadLetterDays is the longest that SQS keeps a message.
	deadLetterDays = 14
	// queueDays leaves a week to mend whatever stops a consumer (the age alarm fires within the
	// hour), and, since a message keeps its time of sending when SQS moves it, as long again in the
	// dead-letter queue.
	queueDays = 7
	// maxReceives is SQS's limit, so that SQS itself moves no message that a function could
	// process. SQS counts receives that reach no function, too: while Lambda throttles, or a
	// deployment is broken, a message is received again after each visibility timeout (3 minutes
	// for fanout, 6 for deliver), some 10 times in half an hour of it. 1,000 receives are two days
	// for fanout and four for deliver, and more than ordered messages need, each wait of which is
	// one.
	//
	// The functions themselves set aside what they cannot process (see relay.MaxFailures), in the
	// dead-letter queue of ingest or of delivery. deliver writes into it what SQS would forget, the
	// message's id, by which a redriven message goes on where it stood. And dead, the retry queue's
	// own, holds only what the receivers would not take.
	//
	// A message comes back within seconds of a failure that its function survives. The visibility
	// timeout is for what it does not survive: it is killed, it runs out of time, or it cannot
	// reach SQS.
	maxReceives = 1000
	// visibilityFactor is what Lambda asks for: room for a batch to be throttled and taken again.
	visibilityFactor = 6
)

// addQueues makes the queues and their dead-letter queues. They are standard queues; those of
// deliveries are fair, which needs nothing here: each message carries its endpoint as
// MessageGroupId. What is for ordered endpoints has FIFO queues beside them.
//
// Functions put messages into the dead-letter queues themselves, too. SQS does not know where those
// came from, so that a redrive must name its destination. A dead-letter queue cannot name the
// queues that may use it (a redrive allow policy): each would need the other's ARN first, and
// nothing here has a fixed name.
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

// orderedQueues are those of sources and endpoints that keep an order. They are there whether or
// not the catalog, which changes without a deployment, has such: idle they cost what Lambda's
// asking costs.
type orderedQueues struct{ ingest, delivery, ingestDLQ, deliveryDLQ awssqs.Queue }

// addOrderedQueue makes a FIFO queue, with limits for each message group: an order has nothing to
// do with another. Its messages are kept as long as SQS can: one waits behind others for as long as
// their schedules last. When SQS moves one to the dead-letter queue its time begins anew.
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
