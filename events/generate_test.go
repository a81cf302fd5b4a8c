package events_test

import (
	"bytes"
	"crypto/md5" // SQS's checksum of a body
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"webhook-relay/events"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/gateway"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

var update = flag.Bool("update", false, "write Lambda's events anew")

// at is the time at which all samples were received.
var at = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// TestLambdaEventsAreWhatTheRelayMakesOfTheWebhooks compares each file with what the stages make
// from the samples. With -update it writes the files.
func TestLambdaEventsAreWhatTheRelayMakesOfTheWebhooks(t *testing.T) {
	var files map[string]any
	synctest.Test(t, func(t *testing.T) { files = generate(t) })
	have := glob(t, "[rfds]*/*.json")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(files)), have); diff != "" && !*update {
		t.Errorf("files (-generated +there):\n%s", diff)
	}
	for path, event := range files {
		want := encode(t, event)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Error(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(want, got) {
			t.Errorf(
				"%s is stale (%v); go test ./events -update writes it (-want +got):\n%s", path, err,
				cmp.Diff(string(want), string(got)),
			)
		}
	}
}

// glob returns the files that match a pattern, sorted.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func encode(t *testing.T, event any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(event); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// generate returns all of Lambda's events, by path.
func generate(t *testing.T) map[string]any {
	t.Helper()
	cat := demo(t)
	push := signed(t, "github", "push", at)
	files := map[string]any{
		"receive/github-push.json":            push,
		"receive/github-wrong-signature.json": wronglySigned(t),
		"receive/stripe-charge.json":          signed(t, "stripe", "", at),
		"receive/stripe-stale.json": signed(
			t, "stripe", "", at.Add(-verify.DefaultTolerance-time.Second),
		),
		"receive/app-order.json":  signed(t, "bearer", "", at),
		"receive/app-binary.json": binary(t),
		"receive/unknown-source.json": request(
			t, "nobody",
			verify.Request{
				Header: verify.Header{"content-type": "application/json"}, Body: []byte("{}"),
			},
		),
	}
	for name, provider := range triggerSources {
		files["receive/"+name+".json"] = queued(
			triggerQueue(provider), triggered(t, provider),
		)
	}
	single := message(t, cat, push, "single")
	batch := ingestBatch(t, cat)
	files["fanout/single.json"] = queued("Ingest", single)
	files["fanout/batch.json"] = queued("Ingest", batch...)

	// An endpoint that is in the catalog at the fan-out, but no longer at the delivery.
	cat.Subscriptions = append(
		cat.Subscriptions, catalog.Subscription{Source: retired, Endpoint: "gone"},
	)
	s := newStages(t, cat)
	first := s.deliveryOf(t, single)
	files["deliver/single.json"] = queued("Delivery", first)
	files["deliver/retry.json"] = queued("Retry", s.retryOf(t, first))
	files["deliver/batch.json"] = queued("Delivery", deliveryBatch(t, cat, batch)...)
	files["sweep/hourly.json"] = hourly()
	return files
}

// hourly is the event with which EventBridge invokes the sweep.
func hourly() lambdaevents.EventBridgeEvent {
	return lambdaevents.EventBridgeEvent{
		Version: "0", ID: id("hourly"), DetailType: "Scheduled Event", Source: "aws.events",
		AccountID: account, Time: at, Region: "eu-central-1",
		Resources: []string{
			"arn:aws:events:eu-central-1:" + account + ":rule/relay-Hourly",
		}, Detail: json.RawMessage("{}"),
	}
}

// retired is a source without subscriptions.
const retired = "retired"

// ingestBatch returns ten messages: seven good ones, then a webhook that its provider sent twice,
// one without a subscription, and one that cannot be read.
func ingestBatch(t *testing.T, cat catalog.Catalog) []relay.Message {
	t.Helper()
	var batch []relay.Message
	for _, s := range []struct{ source, provider, eventType string }{
		{"github", "github", "push"}, {"github", "github", "pull_request.opened"}, {
			"stripe", "stripe", "invoice.paid",
		},
		{
			"standard", "standard-webhooks", "",
		}, {"crm", "hmac", ""}, {"app", "bearer", ""}, {"open", "none", ""},
	} {
		batch = append(
			batch, message(t, cat, signed(t, s.provider, s.eventType, at), s.provider+s.eventType),
		)
	}
	again := message(t, cat, signed(t, "github", "push", at), "again")
	unwanted := change(t, batch[5], func(e *relay.Event) {
		e.Source, e.ID = retired, relay.EventID("", retired, "1001")
	})
	unwanted.ID = id("unwanted")
	return append(
		batch, again, unwanted,
		relay.Message{
			ID: id("unreadable"), Body: []byte("not a message of the relay's"), Receives: 1,
		},
	)
}

