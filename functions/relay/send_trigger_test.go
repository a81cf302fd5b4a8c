package main

import (
	"encoding/json"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/trigger"
)

// TestSendPlaysTriggers: a message goes the way of a service's into a local relay, which runs, and
// becomes an event.
func TestSendPlaysTriggers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, "relay.yaml", `
sources:
  - {name: uploads, provider: s3}
  - {name: eventbridge, provider: eventbridge}
  - {name: sns-topic, provider: sns-topic}
`)
	_, _ = startLocal(t, "--config", file, "--data", dir)
	for _, d := range trigger.Providers() {
		args := []string{"send", d.Name, "--data", dir}
		if d.Name == trigger.S3 {
			args = append(args, "--source", "uploads")
		}
		out, err := run(t, args...)
		if err != nil || !strings.Contains(out, "accepted  evt_") {
			t.Fatalf("%s: %v\n%s", d.Name, err, out)
		}
		_, id, _ := strings.Cut(out, "accepted  ")
		eventually(t, "the event of "+d.Name, func() bool {
			shown, err := run(t, "events", "get", strings.TrimSpace(id), "--data", dir)
			return err == nil && strings.Contains(shown, d.Examples[0])
		})
	}
}

func TestSendRefusesWrongTriggers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, "relay.yaml", "sources: [{name: app, provider: none}]")
	if _, err := run(t, "apply", file, "--data", dir); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no relay":     {[]string{"s3", "--data", t.TempDir()}, "name another with --data"},
		"no source":    {[]string{"s3", "--data", dir}, "not found"},
		"another's":    {[]string{"s3", "--data", dir, "--source", "app"}, "sends over HTTP"},
		"over HTTP":    {[]string{"s3", "--to", "http://127.0.0.1:1/"}, "leave out --to"},
		"unknown type": {[]string{"s3", "--type", "x"}, "there are: ObjectCreated:Put"},
		"half a file":  {[]string{"github", "--config", file}, "go together"},
	} {
		if out, err := run(t, append([]string{"send"}, tt.args...)...); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestSendPrintsTheBatchOfATrigger(t *testing.T) {
	t.Parallel()
	out, err := run(t, "send", "s3", "--source", "TriggerUploads", "--print")
	var e lambdaevents.SQSEvent
	if err != nil || json.Unmarshal([]byte(out), &e) != nil || len(e.Records) != 1 ||
		!strings.HasSuffix(e.Records[0].EventSourceARN, ":TriggerUploads") {
		t.Errorf("%v\n%s", err, out)
	}
}
