package onaws_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
)

// mapping hands a queue's messages to a function, as Lambda's event source mapping does.
type mapping struct {
	queue      string
	visibility time.Duration
	limit      int
	ordered    bool // receives only as much as it hands out, because only the queue knows the order
	process    process
	stored     int // messages that are in the queue and not received yet
	held       []held
}

type process = func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

func (p *pipeline) mapping(queue string) *mapping {
	return p.mappings[slices.IndexFunc(p.mappings, func(m *mapping) bool {
		return m.queue == queue
	})]
}

// held is a message that was received before it is due.
type held struct {
	types.Message
	due    time.Time
	failed bool // it was handed out and failed, and must be handed out again
}

// pump plays Lambda and Scheduler until nothing is left to do.
func (p *pipeline) pump(ctx context.Context) error {
	for range maxTurns {
		busy := false
		for _, m := range p.mappings {
			if err := p.fetch(ctx, m); err != nil {
				return err
			}
			if batch := m.take(p.now()); len(batch) > 0 {
				busy = true
				if err := p.invoke(ctx, m, batch); err != nil {
					return err
				}
			}
		}
		if busy {
			continue
		}
		if more, err := p.pass(ctx); err != nil || !more {
			return err
		}
	}
	p.wrong("it never ends")
	return nil
}

// fetch receives everything that a queue has.
func (p *pipeline) fetch(ctx context.Context, m *mapping) error {
	now := p.now()
	m.held = slices.DeleteFunc(m.held, func(h held) bool {
		over := h.failed && !h.due.After(now) // its visibility timeout is over
		if over && p.show(ctx, m.queue, h.Message) {
			m.stored++
		}
		return over
	})
	for m.stored > 0 {
		msgs, err := p.receive(ctx, m.queue, m.most())
		if err == nil {
			err = m.keep(ctx, p, msgs)
		}
		if m.ordered || err != nil {
			return err
		}
		if len(msgs) == 0 {
			return errShort
		}
	}
	return nil
}

// most is the number of messages to receive at once. For an ordered queue it is the batch size,
// because the queue itself holds back the others.
func (m *mapping) most() int32 {
	if m.ordered {
		return int32(m.limit) //nolint:gosec // a few
	}
	return 10
}

// keep holds messages until they are due, and deletes those that the script loses.
func (m *mapping) keep(ctx context.Context, p *pipeline, msgs []types.Message) error {
	m.stored -= len(msgs)
	for _, msg := range msgs {
		if !p.loses(m.queue, *msg.Body) {
			m.held = append(m.held, held{Message: msg, due: p.due[*msg.MessageId]})
			continue
		}
		p.note("%s: message %s is lost", m.queue, *msg.MessageId)
		in := &awssqs.DeleteMessageInput{
			QueueUrl: aws.String(p.urls[m.queue]), ReceiptHandle: msg.ReceiptHandle,
		}
		if _, err := p.queues.DeleteMessage(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// loses tells whether a message is the first of those that the script loses.
func (p *pipeline) loses(queue, body string) bool {
	d := read(body)
	for _, l := range p.losses {
		if l.queue == queue && d.Event.ID == relay.EventID("", p.source().Name, l.webhook) &&
			d.Endpoint == l.endpoint && d.Attempt == l.attempt && !p.lost[l] {
			p.lost[l] = true
			return true
		}
	}
	return false
}

// show makes a message visible again. It returns false if the message no longer exists: it was
// deleted, but the answer was lost.
func (p *pipeline) show(ctx context.Context, queue string, m types.Message) bool {
	_, err := p.queues.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(p.urls[queue]), ReceiptHandle: m.ReceiptHandle,
	})
	return err == nil
}

var errShort = errors.New("a queue has fewer messages than it accepted")

func (p *pipeline) receive(ctx context.Context, queue string, most int32) ([]types.Message, error) {
	out, err := p.queues.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: aws.String(p.urls[queue]), MaxNumberOfMessages: most,
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameAll,
		},
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

// take returns a batch of messages that are due.
func (m *mapping) take(now time.Time) []types.Message {
	var batch []types.Message
	m.held = slices.DeleteFunc(m.held, func(h held) bool {
		if h.failed || h.due.After(now) || len(batch) == m.limit {
			return false
		}
		batch = append(batch, h.Message)
		return true
	})
	return batch
}

// invoke hands a batch to a function. Then it deletes the messages that are done, and holds the
// others.
func (p *pipeline) invoke(ctx context.Context, m *mapping, batch []types.Message) error {
	p.inHand, p.routed = nil, nil
	p.note("%s: batch of %d", m.queue, len(batch))
	invocation, cancel := context.WithTimeout(ctx, functionTimeout)
	answer, err := m.process(invocation, eventOf(p.urls[m.queue], batch))
	cancel()
	if err != nil {
		return err
	}
	p.excuse(m, batch)
	again := map[string]bool{}
	for _, f := range answer.BatchItemFailures {
		again[f.ItemIdentifier] = true
	}
	if p.revive() {
		for _, msg := range batch {
			again[*msg.MessageId] = true
		}
	} else if strings.HasSuffix(m.queue, "ingest") {
		p.keepResults(batch)
	}
	p.remove(ctx, m, batch, again)
	for _, msg := range batch {
		if again[*msg.MessageId] {
			p.note("%s: message %s comes again", m.queue, *msg.MessageId)
			due, isHeld := p.holds[*msg.ReceiptHandle]
			if !isHeld {
				due = p.now().Add(m.visibility)
			}
			m.held = append(m.held, held{msg, due, true})
		}
	}
	return nil
}

func eventOf(queueURL string, batch []types.Message) events.SQSEvent {
	var e events.SQSEvent
	for _, msg := range batch {
		r := events.SQSMessage{MessageId: *msg.MessageId, ReceiptHandle: *msg.ReceiptHandle,
			Body:           *msg.Body,
			EventSourceARN: "arn:aws:sqs:" + path.Base(queueURL), Attributes: msg.Attributes,
			MessageAttributes: map[string]events.SQSMessageAttribute{}}
		for name, a := range msg.MessageAttributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{
				DataType: *a.DataType, StringValue: a.StringValue,
			}
		}
		e.Records = append(e.Records, r)
	}
	return e
}

