package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
)

// listenRig is a relay and a person who listens, each a process of its own.
type listenRig struct {
	t        *testing.T
	addr     string
	dir      string
	token    string
	app      *receiver
	down     atomic.Bool // the person's server answers 503
	relay    *exec.Cmd
	relayOut *output
}

func newListenRig(t *testing.T) *listenRig {
	t.Helper()
	r := &listenRig{t: t, dir: t.TempDir(), addr: freeAddress(t)}
	r.app = newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if r.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r.startRelay()
	t.Cleanup(func() { r.end(r.relay) })
	r.token = adminToken(t, r.dir)
	return r
}

// freeAddress returns an address that a process may listen on, again after it was killed.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *listenRig) startRelay() {
	r.t.Helper()
	file := writeFile(r.t, "relay.yaml",
		"sources: [{name: app, provider: bearer, secrets: [a-token-of-the-app]}]")
	r.relay, r.relayOut = r.start(
		"local", "--addr", r.addr, "--data", r.dir, "--config", file, "--quiet",
	)
	listeningOn(r.t, r.relayOut)
}

// start starts the command as a process.
func (r *listenRig) start(args ...string) (*exec.Cmd, *output) {
	r.t.Helper()
	cmd, out := command(context.Background(), args...), &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+r.dir, "RELAY_TOKEN="+r.token)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd, out
}

// end kills a process, wherever it is.
func (r *listenRig) end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// listen starts relay listen, and waits until it is ready.
func (r *listenRig) listen(args ...string) (*exec.Cmd, *output) {
	r.t.Helper()
	cmd, out := r.start(append([]string{
		"listen", "--url", "http://" + r.addr, "--forward", r.app.URL, "--pause", "200ms",
		"--timeout", "2s",
	}, args...)...)
	r.t.Cleanup(func() { r.end(cmd) })
	eventually(r.t, "it listens", func() bool {
		return strings.Contains(out.String(), "ready      waiting")
	})
	return cmd, out
}

// send sends webhooks, and returns the ids of their events.
func (r *listenRig) send(n int) (ids []string) {
	r.t.Helper()
	for range n {
		req, err := http.NewRequestWithContext(
			r.t.Context(), "POST", "http://"+r.addr+"/in/app", strings.NewReader("{}"),
		)
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer a-token-of-the-app")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		var b strings.Builder
		_ = resp.Write(&b)
		_ = resp.Body.Close()
		id := regexp.MustCompile(`evt_[a-z0-9]+`).FindString(b.String())
		if id == "" {
			r.t.Fatal(b.String())
		}
		ids = append(ids, id)
	}
	return ids
}

// arrive waits until the person's server has got each event, and checks how often.
func (r *listenRig) arrive(what string, ids []string, most int) {
	r.t.Helper()
	eventually(r.t, what, func() bool { return len(r.counts(ids)) == len(ids) })
	for id, n := range r.counts(ids) {
		if n > most {
			r.t.Errorf("%s: %s arrived %d times, want at most %d", what, id, n, most)
		}
	}
}

func (r *listenRig) counts(ids []string) map[string]int {
	r.app.mu.Lock()
	defer r.app.mu.Unlock()
	counts := maps.Clone(r.app.got)
	maps.DeleteFunc(counts, func(id string, _ int) bool { return !slices.Contains(ids, id) })
	return counts
}

// TestListenSurvives: the relay is killed, the command is stopped and killed, and the person's
// server is down. Nothing is lost, and nothing is forwarded twice that the server had taken.
func TestListenSurvives(t *testing.T) {
	t.Parallel()
	r := newListenRig(t)
	cmd, out := r.listen()
	r.arrive("while all is well", r.send(5), 1)

	r.end(r.relay)
	r.startRelay()
	r.arrive("after the relay was killed", r.send(5), 1)

	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	slept := r.send(5)
	r.end(r.relay) // what is kept outlives it
	r.startRelay()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.arrive("after a sleep", slept, 1)

	r.down.Store(true)
	refused := r.send(3)
	eventually(t, "they are tried", func() bool { return len(r.counts(refused)) == 3 })
	r.end(cmd)
	r.down.Store(false)
	missed := r.send(3)
	id := regexp.MustCompile(`lis_[a-z2-7]+`).FindString(out.String())
	before := r.counts(refused)
	cmd, out = r.listen("--resume", id)
	r.arrive("what came while the command did not run", missed, 1)
	eventually(t, "what the server had refused comes again", func() bool {
		return !slices.ContainsFunc(refused, func(event string) bool {
			return r.counts(refused)[event] == before[event]
		})
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), id+" is removed") {
		t.Errorf("%v\n%s", err, out)
	}
	if got, err := run(t, "listeners", "--data", r.dir); err != nil || strings.Contains(got, id) {
		t.Errorf("%v\n%s", err, got)
	}
}

// TestTheHostStopsWhileSomebodyListens: Ctrl-C does not wait for the end of a long poll.
func TestTheHostStopsWhileSomebodyListens(t *testing.T) {
	t.Parallel()
	r := newListenRig(t)
	r.listen()
	began := time.Now()
	if err := r.relay.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := r.relay.Wait(); err != nil || time.Since(began) > drainTime/2 {
		t.Errorf("after %v: %v\n%s", time.Since(began), err, r.relayOut)
	}
}

// box is a mailbox of a test.
type box struct {
	mu      sync.Mutex
	waiting [][]byte
	hidden  []released
	deleted int
	fails   error
}

