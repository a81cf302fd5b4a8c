package deployed_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// person uses the pages as a browser does.
type person struct {
	t      *testing.T
	base   string // of the relay
	cookie *http.Cookie
}

// visited signs in at the console, looks at a page and what it loads, makes a link to a tenant's
// portal and uses it.
func visited(t *testing.T, w *world) {
	c := newClient(t, w)
	boss := &person{t: t, base: c.ingress}
	boss.wants(http.StatusSeeOther, "GET", "/console", nil)
	boss.wants(http.StatusSeeOther, "POST", "/console/login", url.Values{"token": {c.token}})
	page := boss.wants(http.StatusOK, "GET", "/console", nil)
	style := regexp.MustCompile(`/console/assets/console\.css\?v=[0-9a-f]+`).FindString(page)
	if css := boss.wants(http.StatusOK, "GET", style, nil); !strings.Contains(css, ":root") {
		t.Errorf("%s: %.100s", style, css)
	}
	c.want(t, ok, "PUT", "/v1/tenants/visited", `{
		"name": "Visited", "portal": {"frame_ancestors": ["https://app.example.com"]}
	}`, "if-none-match", "*")
	c.want(t, ok, "GET", "/v1/offered?tenant=visited", "")
	made := c.want(t, ok, "POST", "/v1/tenants/visited/portal", `{"user": "ada"}`)
	link, _ := made["url"].(string)
	_, code, _ := strings.Cut(link, "#")
	host, _ := url.Parse(c.ingress)
	if want := "https://" + host.Host + "/portal/visited/enter#"; !strings.HasPrefix(link, want) {
		t.Errorf("the link is %s, want %s", link, want)
	}

	const root = "/portal/visited"
	ada := &person{t: t, base: c.ingress}
	ada.wants(http.StatusUnauthorized, "GET", root, nil)
	ada.wants(http.StatusSeeOther, "POST", root+"/enter", url.Values{"code": {code}})
	page = ada.wants(http.StatusOK, "POST", root+"/endpoints", url.Values{
		"name": {"shop"}, "url": {"https://shop.example.com/hooks"},
	})
	if !strings.Contains(page, "whsec_") {
		t.Errorf("no secret: %s", page)
	}
	if page := ada.wants(http.StatusOK, "GET", root, nil); !strings.Contains(page, ">shop<") {
		t.Errorf("the endpoint is not listed: %s", page)
	}
	made = c.want(t, ok, "GET", "/v1/endpoints/shop?tenant=visited", "")
	if made["managedBy"] != "portal" {
		t.Errorf("managed by %v", made["managedBy"])
	}
	ada.wants(http.StatusNotFound, "GET", root+"/endpoints/globex", nil)
	ada.wants(http.StatusNotFound, "GET", "/portal/nobody", nil)
	another := &person{t: t, base: c.ingress}
	another.wants(http.StatusUnauthorized, "POST", root+"/enter", url.Values{"code": {code}})
	ada.wants(http.StatusSeeOther, "POST", root+"/logout", nil)
	ada.wants(http.StatusUnauthorized, "GET", root, nil)
	boss.wants(http.StatusSeeOther, "POST", "/console/logout", nil)
	c.want(t, ok, "DELETE", "/v1/tenants/visited/portal", "")
}

// wants sends a request, checks the status of the answer, and returns its body.
func (p *person) wants(status int, method, path string, form url.Values) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(
		p.t.Context(), method, p.base+path, strings.NewReader(form.Encode()),
	)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		p.t.Errorf("%s %s: %d, want %d, %v: %.300s", method, path, resp.StatusCode, status, err, body)
	}
	for _, c := range resp.Cookies() {
		if p.cookie = c; c.MaxAge < 0 {
			p.cookie = nil
		}
		if prefix := "__Host-relay-"; !strings.HasPrefix(c.Name, prefix) || !c.Secure {
			p.t.Errorf("the cookie %s", fmt.Sprint(c))
		}
	}
	return string(body)
}
