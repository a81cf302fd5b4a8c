package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay/access"
)

// rules are those of the HTML standard and of accessibility. What is left out is taste.
const rules = `{
	"root": true, "extends": ["html-validate:standard", "html-validate:a11y"],
	"rules": {"no-implicit-button-type": "off"}
}`

// TestPagesAreValidHTML visits every page and asks a validator, in one process for all of them.
func TestPagesAreValidHTML(t *testing.T) {
	t.Parallel()
	infra, err := emulator.Packages()
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "rules.json"), []byte(rules), 0o600))
	n := 0
	keep := func(path string, a *httptest.ResponseRecorder) {
		t.Helper()
		if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
			return
		}
		n++
		name := fmt.Sprintf("%03d%s.html", n, strings.NewReplacer("/", "_", "?", "_").Replace(path))
		must(t, os.WriteFile(filepath.Join(dir, name), a.Body.Bytes(), 0o600))
	}
	r := newRig(t)
	r.fillPortal()
	boss := r.signedIn(access.Admin, "")
	_, forms := boss.crawl(keep)
	for _, f := range forms { // refused ones are shown again
		if f.method == http.MethodPost && f.action != "/logout" {
			keep(f.action, boss.post(f.action, url.Values{}))
		}
	}
	ada := r.customer("acme", access.Capabilities...)
	ada.crawl(keep)
	keep("made", ada.post("/endpoints", url.Values{"url": {"https://a.example.com"}}))
	keep("edit", ada.get("/endpoints/a-example-com/edit"))
	keep("link", boss.post("/tenants/acme/portal", nil))
	r.put("", "/v1/sources/more", map[string]any{"provider": "none", "tenant": "acme"})
	keep("several", ada.get("/endpoints/new"))
	stranger := &browser{rig: r, base: console.Base}
	keep("login", stranger.get("/login"))
	keep("enter", stranger.get("/enter"))
	framed := &browser{
		rig: r, base: "/portal/acme", header: http.Header{"Sec-Fetch-Dest": {"iframe"}},
	}
	keep("out", framed.get("/"))
	keep("window", framed.post("/enter", url.Values{"code": {"X"}}))

	empty := newRig(t)
	empty.console = lab.Must(console.New(console.Config{
		API: empty.api, Documents: empty.config.CatalogDocuments, Local: true,
	}))
	empty.signedIn(access.Admin, "").crawl(keep)
	if n < 80 {
		t.Errorf("%d pages", n)
	}
	out, err := exec.CommandContext(
		t.Context(), "node", filepath.Join(infra, "node_modules/html-validate/bin/html-validate.mjs"),
		"--config", filepath.Join(dir, "rules.json"), "--formatter", "text",
		filepath.Join(dir, "*.html"),
	).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%.60000s", err, strings.ReplaceAll(string(out), dir+"/", ""))
	}
}
