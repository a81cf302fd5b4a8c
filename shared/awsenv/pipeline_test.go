package awsenv_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awsscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/awsenv/emulator"
	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/handler"
	"webhook-relay/shared/kms"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/s3"
	"webhook-relay/shared/scheduler"
	"webhook-relay/shared/sqs"
	"webhook-relay/shared/verify"
)

const (
	secretsKey   = "arn:aws:kms:eu-central-1:000000000000:key/test"
	scheduleRole = "arn:aws:iam::000000000000:role/schedules"

	token    = "a-token"
	maxTurns = 2000 // of a run: none takes a tenth of it
	patience = 20   // how often a provider sends a webhook that gets no 2xx
)

// As deployed.
const (
	functionTimeout     = 60 * time.Second
	ingestVisibility    = 6 * 30 * time.Second
	deliveryVisibility  = 6 * functionTimeout
	longestMessageDelay = 900 // seconds
)

// cacheTTL outlasts a run, so that new instances alone read the catalog: the same call time and again would prove little.
const cacheTTL = 24 * time.Hour

// account is what all runs share: the services, the catalog, and the settings of the functions' clients.
type account struct {
	catalog   string     // table
	bucket    string     // of bodies
	cfg       aws.Config // as package awsenv makes it, but with more patience
	transport *http.Transport
	schedules *emulator.Scheduler
}

// newAccount starts the services, and puts the endpoints "good", "flaky" and "bad" into the catalog.
func newAccount(t *testing.T) *account {
	t.Helper()
	services, schedules := emulator.Start(t), emulator.NewScheduler(t)
	environment(t, map[string]string{
		"AWS_ENDPOINT_URL_SQS": services.SQS, "AWS_ENDPOINT_URL_S3": services.S3, "AWS_ENDPOINT_URL_DYNAMODB": services.DynamoDB,
		"AWS_ENDPOINT_URL_KMS": emulator.NewKMS(t).URL, "AWS_ENDPOINT_URL_SCHEDULER": schedules.URL,
	})
	name := strings.ToLower(rand.Text()) // the emulators are shared by all tests
	a := &account{catalog: "catalog-" + name, bucket: "bodies-" + name, cfg: config(t), schedules: schedules}
	a.transport = a.cfg.HTTPClient.(*awshttp.BuildableClient).GetTransport()
	a.transport.ResponseHeaderTimeout = functionTimeout // a busy machine is no fault
	t.Cleanup(a.transport.CloseIdleConnections)
	a.cfg.HTTPClient = &http.Client{Transport: a.transport}

	if _, err := s3.Client(a.cfg).CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &a.bucket}); err != nil {
		t.Fatal(err)
	}
	tables := dynamodb.NewFromConfig(a.cfg)
	if err := emulator.CreateTable(t.Context(), tables, a.catalog, [2]string{dynamo.PartitionKey, dynamo.SortKey}, nil); err != nil {
		t.Fatal(err)
	}
	catalog := relay.Catalog{Sources: []relay.Source{{
		Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{token},
	}}}
	for name, schedule := range map[string][]time.Duration{"good": {}, "flaky": {time.Second}, "bad": {time.Hour}} {
		ep := relay.Endpoint{
			Name: name, URL: "https://" + name + ".example.com/", Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, Schedule: schedule,
		}
		if name == "flaky" {
			ep.RateLimit = 5 // so few that each attempt asks for its own place
		}
		catalog.Endpoints = append(catalog.Endpoints, ep)
		catalog.Subscriptions = append(catalog.Subscriptions, relay.Subscription{Source: "app", Endpoint: name, Types: []string{"order.*"}})
	}
	store := dynamo.NewCatalog(tables, a.catalog, kms.New(awskms.NewFromConfig(a.cfg), secretsKey))
	if err := store.ReplaceCatalog(t.Context(), catalog, 0); err != nil {
		t.Fatal(err)
	}
	return a
}

// pipeline is one run: the three functions on the adapters and clients that they are deployed with, and Lambda's part played by hand. It
// has queues and a ledger of its own, and a time of its own, which stands still while anything can be done.
type pipeline struct {
	*account
	name     string
	cfg      aws.Config // the functions': every call goes over the wire
	wire     *wire
	queues   *awssqs.Client // the operator's, like the ledger: without faults
	ledger   *dynamo.Ledger
	urls     map[string]string
	mappings []*mapping

	receiver *relay.Receiver

	mu       sync.Mutex    // a batch is worked on concurrently
	passed   time.Duration // that the run has skipped
	steps    []string
	broken   []string             // promises
	due      map[string]time.Time // when messages with a delay can be seen, by id
	copied   map[string]bool      // what the queues have accepted, without their ids
	posts    map[string]int       // by attempt
	bodies   map[string][]byte    // by event, as the endpoints got them
	safe     map[string]bool      // attempts that are on record, or on their way there
	inHand   []string             // attempts that the present invocation has POSTed
	excuses  map[string]int       // POSTs of an attempt that may have been made in vain
	receipts map[string]string    // the events of what the ingest queue has accepted, by receipt
	routed   []relay.RouteReport  // of the present invocation
	results  map[string]relay.RouteResult
	sent     map[string][]byte // the bodies that got a 2xx, by event
	tries    int               // of providers
	reported int               // attempts that the deliverer told of
	failures int               // messages that it could not process
}

