package stack_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
)

const goldenPath = "testdata/template.golden.json"

var update = flag.Bool("update", false, "write "+goldenPath)

func TestTemplateIsTheGoldenOne(t *testing.T) {
	t.Parallel()
	got := defaults(t).text
	if *update {
		if err := os.WriteFile(goldenPath, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf(
			"template differs; if that is meant, run the test with -update and read the diff (-want +got):\n%s",
			diff,
		)
	}
}

// cdk.json's feature flags reach the app through the CDK's command line only, so that the template
// of cdk deploy would differ from the one tested here if they meant anything to it.
func TestFeatureFlagsChangeNothing(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Context) == 0 {
		t.Fatal("cdk.json has no context")
	}
	if _, err := stack.PropsFromContext(config.Context); err != nil {
		t.Errorf("flags are taken for props: %v", err)
	}
	flagged := done(t)(synthesise(stack.Props{}, config.Context))
	if diff := cmp.Diff(string(defaults(t).text), string(flagged.text)); diff != "" {
		t.Errorf("template with flags differs (-without +with):\n%s", diff)
	}
	flagged = done(t)(synthesise(wholeProps(), config.Context))
	if diff := cmp.Diff(string(whole(t).text), string(flagged.text)); diff != "" {
		t.Errorf("template of a whole relay with flags differs (-without +with):\n%s", diff)
	}
}

// cdk diff is worth reading only where it is empty when nothing was changed.
func TestTheSamePropsMakeTheSameTemplate(t *testing.T) {
	t.Parallel()
	again := with(wholeProps())(t)
	if diff := cmp.Diff(string(whole(t).text), string(again.text)); diff != "" {
		t.Errorf("second template differs (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(whole(t).manifest, again.manifest); diff != "" {
		t.Errorf("second manifest differs (-first +second):\n%s", diff)
	}
}
