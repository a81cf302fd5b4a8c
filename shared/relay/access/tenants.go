package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

// Tenant is a customer of the operator, who has sources, endpoints and subscriptions of its own.
type Tenant struct {
	ID     string // see catalog.IsTenant
	Name   string // for people: 1 to MaxTenantName bytes
	Portal Portal // the zero value: as the console looks, and in no frame
	// of the zero value: no limit. Their Revision is not used. A list has no rates: each tenant's
	// are beside its catalog, where the stages read them.
	Rates     catalog.Rates
	CreatedAt time.Time
	Revision  int64 // 1 for the first, one more for each change
}

// MaxTenantName is the largest number of bytes of a tenant's name.
const MaxTenantName = 200

// ErrTenant means that a tenant cannot be stored: its id, its name or its portal breaks a rule.
var ErrTenant = errors.New("access: not a tenant")

const tenantsCollection = "tenants"

// tenantDoc is the stored form of a tenant.
type tenantDoc struct {
	Version   int       `json:"v"`
	Name      string    `json:"name"`
	Portal    Portal    `json:"portal,omitzero"`
	CreatedAt time.Time `json:"createdAt"`
}

// Tenants keeps the list of tenants. It is safe for concurrent use.
type Tenants struct {
	documents operate.Documents
	rates     catalog.TenantRates
	now       func() time.Time
}

// NewTenants returns the tenants in documents. rates has their rates; nil: they are not read, and
// nothing can be written. now is the clock.
func NewTenants(
	documents operate.Documents, rates catalog.TenantRates, now func() time.Time,
) *Tenants {
	return &Tenants{documents: documents, rates: rates, now: now}
}

// Tenant returns a tenant. Error: catalog.ErrNotFound.
func (s *Tenants) Tenant(ctx context.Context, id string) (Tenant, error) {
	d, err := s.documents.Document(ctx, tenantsCollection, id)
	if err != nil {
		return Tenant{}, err
	}
	t, err := decodeTenant(d)
	if err != nil || s.rates == nil {
		return t, err
	}
	t.Rates, err = s.ratesOf(ctx, id)
	return t, err
}

// ratesOf returns a tenant's rates, without their revision.
func (s *Tenants) ratesOf(ctx context.Context, id string) (catalog.Rates, error) {
	state, err := s.rates.State(ctx, id)
	state.Rates.Revision = 0
	return state.Rates, err
}

// Put creates a tenant if base is 0, or replaces the one of revision base. It returns the new one.
// CreatedAt and Revision of t are ignored. Errors: ErrTenant; catalog.ErrConflict.
func (s *Tenants) Put(ctx context.Context, t Tenant, base int64) (Tenant, error) {
	switch {
	case !catalog.IsTenant(t.ID):
		return Tenant{}, fmt.Errorf("%w: the id is not %s", ErrTenant, catalog.TenantForm)
	case strings.TrimSpace(t.Name) == "" || len(t.Name) > MaxTenantName:
		return Tenant{}, fmt.Errorf("%w: a name of %d bytes, want 1 to %d",
			ErrTenant, len(t.Name), MaxTenantName)
	}
	if faults := t.Portal.Faults(); len(faults) > 0 {
		return Tenant{}, fmt.Errorf("%w: portal.%s %s", ErrTenant, faults[0].Field, faults[0].Text)
	}
	t.CreatedAt = s.now().UTC().Truncate(time.Second)
	if base != 0 {
		was, err := s.Tenant(ctx, t.ID)
		if errors.Is(err, catalog.ErrNotFound) {
			return Tenant{}, fmt.Errorf("access: tenant %s is gone: %w", t.ID, catalog.ErrConflict)
		}
		if err != nil {
			return Tenant{}, err
		}
		t.CreatedAt = was.CreatedAt
	}
	var err error
	t.Revision, err = s.documents.PutDocument(ctx, tenantsCollection, operate.Document{
		Key: t.ID,
		Body: format.Encode(tenantDoc{
			Version: format.Version, Name: t.Name, Portal: t.Portal, CreatedAt: t.CreatedAt,
		}),
	}, base)
	if err != nil {
		return t, err
	}
	return t, s.putRates(ctx, t.ID, t.Rates, t.Revision)
}

// putRates writes the rates of a tenant of a revision, if they change. After an error the tenant
// has its new revision and its old rates, and shows both: it can be put again.
func (s *Tenants) putRates(
	ctx context.Context, id string, next catalog.Rates, revision int64,
) error {
	was, err := s.ratesOf(ctx, id)
	if err != nil || was.SameLimits(next) {
		return err
	}
	next.Revision = revision
	return s.rates.SetRates(ctx, id, next)
}

// Delete deletes a tenant of revision base, or of any (operate.AnyVersion), and its rates. Its
// things must be gone before. Error: catalog.ErrConflict.
func (s *Tenants) Delete(ctx context.Context, id string, base int64) error {
	if err := s.documents.DeleteDocument(ctx, tenantsCollection, id, base); err != nil {
		return err
	}
	return s.putRates(ctx, id, catalog.Rates{}, 1) // a new tenant of this id begins with 1 too
}

// List lists the tenants by id, from one on, at most limit of them, without their rates. next is
// where to go on; "": the end.
func (s *Tenants) List(
	ctx context.Context, from string, limit int,
) (tenants []Tenant, next string, err error) {
	found, next, err := s.documents.DocumentsIn(
		ctx, tenantsCollection, operate.DocumentRange{From: from, Limit: limit},
	)
	for _, d := range found {
		t, err := decodeTenant(d)
		if err != nil {
			return nil, "", err
		}
		tenants = append(tenants, t)
	}
	return tenants, next, err
}

func decodeTenant(d operate.Document) (Tenant, error) {
	var doc tenantDoc
	if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
		return Tenant{}, err
	}
	return Tenant{
		ID: d.Key, Name: doc.Name, Portal: doc.Portal, CreatedAt: doc.CreatedAt,
		Revision: d.Version,
	}, nil
}