// mapping hands a queue's messages to a function, as Lambda's event source mapping does.
type mapping struct {
	queue      string
	visibility time.Duration
	limit      int
	process    func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)
	stored     int // messages that the queue has and the mapping has not seen
	held       []held
}

// held is a message that was taken from its queue before its time.
type held struct {
	types.Message
	due    time.Time
	failed bool // it was handed out, and is to be so again
}

func newPipeline(ctx context.Context, a *account, name string, retryer func() aws.Retryer, batch int, f fault) (*pipeline, error) {
	p := &pipeline{
		account: a, name: name, cfg: a.cfg.Copy(), queues: awssqs.NewFromConfig(a.cfg), urls: map[string]string{},
		due: map[string]time.Time{}, copied: map[string]bool{}, posts: map[string]int{}, bodies: map[string][]byte{},
		safe: map[string]bool{}, excuses: map[string]int{}, receipts: map[string]string{}, results: map[string]relay.RouteResult{},
		sent: map[string][]byte{},
	}
	p.wire = &wire{fault: f, next: a.transport, done: p.done, note: p.note, counts: map[string]int{}}
	p.cfg.HTTPClient = &http.Client{Transport: p.wire}
	p.cfg.Retryer = retryer
	for _, queue := range []string{"ingest", "delivery", "retry", "dead", "ingest-dlq", "delivery-dlq"} {
		made, err := p.queues.CreateQueue(ctx, &awssqs.CreateQueueInput{
			QueueName: aws.String(queue + "_" + name), Attributes: map[string]string{"VisibilityTimeout": "3600"}, // the run itself says when
		})
		if err != nil {
			return nil, err
		}
		p.urls[queue] = *made.QueueUrl
	}
	p.mappings = []*mapping{
		{queue: "ingest", visibility: ingestVisibility, limit: batch},
		{queue: "delivery", visibility: deliveryVisibility, limit: batch},
		{queue: "retry", visibility: deliveryVisibility, limit: batch},
	}
	p.start()
	tables := dynamodb.NewFromConfig(a.cfg)
	p.ledger = dynamo.NewLedger(tables, p.ledgerTable())
	return p, emulator.CreateTable(ctx, tables, p.ledgerTable(), [2]string{dynamo.PartitionKey, dynamo.SortKey}, map[string][2]string{
		dynamo.EventsIndex: {dynamo.EventsPartitionKey, dynamo.EventsSortKey},
		dynamo.OpenIndex:   {dynamo.OpenPartitionKey, dynamo.OpenSortKey},
	})
}

func (p *pipeline) ledgerTable() string { return "ledger-" + p.name }

// start makes a new instance of each function, wired as its main does it.
func (p *pipeline) start() {
	p.wire.dead = false
	queue := func(name string) *sqs.Queue { return sqs.New(awssqs.NewFromConfig(p.cfg), p.urls[name]) }
	catalog := func() *dynamo.Catalog {
		return dynamo.NewCatalog(dynamodb.NewFromConfig(p.cfg), p.catalog, kms.New(awskms.NewFromConfig(p.cfg), secretsKey))
	}
	ledger := func() *dynamo.Ledger { return dynamo.NewLedger(dynamodb.NewFromConfig(p.cfg), p.ledgerTable()) }
	bodies := func() *s3.Bodies { return s3.New(s3.Client(p.cfg), p.bucket) }
	p.receiver = relay.NewReceiver(relay.ReceiverConfig{
		Sources: catalog(), Ingest: queue("ingest"), Bodies: bodies(), Reporter: p, CacheTTL: cacheTTL, Now: p.now,
	})
	p.mappings[0].process = handler.Batch(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: catalog(), Events: ledger(), Bodies: bodies(), Delivery: queue("delivery"), Poison: queue("ingest-dlq"), Reporter: p,
		CacheTTL: cacheTTL, Now: p.now,
	}).Process)
	deliver := handler.Batch(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: catalog(), Deliveries: ledger(), States: ledger(), Quotas: ledger(), Bodies: bodies(), Poster: p,
		Retry: queue("retry"), Dead: queue("dead"),
		Poison: queue("delivery-dlq"), Reporter: p, CacheTTL: cacheTTL, Now: p.now,
		Random: func() float64 { return 0.5 },
		Scheduler: scheduler.New(awsscheduler.NewFromConfig(p.cfg), scheduler.Target{
			Group: p.name, QueueURL: p.urls["retry"], RoleARN: scheduleRole,
		}),
	}).Process)
	p.mappings[1].process, p.mappings[2].process = deliver, deliver
}

