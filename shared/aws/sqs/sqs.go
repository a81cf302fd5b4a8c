package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// ResentAttribute is the message attribute (type String, value "1") of a message of which a copy
// may have been sent before.
const ResentAttribute = "Resent"

// The limits of one call (quotas of SendMessageBatch).
const (
	maxEntries = 10
	maxBytes   = 1 << 20 // of a message with its attributes, and of a batch
)

const (
	maxTries = 3
	// longest wait before the second try; doubles with each try, with full jitter
	firstWait = 100 * time.Millisecond
	// concurrent calls: 5,000 messages take some 60 round trips
	concurrency = 8
)

// The reasons why a message was not sent. Compare with errors.Is.
var (
	// ErrTooLarge means that the message with its attributes exceeds the 1 MiB that SQS takes. It
	// was not sent.
	ErrTooLarge = errors.New("sqs: message too large")
	// ErrRefused means that SQS refuses the message, or everything from us, however often it is
	// sent.
	ErrRefused = errors.New("sqs: refused")

	errNoAnswer = errors.New("sqs: no message id in the answer")
)

// Queue is one queue. It implements relay.Queue, or relay.OrderedQueue if it is a FIFO queue, and
// is safe for concurrent use.
type Queue struct {
	client  *signed.Client
	url     string
	ordered bool
}

// Client returns a client for all queues of an account and region. It calls nothing yet.
func Client(cfg aws.Config) *signed.Client {
	return signed.New(cfg, signed.Service{ID: "SQS", Name: "sqs"})
}

// New returns the queue at url. It is a FIFO queue if url ends with ".fifo", as the names of all
// FIFO queues do. The client's own retry settings matter for Hold only.
func New(client *signed.Client, url string) *Queue {
	return &Queue{client: client, url: url, ordered: strings.HasSuffix(url, ".fifo")}
}

// Beside returns the URL of the queue with a name in the account and region of another queue.
func Beside(url, name string) string { return url[:strings.LastIndex(url, "/")+1] + name }

// countAttribute is how many messages of a queue can be received.
const countAttribute = "ApproximateNumberOfMessages"

// Len returns how many messages can be received, about: those in flight and delayed ones are not
// counted, and SQS may take a minute to count the others right.
func (q *Queue) Len(ctx context.Context) (int, error) {
	var out struct{ Attributes map[string]string }
	err := q.client.JSON(ctx, call("GetQueueAttributes"), struct {
		QueueURL       string `json:"QueueUrl"`
		AttributeNames []string
	}{q.url, []string{countAttribute}}, &out)
	if err != nil {
		return 0, fmt.Errorf("sqs: count the messages of %s: %w", path.Base(q.url), err)
	}
	n, err := strconv.Atoi(out.Attributes[countAttribute])
	if err != nil {
		return 0, fmt.Errorf("sqs: count the messages of %s: %w", path.Base(q.url), err)
	}
	return n, nil
}

// call returns a call of the JSON protocol:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
func call(action string) signed.Call {
	return signed.Call{Target: "AmazonSQS." + action, Version: "1.0"}
}

// once returns a call that the client does not retry.
func once(action string) signed.Call {
	c := call(action)
	c.Once = true
	return c
}

// message is a message of SendMessage or an entry of SendMessageBatch.
type message struct {
	QueueURL   string               `json:"QueueUrl,omitempty"` // of SendMessage
	ID         string               `json:"Id,omitempty"`       // of an entry
	Body       signed.Text          `json:"MessageBody"`
	Group      string               `json:"MessageGroupId,omitempty"`
	Once       string               `json:"MessageDeduplicationId,omitempty"`
	Delay      int                  `json:"DelaySeconds,omitempty"`
	Attributes map[string]attribute `json:"MessageAttributes,omitempty"`
}

type attribute struct{ DataType, StringValue string }

// visibility is an entry of ChangeMessageVisibilityBatch.
type visibility struct {
	ID      string `json:"Id"`
	Handle  string `json:"ReceiptHandle"`
	Timeout int    `json:"VisibilityTimeout"`
}

// batch is a call with entries.
type batch[E any] struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []E
}

// answers are what a call with entries is answered with.
type answers struct {
	Successful []struct {
		ID        string `json:"Id"`
		MessageID string `json:"MessageId"`
	}
	Failed []refusal
}

// refusal is an entry that failed.
type refusal struct {
	ID            string `json:"Id"`
	Code, Message string
	SenderFault   bool
}

