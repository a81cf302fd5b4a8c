// Package browser finds a Chrome or Chromium for tests, and starts it.
package browser

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// names are the commands of an installed browser, one a line. The script fetch reads them too.
//
//go:embed names.txt
var names string

// Find returns the path of a browser: that of the environment variable CHROME, an installed one, or
// the one that the script fetch has brought here. "": there is none.
func Find() string {
	for _, name := range append([]string{os.Getenv("CHROME")}, strings.Split(names, "\n")...) {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	if path, err := exec.LookPath(fetched()); err == nil {
		return path
	}
	return ""
}

// fetched is the path of the browser that make browser fetches.
func fetched() string {
	_, here, _, _ := runtime.Caller(0) // it is known, but in a build with -trimpath
	return filepath.Join(filepath.Dir(here), "node_modules", ".chromium", "chrome")
}

// Start starts a browser with an empty profile. It ends with the test. Without a browser the test
// is skipped.
func Start(t *testing.T) context.Context {
	t.Helper()
	path := Find()
	if path == "" {
		t.Skip(
			"there is no Chrome or Chromium: make browser fetches one; or set CHROME to the path of yours",
		)
	}
	options := append(
		chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		// Nothing but this machine is called.
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true), chromedp.DisableGPU,
		// Chrome, unlike the headless shell of npm, gives a frame of another site a process of its
		// own, in which a test of the page does not see it.
		chromedp.Flag("disable-site-isolation-trials", true),
	)
	// Chrome's sandbox works neither for root nor, on many systems, without an installation.
	if os.Geteuid() == 0 || path == fetched() {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}
