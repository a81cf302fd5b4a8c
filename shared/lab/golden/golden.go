// Package golden holds stored formats still. A format is a struct whose first field is Version,
// with the JSON name v. Its golden file is what this build writes of a value in which every field
// is set.
//
//	golden.Formats(t, ".", map[string]any{"token": &tokenDoc{}}, *update)
//
// A test fails if a field is renamed, added or removed, or if a format of the package is missing in
// the list. What the file of a released version says never changes: see CONTRIBUTING.md.
package golden

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay/format"
)

// at is the time in all files.
var at = time.Date(2026, time.January, 2, 3, 4, 5, 678_000_000, time.UTC)

// Formats compares the formats of the package in a folder with their files, testdata/NAME.v1.json.
// formats has a pointer to an empty value of each. With update, files that do not exist are
// written.
func Formats(t *testing.T, dir string, formats map[string]any, update bool) {
	t.Helper()
	var types []string
	for name, doc := range formats {
		typ := reflect.TypeOf(doc).Elem()
		types = append(types, typ.Name())
		t.Run(name, func(t *testing.T) {
			compare(t, filepath.Join(dir, "testdata", name+".v1.json"), doc, update)
		})
	}
	slices.Sort(types)
	if diff := cmp.Diff(formatsIn(t, dir), types); diff != "" {
		t.Errorf("formats (-in the package +with a file):\n%s", diff)
	}
}

func compare(t *testing.T, path string, doc any, update bool) {
	t.Helper()
	value := reflect.ValueOf(doc).Elem()
	fill(value, "", 0)
	written := append(format.Encode(value.Interface()), '\n')
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && update {
		want, err = written, os.WriteFile(path, written, 0o600)
	}
	if err != nil {
		t.Fatalf("%v; with -update a new file is written", err)
	}
	if diff := cmp.Diff(string(want), string(written)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	read := reflect.New(value.Type())
	if err := json.Unmarshal(want, read.Interface()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read.Elem().Interface(), value.Interface()) {
		t.Errorf("%s is read as %+v, want %+v", path, read.Elem(), value)
	}
}

// deepest is how many levels are filled: some formats contain themselves.
const deepest = 8

// fill sets a value and all within it. name is the field's.
func fill(v reflect.Value, name string, level int) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = at
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"a":1}`)
		return
	case *[]byte:
		*x = []byte("bytes")
		return
	}
	if level == deepest {
		return
	}
	switch v.Kind() { //nolint:exhaustive // what formats consist of
	case reflect.String:
		v.SetString(strings.ToLower(name))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(int64(len(name) + 1))
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(float64(len(name)) + 0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, level+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, level+1)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), name, level+1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, name, level+1)
		fill(value, name, level+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for field, inner := range v.Fields() {
			switch {
			case field.Tag.Get("json") == "v": // a format within a format
				inner.SetInt(format.Version)
			case field.IsExported() && field.Tag.Get("json") != "-":
				fill(inner, field.Name, level+1)
			}
		}
	}
}

// formatsIn returns the names of the formats that a package declares, sorted.
func formatsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, is := n.(*ast.TypeSpec); is && isFormat(spec) {
				found[spec.Name.Name] = true
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// isFormat tells whether a type is a struct that begins with a version.
func isFormat(spec *ast.TypeSpec) bool {
	of, is := spec.Type.(*ast.StructType)
	if !is || len(of.Fields.List) == 0 {
		return false
	}
	tag := of.Fields.List[0].Tag
	return tag != nil && reflect.StructTag(strings.Trim(tag.Value, "`")).Get("json") == "v"
}
