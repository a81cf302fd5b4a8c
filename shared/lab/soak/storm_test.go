package soak_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/gate/breaker"
)

// plan is the configuration of a soak.
type plan struct {
	length  time.Duration // how long webhooks are sent
	rate    int           // webhooks a second, over all senders
	senders int
	// the first is well, the second and third sometimes fail, the others fail for whole phases
	endpoints int
	killEvery time.Duration // on average; 0: never
	seed      uint64        // decides the times of the kills; 0: another one each time
}

// The limits of a soak.
const (
	soakMost = 1_000_000 // webhooks
	// as long as an endpoint's deliveries can be held, and time to deliver them
	soakDrain    = breaker.MaxWait + 5*time.Minute
	soakPatience = 20 * time.Second // until the relay listens
	soakSample   = time.Second      // between samples of its memory
	soakTell     = 5 * time.Second  // between lines of progress
)

// errSoak says that a promise was broken. The printed figures say which.
var errSoak = errors.New("the soak found a promise broken")

// run sends webhooks to a relay while its endpoints misbehave and it is killed at random. Then it
// compares the ledger with what senders and endpoints saw. It uses only loopback and keeps
// everything in dir. errSoak means that something that got a 2xx is neither delivered nor dead, or
// was POSTed more often than the kills explain.
func (p plan) run(ctx context.Context, dir string, out io.Writer) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.seed == 0 {
		p.seed = rand.Uint64()
	}
	s := &soak{
		plan: p, dir: dir, out: out, sent: map[string]*soakWebhook{}, got: map[string]soakSeen{},
	}
	defer s.close()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out,
		"soak      %s at %d/s by %d senders to %d endpoints, killed every %s, seed %d, data in %s\n",
		s.length, s.rate, s.senders, s.endpoints, s.killEvery, s.seed, dir)
	if err := s.storm(ctx); err != nil {
		s.tell()
		return err
	}
	return s.judge(ctx)
}

func (p plan) check() error {
	if p.length <= 0 || p.rate < 1 || p.senders < 1 || p.endpoints < 1 || p.killEvery < 0 {
		return errors.New("length, rate, senders and endpoints are above zero")
	}
	if n := p.length.Seconds() * float64(p.rate); n > soakMost {
		return fmt.Errorf("%.0f webhooks, at most %d: make it shorter, or slower", n, soakMost)
	}
	return nil
}

// soak is one run.
type soak struct {
	plan
	dir    string
	out    io.Writer
	config string
	server *http.Server

	childMu sync.Mutex // held while the relay is killed and started
	child   *exec.Cmd
	memory  []int64 // of the relay, in bytes, one for each soakSample

	mu      sync.Mutex
	addr    string // where the relay listens, or listened last
	kills   int
	drains  bool                    // sending has ended
	open    int                     // open deliveries when the ledger was last read
	sent    map[string]*soakWebhook // by event
	refused int                     // posts that got no 2xx
	accepts []time.Duration
	got     map[string]soakSeen // by event and endpoint
	began   time.Time           // when the endpoints' first phase began
}

// soakWebhook is a webhook that got a 2xx.
type soakWebhook struct{ accepted, delivered time.Time }

// soakSeen is what an endpoint saw of an event.
type soakSeen struct {
	posts int
	taken bool // it answered 2xx
}

// prepare starts the endpoints and the relay.
func (s *soak) prepare(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.began = time.Now()
	s.server = &http.Server{Handler: http.HandlerFunc(s.receive), ReadHeaderTimeout: soakPatience}
	go func() { _ = s.server.Serve(listener) }()
	s.config = filepath.Join(s.dir, "soak.yaml")
	if err := os.WriteFile(
		s.config, []byte(s.configuration(listener.Addr().String())), 0o600,
	); err != nil {
		return err
	}
	return s.startRelay(ctx)
}

func soakEndpoint(i int) string { return fmt.Sprintf("e%d", i) }

// soakPicky is the endpoint that never accepts one webhook in ten.
const soakPicky = "picky"

func (s *soak) names() []string {
	names := []string{soakPicky}
	for i := range s.endpoints {
		names = append(names, soakEndpoint(i))
	}
	return names
}

