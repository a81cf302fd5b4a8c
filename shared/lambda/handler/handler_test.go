package handler_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

const secret = "handler-secret"

// newReceive returns the ingress of a relay, its ingest queue and its verifiers. The sources are
// "hub" (github), "stripe", "app" (bearer) and "office" (github, only from 192.0.2.0/24).
func newReceive(
	t *testing.T, ingest relay.Queue,
) (func(
	context.Context, events.APIGatewayV2HTTPRequest,
) (events.APIGatewayV2HTTPResponse, error), map[string]*verify.Verifier) {
	t.Helper()
	var catalogs memory.Catalog
	var next catalog.Catalog
	verifiers := map[string]*verify.Verifier{}
	for name, cfg := range map[string]verify.Config{"hub": {Provider: "github"},
		"stripe": {Provider: "stripe"}, "app": {Provider: "bearer"},
		"office": {Provider: "github", AllowedIPs: []string{"192.0.2.0/24"}}} {
		source := catalog.Source{Name: name, Verify: cfg, Secrets: []string{secret}}
		v, err := verify.New(source.Verify, source.Secrets)
		if err != nil {
			t.Fatal(err)
		}
		verifiers[name] = v
		next.Sources = append(next.Sources, source)
	}
	if err := catalogs.ReplaceCatalog(t.Context(), next, 0); err != nil {
		t.Fatal(err)
	}
	return handler.Receive(lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: ingest, Bodies: &memory.Bodies{}, Reporter: silent{},
	}))), verifiers
}

type silent struct{}

func (silent) Received(context.Context, relay.ReceiveReport)  {}
func (silent) Routed(context.Context, relay.RouteReport)      {}
func (silent) Attempted(context.Context, relay.AttemptReport) {}

// request is a POST to a source, in the form in which API Gateway passes it on.
func request(source, body string, header verify.Header) events.APIGatewayV2HTTPRequest {
	r := events.APIGatewayV2HTTPRequest{
		Version: "2.0", Headers: header, Body: body,
		PathParameters: map[string]string{"source": source},
	}
	r.RequestContext.HTTP.Method = "POST"
	r.RequestContext.TimeEpoch = time.Now().UnixMilli()
	return r
}

