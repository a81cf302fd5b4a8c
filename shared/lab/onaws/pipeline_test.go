package onaws_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/aws/awsconfig"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/scheduler"
	"webhook-relay/shared/aws/secretsmanager"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

const (
	secretsKey   = "arn:aws:kms:eu-central-1:000000000000:key/test"
	scheduleRole = "arn:aws:iam::000000000000:role/schedules"

	maxTurns = 2000 // for a run; none needs a tenth of it
	patience = 20   // how often a provider sends a webhook that gets no 2xx
)

// As deployed.
const (
	functionTimeout     = 60 * time.Second
	ingestVisibility    = 6 * 30 * time.Second
	deliveryVisibility  = 6 * functionTimeout
	longestMessageDelay = 900 // seconds
)

// outOfSight is the visibility timeout of every queue, in seconds. The run itself decides when a
// message is received again.
const outOfSight = 3600

// cacheTTL is longer than a run, so that only new instances read the catalog. Many equal calls
// would prove little.
const cacheTTL = 24 * time.Hour

// account is what all runs share: the services, and the settings of the functions' clients.
type account struct {
	bucket    string     // of bodies
	cfg       aws.Config // from package awsconfig, with more patience
	transport *http.Transport
	schedules *emulator.Scheduler
}

func newAccount(t *testing.T) *account {
	t.Helper()
	services, schedules, secrets := emulator.Start(t), emulator.NewScheduler(t),
		emulator.NewSecretsManager(t)
	emulator.Setenv(t, map[string]string{
		"AWS_ENDPOINT_URL_SQS": services.SQS, "AWS_ENDPOINT_URL_S3": services.S3,
		"AWS_ENDPOINT_URL_DYNAMODB":        services.DynamoDB,
		"AWS_ENDPOINT_URL_KMS":             emulator.NewKMS(t).URL,
		"AWS_ENDPOINT_URL_SCHEDULER":       schedules.URL,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets.URL,
	})
	secrets.Set(tokenSecret, endpointToken)
	cfg, err := awsconfig.Config()
	if err != nil {
		t.Fatal(err)
	}
	// the emulators are shared by all tests
	a := &account{bucket: "bodies-" + strings.ToLower(rand.Text()), cfg: cfg, schedules: schedules}
	a.transport = a.cfg.HTTPClient.(*awshttp.BuildableClient).GetTransport()
	a.transport.ResponseHeaderTimeout = functionTimeout // a busy machine is no fault
	t.Cleanup(a.transport.CloseIdleConnections)
	a.cfg.HTTPClient = &http.Client{Transport: emulator.Transport(a.transport)}
	if _, err := emulator.Buckets(a.cfg).CreateBucket(
		t.Context(), &awss3.CreateBucketInput{Bucket: &a.bucket},
	); err != nil {
		t.Fatal(err)
	}
	return a
}

// pipeline is one run of a script: the functions with their deployed adapters and clients, while
// the test plays Lambda. It has its own queues and tables. It also has its own clock, which does
// not advance while there is work.
type pipeline struct {
	*account
	*script
	name     string
	retryer  func() aws.Retryer
	wire     *wire          // every call of the functions goes through it
	queues   *awssqs.Client // the operator's, like catalog and ledger: without faults
	catalog  *dynamo.Catalog
	ledger   *dynamo.Ledger
	urls     map[string]string
	services *services // of destinations
	mappings []*mapping
	began    time.Time // a full hour

	receiver *relay.Receiver
	sweeper  *operate.Sweeper

	mu     sync.Mutex    // messages of a batch are handled concurrently
	passed time.Duration // time that the run has skipped
	steps  []string
	broken []string // broken promises
	lost   map[loss]bool
	due    map[string]time.Time // when delayed messages become visible, by id
	// when messages that a function holds become visible, by receipt handle
	holds    map[string]time.Time
	copied   map[string]bool   // messages that the queues have accepted, without their ids
	posts    map[string]int    // by attempt
	bodies   map[string][]byte // by event, as the endpoints got them
	safe     map[string]bool   // attempts that are recorded, or will be
	accepted []string          // events, in the order of their 2xx
	// for each key of an ordered endpoint, the position in accepted of its last event
	reached  map[string]int
	proved   bool                // the endpoint "proved" was asked for its proof and gave it
	inFlight []string            // attempts that the current invocation has POSTed
	excuses  map[string]int      // how often an attempt may be POSTed again
	receipts map[string]string   // the events that the ingest queue has accepted, by receipt
	routed   []relay.RouteReport // of the current invocation
	results  map[string]relay.RouteResult
	sent     map[string][]byte // the bodies that got a 2xx, by event
	told     map[string]int    // the relay's own events, by type
	tries    int               // requests of providers
	unswept  int               // failed runs of the sweeper
	reported int               // attempts that the deliverer reported
	failures int               // messages that the deliverer could not process
}

