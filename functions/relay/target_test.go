package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

const oneEndpoint = "endpoints:\n  - {name: e, url: https://e.example.com}\n"

// Commands that only read must not create a relay.
func TestCommandsThatNeedARelayMakeNone(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{
			"deliveries", "--endpoint", "e",
		}, {
			"deliveries", "--event", "evt_1",
		}, {"replay", "e"}, {"replay", "e", "--yes"}, {"endpoints"},
		{
			"endpoints", "enable", "e",
		}, {"endpoints", "disable", "e"}, {"rotate", "e"}, {"secret", "s"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "none")
			out, err := run(t, append(args, "--data", dir)...)
			if !errors.Is(err, ErrNoRelay) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %v\n%s", err, ErrNoRelay, out)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is there: %v", dir, err)
			}
		})
	}
}

func TestADryRunMakesNoRelay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	out, err := run(t, "apply", writeFile(t, "relay.yaml", oneEndpoint), "--dry-run", "--data", dir)
	if err != nil || !strings.Contains(out, "+ endpoint e\n") ||
		!strings.Contains(out, "this was a dry run") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", dir, err)
	}
}

func TestARelayIsLocalOrDeployed(t *testing.T) {
	t.Parallel()
	_, err := run(t, "endpoints", "--stack", "webhook-relay-dev", "--data", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "--data and --stack can't be used together") {
		t.Errorf("got %v", err)
	}
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
		{
			"deliveries", "--endpoint", "nope",
		}, {"deliveries", "--endpoint", "nope", "--json"}, {"replay", "nope"}, {
			"replay", "nope", "--yes",
		},
	} {
		if out, err := run(t, append(args, "--data", dir)...); !errors.Is(
			err, catalog.ErrNotFound,
		) || !strings.Contains(err.Error(), "endpoint nope") {
			t.Errorf("%q: got %v, want %v\n%s", args, err, catalog.ErrNotFound, out)
		}
	}
	for _, args := range [][]string{{"deliveries", "--endpoint", "e"}, {"replay", "e"}} {
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
		{"replay", "e", "--source", "another"},
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
	for _, rate := range []string{"0", "-1", "10001", "2000000000"} {
		if _, err := run(
			t, "replay", "e", "--yes", "--rate="+rate, "--data", t.TempDir(),
		); err == nil || !strings.Contains(err.Error(), "--rate "+rate+": 1 to 10000 a second") {
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
			{"apply", file}, {"apply", file, "--dry-run"},
			{"local", "--addr", "127.0.0.1:0", "--config", file},
		} {
			if out, err := run(t, append(args, "--data", dir)...); !errors.Is(err, ErrEmpty) ||
				!strings.Contains(err.Error(), file) {
				t.Errorf("%s, %q: got %v, want %v\n%s", name, args, err, ErrEmpty, out)
			}
		}
	}
	if out, err := run(
		t, "apply", writeFile(t, "empty.yaml", ""), "--empty", "--data", dir,
	); err != nil || !strings.Contains(out, "- endpoint e\n") {
		t.Errorf("when it is meant: %v\n%s", err, out)
	}
}
