package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTheLocalHostRunsJobs: a job is planned and run through the API, in the background.
func TestTheLocalHostRunsJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	token := adminToken(t, dir)
	call := jobCaller(t, addr, token)
	j := call("POST", "/v1/jobs", `{"kind": "export", "filter": {"from": "-1h"}}`)
	if j.State != "planned" {
		t.Fatalf("%+v", j)
	}
	j = call("POST", "/v1/jobs/"+j.ID+"/run", "")
	for deadline := time.Now().Add(time.Minute); j.State != "done"; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", j)
		}
		time.Sleep(20 * time.Millisecond)
		j = call("GET", "/v1/jobs/"+j.ID, "")
	}
	call("GET", "/v1/stats?by=source", "")
	call("GET", "/v1/refused", "")
}

// TestAJobGoesOnAtTheNextStart: Ctrl-C ends the step of a job, and waits until its progress is
// saved. The next host goes on at once, and sends nothing twice.
func TestAJobGoesOnAtTheNextStart(t *testing.T) {
	t.Parallel()
	const webhooks = 6
	dir, shop := t.TempDir(), newReceiver(t, nil)
	file := writeFile(t, "relay.yaml", fmt.Sprintf(`
sources: [{name: app, provider: bearer, secrets: [a-token-of-the-app]}]
endpoints: [{name: shop, url: %q}]
subscriptions: [{source: app, endpoint: shop}]
`, shop.URL))
	token := adminToken(t, dir)
	arrived := func(what string, want int) {
		t.Helper()
		eventually(t, what, func() bool {
			_, all := shop.count()
			return all >= want
		})
	}
	var j job
	func() {
		ctx, stop := context.WithCancel(t.Context())
		out, ended := &output{}, make(chan error, 1)
		go func() {
			ended <- Run(ctx, []string{
				"local", "--addr", "127.0.0.1:0", "--data", dir, "--config", file,
			}, streams(out))
		}()
		addr := listeningOn(t, out)
		for i := range webhooks {
			req, err := http.NewRequestWithContext(
				ctx, "POST", "http://"+addr+"/in/app", strings.NewReader(fmt.Sprint(i)),
			)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer a-token-of-the-app")
			resp, err := http.DefaultClient.Do(req)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%+v, %v", resp, err)
			}
			_ = resp.Body.Close()
		}
		arrived("the webhooks", webhooks)
		call := jobCaller(t, addr, token)
		eventually(t, "all are recorded as delivered", func() bool {
			j = call("POST", "/v1/jobs", `{"kind": "replay", "rate": 1}`)
			return j.Matches == webhooks
		})
		call("POST", "/v1/jobs/"+j.ID+"/run", "")
		arrived("some of the job", webhooks+2)
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}()
	if _, all := shop.count(); all == 2*webhooks {
		t.Error("the job has ended before the host")
	}
	addr, _ := startLocal(t, "--data", dir)
	call := jobCaller(t, addr, token)
	eventually(t, "the job is done", func() bool {
		j = call("GET", "/v1/jobs/"+j.ID, "")
		return j.State == "done"
	})
	arrived("the rest of the job", 2*webhooks)
	if different, all := shop.count(); j.Done != webhooks || different != webhooks ||
		all != 2*webhooks {
		t.Errorf("%+v: %d POSTs of %d webhooks", j, all, different)
	}
}

// job is a job as the API shows it.
type job struct {
	ID, State     string
	Matches, Done int
}

func adminToken(t *testing.T, dir string) string {
	t.Helper()
	out, err := run(t, "tokens", "create", "--role=admin", "--name=me", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out), "shown this once: ")
	return token
}

// jobCaller returns a function that sends requests to the API and returns the job of the answer.
func jobCaller(t *testing.T, addr, token string) func(method, path, body string) job {
	return func(method, path, body string) (j job) {
		t.Helper()
		req, err := http.NewRequestWithContext(
			t.Context(), method, "http://"+addr+path, strings.NewReader(body),
		)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d, %v\n%s", method, path, resp.StatusCode, err, text)
		}
		if err := json.Unmarshal(text, &j); err != nil {
			t.Fatal(err)
		}
		return j
	}
}
