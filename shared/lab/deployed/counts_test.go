package deployed_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

var usagePath = flag.String(
	"usage", "", "measure every scenario of docs/cost.md and write what they used to this file",
)

const (
	measuredSenders = 64
	quietEndpoints  = 1000
	// Before a scenario is counted, so that the starts of instances are not: a million events need
	// few of them.
	warmUp = 5 // the part of its events: a fifth
	// So that no delivery waits for long: a late one costs a read, on AWS too. A relay of that size
	// has a backlog only after an outage.
	maxUndelivered = 300
)

// scenarios are those of docs/cost.md, each with the number of its events.
var scenarios = []struct {
	cost.Scenario
	events int
}{
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 1}, 600},
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 1, FailingPercent: 1}, 600},
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 1, FailingPercent: 10}, 600},
	{cost.Scenario{FanOut: 1, BodyKiB: 1}, 50},
	{cost.Scenario{FanOut: 10, Burst: true, BodyKiB: 1}, 150},
	{cost.Scenario{FanOut: 10, Burst: true, BodyKiB: 1, FailingPercent: 10}, 100},
	{cost.Scenario{FanOut: 10, BodyKiB: 1}, 20},
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 8}, 300},
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 32}, 300},
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 64}, 300},
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 128}, 200},
	{cost.Scenario{FanOut: 1, Burst: true}, 2 * 329},
	{cost.Scenario{FanOut: 1}, 30},
	{cost.Scenario{FanOut: 10, Burst: true}, 60},
	// Each quiet endpoint gets several events, so that what an instance reads once for an endpoint
	// serves all of them.
	{cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 1, Quiet: quietEndpoints}, 3 * quietEndpoints},
}

// BenchmarkUsage sends webhooks through the synthesised stack and reports what they used. Without
// -usage it runs one small scenario.
func BenchmarkUsage(b *testing.B) {
	assembly, err := deployed.Synthesise(b.Context(), repository, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if *usagePath == "" {
		for b.Loop() {
			u := measure(b, assembly, cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 1}, 50)
			b.ReportMetric(cost.CallsPerEvent(u), "calls/event")
		}
		return
	}
	var all []cost.Usage
	for _, tt := range scenarios {
		all = append(all, measure(b, assembly, tt.Scenario, tt.events))
		encoded, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "%+v: %d of %d\n", tt.Scenario, len(all), len(scenarios))
		// after each scenario, so that a later one that fails loses nothing
		if err := os.WriteFile(*usagePath, append(encoded, '\n'), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// measure runs a scenario on a new stack until everything is delivered.
func measure(b *testing.B, assembly string, s cost.Scenario, events int) cost.Usage {
	b.Helper()
	l, end := newLoad(b, assembly, s)
	defer end()
	l.run(s, max(events/warmUp, s.Quiet))
	before := l.used()
	l.run(s, events)
	u := cost.Minus(l.used(), before)
	u.Scenario, u.Events = s, events
	return u
}

// newLoad starts a new stack for a scenario. end closes it.
func newLoad(b *testing.B, assembly string, s cost.Scenario) (l load, end func()) {
	b.Helper()
	host, err := deployed.Start(b.Context(), assembly, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	e := &endpoints{failing: s.FailingPercent, random: mathrand.New(mathrand.NewPCG(1, 2))} //nolint:gosec // the same each time
	server := httptest.NewServer(e)
	end = func() {
		host.Close()
		server.Close()
	}
	secret := rand.Text()
	c := catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{secret}},
		},
	}
	for i := range max(s.FanOut, s.Quiet) {
		name := fmt.Sprintf("endpoint%d", i)
		// Like the default schedule: the queue makes the first two waits, the scheduler the later
		// ones.
		c.Endpoints = append(c.Endpoints, catalog.Endpoint{Name: name, URL: server.URL + "/" +
			name, Secrets: []string{signingSecret},
			Schedule: []time.Duration{
				time.Second, time.Second, time.Hour, time.Hour, time.Hour, time.Hour,
			}})
		sub := catalog.Subscription{Source: "app", Endpoint: name}
		if s.Quiet > 0 {
			sub.Types = []string{fmt.Sprintf("order.created.%d", i)}
		}
		c.Subscriptions = append(c.Subscriptions, sub)
	}
	catalogs := dynamo.NewCatalog(
		host.Tables, host.Outputs["CatalogTable"],
		kms.New(host.Config("kms"), host.Outputs["SecretsKeyArn"]),
	)
	if err := catalogs.ReplaceCatalog(b.Context(), c, 0); err != nil {
		b.Fatal(err)
	}
	return load{
		b: b, host: host, endpoints: e, url: host.Outputs["IngressUrl"] + "/in/app", secret: secret,
		quiet: s.Quiet, fanOut: int64(s.FanOut), sent: new(atomic.Int64),
		bodies: bodies(b, s.BodyKiB),
	}, end
}

