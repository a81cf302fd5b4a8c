package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"webhook-relay/shared/lab/emulator"
)

// look looks at a page on a phone and on a desk: nothing is wider than the screen, and axe-core
// finds nothing. With RELAY_SCREENSHOTS it does so in both colour schemes and keeps pictures in the
// folder of that name.
func (p *tab) look(path string) {
	p.t.Helper()
	dir := os.Getenv("RELAY_SCREENSHOTS")
	p.get(path)
	schemes := []string{"light"} // the layout of the other is the same
	if dir != "" {
		schemes = append(schemes, "dark")
	}
	for _, scheme := range schemes {
		if _, err := chromedp.Call(
			p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			},
		); err != nil {
			p.t.Fatal(err)
		}
		for _, width := range []int64{360, 1280} {
			p.do(chromedp.EmulateViewport(width, 800))
			if wide := evaluate[int](p, "document.documentElement.scrollWidth"); wide != int(width) {
				p.t.Errorf("%s: %d wide on a screen of %d", path, wide, width)
			}
			if dir != "" {
				p.picture(dir, path, width, scheme)
			}
		}
		p.isAccessible(path, scheme)
	}
	p.do(chromedp.ResetViewport())
}

func (p *tab) picture(dir, path string, width int64, scheme string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		name := strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path[1:])
		err = os.WriteFile(
			filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), png, 0o600,
		)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// axe is the script of axe-core, which finds what keeps people from using a page.
var axe = sync.OnceValues(func() (string, error) {
	infra, err := emulator.Packages()
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(infra, "node_modules", "axe-core", "axe.min.js"))
	return string(script), err
})

// isAccessible fails the test if axe-core finds a violation of WCAG 2.2 AA or of good practice.
func (p *tab) isAccessible(path, scheme string) {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	found, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](script+`;
		axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.flatMap(
			(v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary)))
	`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, violation := range found {
		p.t.Errorf("%s, %s: %s", path, scheme, violation)
	}
}
