package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/admin"
)

func coveredUntil(at time.Time, scanned int) admin.Covered {
	return admin.Covered{From: &at, Scanned: scanned}
}

// TestAJobIsWatchedAgain: Ctrl-C ends the display of a job, and says how to go on. Of a local relay
// that is not running, the job stops with the command, and goes on when it is watched.
func TestAJobIsWatchedAgain(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	target := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if !mended.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	dir := t.TempDir()
	config := strings.ReplaceAll(configFor(target.URL), "1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s", "")
	const webhooks = 6
	t.Run("webhooks die", func(t *testing.T) {
		addr, _ := startLocal(t, "--data", dir, "--config", writeFile(t, "relay.yaml", config))
		for i := range webhooks {
			if _, err := postTo(t.Context(), http.DefaultClient, addr, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "all dead", func() bool {
			out, err := run(t, "deliveries", "--data", dir)
			return err == nil && strings.Count(out, "dead, exhausted") == webhooks
		})
	})
	mended.Store(true)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, ended := &output{}, make(chan int)
	go func() {
		ended <- Main(ctx, []string{
			"redrive", "--all", "--rate", "1", "--yes", "--data", dir,
		}, streams(out))
	}()
	job := regexp.MustCompile(`job_[a-z0-9]+`)
	eventually(t, "some of the job is done", func() bool {
		listed, err := run(t, "jobs", "--json", "--data", dir)
		return err == nil && regexp.MustCompile(`"done":[1-5],`).MatchString(listed)
	})
	interrupt()
	if code := <-ended; code != exitInterrupted {
		t.Errorf("exit status %d, want %d\n%s", code, exitInterrupted, out)
	}
	id := job.FindString(out.String())
	if !strings.Contains(out.String(), "relay jobs watch "+id+" watches it again") {
		t.Errorf("it is not said how to go on:\n%s", out)
	}
	got, err := run(t, "jobs", "watch", id, "--data", dir)
	if err != nil || !strings.Contains(got, id+"  done, done 6, failed 0, skipped 0 of 6") {
		t.Errorf("%v\n%s", err, got)
	}
}