func newPipeline(
	ctx context.Context, a *account, s *script, retryer func() aws.Retryer, batch int, f fault,
) (*pipeline, error) {
	p := &pipeline{
		account: a, script: s, name: strings.ToLower(rand.Text()), retryer: retryer,
		queues: awssqs.NewFromConfig(a.cfg), urls: map[string]string{},
		lost: map[loss]bool{}, due: map[string]time.Time{}, holds: map[string]time.Time{},
		copied: map[string]bool{}, posts: map[string]int{},
		bodies: map[string][]byte{}, safe: map[string]bool{}, reached: map[string]int{},
		excuses: map[string]int{}, receipts: map[string]string{},
		results: map[string]relay.RouteResult{}, sent: map[string][]byte{}, told: map[string]int{},
	}
	p.passed = time.Until(time.Now().Truncate(time.Hour).Add(time.Hour))
	p.began = p.now()
	p.wire = &wire{
		fault: f, next: a.transport, done: p.done, note: p.note, counts: map[string]int{},
	}
	p.services = p.newServices()
	p.mappings = []*mapping{
		{queue: "ingest", visibility: ingestVisibility, limit: batch},
		{queue: "ordered-ingest", visibility: ingestVisibility, limit: 1, ordered: true},
		{queue: "delivery", visibility: deliveryVisibility, limit: batch},
		{queue: "ordered-delivery", visibility: deliveryVisibility, limit: 1, ordered: true},
		{queue: "retry", visibility: deliveryVisibility, limit: batch},
	}
	if err := errors.Join(p.createQueues(ctx), p.createTables(ctx)); err != nil {
		return nil, err
	}
	p.start()
	return p, p.configure(ctx)
}

func (p *pipeline) createQueues(ctx context.Context) error {
	for _, queue := range []string{
		"ingest", "ordered-ingest", "delivery", "ordered-delivery", "retry", "dead", "ingest-dlq",
		"delivery-dlq",
	} {
		name, attributes := queue+"_"+p.name,
			map[string]string{"VisibilityTimeout": strconv.Itoa(outOfSight)}
		if strings.HasPrefix(queue, "ordered-") {
			name += ".fifo"
			attributes["FifoQueue"] = "true"
		}
		made, err := p.queues.CreateQueue(
			ctx, &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes},
		)
		if err != nil {
			return err
		}
		p.urls[queue] = *made.QueueUrl
	}
	return nil
}

func (p *pipeline) createTables(ctx context.Context) error {
	tables, keys := dynamodb.NewFromConfig(p.cfg), [2]string{dynamo.PartitionKey, dynamo.SortKey}
	p.catalog = dynamo.NewCatalog(
		dynamo.Client(p.cfg), p.catalogTable(), kms.New(p.cfg, secretsKey),
	)
	p.ledger = dynamo.NewLedger(dynamo.Client(p.cfg), p.ledgerTable(), nil)
	return errors.Join(
		emulator.CreateTable(ctx, tables, p.catalogTable(), keys, nil),
		emulator.CreateTable(ctx, tables, p.ledgerTable(), keys, map[string][2]string{
			dynamo.EventsIndex:   {dynamo.EventsPartitionKey, dynamo.EventsSortKey},
			dynamo.OpenIndex:     {dynamo.OpenPartitionKey, dynamo.SortKey},
			dynamo.TroubledIndex: {dynamo.TroubledPartitionKey, dynamo.TroubledSortKey},
		}, dynamo.Listed, dynamo.DueTime))
}