// deliveryBatch returns ten messages: the deliveries of ingest's good messages, one for an endpoint
// that is gone, one that cannot be read, and one with a high receive count. A high count alone is
// no reason to give up.
func deliveryBatch(t *testing.T, cat catalog.Catalog, ingest []relay.Message) []relay.Message {
	t.Helper()
	s := newStages(t, cat)
	var batch []relay.Message
	for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 8} {
		batch = append(batch, s.deliveryOf(t, ingest[i]))
	}
	worn := s.deliveryOf(t, message(t, cat, signed(t, "github", "ping", at), "worn"))
	worn.Receives = relay.MaxReceives + 1
	return append(
		batch, relay.Message{ID: id("unreadable delivery"), Body: []byte(`{"v":1}`), Receives: 1},
		worn,
	)
}

// deliveryOf returns the delivery message that the fan-out makes from an ingest message.
func (s *stages) deliveryOf(t *testing.T, ingest relay.Message) relay.Message {
	t.Helper()
	if a := s.fanout.Process(t.Context(), []relay.Message{ingest})[0]; a.Retry {
		t.Fatal(a.Err)
	}
	m := taken(t, &s.delivery)
	m.ID = id("delivery of " + ingest.ID)
	return m
}

// retryOf returns the message of the second attempt, after an endpoint refused the first.
func (s *stages) retryOf(t *testing.T, first relay.Message) relay.Message {
	t.Helper()
	s.answer = http.StatusServiceUnavailable
	if a := s.deliverer.Process(t.Context(), []relay.Message{first})[0]; a.Retry {
		t.Fatal(a.Err)
	}
	m := taken(t, &s.retry)
	m.ID = id("retry of " + first.ID)
	return m
}

// message returns the ingest message that the receiver makes from a request. Random values are
// replaced by values from the seed.
func message(
	t *testing.T, cat catalog.Catalog, r lambdaevents.APIGatewayV2HTTPRequest, seed string,
) relay.Message {
	t.Helper()
	s := newStages(t, cat)
	if answer, err := handler.Receive(s.receiver)(t.Context(), r); err != nil ||
		answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %+v", err, answer)
	}
	m := taken(t, &s.ingest)
	m.ID = id(seed)
	return change(t, m, func(e *relay.Event) {
		e.Receipt = relay.EventID("", "receipt", seed)[len("evt_"):]
		// the example of W3C's recommendation
		e.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		if e.Source == "open" {
			e.ID = relay.EventID("", e.Source, seed)
		}
	})
}

func change(t *testing.T, m relay.Message, by func(*relay.Event)) relay.Message {
	t.Helper()
	e, err := relay.DecodeEvent(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	by(&e)
	m.Body = relay.EncodeEvent(e)
	return m
}

// id returns a UUID that is the same for the same seed.
func id(seed string) string { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(seed)).String() }

// signed returns a sample as its provider sends it to its source of the demonstration. eventType ""
// is the provider's first.
func signed(
	t *testing.T, provider, eventType string, when time.Time,
) lambdaevents.APIGatewayV2HTTPRequest {
	t.Helper()
	body, eventType, err := events.Sample(provider, eventType)
	if err != nil {
		t.Fatal(err)
	}
	return sign(
		t, provider,
		verify.Webhook{
			Body: body, EventType: eventType, DeliveryID: id(provider + "/" + eventType),
		},
		when,
	)
}

func sign(
	t *testing.T, provider string, w verify.Webhook, when time.Time,
) lambdaevents.APIGatewayV2HTTPRequest {
	t.Helper()
	source, key, err := events.DemoSource(provider)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.New(source.Verify, source.Secrets, verify.SignWith(key))
	if err != nil {
		t.Fatal(err)
	}
	r, err := verifier.Sign(w, when)
	if err != nil {
		t.Fatalf("%s: %v", provider, err)
	}
	return request(t, source.Name, r)
}

