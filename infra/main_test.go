package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// nodeAge keeps the CDK from a banner on Node 20. jsii hands on the environment that a process
// begins with, so that infra itself cannot set it.
const nodeAge = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20"

// command returns the call of infra with a context, writing to outdir, as the command line of the
// CDK would make it.
func command(t *testing.T, bin, outdir string, context map[string]string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin)
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+outdir, "CDK_CONTEXT_JSON="+string(text), nodeAge)
	return cmd
}

func TestSynthesisNeedsNoCommandLineOfTheCDK(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin, outdir := filepath.Join(dir, "infra"), filepath.Join(dir, "cdk.out")
	if out, err := exec.CommandContext(
		t.Context(), "go", "build", "-buildvcs=false", "-o", bin, ".",
	).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	out, err := command(t, bin, outdir, map[string]string{"stages": "prod"}).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "context has no key stages") ||
		strings.Contains(string(out), "panic") {
		t.Errorf("misspelt context: error %v and\n%s\nwant a plain message", err, out)
	}

	for _, name := range []string{"receive", "fanout", "deliver", "sweep", "admin"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(
			filepath.Join(dir, name, "bootstrap"), []byte(name), 0o600,
		); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"deliver", "admin"} {
		if err := os.WriteFile(filepath.Join(dir, name, "jq"), []byte("jq"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err = command(
		t, bin, outdir, map[string]string{"functionsDir": dir, "stage": "test"},
	).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Neither of an old Node, nor of how it was ended.
	if len(out) > 0 {
		t.Errorf("a synthesis without fault says\n%s", out)
	}
	checkFunctionsCanBeFound(t, outdir)
}

// SAM CLI starts a function by the path of its construct, and finds its code beside the template.
func checkFunctionsCanBeFound(t *testing.T, outdir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(outdir, "Relay.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type     string
			Metadata map[string]any
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	found := map[any]bool{}
	for id, r := range template.Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		found[r.Metadata["aws:cdk:path"]] = true
		asset, _ := r.Metadata["aws:asset:path"].(string)
		if _, err := os.Stat(filepath.Join(outdir, asset, "bootstrap")); asset == "" || err != nil {
			t.Errorf("%s: no code in asset %q: %v", id, asset, err)
		}
	}
	for _, name := range []string{"Receive", "Fanout", "Deliver"} {
		if !found["Relay/"+name+"/Resource"] {
			t.Errorf("function %s is not known by the path of its construct, only %v", name, found)
		}
	}
}

// Node 20 is past its end of life and works. All places ask for the same newer one.
func TestNodeIsAskedForAsOne(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`Node\.js (\d+)`)
	for _, file := range []string{
		"../README.md", "../CONTRIBUTING.md", "../Makefile", "../.ci/run",
		"../shared/lab/emulator/node.go",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := version.FindAllStringSubmatch(string(text), -1)
		for _, m := range asked {
			if m[1] != "22" {
				t.Errorf("%s asks for %s", file, m[0])
			}
		}
		if len(asked) == 0 {
			t.Errorf("%s does not ask for Node.js", file)
		}
	}
}

// Whoever starts the synthesis hides the banner of Node 20.
func TestTheBannerOfAnOldNodeIsHidden(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		"../Makefile": "export " + strings.Replace(
			nodeAge, "=", " ?= ", 1,
		), "../cdk.json": `"app": "` + nodeAge + ` go run ./infra"`,
		"../shared/lab/deployed/build.go": `"` + nodeAge + `"`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), says) {
			t.Errorf("%s does not say %s", file, says)
		}
	}
}
