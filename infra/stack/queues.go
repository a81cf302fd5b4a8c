package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
)

const (
	// deadLetterDays is the longest that SQS keeps a message.
	deadLetterDays = 14
	// queueDays leaves a week to mend whatever stops a consumer (the age alarm fires within the hour), and, since a message keeps
	// its time of sending when SQS moves it, as long again in the dead-letter queue.
	queueDays = 7
	// maxReceives is how often a message may make fanout or deliver fail before it is put aside as poison.
	maxReceives = 5
	// maxDeliverReceives is SQS's limit, so that SQS itself moves nothing that deliver could: deliver puts aside what it cannot process,
	// after maxReceives, in the delivery queue's dead-letter queue, and writes into it what SQS would forget, the message's id, by which
	// a redriven message goes on where it stood. And dead, the retry queue's own, holds only what the receivers would not take.
	// A deliver that does not even start uses the receives up in four days, well before the messages' retention ends.
	maxDeliverReceives = 1000
	// visibilityFactor is what Lambda asks for: room for a batch to be throttled and taken again.
	visibilityFactor = 6
)

// addQueues makes the three queues and their dead-letter queues. They are standard queues; those of deliveries are fair, which
// needs nothing here: each message carries its endpoint as MessageGroupId.
//
// Functions put messages into the dead-letter queues themselves, too. SQS does not know where those came from, so that a redrive
// must name its destination. A dead-letter queue cannot name the queues that may use it (a redrive allow policy): each would
// need the other's ARN first, and nothing here has a fixed name.
func (r *relay) addQueues() {
	r.ingestDLQ = r.addDeadLetters("IngestDlq")
	r.deliveryDLQ = r.addDeadLetters("DeliveryDlq")
	r.dead = r.addDeadLetters("Dead")
	r.ingest = r.addQueue("Ingest", fanoutTimeoutSeconds, maxReceives, r.ingestDLQ)
	r.delivery = r.addQueue("Delivery", deliverTimeoutSeconds, maxDeliverReceives, r.deliveryDLQ)
	r.retry = r.addQueue("Retry", deliverTimeoutSeconds, maxDeliverReceives, r.dead)
}

func (r *relay) addDeadLetters(id string) awssqs.Queue {
	return awssqs.NewQueue(r.stack, &id, &awssqs.QueueProps{
		RetentionPeriod: days(deadLetterDays),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      new(true),
	})
}

func (r *relay) addQueue(id string, consumerTimeoutSeconds, receives int, deadLetters awssqs.Queue) awssqs.Queue {
	return awssqs.NewQueue(r.stack, &id, &awssqs.QueueProps{
		VisibilityTimeout: seconds(visibilityFactor * consumerTimeoutSeconds),
		RetentionPeriod:   days(queueDays),
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        new(true),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: deadLetters, MaxReceiveCount: number(receives)},
	})
}
