package config

import (
	"reflect"

	"webhook-relay/shared/relay/access"
)

// portal is how a tenant's portal looks, and which pages may embed it: access.Portal in the file.
type portal struct {
	FrameAncestors []string `yaml:"frame_ancestors"`
	LogoURL        string   `yaml:"logo_url"`
	Accent         string   `yaml:"accent"`
	Scheme         string   `yaml:"scheme"`
	RefreshURL     string   `yaml:"refresh_url"`
}

// portalOf returns a file's portal; nil if it has none.
func (c *checker) portalOf(p *portal) *access.Portal {
	if p == nil {
		return nil
	}
	if c.tenant == "" {
		c.fail("portal", "is for the file of a tenant: apply it with --tenant NAME")
		return nil
	}
	out := access.Portal(*p)
	for _, f := range out.Faults() {
		c.fail("portal."+f.Field, "%s", f.Text)
	}
	return &out
}

// exportedPortal returns a portal as the file has it; nil for the zero value.
func exportedPortal(p access.Portal) *portal {
	if reflect.ValueOf(p).IsZero() {
		return nil
	}
	return new(portal(p))
}