func (p *pipeline) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.passed)
}

func (p *pipeline) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, fmt.Sprintf("%10s  ", p.passed.Truncate(time.Millisecond))+fmt.Sprintf(format, args...))
}

// wrong notes that a promise was broken.
func (p *pipeline) wrong(format string, args ...any) {
	p.broken = append(p.broken, fmt.Sprintf(format, args...))
}

// document is what the run must know of a message.
type document struct {
	ID       string // of an ingest message's event
	Receipt  string
	Endpoint string
	Attempt  int
	Made     *struct{ Attempt struct{ Number int } }
	Event    struct{ ID string }
}

func (d document) delivery() string { return d.Event.ID + " " + d.Endpoint }

func read(body string) document {
	var d document
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		panic(err) // our own functions have written it
	}
	return d
}

func attemptName(event, endpoint, number string) string { return event + " " + endpoint + " " + number }

// done is told of each of the functions' calls that took effect.
func (p *pipeline) done(c *call, answer map[string]any) {
	switch {
	case c.kind() == "PutItem delivery":
		p.mu.Lock()
		defer p.mu.Unlock()
		endpoint := strings.TrimPrefix(textOf(c.doc, "Item", "sk", "S"), "delivery#")
		p.safe[attemptName(textOf(c.doc, "Item", "pk", "S"), endpoint, textOf(c.doc, "Item", "attempts", "N"))] = true
	case c.operation == "SendMessage":
		p.stored(c, c.doc, textOf(answer, "MessageId"))
	case c.operation == "SendMessageBatch":
		ids := map[string]string{}
		accepted, _ := answer["Successful"].([]any)
		for _, s := range accepted {
			ids[textOf(s, "Id")] = textOf(s, "MessageId")
		}
		for _, e := range c.doc["Entries"].([]any) {
			p.stored(c, e.(map[string]any), ids[textOf(e, "Id")])
		}
	}
}

// stored notes a message that a queue has accepted.
func (p *pipeline) stored(c *call, entry map[string]any, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delay := c.delays[textOf(entry, "Id")]
	if id == "" || delay < 0 || delay > longestMessageDelay {
		p.wrong("message %q is stored with a delay of %v s", id, delay)
	}
	p.due[id] = time.Now().Add(p.passed + time.Duration(delay)*time.Second)
	for _, m := range p.mappings {
		if m.queue == c.resource {
			m.stored++
		}
	}
	d := read(textOf(entry, "MessageBody"))
	message := fmt.Sprint(c.resource, d.Receipt, d.delivery(), d.Attempt)
	if p.copied[message] && textOf(entry, "MessageAttributes", sqs.ResentAttribute, "StringValue") != "1" {
		p.wrong("message %s has been sent before, and is not marked", id)
	}
	p.copied[message] = true
	if c.resource == "ingest" {
		p.receipts[d.Receipt] = d.ID
	}
	if d.Made != nil {
		p.safe[attemptName(d.Event.ID, d.Endpoint, strconv.Itoa(d.Made.Attempt.Number))] = true
	}
}

// Post is the endpoints: "flaky" refuses each first attempt, "bad" all.
func (p *pipeline) Post(_ context.Context, post relay.Post) (relay.Reply, error) {
	p.wire.mu.Lock()
	dead := p.wire.dead
	p.wire.mu.Unlock()
	if dead {
		return relay.Reply{}, errKilled
	}
	endpoint := strings.TrimSuffix(strings.TrimPrefix(post.URL, "https://"), ".example.com/")
	event, number := post.Header["webhook-id"], post.Header[relay.HeaderAttempt]
	attempt := attemptName(event, endpoint, number)
	p.note("POST %s", attempt)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts[attempt]++
	p.inHand = append(p.inHand, attempt)
	if known := p.bodies[event]; known != nil && !bytes.Equal(known, post.Body) {
		p.wrong("event %s: two different bodies were POSTed", event)
	}
	p.bodies[event] = post.Body
	if endpoint == "bad" || endpoint == "flaky" && number == "1" {
		return relay.Reply{StatusCode: http.StatusServiceUnavailable}, nil
	}
	return relay.Reply{StatusCode: http.StatusOK}, nil
}