func (r refusal) error(what string) error {
	return fmt.Errorf("%w: %s%s: %s", ErrRefused, what, r.Code, r.Message)
}

// passes tells whether another try may help.
func (r refusal) passes() bool { return !r.SenderFault || throttles(r.Code) }

// entry is a message that is being sent.
type entry struct {
	relay.Outgoing
	err   error // the error of the last try; nil if sent
	final bool  // no further try: it is sent, or another try cannot succeed
}

// Send implements relay.Queue. It makes up to 8 concurrent calls. It tries each message at most 3
// times, as long as ctx lasts.
func (q *Queue) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	entries := make([]entry, len(msgs))
	groups := map[string][]*entry{} // used for an ordered queue
	var pending []*entry
	for i, m := range msgs {
		e := &entries[i]
		e.Outgoing = m
		if n := size(m); n > maxBytes {
			e.err = fmt.Errorf("%w: %d bytes; SQS takes at most %d", ErrTooLarge, n, maxBytes)
		} else if err := format.CheckText(m.Body); err != nil {
			// the client would replace some characters
			e.err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if q.ordered {
			groups[m.Group] = append(groups[m.Group], e)
		} else if e.err == nil {
			pending = append(pending, e)
		}
	}
	q.sendAtOnce(ctx, pending)
	q.sendInOrder(ctx, groups)
	errs := make([]error, len(msgs))
	for i := range entries {
		errs[i] = entries[i].err
	}
	return errs
}

func (q *Queue) sendAtOnce(ctx context.Context, pending []*entry) {
	var calls errgroup.Group
	calls.SetLimit(concurrency)
	for _, batch := range batches(pending) {
		calls.Go(func() error {
			q.sendBatch(ctx, batch)
			return nil
		})
	}
	_ = calls.Wait() // each entry has its own error
}

// sendInOrder sends the first messages of all groups together, then the second ones, and so on. If
// one call contained two messages of a group, SQS could take the second and not the first.
func (q *Queue) sendInOrder(ctx context.Context, groups map[string][]*entry) {
	for len(groups) > 0 {
		var heads []*entry
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			if head := groups[name][0]; head.err == nil {
				heads = append(heads, head)
			}
		}
		q.sendAtOnce(ctx, heads)
		for name, line := range groups {
			if groups[name] = line[1:]; len(line) == 1 {
				delete(groups, name)
			} else if err := line[0].err; err != nil && line[1].err == nil {
				line[1].err = fmt.Errorf(
					"not sent, because an earlier message of its group failed: %w", err,
				)
			}
		}
	}
}

// Name returns the last part of the queue's URL, which is also the last part of its ARN.
func (q *Queue) Name() string { return path.Base(q.url) }

// Hold implements relay.Holder by changing the messages' visibility timeouts, ten messages in a
// call.
func (q *Queue) Hold(ctx context.Context, held []relay.Held) []error {
	errs := make([]error, 0, len(held))
	for batch := range slices.Chunk(held, maxEntries) {
		errs = append(errs, q.hold(ctx, batch)...)
	}
	return errs
}

// hold retries the messages that SQS refuses for a reason of its own. If a call fails as a whole,
// the client has retried it already.
func (q *Queue) hold(ctx context.Context, held []relay.Held) []error {
	errs := make([]error, len(held))
	pending := make([]int, len(held))
	for i := range held {
		pending[i] = i
	}
	for try := 0; len(pending) > 0 && try < maxTries; try++ {
		if try > 0 && !wait(ctx, firstWait<<(try-1)) {
			break
		}
		pending = q.holdOnce(ctx, held, pending, errs)
	}
	return errs
}

// holdOnce makes one call for the pending messages, sets their errors, and returns those that are
// worth another try.
func (q *Queue) holdOnce(
	ctx context.Context, held []relay.Held, pending []int, errs []error,
) (again []int) {
	in := batch[visibility]{QueueURL: q.url}
	for _, i := range pending {
		errs[i] = nil
		in.Entries = append(in.Entries, visibility{
			ID: strconv.Itoa(i), Handle: held[i].Handle, Timeout: seconds(held[i].For),
		})
	}
	var out answers
	if err := q.client.JSON(ctx, call("ChangeMessageVisibilityBatch"), in, &out); err != nil {
		for _, i := range pending {
			errs[i] = fmt.Errorf("sqs: hold: %w", err)
		}
		return nil
	}
	for _, f := range out.Failed {
		i, ok := index(f.ID, len(held))
		if !ok {
			continue
		}
		errs[i] = f.error("hold: ")
		if f.passes() {
			again = append(again, i)
		}
	}
	return again
}

