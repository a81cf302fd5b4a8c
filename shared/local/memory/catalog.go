package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// Catalog is the catalogs of all tenants. Its own methods of catalog.TenantStore are those of the
// operator's catalog.
type Catalog struct {
	mu      sync.Mutex
	tenants map[string]*tenantState

	listening catalog.Listening
}

// tenantState is the catalog of one tenant.
type tenantState struct {
	catalog catalog.Catalog
	// its revision is that of the catalog
	state   catalog.State
	windows map[string]time.Time // the end of each source's window for a handshake
	learned map[string]string    // by source, the secret that its provider sent in a handshake
	rates   catalog.Rates
}

// of returns the state of a tenant. The caller holds the lock.
func (c *Catalog) of(tenant string) *tenantState {
	if c.tenants == nil {
		c.tenants = map[string]*tenantState{}
	}
	if c.tenants[tenant] == nil {
		c.tenants[tenant] = &tenantState{
			windows: map[string]time.Time{}, learned: map[string]string{},
		}
	}
	return c.tenants[tenant]
}

// ofName returns the state of the tenant of a qualified name, and the plain name.
func (c *Catalog) ofName(qualified string) (state *tenantState, name string) {
	tenant, name := catalog.SplitName(qualified)
	return c.of(tenant), name
}

// For returns the catalog of a tenant.
func (c *Catalog) For(tenant string) catalog.TenantStore {
	return tenantCatalog{all: c, tenant: tenant}
}

// LoadCatalog returns the operator's catalog.
func (c *Catalog) LoadCatalog(ctx context.Context) (catalog.Catalog, int64, error) {
	return c.For("").LoadCatalog(ctx)
}

// ReplaceCatalog replaces the operator's catalog.
func (c *Catalog) ReplaceCatalog(ctx context.Context, next catalog.Catalog, base int64) error {
	return c.For("").ReplaceCatalog(ctx, next, base)
}

// Resource returns a resource of the operator's.
func (c *Catalog) Resource(
	ctx context.Context, kind catalog.Kind, name string,
) (catalog.Resource, error) {
	return c.For("").Resource(ctx, kind, name)
}

// Resources lists resources of the operator's.
func (c *Catalog) Resources(
	ctx context.Context, kind catalog.Kind, after string, limit int,
) (found []catalog.Resource, next string, err error) {
	return c.For("").Resources(ctx, kind, after, limit)
}

// Users lists the operator's subscriptions that name a source or an endpoint.
func (c *Catalog) Users(ctx context.Context, kind catalog.Kind, name string) ([]string, error) {
	return c.For("").Users(ctx, kind, name)
}

// Edit changes a resource of the operator's.
func (c *Catalog) Edit(ctx context.Context, e catalog.Edit) (int64, error) {
	return c.For("").Edit(ctx, e)
}

// State returns the state of a tenant's catalog.
func (c *Catalog) State(_ context.Context, tenant string) (catalog.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.of(tenant)
	s := state.state
	s.Ordered = slices.ContainsFunc(state.catalog.Endpoints, isOrdered)
	s.Rates = state.rates
	if tenant == "" {
		s.Listening = c.listening
	}
	return s, nil
}

// MarkListening writes the mark, unless a later one is there.
func (c *Catalog) MarkListening(_ context.Context, m catalog.Listening) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Revision > c.listening.Revision {
		c.listening = m
	}
	return nil
}

// SetRates writes a tenant's rates, unless later ones are there.
func (c *Catalog) SetRates(_ context.Context, tenant string, r catalog.Rates) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state := c.of(tenant); r.Revision > state.rates.Revision || r.Revision == 1 {
		state.rates = r
	}
	return nil
}

func isOrdered(e catalog.Endpoint) bool { return e.Order.On }

// TenantNames lists the tenants in a shard that have a catalog or rates.
func (c *Catalog) TenantNames(ctx context.Context, shard int) ([]string, error) {
	all, err := c.AllTenants(ctx)
	return slices.DeleteFunc(all, func(name string) bool {
		return catalog.ShardOf(name, catalog.TenantShards) != shard
	}), err
}

// AllTenants lists the tenants that have a catalog or rates.
func (c *Catalog) AllTenants(context.Context) (names []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tenant, state := range c.tenants {
		if tenant != "" && (state.state.Generation != "" || state.rates.Revision > 0) {
			names = append(names, tenant)
		}
	}
	slices.Sort(names)
	return names, nil
}

// SourceNames lists the names of the current sources in a shard.
func (c *Catalog) SourceNames(
	ctx context.Context, _ catalog.Generation, tenant string, shard int,
) ([]string, error) {
	sources, _, err := c.Names(ctx, tenant)
	return inShard(sources, shard), err
}

// EndpointNames lists the names of the current endpoints in a shard.
func (c *Catalog) EndpointNames(
	ctx context.Context, _ catalog.Generation, tenant string, shard int,
) ([]string, error) {
	_, endpoints, err := c.Names(ctx, tenant)
	return inShard(endpoints, shard), err
}

func inShard(names []string, shard int) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return catalog.ShardOf(name, catalog.NameShards) != shard
	})
}

// Names lists the names of a tenant's catalog.
func (c *Catalog) Names(
	_ context.Context, tenant string,
) (sources, endpoints []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.of(tenant).catalog.Sources {
		sources = append(sources, s.Name)
	}
	for _, e := range c.of(tenant).catalog.Endpoints {
		endpoints = append(endpoints, e.Name)
	}
	return sources, endpoints, nil
}

