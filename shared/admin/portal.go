package admin

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

// PortalSpec is how the portal of a tenant looks, and which pages may embed it, in the form of the
// configuration file.
type PortalSpec struct {
	FrameAncestors []string `json:"frame_ancestors,omitempty" doc:"The origins whose pages may show the portal in a frame. None: no page may" example:"[\"https://app.example.com\"]"`
	LogoURL        string   `json:"logo_url,omitempty" doc:"The https address of an image" example:"https://example.com/logo.svg"`
	Accent         string   `json:"accent,omitempty" doc:"The colour of buttons and links" example:"#0b57b0"`
	Scheme         string   `json:"scheme,omitempty" doc:"light or dark. Without it, what the user's system prefers" example:"dark"`
	RefreshURL     string   `json:"refresh_url,omitempty" doc:"The https address of a page of your application that makes a new link. A user whose session has ended is sent there, with the parameters tenant and next" example:"https://app.example.com/webhooks"`
}

const (
	// PortalLinkTTL is how long a link to a portal can be used.
	PortalLinkTTL = time.Minute
	// maxPortalEndpoints is how many endpoints a tenant has when its users can add no more.
	maxPortalEndpoints = 50
	// maxOffered is how many of a tenant's, and of the operator's, sources are looked at.
	maxOffered = 1000
	// portalPath is where the portals are: see package console.
	portalPath = "/portal/"
)

// problemOfPortal returns the problem of settings that are not valid, or nil.
func problemOfPortal(pointer string, spec PortalSpec) error {
	faults := access.Portal(spec).Faults()
	if len(faults) == 0 {
		return nil
	}
	p := invalid.problem("Correct what is named in errors, and send the request again.")
	for _, f := range faults {
		p = p.and(pointer+pointerOf(f.Field), "%s", f.Text)
	}
	return p
}

// PortalLink asks for a link to a tenant's portal.
type PortalLink struct {
	Capabilities []string `json:"capabilities,omitempty" enum:"view,secret,manage,replay,ping" doc:"What its user may do. view must be among them. Left out: everything"`
	TTL          string   `json:"ttl,omitempty" doc:"How long the session lasts that it opens: 1m to 8h. Left out: 8h" example:"1h"`
	Next         string   `json:"next,omitempty" doc:"The page to begin with, as a path below the portal" example:"/endpoints/shop"`
	User         string   `json:"user,omitempty" maxLength:"100" doc:"Who it is for, as the list of changes shows it" example:"ada@acme.example"`
}

// MadePortalLink is a link to a tenant's portal.
type MadePortalLink struct {
	URL   string    `json:"url" doc:"It can be used once. Its host is the one by which this request came" example:"https://relay.example.com/portal/acme/enter#4XQ…"`
	Path  string    `json:"path" doc:"The link without the host, if your customers use another one" example:"/portal/acme/enter#4XQ…"`
	Until time.Time `json:"until" doc:"It can be used before this time"`
}

type portalInput struct {
	TenantID

	Body PortalLink
}

type portalAnswer struct{ Body MadePortalLink }

// Offered is a source to which a tenant's endpoints can subscribe.
type Offered struct {
	Name string `json:"name" example:"app"`
	Own  bool   `json:"own,omitempty" doc:"It is the tenant's own. Otherwise the operator's, which publishes for tenants"`

	Types []OfferedType `json:"types,omitempty" doc:"What it says that it sends. GET /v1/types has the schemas"`
}

// OfferedType is a type of events of a source that is offered.
type OfferedType struct {
	Name        string `json:"name" example:"order.paid"`
	Description string `json:"description,omitempty"`
	Deprecated  bool   `json:"deprecated,omitempty"`
}

