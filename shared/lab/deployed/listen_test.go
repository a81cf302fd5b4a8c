package deployed_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/verify"
)

// listenPrefix is that of the template, whose stage is dev.
const listenPrefix = "webhook-relay-dev-listen-"

// listeners returns the listeners of the stack, as they are at a time.
func listeners(t *testing.T, w *world, now func() time.Time) *listen.Listeners {
	t.Helper()
	tables, table := w.host.Tables, w.host.Outputs["CatalogTable"]
	made, err := listen.New(listen.Config{
		Documents: dynamo.NewDocuments(tables, table), Now: now,
		Marks: dynamo.NewCatalog(tables, table, nil), Queues: sqs.ListenQueues{
			Client: sqs.Client(w.host.Config("sqs")), Beside: w.host.Queue("Ingest"), Prefix: listenPrefix,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// listenQueues lists the queues of listeners.
func (w *world) listenQueues(t *testing.T) []string {
	t.Helper()
	prefix := listenPrefix
	out, err := w.host.SQS.ListQueues(t.Context(), &awssqs.ListQueuesInput{
		QueueNamePrefix: &prefix,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrls
}

// oldListener makes a listener that nobody has needed for two days.
func oldListener(t *testing.T, w *world) string {
	t.Helper()
	all := listeners(t, w, func() time.Time { return time.Now().Add(-48 * time.Hour) })
	l, err := all.Prepare(listen.Listener{TTL: time.Hour})
	if err == nil {
		_, err = all.Add(t.Context(), l)
	}
	if err != nil {
		t.Fatal(err)
	}
	if queues := w.listenQueues(t); len(queues) != 1 {
		t.Fatalf("queues of listeners: %v", queues)
	}
	return l.ID
}

// isRemoved: the sweep has removed a listener with its queue.
func isRemoved(t *testing.T, w *world, id string) {
	if left, err := listeners(t, w, time.Now).List(t.Context(), ""); err != nil || len(left) > 0 {
		t.Errorf("%s is left: %v, %v", id, left, err)
	}
	if queues := w.listenQueues(t); len(queues) > 0 {
		t.Errorf("queues are left: %v", queues)
	}
}

// laptop is the machine of a person, with the built command and a server that gets what is
// forwarded.
type laptop struct {
	w       *world
	command string
	env     []string
	server  *httptest.Server

	mu   sync.Mutex
	got  []post
	down bool // the server answers 503
}

const listenSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

func newLaptop(t *testing.T, w *world) *laptop {
	t.Helper()
	dir := t.TempDir()
	l := &laptop{w: w, command: filepath.Join(dir, "relay")}
	build := exec.CommandContext(
		t.Context(), "go", "build", "-o", l.command, "./functions/relay",
	)
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l.env = append(
		os.Environ(), "XDG_CONFIG_HOME="+dir, "RELAY_URL="+w.host.Outputs["IngressUrl"],
		"RELAY_TOKEN="+newToken(t, w.host), "AWS_ENDPOINT_URL_SQS="+w.host.Sessions(),
		"RELAY_LISTEN_SECRET="+listenSecret,
	)
	l.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, post{r.Header, body})
		if l.down {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(l.server.Close)
	return l
}

// posts returns what the server got of an event.
func (l *laptop) posts(event string) (found []post) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.got {
		if p.header.Get("webhook-id") == event {
			found = append(found, p)
		}
	}
	return found
}

func (l *laptop) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// run runs the command to its end, and returns what it prints.
func (l *laptop) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.command, args...)
	cmd.Env = l.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("relay %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// process is a command that runs.
type process struct {
	*exec.Cmd
	out *logged
}

// listen starts relay listen, and waits until it is ready.
func (l *laptop) listen(t *testing.T, args ...string) process {
	t.Helper()
	p := process{exec.CommandContext( //nolint:gosec // it was built here
		t.Context(), l.command, append([]string{
			"listen", "--forward", l.server.URL, "--pause", "1s", "--timeout", "2s",
		}, args...)...,
	), &logged{}}
	p.Env, p.Stdout, p.Stderr = l.env, p.out, p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if strings.Contains(p.out.String(), "ready      waiting") {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready:\n%s", p.out)
		}
	}
}

// listened: a person without access to AWS listens, while credentials end, the server is down and
// the command is killed. Every event arrives, once.
func listened(t *testing.T, w *world) {
	l := newLaptop(t, w)
	webhook := func(body []byte) string {
		t.Helper()
		return w.send(t, "shop", verify.Webhook{DeliveryID: rand.Text(), Body: body})
	}
	arrives := func(what, event string, times int) {
		t.Helper()
		eventually(t, what, func() bool { return len(l.posts(event)) == times })
	}
	p := l.listen(t, "shop")
	small := webhook([]byte(`{"a": "small one"}`))
	arrives("a small event", small, 1)
	verifier, err := standardwebhooks.NewWebhook(listenSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := l.posts(small)[0]
	if err := verifier.Verify(got.body, got.header); err != nil ||
		got.header.Get("relay-source") != "shop" || string(got.body) != `{"a": "small one"}` {
		t.Errorf("%v, %v %s", err, got.header, got.body)
	}
	noise := make([]byte, 200<<10)
	_, _ = rand.Read(noise)
	large := webhook(noise)
	arrives("a large event", large, 1)
	if body := l.posts(large)[0].body; !bytes.Equal(body, noise) {
		t.Errorf("%d bytes arrive of %d", len(body), len(noise))
	}

	w.host.ExpireSessions()
	arrives("an event after the credentials have ended", webhook([]byte(`{}`)), 1)

	l.setDown(true)
	kept := webhook([]byte(`{"a": "kept one"}`))
	eventually(t, "it is tried", func() bool { return len(l.posts(kept)) >= 2 })
	l.setDown(false)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // it was killed
	missed := webhook([]byte(`{"a": "missed one"}`))
	w.settled(t, missed, "shop", "delivered", 1)
	id := regexp.MustCompile(`lis_[a-z2-7]+`).FindString(p.out.String())
	p = l.listen(t, "--resume", id)
	arrives("an event that came while the command did not run", missed, 1)
	l.run(t, "replay", "--event", small, "--to", id)
	arrives("an event that is asked for again", small, 2)
	looksAfter(t, l, small)
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v\n%s", err, p.out)
	}
	for _, queue := range w.listenQueues(t) {
		if strings.HasSuffix(queue, strings.TrimPrefix(id, "lis_")) {
			t.Errorf("its queue is left: %s", queue)
		}
	}
	for event, times := range map[string]int{small: 2, large: 1, missed: 1} {
		if n := len(l.posts(event)); n != times {
			t.Errorf("%s arrived %d times, want %d", event, n, times)
		}
	}
	if d := w.settled(t, kept, "shop", "delivered", 1); d.Attempts != 1 {
		t.Errorf("the delivery of an event that nobody took here has %d attempts", d.Attempts)
	}
}

// looksAfter runs commands that look after the relay.
func looksAfter(t *testing.T, l *laptop, event string) {
	t.Helper()
	if out := l.run(t, "events", "--since", "1h", "--source", "shop", "--json"); !strings.Contains(
		out, event,
	) {
		t.Errorf("events: %s", out)
	}
	if out := l.run(t, "listeners"); !strings.Contains(out, "active") {
		t.Errorf("listeners: %s", out)
	}
	l.run(t, "replay", "--event", event, "--endpoint", "shop")
	eventually(t, "it is delivered again", func() bool {
		return len(l.w.posts("shop", event)) == 2
	})
	var found []finding
	for line := range strings.Lines(l.doctor(t)) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found = append(found, f)
	}
	for _, what := range []string{
		"url", "clock", "token", "endpoints", "deliveries", "alarms", "concurrency", "queued",
		"started", "awaited",
	} {
		if !slices.ContainsFunc(found, func(f finding) bool {
			return f.What == what && f.Result != "fail"
		}) {
			t.Errorf("doctor says nothing good of %s: %+v", what, found)
		}
	}
	if !slices.ContainsFunc(found, func(f finding) bool {
		return strings.HasPrefix(f.What, "queue") && !strings.Contains(f.Detail, "cannot be read")
	}) {
		t.Errorf("doctor says nothing of queues: %+v", found)
	}
}

// finding is a line of relay doctor.
type finding struct{ Result, What, Detail string }

// doctor runs relay doctor. Endpoints of other tests are not well, so it may end with 1.
func (l *laptop) doctor(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(
		t.Context(), l.command, "doctor", "--json", "--stack", "webhook-relay-dev",
	)
	cmd.Env = append(slices.Clone(l.env), l.w.host.Account()...)
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	return string(out)
}
