package browser_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"webhook-relay/shared/lab/browser"
)

// TestTheFetchedBrowser hides what is installed. It runs where make browser had to fetch one, or
// has fetched one before.
func TestTheFetchedBrowser(t *testing.T) {
	tools := t.TempDir() // what the script and the browser need, and no browser
	for _, name := range []string{"sh", "dirname", "id", "cat"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", tools)
	t.Setenv("CHROME", "")
	path := browser.Find()
	if path == "" {
		t.Skip("none was fetched")
	}
	if !strings.Contains(path, "node_modules") {
		t.Skipf("%s cannot be hidden", path)
	}
	if out, err := exec.CommandContext(t.Context(), "./fetch").CombinedOutput(); err != nil ||
		len(out) > 0 {
		t.Errorf("fetch fetches again: %v: %s", err, out)
	}
	title, err := chromedp.Run(browser.Start(t), chromedp.Evaluate[string](`
		document.title = "it runs"; document.title
	`))
	if err != nil || title != "it runs" {
		t.Errorf("%q, %v", title, err)
	}
}
