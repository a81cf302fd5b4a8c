package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/events"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

func TestEveryFileIsASampleAndEverySampleAFile(t *testing.T) {
	t.Parallel()
	var files []string
	err := filepath.WalkDir("webhooks", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(
				files,
				strings.TrimSuffix(strings.TrimPrefix(path, "webhooks/"), filepath.Ext(path)),
			)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, sample := range events.List() {
		provider, eventType, _ := strings.Cut(sample, "/")
		listed = append(
			listed, provider+"/"+strings.NewReplacer(":", "-", "/", "-").Replace(eventType),
		)
	}
	slices.Sort(listed)
	slices.Sort(files)
	if diff := cmp.Diff(files, listed); diff != "" {
		t.Errorf("(-files +listed):\n%s", diff)
	}
}

func TestSampleOfEveryProvider(t *testing.T) {
	t.Parallel()
	for _, provider := range verify.Providers() {
		body, eventType, err := events.Sample(provider, "")
		if err != nil || len(body) == 0 || eventType == "" {
			t.Errorf("%s: %q, %d bytes, %v", provider, eventType, len(body), err)
		}
		if d, _ := verify.Describe(provider); body[0] == '{' && !json.Valid(body) ||
			eventType != d.Examples[0] {
			t.Errorf("%s: %q, valid JSON: %v", provider, eventType, json.Valid(body))
		}
	}
}

func TestTriggersMakeEvents(t *testing.T) {
	t.Parallel()
	files := glob(t, "triggers/*/*.json")
	for _, d := range trigger.Providers() {
		for _, want := range d.Examples {
			body, eventType, err := events.Triggered(d.Name, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := trigger.Read(d.Name, body)
			if err != nil || len(got) != 1 || got[0].Type != want || eventType != want {
				t.Errorf("%s %s: %+v, %v", d.Name, want, got, err)
			}
			files = files[1:]
		}
	}
	if len(files) != 0 {
		t.Errorf("%d files are of no example", len(files))
	}
	if _, _, err := events.Triggered("s3", "Order Placed"); !errors.Is(err, events.ErrNoSample) ||
		!strings.HasSuffix(err.Error(), "there are: ObjectCreated:Put, ObjectRemoved:Delete") {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ provider, ask, want, member string }{
		"the default":       {"github", "", "push", `"ref":"refs/heads/main"`},
		"one that is named": {"github", "ping", "ping", `"zen"`},
	} {
		body, eventType, err := events.Sample(tt.provider, tt.ask)
		if err != nil || eventType != tt.want || !strings.Contains(string(body), tt.member) {
			t.Errorf("%s: %s, %v: %.60s", name, eventType, err, body)
		}
	}
	for name, tt := range map[string]struct{ provider, ask, told string }{
		"an unknown provider": {"nobody", "", "nobody; of this provider there are: none"},
		"an unknown type": {
			"github", "pull",
			"github/pull; of this provider there are: push, pull_request.opened, ping",
		},
		"another's type": {
			"stripe", "push",
			"stripe/push; of this provider there are: charge.succeeded, invoice.paid",
		},
	} {
		_, _, err := events.Sample(tt.provider, tt.ask)
		if !errors.Is(err, events.ErrNoSample) || !strings.HasSuffix(err.Error(), tt.told) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestDemonstrationSubscribesItsEndpointToASourceOfEachProvider(t *testing.T) {
	t.Parallel()
	cat := demo(t)
	var providers []string
	for _, s := range cat.Sources {
		providers = append(providers, s.Verify.Provider)
		if !slices.ContainsFunc(cat.Subscriptions, func(sub catalog.Subscription) bool {
			return sub.Source == s.Name
		}) {
			t.Errorf("source %s has no subscription", s.Name)
		}
	}
	slices.Sort(providers)
	if diff := cmp.Diff(verify.Providers(), providers); diff != "" {
		t.Errorf("providers (-known +demonstrated):\n%s", diff)
	}
	endpoint := cat.Endpoints[0]
	if !strings.HasSuffix(endpoint.URL, events.DemoEndpointPath) ||
		!slices.Equal(endpoint.Secrets, []string{events.DemoEndpointSecret}) {
		t.Errorf(
			"the endpoint's URL is %s, and its secret the constant: %v", endpoint.URL,
			endpoint.Secrets[0] == events.DemoEndpointSecret,
		)
	}
}

func read[T any](t *testing.T, path string) T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var event T
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

func TestReceiveAnswersItsEvents(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct {
		status    int
		eventType string
	}{
		"github-push":            {200, "push"},
		"github-wrong-signature": {401, ""},
		"stripe-charge":          {200, "charge.succeeded"},
		"stripe-stale":           {401, ""},
		"app-order":              {200, "order.created"},
		"app-binary":             {200, "scan.finished"},
		"unknown-source":         {404, ""},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := newStages(t, demo(t))
			answer, err := handler.Receive(s.receiver)(
				t.Context(), read[lambdaevents.APIGatewayV2HTTPRequest](t, "receive/"+file+".json"),
			)
			if err != nil || answer.StatusCode != want.status {
				t.Fatalf("status %d, %v; want %d", answer.StatusCode, err, want.status)
			}
			if want.status != 200 {
				if s.ingest.Len() != 0 {
					t.Error("it is in the queue")
				}
				return
			}
			e, err := relay.DecodeEvent(taken(t, &s.ingest).Body)
			if err != nil || e.Type != want.eventType || !e.ReceivedAt.Equal(at) {
				t.Errorf("event of type %q at %v, %v", e.Type, e.ReceivedAt, err)
			}
			if file == "app-binary" && (len(e.Body) != 256 || e.Body[0] != 0 ||
				e.Body[255] != 255) {
				t.Errorf("body %x", e.Body)
			}
		})
	}
}

// TestReceiveAcceptsEachProvidersEvent passes to the receiver the event that API Gateway makes from
// each provider's sample.
func TestReceiveAcceptsEachProvidersEvent(t *testing.T) {
	t.Parallel()
	for _, provider := range verify.Providers() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newStages(t, demo(t))
			request := signed(t, provider, "", at)
			answer, err := handler.Receive(s.receiver)(t.Context(), request)
			if err != nil || answer.StatusCode/100 != 2 {
				t.Fatalf("status %d, %v", answer.StatusCode, err)
			}
			e, err := relay.DecodeEvent(taken(t, &s.ingest).Body)
			if err != nil || e.Source != request.PathParameters["source"] ||
				!e.ReceivedAt.Equal(at) {
				t.Errorf("event of %s at %v, %v", e.Source, e.ReceivedAt, err)
			}
			if d, _ := verify.Describe(provider); d.Trust != "" && e.Trust != d.Trust {
				t.Errorf("the event is %s; want %s", e.Trust, d.Trust)
			}
		})
	}
}

