package console

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"webhook-relay/shared/admin"
)

// entry is an entry of the menu.
type entry struct {
	path, title, key string
	routes           []string // of the API, that the session must be allowed
	operator         bool     // not for a tenant
}

var entries = []entry{
	{path: "/", title: "Overview", key: "o", routes: []string{"endpoints.list"}},
	{path: "/events", title: "Events", key: "e", routes: []string{"events.get"}},
	{path: "/dead", title: "Dead deliveries", key: "d", routes: []string{"jobs.list"}},
	{path: "/sources", title: "Sources", key: "s", routes: []string{"sources.list"}},
	{path: "/endpoints", title: "Endpoints", key: "n", routes: []string{"endpoints.list"}},
	{
		path: "/subscriptions", title: "Subscriptions", key: "u",
		routes: []string{"subscriptions.list"},
	},
	{path: "/jobs", title: "Jobs", key: "j", routes: []string{"jobs.list"}},
	{path: "/changes", title: "Changes", key: "c", routes: []string{"audit.list"}},
	{
		path: "/configuration", title: "Configuration", key: "f",
		routes: []string{"export", "plan"},
	},
	{path: "/listeners", title: "Listeners", key: "l", routes: []string{"listeners.list"}},
	{path: "/tokens", title: "Tokens", key: "t", routes: []string{"tokens.list"}},
	{
		path: "/tenants", title: "Tenants", key: "a", routes: []string{"tenants.list"},
		operator: true,
	},
}

// portalEntries are those of the portals.
var portalEntries = []entry{
	{path: "/", title: "Endpoints", key: "n", routes: []string{"endpoints.list"}},
	{path: "/events", title: "Events", key: "e", routes: []string{"events.list"}},
}

// menu returns the entries of the menu that the session may use.
func (v *visit) menu() []entry {
	var all []entry
	for _, e := range v.site.menu {
		if v.may(e.routes...) && (!e.operator || v.tenant == "") {
			all = append(all, e)
		}
	}
	return all
}

// who is who is signed in.
func (v *visit) who() string { return cmp.Or(v.session.Who.Name, v.session.Who.ID) }

// nextPage is the page to show after the sign-in.
func (v *visit) nextPage() string {
	if v.r.Method == http.MethodPost {
		return v.r.PostFormValue("to")
	}
	return v.query("to")
}

// once returns the name of the form that is shown.
func (v *visit) once() string {
	if v.r.Method == http.MethodPost {
		if given := v.r.PostFormValue("once"); given != "" && v.problem == nil {
			return given
		}
	}
	return rand.Text()
}

// older is the link to the next part of a list, which remembers this one.
func (v *visit) older(next string) templ.SafeURL {
	return v.with("next", next, "back", v.query("next"))
}

// newer is the link to the part before; of the part before that it knows nothing.
func (v *visit) newer() templ.SafeURL { return v.with("next", v.query("back")) }

// colours are those of the words of closed sets; others have none.
var colours = map[string]string{
	"delivered": "good", "healthy": "good", "succeeded": "good", "done": "good", "verified": "good",
	"matched": "good",
	"waiting": "wait", "held": "wait", "paused": "wait", "recovering": "wait",
	"running": "wait", "planning": "wait", "planned": "wait", "unproven": "wait",
	"unverified": "wait", "authenticated": "good", "slow": "wait",
	"dead": "bad", "open": "bad", "disabled": "bad", "failed": "bad", "cancelled": "plain",
	"failed_answer": "bad", "timeout": "bad", "unreachable": "bad", "dns": "bad", "tls": "bad",
	"broken": "bad", "blocked": "bad", "auth": "bad",
}

func colourOf(word string) string { return cmp.Or(colours[strings.ToLower(word)], "plain") }

// pageOf are the pages of the things in the audit log.
var pageOf = map[string]string{
	"endpoint": "endpoints", "source": "sources", "subscription": "subscriptions", "job": "jobs",
}

// detailsOf says what the details of a change show.
func detailsOf(c admin.Change) string {
	switch {
	case len(c.Before) == 0:
		return "what was made"
	case len(c.After) == 0:
		return "what there was"
	}
	return "before and after"
}

// option is a choice of a form.
type option struct{ value, title string }

// decode reads an answer of the API.
func decode[T any](body []byte) (T, error) {
	var out T
	err := json.Unmarshal(body, &out)
	return out, err
}

// query returns one parameter of a URL.
func query(name, value string) string { return url.Values{name: {value}}.Encode() }

// kept is a field of a form that was refused, or else what it begins with: on a page with several
// forms, of which another one may have been sent.
func (v *visit) kept(name, begin string) string {
	if _, sent := v.r.PostForm[name]; sent && v.problem != nil {
		return v.field(name, "")
	}
	return begin
}

// retained is a field of a form that was refused; "" if it was not, so that the next one is empty.
func (v *visit) retained(name string) string {
	if v.problem == nil {
		return ""
	}
	return v.field(name, "")
}