// excuse records which attempts of the last invocation may be POSTed once more. These are attempts
// that are not recorded and cannot be, because the process was killed or because nothing can be
// sent ahead in an ordered queue. They are also attempts with two copies in the batch.
func (p *pipeline) excuse(m *mapping, batch []types.Message) {
	copies := map[string]int{}
	for _, msg := range batch {
		copies[read(*msg.Body).delivery()]++
	}
	for _, attempt := range slices.Compact(slices.Sorted(slices.Values(p.inHand))) {
		if (p.wire.dead || m.ordered) && !p.safe[attempt] {
			p.excuses[attempt]++
		}
		p.excuses[attempt] += copies[attempt[:strings.LastIndex(attempt, " ")]] - 1
	}
}

// keepResults records the results of a batch at the fan-out.
func (p *pipeline) keepResults(batch []types.Message) {
	if len(p.routed) != len(batch) {
		p.wrong("%d reports for %d messages", len(p.routed), len(batch))
		return
	}
	for i, msg := range batch {
		receipt, result := read(*msg.Body).Receipt, p.routed[i].Result
		switch before := p.results[receipt]; {
		case result == relay.RouteFailed:
		case before != "" && before != result:
			p.wrong("event %s was %s and then %s", p.routed[i].EventID, before, result)
		default:
			p.results[receipt] = result
		}
	}
}

// remove deletes the messages of a batch that are done. Those that cannot be deleted are handed out
// again.
func (p *pipeline) remove(
	ctx context.Context, m *mapping, batch []types.Message, again map[string]bool,
) {
	in := &awssqs.DeleteMessageBatchInput{QueueUrl: aws.String(p.urls[m.queue])}
	for _, msg := range batch {
		if !again[*msg.MessageId] {
			in.Entries = append(
				in.Entries,
				types.DeleteMessageBatchRequestEntry{
					Id: msg.MessageId, ReceiptHandle: msg.ReceiptHandle,
				},
			)
		}
	}
	if len(in.Entries) == 0 {
		return
	}
	out, err := awssqs.NewFromConfig(p.clients("mapping")).DeleteMessageBatch(ctx, in)
	for _, e := range in.Entries {
		again[*e.Id] = err != nil
	}
	if err == nil {
		for _, f := range out.Failed {
			again[*f.Id] = true
		}
	}
}

// pass lets time pass until something is due. It returns false if nothing will ever be due.
func (p *pipeline) pass(ctx context.Context) (bool, error) {
	var next time.Time
	soonest := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, m := range p.mappings {
		for _, h := range m.held {
			soonest(h.due)
		}
	}
	var schedules []emulator.Schedule
	for _, s := range p.schedules.Pending() {
		if s.Group == p.name {
			schedules = append(schedules, s)
			soonest(s.At)
		}
	}
	if next.IsZero() {
		return false, nil
	}
	p.skip(next.Sub(p.now()))
	for _, s := range schedules {
		if s.At.After(p.now()) {
			continue
		}
		if err := p.schedules.Fire(ctx, s.Group, s.Name); err != nil {
			return false, err
		}
		p.note("schedule %s is fired", s.Name)
		p.mapping("retry").stored++
	}
	return true, nil
}

// poisonQueues sends messages of a later version of the relay.
func (p *pipeline) poisonQueues(ctx context.Context) error {
	for queue, body := range p.poison {
		if _, err := p.queues.SendMessage(
			ctx, &awssqs.SendMessageInput{QueueUrl: aws.String(p.urls[queue]), MessageBody: &body},
		); err != nil {
			return err
		}
		p.mapping(queue).stored++
	}
	return nil
}

// sweep plays some of the hours at which the rule fires, and Lambda, which retries a failed run up
// to twice. A delivery that a run recorded as due but could not send is overdue two hours later, at
// an ordered endpoint a day later.
func (p *pipeline) sweep(ctx context.Context) error {
	for _, hours := range []int{3, 4, 7, 29} {
		if hours > 4 && p.unswept == 0 {
			return nil
		}
		p.skip(p.began.Add(time.Duration(hours) * time.Hour).Sub(p.now()))
		p.wire.age++
		for range 3 {
			report, err := p.sweeper.Run(ctx)
			p.note("sweep: %+v, %v", report, err)
			failed := p.revive() || err != nil
			if err := p.pump(ctx); err != nil {
				return err
			}
			if !failed {
				break
			}
			p.unswept++
		}
	}
	return nil
}