func (p *pipeline) catalogTable() string { return "catalog-" + p.name }
func (p *pipeline) ledgerTable() string  { return "ledger-" + p.name }

// configure writes the script's catalog.
func (p *pipeline) configure(ctx context.Context) error {
	_, revision, err := p.catalog.LoadCatalog(ctx)
	if err != nil {
		return err
	}
	if p.rates.Revision > 0 {
		if err := p.catalog.SetRates(ctx, limited, p.rates); err != nil {
			return err
		}
	}
	if err := p.catalog.ReplaceCatalog(ctx, p.script.catalog(), revision); err != nil ||
		!p.learns() {
		return err
	}
	return p.catalog.OpenLearning(ctx, p.script.source().Name, p.now().Add(1000*time.Hour))
}

// clients returns the configuration of a function's clients.
func (p *pipeline) clients(function string) aws.Config {
	cfg := p.cfg.Copy()
	cfg.HTTPClient, cfg.Retryer = &http.Client{Transport: port{p.wire, function}}, p.retryer
	return cfg
}

// start makes a new instance of each function, wired as in its main.
func (p *pipeline) start() {
	p.wire.dead = false
	p.receiver = p.newReceiver(p.clients("receive"))
	fanout, deliver := p.newHandler(
		"fanout", p.newFanout(p.clients("fanout")).Process, "ingest", "ordered-ingest",
	),
		p.newHandler(
			"deliver", p.newDeliverer(p.clients("deliver")).Process, "delivery", "retry",
			"ordered-delivery",
		)
	for i, process := range []process{fanout, fanout, deliver, deliver, deliver} {
		p.mappings[i].process = process
	}
	p.sweeper = p.newSweeper(p.clients("sweep"))
}

// newHandler returns the handler of a function that consumes queues.
func (p *pipeline) newHandler(
	function string, process func(context.Context, []relay.Message) []relay.Action,
	queues ...string,
) process {
	consumed := make([]handler.Queue, len(queues))
	for i, queue := range queues {
		consumed[i] = sqs.New(sqs.Client(p.clients(function)), p.urls[queue])
	}
	return handler.Batch(process, consumed...)
}

func (p *pipeline) newReceiver(cfg aws.Config) *relay.Receiver {
	queues, tables := sqs.Client(cfg), dynamo.Client(cfg)
	catalog := dynamo.NewCatalog(
		tables, p.catalogTable(),
		kms.New(cfg, secretsKey),
	)
	ingest := sqs.New(queues, p.urls["ingest"])
	return lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: catalog, Subscriptions: catalog, Learned: catalog, Ingest: ingest,
		Quotas:   dynamo.NewLedger(tables, p.ledgerTable(), nil),
		Operator: operate.NewNotifier(nil, ingest), Ordered: sqs.New(
			queues, p.urls["ordered-ingest"],
		),
		Bodies: s3.New(s3.NewBucket(cfg, p.bucket)), Reporter: p, CacheTTL: cacheTTL, Now: p.now,
	}))
}

func (p *pipeline) newFanout(cfg aws.Config) *relay.Fanout {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	catalog := dynamo.NewCatalog(tables, p.catalogTable(), nil)
	return lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: catalog, Types: catalog,
		Events:   dynamo.NewLedger(tables, p.ledgerTable(), nil),
		Failures: dynamo.NewLedger(tables, p.ledgerTable(), nil), Random: func() float64 {
			return 0.5
		},
		Bodies: s3.New(s3.NewBucket(cfg, p.bucket)), Delivery: sqs.New(queues, p.urls["delivery"]), Ordered: sqs.New(
			queues, p.urls["ordered-delivery"],
		),
		Poison: sqs.New(queues, p.urls["ingest-dlq"]), Reporter: p, CacheTTL: cacheTTL, Now: p.now,
	}))
}

