package handler

import (
	"context"
	"strconv"
	"strings"
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

// Queue is a queue that a function consumes.
type Queue interface {
	relay.Holder
	Name() string // the last part of its ARN
}

// Batch returns the handler of queues: it hands an SQS batch to a stage, has what the stage wants again hidden for as long as
// it says, and answers with those messages. It never returns an error, which would send the whole batch back. A message that
// cannot be held, or of a queue that is not among those given, comes back after its queue's visibility timeout.
func Batch(process func(context.Context, []relay.Message) []relay.Action, queues ...Queue) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		msgs := make([]relay.Message, len(e.Records))
		for i, r := range e.Records {
			msgs[i] = message(r)
		}
		actions := process(ctx, msgs)
		for _, q := range queues {
			if held := toHold(q.Name(), e.Records, msgs, actions); len(held) > 0 {
				q.Hold(ctx, held) // what this cannot do the visibility timeout does
			}
		}
		var answer events.SQSEventResponse
		for i, a := range actions {
			if a.Retry {
				answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: msgs[i].ID})
			}
		}
		return answer, nil
	}
}

// toHold returns the messages of a queue that are to come again at a time that the stage has named.
func toHold(queue string, records []events.SQSMessage, msgs []relay.Message, actions []relay.Action) (held []relay.Held) {
	for i, r := range records {
		if a := actions[i]; a.Retry && r.EventSourceARN[strings.LastIndexByte(r.EventSourceARN, ':')+1:] == queue {
			held = append(held, relay.Held{Message: msgs[i], For: a.After})
		}
	}
	return held
}

func message(r events.SQSMessage) relay.Message {
	receives, err := strconv.Atoi(r.Attributes[receiveCount])
	if err != nil {
		receives = 2 // unknown: be careful, as with a message that was handed out before
	}
	_, resent := r.MessageAttributes[ResentAttribute]
	m := relay.Message{ID: r.MessageId, Body: []byte(r.Body), Receives: receives, Resent: resent, Handle: r.ReceiptHandle}
	if r.Attributes[sequenceNumber] != "" {
		m.Group = r.Attributes[groupID]
		if millis, err := strconv.ParseInt(r.Attributes[sentTimestamp], 10, 64); err == nil {
			m.SentAt = time.UnixMilli(millis).UTC()
		}
	}
	return m
}

// SQSEvent is the inverse: the event that Lambda's event source mapping makes of a batch, but for the queue's ARN.
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
			r.MessageAttributes = map[string]events.SQSMessageAttribute{ResentAttribute: {DataType: "String", StringValue: &one}}
		}
		e.Records[i] = r
	}
	return e
}
