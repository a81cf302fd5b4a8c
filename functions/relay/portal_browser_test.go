package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

const operatorFile = `
sources:
  - name: app
    provider: none
    tenant: {header: webhook-tenant}
    types:
      - {name: order.created, description: An order was placed.}
      - {name: order.paid, description: An order was paid in full. The event has the order with all of its lines.}
      - {name: order.cancelled}
`

// tenantFile lets a page embed the portal.
const tenantFile = `
portal: {frame_ancestors: ["%s"], accent: "#7a1fa2", refresh_url: "%[1]s/refresh"}
`

// portals is a relay with the tenants acme and other, and an application that embeds a portal.
type portals struct {
	t    *testing.T
	addr string
	dir  string
	app  string // its address
	page string // what the application serves
}

func newPortals(t *testing.T) *portals {
	t.Helper()
	p := &portals{t: t, dir: t.TempDir()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "text/html")
		_, _ = fmt.Fprint(w, p.page)
	}))
	t.Cleanup(server.Close)
	p.app = server.URL
	p.addr, _ = startLocal(t, "--data", p.dir)
	p.apply(operatorFile)
	for _, tenant := range []string{"acme", "other"} {
		p.relay("tenants", "put", tenant, "--name", "Acme Inc.")
		p.apply(fmt.Sprintf(tenantFile, p.app), "--tenant", tenant)
	}
	return p
}

// relay runs a command with the relay.
func (p *portals) relay(args ...string) string {
	p.t.Helper()
	out, err := run(p.t, append(args, "--data", p.dir)...)
	if err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func (p *portals) apply(file string, args ...string) {
	p.t.Helper()
	name := filepath.Join(p.t.TempDir(), "relay.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.relay(append([]string{"apply", name}, args...)...)
}

// link returns a new link to a portal.
func (p *portals) link(tenant string, args ...string) string {
	p.t.Helper()
	out := p.relay(append([]string{"tenants", "portal", tenant}, args...)...)
	_, path, ok := strings.Cut(out, "/portal/")
	if !ok {
		p.t.Fatal(out)
	}
	return "http://" + p.addr + "/portal/" + strings.Fields(path)[0]
}

// publish sends an event of a tenant.
func (p *portals) publish(tenant, body string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(
		p.t.Context(), http.MethodPost, "http://"+p.addr+"/in/app", strings.NewReader(body),
	)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Webhook-Tenant", tenant)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("published: %s", resp.Status)
	}
}

// TestThePortalInABrowser is what a customer does, from the link on.
func TestThePortalInABrowser(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer endpoint.Close()
	relay := newPortals(t)
	p := openTab(t, relay.link("acme", "--user", "ada"))
	p.at("/portal/acme")
	p.sees("There is no endpoint yet.")
	p.look("/portal/acme")
	p.look("/portal/acme/endpoints/new")

	p.follows("Endpoints")
	p.follows("Add an endpoint")
	p.fills(map[string]string{
		"url": endpoint.URL + "/hooks", "name": "shop", "types:app": "order.*",
	})
	p.do(chromedp.Click(`[value="order.paid"]`))
	p.follows("Add the endpoint")
	p.sees("It is shown this once")
	p.sees("order.paid, order.*")
	secret := evaluate[string](p, `document.querySelector("#secret").innerText`)
	if !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("the secret is %q", secret)
	}
	p.follows("Edit")
	evaluate[string](p, `document.querySelector("#types-app").value = ""`)
	p.do(chromedp.Click(`[value="order.paid"]`))
	p.follows("Save")
	p.sees("It is saved.")
	p.follows("Ping")
	p.sees("200 OK")
	relay.publish("acme", `{"type": "order.paid", "secret of acme": 1}`)
	relay.publish("other", `{"type": "order.paid", "secret of other": 1}`)
	p.follows("Events")
	p.sees("1 delivered")
	if n := evaluate[int](p, `document.querySelectorAll("tr[data-row]").length`); n != 2 {
		t.Errorf("%d events are listed, want the ping and one more", n)
	}
	p.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("o"))
	p.sees("secret of acme")
	event := evaluate[string](p, "location.pathname")
	p.follows("Send again…")
	p.follows("Send 1 delivery again")
	p.sees("It is sent again.")
	p.get("/portal/acme/endpoints/shop")
	p.follows("Pause")
	p.sees("Its deliveries wait until it is resumed.")
	p.follows("Resume")
	p.follows("New secret…")
	p.follows("Make the new secret")
	p.sees("signs until")

	long := strings.Repeat("a-long-name-", 5) + "end"
	relay.apply(fmt.Sprintf(`
endpoints: [{name: %s, url: "https://%[1]s.example.com/%s"}]
subscriptions: [{source: app, endpoint: %[1]s, types: [%[2]s]}]
`, long, strings.Repeat("x", 250)), "--tenant", "acme")
	for _, path := range []string{
		"", "/endpoints/" + long, "/endpoints/shop", "/endpoints/shop/edit", "/endpoints/shop/delete",
		"/endpoints/shop/rotate", "/events", strings.TrimPrefix(event, "/portal/acme"), "/none",
	} {
		p.look("/portal/acme" + path)
	}
	p.others(relay)
	p.get("/portal/acme/endpoints/shop/delete")
	p.follows("Delete shop")
	p.sees("It is deleted.")
	p.complaints()
	p.follows("Sign out")
	p.sees("You are signed out")
	p.look("/portal/acme/signed-out")
	p.look("/portal/acme/enter")
	p.get("/portal/acme/events")
	if to := evaluate[string](p, `document.querySelector("#page a").href`); to !=
		relay.app+"/refresh?next=%2Fevents&tenant=acme" {
		t.Errorf("the button leads to %s", to)
	}
	p.foreigners()
}