func TestReceiveAnswers(t *testing.T) {
	t.Parallel()
	const body = `{"id":"evt_1","type":"charge.succeeded"}`
	now := time.Now()
	tests := map[string]struct {
		source, body string
		sentAt       time.Time
		change       func(*events.APIGatewayV2HTTPRequest)
		want         int
	}{
		"good": {"hub", body, now, nil, 200},
		"as SAM spells": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Headers = map[string]string{
				"X-Hub-Signature-256": r.Headers["x-hub-signature-256"], "X-Github-Event": "push",
			}
		}, 200},
		"base64": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Body, r.IsBase64Encoded = b64(r.Body), true
		}, 200},
		"not json":   {"hub", "a=b", now, nil, 200},
		"empty body": {"hub", "", now, nil, 200},
		"binary": {"hub", "\x00\xff\xfe", now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Body, r.IsBase64Encoded = b64(r.Body), true
		}, 200},
		"cookies apart": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Cookies = []string{"a=b"}
		}, 200},
		"bad base64": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Body, r.IsBase64Encoded = "!", true
		}, 400},
		"no signature": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			delete(r.Headers, "x-hub-signature-256")
		}, 401},
		"wrong signature": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Body += " "
		}, 401},
		"signature twice": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.Headers["x-hub-signature-256"] += "," + r.Headers["x-hub-signature-256"]
		}, 401},
		"stale":  {"stripe", body, now.Add(-6 * time.Minute), nil, 401},
		"future": {"stripe", body, now.Add(6 * time.Minute), nil, 401},
		"fresh":  {"stripe", body, now.Add(-4 * time.Minute), nil, 200},
		"fresh on receipt": {"stripe", body, now.Add(-time.Hour), func(
			r *events.APIGatewayV2HTTPRequest,
		) {
			r.RequestContext.TimeEpoch = now.Add(-time.Hour).UnixMilli()
		}, 200},
		"allowed address": {"office", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.RequestContext.HTTP.SourceIP = "192.0.2.7"
		}, 200},
		"another address": {"office", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.RequestContext.HTTP.SourceIP = "198.51.100.7"
		}, 403},
		"no address": {"office", body, now, nil, 403},
		"unknown source": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.PathParameters["source"] = "nobody"
		}, 404},
		"no source": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.PathParameters = nil
		}, 404},
		"wrong method": {"hub", body, now, func(r *events.APIGatewayV2HTTPRequest) {
			r.RequestContext.HTTP.Method = "PUT"
		}, 405},
		"body over limit": {"hub", strings.Repeat("x", relay.DefaultMaxBodyBytes+1), now, nil, 413},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ingest memory.Queue
			receive, verifiers := newReceive(t, &ingest)
			signed, err := verifiers[tt.source].Sign(
				verify.Webhook{Body: []byte(tt.body), DeliveryID: "d1", EventType: "push"},
				tt.sentAt,
			)
			if err != nil {
				t.Fatal(err)
			}
			req := request(tt.source, tt.body, signed.Header)
			if tt.change != nil {
				tt.change(&req)
			}
			got, err := receive(t.Context(), req)
			if err != nil || got.StatusCode != tt.want {
				t.Fatalf("got %d, %v; want %d", got.StatusCode, err, tt.want)
			}
			if accepted := ingest.Len() == 1; accepted != (tt.want == 200) {
				t.Errorf("%d messages in the queue", ingest.Len())
			}
			checkAnswer(t, got)
		})
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// checkAnswer compares an answer with the contract: an id, or problem details.
func checkAnswer(t *testing.T, got events.APIGatewayV2HTTPResponse) {
	t.Helper()
	var body struct {
		ID, Title, Detail string
		Status            int
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	if got.StatusCode == 200 {
		if !strings.HasPrefix(body.ID, "evt_") ||
			got.Headers["content-type"] != "application/json" {
			t.Errorf("answer %+v", got)
		}
		return
	}
	if body.Status != got.StatusCode || body.Title == "" || body.Detail == "" ||
		got.Headers["content-type"] != "application/problem+json" {
		t.Errorf("answer %+v", got)
	}
	if (got.StatusCode == 405) != (got.Headers["allow"] == "POST") ||
		(got.StatusCode == 503 || got.StatusCode == 429) != (got.Headers["retry-after"] != "") {
		t.Errorf("headers %v", got.Headers)
	}
}

type down struct{}

func (down) Send(_ context.Context, msgs []relay.Outgoing) []error {
	return []error{errors.New("queue at https://internal.example.com is down")}
}

// TestReceiveAnswers429OverTheRate says when to send again, in whole seconds.
func TestReceiveAnswers429OverTheRate(t *testing.T) {
	t.Parallel()
	var ingest memory.Queue
	var catalogs memory.Catalog
	if err := errors.Join(
		catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{{
			Name: "app", Verify: verify.Config{Provider: "none"},
			Tenant: &catalog.TenantOf{ID: "acme"},
		}}}, 0),
		catalogs.SetRates(t.Context(), "acme", catalog.Rates{
			Accepted: catalog.Rate{Count: 2, Per: time.Hour}, Revision: 1,
		}),
	); err != nil {
		t.Fatal(err)
	}
	receive := handler.Receive(lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &ingest, Bodies: &memory.Bodies{}, Reporter: silent{},
		Quotas: &memory.Quotas{},
	})))
	for i, want := range []int{200, 200, 200, 429, 429} {
		got, err := receive(t.Context(), request("app", "{}", nil))
		if err != nil || got.StatusCode != want {
			t.Fatalf("webhook %d: %d, %v, want %d", i, got.StatusCode, err, want)
		}
		after, _ := strconv.Atoi(got.Headers["retry-after"])
		if want == 429 && (after < 1790 || after > 1800) {
			t.Errorf("webhook %d: Retry-After %q", i, got.Headers["retry-after"])
		}
		checkAnswer(t, got)
	}
	if ingest.Len() != 3 {
		t.Errorf("%d were accepted", ingest.Len())
	}
}

func TestReceiveAnswers503WhenTheQueueIsDown(t *testing.T) {
	t.Parallel()
	receive, _ := newReceive(t, down{})
	got, err := receive(
		t.Context(), request("app", "{}", verify.Header{"authorization": "Bearer " + secret}),
	)
	if err != nil || got.StatusCode != 503 || strings.Contains(got.Body, "internal") {
		t.Errorf("got %+v, %v", got, err)
	}
	checkAnswer(t, got)
}

func TestBatchAnswersWithTheMessagesThatFailed(t *testing.T) {
	t.Parallel()
	sent := []relay.Message{
		{
			ID: "a", Body: []byte("1"), Receives: 1,
		}, {ID: "b", Body: []byte("2"), Receives: 3}, {
			ID: "c", Body: []byte("3"), Receives: 1, Resent: true,
		},
		{
			ID: "d", Body: []byte("4"), Receives: 1, Group: "shipping#1", Handle: "handle",
			SentAt: time.UnixMilli(1_700_000_000_123).UTC(),
		},
		{ID: "e", Body: []byte("5"), Receives: 1, Group: "shipping"},
	}
	var got []relay.Message
	process := func(_ context.Context, msgs []relay.Message) []relay.Action {
		got = msgs
		return []relay.Action{
			{}, {Retry: true, Err: errors.New("no")}, {}, {Retry: true, After: time.Minute},
			{Retry: true, After: time.Second, Err: errors.New("no")},
		}
	}
	event := handler.SQSEvent(sent)
	event.Records[3].EventSourceARN, event.Records[4].EventSourceARN = "arn:aws:sqs:eu-west-1:1:ordered.fifo", "arn:aws:sqs:eu-west-1:1:other"
	ordered, other := &holder{name: "ordered.fifo"}, &holder{name: "delivery"}
	answer, err := handler.Batch(process, other, ordered)(t.Context(), event)
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("messages (-sent +got):\n%s", diff)
	}
	want := events.SQSEventResponse{
		BatchItemFailures: []events.SQSBatchItemFailure{
			{ItemIdentifier: "b"}, {ItemIdentifier: "d"}, {ItemIdentifier: "e"},
		},
	}
	if diff := cmp.Diff(
		[]relay.Held{{Message: sent[3], For: time.Minute}}, ordered.held,
	); diff != "" || other.held != nil {
		t.Errorf("held (-want +got):\n%s, and of a queue that is not its own %v", diff, other.held)
	}
	if diff := cmp.Diff(want, answer); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// holder is a queue that records which messages it is told to hold.