// run sends events, and waits until all are delivered and nothing is in flight.
func (l load) run(s cost.Scenario, events int) {
	if s.Burst {
		l.burst(events)
	} else {
		for range events {
			l.send()
			l.wait(0)
		}
	}
	l.wait(0)
	l.drained()
}

// used returns what the stack and the endpoints have seen until now.
func (l load) used() cost.Usage {
	u := l.host.Usage()
	u.Attempts, u.PostedBytes = int(l.endpoints.attempts.Load()), int(l.endpoints.bytes.Load())
	return u
}

// endpoints answer 503 to a random share of POSTs, given in percent.
type endpoints struct {
	failing                    int
	attempts, delivered, bytes atomic.Int64

	mu     sync.Mutex
	random *mathrand.Rand
}

func (e *endpoints) fails() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.random.IntN(100) < e.failing
}

func (e *endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	size := n + int64(len(r.Method)+len(r.URL.Path)+len(" HTTP/1.1\r\nHost: \r\n\r\n")+len(r.Host))
	for name, values := range r.Header {
		size += int64(len(name) + len(": \r\n") + len(strings.Join(values, "")))
	}
	e.bytes.Add(size)
	e.attempts.Add(1)
	if e.fails() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	e.delivered.Add(1)
}

type load struct {
	b           *testing.B
	host        *deployed.Host
	endpoints   *endpoints
	url, secret string
	quiet       int           // see cost.Scenario
	fanOut      int64         // see cost.Scenario
	sent        *atomic.Int64 // events
	bodies      [][]byte      // of the events, in turn
}

// eventType returns the type of an event. The events are for each of the quiet endpoints in turn.
func (l load) eventType(n int64) string {
	if l.quiet == 0 {
		return "order.created"
	}
	return fmt.Sprintf("order.created.%d", n%int64(l.quiet))
}

func (l load) burst(events int) {
	work := make(chan struct{})
	var senders sync.WaitGroup
	for range measuredSenders {
		senders.Go(func() {
			for range work {
				l.send()
			}
		})
	}
	for range events {
		work <- struct{}{}
		l.wait(maxUndelivered)
	}
	close(work)
	senders.Wait()
}

func (l load) send() {
	n := l.sent.Add(1)
	const stride = 89 // spreads a small number of events over all bodies
	body := l.bodies[n*stride%int64(len(l.bodies))]
	r, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, l.url, bytes.NewReader(body),
	)
	if err != nil {
		l.b.Error(err)
		return
	}
	// those that GitHub sends, too
	r.Header = http.Header{"User-Agent": {"GitHub-Hookshot/044aadd"}, "Accept": {"*/*"},
		"X-Github-Hook-Id":                       {"292430182"},
		"X-Github-Hook-Installation-Target-Id":   {"79929171"},
		"X-Github-Hook-Installation-Target-Type": {"repository"},
		"Authorization":                          {"Bearer " + l.secret},
		"Webhook-Id":                             {rand.Text()}, "Webhook-Type": {l.eventType(n)},
		"Content-Type": {"application/json"}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		l.b.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		l.b.Errorf("%s, %v", resp.Status, err)
	}
}

// wait fires scheduled retries until at most the given number of events has not arrived.
func (l load) wait(undelivered int64) {
	l.until("delivered", func() bool {
		if _, err := l.host.PassTime(context.Background()); err != nil {
			l.b.Fatal(err)
		}
		return l.sent.Load()*l.fanOut-l.endpoints.delivered.Load() <= undelivered*l.fanOut
	})
}