// Source returns a source of the current catalog.
func (c *Catalog) Source(
	_ context.Context, _ catalog.Generation, name string,
) (catalog.Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.source(name)
	if s.Learns() && len(s.Secrets) == 0 {
		state, plain := c.ofName(name)
		s.LearnUntil = state.windows[plain]
	}
	s.Name = name
	return s, err
}

// EventTypes implements catalog.Types.
func (c *Catalog) EventTypes(
	ctx context.Context, g catalog.Generation, source string,
) (catalog.EventTypes, error) {
	s, err := c.Source(ctx, g, source)
	return catalog.EventTypes{Types: s.Types, Validation: s.Validation}, err
}

// source returns the source of a qualified name, which itself has its plain name.
func (c *Catalog) source(name string) (catalog.Source, error) {
	state, plain := c.ofName(name)
	s, err := find(state.catalog.Sources, "source", name, plain, sourceName)
	return state.withLearned(s), err
}

// withLearned adds the secret that a source has learned.
func (s *tenantState) withLearned(source catalog.Source) catalog.Source {
	if secret := s.learned[source.Name]; secret != "" && source.Learns() &&
		len(source.Secrets) == 0 {
		source.Secrets = []string{secret}
	}
	return source
}

// OpenLearning opens a window for a handshake that brings a secret.
func (c *Catalog) OpenLearning(_ context.Context, source string, until time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.source(source)
	if err != nil {
		return err
	}
	if len(s.Secrets) > 0 {
		return fmt.Errorf("source %s has a secret: %w", source, catalog.ErrConflict)
	}
	state, plain := c.ofName(source)
	state.windows[plain] = until.Truncate(time.Millisecond)
	return nil
}

// LearnSecret gives a secret to a source that has none, while its window is open. That makes a new
// revision.
func (c *Catalog) LearnSecret(_ context.Context, source, secret string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.source(source)
	if err != nil {
		return err
	}
	if slices.Equal(s.Secrets, []string{secret}) {
		return nil
	}
	if len(s.Secrets) > 0 {
		return fmt.Errorf("source %s has a secret: %w", source, catalog.ErrConflict)
	}
	state, plain := c.ofName(source)
	if !time.Now().Before(state.windows[plain]) {
		return fmt.Errorf("source %s: %w", source, catalog.ErrNotOpen)
	}
	delete(state.windows, plain)
	state.learned[plain] = secret
	state.state = state.state.After([]string{catalog.SourceChange(plain)})
	return nil
}

// Endpoint returns an endpoint of the current catalog.
func (c *Catalog) Endpoint(
	_ context.Context, _ catalog.Generation, name string,
) (catalog.Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, plain := c.ofName(name)
	e, err := find(state.catalog.Endpoints, "endpoint", name, plain, endpointName)
	e.Name = name
	return e, err
}

// Subscriptions returns the subscriptions to a source in a tenant's current catalog.
func (c *Catalog) Subscriptions(
	_ context.Context, _ catalog.Generation, tenant, source string,
) (found []catalog.Subscription, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.of(tenant).catalog.Subscriptions {
		if s.Source == source {
			s.Endpoint = catalog.Qualify(tenant, s.Endpoint)
			found = append(found, s)
		}
	}
	return found, nil
}

// OrderedEndpoints returns the orders of a tenant's ordered endpoints.
func (c *Catalog) OrderedEndpoints(
	_ context.Context, _ catalog.Generation, tenant string,
) (map[string]catalog.Order, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	orders := map[string]catalog.Order{}
	for _, e := range c.of(tenant).catalog.Endpoints {
		if e.Order.On {
			orders[catalog.Qualify(tenant, e.Name)] = e.Order
		}
	}
	return orders, nil
}

func sourceName(s catalog.Source) string             { return s.Name }
func endpointName(e catalog.Endpoint) string         { return e.Name }
func subscriptionName(s catalog.Subscription) string { return s.Name }

func find[T any](in []T, kind, asked, name string, nameOf func(T) string) (T, error) {
	if i := slices.IndexFunc(in, func(v T) bool { return nameOf(v) == name }); i >= 0 {
		return in[i], nil
	}
	var none T
	return none, fmt.Errorf("%s %s: %w", kind, asked, catalog.ErrNotFound)
}

// put returns a copy of in with v, in the place of the value of its name or at the end. A catalog
// that was loaded before must not change.
func put[T any](in []T, v T, nameOf func(T) string) []T {
	in = slices.Clone(in)
	if i := slices.IndexFunc(in, func(o T) bool { return nameOf(o) == nameOf(v) }); i >= 0 {
		in[i] = v
		return in
	}
	return append(in, v)
}

// without returns a copy of in without the value of a name.
func without[T any](in []T, name string, nameOf func(T) string) []T {
	return slices.DeleteFunc(slices.Clone(in), func(v T) bool { return nameOf(v) == name })
}

// sorted sorts a catalog as LoadCatalog returns it.
func sorted(c *catalog.Catalog) {
	slices.SortFunc(c.Sources, func(a, b catalog.Source) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Endpoints, func(a, b catalog.Endpoint) int {
		return cmp.Compare(a.Name, b.Name)
	})
	slices.SortStableFunc(c.Subscriptions, func(a, b catalog.Subscription) int {
		return cmp.Compare(a.Source, b.Source)
	})
}