type holder struct {
	name string
	held []relay.Held
}

func (h *holder) Name() string { return h.name }

func (h *holder) Hold(_ context.Context, held []relay.Held) []error {
	h.held = append(h.held, held...)
	return make([]error, len(held))
}

func TestMessageOfUnknownReceiveCountIsTakenForHandedOutBefore(t *testing.T) {
	t.Parallel()
	event := events.SQSEvent{Records: []events.SQSMessage{{MessageId: "a"}}}
	_, err := handler.Batch(func(_ context.Context, msgs []relay.Message) []relay.Action {
		if msgs[0].Receives < 2 {
			t.Errorf("receives %d", msgs[0].Receives)
		}
		return make([]relay.Action, 1)
	})(t.Context(), event)
	if err != nil {
		t.Error(err)
	}
}

// The adapter that sends and the handler that receives do not import each other, so this test
// compares their attribute's name.
func TestResentIsCalledTheSameOnBothSides(t *testing.T) {
	t.Parallel()
	if handler.ResentAttribute != sqs.ResentAttribute {
		t.Errorf("sent as %s, looked for as %s", sqs.ResentAttribute, handler.ResentAttribute)
	}
}

// Xero rejects a URL whose answers have a body. For other providers, a browser could show a body to
// people, or run it.
func TestRefusalsHaveNoBodyWhereTheProviderWantsNone(t *testing.T) {
	t.Parallel()
	refusals := map[string]struct {
		change func(*events.APIGatewayV2HTTPRequest)
		status int
	}{
		"no proof": {func(*events.APIGatewayV2HTTPRequest) {}, 401},
		"other method": {func(r *events.APIGatewayV2HTTPRequest) {
			r.RequestContext.HTTP.Method = "PUT"
		}, 405},
		"too large": {func(r *events.APIGatewayV2HTTPRequest) {
			r.Body = strings.Repeat("x", relay.DefaultMaxBodyBytes+1)
		}, 413},
		"other address": {func(r *events.APIGatewayV2HTTPRequest) {
			r.RequestContext.HTTP.SourceIP = "198.51.100.7"
		}, 403},
		"queue is down": {nil, 503},
		"unknown source": {func(r *events.APIGatewayV2HTTPRequest) {
			r.PathParameters["source"] = "nobody"
		}, 404},
	}
	tried := 0
	for _, provider := range verify.Providers() {
		cfg, secret, signing, err := verify.Example(
			provider, strings.NewReader(strings.Repeat("k", 32)),
		)
		if err != nil {
			t.Fatal(err)
		}
		var secrets []string
		if secret != "" {
			secrets = []string{secret}
		}
		v, err := verify.New(cfg, secrets, verify.SignWith(signing))
		if err != nil {
			t.Fatal(err)
		}
		if !v.WantsNoBody() {
			continue
		}
		tried++
		for name, tt := range refusals {
			t.Run(provider+"/"+name, func(t *testing.T) {
				t.Parallel()
				source := catalog.Source{Name: "s", Verify: cfg, Secrets: secrets}
				req := request("s", "{}", verify.Header{})
				if name == "other address" {
					source.Verify.AllowedIPs = []string{"192.0.2.0/24"}
				}
				if name == "queue is down" {
					signed, err := v.Sign(
						verify.Webhook{Body: []byte(`{"value":[{"a":1}]}`), DeliveryID: "d"},
						time.Now(),
					)
					if err != nil {
						t.Fatal(err)
					}
					req = request("s", string(signed.Body), signed.Header)
					req.RawQueryString = signed.Query
				} else {
					tt.change(&req)
				}
				var catalogs memory.Catalog
				if err := catalogs.ReplaceCatalog(
					t.Context(), catalog.Catalog{Sources: []catalog.Source{source}}, 0,
				); err != nil {
					t.Fatal(err)
				}
				receive := handler.Receive(lab.Must(relay.NewReceiver(relay.ReceiverConfig{
					Sources: &catalogs, Ingest: down{}, Bodies: &memory.Bodies{},
					Reporter: silent{},
				})))
				got, err := receive(t.Context(), req)
				if err != nil || got.StatusCode != tt.status {
					t.Fatalf("%d, %v; want %d", got.StatusCode, err, tt.status)
				}
				if tt.status == 404 {
					checkAnswer(t, got) // nobody knows which provider it would be for
				} else if got.Body != "" || got.Headers["content-type"] != "" {
					t.Errorf("body %q, %v", got.Body, got.Headers)
				}
			})
		}
	}
	if tried < 6 {
		t.Errorf("%d providers want no body", tried)
	}
}
