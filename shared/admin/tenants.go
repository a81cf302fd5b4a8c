package admin

import (
	"context"
	"errors"
	"time"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// TenantItem is a tenant in a list.
type TenantItem struct {
	ID        string     `json:"id" example:"acme"`
	Name      string     `json:"name" doc:"For people" example:"Acme Inc."`
	Portal    PortalSpec `json:"portal,omitzero" doc:"How its portal looks, and which pages may embed it. Left out: as the console, and in no frame"`
	CreatedAt time.Time  `json:"createdAt"`
}

// TenantView is a tenant as the API shows it by itself.
type TenantView struct {
	TenantItem

	Rates RatesSpec `json:"rates,omitzero" doc:"What limits it. Left out: nothing does"`
}

// RatesSpec are the rates of a tenant, in the form of the configuration file.
type RatesSpec struct {
	Accepted  string `json:"accepted,omitempty" doc:"How many of its webhooks the relay accepts, a second (s), minute (m) or hour (h); others get 429. Left out: no limit" example:"100/s"`
	Delivered string `json:"delivered,omitempty" doc:"How many attempts the relay makes at all of its endpoints together; deliveries over it wait. Left out: no limit" example:"50/s"`
}

// rates returns what the form says. Error: a problem that points to what is wrong, below a pointer.
func (s RatesSpec) rates(pointer string) (out catalog.Rates, err error) {
	p := invalid.problem("Correct what is named in errors, and send the request again.")
	for _, field := range []struct {
		name, text string
		into       *catalog.Rate
	}{{"accepted", s.Accepted, &out.Accepted}, {"delivered", s.Delivered, &out.Delivered}} {
		if *field.into, err = catalog.ParseRate(field.text); err != nil {
			p = p.and(pointer+"/"+field.name, "%s", err)
		}
	}
	if len(p.Errors) > 0 {
		return out, p
	}
	return out, nil
}

func itemOfTenant(t access.Tenant) TenantItem {
	return TenantItem{
		ID: t.ID, Name: t.Name, Portal: PortalSpec(t.Portal), CreatedAt: t.CreatedAt,
	}
}

func viewOfTenant(t access.Tenant) TenantView {
	return TenantView{
		TenantItem: itemOfTenant(t), Rates: RatesSpec{
			Accepted: t.Rates.Accepted.String(), Delivered: t.Rates.Delivered.String(),
		},
	}
}

type tenantAnswer struct {
	ETag string `header:"ETag"`
	Body TenantView
}

func answerTenant(t access.Tenant) *tenantAnswer {
	return &tenantAnswer{ETag: etag(t.Revision), Body: viewOfTenant(t)}
}

// TenantID is the path parameter of a tenant.
type TenantID struct {
	ID string `path:"id" doc:"1 to 63 of A-Z, a-z, 0-9, - and _, beginning with a letter or a digit"`
}

type putTenantInput struct {
	TenantID
	Conditions

	Body TenantSpec
}

// TenantSpec is what can be set of a tenant.
type TenantSpec struct {
	Name   string     `json:"name" minLength:"1" maxLength:"200" doc:"For people" example:"Acme Inc."`
	Portal PortalSpec `json:"portal,omitzero" doc:"How its portal looks, and which pages may embed it. Left out: as the console, and in no frame"`
	Rates  RatesSpec  `json:"rates,omitzero" doc:"What limits it. Left out: nothing does"`
}

type deleteTenantInput struct {
	TenantID
	Condition
}

// tenant returns a tenant. One that does not exist is a problem.
func (s *server) tenant(ctx context.Context, id string) (access.Tenant, error) {
	if !catalog.IsTenant(id) {
		return access.Tenant{}, noTenant(id)
	}
	t, err := s.tenants.Tenant(ctx, id)
	return t, orError(err, catalog.ErrNotFound, noTenant(id))
}

func registerTenants(r *registrar) {
	handle(r, "tenants.list", func(
		ctx context.Context, in *Paging,
	) (*List[TenantItem, Scanned], error) {
		from, err := r.position(ctx, in.Next, nil)
		if err != nil {
			return nil, err
		}
		found, place, err := r.tenants.List(ctx, from, in.Limit)
		if err != nil {
			return nil, err
		}
		next, err := r.seal(ctx, place, nil)
		return page(mapped(found, itemOfTenant), next, Scanned{Scanned: len(found)}), err
	})
	handle(r, "tenants.get", func(ctx context.Context, in *TenantID) (*tenantAnswer, error) {
		t, err := r.tenant(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return answerTenant(t), nil
	})
	handle(r, "tenants.put", r.putTenant)
	handle(r, "tenants.delete", r.deleteTenant)
	handle(r, "tenants.portal.link", r.linkToPortal)
	handle(r, "tenants.portal.end", r.endPortal)
}

func (s *server) putTenant(ctx context.Context, in *putTenantInput) (*tenantAnswer, error) {
	if !catalog.IsTenant(in.ID) {
		return nil, at("/path/id", "is not a tenant's id; it is %s", catalog.TenantForm)
	}
	base, err := in.base()
	if err != nil {
		return nil, err
	}
	was, err := s.tenants.Tenant(ctx, in.ID)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	if was.Revision != base {
		return nil, stale(was.Revision, base)
	}
	if err := problemOfPortal("/body/portal", in.Body.Portal); err != nil {
		return nil, err
	}
	rates, err := in.Body.Rates.rates("/body/rates")
	if err != nil {
		return nil, err
	}
	var before any
	if base != 0 {
		before = viewOfTenant(was)
	}
	after := was
	after.ID, after.Name, after.Portal = in.ID, in.Body.Name, access.Portal(in.Body.Portal)
	after.Rates = rates
	err = s.change(ctx, "tenant/"+in.ID, before, in.Body,
		func() error {
			after, err = s.tenants.Put(ctx, after, base)
			return orError(err, catalog.ErrConflict, stale(base+1, base))
		})
	return answerTenant(after), err
}

// deleteTenant deletes a tenant that has no configuration left. Its tokens and sessions end first,
// so that nothing is left of a deletion that was cut short but a tenant without tokens.
func (s *server) deleteTenant(ctx context.Context, in *deleteTenantInput) (*struct{}, error) {
	base, err := in.base(operate.AnyVersion)
	if err != nil {
		return nil, err
	}
	t, err := s.tenant(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if base != operate.AnyVersion && base != t.Revision {
		return nil, stale(t.Revision, base)
	}
	if err := s.checkEmpty(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, s.change(ctx, "tenant/"+in.ID, viewOfTenant(t), nil, func() error {
		if err := s.tokens.RevokeAll(ctx, in.ID); err != nil {
			return err
		}
		if err := s.sessions.EndAll(ctx, in.ID); err != nil {
			return err
		}
		return orError(
			s.tenants.Delete(ctx, in.ID, base), catalog.ErrConflict, stale(base+1, base),
		)
	})
}

// checkEmpty returns a problem if a tenant has sources, endpoints or subscriptions.
func (s *server) checkEmpty(ctx context.Context, tenant string) error {
	for _, kind := range []catalog.Kind{
		catalog.KindSubscription, catalog.KindSource, catalog.KindEndpoint,
	} {
		found, _, err := s.Catalogs.For(tenant).Resources(ctx, kind, "", 1)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return inUse.problem("The tenant has the %s %s. Delete its subscriptions, sources and endpoints first.",
				kind, found[0].Name)
		}
	}
	return nil
}
