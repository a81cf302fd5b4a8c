package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/access"
)

// Errors of the console itself.
var (
	errNotFound = &admin.Problem{
		Title: "There is no such page", Status: http.StatusNotFound,
		Detail: "The address is wrong, or what was here has been deleted.",
	}
	errForeign = &admin.Problem{
		Title: "The form came from another site", Status: http.StatusForbidden,
		Detail: "Nothing was changed. Open the page here and send the form again.",
	}
)

// visit is a request to a page, with what the page needs.
type visit struct {
	*server

	w       http.ResponseWriter
	r       *http.Request
	site    *site
	root    string        // in front of the site's own paths: /console, /portal/acme
	base    string        // in front of the paths of links: the root, or /console/~acme
	owner   access.Tenant // whose portal it is; the zero value: it is the console
	session access.Session
	tenant  string // whose things the page is about; "": those of the session
	api     *client.Client
	problem *admin.Problem // why the form that was sent was refused
	err     error
}

// page is what is around the content of a page.
type page struct {
	title string // without the name of the relay
	nav   string // the path of the entry of the menu that it belongs to
	live  bool   // the script keeps it up to date
}

// to returns the link to a path below the base. API Gateway has no address that ends with a slash,
// so the overview is at the base itself.
func (v *visit) to(path string) templ.SafeURL {
	return templ.SafeURL(strings.TrimSuffix(v.base+path, "/"))
}

// at returns the link to a path of these elements below the base.
func (v *visit) at(elements ...string) templ.SafeURL {
	return templ.SafeURL(v.base + client.Path(elements...))
}

// with returns the link to this page with other parameters: pairs of name and value; a value of ""
// leaves one out.
func (v *visit) with(pairs ...string) templ.SafeURL {
	q := v.r.URL.Query()
	for _, own := range []string{"next", "back", "said", "scanned", "found"} {
		q.Del(own)
	}
	for i := 0; i < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	link := string(v.to(v.r.URL.EscapedPath()))
	if len(q) > 0 {
		link += "?" + q.Encode()
	}
	return templ.SafeURL(link)
}

// query returns a parameter of the URL.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// field returns a field of the form that was sent, or else what it begins with.
func (v *visit) field(name, begin string) string {
	if v.r.Method == http.MethodPost {
		return strings.TrimSpace(v.r.PostFormValue(name))
	}
	return begin
}

// readForm reads the form that was sent.
func (v *visit) readForm() error {
	if v.r.Method != http.MethodPost {
		return nil
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, admin.MaxBodyBytes+maxForm)
	if err := v.r.ParseForm(); err != nil {
		return &admin.Problem{
			Title: "The form cannot be read", Status: http.StatusBadRequest,
			Detail: "It is larger than 1 MiB, or broke off. Nothing was changed.",
		}
	}
	return nil
}

// may reports whether the session may use a route of the API, so that what is refused is not
// offered.
func (v *visit) may(routes ...string) bool {
	for _, id := range routes {
		if !v.principal().May(id) {
			return false
		}
	}
	return true
}

// redirect sends the browser to another page.
func (v *visit) redirect(to templ.SafeURL) {
	http.Redirect(v.w, v.r, string(to), http.StatusSeeOther)
}

// done sends the browser to a page that says what was done.
func (v *visit) done(to templ.SafeURL, said string) error {
	link := string(to)
	if said != "" {
		sep := "?"
		if strings.Contains(link, "?") {
			sep = "&"
		}
		link += sep + url.Values{"said": {said}}.Encode()
	}
	v.redirect(templ.SafeURL(link))
	return nil
}

// fail shows an error.
func (v *visit) fail(err error) {
	p := problemOf(err)
	v.problem = nil
	if p.Status == http.StatusUnauthorized {
		v.clearCookie()
	}
	if err := v.show(p.Status, page{title: p.Title}, problemPage(v, p)); err != nil {
		http.Error(v.w, "The page cannot be shown.", http.StatusInternalServerError)
	}
}

// problemOf returns what is shown of an error.
func problemOf(err error) *admin.Problem {
	var p *admin.Problem
	if errors.As(err, &p) {
		return p
	}
	return &admin.Problem{
		Title: "The relay failed", Status: http.StatusInternalServerError,
		Detail: "Try again later. The log has more.",
	}
}

// refused shows a form again, with what is wrong with it. Other errors are returned.
func (v *visit) refused(err error, form func(*visit) error) error {
	var p *admin.Problem
	if !errors.As(err, &p) || p.Status == http.StatusUnauthorized ||
		p.Status >= http.StatusInternalServerError {
		return err
	}
	v.problem = p
	return form(v)
}

// fleeting are the parts of a page that differ each time, with the characters that end them: how
// long ago something was, and the sealed positions in lists.
var fleeting = []struct{ begin, end string }{
	{begin: "<time ", end: ">"}, {begin: "next=", end: `"&`}, {begin: "back=", end: `"&`},
}

// lasting returns a page without what is fleeting. A regular expression would take longer than all
// else of a page.
func lasting(page []byte) []byte {
	for _, f := range fleeting {
		var kept []byte
		before, rest, found := bytes.Cut(page, []byte(f.begin))
		for found {
			kept = append(kept, before...)
			rest = rest[max(bytes.IndexAny(rest, f.end), 0):]
			before, rest, found = bytes.Cut(rest, []byte(f.begin))
		}
		kept = append(kept, before...)
		page = kept
	}
	return page
}

// show writes a page. Its ETag is made of what it shows, so a page that has not changed is not sent
// again.
func (v *visit) show(status int, p page, content templ.Component) error {
	var b bytes.Buffer
	if v.problem != nil && status == http.StatusOK {
		status = v.problem.Status
	}
	if err := layout(v, p, content).Render(v.r.Context(), &b); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if p.live && status == http.StatusOK {
		sum := sha256.Sum256(lasting(b.Bytes()))
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		if v.r.Header.Get("If-None-Match") == tag {
			v.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(b.Bytes()) // the client may have gone
	}
	return nil
}

// ok shows a page.
func (v *visit) ok(p page, content templ.Component) error {
	return v.show(http.StatusOK, p, content)
}

// said are the notes about what was done, by the parameter said.
var said = map[string]string{
	"paused":    "The endpoint is paused. Its deliveries wait.",
	"resumed":   "The endpoint gets its deliveries again.",
	"pinged":    "A ping is on its way. Its delivery is below.",
	"deleted":   "It is deleted.",
	"saved":     "It is saved. It is in force within 30 seconds.",
	"unheard":   "The listener has ended.",
	"revoked":   "The token is revoked. It is refused everywhere within 30 seconds.",
	"running":   "The job runs.",
	"cancelled": "The job is cancelled. What it has done stays done.",
	"again":     "It is sent again. The new attempts appear below.",
	"ended":     "All sessions of the tenant are ended.",
	"applied":   "The configuration is applied. It is in force within 30 seconds.",
}

// note returns what the page says was done; "": nothing.
func (v *visit) note() string { return said[v.query("said")] }

func (v *visit) now() time.Time { return v.Now().UTC() }