// configuration returns one source and all endpoints, each of which gets every event.
func (s *soak) configuration(target string) string {
	var endpoints, subscriptions strings.Builder
	for _, name := range s.names() {
		schedule := "1s, 1s, 2s, 4s"
		if name == soakPicky {
			// only a part of its deliveries at the end may be ones that it never accepts, else the
			// circuit breaker would hold them
			schedule = ""
		}
		fmt.Fprintf(
			&endpoints,
			"  - {name: %s, url: \"http://%s/%s\", timeout: 1s, retry: {schedule: [%s]}}\n", name,
			target, name, schedule,
		)
		fmt.Fprintf(&subscriptions, "  - {source: app, endpoint: %s}\n", name)
	}
	return "sources:\n  - {name: app, provider: bearer, secrets: [soak]}\nendpoints:\n" +
		endpoints.String() +
		"subscriptions:\n" + subscriptions.String()
}

// startRelay starts the relay as a process and waits until it listens.
func (s *soak) startRelay(ctx context.Context) error {
	binary, err := command()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	listens := make(announcement, 1)
	args := []string{
		"local", "--quiet", "--addr", "127.0.0.1:0", "--data", s.dir, "--config", s.config,
	}
	child := exec.Command(binary, args...) // ended by close
	child.Stdout, child.Stderr = listens, &said
	if err := child.Start(); err != nil {
		return err
	}
	s.child = child
	waiting, stop := context.WithTimeout(ctx, soakPatience)
	defer stop()
	select {
	case addr := <-listens:
		s.mu.Lock()
		s.addr = addr
		s.mu.Unlock()
		return nil
	case <-waiting.Done():
		s.killRelay()
		return cmp.Or(
			ctx.Err(),
			fmt.Errorf("the relay did not listen within %s: %s", soakPatience, said.String()),
		)
	}
}

// announcement gets the relay's address from its output. The relay writes one line at a time.
type announcement chan string

func (a announcement) Write(line []byte) (int, error) {
	_, after, _ := strings.Cut(string(line), "is listening on http://")
	if addr, _, listens := strings.Cut(after, "/"); listens {
		a <- addr
	}
	return len(line), nil
}

// killRelay kills the relay, which has the effect of a power cut.
func (s *soak) killRelay() {
	if s.child != nil {
		_ = s.child.Process.Kill()
		_ = s.child.Wait()
		s.child = nil
	}
}

func (s *soak) close() {
	s.childMu.Lock()
	defer s.childMu.Unlock()
	s.killRelay()
	if s.server != nil {
		_ = s.server.Close()
	}
}

// pause waits for d. It returns ctx's error if ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// storm sends for the planned time, and then waits until all deliveries have ended. From then on
// the endpoints are well. It stops after soakDrain; judge reports what is still open.
func (s *soak) storm(ctx context.Context) error {
	bounded, stopAll := context.WithTimeout(ctx, s.length+soakDrain)
	defer stopAll()
	watching, stopWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { s.watchMemory(watching) })
	watchers.Go(func() {
		for pause(watching, soakTell) == nil {
			s.tell()
		}
	})
	err := s.sendAll(bounded)
	if err == nil {
		err = s.drain(bounded)
	}
	stopWatching()
	watchers.Wait()
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return errors.Join(err, ctx.Err())
}

// sendAll sends webhooks and kills the relay for the planned time.
func (s *soak) sendAll(ctx context.Context) error {
	g, working := errgroup.WithContext(ctx)
	sending, stop := context.WithTimeout(working, s.length)
	defer stop()
	for i := range s.senders {
		g.Go(func() error { return s.send(working, sending, i) })
	}
	g.Go(func() error { return s.killAtRandom(working, sending) })
	return g.Wait()
}

// tell prints the progress of the soak.
func (s *soak) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	doing := "sending"
	if s.drains {
		doing = fmt.Sprintf("waiting for %d deliveries", s.open)
	}
	_, _ = fmt.Fprintf(s.out,
		"so far    %d webhooks accepted, %d posts got no 2xx, the relay was killed %d times; %s\n",
		len(s.accepts), s.refused, s.kills, doing)
}

// send posts webhooks until sending ends. It continues with the current webhook until it gets a
// 2xx.
func (s *soak) send(ctx, sending context.Context, sender int) error {
	client := &http.Client{
		Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1},
	}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Duration(s.senders) * time.Second / time.Duration(s.rate))
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-sending.Done():
			return nil
		case <-tick.C:
		}
		if err := s.sendUntilAccepted(
			ctx, client, fmt.Sprintf("%d-%d-%d", s.seed, sender, n),
		); err != nil {
			return err
		}
	}
}

