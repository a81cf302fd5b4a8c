package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

func TestDemonstrationShowsRetryAndDelivery(t *testing.T) {
	t.Parallel()
	_, out := startLocal(t, "--demo", "--data", t.TempDir())
	eventually(t, "the second attempt", func() bool {
		return strings.Contains(out.String(), "delivered")
	})
	for _, want := range []string{
		"accepted  evt_", "routed    evt_", "attempt 1: 503", "again in 1", "signature valid",
		"attempt 2: 204",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestPortInUseIsToldPlainly(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = run(t, "local", "--addr", l.Addr().String(), "--data", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "is in use") ||
		!strings.Contains(err.Error(), "--addr") {
		t.Errorf("got %v", err)
	}
}

func TestDirectoryInUseIsToldPlainly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startLocal(t, "--data", dir)
	_, err := run(t, "local", "--addr", "127.0.0.1:0", "--data", dir)
	if !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

// configFor returns a configuration with one source and one endpoint.
func configFor(url string) string {
	return `
sources:
  - {name: app, provider: bearer, secrets: [token]}
endpoints:
  - name: target
    url: ` + url + `
    timeout: 2s
    retry: {schedule: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]}
subscriptions:
  - {source: app, endpoint: target}
`
}

// postTo posts a webhook to the source "app" of configFor and returns the event's id. It returns an
// error if the answer was not 2xx.
func postTo(ctx context.Context, client *http.Client, addr, id string) (string, error) {
	body := strings.NewReader(`{"id":"` + id + `"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/in/app", body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer token")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", id)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || answer.ID == "" {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	return answer.ID, nil
}

func TestGuardBlocksLoopback(t *testing.T) {
	t.Parallel()
	target := newReceiver(t, nil)
	addr, out := startLocal(
		t, "--guard", "--data", t.TempDir(), "--config",
		writeFile(t, "relay.yaml", configFor(target.URL)),
	)
	if _, err := postTo(t.Context(), http.DefaultClient, addr, "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an attempt", func() bool {
		return strings.Contains(out.String(), "attempt 1: blocked")
	})
	if n, _ := target.count(); n != 0 {
		t.Errorf("the endpoint got %d webhooks", n)
	}
}

// A local relay that is stopped, by a signal or because its output is closed, finishes and records
// the attempts in flight.
func TestInterruptDrains(t *testing.T) {
	t.Parallel()
	// Under nohup a program ignores SIGHUP, and so does what it starts. Once it is handled here, what
	// is started here begins with the default.
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangUp) })
	signals := func(signals ...os.Signal) func(*exec.Cmd, io.Closer) error {
		return func(cmd *exec.Cmd, _ io.Closer) (err error) {
			for _, s := range signals {
				err = errors.Join(err, cmd.Process.Signal(s))
			}
			return err
		}
	}
	for name, end := range map[string]func(cmd *exec.Cmd, stdout io.Closer) error{
		"Ctrl-C":                 signals(syscall.SIGINT),
		"Ctrl-C again and again": signals(syscall.SIGINT, syscall.SIGINT, syscall.SIGINT),
		"kill":                   signals(syscall.SIGTERM),
		"the terminal is closed": signals(syscall.SIGHUP),
		"nobody reads what it tells": func(_ *exec.Cmd, stdout io.Closer) error {
			return stdout.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkDrains(t, end)
		})
	}
}

func checkDrains(t *testing.T, end func(cmd *exec.Cmd, stdout io.Closer) error) {
	t.Helper()
	inFlight, held := make(chan struct{}, 1), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(held) })
	target := newReceiver(t, func(http.ResponseWriter, *http.Request) {
		select {
		case inFlight <- struct{}{}:
		default: // another, accepted just before the end took effect
		}
		<-held
	})
	t.Cleanup(goOn) // before the receiver is closed, which waits for its requests
	dir := t.TempDir()
	cmd := command(
		t.Context(), "local", "--addr", "127.0.0.1:0", "--data", dir, "--config",
		writeFile(t, "relay.yaml", configFor(target.URL)),
	)
	stdout, stdin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	out := &output{}
	cmd.Stdout, cmd.Stderr = stdin, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	go func() { _, _ = io.Copy(out, stdout) }()
	addr := listeningOn(t, out)
	id, err := postTo(t.Context(), http.DefaultClient, addr, "1")
	if err != nil {
		t.Fatal(err)
	}
	<-inFlight
	if err := end(cmd, stdout); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no new requests", func() bool {
		_, err := postTo(t.Context(), http.DefaultClient, addr, "2")
		return err != nil
	})
	goOn()
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, out)
	}
	if d := recorded(t, dir, id)["target"]; d.Status != relay.Delivered {
		t.Errorf("the attempt in flight is on record as %+v\n%s", d, out)
	}
}

// recorded reads the deliveries of an event from a directory, by endpoint.
func recorded(t *testing.T, dir, event string) map[string]relay.Delivery {
	t.Helper()
	store, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, deliveries, err := store.Ledger().Event(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	byEndpoint := map[string]relay.Delivery{}
	for _, d := range deliveries {
		byEndpoint[d.Endpoint] = d
	}
	return byEndpoint
}

// TestNothingAcceptedIsLostWhenTheHostIsKilled sends two hundred webhooks. Meanwhile the host is
// killed with kill -9 and started again several times.
func TestNothingAcceptedIsLostWhenTheHostIsKilled(t *testing.T) {
	t.Parallel()
	const webhooks, kills = 200, 5
	target := newReceiver(t, nil)
	dir := t.TempDir()
	var addr atomic.Value // another one after each start
	config := writeFile(t, "relay.yaml", configFor(target.URL))
	start := func() func() {
		out := &output{}
		cmd := command(
			t.Context(), "local", "--quiet", "--addr", "127.0.0.1:0", "--data", dir, "--config",
			config,
		)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		addr.Store(listeningOn(t, out))
		return func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	kill := start()

	var mu sync.Mutex
	accepted := map[string]string{} // the event's id, by the provider's id
	ids := make(chan string, webhooks)
	for i := range webhooks {
		ids <- fmt.Sprint(i)
	}
	close(ids)
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second,
	}
	acceptedSoFar := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(accepted)
	}
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for id := range ids {
				for t.Context().Err() == nil { // as a provider does: again, until it gets a 2xx
					event, err := postTo(t.Context(), client, addr.Load().(string), id)
					if err == nil {
						mu.Lock()
						accepted[id] = event
						mu.Unlock()
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	for i := 1; i <= kills; i++ {
		eventually(t, "webhooks are accepted", func() bool {
			return acceptedSoFar() >= i*webhooks/(kills+1)
		})
		kill()
		kill = start()
	}
	senders.Wait()
	eventually(t, "everything accepted is delivered", func() bool {
		n, _ := target.count()
		return n >= webhooks
	})
	kill()

	different, all := target.count()
	t.Logf(
		"%d webhooks accepted, %d delivered in %d POSTs, the host killed %d times", len(accepted),
		different, all, kills+1,
	)
	for id, event := range accepted {
		if target.got[event] == 0 {
			t.Errorf("webhook %s got a 2xx as %s and was never delivered", id, event)
		}
	}
	if all > webhooks+(kills+1)*perEndpoint {
		t.Errorf("%d POSTs of %d webhooks: more than were in flight at the kills", all, webhooks)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := writeFile(t, "relay.yaml", configFor("https://a.example.com"))
	bad := writeFile(t, "bad.yaml", configFor("ftp://a.example.com"))
	revision := func() int64 {
		store, err := sqlite.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		sealer, err := keyfile.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, n, err := store.Catalog(sealer).LoadCatalog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	steps := []struct {
		args     []string
		want     []string
		fails    bool
		revision int64
	}{
		{[]string{"apply", bad, "--data", dir}, nil, true, 0},
		{
			[]string{"plan", good, "--data", dir},
			[]string{"+ source app", "this was a plan"}, false, 0,
		},
		{
			[]string{"apply", good, "--data", dir},
			[]string{
				"+ source app", "+ endpoint target", "+ subscription app → target", "revision 1",
				"whsec_",
			},
			false, 1,
		},
		{[]string{"apply", good, "--data", dir}, []string{"nothing to change"}, false, 1},
		{[]string{"apply", filepath.Join(dir, "none.yaml"), "--data", dir}, nil, true, 1},
	}
	for _, step := range steps {
		out, err := run(t, step.args...)
		if (err != nil) != step.fails {
			t.Fatalf("%v: %v\n%s", step.args, err, out)
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in:\n%s", step.args, want, out)
			}
		}
		if got := revision(); got != step.revision {
			t.Errorf("%v: revision %d, want %d", step.args, got, step.revision)
		}
	}
}

func TestApplyReachesARunningHost(t *testing.T) {
	t.Parallel()
	target := newReceiver(t, nil)
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	if _, err := postTo(t.Context(), http.DefaultClient, addr, "1"); err == nil {
		t.Fatal("accepted by a relay without sources")
	}
	if _, err := run(
		t, "apply", writeFile(t, "relay.yaml", configFor(target.URL)), "--data", dir,
	); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new source is in force", func() bool {
		_, err := postTo(t.Context(), http.DefaultClient, addr, "1")
		return err == nil
	})
	eventually(t, "the delivery", func() bool { n, _ := target.count(); return n == 1 })
}

// TestEndpointsAreListedEnabledAndDisabled takes an endpoint through failure, disabling and
// enabling. The relay sends its own events about it to an operator's endpoint.
func TestEndpointsAreListedEnabledAndDisabled(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	gone.Store(true)
	target := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if gone.Load() {
			w.WriteHeader(http.StatusGone)
		}
	})
	told := make(chan string, 10)
	operator := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("relay-event-type")
	})
	tells := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Errorf("told of %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("never told of %s", want)
		}
	}
	dir := t.TempDir()
	text := configFor(target.URL) +
		"  - {source: relay, endpoint: operator, types: [\"endpoint.*\"]}\n"
	text = strings.Replace(
		text, "subscriptions:", "  - {name: operator, url: "+operator.URL+"}\nsubscriptions:", 1,
	)
	addr, printed := startLocal(t, "--data", dir, "--config", writeFile(t, "relay.yaml", text))
	says := func(want string, args ...string) {
		t.Helper()
		if out, err := run(t, append(args, "--data", dir)...); err != nil ||
			!strings.Contains(out, want) {
			t.Errorf("%v: no %q: %v\n%s", args, want, err, out)
		}
	}
	says("\noperator  "+operator.URL, "endpoints")
	says("  healthy\ntarget    "+target.URL+"  healthy\n", "endpoints")
	event, err := postTo(t.Context(), http.DefaultClient, addr, "1")
	if err != nil {
		t.Fatal(err)
	}
	tells(gate.EndpointDisabled)
	says("it answered 410 Gone", "endpoints")
	says("target  dead, declined", "events", "get", event)
	if !strings.Contains(printed.String(), "disabled  target: it answered 410 Gone") {
		t.Errorf("the console does not tell:\n%s", printed)
	}
	for _, args := range [][]string{
		{"replay", "--endpoint", "target", "--event", event}, {"redrive", "--endpoint", "target"},
	} {
		fails(t, exitConflict, "relay resume target", append(args, "--data", dir)...)
	}
	says("disabled", "endpoints", "disable", "target", "--reason", "again", "--yes")
	says("relay redrive --endpoint target --reason endpoint_gone", "resume", "target")
	tells(gate.EndpointEnabled)
	says("recovering", "resume", "target")
	fails(t, exitUsage, "--yes", "endpoints", "disable", "target", "--data", dir)
	says("disabled", "endpoints", "disable", "target", "--reason", "it moves house", "--yes")
	tells(gate.EndpointDisabled)
	says("it moves house", "endpoints", "list")
	fails(t, exitNotFound, "nobody", "resume", "nobody", "--data", dir)
	fails(t, exitNotFound, "nobody", "endpoints", "disable", "nobody", "--yes", "--data", dir)
}

// The console prints one line for each thing that happens to an endpoint in trouble.
func TestConsoleTellsOfTrouble(t *testing.T) {
	t.Parallel()
	var out output
	c := newConsole(&out)
	attempt := relay.Attempt{Number: 1, Outcome: relay.FailedAnswer, StatusCode: 500}
	for _, r := range []relay.AttemptReport{
		{EventID: "evt_1", Endpoint: "a", Held: 30 * time.Second, HeldBy: gate.HeldOpen},
		{
			EventID: "evt_1", Endpoint: "a",
			Change: &gate.Change{Type: gate.EndpointOpened, Reason: "too many attempts failed"},
		},
		{
			EventID: "evt_1", Endpoint: "a", Change: &gate.Change{Type: gate.EndpointRecovered},
			Status: relay.Delivered, Attempt: attempt,
		},
		{
			EventID: "evt_1", Endpoint: "a", Status: relay.Dead, Reason: relay.Exhausted,
			Attempt: attempt,
		},
		{EventID: "evt_1", Endpoint: "a", Err: catalog.ErrConflict},
	} {
		c.Attempted(t.Context(), r)
	}
	c.flush()
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimSpace(line[len("15:04:05.000 "):]))
	}
	want := []string{
		"held      evt_1 to a for 30s by the circuit breaker", "opened    a: too many attempts failed", "recovered a",
		"delivered evt_1 to a, attempt 1: 500 in 0 ms",
		"dead      evt_1 to a, attempt 1: 500 in 0 ms: exhausted",
		"failed    evt_1 to a: relay: conflict",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileEndpointsDelayNobody sends to one well endpoint, and to others that hang, reset, speak
// no HTTP, or answer without end.
func TestHostileEndpointsDelayNobody(t *testing.T) {
	t.Parallel()
	good := newReceiver(t, nil)
	hang := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	endless := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		for chunk := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	reset := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	})
	noHTTP := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
			_ = conn.Close()
		}
	})
	text := "sources:\n  - {name: app, provider: bearer, secrets: [token]}\nendpoints:\n"
	subscriptions := "subscriptions:\n"
	for name, r := range map[string]*receiver{
		"good": good, "hang": hang, "endless": endless, "reset": reset, "nohttp": noHTTP,
	} {
		text += fmt.Sprintf(
			"  - {name: %s, url: %s, timeout: 3s, retry: {schedule: []}}\n", name, r.URL,
		)
		subscriptions += fmt.Sprintf("  - {source: app, endpoint: %s}\n", name)
	}
	dir := t.TempDir()
	addr, _ := startLocal(
		t, "--data", dir, "--config", writeFile(t, "relay.yaml", text+subscriptions),
	)
	const webhooks = 40
	var ids []string
	for i := range webhooks {
		id, err := postTo(t.Context(), http.DefaultClient, addr, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	eventually(t, "the good endpoint has everything", func() bool {
		n, _ := good.count()
		return n == webhooks
	})
	eventually(t, "the first webhook's attempts are on record", func() bool {
		return len(recorded(t, dir, ids[0])) == 5
	})
	for name, want := range map[string]struct {
		status  relay.Status
		outcome relay.Outcome
	}{
		"good": {relay.Delivered, relay.Succeeded}, "endless": {relay.Delivered, relay.Succeeded},
		"hang": {
			relay.Dead, relay.TimedOut,
		}, "reset": {relay.Dead, relay.Broken}, "nohttp": {relay.Dead, relay.Broken},
	} {
		if d := recorded(t, dir, ids[0])[name]; d.Status != want.status || len(d.History) != 1 ||
			d.History[0].Outcome != want.outcome {
			t.Errorf("%s: %+v", name, d)
		}
	}
	eventually(t, "an endpoint that only fails gets nothing for a while", func() bool {
		d := recorded(t, dir, ids[webhooks-1])["reset"]
		return d.Status == relay.Waiting && d.Attempts == 0
	})
}
