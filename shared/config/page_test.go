package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/retry"
)

const referencePage = "../../docs/configuration.md"

// TestPageHasEveryKey compares the tables of docs/configuration.md with the keys that the file can
// have, both ways. auth's own keys have a table of their own.
func TestPageHasEveryKey(t *testing.T) {
	t.Parallel()
	structs := structsOf(t, ".")
	for table, of := range map[string]string{
		"source-keys": "source", "hmac-keys": "hmac", "endpoint-keys": "endpoint",
		"subscription-keys": "subscription", "type-keys": "eventType",
	} {
		var want, got []string
		for key, typ := range structs[of] {
			if key != "retry" {
				want = append(want, key)
				continue
			}
			for sub := range structs[typ] {
				want = append(want, key+"."+sub)
			}
		}
		file := referencePage
		if table == "type-keys" {
			file = "../../docs/types.md"
		}
		for _, row := range page.Rows(t, file, table) {
			got = append(got, page.Names(row[0])...)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-code +page):\n%s", table, diff)
		}
	}
}

// TestPageHasTheDefaults compares the columns of defaults and of values with the code.
func TestPageHasTheDefaults(t *testing.T) {
	t.Parallel()
	short := func(d time.Duration) string {
		return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.String())
	}
	rows := map[string][]string{}
	for _, row := range page.Rows(t, referencePage, "endpoint-keys") {
		rows[row[0]] = append(page.Names(row[1]), page.Names(row[2])...)
	}
	for key, want := range map[string][]string{
		"`timeout`": {
			short(catalog.DefaultEndpointTimeout), "1s", short(catalog.MaxEndpointTimeout),
		},
		"`retry.exponential`": {
			"first", "factor", strconv.Itoa(retry.DefaultFactor), "max", short(retry.MaxWait),
			"attempts",
		},
	} {
		if diff := cmp.Diff(want, rows[key]); diff != "" {
			t.Errorf("%s (-code +page):\n%s", key, diff)
		}
	}
}

// structsOf reads the structs of a package. For each it returns the YAML keys and, if a key's type
// is of the package, its name.
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
				tag, _ := strconv.Unquote(field.Tag.Value) // cannot fail: it compiles
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
