package deployed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/lab/emulator"
)

// How many batches of a queue Lambda handles at once: at the start, and at most if the template has
// no maximum.
const (
	firstPollers = 5
	mostPollers  = 1250
)

// longPoll is how long a poller waits for a message, in seconds. Lambda uses the same.
const longPoll = 20

// mappingProperties are the properties of AWS::Lambda::EventSourceMapping that the host plays.
type mappingProperties struct {
	BatchSize             int
	EventSourceARN        string
	FunctionName          string
	FunctionResponseTypes []string
	ScalingConfig         *struct{ MaximumConcurrency int }
}

// mapping hands a queue's messages to a function. It is safe for concurrent use.
type mapping struct {
	mappingProperties
	function *function
	url      string
	client   *awssqs.Client // with the function's rights
	operator *awssqs.Client // its calls are not checked
	most     int            // pollers
	polling  *sync.WaitGroup

	mu            sync.Mutex
	pollers, busy int
	resumed       chan struct{} // nil unless the mapping is stopped; closed when it continues
	throttled     int           // batches that must still reach no function
	// by message id: the receipt of each message that failed and was not received again
	handle map[string]string
}

func (h *Host) newMapping(ctx context.Context, id string) (*mapping, error) {
	var p mappingProperties
	if err := h.stack.properties(id, &p); err != nil {
		return nil, err
	}
	f := h.functions[p.FunctionName]
	switch {
	case f == nil:
		return nil, fmt.Errorf(
			"%w: %s is for function %q, which there is not", ErrTemplate, id, p.FunctionName,
		)
	case p.BatchSize < 1 || p.BatchSize > 10:
		return nil, fmt.Errorf(
			"%w: %s has batches of %d, which are not played", ErrTemplate, id, p.BatchSize,
		)
	}
	m := &mapping{
		mappingProperties: p, function: f, operator: h.SQS, client: awssqs.NewFromConfig(
			emulator.Config(f.door.URL),
		), most: mostPollers, polling: &h.polling,
		handle: map[string]string{},
	}
	if s := p.ScalingConfig; s != nil {
		m.most = s.MaximumConcurrency
	}
	if m.most < 2 || p.ScalingConfig != nil && m.most > 1000 {
		return nil, fmt.Errorf(
			"%w: %s has a maximum concurrency %d, Lambda takes 2 to 1000", ErrTemplate, id, m.most,
		)
	}
	for _, queue := range h.stack.ofType("AWS::SQS::Queue") {
		if made := h.stack.made[queue]; made.attributes["Arn"] == p.EventSourceARN {
			m.url = made.ref
		}
	}
	if m.url == "" {
		return nil, fmt.Errorf(
			"%w: %s is for queue %q, which there is not", ErrTemplate, id, p.EventSourceARN,
		)
	}
	return m, m.check(ctx)
}

// check makes the check that Lambda makes when a mapping is created.
func (m *mapping) check(ctx context.Context) error {
	out, err := m.client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: &m.url, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameVisibilityTimeout,
		},
	})
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameVisibilityTimeout)])
	if timeout := m.function.runtime.Timeout; err != nil || float64(seconds) < timeout.Seconds() {
		return fmt.Errorf(
			"%w: %s is visible again after %d s, its function times out after %v", ErrTemplate,
			m.url, seconds, timeout,
		)
	}
	return nil
}

// start starts to poll, until ctx ends.
func (m *mapping) start(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range min(firstPollers, m.most) {
		m.add(ctx)
	}
}

func (m *mapping) add(ctx context.Context) {
	m.pollers++
	m.polling.Go(func() { m.poll(ctx) })
}

// take counts a poller that has a batch. If all pollers have one, there is probably a backlog, and
// another poller starts.
func (m *mapping) take(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy++; m.busy == m.pollers && m.pollers < m.most {
		m.add(ctx)
	}
}

func (m *mapping) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy--
}

// stop stops the pollers from receiving until the returned function is called. A second stop ends
// with the first.
func (m *mapping) stop() (resume func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.resumed != nil {
		return func() {}
	}
	resumed := make(chan struct{})
	m.resumed = resumed
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.resumed = nil
		close(resumed)
	})
}