func (p *pipeline) newDeliverer(cfg aws.Config) *relay.Deliverer {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	ledger := dynamo.NewLedger(tables, p.ledgerTable(), nil)
	catalog := dynamo.NewCatalog(
		tables, p.catalogTable(), kms.New(cfg, secretsKey),
	)
	return lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: catalog, Deliveries: ledger, States: ledger, Quotas: ledger,
		Secrets: secretsmanager.New(cfg), Slots: ledger,
		Failures: ledger, Keeper: ledger,
		Bodies: s3.New(s3.NewBucket(cfg, p.bucket)), Poster: p,
		Claims: s3.NewClaims(s3.NewBucket(cfg, p.bucket), "claim/", nil),
		Retry:  sqs.New(queues, p.urls["retry"]), Ordered: sqs.New(
			queues, p.urls["ordered-delivery"],
		),
		Dead: sqs.New(queues, p.urls["dead"]), Poison: sqs.New(queues, p.urls["delivery-dlq"]),
		Scheduler: scheduler.New(cfg, scheduler.Target{
			Group: p.name, QueueURL: p.urls["retry"], RoleARN: scheduleRole,
		}),
		Operator: operate.NewNotifier(
			relay.NewRouter(catalog, nil, cacheTTL, time.Now), sqs.New(queues, p.urls["ingest"]),
		),
		Reporter: p, CacheTTL: cacheTTL, Now: p.now, Random: func() float64 { return 0.5 },
	}))
}

func (p *pipeline) newSweeper(cfg aws.Config) *operate.Sweeper {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	catalog := dynamo.NewCatalog(tables, p.catalogTable(), nil)
	ledger := dynamo.NewLedger(tables, p.ledgerTable(), nil)
	return lab.Must(operate.NewSweeper(operate.SweeperConfig{
		Names: catalog, Subscriptions: catalog, Ledger: ledger, Deliveries: ledger, Cursors: ledger,
		Delivery: sqs.New(
			queues, p.urls["delivery"],
		), Retry: sqs.New(queues, p.urls["retry"]), Now: p.now,
	}))
}

func (p *pipeline) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.passed)
}

func (p *pipeline) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(
		p.steps,
		fmt.Sprintf("%10s  ", p.passed.Truncate(time.Millisecond))+fmt.Sprintf(format, args...),
	)
}

// wrong records a broken promise.
func (p *pipeline) wrong(format string, args ...any) {
	p.broken = append(p.broken, fmt.Sprintf(format, args...))
}

// document is the part of a message that the run reads.
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
		panic(err) // written by our own functions
	}
	return d
}

func attemptName(event, endpoint, number string) string {
	return event + " " + endpoint + " " + number
}