// drained waits until no message is in flight, so that each is counted completely.
func (l load) drained() {
	for _, name := range []string{"Ingest", "Delivery", "Retry", "Slow"} {
		url := l.host.Queue(name)
		l.until(name+" is empty", func() bool {
			out, err := l.host.SQS.GetQueueAttributes(context.Background(),
				&awssqs.GetQueueAttributesInput{
					QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{
						sqstypes.QueueAttributeNameAll,
					},
				})
			if err != nil {
				l.b.Fatal(err)
			}
			return out.Attributes[string(
				sqstypes.QueueAttributeNameApproximateNumberOfMessages,
			)] == "0" &&
				out.Attributes[string(
					sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
				)] == "0"
		})
	}
}

func (l load) until(what string, holds func() bool) {
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if l.b.Failed() || time.Since(began) > 8*time.Minute {
			l.b.Fatalf(
				"not in time: %s; %d attempts, %d delivered", what, l.endpoints.attempts.Load(),
				l.endpoints.delivered.Load(),
			)
		}
	}
}

var apiUsagePath = flag.String(
	"api-usage", "", "measure what requests to the API and jobs use, and write it to this file",
)

const (
	// so that what an instance reads once is read, as in the scenarios above
	warmRequests     = 3
	measuredRequests = 20
	replayed         = 300 // deliveries of the job, and events on record
)

