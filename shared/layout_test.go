// Package shared_test holds who may import whom: the layout of the project is a promise to whoever reads it.
package shared_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "webhook-relay/"

// mayImport lists, for each package, the packages of this project that it may import; those not listed may import anything but a function
// and infra.
var mayImport = map[string][]string{
	"shared/document": {}, "shared/verify": {"shared/document"}, "shared/sign": {}, "shared/route": {}, "shared/retry": {}, "shared/breaker": {}, "shared/settings": {}, "shared/awsenv": {},
	"shared/cost": {}, "shared/telemetry/metric": {},
	"shared/relay":          {"shared/document", "shared/verify", "shared/sign", "shared/route", "shared/retry", "shared/breaker"},
	"shared/dynamo":         {"shared/relay", "shared/verify", "shared/breaker"},
	"shared/sqlite":         {"shared/relay", "shared/verify", "shared/breaker"},
	"shared/sqs":            {"shared/relay"},
	"shared/s3":             {"shared/relay"},
	"shared/kms":            {"shared/relay"},
	"shared/scheduler":      {"shared/relay"},
	"shared/secretsmanager": {"shared/relay"},
	"shared/egress":         {"shared/relay", "shared/verify"},
	"shared/memory":         {"shared/relay", "shared/breaker"},
	"shared/telemetry":      {"shared/relay", "shared/verify", "shared/telemetry/metric"},
	"shared/handler":        {"shared/relay", "shared/verify"},
	"shared/gateway":        {},
	"infra":                 {"infra/stack"},
	"infra/stack":           {"shared/settings", "shared/cost", "shared/telemetry/metric"},
}

// heavy must not be linked into a Lambda function.
var heavy = []string{
	"github.com/aws/aws-cdk-go", "github.com/aws/jsii-runtime-go", "zombiezen.com/go/sqlite", "modernc.org/", "go.yaml.in/yaml",
	"github.com/alecthomas/kong", "github.com/aws/aws-sdk-go-v2/config", "testing", "html/template", "text/template", "net/rpc", "encoding/gob",
}

type listed struct {
	ImportPath string
	Name       string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Name,Imports,Deps"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var packages []listed
	for decoder := json.NewDecoder(out); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return packages
}

func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	packages := list(t, "./...")
	known := map[string]bool{}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		known[name] = true
		allowed, bound := mayImport[name]
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			switch {
			case !ours:
			case bound && !slices.Contains(allowed, other):
				t.Errorf("%s imports %s; it may import %v", name, other, allowed)
			case !bound && (strings.HasPrefix(other, "functions/") || strings.HasPrefix(other, "infra")):
				t.Errorf("%s imports %s, which is a program's own", name, other)
			}
		}
	}
	for name := range mayImport {
		if !known[name] {
			t.Errorf("there is no package %s", name)
		}
	}
}

// builtWith are the build tags by which the Makefile builds the functions.
func builtWith(t *testing.T) string {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^GOFLAGS_SMALL := .*-tags (\S+)`).FindSubmatch(makefile)
	if found == nil {
		t.Fatal("the Makefile builds the functions without tags: lambda.norpc leaves out net/rpc, which brings html/template and encoding/gob")
	}
	return string(found[1])
}

// TestFunctionsLinkNothingHeavy lists what is linked as the functions are built.
func TestFunctionsLinkNothingHeavy(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "-tags", builtWith(t), "-deps", "./functions/receive", "./functions/fanout", "./functions/deliver", "./functions/sweep") {
		for _, name := range heavy {
			if strings.HasPrefix(p.ImportPath, name) {
				t.Errorf("the functions link %s", p.ImportPath)
			}
		}
	}
}
