package main

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

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
		posts  int
		listed bool
		want   soakResult
	}{
		"delivered and seen":       {relay.Delivered, 1, false, soakResult{delivered: 1}},
		"delivered and never seen": {relay.Delivered, 0, false, soakResult{delivered: 1, lost: 1}},
		"POSTed once too often":    {relay.Delivered, 3, false, soakResult{delivered: 1, duplicates: 2}},
		"dead and listed":          {relay.Dead, 1, true, soakResult{dead: 1}},
		"dead and not listed":      {relay.Dead, 1, false, soakResult{dead: 1, lost: 1}},
		"waiting":                  {relay.Waiting, 1, false, soakResult{open: 1}},
	} {
		var got soakResult
		got.count(relay.Delivery{Status: tt.status, Attempts: 1}, tt.posts, tt.listed)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
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
