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

// TestTheScriptTurnsToDebian: without npm's browser, root gets that of apt-get, and others are told
// what to do. The commands are played.
func TestTheScriptTurnsToDebian(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		"0": "update -qq\ninstall -y -qq --no-install-recommends chromium\n", "1000": "",
	} {
		dir := t.TempDir()
		for _, name := range []string{"fetch", "names.txt", "package-lock.json"} {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			play(t, dir, name, string(text))
		}
		play(t, dir, "npm", "#!/bin/sh\nexit 1\n")
		play(t, dir, "id", "#!/bin/sh\necho "+user+"\n")
		play(t, dir, "dirname", "#!/bin/sh\necho "+dir+"\n")
		play(t, dir, "debians", "#!/bin/sh\n")
		play(t, dir, "apt-get", `#!/bin/sh
echo "$*" >>calls
[ "$1" = install ] && mv debians chromium
exit 0
`)
		mv, err := exec.LookPath("mv")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(mv, filepath.Join(dir, "mv")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "fetch"))
		cmd.Env = []string{"PATH=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("user %s: %v: %s", user, err, out)
		}
		calls, _ := os.ReadFile(filepath.Join(dir, "calls")) // there is none if nothing was called
		if string(calls) != want {
			t.Errorf("user %s: apt-get %s", user, calls)
		}
		if told := strings.Contains(string(out), "no browser"); told != (user != "0") {
			t.Errorf("user %s: %s", user, out)
		}
	}
}

// play writes a command into a folder.
func play(t *testing.T, dir, name, text string) {
	t.Helper()
	//nolint:gosec // a command
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}
