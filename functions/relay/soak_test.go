package main

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
	"webhook-relay/shared/relay/operate"

	"webhook-relay/shared/relay"
)

// TestShortSoak lets the relay be killed under load for a few seconds.
func TestShortSoak(t *testing.T) {
	t.Setenv(asCommand, "1") // the child is this test's own binary
	out := &output{}
	c := soakCommand{For: 3 * time.Second, Rate: 50, Senders: 4, Endpoints: 3, KillEvery: time.Second, Seed: 1, Data: t.TempDir()}
	if err := c.Run(t.Context(), out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log("\n" + out.String())
	for _, want := range []string{"so far ", "accepted ", "p99 ", "lost      0", "duplicate ", " 0 deliveries stranded, 0 unaccounted for"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out.String(), "swept     0 events") {
		t.Errorf("the sweeper saw nothing:\n%s", out)
	}
	if strings.Contains(out.String(), " 0 dead and listed") {
		t.Errorf("nothing died:\n%s", out)
	}
	if strings.Contains(out.String(), "killed 0 times") {
		t.Errorf("the relay was never killed:\n%s", out)
	}
}

// A soak that is stopped has no verdict, and no success.
func TestAnInterruptedSoakTellsHowFarItWas(t *testing.T) {
	t.Parallel()
	cmd := command(t.Context(), "soak", "--for", "10m", "--rate", "20", "--kill-every", "0s", "--data", t.TempDir())
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it sends", func() bool { return strings.Contains(out.String(), "soak ") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(out.String(), "so far ") || !strings.Contains(out.String(), "relay: interrupted") {
		t.Errorf("exit status %d, want 130:\n%s", code, out)
	}
	if strings.Contains(out.String(), "lost ") {
		t.Errorf("a verdict all the same:\n%s", out)
	}
}

// TestSoakTellsWhatIsLost holds deliveries against what an endpoint saw and what is listed.
func TestSoakTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status relay.Status
		seen   soakSeen
		listed bool
		want   soakResult
	}{
		"delivered and taken":       {relay.Delivered, soakSeen{1, true}, false, soakResult{delivered: 1}},
		"delivered and never seen":  {relay.Delivered, soakSeen{0, false}, false, soakResult{delivered: 1, lost: 1}},
		"delivered and never taken": {relay.Delivered, soakSeen{1, false}, false, soakResult{delivered: 1, lost: 1}},
		"POSTed twice too often":    {relay.Delivered, soakSeen{3, true}, false, soakResult{delivered: 1, duplicates: 2}},
		"dead and listed":           {relay.Dead, soakSeen{1, false}, true, soakResult{dead: 1}},
		"dead and not listed":       {relay.Dead, soakSeen{1, false}, false, soakResult{dead: 1, lost: 1}},
		"waiting":                   {relay.Waiting, soakSeen{1, false}, false, soakResult{open: 1}},
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
		"one duplicate more":                  {2, soakResult{duplicates: 2*3*soakInHand + 1}, ErrSoak},
		"duplicates without a kill":           {0, soakResult{duplicates: 1}, ErrSoak},
		"lost":                                {1, soakResult{lost: 1}, ErrSoak},
		"open":                                {1, soakResult{open: 1}, ErrSoak},
	} {
		s := &soak{soakCommand: soakCommand{Endpoints: 2}, kills: tt.kills}
		if err := s.verdict(tt.result, operate.SweepReport{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// Endpoints from the fourth on are each in every mood, not all in the same at a time, and all but the picky one are well at last.
func TestSoakEndpointsHavePhases(t *testing.T) {
	t.Parallel()
	s := &soak{soakCommand: soakCommand{For: time.Minute, Endpoints: 5}}
	moods, together := map[mood]bool{}, true
	for at := time.Duration(0); at < s.For; at += time.Second {
		moods[s.mood("e3", "evt_z", at)] = true
		together = together && s.mood("e3", "evt_z", at) == s.mood("e4", "evt_z", at)
	}
	if len(moods) != 5 || together {
		t.Errorf("moods %v, always those of the next: %t", moods, together)
	}
	for name, want := range map[string]mood{"e0": well, "e1": well, "e3": well, soakPicky: failing} {
		if got := s.mood(name, "evt_a", s.For); got != want {
			t.Errorf("%s is in mood %d at last, want %d", name, got, want)
		}
	}
}

func TestSoakRefusesWhatHasNoBounds(t *testing.T) {
	t.Parallel()
	good := soakCommand{For: time.Second, Rate: 1, Senders: 1, Endpoints: 1, Data: t.TempDir()}
	for name, change := range map[string]func(*soakCommand){
		"no rate":           func(c *soakCommand) { c.Rate = 0 },
		"too many webhooks": func(c *soakCommand) { c.For, c.Rate = time.Hour, 1000 },
		"data in use":       func(c *soakCommand) { c.Data = "." },
	} {
		c := good
		change(&c)
		if err := c.Run(t.Context(), &output{}); err == nil || errors.Is(err, ErrSoak) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
