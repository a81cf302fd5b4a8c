package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	devtools "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"webhook-relay/shared/lab/browser"
)

// tab is a page in a browser.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu      sync.Mutex
	own     int      // requests to the relay
	foreign []string // requests to other hosts
	errors  []string // what the browser complains about
}

// browserTime is how long a test in a browser may take.
const browserTime = 3 * time.Minute

// openTab opens the console or a portal with a link that signs in.
func openTab(t *testing.T, link string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(browser.Start(t), browserTime)
	t.Cleanup(cancel)
	address, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	base := address.Scheme + "://" + address.Host
	p := &tab{t: t, ctx: ctx, base: base}
	requests := chromedp.Events(ctx, network.RequestWillBeSent)
	entries := chromedp.Events(ctx, devtools.EntryAdded)
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}))
	go func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			if !strings.HasPrefix(e.Request.URL, base+"/") {
				p.note(&p.foreign, e.Request.URL)
				continue
			}
			p.mu.Lock()
			p.own++
			p.mu.Unlock()
		}
	}()
	go func() {
		for e, err := range entries {
			if err != nil {
				return
			}
			p.note(&p.errors, e.Entry.Text)
		}
	}()
	p.do(chromedp.Navigate(link), chromedp.WaitVisible("#side"))
	return p
}

func (p *tab) note(list *[]string, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*list = append(*list, text)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// get opens a page by its address.
func (p *tab) get(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.base+path), chromedp.WaitVisible("#page"))
}

// evaluate returns the value of an expression; the zero value while a page is loading.
func evaluate[T any](p *tab, expression string) T {
	v, _ := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	return v
}

func scriptText(s string) string {
	b, _ := json.Marshal(s) // a string
	return string(b)
}

// sees waits until the page is complete, so that its script hears keys, and shows a text.
func (p *tab) sees(text string) {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%s shows:\n%.2000s", evaluate[string](p, "location.href"),
				evaluate[string](p, "document.body.innerText"))
		}
	}()
	eventually(p.t, fmt.Sprintf("the page shows %q", text), func() bool {
		return evaluate[bool](
			p, `document.readyState === "complete" && document.body.innerText.includes(`+
				scriptText(text)+")",
		)
	})
}

// at waits until the address of the page ends so.
func (p *tab) at(path string) {
	p.t.Helper()
	eventually(p.t, "the page is "+path, func() bool {
		return strings.HasSuffix(evaluate[string](p, "location.pathname"), path)
	})
}

// follows clicks a link or a button by its text.
func (p *tab) follows(text string) {
	p.t.Helper()
	// the mark tells when the next page is there
	found := evaluate[bool](p, `(() => {
		const e = [...document.querySelectorAll("a, button, summary")].find((e) => e.innerText.trim() === `+scriptText(text)+`);
		if (!e) return false;
		document.body.dataset.old = "yes";
		setTimeout(() => e.click());
		return true;
	})()`)
	if !found {
		p.t.Fatalf("%s has no link or button %q", evaluate[string](p, "location.href"), text)
	}
	eventually(p.t, "the page after "+text, func() bool {
		return evaluate[bool](p, `document.readyState === "complete" && !document.body.dataset.old`)
	})
}

// fills writes into fields, by their names.
func (p *tab) fills(values map[string]string) {
	p.t.Helper()
	for name, value := range values {
		selector := fmt.Sprintf(`#page [name=%q]`, name)
		p.do(chromedp.SendKeys(selector, value))
	}
}