// others checks that the session of acme is worth nothing elsewhere, and that a link that only
// shows lets nobody do more.
func (p *tab) others(relay *portals) {
	p.t.Helper()
	for _, path := range []string{"/portal/other", "/portal/other/endpoints", "/console/endpoints"} {
		if status := evaluate[int](p, awaited(path, "GET")); status == http.StatusOK {
			p.t.Errorf("%s is shown", path)
		}
	}
	p.get(strings.TrimPrefix(relay.link("acme", "--can", "view"), p.base))
	p.at("/portal/acme")
	p.get("/portal/acme/endpoints/shop")
	if n := evaluate[int](p, `document.querySelectorAll("#page button, #page .button").length`); n !=
		0 {
		p.t.Errorf("%d buttons are offered", n)
	}
	for _, action := range []string{"ping", "pause", "rotate", "delete", "edit"} {
		path := "/portal/acme/endpoints/shop/" + action
		if status := evaluate[int](p, awaited(path, "POST")); status != http.StatusForbidden {
			p.t.Errorf("%s: %d", action, status)
		}
	}
	p.get(strings.TrimPrefix(relay.link("acme"), p.base))
	p.at("/portal/acme")
	p.mu.Lock() // that these are refused is what the browser complains about
	defer p.mu.Unlock()
	p.errors = nil
}

// awaited is an expression for the status of an answer. The request is over before it has a value.
func awaited(path, method string) string {
	return fmt.Sprintf(`(() => {
		const r = new XMLHttpRequest();
		r.open(%q, %q, false);
		r.send();
		return r.responseURL.endsWith(%[2]q) ? r.status : 303;
	})()`, method, path)
}

// TestThePortalInAFrame embeds it in a page of the same site, in one that may not, and in one of
// another site, where the browser keeps no cookie.
func TestThePortalInAFrame(t *testing.T) {
	t.Parallel()
	relay := newPortals(t)
	framed := func(link string) {
		relay.page = fmt.Sprintf(
			`<!doctype html><title>App</title><iframe src=%q width=900 height=600></iframe>`, link,
		)
	}
	p := openTab(t, relay.link("acme"))
	framed(relay.link("other"))
	p.do(chromedp.Navigate(relay.app))
	p.frameShows("There is no endpoint yet.")

	// the same server by another name is another site
	elsewhere := strings.Replace(relay.app, "127.0.0.1", "localhost", 1)
	p.do(chromedp.Navigate(elsewhere))
	p.frameIsRefused()
	relay.apply(fmt.Sprintf(tenantFile, elsewhere), "--tenant", "other")
	framed(relay.link("other"))
	p.do(chromedp.Navigate(elsewhere))
	p.frameShows("Open in a window of its own")
	window := chromedp.WaitNewTarget(p.ctx, func(i *target.Info) bool {
		return strings.HasSuffix(i.URL, "/portal/other")
	})
	inFrame[bool](p, `(document.querySelector("button").click(), true)`)
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithTargetID(<-window))
	defer cancel()
	opened := &tab{t: t, ctx: ctx}
	opened.sees("There is no endpoint yet.")
}

// inFrame returns the value of an expression in the frame of the page, as if the user had asked for
// it; the zero value while the frame is loading.
func inFrame[T any](p *tab, expression string) (value T) {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	frame := p.frame(ctx)
	if frame == nil {
		return value
	}
	world, err := chromedp.Call(ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{
		FrameID: frame.ID,
	})
	if err != nil {
		return value
	}
	value, _ = chromedp.Run(ctx, chromedp.Evaluate[T](expression, func(e *runtime.EvaluateParams) {
		e.ContextID, e.UserGesture = world.ExecutionContextID, new(true)
	}))
	return value
}

// frame returns the frame of the page, or nil.
func (p *tab) frame(ctx context.Context) *cdp.Frame {
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil || len(tree.FrameTree.ChildFrames) != 1 {
		return nil
	}
	return tree.FrameTree.ChildFrames[0].Frame
}

// frameShows waits until the frame of the page shows a text.
func (p *tab) frameShows(text string) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("the frame shows %q", text), func() bool {
		return inFrame[bool](p, "document.body.innerText.includes("+scriptText(text)+")")
	})
}

// frameIsRefused waits until the browser shows an error in the frame of the page.
func (p *tab) frameIsRefused() {
	p.t.Helper()
	eventually(p.t, "the frame is refused", func() bool {
		frame := p.frame(p.ctx)
		return frame != nil && frame.UnreachableURL != ""
	})
}
