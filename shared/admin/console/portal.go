package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

// inPortal reports whether the page is one of a tenant's portal.
func (v *visit) inPortal() bool { return v.site == v.portal }

// siteName is what people call the site.
func (v *visit) siteName() string {
	if v.inPortal() {
		return "Webhooks"
	}
	return "Webhook relay"
}

// locatePortal is locate for a path below PortalBase, which begins with the tenant's id. A tenant
// must be known before anybody signs in: it says which pages may embed the portal.
func (v *visit) locatePortal() (path string, err error) {
	id, rest, more := strings.Cut(strings.TrimPrefix(v.r.URL.Path, PortalBase+"/"), "/")
	if more {
		path = "/" + rest
	}
	v.site = v.portal
	if !catalog.IsTenant(id) {
		id = "-" // for the address of the style of the page that says so
	}
	v.root = PortalBase + "/" + id
	v.base = v.root
	if strings.HasPrefix(path, "/assets/") {
		return path, nil // they are the same for all
	}
	v.owner, err = v.owners.Tenant(v.r.Context(), id)
	if errors.Is(err, catalog.ErrNotFound) {
		err = errNotFound
	}
	return path, err
}

// embedders returns the pages that may show this one in a frame, and the origin of other images
// than our own, for the Content-Security-Policy.
func (v *visit) embedders() (frames, images string) {
	frames = "'none'"
	if all := v.owner.Portal.FrameAncestors; len(all) > 0 {
		frames = strings.Join(all, " ")
	}
	if origin := access.OriginOf(v.owner.Portal.LogoURL); origin != "" {
		images = " " + origin
	}
	return frames, images
}

// frames are what the header Sec-Fetch-Dest says of a page that is loaded into another one.
var frames = []string{"iframe", "frame", "embed", "object", "fencedframe"}

// embedded reports whether the page is loaded into a frame.
func (v *visit) embedded() bool {
	return slices.Contains(frames, v.r.Header.Get("Sec-Fetch-Dest"))
}

// probeSeconds is more than a link is valid for.
const probeSeconds = 120

func (v *visit) probeName() string { return v.prefixed("relay-portal-probe") }

// probe sets a cookie in a frame, to see whether the browser sends it back.
func (v *visit) probe() {
	if v.inPortal() && v.embedded() {
		v.setCookie(v.probeName(), "yes", probeSeconds)
	}
}

// keepsCookies reports whether the browser keeps our cookies where the page is shown. Some keep
// none for a frame of another site. The link is not used up before that is known.
func (v *visit) keepsCookies() bool {
	if !v.inPortal() || !v.embedded() {
		return true
	}
	_, err := v.r.Cookie(v.probeName())
	return err == nil
}

// refreshURL is the page of the operator's application that makes a new link; "": there is none.
func (v *visit) refreshURL() templ.SafeURL {
	to, err := url.Parse(v.owner.Portal.RefreshURL)
	if err != nil || to.Host == "" {
		return ""
	}
	q := to.Query()
	q.Set("tenant", v.owner.ID)
	next := strings.TrimPrefix(v.r.URL.RequestURI(), v.root)
	if v.r.Method == http.MethodGet && len(next) > 1 && !strings.HasPrefix(next, "/enter") {
		q.Set("next", next)
	}
	to.RawQuery = q.Encode()
	return templ.SafeURL(to.String())
}
