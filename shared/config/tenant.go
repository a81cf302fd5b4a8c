package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
)

// tenantOf is a source's tenant: an id, or a map that says where the id is.
type tenantOf struct {
	ID       string `yaml:"-"`
	Header   string `yaml:"header"`
	JSON     string `yaml:"json"`
	Optional bool   `yaml:"optional"`
}

// UnmarshalYAML reads either form.
func (t *tenantOf) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Load(&t.ID)
	}
	type placed tenantOf // without this method
	return n.Load((*placed)(t))
}

// tenantOf converts a source's tenant into the catalog's form.
func (c *checker) tenantOf(path string, t *tenantOf) *catalog.TenantOf {
	if t == nil {
		return nil
	}
	path += ".tenant"
	switch {
	case c.tenant != "":
		c.fail(path, "is for sources of the operator; all events of this source are %s's", c.tenant)
	case t.ID != "":
		if !catalog.IsTenant(t.ID) {
			c.fail(path, "%q is not a tenant's id: %s", t.ID, catalog.TenantForm)
		}
	case (t.Header == "") == (t.JSON == ""):
		c.fail(path, "needs one of: an id, {header: NAME}, {json: PATH}")
	case t.Header != "" && !httpguts.ValidHeaderFieldName(t.Header):
		c.fail(path+".header", "is not a valid header name")
	case t.JSON != "" && document.CheckPath(t.JSON) != nil:
		c.fail(
			path+".json",
			"%q is not the path of a JSON value; write it such as account.id, or /account/id if a name contains a dot",
			t.JSON,
		)
	}
	return &catalog.TenantOf{
		ID: t.ID, Header: strings.ToLower(t.Header), JSON: t.JSON, Optional: t.Optional,
	}
}

// ParseFor is Parse for the catalog of a tenant of a relay. The file's subscriptions may also name
// sources of the operator's; whether these exist is not checked: see catalog.CheckSource. open
// returns the files that text names: see Files.
func ParseFor(
	tenant, name string, text []byte, relay Relay, lookup func(string) (string, bool),
	open func(string) ([]byte, error),
) (next catalog.Catalog, settings TenantSettings, err error) {
	c, err := checkerFor(tenant, name, relay, lookup)
	if err != nil {
		return next, settings, err
	}
	c.open = open
	next, err = c.parse(text)
	return next, c.tenantSettings, err
}

func checkerFor(
	tenant, name string, relay Relay, lookup func(string) (string, bool),
) (*checker, error) {
	if tenant != "" && !catalog.IsTenant(tenant) {
		return nil, fmt.Errorf(
			"%w: %q is not a tenant's id: %s", ErrInvalid, tenant, catalog.TenantForm,
		)
	}
	return &checker{
		name: name, lookup: lookup, tenant: tenant, local: relay.Mode == Local,
		deployed: relay.Mode == Deployed, jq: relay.JQ,
	}, nil
}

// checkSource checks the source that a subscription names. It may be outside of the file: the
// relay's own, the operator's in a tenant's file, or a tenant's in the operator's.
func (c *checker) checkSource(path, name string, known names) {
	tenant, plain := catalog.SplitName(name)
	switch {
	case name == catalog.OwnSource:
	case c.tenant != "" && known[name] == "" && nameForm().MatchString(name):
	case c.tenant == "" && catalog.IsTenant(tenant) && nameForm().MatchString(plain):
	default:
		c.checkReference(path, name, known)
	}
}

// CheckTenants returns why a resource that a tenant may change itself cannot be that tenant's, or
// nil: it would use what is the operator's. Error: ErrInvalid; see Problems.
func CheckTenants(r catalog.Resource) error {
	var problem *Problem
	switch {
	case r.Source != nil && r.Source.Tenant != nil:
		problem = &Problem{
			Path: "tenant", Err: errors.New("is for sources of the operator, not of a tenant"),
		}
	case r.Source != nil && len(r.Source.Types) > 0:
		problem = &Problem{Path: "types", Err: errors.New(tenantsTypes)}
	case r.Source != nil && trigger.Is(r.Source.Verify.Provider):
		problem = &Problem{
			Path: "provider", Err: errors.New(tenantsTrigger(r.Source.Verify.Provider)),
		}
	case r.Endpoint != nil && r.Endpoint.NeedsAWS() != "":
		path, without := "tls", *r.Endpoint
		if without.TLS = nil; without.NeedsAWS() != "" {
			path = "auth"
			if without.Destination != nil {
				path = "url"
			}
		}
		problem = &Problem{Path: path, Err: errors.New(
			"refers to the AWS secrets or the role of the relay's operator; a tenant cannot use these",
		)}
	default:
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, problem)
}