// size returns the bytes that SQS counts: the body and the attribute's name, type and value. The
// attribute is counted even if it is not set yet, because a later try may set it.
func size(m relay.Outgoing) int { return len(m.Body) + len(ResentAttribute+"String"+"1") }

// batches divides entries into batches that fit into one call each.
func batches(entries []*entry) [][]*entry {
	var cut [][]*entry
	var bytes int
	for _, e := range entries {
		n := size(e.Outgoing)
		if last := len(cut) - 1; last >= 0 && len(cut[last]) < maxEntries && bytes+n <= maxBytes {
			cut[last], bytes = append(cut[last], e), bytes+n
			continue
		}
		cut, bytes = append(cut, []*entry{e}), n
	}
	return cut
}

// sendBatch retries until every entry is final, or the tries or ctx have ended.
func (q *Queue) sendBatch(ctx context.Context, pending []*entry) {
	for try := range maxTries {
		if try > 0 && !wait(ctx, firstWait<<(try-1)) {
			return
		}
		if len(pending) == 1 {
			q.sendOne(ctx, pending[0])
		} else {
			q.sendMany(ctx, pending)
		}
		var left []*entry
		for _, e := range pending {
			if !e.final {
				left = append(left, e)
			}
		}
		if pending = left; len(pending) == 0 {
			return
		}
	}
}

func (q *Queue) sendOne(ctx context.Context, e *entry) {
	m := e.message()
	m.QueueURL = q.url
	var out struct {
		MessageID string `json:"MessageId"`
	}
	if err := q.client.JSON(ctx, once("SendMessage"), m, &out); err != nil {
		e.failed(err)
		return
	}
	e.answered(out.MessageID)
}

func (q *Queue) sendMany(ctx context.Context, entries []*entry) {
	in := batch[message]{QueueURL: q.url, Entries: make([]message, len(entries))}
	for i, e := range entries {
		in.Entries[i] = e.message()
		in.Entries[i].ID = strconv.Itoa(i)
	}
	var out answers
	if err := q.client.JSON(ctx, once("SendMessageBatch"), in, &out); err != nil {
		for _, e := range entries {
			e.failed(err)
		}
		return
	}
	unanswered := maps.Collect(slices.All(entries))
	for _, s := range out.Successful {
		if i, ok := index(s.ID, len(entries)); ok {
			entries[i].answered(s.MessageID)
			delete(unanswered, i)
		}
	}
	for _, f := range out.Failed {
		if i, ok := index(f.ID, len(entries)); ok {
			entries[i].refused(f)
			delete(unanswered, i)
		}
	}
	for _, e := range unanswered {
		e.answered("")
	}
}

func (e *entry) message() message {
	m := message{Body: e.Body, Group: e.Group, Once: e.Once, Delay: seconds(e.Delay)}
	if e.Resent {
		m.Attributes = map[string]attribute{ResentAttribute: {"String", "1"}}
	}
	return m
}

// index parses an entry's id in the answer to a call with n entries.
func index(id string, n int) (int, bool) {
	i, err := strconv.Atoi(id)
	return i, err == nil && i >= 0 && i < n
}

// answered records the message id of a successful answer, or that there was none.
func (e *entry) answered(id string) {
	if id != "" {
		e.err, e.final = nil, true
		return
	}
	e.err, e.Resent = errNoAnswer, true
}

// refused records an entry of Failed. If the fault is SQS's own, SQS may have stored the message
// before it.
func (e *entry) refused(f refusal) {
	e.err, e.final = f.error(""), !f.passes()
	e.Resent = e.Resent || !f.SenderFault
}

// failed records the error of a whole call. After an answer of 4xx nothing was stored. After any
// other error, or no answer, the message may be in the queue.
func (e *entry) failed(err error) {
	answer, is := errors.AsType[*signed.Error](err)
	if !is || answer.Status < 400 || answer.Status >= 500 {
		e.err, e.Resent = fmt.Errorf("sqs: %w", err), true
		return
	}
	e.err = fmt.Errorf("%w: %w", ErrRefused, err)
	e.final = retry.IsErrorRetryables(
		retry.DefaultRetryables,
	).IsErrorRetryable(err) != aws.TrueTernary
}

func throttles(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// wait waits for a random time up to limit. It returns false if ctx ended first.
func wait(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
