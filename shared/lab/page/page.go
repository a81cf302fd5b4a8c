package page

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// update is a flag of every test binary that imports this package.
var update = flag.Bool("update-docs", false, "write the generated tables of the documentation")

// ErrMark says that the page has no table with this name.
var ErrMark = errors.New("page: no such table")

// writing is locked while a page is read and written, because parallel tests may share a page.
var writing sync.Mutex

// Hold fails the test unless the generated table with the given name on the page at path is want.
// With -update-docs it writes the table instead.
func Hold(t testing.TB, path, name, want string) {
	t.Helper()
	writing.Lock()
	defer writing.Unlock()
	text, err := os.ReadFile(path) //nolint:gosec // a page of this repository
	if err != nil {
		t.Fatal(err)
	}
	next, err := Replace(string(text), name, want)
	switch {
	case err != nil:
		t.Errorf("%s: %v", path, err)
	case next == string(text):
	case *update:
		if err := os.WriteFile(path, []byte(next), 0o644); err != nil { //nolint:gosec // a page that everybody may read
			t.Error(err)
		}
	default:
		t.Errorf("%s: the table %s is stale; make docs writes it:\n%s", path, name, want)
	}
}

// Replace returns text with the generated table of the given name replaced by table. The error is
// ErrMark.
func Replace(text, name, table string) (string, error) {
	before, _, after, err := cut(text, "generated", name)
	if err != nil {
		return "", err
	}
	return before + "\n" + strings.TrimRight(table, "\n") + "\n\n" + after, nil
}

// Rows returns the cells of each row of the checked table with the given name on the page at path,
// without its head.
func Rows(t testing.TB, path, name string) [][]string {
	t.Helper()
	writing.Lock()
	defer writing.Unlock()
	text, err := os.ReadFile(path) //nolint:gosec // a page of this repository
	if err != nil {
		t.Fatal(err)
	}
	_, table, _, err := cut(string(text), "checked", name)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var rows [][]string
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if i < 2 {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), " |"), " |")
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatalf("%s: the table %s is empty", path, name)
	}
	return rows
}

// Names returns the names in backticks in a cell: "`dns`, `tls`" has two.
func Names(cell string) []string {
	var names []string
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			names = append(names, part)
		}
	}
	return names
}

// Table writes rows in Markdown. The first row is the head.
func Table(rows ...[]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

// cut returns the text before, between and after the marks of a table. The marks are part of before
// and after.
func cut(text, kind, name string) (before, table, after string, err error) {
	open, closing := fmt.Sprintf("<!-- %s:%s -->\n", kind, name), fmt.Sprintf("<!-- /%s -->", kind)
	before, rest, found := strings.Cut(text, open)
	table, after, ended := strings.Cut(rest, closing)
	if !found || !ended {
		return "", "", "", fmt.Errorf("%w: no %s and %s", ErrMark, strings.TrimSpace(open), closing)
	}
	return before + open, table, closing + after, nil
}
