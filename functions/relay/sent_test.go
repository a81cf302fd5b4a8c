package main

import (
	"net/http"
	"strings"
	"testing"

	"webhook-relay/shared/local/standin"
)

// TestSent: a local relay has a stand-in for a destination, and shows what it got.
func TestSent(t *testing.T) {
	config := `
sources:
  - {name: app, provider: bearer, secrets: [token]}
endpoints:
  - {name: orders, url: "arn:aws:sqs:eu-central-1:123456789012:orders.fifo", group: "{data.id}"}
  - {name: archive, url: "s3://archive/{source}/{date}/{id}.json.gz"}
subscriptions:
  - {source: app, endpoint: orders}
  - {source: app, endpoint: archive}
`
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir, "--config", writeFile(t, "relay.yaml", config))
	if _, err := postTo(t.Context(), http.DefaultClient, addr, "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is sent", func() bool {
		all, err := standin.Sent(dir, "orders")
		return err == nil && len(all) == 1
	})
	for _, args := range [][]string{
		{"sent", "orders", "--data", dir}, {"sent", "orders", "--data", dir, "--json"},
	} {
		out, err := run(t, args...)
		if err != nil || !strings.Contains(out, "evt_") ||
			!strings.Contains(out, "MessageDeduplicationId") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	eventually(t, "it is archived", func() bool {
		all, err := standin.Sent(dir, "archive")
		return err == nil && len(all) == 1
	})
	if out, err := run(t, "sent", "archive", "--data", dir); err != nil ||
		!strings.Contains(out, " to arn:aws:s3:::archive/app/20") ||
		!strings.Contains(out, ".json.gz\n{") {
		t.Errorf("%v, %s", err, out)
	}
	if out, err := run(t, "sent", "other", "--data", dir); err != nil ||
		strings.Contains(out, "evt_") {
		t.Errorf("%v, %q", err, out)
	}
}