// done is called for each call of the functions that took effect.
func (p *pipeline) done(c *call, answer map[string]any) {
	switch {
	case c.operation == "PutItem" && c.resource == "delivery":
		p.mu.Lock()
		defer p.mu.Unlock()
		endpoint := strings.TrimPrefix(textOf(c.doc, "Item", "pk", "S"), deliveryPrefix)
		endpoint = endpoint[:strings.LastIndex(endpoint, "#")]
		_, event, _ := strings.Cut(textOf(c.doc, "Item", "sk", "S"), "#")
		p.safe[attemptName(event, endpoint, textOf(c.doc, "Item", "attempts", "N"))] = true
	case c.operation == "ChangeMessageVisibilityBatch":
		p.mu.Lock()
		defer p.mu.Unlock()
		accepted, _ := answer["Successful"].([]any)
		for _, s := range accepted {
			for _, e := range c.doc["Entries"].([]any) {
				if id := textOf(e, "Id"); id == textOf(s, "Id") {
					p.holds[textOf(e, "ReceiptHandle")] = time.Now().Add(
						p.passed + time.Duration(c.delays[id])*time.Second,
					)
				}
			}
		}
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

// stored records a message that a queue has accepted.
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
	unread := c.resource == "ingest-dlq" // two copies of an unreadable message do no harm
	if p.copied[message] && !unread &&
		textOf(entry, "MessageAttributes", sqs.ResentAttribute, "StringValue") != "1" {
		p.wrong("message %s has been sent before, and is not marked", id)
	}
	p.copied[message] = true
	if strings.HasSuffix(c.resource, "ingest") {
		p.receipts[d.Receipt] = d.ID
	}
	if d.Made != nil {
		p.safe[attemptName(d.Event.ID, d.Endpoint, strconv.Itoa(d.Made.Attempt.Number))] = true
	}
}

// dead tells whether the process was killed.
func (p *pipeline) dead() bool {
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	return p.wire.dead
}

// Post plays the endpoints.
func (p *pipeline) Post(ctx context.Context, post relay.Post) (relay.Reply, error) {
	if p.dead() {
		return relay.Reply{}, errKilled
	}
	if post.To != nil {
		return p.postToAWS(ctx, post)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(post.URL, "https://"), ".example.com/")
	event, number := post.Header["webhook-id"], post.Header[relay.HeaderAttempt]
	attempt := attemptName(event, name, number)
	p.note("POST %s", attempt)
	p.mu.Lock()
	defer p.mu.Unlock()
	if bytes.Contains(post.Body, []byte(relay.PingType)) {
		p.proved = true
		return relay.Reply{StatusCode: http.StatusOK}, nil
	}
	p.posts[attempt]++
	p.inFlight = append(p.inFlight, attempt)
	if known := p.bodies[event]; known != nil && !bytes.Equal(known, post.Body) {
		p.wrong("event %s: two different bodies were POSTed", event)
	}
	p.bodies[event] = post.Body
	p.checkPost(name, event, post)
	outcomes := endpoints[name].outcomes
	if n, err := strconv.Atoi(number); err == nil && n <= len(outcomes) &&
		outcomes[n-1] == relay.Succeeded {
		return relay.Reply{StatusCode: http.StatusOK}, nil
	}
	return relay.Reply{StatusCode: http.StatusServiceUnavailable}, nil
}

// postToAWS sends to a destination, as deployed.
func (p *pipeline) postToAWS(ctx context.Context, post relay.Post) (relay.Reply, error) {
	m := post.To.Message
	attempt := attemptName(m.Event.ID, m.Endpoint, strconv.Itoa(m.Attempt))
	p.note("to AWS: %s", attempt)
	p.mu.Lock()
	p.posts[attempt]++
	p.inFlight = append(p.inFlight, attempt)
	p.mu.Unlock()
	reply, err := p.services.client.Post(ctx, post)
	if p.dead() {
		return relay.Reply{}, errKilled
	}
	return reply, err
}

// Received implements relay.Reporter.
func (p *pipeline) Received(context.Context, relay.ReceiveReport) {}

// Routed implements relay.Reporter. Reports arrive in the order of the batch.
func (p *pipeline) Routed(_ context.Context, r relay.RouteReport) { p.routed = append(p.routed, r) }

// Attempted implements relay.Reporter.
func (p *pipeline) Attempted(_ context.Context, r relay.AttemptReport) {
	p.mu.Lock()
	switch {
	case r.Err != nil:
		p.failures++
	case r.Status != "":
		p.reported++
	}
	p.mu.Unlock()
	if r.Err != nil {
		p.note("delivery of %s to %s: %v", r.EventID, r.Endpoint, r.Err)
	}
}

// send plays a provider: it sends a request until it gets a 2xx.
func (p *pipeline) send(ctx context.Context, in relay.Inbound) {
	in.Source, in.Method = p.source().Name, http.MethodPost
	for range patience {
		p.tries++
		in.ReceivedAt = p.now()
		answer, err := p.receiver.Receive(ctx, in)
		killed := p.revive()
		if err == nil && !killed {
			p.accept(answer.EventID, in.Body)
			return
		}
		p.note("webhook is refused: %v", err)
		// the relay knows the secret, but the provider got no answer
		if errors.Is(err, verify.ErrMismatch) {
			p.apply(ctx)
		}
		p.skip(time.Minute)
	}
	p.wrong("a webhook was refused %d times", patience)
}

// accept records a 2xx, for an event or for a handshake.
func (p *pipeline) accept(event string, body []byte) {
	p.note("webhook is accepted as %q", event)
	if event != "" && p.sent[event] == nil {
		p.sent[event], p.accepted = body, append(p.accepted, event)
	}
}

// apply plays the operator, who applies the catalog again. That forgets the learned secret, and
// opens a window for a new handshake.
func (p *pipeline) apply(ctx context.Context) {
	if err := p.configure(ctx); err != nil {
		p.wrong("apply: %v", err)
	}
	p.start() // as if the cache entries had expired
}

// revive starts new instances if the process was killed.
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
