package invoke_test

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"webhook-relay/shared/lab/invoke"
	"webhook-relay/shared/lab/runtimeapi"
)

const samples = "../../../events"

// build runs make to build functions, and returns the folder with them. The result does not depend
// on the environment's settings about the state of the checkout.
func build(t testing.TB, functions ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(
		t.Context(), "make", "-C", "../../..", "build-local", "BIN="+dir,
		"FUNCTIONS="+strings.Join(functions, " "),
	)
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=true")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "local")
}

// A commit that does not change a function leaves its binary identical, so it is not deployed
// again.
func TestFunctionsCarryNothingOfTheCheckout(t *testing.T) {
	t.Parallel()
	info, err := buildinfo.ReadFile(filepath.Join(build(t, "sweep"), "sweep", "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Main.Version != "(devel)" {
		t.Errorf("is version %s", info.Main.Version)
	}
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "vcs") {
			t.Errorf("%s is %s", s.Key, s.Value)
		}
	}
}

// Package deployed runs the same functions in the same way. These tests use the sample events and
// check what each leaves behind.
func TestFunctionsDoTheirWork(t *testing.T) {
	t.Parallel()
	if os.Getenv("RELAY_TEST_LONG") == "" {
		t.Skip("it takes two minutes; make test-long runs it, and CI runs that")
	}
	dir := build(t, "receive", "fanout", "deliver", "sweep")
	for name, tt := range map[string]struct {
		function, event string
		want            []string // patterns
	}{
		"a webhook is accepted": {"receive", "receive/github-push", []string{
			`(?m)^answer\n  {\n    "statusCode": 200,`, `"outcome":"accepted"`,
			`queue ingest +1\n +evt_\w+ push from github\n`, `ledger +0`,
		}},
		"a forged webhook is refused": {"receive", "receive/github-wrong-signature", []string{
			`"statusCode": 401`, `"outcome":"refused"`, `signature does not match`,
			`queue ingest +0`,
		}},
		"an event is routed": {"fanout", "fanout/single", []string{
			`queue delivery +1\n +evt_\w+ push from github, attempt 1 at endpoint demo\n`,
			`ledger +2\n +evt_\w+ push from github, for endpoints \[demo\]\n +hours `,
		}},
		"each of a batch of ten is in one place": {"fanout", "fanout/batch", []string{
			`"batchItemFailures": null`, `queue delivery +7\n`,
			`queue ingest-dlq +1\n +unreadable: "not a message`, `ledger +9\n`,
		}},
		"a delivery to loopback is blocked and waits": {"deliver", "deliver/single", []string{
			`queue retry +(0, and 1 delayed|1)\n`,
			`ledger +2\n +endpoint demo: healthy, 1 failed in a row\n +evt_\w+ to demo: waiting, attempt 1 blocked: `,
		}},
		"so is a second attempt": {
			"deliver", "deliver/retry", []string{`evt_\w+ to demo: waiting, attempt 2 blocked: `},
		},
		"each delivery of a batch of ten is in one place": {"deliver", "deliver/batch", []string{
			`queue dead +1\n +evt_\w+ order.created from retired, attempt 2 at endpoint gone`,
			`queue delivery-dlq +1\n +unreadable: `,
			`ledger +11\n +endpoint demo: healthy, 1 failed in a row\n`,
			`to gone: dead, attempt 1 skipped`,
		}},
		"nothing is lost that could be put back": {
			"sweep", "sweep/hourly",
			[]string{
				`(?m)^answer\n  null`, `"partial":false`, `queue retry +0\n`,
				`ledger +3\n +doc/sources pulse/\n +doc/stats-tally open\n +sweep cursor\n`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			call := invoke.Call{
				Function: tt.function, Event: filepath.Join(samples, tt.event+".json"), BinDir: dir,
			}
			if err := call.Run(t.Context(), &out); err != nil {
				t.Errorf("error %v", err)
			}
			for _, pattern := range tt.want {
				if !regexp.MustCompile(pattern).Match(out.Bytes()) {
					t.Errorf("no %s in\n%s", pattern, &out)
				}
			}
		})
	}
	t.Run("a webhook that relay send prints is accepted", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(
			t.Context(), "go", "run", "../../../functions/relay", "send", "slack", "--print",
		)
		cmd.Stderr = os.Stderr
		webhook, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		event := filepath.Join(t.TempDir(), "slack.json")
		write(t, event, string(webhook))
		var out bytes.Buffer
		if err := (invoke.Call{
			Function: "receive", Event: event, BinDir: dir,
		}).Run(t.Context(), &out); err != nil {
			t.Errorf("error %v", err)
		}
		for _, want := range []string{`"statusCode": 200`, " app_mention from slack\n"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
	})
	t.Run("an error of the function is printed and returned", func(t *testing.T) {
		t.Parallel()
		event := filepath.Join(t.TempDir(), "list.json")
		write(t, event, "[]")
		var out bytes.Buffer
		err := invoke.Call{Function: "fanout", Event: event, BinDir: dir}.Run(t.Context(), &out)
		if _, ok := errors.AsType[*runtimeapi.FunctionError](err); !ok {
			t.Errorf("error %v, want a FunctionError", err)
		}
		for _, want := range []string{"error\n  UnmarshalTypeError: ", "queue delivery      0"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsMissingIsToldBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	write(t, broken, `{"a":`)
	good := samples + "/fanout/single.json"
	for name, tt := range map[string]struct {
		call invoke.Call
		want error
		fact string
	}{
		"an unknown function": {
			invoke.Call{Function: "send", Event: good, BinDir: dir}, invoke.ErrFunction,
			`"send"; there are receive, fanout`,
		},
		"no event": {
			invoke.Call{Function: "fanout", Event: dir + "/none.json", BinDir: dir},
			invoke.ErrEvent, "none.json",
		},
		"no JSON": {
			invoke.Call{Function: "fanout", Event: broken, BinDir: dir}, invoke.ErrEvent,
			"broken.json is not JSON",
		},
		"no binary": {
			invoke.Call{Function: "fanout", Event: good, BinDir: dir}, invoke.ErrNotBuilt,
			`run "make build-local"`,
		},
	} {
		var out bytes.Buffer
		err := tt.call.Run(t.Context(), &out)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.fact) {
			t.Errorf("%s: error %v", name, err)
		}
		if out.Len() > 0 {
			t.Errorf("%s: printed %s", name, &out)
		}
	}
}
