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
		failed := handle(ctx, process, msgs, queues, func(i int) string {
			arn := e.Records[i].EventSourceARN
			return arn[strings.LastIndexByte(arn, ':')+1:]
		})
		var answer events.SQSEventResponse
		for _, id := range failed {
			answer.BatchItemFailures = append(
				answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id},
			)
		}
		return answer, nil
	}
}

// Messages returns what Batch returns for one queue, without the documents of SQS and Lambda around
// the messages: it returns the ids of the failed messages.
func Messages(
	process func(context.Context, []relay.Message) []relay.Action, queue Queue,
) func(context.Context, []relay.Message) (failed []string, err error) {
	return func(ctx context.Context, msgs []relay.Message) ([]string, error) {
		return handle(ctx, process, msgs, []Queue{queue}, func(int) string {
			return queue.Name()
		}), nil
	}
}

// handle passes messages to a stage and holds those that it wants to receive again. It returns the
// ids of those. from returns the name of the queue of a message.
func handle(
	ctx context.Context, process func(context.Context, []relay.Message) []relay.Action,
	msgs []relay.Message, queues []Queue, from func(i int) string,
) (failed []string) {
	actions := process(ctx, msgs)
	for i, a := range actions {
		if a.Retry {
			failed = append(failed, msgs[i].ID)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	for _, q := range queues {
		var held []relay.Held
		for i, a := range actions {
			if a.Retry && from(i) == q.Name() {
				held = append(held, relay.Held{Message: msgs[i], For: a.After})
			}
		}
		if len(held) > 0 {
			// an error is ignored: the message then comes back after the visibility timeout
			q.Hold(ctx, held)
		}
	}
	return failed
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