func (s *server) linkToPortal(ctx context.Context, in *portalInput) (*portalAnswer, error) {
	if _, err := s.tenant(ctx, in.ID); err != nil {
		return nil, err
	}
	link, err := linkOf(in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	var out portalAnswer
	return &out, s.change(ctx, "tenant/"+in.ID, nil, in.Body, func() error {
		code, until, err := s.sessions.Link(ctx, link)
		out.Body = MadePortalLink{Path: portalPath + in.ID + "/enter#" + code, Until: until}
		out.Body.URL = callOf(ctx).origin + out.Body.Path
		return err
	})
}

// linkOf returns the link that a request asks for.
func linkOf(tenant string, in PortalLink) (access.Link, error) {
	link := access.Link{
		Session: access.Session{
			Who:    access.Who{Kind: access.PortalUser, Name: in.User},
			Tenant: tenant, Capabilities: access.Capabilities, Next: in.Next,
		},
		Valid: PortalLinkTTL,
	}
	if len(in.Capabilities) > 0 {
		link.Capabilities = mapped(in.Capabilities, func(c string) access.Capability {
			return access.Capability(c)
		})
	}
	if !slices.Contains(link.Capabilities, access.View) {
		return link, at("/body/capabilities", "does not have view, without which no page can be seen")
	}
	if next := in.Next; next != "" && (next[0] != '/' || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' })) {
		return link, at("/body/next", "is not a path below the portal such as /endpoints/shop")
	}
	if in.TTL == "" {
		return link, nil
	}
	ttl, err := span(in.TTL)
	if err != nil || ttl < access.MinSessionTTL || ttl > access.SessionTTL {
		return link, at("/body/ttl", "%.40q is not a duration from %v to %v, such as 1h", in.TTL,
			access.MinSessionTTL, access.SessionTTL)
	}
	link.TTL = ttl
	return link, nil
}

func (s *server) endPortal(ctx context.Context, in *TenantID) (*struct{}, error) {
	if _, err := s.tenant(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, s.change(ctx, "tenant/"+in.ID, nil, nil, func() error {
		return s.sessions.EndAll(ctx, in.ID)
	})
}

type offeredList struct {
	Body struct {
		Items []Offered `json:"items" nullable:"false" doc:"The tenant's own first"`
	}
}

func registerOffered(r *registrar) {
	handle(r, "sources.offered", func(ctx context.Context, _ *struct{}) (*offeredList, error) {
		var out offeredList
		var err error
		out.Body.Items, err = r.offered(ctx, callOf(ctx).tenant)
		return &out, err
	})
}

// offered returns the sources to which a tenant's endpoints can subscribe: its own, and those of
// the operator's that publish for tenants.
func (s *server) offered(ctx context.Context, tenant string) ([]Offered, error) {
	own, err := s.sourcesOf(ctx, tenant)
	if err != nil {
		return nil, err
	}
	all := mapped(own, func(r catalog.Resource) Offered { return offerOf(r, true) })
	if tenant == "" {
		return all, nil
	}
	published, err := s.publishers.Get(ctx)
	for _, p := range published {
		// whoever has both names the two together
		twice := slices.ContainsFunc(all, func(o Offered) bool { return o.Name == p.Name })
		if p.to.Includes(tenant) && !twice {
			all = append(all, p.Offered)
		}
	}
	return all, err
}

func offerOf(r catalog.Resource, own bool) Offered {
	types := mapped(r.Source.Types, func(t catalog.EventType) OfferedType {
		return OfferedType{Name: t.Name, Description: t.Description, Deprecated: t.Deprecated}
	})
	return Offered{Name: r.Name, Own: own, Types: types}
}

// publisher is a source of the operator's that publishes for tenants.
type publisher struct {
	Offered

	to *catalog.TenantOf
}

// publishing returns the operator's sources that publish for tenants.
func (s *server) publishing(ctx context.Context) (found []publisher, err error) {
	all, err := s.sourcesOf(ctx, "")
	for _, r := range all {
		if r.Source.Tenant != nil {
			found = append(found, publisher{Offered: offerOf(r, false), to: r.Source.Tenant})
		}
	}
	return found, err
}

// sourcesOf returns the first maxOffered sources of a tenant.
func (s *server) sourcesOf(ctx context.Context, tenant string) (all []catalog.Resource, err error) {
	for after := ""; len(all) < maxOffered; {
		found, next, err := s.Catalogs.For(tenant).Resources(
			ctx, catalog.KindSource, after, MaxLimit,
		)
		if err != nil {
			return nil, err
		}
		if all, after = append(all, found...), next; next == "" {
			break
		}
	}
	return all, nil
}

// portalKeys are the settings that users of the portal choose. The rest is the operator's.
var portalKeys = map[catalog.Kind][]string{
	catalog.KindEndpoint:     {"url", "headers", "rate_limit", "send"},
	catalog.KindSubscription: {"source", "endpoint", "types"},
}

// checkPortalKeys returns a problem if a user of the portal sets what is the operator's.
func checkPortalKeys(kind catalog.Kind, members map[string]any) error {
	p := invalid.problem("Leave out what is named in errors, and send the request again.")
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(portalKeys[kind], key) {
			p = p.and("/body/"+key, "cannot be set in the portal; your provider sets it")
		}
	}
	if len(p.Errors) == 0 {
		return nil
	}
	return p
}

// checkPortal returns a problem if a user of the portal may not make a resource what it is to be.
func (s *server) checkPortal(ctx context.Context, was, res catalog.Resource) error {
	tenant := callOf(ctx).tenant
	if sub := res.Subscription; sub != nil {
		return s.checkPortalSubscription(ctx, tenant, *sub)
	}
	for source, spec := range res.Endpoint.Sends {
		if t, err := transform.Parse([]byte(spec)); err != nil || t.UsesJQ() {
			return at("/body/send/"+source, "uses jq; choose a preset, or write a template")
		}
	}
	if was.Revision != 0 {
		return nil
	}
	found, _, err := s.Catalogs.For(tenant).Resources(
		ctx, catalog.KindEndpoint, "", maxPortalEndpoints,
	)
	if err == nil && len(found) >= maxPortalEndpoints {
		err = stateConflict.problem(
			"There are %d endpoints, which is as many as the portal adds. Delete one first.",
			len(found),
		)
	}
	return err
}

func (s *server) checkPortalSubscription(
	ctx context.Context, tenant string, sub catalog.Subscription,
) error {
	offers, err := s.offered(ctx, tenant)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(offers, func(o Offered) bool { return o.Name == sub.Source }) {
		return at("/body/source", "there is no source %s", sub.Source)
	}
	endpoint, err := s.Catalogs.For(tenant).Resource(ctx, catalog.KindEndpoint, sub.Endpoint)
	if err != nil {
		return orError(err, catalog.ErrNotFound, at(
			"/body/endpoint", "there is no endpoint %s", sub.Endpoint,
		))
	}
	return checkManager(endpoint, catalog.ManagedByPortal, false)
}
