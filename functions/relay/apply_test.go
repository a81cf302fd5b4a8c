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
	text := "endpoints:\n  - {name: e, url: 'https://e.example.com', secrets: ['" + private + "', whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}\n"
	file := writeFile(t, "relay.yaml", text)
	for _, when := range []string{"when it changes something", "when there is nothing to change"} {
		out, err := run(t, "apply", file, "--data", dir)
		if err != nil || !strings.Contains(out, "key       of endpoint e, for its receiver to verify v1a with: "+public+"\n") || strings.Contains(out, private) {
			t.Errorf("%s: %v\n%s", when, err, out)
		}
	}
}

// What a local relay could not do is refused as a whole, by whichever command.
func TestALocalRelayRefusesWhatNeedsAWS(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "relay.yaml", "endpoints:\n  - {name: e, url: 'https://e.example.com', auth: {bearer: 'aws-secretsmanager:shop'}}\n")
	for _, args := range [][]string{{"apply", file}, {"apply", file, "--dry-run"}, {"local", "--config", file, "--addr", "127.0.0.1:0"}} {
		out, err := run(t, append(args, "--data", t.TempDir())...)
		if err == nil || !strings.Contains(err.Error(), "relay.yaml:2: endpoints[0]: a deployed relay alone reads AWS Secrets Manager") || strings.Contains(out, "+ endpoint e") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}