// mayAsk waits while the mapping is stopped. It returns false if ctx has ended.
func (m *mapping) mayAsk(ctx context.Context) bool {
	m.mu.Lock()
	resumed := m.resumed
	m.mu.Unlock()
	if resumed != nil {
		select {
		case <-resumed:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// poll receives batches until ctx ends.
func (m *mapping) poll(ctx context.Context) {
	for m.mayAsk(ctx) {
		out, err := m.client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
			QueueUrl: &m.url, MaxNumberOfMessages: int32(m.BatchSize), WaitTimeSeconds: longPoll, //nolint:gosec // at most 10
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{
				types.MessageSystemAttributeNameAll,
			},
			MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			pause(ctx)
		} else if len(out.Messages) > 0 && m.mayAsk(ctx) {
			// a batch that was requested before the stop waits too
			m.take(ctx)
			m.hand(ctx, out.Messages)
			m.done()
		}
	}
}

// pause waits a moment, so that a poller does not ask again at once after an error.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// hand invokes the function with a batch, and deletes the messages that are done. The others are
// received again after their visibility timeout: the queue's, or the one that the function set.
func (m *mapping) hand(ctx context.Context, batch []types.Message) {
	m.receive(batch)
	if m.throttle() {
		m.remember(batch, func(string) bool { return true })
		return
	}
	answer, err := m.function.invoke(ctx, m.event(batch))
	failed := m.failed(batch, answer, err)
	var done []types.DeleteMessageBatchRequestEntry
	for _, message := range batch {
		// a failed message is received again after the visibility timeout, or when the function
		// wants it
		if !failed(*message.MessageId) {
			done = append(
				done,
				types.DeleteMessageBatchRequestEntry{
					Id: message.MessageId, ReceiptHandle: message.ReceiptHandle,
				},
			)
		}
	}
	m.remember(batch, failed)
	// If the deletion fails, these messages are received again too.
	if len(done) > 0 {
		_, _ = m.client.DeleteMessageBatch(
			ctx, &awssqs.DeleteMessageBatchInput{QueueUrl: &m.url, Entries: done},
		)
	}
}

// throttle uses up one of the throttled batches. It returns false if there is none.
func (m *mapping) throttle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.throttled == 0 {
		return false
	}
	m.throttled--
	return true
}

// receive drops the receipts of messages that were received again.
func (m *mapping) receive(batch []types.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range batch {
		delete(m.handle, *message.MessageId)
	}
}

// remember keeps the receipts of the failed messages.
func (m *mapping) remember(batch []types.Message, failed func(id string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range batch {
		if failed(*message.MessageId) {
			m.handle[*message.MessageId] = *message.ReceiptHandle
		}
	}
}

// passVisibility makes the failed messages visible that were not received again, and returns how
// many there were.
func (m *mapping) passVisibility(ctx context.Context) (int, error) {
	m.mu.Lock()
	handles := m.handle
	m.handle = map[string]string{}
	m.mu.Unlock()
	for _, handle := range handles {
		_, err := m.operator.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
			QueueUrl: &m.url, ReceiptHandle: &handle, VisibilityTimeout: 0,
		})
		if err != nil {
			return 0, err
		}
	}
	return len(handles), nil
}

// failed tells which messages of a batch must be received again
// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
func (m *mapping) failed(batch []types.Message, answer []byte, err error) func(id string) bool {
	all := func(string) bool { return true }
	if err != nil {
		return all
	}
	if !slices.Contains(m.FunctionResponseTypes, "ReportBatchItemFailures") {
		return func(string) bool { return false }
	}
	var response events.SQSEventResponse
	if len(answer) > 0 && json.Unmarshal(answer, &response) != nil {
		return all
	}
	ids := map[string]bool{}
	for _, f := range response.BatchItemFailures {
		ids[f.ItemIdentifier] = true
		if !slices.ContainsFunc(batch, func(m types.Message) bool {
			return *m.MessageId == f.ItemIdentifier
		}) {
			return all
		}
	}
	return func(id string) bool { return ids[id] }
}

func (m *mapping) event(batch []types.Message) events.SQSEvent {
	e := events.SQSEvent{Records: make([]events.SQSMessage, len(batch))}
	for i, message := range batch {
		e.Records[i] = events.SQSMessage{
			MessageId: *message.MessageId, ReceiptHandle: *message.ReceiptHandle,
			Body: *message.Body, Md5OfBody: *message.MD5OfBody,
			Attributes: message.Attributes, EventSource: "aws:sqs",
			EventSourceARN: m.EventSourceARN, AWSRegion: region,
			MessageAttributes: map[string]events.SQSMessageAttribute{},
		}
		for name, a := range message.MessageAttributes {
			e.Records[i].MessageAttributes[name] = events.SQSMessageAttribute{
				DataType: *a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue,
			}
		}
	}
	return e
}