// wronglySigned returns a push whose body was changed after it was signed.
func wronglySigned(t *testing.T) lambdaevents.APIGatewayV2HTTPRequest {
	t.Helper()
	r := signed(t, "github", "push", at)
	r.Body = string(bytes.Replace(
		[]byte(r.Body), []byte("refs/heads/main"), []byte("refs/heads/evil"), 1,
	))
	return r
}

// binary returns a body with all 256 byte values: no JSON, no UTF-8, with NUL.
func binary(t *testing.T) lambdaevents.APIGatewayV2HTTPRequest {
	t.Helper()
	body := make([]byte, 256)
	for i := range body {
		body[i] = byte(i)
	}
	r := sign(
		t, "bearer",
		verify.Webhook{Body: body, EventType: "scan.finished", DeliveryID: id("binary")}, at,
	)
	r.Headers["content-type"] = "application/octet-stream"
	return r
}

// request returns the event that API Gateway makes from a POST to a source.
func request(
	t *testing.T, source string, sent verify.Request,
) lambdaevents.APIGatewayV2HTTPRequest {
	t.Helper()
	const api = "a1b2c3d4e5"
	r := httptest.NewRequestWithContext(
		t.Context(), http.MethodPost,
		"https://"+api+".execute-api.eu-central-1.amazonaws.com/in/"+source, nil,
	)
	r.URL.RawQuery = sent.Query
	r.RemoteAddr = "203.0.113.10:443"
	for name, value := range sent.Header {
		r.Header.Set(name, value)
	}
	for name, value := range map[string]string{
		"accept": "*/*", "user-agent": "Sample/1", "content-length": strconv.Itoa(len(sent.Body)),
		"x-forwarded-for":  "203.0.113.10",
		"x-forwarded-port": "443", "x-forwarded-proto": "https",
		"x-amzn-trace-id": "Root=1-6968d940-0123456789abcdef01234567",
	} {
		r.Header.Set(name, value)
	}
	e := gateway.Event(r, gateway.Parameters{"source": source}, sent.Body, at)
	e.RequestContext.RequestID = "SampleRequest01="
	e.RequestContext.AccountID = account
	e.RequestContext.APIID = api
	e.RequestContext.DomainPrefix = api
	return e
}

const account = "000000000000"

// queued returns the event with which Lambda invokes a queue's function.
func queued(queue string, msgs ...relay.Message) lambdaevents.SQSEvent {
	e := handler.SQSEvent(msgs)
	for i := range e.Records {
		r := &e.Records[i]
		sum := md5.Sum([]byte(r.Body))
		r.Md5OfBody = hex.EncodeToString(sum[:])
		r.ReceiptHandle = "receipt-" + r.MessageId
		r.AWSRegion = "eu-central-1"
		r.EventSourceARN = "arn:aws:sqs:eu-central-1:" + account + ":" + queue
		r.Attributes["SenderId"] = "AROAEXAMPLE:function"
		r.Attributes["SentTimestamp"] = strconv.FormatInt(at.Add(time.Second).UnixMilli(), 10)
		r.Attributes["ApproximateFirstReceiveTimestamp"] = strconv.FormatInt(
			at.Add(1010*time.Millisecond).UnixMilli(), 10,
		)
		var delivery struct{ Endpoint string }
		if json.Unmarshal(msgs[i].Body, &delivery) == nil && delivery.Endpoint != "" {
			r.Attributes["MessageGroupId"] = delivery.Endpoint
		}
	}
	return e
}

// triggerSources are the providers whose messages come from queues, by the name of the file with
// the first of them.
var triggerSources = map[string]string{
	"eventbridge-order-placed": trigger.EventBridge, "s3-object-created": trigger.S3,
	"sns-notification": trigger.SNS,
}

// triggerQueue returns the name of the queue of the source with the provider's name.
func triggerQueue(provider string) string {
	return map[string]string{
		trigger.EventBridge: "TriggerEventbridge", trigger.S3: "TriggerUploads",
		trigger.SNS: "TriggerSnsTopic",
	}[provider]
}

func triggered(t *testing.T, provider string) relay.Message {
	t.Helper()
	body, _, err := events.Triggered(provider, "")
	if err != nil {
		t.Fatal(err)
	}
	return relay.Message{ID: id(provider), Body: body, Receives: 1}
}
