package handler

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/relay"
)

// ResentAttribute is the SQS message attribute that marks a message of which a copy may have been
// sent before.
const ResentAttribute = "Resent"

// SQS's own attributes of a message. Only messages of a FIFO queue have a sequence number. Messages
// of fair queues have groups too.
const (
	receiveCount   = "ApproximateReceiveCount"
	sequenceNumber = "SequenceNumber"
	groupID        = "MessageGroupId"
	sentTimestamp  = "SentTimestamp"
)

// Queue is a queue that a function consumes.
type Queue interface {
	relay.Holder
	Name() string // the last part of its ARN
}

// Batch returns the handler of queues. It passes an SQS batch to a stage. It hides each message
// that the stage wants to receive again for as long as the stage says, and reports those messages
// as failed. It never returns an error, because Lambda would then return the whole batch to the
// queue. If a message cannot be held, or its queue is not among those given, it comes back after
// its queue's visibility timeout.
func Batch(
	process func(context.Context, []relay.Message) []relay.Action, queues ...Queue,
) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		msgs := make([]relay.Message, len(e.Records))
		for i, r := range e.Records {
			msgs[i] = message(r)
		}
		actions := process(ctx, msgs)
		for _, q := range queues {
			if held := toHold(q.Name(), e.Records, msgs, actions); len(held) > 0 {
				// an error is ignored: the message then comes back after the visibility timeout
				q.Hold(ctx, held)
			}
		}
		var answer events.SQSEventResponse
		for i, a := range actions {
			if a.Retry {
				answer.BatchItemFailures = append(
					answer.BatchItemFailures,
					events.SQSBatchItemFailure{ItemIdentifier: msgs[i].ID},
				)
			}
		}
		return answer, nil
	}
}

// toHold returns the messages of a queue that the stage wants to receive again at a certain time.
func toHold(
	queue string, records []events.SQSMessage, msgs []relay.Message, actions []relay.Action,
) (held []relay.Held) {
	for i, r := range records {
		if a := actions[i]; a.Retry &&
			r.EventSourceARN[strings.LastIndexByte(r.EventSourceARN, ':')+1:] == queue {
			held = append(held, relay.Held{Message: msgs[i], For: a.After})
		}
	}
	return held
}

func message(r events.SQSMessage) relay.Message {
	receives, err := strconv.Atoi(r.Attributes[receiveCount])
	if err != nil {
		receives = 2 // unknown, so be careful: treat it as received before
	}
	_, resent := r.MessageAttributes[ResentAttribute]
	m := relay.Message{
		ID: r.MessageId, Body: []byte(r.Body), Receives: receives, Resent: resent,
		Handle: r.ReceiptHandle,
	}
	if r.Attributes[sequenceNumber] != "" {
		m.Group = r.Attributes[groupID]
		if millis, err := strconv.ParseInt(r.Attributes[sentTimestamp], 10, 64); err == nil {
			m.SentAt = time.UnixMilli(millis).UTC()
		}
	}
	return m
}

// SQSEvent is the inverse: it returns the event that Lambda's event source mapping makes of a
// batch, without the queue's ARN.
func SQSEvent(msgs []relay.Message) events.SQSEvent {
	e := events.SQSEvent{Records: make([]events.SQSMessage, len(msgs))}
	for i, m := range msgs {
		r := events.SQSMessage{
			MessageId:     m.ID,
			ReceiptHandle: m.Handle,
			Body:          string(m.Body),
			Attributes:    map[string]string{receiveCount: strconv.Itoa(m.Receives)},
			EventSource:   "aws:sqs",
		}
		if m.Group != "" {
			r.Attributes[sequenceNumber], r.Attributes[groupID] = m.ID, m.Group
			if !m.SentAt.IsZero() {
				r.Attributes[sentTimestamp] = strconv.FormatInt(m.SentAt.UnixMilli(), 10)
			}
		}
		if m.Resent {
			one := "1"
			r.MessageAttributes = map[string]events.SQSMessageAttribute{
				ResentAttribute: {DataType: "String", StringValue: &one},
			}
		}
		e.Records[i] = r
	}
	return e
}
