package catalog

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
)

// TenantForm is the form of a tenant's id, in words for people.
const TenantForm = "1 to 63 of A-Z, a-z, 0-9, - and _, beginning with a letter or a digit"

// tenantForm is the form without its length: a counted repetition would be compiled at the start of
// every function as so many patterns.
var tenantForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// IsTenant tells whether id has the form of a tenant's id: see TenantForm. The operator's own id,
// "", has not.
func IsTenant(id string) bool { return len(id) <= maxNameBytes && tenantForm.MatchString(id) }

// Qualify returns the qualified name of a tenant's source or endpoint: "tenant/name". That of the
// operator's ("") is its name. Keys that contain a qualified name belong to one tenant alone.
func Qualify(tenant, name string) string {
	if tenant == "" {
		return name
	}
	return tenant + "/" + name
}

// SplitName splits a qualified name. The tenant is "" for the operator's.
func SplitName(qualified string) (tenant, name string) {
	tenant, name, found := strings.Cut(qualified, "/")
	if !found {
		return "", tenant
	}
	return tenant, name
}

// TenantStore is the catalog of one tenant. All names are plain ones: those that the tenant uses. A
// subscription's source may also be a source of the operator's that has a Tenant.
type TenantStore interface {
	Store
	Editor
}

// Tenants has the catalog of each tenant, and its rates beside it. It is safe for concurrent use.
type Tenants interface {
	// For returns the catalog of a tenant; "" is the operator. It calls nothing. A tenant without a
	// catalog has an empty one of revision 0.
	For(tenant string) TenantStore
	TenantRates
}

// Stamp tells when a resource was last changed. It is not part of the configuration: stores write
// it. A replacement of the catalog keeps the stamps that it is given, and stamps what has the zero
// Stamp.
type Stamp struct {
	Revision int64     // of the tenant's catalog
	At       time.Time // UTC, whole seconds
}

// StampNow returns the stamp of a change that is made now.
func StampNow(revision int64) Stamp {
	return Stamp{Revision: revision, At: time.Now().UTC().Truncate(time.Second)}
}

// Stamped returns a copy of the catalog that is ready to be stored: what has no stamp gets this
// one, and every subscription has a name.
func (c Catalog) Stamped(stamp Stamp) Catalog {
	c.Sources, c.Endpoints, c.Subscriptions = slices.Clone(c.Sources), slices.Clone(c.Endpoints),
		slices.Clone(c.Subscriptions)
	for i := range c.Sources {
		c.Sources[i].Changed = cmp.Or(c.Sources[i].Changed, stamp)
	}
	for i := range c.Endpoints {
		c.Endpoints[i].Changed = cmp.Or(c.Endpoints[i].Changed, stamp)
	}
	for i := range c.Subscriptions {
		c.Subscriptions[i].Changed = cmp.Or(c.Subscriptions[i].Changed, stamp)
	}
	NameSubscriptions(c.Subscriptions)
	return c
}

// TenantOf tells to whom the events of a source of the operator's belong. Exactly one of Header,
// JSON and ID is set. It is stored in the catalog: do not change its JSON names.
type TenantOf struct {
	Header string `json:"header,omitempty"` // lower-case name of the header with the tenant's id
	JSON   string `json:"json,omitempty"`   // path of the id in the body
	ID     string `json:"id,omitempty"`     // the id itself
	// an event without an id belongs to the operator; false: it is refused
	Optional bool `json:"optional,omitempty"`
}

// Includes reports whether events of the source can be a tenant's. The receiver may be nil: the
// source publishes for no tenant.
func (t *TenantOf) Includes(tenant string) bool {
	return t != nil && (t.ID == "" || t.ID == tenant)
}

// CheckSource returns ErrNotFound if a tenant's subscriptions may not name a source: there is none
// of that name in the tenant's catalog, nor one of the operator's whose events can be the tenant's.
// A subscription of the operator's names a tenant's source by its qualified name. lookup finds a
// source by its qualified name.
func CheckSource(tenant, name string, lookup func(qualified string) (Source, error)) error {
	if name == OwnSource {
		return nil
	}
	_, err := lookup(Qualify(tenant, name))
	if tenant == "" || !errors.Is(err, ErrNotFound) {
		return err
	}
	s, lookupErr := lookup(name)
	switch {
	case errors.Is(lookupErr, ErrNotFound) || strings.Contains(name, "/"):
		return err
	case lookupErr != nil:
		return lookupErr
	case !s.Tenant.Includes(tenant):
		return err
	}
	return nil
}
