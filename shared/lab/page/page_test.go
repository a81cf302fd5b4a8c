package page_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/page"
)

func TestATableIsReplaced(t *testing.T) {
	t.Parallel()
	text := "a\n<!-- generated:one -->\nold\n<!-- /generated -->\nb\n<!-- generated:two -->\n<!-- /generated -->\n"
	got, err := page.Replace(text, "two", page.Table([]string{"x", "y"}, []string{"1", "2"}))
	want := "a\n<!-- generated:one -->\nold\n<!-- /generated -->\nb\n<!-- generated:two -->\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n<!-- /generated -->\n"
	if err != nil || got != want {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if again, err := page.Replace(got, "two", "| x | y |\n|---|---|\n| 1 | 2 |"); err != nil ||
		again != got {
		t.Errorf("%v, not the same again:\n%s", err, again)
	}
	for _, name := range []string{"three", "on"} {
		if _, err := page.Replace(text, name, ""); !errors.Is(err, page.ErrMark) {
			t.Errorf("%s: got %v, want %v", name, err, page.ErrMark)
		}
	}
}

func TestRowsAreRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	text := "<!-- checked:keys -->\n\n| key | default |\n|---|---|\n| `a`, `b` | none |\n| `c` | |\n\n<!-- /checked -->\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := page.Rows(t, path, "keys")
	if diff := cmp.Diff([][]string{{"`a`, `b`", "none"}, {"`c`", ""}}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, page.Names(rows[0][0])); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
