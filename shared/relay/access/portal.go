package access

import (
	"fmt"
	"net/url"
	"slices"

	"webhook-relay/shared/pattern"
)

// Portal is how the portal of a tenant looks, and which pages may embed it.
type Portal struct {
	// FrameAncestors are the origins whose pages may show the portal in a frame, such as
	// https://app.example.com or https://*.example.com. None: no page may.
	FrameAncestors []string `json:"frame_ancestors,omitempty"`
	// LogoURL is the https address of an image; "": none. Browsers of the portal's users fetch it.
	LogoURL string `json:"logo_url,omitempty"`
	// Accent is the colour of buttons and links, as #rrggbb; "": the console's.
	Accent string `json:"accent,omitempty"`
	// Scheme is light or dark; "": what the user's system prefers.
	Scheme string `json:"scheme,omitempty"`
	// RefreshURL is the https address of a page of the operator's application that makes a new
	// link; "": none. A user whose session has ended is sent there.
	RefreshURL string `json:"refresh_url,omitempty"`
}

const (
	// MaxFrameAncestors is the largest number of origins that may embed a portal.
	MaxFrameAncestors = 20
	// MaxPortalURL is the largest number of bytes of an address in a Portal.
	MaxPortalURL = 1000
)

var (
	// originForm has no character that ends a source in a Content-Security-Policy.
	originForm = pattern.Lazy(
		`^(https://(\*\.)?[A-Za-z0-9.-]+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$`,
	)
	colourForm = pattern.Lazy(`^#[0-9A-Fa-f]{6}$`)
)

// isOrigin tells whether text is an origin. Its host has at most 253 characters, as in the DNS.
func isOrigin(text string) bool {
	return len(text) <= len("https://*.:65535")+253 && originForm().MatchString(text)
}

// Fault is what is wrong with a field of a Portal.
type Fault struct {
	Field string // in the form of the configuration file: "frame_ancestors[1]"
	Text  string
}

// Faults returns what is wrong with the settings; none: they are valid.
func (p Portal) Faults() []Fault {
	var all []Fault
	add := func(field, format string, args ...any) {
		all = append(all, Fault{Field: field, Text: fmt.Sprintf(format, args...)})
	}
	if n := len(p.FrameAncestors); n > MaxFrameAncestors {
		add("frame_ancestors", "has %d origins; %d at most", n, MaxFrameAncestors)
	}
	for i, origin := range p.FrameAncestors {
		if !isOrigin(origin) {
			add(fmt.Sprintf("frame_ancestors[%d]", i),
				"%.100q is not an origin such as https://app.example.com, without a path", origin)
		}
	}
	if p.Accent != "" && !colourForm().MatchString(p.Accent) {
		add("accent", "%.20q is not a colour such as #0b57b0", p.Accent)
	}
	if !slices.Contains([]string{"", "light", "dark"}, p.Scheme) {
		add("scheme", "%.20q is neither light nor dark", p.Scheme)
	}
	for _, link := range [][2]string{{"logo_url", p.LogoURL}, {"refresh_url", p.RefreshURL}} {
		if link[1] != "" && OriginOf(link[1]) == "" {
			add(link[0], "is not an https URL of at most %d bytes", MaxPortalURL)
		}
	}
	return all
}

// OriginOf returns the origin of an address in a Portal, for a Content-Security-Policy; "": it is
// not valid there.
func OriginOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || len(address) > MaxPortalURL || u.User != nil {
		return ""
	}
	origin := u.Scheme + "://" + u.Host
	if !isOrigin(origin) || u.Hostname()[0] == '*' {
		return ""
	}
	return origin
}