type released struct {
	body []byte
	at   time.Time
}

func (b *box) receive(ctx context.Context, most int, hide time.Duration) ([]received, error) {
	for range 100 {
		b.mu.Lock()
		if b.fails != nil {
			defer b.mu.Unlock()
			return nil, b.fails
		}
		b.hidden = slices.DeleteFunc(b.hidden, func(h released) bool {
			if over := !time.Now().Before(h.at); over {
				b.waiting = append(b.waiting, h.body)
				return true
			}
			return false
		})
		if n := min(most, len(b.waiting)); n > 0 {
			defer b.mu.Unlock()
			var got []received
			for _, body := range b.waiting[:n] {
				got = append(got, received{handle: string(body), body: body})
				b.hidden = append(b.hidden, released{body, time.Now().Add(hide)})
			}
			b.waiting = b.waiting[n:]
			return got, nil
		}
		b.mu.Unlock()
		if pause(ctx, 200*time.Millisecond) != nil {
			break
		}
	}
	return nil, nil
}

func (b *box) done(_ context.Context, handle string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deleted++
	b.hidden = slices.DeleteFunc(b.hidden, func(h released) bool {
		return string(h.body) == handle
	})
	return nil
}

func (b *box) again(_ context.Context, handle string, after time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, h := range b.hidden {
		if string(h.body) == handle {
			b.hidden[i].at = time.Now().Add(after)
		}
	}
	return nil
}

func (b *box) put(event, again string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, listen.Copy{Again: again, Event: relay.Event{
		ID: event, Source: "app", ReceivedAt: time.Now(), Body: []byte("{}"),
	}}.Encode())
}

func (b *box) setFails(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = err
}

// newListening returns a run of the command on a mailbox, which shows events only.
func newListening(b *box, out *output, flags listenCommand) *listening {
	l := &listening{
		inv: newInvocation(streams(out)), flags: &flags, box: b,
		listener:    admin.ListenerView{ID: "lis_a"},
		renewAt:     time.Now().Add(1000 * time.Hour),
		heardEvents: heardEvents{heard: map[string]*heard{}},
	}
	l.view = l.newView()
	return l
}

// TestRepeatsAreDropped: an event that the queue hands out again is not shown again, however long
// after. One that is asked for again is.
func TestRepeatsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, out := &box{}, &output{}
		l := newListening(b, out, listenCommand{Timeout: time.Second, Pause: 30 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.listen(ctx) }()
		b.put("evt_a", "")
		time.Sleep(time.Minute)
		b.put("evt_a", "")
		b.put("evt_b", "")
		time.Sleep(24 * time.Hour)
		b.put("evt_a", "")
		b.put("evt_a", "once more")
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; !errors.Is(err, errListened) {
			t.Error(err)
		}
		shown := regexp.MustCompile(`evt_\w`).FindAllString(out.String(), -1)
		if !slices.Equal(shown, []string{"evt_a", "evt_b", "evt_a"}) || b.deleted != 5 {
			t.Errorf("shown %v, %d deleted", shown, b.deleted)
		}
	})
}

// TestSilenceIsTold: once, after a while, and again when it is over.
func TestSilenceIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, out := &box{}, &output{}
		l := newListening(b, out, listenCommand{Timeout: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.listen(ctx) }()
		b.setFails(errors.New("no route to host"))
		time.Sleep(25 * time.Second)
		if strings.Contains(out.String(), "no answer") {
			t.Errorf("told too early: %s", out)
		}
		time.Sleep(5 * time.Minute)
		if n := strings.Count(out.String(), "no answer  for 30s: no route to host"); n != 1 {
			t.Errorf("told %d times: %s", n, out)
		}
		b.setFails(nil)
		b.put("evt_a", "")
		time.Sleep(time.Minute)
		if !strings.Contains(out.String(), "connected again") ||
			!strings.Contains(out.String(), "evt_a") {
			t.Error(out)
		}
		b.setFails(&admin.Problem{Status: http.StatusNotFound, Title: "There is no such thing"})
		if err := <-ended; err == nil || !l.gone {
			t.Errorf("the listener is gone: %v", err)
		}
		cancel()
	})
}

// TestPause: nothing is taken from the queue meanwhile.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, out := &box{}, &output{}
		l := newListening(b, out, listenCommand{Timeout: time.Second})
		l.paused.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.listen(ctx) }()
		b.put("evt_a", "")
		time.Sleep(time.Hour)
		if out.String() != "" || len(b.waiting) != 1 {
			t.Errorf("%d wait: %s", len(b.waiting), out)
		}
		l.paused.Store(false)
		time.Sleep(time.Second)
		if !strings.Contains(out.String(), "evt_a") {
			t.Errorf("after the pause: %s", out)
		}
		cancel()
		<-ended
	})
}

func TestForwardTargets(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		":3000": "http://localhost:3000", "localhost:3000/hooks": "http://localhost:3000/hooks",
		"https://app.test/a?b=c": "https://app.test/a?b=c", "3000": "http://3000",
		"ftp://a": "", "http://": "", "": "",
	} {
		c := listenCommand{Forward: given, Timeout: time.Second}
		u, err := c.target()
		if got := fmt.Sprint(u); err == nil && u != nil && got != want ||
			(err != nil) != (want == "" && given != "") {
			t.Errorf("%q: %s, %v, want %q", given, got, err, want)
		}
	}
}
