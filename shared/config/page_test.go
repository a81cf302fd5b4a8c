package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"webhook-relay/shared/relay/catalog"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/retry"
)

// TestPagesKeysOfAnEndpoint holds the table of docs/configuration.md against the keys that an endpoint can have in the file, both ways. auth's own keys
// have a table to themselves.
func TestPagesKeysOfAnEndpoint(t *testing.T) {
	t.Parallel()
	structs := structsOf(t, ".")
	var want []string
	for key, typ := range structs["endpoint"] {
		if key != "retry" {
			want = append(want, key)
			continue
		}
		for sub := range structs[typ] {
			want = append(want, key+"."+sub)
		}
	}
	rows := endpointRows(t)
	var got []string
	for keys := range rows {
		for _, key := range strings.Split(keys, ", ") {
			got = append(got, strings.Trim(key, "`"))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-code +page):\n%s", diff)
	}
	for key, says := range map[string]string{
		"`timeout`":           "`15s` | for a whole attempt, `1s` to `30s`",
		"`retry.exponential`": "`factor` is 2 if left out, `max` is 336h",
	} {
		if !strings.Contains(rows[key], says) {
			t.Errorf("the row of %s does not say %q: %s", key, says, rows[key])
		}
	}
	if catalog.DefaultEndpointTimeout.Seconds() != 15 || catalog.MaxEndpointTimeout.Seconds() != 30 || retry.DefaultFactor != 2 || retry.MaxWait.Hours() != 336 {
		t.Error("the defaults are others than those which the page is said to have")
	}
}

// endpointRows are the rows of the table of docs/configuration.md, by their first cell.
func endpointRows(t *testing.T) map[string]string {
	t.Helper()
	readme, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(readme), "| key of an endpoint | default | meaning |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if !found {
		t.Fatal("docs/configuration.md has no table of an endpoint's keys")
	}
	rows := map[string]string{}
	for _, row := range strings.Split(strings.TrimSpace(table), "\n") {
		key, rest, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		if rows[key] != "" {
			t.Errorf("docs/configuration.md has two rows of %s", key)
		}
		rows[key] = rest
	}
	return rows
}

// structsOf reads the structs of a package: for each its keys in YAML, and the name of the type of each where that is of the package.
func structsOf(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]map[string]string{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			body, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			keys := map[string]string{}
			for _, field := range body.Fields.List {
				if field.Tag == nil {
					continue
				}
				tag, _ := strconv.Unquote(field.Tag.Value) // it compiles
				if key := reflect.StructTag(tag).Get("yaml"); key != "" {
					keys[key] = typeName(field.Type)
				}
			}
			structs[spec.Name.Name] = keys
			return true
		})
	}
	return structs
}

func typeName(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if name, ok := e.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}
