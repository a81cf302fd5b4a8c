package deployed_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/deployed"
)

// askedAt is in the environment of the test binary where it is a function of a stack: what it asks before it has processed its batch.
const askedAt = "DEPLOYED_TEST_ASKS"

func TestMain(m *testing.M) {
	if url := os.Getenv(askedAt); url != "" {
		lambda.Start(func(ctx context.Context, _ events.SQSEvent) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{}, ask(ctx, url)
		})
		return
	}
	os.Exit(m.Run())
}

func ask(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// A backlog of slow batches has as many in hand at once as the template allows, and no more.
func TestMaximumConcurrency(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int32{"fewer than at first": 2, "more than at first": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const messages = 12
			var inHand, highest, answered atomic.Int32
			var mu sync.Mutex
			release := make(chan struct{})
			defer close(release)
			slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				mu.Lock()
				highest.Store(max(highest.Load(), inHand.Add(1)))
				mu.Unlock()
				<-release
				inHand.Add(-1)
				answered.Add(1)
			}))
			t.Cleanup(slow.Close)
			host, queue := startWithSlowFunction(t, slow.URL, most)
			for range messages {
				if _, err := host.SQS.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &queue, MessageBody: new("{}")}); err != nil {
					t.Fatal(err)
				}
			}
			for n := range int32(messages) { // one answer at a time, each when there are as many in hand as can be
				left := min(most, messages-n)
				eventually(t, fmt.Sprintf("%d in hand", left), func() bool { return inHand.Load() == left })
				release <- struct{}{}
				eventually(t, "an answer", func() bool { return answered.Load() == n+1 })
			}
			if got := highest.Load(); got != most || host.Instances("Function") > int(most) {
				t.Errorf("%d batches in hand at once, %d instances; want %d", got, host.Instances("Function"), most)
			}
		})
	}
}

// startWithSlowFunction starts the small stack with batches of one, a maximum concurrency, and a function that asks at url.
func startWithSlowFunction(t *testing.T, url string, most int32) (host *deployed.Host, queue string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	template := strings.NewReplacer(`"BatchSize": 10`, `"BatchSize": 1`, `"MaximumConcurrency": 2`, fmt.Sprintf(`"MaximumConcurrency": %d`, most),
		`"VisibilityTimeout": 60`, `"VisibilityTimeout": 900`, `"Timeout": 10`, `"Timeout": 900`,
		`{"URL": {"Ref": "Queue12345678"}}`, fmt.Sprintf(`{%q: %q}`, askedAt, url)).Replace(small)
	if err := os.WriteFile(filepath.Join(dir, "Relay.template.json"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if host, err = deployed.Start(t.Context(), dir, io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	return host, host.Queue("Queue")
}
