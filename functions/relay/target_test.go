package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"webhook-relay/shared/relay"
)

const oneEndpoint = "endpoints:\n  - {name: e, url: https://e.example.com}\n"

// Commands that only read must not create a relay.
func TestCommandsThatNeedARelayMakeNone(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{
			"deliveries", "--endpoint", "e",
		}, {"events", "get", "evt_1"}, {"redrive", "--endpoint", "e"},
		{"redrive", "--endpoint", "e", "--yes"}, {"endpoints"}, {"resume", "e"},
		{"endpoints", "disable", "e", "--yes"}, {"rotate", "e"}, {"secret", "s"}, {"tail"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "none")
			out, err := run(t, append(args, "--data", dir)...)
			if code, _ := exitOf(err); code != exitUnreachable || !errors.Is(err, ErrNoRelay) ||
				!strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %v\n%s", err, ErrNoRelay, out)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is there: %v", dir, err)
			}
		})
	}
}

func TestAPlanMakesNoRelay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	out, err := run(t, "plan", writeFile(t, "relay.yaml", oneEndpoint), "--data", dir)
	if err != nil || !strings.Contains(out, "+ endpoint e\n") ||
		!strings.Contains(out, "this was a plan") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", dir, err)
	}
}

func TestARelayIsLocalOrDeployed(t *testing.T) {
	t.Parallel()
	fails(t, exitUsage, "--data and --stack can't be used together", "endpoints", "--stack",
		"webhook-relay-dev", "--data", t.TempDir())
}

func TestAnEndpointThatIsNotKnownIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := run(
		t, "apply", writeFile(t, "relay.yaml", oneEndpoint), "--data", dir,
	); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"endpoints", "get", "nope"}, {"endpoints", "state", "nope"},
		{"redrive", "--endpoint", "nope"}, {"redrive", "--endpoint", "nope", "--yes"},
		{"replay", "--endpoint", "nope"}, {"pause", "nope"}, {"ping", "nope"},
	} {
		fails(t, exitNotFound, "nope", append(args, "--data", dir)...)
	}
	for _, args := range [][]string{
		{"deliveries", "--endpoint", "e"}, {"redrive", "--endpoint", "e"},
		{"deliveries", "--endpoint", "nope"},
	} {
		if out, err := run(t, append(args, "--data", dir)...); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	removed := writeFile(t, "removed.yaml", strings.ReplaceAll(oneEndpoint, "name: e", "name: f"))
	leaveDead(t, dir, "e")
	if out, err := run(t, "apply", removed, "--yes", "--data", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"deliveries", "--endpoint", "e", "--status", "waiting"},
		{"redrive", "--endpoint", "e", "--source", "another"},
	} {
		if out, err := run(t, append(args, "--data", dir)...); err != nil {
			t.Errorf(
				"%q of an endpoint that was removed and has a dead delivery: %v\n%s", args, err,
				out,
			)
		}
	}
}

// leaveDead records a dead delivery to an endpoint.
func leaveDead(t *testing.T, dir, endpoint string) {
	t.Helper()
	l, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.store.Close()
	d := relay.Delivery{
		EventID: "evt_1", Endpoint: endpoint, Source: "s", Status: relay.Dead,
		Reason: relay.Exhausted, Attempts: 1, UpdatedAt: noon, ExpiresAt: noon.AddDate(100, 0, 0),
	}
	if err := l.store.Ledger().SaveDelivery(t.Context(), d, 0); err != nil {
		t.Fatal(err)
	}
}

func TestARateThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, rate := range []string{"0", "-1", "1001", "2000000000"} {
		if _, err := run(
			t, "redrive", "--endpoint=e", "--yes", "--rate="+rate, "--data", t.TempDir(),
		); err == nil ||
			!strings.Contains(err.Error(), "--rate "+rate+": must be 1 to 1000 a second") {
			t.Errorf("%s: got %v", rate, err)
		}
	}
}

// A file that is empty by mistake would remove everything, including secrets that cannot be
// recovered.
func TestAnEmptyConfigurationIsAppliedWhenItIsMeant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := run(
		t, "apply", writeFile(t, "relay.yaml", oneEndpoint), "--data", dir,
	); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, text := range map[string]string{
		"empty": "", "comments alone": "# nothing yet\n",
		"empty lists": "sources: []\nendpoints:\nsubscriptions: []\n",
	} {
		file := writeFile(t, "empty.yaml", text)
		for _, args := range [][]string{
			{"apply", file, "--yes"},
			{"local", "--addr", "127.0.0.1:0", "--config", file},
		} {
			if out, err := run(t, append(args, "--data", dir)...); err == nil ||
				!strings.Contains(err.Error(), "would remove everything") {
				t.Errorf("%s, %q: got %v\n%s", name, args, err, out)
			}
		}
	}
	if out, err := run(
		t, "apply", writeFile(t, "empty.yaml", ""), "--empty", "--data", dir,
	); err != nil || !strings.Contains(out, "- endpoint e\n") {
		t.Errorf("when it is meant: %v\n%s", err, out)
	}
}
