package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

const (
	// Base is the path below which the console is.
	Base = "/console"
	// PortalBase is the path below which the portals of tenants are, each below the tenant's id.
	PortalBase = "/portal"
)

// Config has what the console works on.
type Config struct {
	// API serves /v1: see admin.New.
	API http.Handler
	// Documents are those beside the catalog. They have the sessions.
	Documents operate.Documents
	// Local: it is served over http on this machine. Otherwise cookies are for https only.
	Local bool
	// Sent returns what the stand-in of an endpoint's destination got, the oldest first; nil: there
	// are no stand-ins.
	Sent func(endpoint string) ([]Sent, error)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// server answers the requests.
type server struct {
	Config

	sessions *access.Sessions
	owners   *access.Tenants // of portals
	origins  *http.CrossOriginProtection
	console  *site
	portal   *site
}

// site is the console, or the portals.
type site struct {
	// pages is made by the first request to one: a start for a request to the API needs none.
	pages func() *http.ServeMux
	menu  []entry
}

// Console serves the pages below Base and PortalBase. It is safe for concurrent use.
type Console struct{ server *server }

// New returns the console. It calls nothing yet. Error: a port is missing.
func New(c Config) (*Console, error) {
	if c.API == nil || c.Documents == nil {
		return nil, errors.New("console: a port is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Console{server: &server{
		Config: c, origins: http.NewCrossOriginProtection(),
		sessions: access.NewSessions(
			c.Documents, access.NewTokens(c.Documents, c.Now), c.Now,
		),
		owners:  access.NewTenants(c.Documents, nil, c.Now),
		console: &site{pages: sync.OnceValue(consolePages), menu: entries},
		portal:  &site{pages: sync.OnceValue(portalPages), menu: portalEntries},
	}}, nil
}

// Link returns the path of a link that opens a session of the operator with the role admin, once,
// and is valid for a time.
// It opens the page of a path, such as Base+"/events"; "": the first one.
func (c *Console) Link(
	ctx context.Context, name, next string, valid time.Duration,
) (string, error) {
	code, _, err := c.server.sessions.Link(ctx, access.Link{
		Session: access.Session{
			Who: access.Who{Kind: "command", Name: name}, Role: access.Admin, Next: next,
		},
		Valid: valid,
	})
	return Base + "/enter#" + code, err
}

// Beside serves the pages at their paths, and gives all other requests to next. It uses no
// ServeMux, which would redirect requests with an untidy path.
func (c *Console) Beside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isBelow(Base, r.URL.Path) || isBelow(PortalBase, r.URL.Path) {
			c.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isBelow reports whether a path is a base or below it.
func isBelow(base, path string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && (rest == "" || rest[0] == '/')
}

// ServeHTTP answers a request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.server.ServeHTTP(w, r) }

// ServeHTTP answers a request: it finds out who sends it, and gives it to a page.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{server: s, w: w, r: r}
	path, err := v.locate()
	v.secure()
	switch {
	case strings.HasPrefix(path, "/assets/"):
		v.asset(path)
		return
	case err == nil && s.origins.Check(r) != nil:
		err = errForeign
	case err == nil:
		err = v.enter(path)
	}
	if err != nil {
		v.fail(err)
	}
}

// locate finds out of which site a request is, and returns its path below the site's root.
func (v *visit) locate() (path string, err error) {
	if isBelow(PortalBase, v.r.URL.Path) {
		return v.locatePortal()
	}
	v.site, v.root, v.base = v.console, Base, Base
	if !isBelow(Base, v.r.URL.Path) {
		return "", errNotFound
	}
	return strings.TrimPrefix(v.r.URL.Path, Base), nil
}

// enter finds the session of a request, and serves the page at a path below the root.
func (v *visit) enter(path string) error {
	switch {
	case path == "/login" && !v.inPortal():
		return v.login()
	case path == "/enter":
		return v.byLink()
	case path == "/theme.css" && v.inPortal():
		return v.theme()
	}
	if err := v.identify(); err != nil {
		if !errors.Is(err, access.ErrNoSession) {
			return err
		}
		v.clearCookie()
		return v.signedOut(path)
	}
	if name, rest, ok := tenantIn(path); ok && !v.inPortal() {
		v.tenant, path = name, rest
		v.base += "/~" + name
	}
	v.api = client.InProcess(v.API, v.principal(), v.tenant)
	inner := v.r.Clone(v.r.Context())
	inner.URL.Path, inner.URL.RawPath = cmp.Or(path, "/"), ""
	h, pattern := v.site.pages().Handler(inner)
	if _, ok := h.(pageHandler); !ok || pattern == "" {
		return errNotFound
	}
	// the ServeMux sets the values of the path
	inner = inner.WithContext(context.WithValue(v.r.Context(), visitKey{}, v))
	v.site.pages().ServeHTTP(v.w, inner)
	return v.err
}

// tenantIn returns the tenant of a path such as /~acme/events, and the path without it.
func tenantIn(path string) (name, rest string, ok bool) {
	after, ok := strings.CutPrefix(path, "/~")
	name, rest, _ = strings.Cut(after, "/")
	if !ok || !catalog.IsTenant(name) {
		return "", path, false
	}
	return name, "/" + rest, true
}

type visitKey struct{}

// pageHandler is a page in the ServeMux.
type pageHandler func(*visit) error

// ServeHTTP implements http.Handler, for a request that visit.enter made.
func (p pageHandler) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	v.r = r
	if v.err = v.readForm(); v.err == nil {
		v.err = p(v)
	}
}

// principal is who the API's requests come from.
func (v *visit) principal() admin.Principal {
	s := v.session
	who := s.Who
	if who.ID == "" {
		who.ID = s.ID
	}
	return admin.Principal{
		Who: who, Role: s.Role, Tenant: s.Tenant, Capabilities: s.Capabilities,
	}
}
