package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/telemetry/metric"
)

const (
	root           = "../.."
	maxReadmeLines = 150
)

// pages reads README.md, the other pages at the root, events/README.md and all of docs. The key is
// the path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	read := func(path string) {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		found[path] = string(text)
	}
	for _, path := range []string{
		"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "events/README.md",
	} {
		read(path)
	}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			read(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	codeBlock = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```$")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// links returns the links of a page, except links in code.
func links(text string) []string {
	var all []string
	for _, m := range link.FindAllStringSubmatch(
		codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(text, ""), ""), -1,
	) {
		all = append(all, m[1])
	}
	return all
}

// anchors returns the fragments that GitHub makes of a page's headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(m[1]))
		for n := 1; found[anchor]; n++ {
			anchor = strings.TrimSuffix(anchor, "-"+strconv.Itoa(n-1)) + "-" + strconv.Itoa(n)
		}
		found[anchor] = true
	}
	return found
}

// resolve returns the path from the root and the fragment that a page's link leads to. outside: the
// link leads out of the repository.
func resolve(from, link string) (path, fragment string, outside bool) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return "", "", true
	}
	path, fragment, _ = strings.Cut(link, "#")
	if path == "" {
		return from, fragment, false
	}
	return filepath.Join(filepath.Dir(from), path), fragment, false
}

func TestReadmeIsAFrontPage(t *testing.T) {
	t.Parallel()
	if n := strings.Count(pages(t)["README.md"], "\n"); n > maxReadmeLines {
		t.Errorf("README.md has %d lines, at most %d", n, maxReadmeLines)
	}
}

// TestLinksResolve checks that every relative link and anchor leads to something that exists.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for from, text := range all {
		for _, l := range links(text) {
			path, fragment, outside := resolve(from, l)
			if outside {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s links to %s, which is not there", from, l)
				continue
			}
			if to, isPage := all[path]; fragment != "" && (!isPage || !anchors(to)[fragment]) {
				t.Errorf("%s links to %s, which has no such heading", from, l)
			}
		}
	}
}

// TestEveryPageIsReached checks that links lead from README.md to every page.
func TestEveryPageIsReached(t *testing.T) {
	t.Parallel()
	all := pages(t)
	reached := map[string]bool{"README.md": true}
	for next := []string{"README.md"}; len(next) > 0; {
		from := next[0]
		next = next[1:]
		for _, l := range links(all[from]) {
			if path, _, outside := resolve(from, l); !outside && !reached[path] && all[path] != "" {
				reached[path] = true
				next = append(next, path)
			}
		}
	}
	direct := map[string]bool{}
	for _, l := range links(all["README.md"]) {
		path, _, _ := resolve("README.md", l)
		direct[path] = true
	}
	for path := range all {
		if !reached[path] {
			t.Errorf("no way of links leads from README.md to %s", path)
		}
		if strings.HasPrefix(path, "docs/") && !strings.HasPrefix(path, "docs/adr/0") &&
			!direct[path] {
			t.Errorf("README.md has no link to %s", path)
		}
	}
}

// TestPageQueues compares the documentation's table of queues with the template.
func TestPageQueues(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/infra/stack/testdata/template.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				FifoQueue              bool
				MessageRetentionPeriod int
				RedrivePolicy          struct {
					DeadLetterTargetArn map[string][]string `json:"deadLetterTargetArn"`
				}
			}
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	const hash = 8 // characters that CDK appends to a construct's id
	var want, got []string
	for id, r := range template.Resources {
		if r.Type != "AWS::SQS::Queue" {
			continue
		}
		p, kind, dead := r.Properties, "standard", ""
		if p.FifoQueue {
			kind = "FIFO"
		}
		if to := p.RedrivePolicy.DeadLetterTargetArn["Fn::GetAtt"]; len(to) > 0 {
			dead = "`" + to[0][:len(to[0])-hash] + "`"
		}
		want = append(
			want,
			fmt.Sprintf(
				"`%s` | %s | %d days | %s", id[:len(id)-hash], kind,
				p.MessageRetentionPeriod/(24*3600), dead,
			),
		)
	}
	for _, row := range page.Rows(t, root+"/docs/how-it-works.md", "queues") {
		got = append(got, strings.Join(row[:4], " | "))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queues (-template +page):\n%s", diff)
	}
}

// TestPageWords compares the tables of docs/glossary.md and docs/operating.md with the closed sets
// in the code.
func TestPageWords(t *testing.T) {
	t.Parallel()
	ofRelay := constants(t, root+"/shared/relay")
	requests := constants(t, root+"/shared/telemetry")["requestResult"]
	phases := []string{
		string(breaker.Healthy), string(breaker.Open), string(breaker.Recovering),
		string(breaker.Paused), string(breaker.Disabled), string(breaker.Unproven),
	}
	for _, table := range []struct {
		page, name string
		want       []string
	}{
		{
			"glossary", "status", ofRelay["Status"],
		}, {"glossary", "outcomes", ofRelay["Outcome"]}, {"glossary", "reasons", ofRelay["Reason"]},
		{"glossary", "results", ofRelay["RouteResult"]}, {"glossary", "requests", requests},
		{"glossary", "refusals", metric.Reasons},
		{"operating", "metrics", metric.Names}, {"operating", "endpoint-states", phases},
	} {
		var got []string
		for _, row := range page.Rows(t, root+"/docs/"+table.page+".md", table.name) {
			got = append(got, page.Names(row[0])...)
		}
		want := slices.Clone(table.want)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s (-code +page):\n%s", table.name, diff)
		}
	}
}

// TestWordsAreDistinct checks that no word is a status, outcome, reason, result, state or refusal
// twice, in the tables that TestPageWords compares with the code.
func TestWordsAreDistinct(t *testing.T) {
	t.Parallel()
	tables := map[string]string{
		"status": "glossary", "outcomes": "glossary", "reasons": "glossary", "results": "glossary",
		"requests": "glossary", "refusals": "glossary", "endpoint-states": "operating",
	}
	in := map[string]string{}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		for _, row := range page.Rows(t, root+"/docs/"+tables[table]+".md", table) {
			word := page.Names(row[0])[0]
			if other, taken := in[word]; taken {
				t.Errorf("%q is in the table %s and in the table %s", word, other, table)
			}
			in[word] = table
		}
	}
	for word, want := range map[string]string{"dead": "status", "refused": "requests"} {
		if in[word] != want {
			t.Errorf("%q is in the table %q, want %q", word, in[word], want)
		}
	}
}

// TestReasonFlagTakesEveryReason compares the values of --reason with the reasons of death.
func TestReasonFlagTakesEveryReason(t *testing.T) {
	t.Parallel()
	flag, _ := reflect.TypeFor[deliverySelection]().FieldByName("Reason")
	got := strings.Split(strings.TrimPrefix(flag.Tag.Get("enum"), ","), ",")
	want := constants(t, root+"/shared/relay")["Reason"]
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("--reason (-code +flag):\n%s", diff)
	}
}

// constants reads the typed string constants of a package, grouped by type.
func constants(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]bool{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, isValue := n.(*ast.ValueSpec)
			if !isValue || strings.HasSuffix(file, "_test.go") {
				return true
			}
			typ, named := spec.Type.(*ast.Ident)
			for _, value := range spec.Values {
				if literal, isLiteral := value.(*ast.BasicLit); named && isLiteral &&
					literal.Kind == token.STRING {
					text, _ := strconv.Unquote(literal.Value) // cannot fail: it compiles
					if found[typ.Name] == nil {
						found[typ.Name] = map[string]bool{}
					}
					found[typ.Name][text] = true
				}
			}
			return true
		})
	}
	all := map[string][]string{}
	for typ, values := range found {
		all[typ] = slices.Sorted(maps.Keys(values))
	}
	return all
}
