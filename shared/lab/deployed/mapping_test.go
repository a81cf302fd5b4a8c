package deployed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/lab/deployed"
)

// askedAt is an environment variable. If it is set, the test binary is a function of a stack, and
// asks at this URL before its batch is processed.
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
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("asked, and was told %s", resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// A backlog of slow batches runs with exactly the maximum concurrency of the template.
func TestMaximumConcurrency(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int32{"fewer than at first": 2, "more than at first": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const messages = 12
			var inFlight, highest, answered atomic.Int32
			var mu sync.Mutex
			release := make(chan struct{})
			defer close(release)
			slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				mu.Lock()
				highest.Store(max(highest.Load(), inFlight.Add(1)))
				mu.Unlock()
				<-release
				inFlight.Add(-1)
				answered.Add(1)
			}))
			t.Cleanup(slow.Close)
			host, queue := startWithSlowFunction(t, slow.URL, most)
			for range messages {
				if _, err := host.SQS.SendMessage(
					t.Context(), &awssqs.SendMessageInput{QueueUrl: &queue, MessageBody: new("{}")},
				); err != nil {
					t.Fatal(err)
				}
			}
			// one answer at a time, each when the maximum number of batches is in flight
			for n := range int32(messages) {
				left := min(most, messages-n)
				eventually(t, fmt.Sprintf("%d in flight", left), func() bool {
					return inFlight.Load() == left
				})
				release <- struct{}{}
				eventually(t, "an answer", func() bool { return answered.Load() == n+1 })
			}
			if got := highest.Load(); got != most || host.Instances("Function") > int(most) {
				t.Errorf(
					"%d batches in flight at once, %d instances; want %d", got,
					host.Instances("Function"), most,
				)
			}
		})
	}
}

// startWithSlowFunction starts the small stack with batches of one, a maximum concurrency, and a
// function that asks at url.
func startWithSlowFunction(
	t *testing.T, url string, most int32,
) (host *deployed.Host, queue string) {
	t.Helper()
	return startAsking(t, url, most, 900)
}

// startAsking does the same with a visibility timeout in seconds. The function's timeout is equally
// long.
func startAsking(
	t *testing.T, url string, most int32, seconds int,
) (host *deployed.Host, queue string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	template := strings.NewReplacer(`"BatchSize": 10`, `"BatchSize": 1`, `"MaximumConcurrency": 2`,
		fmt.Sprintf(`"MaximumConcurrency": %d`, most),
		`"VisibilityTimeout": 60`, fmt.Sprintf(
			`"VisibilityTimeout": %d`, seconds,
		), `"Timeout": 10`, fmt.Sprintf(`"Timeout": %d`, seconds),
		`{"URL": {"Ref": "Queue12345678"}}`, fmt.Sprintf(`{%q: %q}`, askedAt, url)).Replace(small)
	assemble(t, dir, template)
	if host, err = deployed.Start(t.Context(), dir, io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	return host, host.Queue("Queue")
}

// asked is a server that a function asks. It refuses the first requests, as many as it is told, and
// counts all.
func asked(t *testing.T, refusals int32) (url string, times *atomic.Int32) {
	t.Helper()
	times = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if times.Add(1) <= refusals {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, times
}

func put(t *testing.T, host *deployed.Host, queue string) {
	t.Helper()
	if _, err := host.SQS.SendMessage(
		t.Context(), &awssqs.SendMessageInput{QueueUrl: &queue, MessageBody: new("{}")},
	); err != nil {
		t.Fatal(err)
	}
}

// count returns how many messages of a queue are in a state.
func count(
	t *testing.T, host *deployed.Host, queue string, state sqstypes.QueueAttributeName,
) string {
	t.Helper()
	out, err := host.SQS.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{
		QueueUrl: &queue, AttributeNames: []sqstypes.QueueAttributeName{state},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes[string(state)]
}

func TestAFailedMessageComesBackAfterTheVisibilityTimeout(t *testing.T) {
	t.Parallel()
	const seconds = 3
	url, times := asked(t, 1)
	host, queue := startAsking(t, url, 2, seconds)
	began := time.Now() // before it can have been received
	put(t, host, queue)
	eventually(t, "it is processed", func() bool { return times.Load() == 2 })
	if took := time.Since(began); took < seconds*time.Second {
		t.Errorf("it came back within %v, its visibility timeout is %d s", took, seconds)
	}
}

func TestAVisibilityTimeoutCanBePassed(t *testing.T) {
	t.Parallel()
	url, times := asked(t, 1)
	host, queue := startAsking(t, url, 2, 900)
	put(t, host, queue)
	eventually(t, "it has failed, and is passed", func() bool {
		n, err := host.PassVisibility(t.Context(), "Queue")
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	eventually(t, "it is processed", func() bool { return times.Load() == 2 })
}

// SQS counts receives that reach no function, and moves a message after the template's maximum
// number of receives.
func TestThrottledReceivesReachNobodyAndCount(t *testing.T) {
	t.Parallel()
	url, times := asked(t, 0)
	host, queue := startAsking(t, url, 2, 900)
	host.Throttle("Queue", 5) // maxReceiveCount
	put(t, host, queue)
	eventually(t, "it is put aside", func() bool {
		if _, err := host.PassVisibility(t.Context(), "Queue"); err != nil {
			t.Fatal(err)
		}
		return count(
			t, host, host.Queue("Dlq"), sqstypes.QueueAttributeNameApproximateNumberOfMessages,
		) == "1"
	})
	if n := times.Load(); n != 0 {
		t.Errorf("%d batches reached the function", n)
	}
	put(t, host, queue)
	eventually(t, "the next is processed", func() bool { return times.Load() == 1 })
}

func TestAStoppedQueueIsLate(t *testing.T) {
	t.Parallel()
	url, times := asked(t, 0)
	host, queue := startAsking(t, url, 2, 900)
	resume := host.Stop("Queue")
	for range 3 {
		put(t, host, queue)
	}
	// A batch that a poller requested before the stop waits too.
	waiting, inFlight := sqstypes.QueueAttributeNameApproximateNumberOfMessages,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	if got := count(
		t, host, queue, waiting,
	) + "+" + count(t, host, queue, inFlight); !slices.Contains(
		[]string{"3+0", "2+1", "1+2"}, got,
	) {
		t.Errorf("waiting and in flight are %s messages of 3", got)
	}
	if n := times.Load(); n != 0 {
		t.Errorf("%d batches reached the function", n)
	}
	resume()
	resume()
	eventually(t, "all are processed", func() bool { return times.Load() == 3 })
}
