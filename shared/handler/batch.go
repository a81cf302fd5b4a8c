package handler

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/relay"
)

// ResentAttribute is the SQS message attribute that marks a message of which a copy may have been sent before.
const ResentAttribute = "Resent"

// SQS's own attributes of a message. Only those of a FIFO queue have a sequence number; fair queues have groups too.
const (
	receiveCount   = "ApproximateReceiveCount"
	sequenceNumber = "SequenceNumber"
	groupID        = "MessageGroupId"
	sentTimestamp  = "SentTimestamp"
)

// Batch returns the handler of a queue: it hands an SQS batch to a stage and answers with the messages that are to be handed out
// again. It never returns an error, which would send the whole batch back.
func Batch(process func(context.Context, []relay.Message) []error) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		msgs := make([]relay.Message, len(e.Records))
		for i, r := range e.Records {
			msgs[i] = message(r)
		}
		var failed events.SQSEventResponse
		for i, err := range process(ctx, msgs) {
			if err != nil {
				failed.BatchItemFailures = append(failed.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: msgs[i].ID})
			}
		}
		return failed, nil
	}
}

func message(r events.SQSMessage) relay.Message {
	receives, err := strconv.Atoi(r.Attributes[receiveCount])
	if err != nil {
		receives = 2 // unknown: be careful, as with a message that was handed out before
	}
	_, resent := r.MessageAttributes[ResentAttribute]
	m := relay.Message{ID: r.MessageId, Body: []byte(r.Body), Receives: receives, Resent: resent}
	if r.Attributes[sequenceNumber] != "" {
		m.Group, m.Handle = r.Attributes[groupID], r.ReceiptHandle
		if millis, err := strconv.ParseInt(r.Attributes[sentTimestamp], 10, 64); err == nil {
			m.SentAt = time.UnixMilli(millis).UTC()
		}
	}
	return m
}

// SQSEvent is the inverse: the event that Lambda's event source mapping makes of a batch.
func SQSEvent(msgs []relay.Message) events.SQSEvent {
	e := events.SQSEvent{Records: make([]events.SQSMessage, len(msgs))}
	for i, m := range msgs {
		r := events.SQSMessage{
			MessageId:   m.ID,
			Body:        string(m.Body),
			Attributes:  map[string]string{receiveCount: strconv.Itoa(m.Receives)},
			EventSource: "aws:sqs",
		}
		if m.Group != "" {
			r.Attributes[sequenceNumber], r.Attributes[groupID], r.ReceiptHandle = m.ID, m.Group, m.Handle
			if !m.SentAt.IsZero() {
				r.Attributes[sentTimestamp] = strconv.FormatInt(m.SentAt.UnixMilli(), 10)
			}
		}
		if m.Resent {
			one := "1"
			r.MessageAttributes = map[string]events.SQSMessageAttribute{ResentAttribute: {DataType: "String", StringValue: &one}}
		}
		e.Records[i] = r
	}
	return e
}
