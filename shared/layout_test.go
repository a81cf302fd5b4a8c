// Package shared_test holds who may import whom: the layout of the project is a promise to whoever
// reads it.
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

// core are the layers of the product itself, from the lowest up.
var core = []string{"policy", "catalog", "gate", "relay", "operate", "access", "listen"}

// layers are the packages of this project, by the layer that they belong to. A package belongs to
// the layer with the longest prefix of its name.
var layers = []struct {
	name    string
	prefix  []string
	imports []string // the layers that it may import
}{
	{
		"policy",
		[]string{
			"shared/document", "shared/verify", "shared/sign", "shared/route", "shared/retry",
			"shared/destination", "shared/trigger", "shared/schema",
			"shared/pattern", "shared/transform", "shared/transform/jq/wire",
			"shared/transform/jq/program", "shared/aws/protocol",
			"shared/relay/gate/breaker", "shared/relay/format",
		},
		core[:1],
	},
	{"catalog", []string{"shared/relay/catalog"}, core[:1]},
	{"gate", []string{"shared/relay/gate"}, core[:2]},
	{"relay", []string{"shared/relay"}, core[:3]},
	{"operate", []string{"shared/relay/operate"}, core[:4]},
	{"access", []string{"shared/relay/access"}, core[:5]},
	{"listen", []string{"shared/relay/listen"}, core[:6]},
	{
		"adapter",
		[]string{
			"shared/aws", "shared/local", "shared/egress", "shared/telemetry",
			"shared/transform/jq",
		},
		with(core, "name", "signed"),
	},
	{"signed", []string{"shared/aws/signed"}, core[:1]},
	{"configuration", []string{"shared/config"}, with(core, "adapter")},
	{"admin", []string{"shared/admin"}, with(core, "configuration")},
	// what speaks the API
	{"client", []string{"shared/admin/client"}, with(core, "admin")},
	{"console", []string{"shared/admin/console"}, with(core, "admin", "client", "console")},
	{"lambda", []string{"shared/lambda"}, with(core, "adapter", "name")},
	{"name", []string{"shared/lambda/settings", "shared/telemetry/metric"}, nil},
	{
		"lab", []string{"shared/lab"},
		with(
			core, "adapter", "configuration", "admin", "client", "console", "lambda", "name", "lab",
			"sample", "signed",
		),
	},
	{"sample", []string{"events"}, with(core, "configuration")},
	{
		"function", []string{"functions"},
		with(
			core, "adapter", "configuration", "admin", "client", "console", "lambda", "name",
			"sample", "signed",
		),
	},
	{"infra", []string{"infra"}, []string{"infra", "name"}},
}

func with(some []string, more ...string) []string { return slices.Concat(some, more) }

// heavy must not be linked into a Lambda function.
var heavy = []string{
	"github.com/aws/aws-cdk-go", "github.com/aws/jsii-runtime-go", "zombiezen.com/go/sqlite",
	"modernc.org/", "go.yaml.in/yaml",
	"github.com/alecthomas/kong", "github.com/aws/aws-sdk-go-v2/config",
	"github.com/aws/aws-sdk-go-v2/service/", "testing", "html/template",
	"text/template", "net/rpc", "encoding/gob", "github.com/itchyny/gojq",
}

type listed struct {
	ImportPath string
	Name       string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{
		"list", "-json=ImportPath,Name,Imports,Deps",
	}, args...)...)
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

// layerOf returns the layer that a package belongs to, by an index; -1: none.
func layerOf(name string) int {
	found, longest := -1, 0
	for i, layer := range layers {
		for _, prefix := range layer.prefix {
			if (name == prefix || strings.HasPrefix(name, prefix+"/")) && len(prefix) > longest {
				found, longest = i, len(prefix)
			}
		}
	}
	return found
}

