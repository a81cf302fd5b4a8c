package main

import (
	"strings"
	"testing"
)

func TestApplyShowsWhatReceiversVerifyWith(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const (
		private = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
		public  = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	)
	text := "endpoints:\n  - {name: e, url: 'https://e.example.com', secrets: ['" + private +
		"', whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}\n"
	file := writeFile(t, "relay.yaml", text)
	for _, when := range []string{"when it changes something", "when there is nothing to change"} {
		out, err := run(t, "apply", file, "--data", dir)
		if err != nil || !strings.Contains(
			out, "key       of endpoint e, public; its receiver verifies v1a signatures with it: "+
				public+"\n",
		) || strings.Contains(out, private) {
			t.Errorf("%s: %v\n%s", when, err, out)
		}
	}
}

// A configuration that only a deployed relay can run is refused as a whole, by every command.
func TestALocalRelayRefusesWhatNeedsAWS(t *testing.T) {
	t.Parallel()
	file := writeFile(
		t, "relay.yaml",
		"endpoints:\n  - {name: e, url: 'https://e.example.com', auth: {bearer: 'aws-secretsmanager:shop'}}\n",
	)
	for _, args := range [][]string{
		{"apply", file}, {"plan", file},
		{"local", "--config", file, "--addr", "127.0.0.1:0"},
	} {
		out, err := run(t, append(args, "--data", t.TempDir())...)
		if err == nil || !strings.Contains(textOf(err), "relay.yaml:2: endpoints[0]") ||
			!strings.Contains(textOf(err), "only a deployed relay reads AWS Secrets Manager") ||
			strings.Contains(out, "+ endpoint e") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}

// A replaced secret signs beside the new one for a while. A leaked secret is ended by applying the
// file again with --keep 0.
func TestApplyReplacesSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(secret string) string {
		return writeFile(
			t, "relay.yaml",
			"endpoints:\n  - {name: e, url: 'https://e.example.com', secrets: ["+secret+"]}\n",
		)
	}
	first, second := file("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
		file("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
	const beside = "secret    of endpoint e, an old one; it also signs until 2"
	for _, step := range []struct {
		args          []string
		want, wantNot string
	}{
		{[]string{first}, "+ endpoint e", beside},
		{[]string{"plan", second}, "~ endpoint e: secrets", beside},
		{[]string{second}, beside, "whsec_"},
		{[]string{second}, "nothing to change", "~"},
		{[]string{second, "--keep", "0s"}, "~ endpoint e: secrets", beside},
		{[]string{second, "--keep", "0s"}, "nothing to change", "~"},
	} {
		args := step.args
		if args[0] != "plan" {
			args = append([]string{"apply"}, args...)
		}
		out, err := run(t, append(args, "--data", dir)...)
		if err != nil || !strings.Contains(out, step.want) || strings.Contains(out, step.wantNot) {
			t.Errorf("%q: %v, want %q and no %q\n%s", step.args, err, step.want, step.wantNot, out)
		}
	}
	fails(t, exitUsage, "/query/keep", "apply", second, "--data", dir, "--keep=-1s")
}