// TestTheConsoleInABrowser does by clicks what the walk of docs/api.md does by commands.
func TestTheConsoleInABrowser(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	addr, out := startLocal(t, "--data", dir)
	var link string
	eventually(t, "the link to the console", func() bool {
		_, after, ok := strings.Cut(out.String(), "console   ")
		link, _, _ = strings.Cut(after, " ")
		return ok
	})
	p := openTab(t, link)
	p.at("/console")
	p.sees("Begin here")
	if evaluate[string](p, "location.hash") != "" {
		t.Error("the code is still in the address")
	}

	p.follows("Add a source")
	evaluate[bool](p, `(() => {
		document.querySelector("#provider").value = "stripe";
		return document.querySelector("#provider").dispatchEvent(new Event("change", { bubbles: true }));
	})()`)
	p.sees("Signing secret")
	p.fills(map[string]string{"field:secrets": "whsec_c3RyaXBlLXNpZ25pbmctc2VjcmV0"})
	p.follows("Add the source")
	p.at("/console/sources/stripe")
	p.sees("http://" + addr + "/in/stripe")

	p.follows("Endpoints")
	p.follows("Add an endpoint")
	p.fills(map[string]string{"name": "shop", "url": endpoint.URL + "/hooks"})
	p.do(chromedp.Click("summary"))
	p.fills(map[string]string{"schedule": "1s, 2s"})
	p.follows("Add the endpoint")
	p.sees("It is shown this once")
	if s := evaluate[string](p, `document.querySelector("#secret").innerText`); !strings.HasPrefix(
		s, "whsec_",
	) {
		t.Errorf("the secret is %q", s)
	}

	p.follows("Subscribe it")
	p.fills(map[string]string{"name": "charges", "source": "stripe", "types": "charge.*"})
	p.follows("Add the subscription")
	p.at("/console/subscriptions/charges")
	p.get("/console/subscriptions/new?source=stripe&endpoint=shop")
	p.do(chromedp.SetValue(`#name`, "large"))
	p.fills(map[string]string{"filter": `{"data": {"type": ["payout.paid"]}}`})
	p.follows("Add the subscription")

	// an event appears by itself, and is delivered at the second attempt
	p.follows("Events")
	p.sees("Nothing matches.")
	if _, err := run(
		t, "send", "stripe", "--secret", "whsec_c3RyaXBlLXNpZ25pbmctc2VjcmV0",
		"--to", "http://"+addr+"/in/stripe",
	); err != nil {
		t.Fatal(err)
	}
	p.sees("charge.succeeded")
	p.sees("1 delivered")
	p.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("o"))
	p.sees("503 Service Unavailable")
	p.sees("data.type must be") // why it is not sent by the other subscription
	p.sees("200 OK")
	event := evaluate[string](p, "location.pathname")
	p.follows("The request")
	p.sees("webhook-signature")
	p.sees("It does not: it is sent as it came.")

	p.get("/console/sources/stripe")
	p.fills(map[string]string{"delivery": "evt_1Demo0ChargeSucceeded01"})
	p.follows("Find")
	p.at(event)

	// actions on the endpoint
	p.get("/console/endpoints/shop")
	p.follows("Ping")
	p.sees("A ping is on its way.")
	p.follows("Pause")
	p.sees("Its deliveries wait until it is resumed.")
	p.follows("Resume")
	p.sees("The endpoint gets its deliveries again.")
	p.follows("New secret…")
	p.follows("Make the new secret")
	p.sees("signs until")

	// a tenant, and its console
	p.do(chromedp.KeyEvent("g"), chromedp.KeyEvent("a"))
	p.sees("There is no tenant.")
	p.do(
		chromedp.SendKeys(`form.fields #id`, "acme"),
		chromedp.SendKeys(`form.fields #name`, "Acme Inc."),
	)
	p.follows("Add the tenant")
	p.follows("Its console")
	p.sees("Tenant acme")
	p.follows("leave")

	// the keys
	p.do(chromedp.KeyEvent("g"), chromedp.KeyEvent("c"))
	p.sees("tenants.put")
	p.do(chromedp.KeyEvent("?"))
	p.sees("next row, row before")
	p.do(chromedp.Click("#keys button"))
	p.do(chromedp.KeyEvent("p"))
	p.sees("Paused")
	p.do(chromedp.KeyEvent("p"), chromedp.KeyEvent("/"))

	p.get("/console/replay?endpoint=shop")
	p.follows("Plan it")
	p.sees("2 deliveries")
	job := evaluate[string](p, "location.pathname")
	p.complaints()
	p.everyPage(strings.TrimPrefix(event, "/console"), strings.TrimPrefix(job, "/console"))
	p.follows("Sign out")
	p.at("/console/login")
	p.get("/console/events")
	p.at("/console/login")
	p.readsOnly(dir)
	p.foreigners()
}

// readsOnly signs in with a token that may only read: nothing else is offered, and nothing done.
func (p *tab) readsOnly(dir string) {
	p.t.Helper()
	made, err := run(
		p.t, "tokens", "create", "--role", "read", "--name", "reader", "--data", dir,
	)
	_, secret, ok := strings.Cut(made, "rly_read_")
	if err != nil || !ok {
		p.t.Fatal(err, made)
	}
	p.do(chromedp.SendKeys("#token", "rly_read_"+strings.TrimSpace(secret)+kb.Enter))
	p.at("/console/events") // where the reader wanted to go
	p.get("/console/endpoints/shop")
	if n := evaluate[int](p, `document.querySelectorAll("#page button:not(.script)").length`); n !=
		0 {
		p.t.Errorf("%d buttons are offered to a reader", n)
	}
	status := evaluate[int](p, awaited("/console/endpoints/shop/pause", "POST"))
	if status != http.StatusForbidden {
		p.t.Errorf("a reader's pause: %d", status)
	}
}

// complaints fails the test if the browser refused something.
func (p *tab) complaints() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) > 0 {
		p.t.Errorf("the browser complains: %q", p.errors)
	}
}

// foreigners fails the test if a page called another host, or if requests were not noted at all.
func (p *tab) foreigners() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.foreign) > 0 || p.own < 50 {
		p.t.Errorf("%d requests to the relay, and to others %q", p.own, p.foreign)
	}
}

// everyPage looks at pages of the console on a phone and on a desk, in both colour schemes.
func (p *tab) everyPage(event, job string) {
	p.t.Helper()
	for _, page := range []string{
		"", "/events", event, event + "/again", event + "/to/shop", "/dead", "/sources", "/sources/stripe",
		"/sources/new?provider=stripe", "/endpoints", "/endpoints/shop", "/endpoints/new",
		"/endpoints/shop/json", "/endpoints/shop/delete", "/endpoints/shop/rotate",
		"/endpoints/shop/edit", "/subscriptions", "/subscriptions/large", "/subscriptions/new",
		"/subscriptions/large/edit", "/subscriptions/large/try?event=" + path.Base(event),
		"/jobs", job, job + "/run", "/replay", "/changes", "/changes/verify", "/configuration",
		"/listeners", "/tokens", "/tenants", "/tenants/acme", "/tenants/acme/end", "/tenants/acme/delete", "/none",
	} {
		p.look("/console" + page)
	}
}
