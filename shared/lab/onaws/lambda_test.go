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
	ordered    bool // a message is taken when its turn comes: nobody else knows what stands in line
	process    process
	stored     int // messages that the queue has and the mapping has not seen
	held       []held
}

type process = func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

func (p *pipeline) mapping(queue string) *mapping {
	return p.mappings[slices.IndexFunc(p.mappings, func(m *mapping) bool { return m.queue == queue })]
}

// held is a message that was taken from its queue before its time.
type held struct {
	types.Message
	due    time.Time
	failed bool // it was handed out, and is to be so again
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

// fetch takes from a queue what it has.
func (p *pipeline) fetch(ctx context.Context, m *mapping) error {
	now := p.now()
	m.held = slices.DeleteFunc(m.held, func(h held) bool {
		over := h.failed && !h.due.After(now) // its visibility timeout is
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

// most is how many messages are received at once: of an ordered queue as many as are handed out, since it is the queue that keeps the others back.
func (m *mapping) most() int32 {
	if m.ordered {
		return int32(m.limit) //nolint:gosec // a few
	}
	return 10
}

// keep has messages wait for their time, but for those that the script has the queue forget.
func (m *mapping) keep(ctx context.Context, p *pipeline, msgs []types.Message) error {
	m.stored -= len(msgs)
	for _, msg := range msgs {
		if !p.loses(m.queue, *msg.Body) {
			m.held = append(m.held, held{Message: msg, due: p.due[*msg.MessageId]})
			continue
		}
		p.note("%s: message %s is lost", m.queue, *msg.MessageId)
		in := &awssqs.DeleteMessageInput{QueueUrl: aws.String(p.urls[m.queue]), ReceiptHandle: msg.ReceiptHandle}
		if _, err := p.queues.DeleteMessage(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// loses tells whether a message is the first of those that the script has the queue forget.
func (p *pipeline) loses(queue, body string) bool {
	d := read(body)
	for _, l := range p.losses {
		if l.queue == queue && d.Event.ID == relay.EventID(p.source().Name, l.webhook) && d.Endpoint == l.endpoint && d.Attempt == l.attempt && !p.lost[l] {
			p.lost[l] = true
			return true
		}
	}
	return false
}

// show lets a message be received again; false if it is no longer there: it was deleted, and the answer lost.
func (p *pipeline) show(ctx context.Context, queue string, m types.Message) bool {
	_, err := p.queues.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(p.urls[queue]), ReceiptHandle: m.ReceiptHandle,
	})
	return err == nil
}

var errShort = errors.New("a queue has fewer messages than it accepted")

func (p *pipeline) receive(ctx context.Context, queue string, most int32) ([]types.Message, error) {
	out, err := p.queues.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: aws.String(p.urls[queue]), MaxNumberOfMessages: most, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

// take returns a batch of what is due.
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

// invoke hands a batch to a function, and has done messages deleted and the others come back.
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
		r := events.SQSMessage{MessageId: *msg.MessageId, ReceiptHandle: *msg.ReceiptHandle, Body: *msg.Body,
			EventSourceARN: "arn:aws:sqs:" + path.Base(queueURL), Attributes: msg.Attributes,
			MessageAttributes: map[string]events.SQSMessageAttribute{}}
		for name, a := range msg.MessageAttributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{DataType: *a.DataType, StringValue: a.StringValue}
		}
		e.Records = append(e.Records, r)
	}
	return e
}

// excuse notes which attempts of the invocation that has ended may be POSTed once more: those that neither were recorded nor can be, since
// the process was killed or nothing can be sent past what stands in line, and those of which there were two copies in the batch.
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

// keepResults notes what became of the messages of a batch at the fan-out.
func (p *pipeline) keepResults(batch []types.Message) {
	if len(p.routed) != len(batch) {
		p.wrong("%d reports for %d messages", len(p.routed), len(batch))
		return
	}
	for i, msg := range batch {
		receipt, result := read(*msg.Body).Receipt, p.routed[i].Result
		switch before := p.results[receipt]; {
		case result == relay.RouteAgain:
		case before != "" && before != result:
			p.wrong("event %s was %s and then %s", p.routed[i].EventID, before, result)
		default:
			p.results[receipt] = result
		}
	}
}

// remove deletes the messages of a batch that are done with. Those that cannot be deleted come again.
func (p *pipeline) remove(ctx context.Context, m *mapping, batch []types.Message, again map[string]bool) {
	in := &awssqs.DeleteMessageBatchInput{QueueUrl: aws.String(p.urls[m.queue])}
	for _, msg := range batch {
		if !again[*msg.MessageId] {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: msg.MessageId, ReceiptHandle: msg.ReceiptHandle})
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

// pass lets time pass until something is due; false if nothing will ever be.
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

// poisonQueues has a later version of the relay leave messages behind.
func (p *pipeline) poisonQueues(ctx context.Context) error {
	for queue, body := range p.poison {
		if _, err := p.queues.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: aws.String(p.urls[queue]), MessageBody: &body}); err != nil {
			return err
		}
		p.mapping(queue).stored++
	}
	return nil
}

// sweep plays some of the hours in which the rule comes, and Lambda, which makes a run that fails again up to twice. What a run has recorded as
// due and could not send is late two hours later, a day at an ordered endpoint.
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