// sendUntilAccepted plays a provider: it posts one webhook until it gets a 2xx.
func (s *soak) sendUntilAccepted(ctx context.Context, client *http.Client, id string) error {
	for {
		began := time.Now()
		s.mu.Lock()
		addr := s.addr
		s.mu.Unlock()
		event, err := publish(ctx, client, addr, id)
		now := time.Now()
		if err == nil {
			s.mu.Lock()
			s.webhook(event).accepted = began
			s.accepts = append(s.accepts, now.Sub(began))
			s.mu.Unlock()
			return nil
		}
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// webhook returns the entry of an event. The caller holds mu.
func (s *soak) webhook(event string) *soakWebhook {
	w := s.sent[event]
	if w == nil {
		w = &soakWebhook{}
		s.sent[event] = w
	}
	return w
}

// publish posts a webhook to the relay at addr and returns the event's id. It returns an error if
// it gets no 2xx.
func publish(ctx context.Context, client *http.Client, addr, id string) (string, error) {
	req, err := http.NewRequestWithContext(
		ctx, http.MethodPost, "http://"+addr+"/in/app", strings.NewReader(`{"id":"`+id+`"}`),
	)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer soak")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", id)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || answer.ID == "" {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	return answer.ID, nil
}

// mood is how an endpoint behaves. The set is closed.
type mood int

const (
	well mood = iota
	moody
	failing
	resetting
	hanging
)

// phases are the moods of the endpoints from the fourth on, twice in a soak. Each endpoint begins
// with another one. Deliveries to them are held.
var phases = []mood{well, failing, moody, hanging, well, resetting}

// mood returns how an endpoint behaves towards an event at a time since the beginning. When sending
// has ended, all except the picky one are well.
func (s *soak) mood(name, event string, since time.Duration) mood {
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "e"))
	switch {
	case name == soakPicky && strings.ContainsAny(event[len(event)-1:], "abc"): // one of 32 letters
		return failing
	case name == soakPicky || n == 0 || since >= s.length:
		return well
	case n < 3:
		return moody
	}
	phase := int(since * time.Duration(2*len(phases)) / s.length)
	return phases[(phase+n)%len(phases)]
}

// receive plays all endpoints.
func (s *soak) receive(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	event, name := r.Header.Get("webhook-id"), strings.TrimPrefix(r.URL.Path, "/")
	is := s.mood(name, event, time.Since(s.began))
	if is == moody { // it fails one POST in five
		is = []mood{
			failing, failing, failing, failing, failing, resetting, resetting, resetting, resetting,
			hanging,
		}[rand.IntN(10)]
		if rand.IntN(5) > 0 {
			is = well
		}
	}
	s.mu.Lock()
	seen := s.got[event+" "+name]
	if seen.posts == 0 && name == soakEndpoint(0) {
		s.webhook(event).delivered = time.Now()
	}
	s.got[event+" "+name] = soakSeen{seen.posts + 1, seen.taken || is == well}
	s.mu.Unlock()
	switch is {
	case failing:
		w.WriteHeader(http.StatusServiceUnavailable)
	case resetting:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	case hanging:
		_ = pause(r.Context(), 5*time.Second)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// killAtRandom kills the relay and starts it again, until sending ends.
func (s *soak) killAtRandom(ctx, sending context.Context) error {
	if s.killEvery == 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(s.seed, 0))
	for {
		if pause(sending, time.Duration((0.5+rng.Float64())*float64(s.killEvery))) != nil {
			return ctx.Err()
		}
		s.childMu.Lock()
		s.killRelay()
		s.mu.Lock()
		s.kills++
		s.mu.Unlock()
		err := s.startRelay(ctx)
		s.childMu.Unlock()
		if err != nil {
			return err
		}
	}
}

// drain waits until no delivery of an accepted webhook is open.
func (s *soak) drain(ctx context.Context) error {
	s.mu.Lock()
	left := slices.Collect(maps.Keys(s.sent))
	s.mu.Unlock()
	for told := false; ; told = true {
		r, open, err := s.audit(ctx, left, nil)
		if err != nil {
			return err
		}
		left = open
		s.mu.Lock()
		s.drains, s.open = true, r.open
		s.mu.Unlock()
		if !told {
			s.tell()
		}
		if r.open == 0 {
			return nil
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}