// BenchmarkAPIUsage sends requests to the API of the synthesised stack, runs a job, and reports
// what they used. Without -api-usage it makes one request of each kind.
func BenchmarkAPIUsage(b *testing.B) {
	assembly, err := deployed.Synthesise(b.Context(), repository, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		times, events := 1, 50
		if *apiUsagePath != "" {
			times, events = measuredRequests, replayed
		}
		actions := measureAPI(b, assembly, times, events)
		b.ReportMetric(float64(len(actions)), "actions")
		if *apiUsagePath == "" {
			continue
		}
		encoded, err := json.MarshalIndent(actions, "", "  ")
		if err == nil {
			err = os.WriteFile(*apiUsagePath, append(encoded, '\n'), 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// measureAPI makes each kind of request some times, and runs a job that sends events again.
func measureAPI(b *testing.B, assembly string, times, events int) []cost.Action {
	b.Helper()
	s := cost.Scenario{FanOut: 1, Burst: true, BodyKiB: 1}
	l, end := newLoad(b, assembly, s)
	defer end()
	l.run(s, events)
	c := client{token: newToken(b, l.host), ingress: l.host.Outputs["IngressUrl"]}
	var listed struct{ Items []struct{ ID string } }
	if err := json.Unmarshal(c.call(b, "GET", "/v1/events?from=-1h", ""), &listed); err != nil ||
		len(listed.Items) == 0 {
		b.Fatalf("%v, %+v", err, listed)
	}
	const endpoint = `{"url": "https://shop.example.com/hooks"}`
	var actions []cost.Action
	count := func(what string, times int, do func(i int)) {
		before := l.used()
		for i := range times {
			do(i)
		}
		actions = append(actions, cost.Action{
			What: what, Times: times, Usage: cost.Minus(l.used(), before),
		})
	}
	for _, request := range []struct{ what, method, path, body string }{
		{"an endpoint", "GET", "/v1/endpoints/endpoint0", ""},
		{"what became of an event", "GET", "/v1/events/" + listed.Items[0].ID, ""},
		{"a page of 50 events", "GET", "/v1/events?from=-1h&limit=50", ""},
		{
			"a page of 50 deliveries", "GET",
			"/v1/deliveries?from=-1h&limit=50&endpoint=endpoint0", "",
		},
		{"a day of statistics", "GET", "/v1/stats", ""},
		{"a new endpoint", "PUT", "/v1/endpoints/new-%d", endpoint},
	} {
		do := func(i int) {
			c.call(b, request.method, strings.ReplaceAll(request.path, "%d", strconv.Itoa(i)),
				request.body, "if-none-match", "*")
		}
		for i := range warmRequests {
			do(-1 - i)
		}
		count(request.what, times, do)
	}
	var made struct{ ID string }
	if err := json.Unmarshal(c.call(b, "POST", "/v1/listeners", "{}"), &made); err != nil {
		b.Fatal(err)
	}
	renew := func(int) { c.call(b, "POST", "/v1/listeners/"+made.ID+"/renew", "") }
	for i := range warmRequests {
		renew(i)
	}
	count(cost.Renewal, times, renew)
	c.call(b, "DELETE", "/v1/listeners/"+made.ID, "")
	count(cost.SentAgain, events, func(i int) {
		if i > 0 {
			return // one job for all of them
		}
		l.replay(c, events)
	})
	return actions
}

// replay sends all deliveries again with a job, and waits until they are delivered.
func (l load) replay(c client, events int) {
	delivered := l.endpoints.delivered.Load()
	var j job
	read := func(answer []byte) {
		if err := json.Unmarshal(answer, &j); err != nil {
			l.b.Fatal(err)
		}
	}
	read(c.call(l.b, "POST", "/v1/jobs", `{"kind": "replay", "rate": 1000}`))
	if j.Matches != events {
		l.b.Fatalf("%d deliveries match, want %d", j.Matches, events)
	}
	read(c.call(l.b, "POST", "/v1/jobs/"+j.ID+"/run", ""))
	l.until("sent again", func() bool {
		return l.endpoints.delivered.Load() >= delivered+int64(events)
	})
	l.drained()
}

// TestMeterCountsAsAWSBills makes the calls one after the other on one meter. The server returns
// the given answers.
func TestMeterCountsAsAWSBills(t *testing.T) {
	t.Parallel()
	big := func(bytes int) string { return strings.Repeat("x", bytes) }
	put := func(pk string, bytes int, index string) string {
		return fmt.Sprintf(
			`{"TableName":"ledger-x","Item":{"pk":{"S":%q},"sk":{"S":"s"},"d":{"S":%q}%s}}`, pk,
			big(bytes), index,
		)
	}
	meter := deployed.NewMeter()
	for _, tt := range []struct {
		service, operation, asked, got string
		status                         int
		want                           map[string]cost.Calls // all calls of the operation so far
	}{
		{
			"sqs", "SendMessage", `{"MessageBody":"` + big(64<<10) + `"}`, `{}`, 200,
			calls("sqs:SendMessage", 1, 1, 0),
		},
		{
			"sqs", "SendMessage", `{"MessageBody":"` + big(64<<10+1) + `","MessageGroupId":"a"}`,
			`{}`, 200, calls("sqs:SendMessage", 2, 3, 2),
		},
		{"sqs", "SendMessageBatch", `{"Entries":[{"MessageBody":"a"},{"MessageBody":"` +
			big(64<<10) + `"}]}`, `{}`, 200,
			calls("sqs:SendMessageBatch", 1, 2, 0)},
		{"sqs", "ReceiveMessage", `{}`, `{}`, 200, calls("sqs:ReceiveMessage, empty", 1, 1, 0)},
		{
			"sqs", "ReceiveMessage", `{}`, `{"Messages":[{"Body":"` + big(64<<10+1) + `"}]}`, 200,
			calls("sqs:ReceiveMessage", 1, 2, 0),
		},
		{
			"sqs", "GetQueueAttributes", `{}`, `{}`, 200,
			map[string]cost.Calls{"sqs:GetQueueAttributes": {}},
		},
		{"dynamodb", "PutItem", put("a", 1500, ""), `{}`, 200, calls("dynamodb:PutItem", 1, 2, 0)},
		// billed by the larger item, which existed before
		{"dynamodb", "PutItem", put("a", 10, ""), `{}`, 200, calls("dynamodb:PutItem", 2, 4, 0)},
		{"dynamodb", "PutItem", put("a", 10, ""), `{}`, 400, calls("dynamodb:PutItem", 3, 5, 0)},
		{
			"dynamodb", "PutItem", put("b", 10, `,"open_pk":{"S":"e"},"open_sk":{"S":"1"}`), `{}`,
			200, calls("dynamodb:PutItem", 4, 7, 0),
		},
		{
			"dynamodb", "PutItem", put("b", 10, `,"open_pk":{"S":"e"},"open_sk":{"S":"1"}`), `{}`,
			200, calls("dynamodb:PutItem", 5, 8, 0),
		},
		{
			"dynamodb", "PutItem", put("b", 10, `,"open_pk":{"S":"e"},"open_sk":{"S":"2"}`), `{}`,
			200, calls("dynamodb:PutItem", 6, 11, 0),
		},
		{"dynamodb", "PutItem", put("b", 10, ""), `{}`, 200, calls("dynamodb:PutItem", 7, 13, 0)},
		{
			"dynamodb", "PutItem", put("b", 10, `,"open_pk":{"S":"e"},"due":{"N":"1"}`), `{}`, 200,
			calls("dynamodb:PutItem", 8, 15, 0),
		},
		// what the index projects has changed
		{
			"dynamodb", "PutItem", put("b", 10, `,"open_pk":{"S":"e"},"due":{"N":"2"}`), `{}`, 200,
			calls("dynamodb:PutItem", 9, 17, 0),
		},
		{"dynamodb", "PutItem", put("b", 10, ""), `{}`, 200, calls("dynamodb:PutItem", 10, 19, 0)},
		{
			"dynamodb", "GetItem", `{"ConsistentRead":true}`,
			`{"Item":{"d":{"S":"` + big(5000) + `"}}}`, 200, calls("dynamodb:GetItem", 1, 2, 0),
		},
		{"dynamodb", "GetItem", `{}`, `{}`, 200, calls("dynamodb:GetItem", 2, 2.5, 0)},
		{"dynamodb", "Query", `{"TableName":"catalog-x","ConsistentRead":true}`,
			`{"Items":[{"d":{"B":"` + big(8000) + `"}}]}`, 200,
			calls("dynamodb:Query, catalog", 1, 2, 0)},
		{
			"dynamodb", "BatchGetItem", `{"RequestItems":{"t":{"ConsistentRead":true},"u":{}}}`,
			`{"Responses":{"t":[{"d":{"S":"a"}},{"d":{"S":"` + big(5000) +
				`"}}],"u":[{"d":{"S":"a"}}]}}`, 200, calls("dynamodb:BatchGetItem", 1, 3.5, 0),
		},
		{
			"dynamodb", "UpdateItem",
			`{"Key":{"pk":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"` + big(1024) +
				`"}}}`, `{}`, 200, calls("dynamodb:UpdateItem", 1, 2, 0),
		},
		{
			"dynamodb", "TransactWriteItems",
			`{"TransactItems":[{"Put":{"Item":{"pk":{"S":"` + big(1024) +
				`"}}}},{"Update":{"Key":{"pk":{"S":"a"}}}}]}`, `{}`, 200,
			calls("dynamodb:TransactWriteItems", 1, 6, 0),
		},
		{"kms", "Decrypt", `{}`, `{}`, 200, calls("kms:Decrypt, catalog", 1, 1, 0)},
		{"scheduler", "", `{}`, `{}`, 200, calls("scheduler:CreateSchedule", 1, 1, 0)},
		{"s3", "", "body", "", 200, calls("s3:PUT", 1, 1, 0)},
		{"s3", "", "", "body", 200, calls("s3:GET", 1, 1, 0)},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked, err := io.ReadAll(r.Body); err != nil || string(asked) != tt.asked {
				t.Errorf(
					"%s %s: %d bytes arrived of %d, %v", tt.service, tt.operation, len(asked),
					len(tt.asked), err,
				)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.got) // the client notices
		}))
		r, err := http.NewRequestWithContext(
			t.Context(), http.MethodPut, server.URL, strings.NewReader(tt.asked),
		)
		if err != nil {
			t.Fatal(err)
		}
		if tt.asked == "" {
			r.Method, r.Body = http.MethodGet, nil
		}
		r.Header.Set(
			"Authorization",
			"AWS4-HMAC-SHA256 Credential=A/20260102/eu-central-1/"+tt.service+"/aws4_request",
		)
		r.Header.Set("X-Amz-Target", "Target."+tt.operation)
		answer, err := meter.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil || string(got) != tt.got {
			t.Errorf(
				"%s %s: %d bytes came back of %d, %v", tt.service, tt.operation, len(got),
				len(tt.got), err,
			)
		}
		server.Close()
		counted, _, _ := meter.Read()
		for operation, want := range tt.want {
			if diff := cmp.Diff(want, counted[operation]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", operation, diff)
			}
		}
	}
	_, stored, objects := meter.Read()
	if objects != len("body") {
		t.Errorf("%d bytes of objects", objects)
	}
	if stored != 2*(len("pka"+"sks"+"d")+10+100) {
		t.Errorf("%d bytes are stored", stored)
	}
}

func calls(operation string, n int, units, fair float64) map[string]cost.Calls {
	return map[string]cost.Calls{operation: {Calls: n, Units: units, Fair: fair}}
}