// Received implements relay.Reporter.
func (p *pipeline) Received(context.Context, relay.ReceiveReport) {}

// Routed implements relay.Reporter. Reports come in the order of the batch.
func (p *pipeline) Routed(_ context.Context, r relay.RouteReport) { p.routed = append(p.routed, r) }

// Attempted implements relay.Reporter.
func (p *pipeline) Attempted(_ context.Context, r relay.AttemptReport) {
	p.mu.Lock()
	if r.Err != nil {
		p.failures++
	} else {
		p.reported++
	}
	p.mu.Unlock()
	if r.Err != nil {
		p.note("delivery of %s to %s: %v", r.EventID, r.Endpoint, r.Err)
	}
}

// send is a provider: it posts a webhook until it gets a 2xx.
func (p *pipeline) send(ctx context.Context, h webhook) {
	event := relay.EventID("app", h.id)
	for range patience {
		p.tries++
		_, err := p.receiver.Receive(ctx, relay.Inbound{
			Source: "app", Method: http.MethodPost, Body: h.body, ReceivedAt: p.now(),
			Header: relay.Header{"authorization": "Bearer " + token, "webhook-id": h.id, "webhook-type": h.eventType},
		})
		killed := p.revive()
		if err == nil && !killed {
			p.note("webhook %s is accepted as %s", h.id, event)
			p.sent[event] = h.body
			return
		}
		p.note("webhook %s is refused: %v", h.id, err)
		p.skip(time.Minute)
	}
	p.wrong("webhook %s was refused %d times", h.id, patience)
}

// revive starts new instances where the process was killed.
func (p *pipeline) revive() bool {
	if !p.wire.dead {
		return false
	}
	p.start()
	return true
}

func (p *pipeline) skip(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed += max(d, 0)
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
		msgs, err := p.receive(ctx, m.queue)
		if err != nil || len(msgs) == 0 {
			return cmp.Or(err, errShort)
		}
		m.stored -= len(msgs)
		for _, msg := range msgs {
			m.held = append(m.held, held{Message: msg, due: p.due[*msg.MessageId]})
		}
	}
	return nil
}

// show lets a message be received again; false if it is no longer there: it was deleted, and the answer lost.
func (p *pipeline) show(ctx context.Context, queue string, m types.Message) bool {
	_, err := p.queues.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(p.urls[queue]), ReceiptHandle: m.ReceiptHandle,
	})
	return err == nil
}

var errShort = errors.New("a queue has fewer messages than it accepted")

func (p *pipeline) receive(ctx context.Context, queue string) ([]types.Message, error) {
	out, err := p.queues.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: aws.String(p.urls[queue]), MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
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
	answer, err := m.process(invocation, eventOf(batch))
	cancel()
	if err != nil {
		return err
	}
	p.excuse(batch)
	again := map[string]bool{}
	for _, f := range answer.BatchItemFailures {
		again[f.ItemIdentifier] = true
	}
	if p.revive() {
		for _, msg := range batch {
			again[*msg.MessageId] = true
		}
	} else if m.queue == "ingest" {
		p.keepResults(batch)
	}
	p.remove(ctx, m, batch, again)
	for _, msg := range batch {
		if again[*msg.MessageId] {
			p.note("%s: message %s comes again", m.queue, *msg.MessageId)
			m.held = append(m.held, held{msg, p.now().Add(m.visibility), true})
		}
	}
	return nil
}

func eventOf(batch []types.Message) events.SQSEvent {
	var e events.SQSEvent
	for _, msg := range batch {
		r := events.SQSMessage{MessageId: *msg.MessageId, Body: *msg.Body, Attributes: msg.Attributes,
			MessageAttributes: map[string]events.SQSMessageAttribute{}}
		for name, a := range msg.MessageAttributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{DataType: *a.DataType, StringValue: a.StringValue}
		}
		e.Records = append(e.Records, r)
	}
	return e
}

// excuse notes which attempts of the invocation that has ended may be POSTed once more: those that neither were recorded nor can be, since
// the process was killed, and those of which there were two copies in the batch.
func (p *pipeline) excuse(batch []types.Message) {
	copies := map[string]int{}
	for _, msg := range batch {
		copies[read(*msg.Body).delivery()]++
	}
	for _, attempt := range slices.Compact(slices.Sorted(slices.Values(p.inHand))) {
		if p.wire.dead && !p.safe[attempt] {
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
	out, err := awssqs.NewFromConfig(p.cfg).DeleteMessageBatch(ctx, in)
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
		p.mappings[2].stored++
	}
	return true, nil
}
