package soak_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

var (
	soakFor = flag.Duration("for", 0, "how long TestSoak sends; 0 skips it")
	full    plan
)

func init() {
	flag.IntVar(&full.rate, "rate", 200, "TestSoak's webhooks a second")
	flag.IntVar(&full.senders, "senders", 16, "TestSoak's senders")
	flag.IntVar(&full.endpoints, "endpoints", 4, "TestSoak's endpoints")
	flag.DurationVar(
		&full.killEvery, "kill-every", 10*time.Second,
		"TestSoak kills the relay this often, on average; 0: never",
	)
	flag.Uint64Var(&full.seed, "seed", 0, "TestSoak's kills follow from it; 0: another each time")
}

// built is the path of the command, which is built once for all tests.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		panic(err)
	}
	built = filepath.Join(dir, "relay")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// command returns the path of the built command.
var command = sync.OnceValues(func() (string, error) {
	if out, err := exec.Command(
		"go", "build", "-o", built, "../../../functions/relay",
	).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return built, nil
})

// TestSoak soaks the relay for as long as -for says. If it fails, its data is kept.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("it lasts as long as make soak FOR=10m says; TestShortSoak runs always")
	}
	dir, err := os.MkdirTemp("", "relay-soak-") //nolint:usetesting // it stays where the soak fails
	if err != nil {
		t.Fatal(err)
	}
	full.length = *soakFor
	if err := full.run(t.Context(), dir, t.Output()); err != nil {
		t.Fatalf("%v; its data is in %s", err, dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// TestShortSoak kills the relay under load for a few seconds.
func TestShortSoak(t *testing.T) {
	var out strings.Builder
	p := plan{
		length: 3 * time.Second, rate: 50, senders: 4, endpoints: 3, killEvery: time.Second,
		seed: 1,
	}
	err := p.run(t.Context(), t.TempDir(), &out)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"so far ", "accepted ", "p99 ", "lost      0", "duplicate ",
		" 0 deliveries late or missing, 0 unaccounted for",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	for unwanted, means := range map[string]string{
		"swept     0 events": "the sweeper saw nothing", " 0 dead and listed": "nothing died",
		"killed 0 times": "the relay was never killed",
	} {
		if strings.Contains(out.String(), unwanted) {
			t.Error(means)
		}
	}
}

// A soak that is stopped has neither a verdict nor success.
func TestAnInterruptedSoakTellsHowFarItWas(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := stopper{stop: stop}
	err := plan{length: 10 * time.Minute, rate: 20, senders: 1, endpoints: 1}.run(
		ctx, t.TempDir(), &out,
	)
	if !errors.Is(err, context.Canceled) || !strings.Contains(out.String(), "so far ") {
		t.Errorf("got %v:\n%s", err, &out)
	}
	if strings.Contains(out.String(), "lost ") {
		t.Errorf("a verdict all the same:\n%s", &out)
	}
}

// stopper stops a soak when it prints that it has begun.
type stopper struct {
	strings.Builder
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	s.stop()
	return s.Builder.Write(p)
}

// TestSoakTellsWhatIsLost compares deliveries with what an endpoint saw and what is listed.
func TestSoakTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status relay.Status
		seen   soakSeen
		listed bool
		want   soakResult
	}{
		"delivered and taken": {
			relay.Delivered, soakSeen{1, true}, false, soakResult{delivered: 1},
		},
		"delivered and never seen": {
			relay.Delivered, soakSeen{0, false}, false, soakResult{delivered: 1, lost: 1},
		},
		"delivered and never taken": {
			relay.Delivered, soakSeen{1, false}, false, soakResult{delivered: 1, lost: 1},
		},
		"POSTed twice too often": {
			relay.Delivered, soakSeen{3, true}, false, soakResult{delivered: 1, duplicates: 2},
		},
		"dead and listed": {relay.Dead, soakSeen{1, false}, true, soakResult{dead: 1}},
		"dead and not listed": {
			relay.Dead, soakSeen{1, false}, false, soakResult{dead: 1, lost: 1},
		},
		"waiting": {relay.Waiting, soakSeen{1, false}, false, soakResult{open: 1}},
	} {
		var got soakResult
		got.count(relay.Delivery{Status: tt.status, Attempts: 1}, tt.seen, tt.listed)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestSoakVerdict(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kills  int
		result soakResult
		want   error
	}{
		"all is well":                         {1, soakResult{delivered: 9, dead: 1}, nil},
		"as many duplicates as kills explain": {2, soakResult{duplicates: 2 * 3 * soakInHand}, nil},
		"one duplicate more": {
			2, soakResult{duplicates: 2*3*soakInHand + 1}, errSoak,
		},
		"duplicates without a kill": {0, soakResult{duplicates: 1}, errSoak},
		"lost":                      {1, soakResult{lost: 1}, errSoak},
		"open":                      {1, soakResult{open: 1}, errSoak},
	} {
		s := &soak{plan: plan{endpoints: 2}, kills: tt.kills}
		if err := s.verdict(tt.result, operate.SweepReport{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// Each endpoint from the fourth on goes through every mood, but not all of them in the same mood at
// a time. At the end all except the picky one are well.
func TestSoakEndpointsHavePhases(t *testing.T) {
	t.Parallel()
	s := &soak{plan: plan{length: time.Minute, endpoints: 5}}
	moods, together := map[mood]bool{}, true
	for at := time.Duration(0); at < s.length; at += time.Second {
		moods[s.mood("e3", "evt_z", at)] = true
		together = together && s.mood("e3", "evt_z", at) == s.mood("e4", "evt_z", at)
	}
	if len(moods) != 5 || together {
		t.Errorf("moods %v, always those of the next: %t", moods, together)
	}
	for name, want := range map[string]mood{
		"e0": well, "e1": well, "e3": well, soakPicky: failing,
	} {
		if got := s.mood(name, "evt_a", s.length); got != want {
			t.Errorf("%s is in mood %d at last, want %d", name, got, want)
		}
	}
}

func TestSoakRefusesWhatHasNoBounds(t *testing.T) {
	t.Parallel()
	good := plan{length: time.Second, rate: 1, senders: 1, endpoints: 1}
	for name, change := range map[string]func(*plan){
		"no rate":           func(p *plan) { p.rate = 0 },
		"too many webhooks": func(p *plan) { p.length, p.rate = time.Hour, 1000 },
	} {
		p := good
		change(&p)
		if err := p.run(t.Context(), t.TempDir(), io.Discard); err == nil ||
			errors.Is(err, errSoak) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The sweep finds what a loss leaves behind: an event on record whose delivery has no message.
func TestSoakFindsWhatIsLost(t *testing.T) {
	t.Parallel()
	binary, err := command()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &soak{plan: plan{endpoints: 1}}
	config := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(config, []byte(s.configuration("127.0.0.1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(
		binary, "apply", config, "--data", dir,
	).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lose(t, dir, s.names())
	report, err := sweep(t.Context(), dir)
	if err != nil || report.Events != 1 || report.LateOrMissing() != len(s.names()) {
		t.Errorf("%+v, %v", report, err)
	}
}

// lose records an event that was routed to endpoints, without messages for them.
func lose(t *testing.T, dir string, endpoints []string) {
	t.Helper()
	store, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now().UTC().Truncate(time.Millisecond)
	_, err = relay.RecordEvent(t.Context(), store.Ledger(), relay.EventRecord{
		Event: relay.Event{
			ID: relay.EventID("", "app", "lost"), Receipt: "r", Source: "app", ReceivedAt: now,
			Body: []byte("{}"),
		},
		MessageID: "m", Endpoints: endpoints, ExpiresAt: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
}
