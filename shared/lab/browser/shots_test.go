package browser_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"webhook-relay/shared/lab/browser"
)

// TestShots takes pictures of pages: SHOT_LINK signs in, SHOT_PAGES are paths.
func TestShots(t *testing.T) {
	link := os.Getenv("SHOT_LINK")
	if link == "" {
		t.Skip("SHOT_LINK is not set")
	}
	ctx := browser.Start(t)
	base, _, _ := strings.Cut(link, "/console")
	if err := chromedp.Do(ctx, chromedp.Navigate(link), chromedp.WaitVisible("#side")); err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(os.Getenv("SHOT_PAGES")) {
		for _, width := range []int64{1280, 360} {
			for _, scheme := range []string{"light", "dark"} {
				if w := os.Getenv("SHOT_ONLY"); w != "" && !strings.Contains(w, fmt.Sprint(width, scheme)) {
					continue
				}
				if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
					t.Fatal(err)
				}
				if err := chromedp.Do(ctx,
					chromedp.EmulateViewport(width, 800),
					chromedp.Navigate(base+p), chromedp.WaitVisible("main"),
				); err != nil {
					t.Fatal(p, err)
				}
				png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(p, err)
				}
				wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > innerWidth"))
				if err != nil || wide {
					t.Errorf("%s at %d: scrolls sideways %v", p, width, err)
				}
				name := fmt.Sprintf("/tmp/shots/%s-%d-%s.png", strings.Trim(strings.NewReplacer("/", "_", "?", "_", "&", "_").Replace(p), "_"), width, scheme)
				if err := os.WriteFile(name, png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
