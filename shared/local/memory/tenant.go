package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"webhook-relay/shared/relay/catalog"
)

// tenantCatalog is the catalog of one tenant.
type tenantCatalog struct {
	all    *Catalog
	tenant string
}

// lock locks the catalogs and returns the tenant's state, and how to unlock.
func (t tenantCatalog) lock() (*tenantState, func()) {
	t.all.mu.Lock()
	return t.all.of(t.tenant), t.all.mu.Unlock
}

// LoadCatalog returns the catalog.
func (t tenantCatalog) LoadCatalog(context.Context) (catalog.Catalog, int64, error) {
	state, unlock := t.lock()
	defer unlock()
	loaded := state.catalog
	loaded.Sources = slices.Clone(loaded.Sources)
	for i, s := range loaded.Sources {
		loaded.Sources[i] = state.withLearned(s)
	}
	return loaded, state.state.Revision, nil
}

// ReplaceCatalog replaces the catalog.
func (t tenantCatalog) ReplaceCatalog(
	_ context.Context, next catalog.Catalog, base int64,
) error {
	state, unlock := t.lock()
	defer unlock()
	if base != state.state.Revision {
		return fmt.Errorf(
			"catalog is at revision %d, not %d: %w", state.state.Revision, base,
			catalog.ErrConflict,
		)
	}
	revision := base + 1
	state.state = catalog.State{
		Generation: catalog.Generation(strconv.FormatInt(revision, 10)), Revision: revision,
	}
	state.catalog = next.Stamped(catalog.StampNow(revision))
	clear(state.learned)
	sorted(&state.catalog)
	return nil
}

// Resource returns a resource.
func (t tenantCatalog) Resource(
	_ context.Context, kind catalog.Kind, name string,
) (catalog.Resource, error) {
	state, unlock := t.lock()
	defer unlock()
	if r := state.resource(kind, name); r != nil {
		return *r, nil
	}
	return catalog.Resource{}, fmt.Errorf("%s %s: %w", kind, name, catalog.ErrNotFound)
}

// resources returns the resources of a kind.
func (s *tenantState) resources(kind catalog.Kind) (all []catalog.Resource) {
	switch kind {
	case catalog.KindSource:
		for _, v := range s.catalog.Sources {
			all = append(all, catalog.SourceResource(s.withLearned(v)))
		}
	case catalog.KindEndpoint:
		for _, v := range s.catalog.Endpoints {
			all = append(all, catalog.EndpointResource(v))
		}
	case catalog.KindSubscription:
		for _, v := range s.catalog.Subscriptions {
			all = append(all, catalog.SubscriptionResource(v))
		}
	}
	return all
}

func (s *tenantState) resource(kind catalog.Kind, name string) *catalog.Resource {
	for _, r := range s.resources(kind) {
		if r.Name == name {
			return &r
		}
	}
	return nil
}

// Resources lists the resources of a kind.
func (t tenantCatalog) Resources(
	_ context.Context, kind catalog.Kind, after string, limit int,
) (found []catalog.Resource, next string, err error) {
	state, unlock := t.lock()
	defer unlock()
	all := slices.DeleteFunc(state.resources(kind), func(r catalog.Resource) bool {
		return r.Name <= after
	})
	slices.SortFunc(all, func(a, b catalog.Resource) int {
		return cmp.Compare(a.Name, b.Name)
	})
	for i, r := range all {
		if i == limit {
			return found, found[limit-1].Name, nil
		}
		found = append(found, r.WithoutSecrets())
	}
	return found, "", nil
}

// Users lists the subscriptions that name a source or an endpoint.
func (t tenantCatalog) Users(
	_ context.Context, kind catalog.Kind, name string,
) ([]string, error) {
	state, unlock := t.lock()
	defer unlock()
	return state.users(kind, name), nil
}

func (s *tenantState) users(kind catalog.Kind, name string) (users []string) {
	for _, sub := range s.catalog.Subscriptions {
		if kind == catalog.KindSource && sub.Source == name ||
			kind == catalog.KindEndpoint && sub.Endpoint == name {
			users = append(users, sub.Name)
		}
	}
	slices.Sort(users)
	return users
}

// Edit changes one resource.
func (t tenantCatalog) Edit(_ context.Context, e catalog.Edit) (int64, error) {
	state, unlock := t.lock()
	defer unlock()
	kind, name := e.Subject()
	before := state.resource(kind, name)
	if err := t.check(state, e, before); err != nil {
		return 0, err
	}
	if state.state.Generation == "" {
		state.state.Generation = "0"
	}
	state.state = state.state.After(e.Changes(before))
	revision := state.state.Revision
	if kind == catalog.KindSource && e.Forgets() {
		delete(state.learned, name)
	}
	if e.Put == nil {
		state.delete(kind, name)
	} else {
		state.put(e.Stamped(catalog.StampNow(revision)))
	}
	return revision, nil
}

// check returns why an edit may not be made.
func (t tenantCatalog) check(
	state *tenantState, e catalog.Edit, before *catalog.Resource,
) error {
	if err := e.Check(before); err != nil {
		return err
	}
	kind, name := e.Subject()
	switch {
	case e.Put == nil:
		return catalog.InUse(kind, name, state.users(kind, name))
	case e.Put.Subscription != nil:
		return t.checkNames(state, *e.Put.Subscription)
	}
	return nil
}

// checkNames checks that a subscription's source and endpoint exist.
func (t tenantCatalog) checkNames(state *tenantState, s catalog.Subscription) error {
	if state.resource(catalog.KindEndpoint, s.Endpoint) == nil {
		return fmt.Errorf("endpoint %s: %w", s.Endpoint, catalog.ErrNotFound)
	}
	return catalog.CheckSource(t.tenant, s.Source, func(name string) (catalog.Source, error) {
		return t.all.source(name)
	})
}

func (s *tenantState) delete(kind catalog.Kind, name string) {
	switch c := &s.catalog; kind {
	case catalog.KindSource:
		c.Sources = without(c.Sources, name, sourceName)
		delete(s.windows, name)
	case catalog.KindEndpoint:
		c.Endpoints = without(c.Endpoints, name, endpointName)
	case catalog.KindSubscription:
		c.Subscriptions = without(c.Subscriptions, name, subscriptionName)
	}
}

func (s *tenantState) put(r catalog.Resource) {
	switch c := &s.catalog; r.Kind {
	case catalog.KindSource:
		c.Sources = put(c.Sources, *r.Source, sourceName)
	case catalog.KindEndpoint:
		c.Endpoints = put(c.Endpoints, *r.Endpoint, endpointName)
	case catalog.KindSubscription:
		c.Subscriptions = put(c.Subscriptions, *r.Subscription, subscriptionName)
	}
	sorted(&s.catalog)
}