func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	used := map[int]bool{}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "shared" || strings.HasPrefix(name, "infra/node_modules") {
			continue
		}
		own := layerOf(name)
		if own < 0 {
			t.Errorf("%s belongs to no layer", name)
			continue
		}
		used[own] = true
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if layer := layerOf(other); layer < 0 ||
				!slices.Contains(layers[own].imports, layers[layer].name) {
				t.Errorf(
					"%s imports %s; the layer %s may import %v", name, other, layers[own].name,
					layers[own].imports,
				)
			}
		}
	}
	for i, layer := range layers {
		if !used[i] {
			t.Errorf("no package belongs to the layer %s", layer.name)
		}
	}
}

// builtWith are the build tags by which the Makefile builds a function.
func builtWith(t *testing.T, function string) string {
	t.Helper()
	commands, err := exec.CommandContext(
		t.Context(), "make", "-C", "..", "-n", "build-lambda",
	).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`-tags ([^ ]+) [^&]*\./functions/` + function + `\b`).FindSubmatch(commands)
	if found == nil || !strings.Contains(string(found[1]), "lambda.norpc") {
		t.Fatalf(
			"the Makefile builds %s without the tag lambda.norpc: it leaves out net/rpc, which brings html/template and encoding/gob",
			function,
		)
	}
	return string(found[1])
}

// lambdas are the functions.
var lambdas = []string{"receive", "fanout", "deliver", "sweep", "admin"}

// TestWhatIsLinked: package html/template and others call methods whose names are only known at run
// time. One such call makes the linker keep every exported method of every type, which doubles the
// size of a function. And a function that is built without HTTP/2 does not call endpoints. receive
// may ask providers for their keys.
func TestWhatIsLinked(t *testing.T) {
	t.Parallel()
	for _, name := range lambdas {
		tags := builtWith(t, name)
		cmd := exec.CommandContext(
			t.Context(), "go", "build", "-trimpath", "-tags", tags, "-o", os.DevNull,
			"-ldflags=-s -w -dumpdep", "./functions/"+name,
		)
		cmd.Dir = ".."
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%.2000s", name, err, out)
		}
		if !strings.Contains(string(out), " -> ") {
			t.Fatalf("%s: the linker lists nothing: %.200s", name, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "<ReflectMethod>") ||
				strings.Contains(line, "/template.(*Template).") {
				t.Errorf("%s: %s", name, line)
			}
			if name != "receive" && strings.Contains(tags, "nethttpomithttp2") &&
				strings.Contains(line, "egress.newTransport") {
				t.Errorf("%s is built without HTTP/2, which egress offers to endpoints: %s", name, line)
			}
		}
	}
}

// ofFiles are what reading the configuration file needs.
var ofFiles = []string{"go.yaml.in/yaml"}

// ofTempl are imported by package templ, for functions that the console does not call. So the
// linker leaves out all but their initialisation: TestWhatIsLinked holds that.
var ofTempl = []string{"html/template", "text/template"}

// TestFunctionsLinkNothingHeavy lists what is linked as the functions are built. The function admin
// reads resources in the form of the configuration file, so it needs YAML.
func TestFunctionsLinkNothingHeavy(t *testing.T) {
	t.Parallel()
	for _, function := range lambdas {
		for _, p := range list(t, "-tags", builtWith(t, function), "-deps", "./functions/"+function) {
			for _, name := range heavy {
				if strings.HasPrefix(p.ImportPath, name) && (function != "admin" ||
					!slices.Contains(slices.Concat(ofFiles, ofTempl), name)) {
					t.Errorf("%s links %s", function, p.ImportPath)
				}
			}
		}
	}
}

// TestTheLocalHostIsBuiltWithoutAWS: make run builds it so. The clients of AWS take half of the
// time to build, and a local relay calls none.
func TestTheLocalHostIsBuiltWithoutAWS(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "-tags", "local", "-deps", "./functions/relay") {
		for _, name := range []string{"service/", "config"} {
			if strings.HasPrefix(p.ImportPath, "github.com/aws/aws-sdk-go-v2/"+name) {
				t.Errorf("the local host links %s", p.ImportPath)
			}
		}
	}
}