// left returns the number of messages in each queue that is not empty.
func (s *stages) left() map[string]int {
	n := map[string]int{
		"delivery": s.delivery.Len(), "retry": s.retry.Len(), "dead": s.dead.Len(),
		"ingest-dlq": s.ingestDLQ.Len(), "delivery-dlq": s.deliveryDLQ.Len(),
	}
	for name, count := range n {
		if count == 0 {
			delete(n, name)
		}
	}
	return n
}

func TestFanoutProcessesItsEvents(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct {
		results map[relay.RouteResult]int
		left    map[string]int
	}{
		"single": {map[relay.RouteResult]int{relay.Routed: 1}, map[string]int{"delivery": 1}},
		"batch": {
			map[relay.RouteResult]int{
				relay.Routed: 7, relay.Duplicate: 1, relay.Unrouted: 1, relay.Unreadable: 1,
			},
			map[string]int{"delivery": 7, "ingest-dlq": 1},
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := newStages(t, demo(t))
			answer, err := handler.Batch(s.fanout.Process)(
				t.Context(), read[lambdaevents.SQSEvent](t, "fanout/"+file+".json"),
			)
			if err != nil || len(answer.BatchItemFailures) > 0 {
				t.Errorf("failures %v, %v", answer.BatchItemFailures, err)
			}
			if diff := cmp.Diff(
				want.results, s.results,
			) + cmp.Diff(want.left, s.left()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeliverProcessesItsEvents(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct {
		outcomes map[relay.Outcome]int
		left     map[string]int
		attempt  string
	}{
		"single": {map[relay.Outcome]int{relay.Succeeded: 1}, map[string]int{}, "1"},
		"retry":  {map[relay.Outcome]int{relay.Succeeded: 1}, map[string]int{}, "2"},
		"batch": {
			map[relay.Outcome]int{
				relay.Succeeded: 7, relay.Skipped: 1,
			}, map[string]int{"dead": 1, "delivery-dlq": 2}, "1",
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := newStages(t, demo(t))
			event := read[lambdaevents.SQSEvent](t, "deliver/"+file+".json")
			for _, r := range event.Records {
				for range relay.MaxFailures {
					// as if it had killed the process
					_, _ = s.failures.CountFailure(t.Context(), r.MessageId)
				}
			}
			answer, err := handler.Batch(s.deliverer.Process)(t.Context(), event)
			if err != nil || len(answer.BatchItemFailures) > 0 {
				t.Errorf("failures %v, %v", answer.BatchItemFailures, err)
			}
			if diff := cmp.Diff(
				want.outcomes, s.outcomes,
			) + cmp.Diff(want.left, s.left()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, p := range s.posted {
				if !strings.HasSuffix(p.URL, events.DemoEndpointPath) ||
					p.Header[relay.HeaderAttempt] != want.attempt {
					t.Errorf("attempt %s to %s", p.Header[relay.HeaderAttempt], p.URL)
				}
			}
		})
	}
}

// indented lists the providers that send JSON on several lines. Receivers of other providers may
// encode the body again before they check its signature, as the packages of WorkOS, Smartcar and
// eBay do.
var indented = []string{"sns", "stripe"}

func TestSamplesAreWrittenAsTheirProvidersWriteThem(t *testing.T) {
	t.Parallel()
	for _, sample := range events.List() {
		provider, eventType, _ := strings.Cut(sample, "/")
		body, _, err := events.Sample(provider, eventType)
		if err != nil || !json.Valid(body) || slices.Contains(indented, provider) {
			continue // a form or XML
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, body); err != nil {
			t.Fatal(err)
		}
		want := compact.String()
		if provider == "sendgrid" {
			want += "\r\n" // as it ends its lists
		}
		if string(body) != want {
			t.Errorf("%s is not on one line: %.60q", sample, body)
		}
	}
}
