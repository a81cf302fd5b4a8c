// Package browser finds a Chrome or Chromium for tests, and starts it.
package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// names are the commands of an installed browser.
var names = []string{
	"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
	"headless-shell", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

// Find returns the path of a browser: that of the environment variable CHROME, or an installed one.
// "": there is none.
func Find() string {
	for _, name := range append([]string{os.Getenv("CHROME")}, names...) {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// Start starts a browser with an empty profile. It ends with the test. Without a browser the test
// is skipped.
func Start(t *testing.T) context.Context {
	t.Helper()
	path := Find()
	if path == "" {
		t.Skip(
			"no Chrome or Chromium is installed: install one (Debian: apt-get install chromium), or set CHROME to its path",
		)
	}
	options := append(
		chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		// Nothing but this machine is called.
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true), chromedp.DisableGPU,
	)
	if os.Geteuid() == 0 { // Chrome's sandbox does not work for root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}
