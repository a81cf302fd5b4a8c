package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay/catalog"
)

// tenantCatalog is the catalog of one tenant. It implements catalog.TenantStore.
type tenantCatalog struct {
	all    *Catalog
	tenant string
}

// rows are the rows of a catalog.
type rows struct {
	state              catalog.State
	sources, endpoints []item
	subscriptions      []catalog.Subscription
}

// LoadCatalog implements catalog.Store.
func (t *tenantCatalog) LoadCatalog(ctx context.Context) (catalog.Catalog, int64, error) {
	var r rows
	err := t.all.store.look(ctx, func(conn *sqlite.Conn) (err error) {
		r, err = t.readRows(conn)
		return err
	})
	cat := catalog.Catalog{Subscriptions: r.subscriptions}
	if err != nil {
		return catalog.Catalog{}, 0, err
	}
	for _, i := range r.sources {
		s, err := t.all.openSource(ctx, t.tenant, i)
		if err != nil {
			return catalog.Catalog{}, 0, err
		}
		cat.Sources = append(cat.Sources, s)
	}
	for _, i := range r.endpoints {
		e, err := t.all.openEndpoint(ctx, t.tenant, i)
		if err != nil {
			return catalog.Catalog{}, 0, err
		}
		cat.Endpoints = append(cat.Endpoints, e)
	}
	return cat, r.state.Revision, nil
}

func (t *tenantCatalog) readRows(conn *sqlite.Conn) (r rows, err error) {
	if r.state, err = stateOf(conn, t.tenant); err != nil {
		return r, err
	}
	for k, found := range map[kind]*[]item{sources: &r.sources, endpoints: &r.endpoints} {
		if err := exec(
			conn, selectItems+" ORDER BY name", items(found), t.tenant, string(k),
		); err != nil {
			return r, err
		}
	}
	err = exec(conn, selectSubscriptions+" ORDER BY source, position",
		subscriptions(&r.subscriptions), t.tenant)
	return r, err
}

// ReplaceCatalog implements catalog.Store. The new catalog is on disk when it returns.
func (t *tenantCatalog) ReplaceCatalog(
	ctx context.Context, cat catalog.Catalog, base int64,
) error {
	revision := base + 1
	cat = cat.Stamped(catalog.StampNow(revision))
	sealed := map[kind][]item{}
	for _, s := range cat.Sources {
		i, err := t.sealSource(ctx, s)
		if err != nil {
			return err
		}
		sealed[sources] = append(sealed[sources], i)
	}
	for _, e := range cat.Endpoints {
		i, err := t.sealEndpoint(ctx, e)
		if err != nil {
			return err
		}
		sealed[endpoints] = append(sealed[endpoints], i)
	}
	conflict := false
	err := t.all.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		next := catalog.State{Revision: revision}
		moved, err := t.move(conn, catalog.State{Revision: base}, next, true)
		if conflict = err == nil && !moved; err != nil || conflict {
			return err
		}
		return t.replaceRows(conn, sealed, cat.Subscriptions)
	})
	if err == nil && conflict {
		err = fmt.Errorf(
			"sqlite: catalog is no longer of revision %d: %w", base, catalog.ErrConflict,
		)
	}
	return err
}

// move changes the state of the catalog, if its revision is that of from. A new generation has the
// number of its revision.
func (t *tenantCatalog) move(
	conn *sqlite.Conn, from, to catalog.State, newGeneration bool,
) (moved bool, err error) {
	if from.Revision == 0 {
		err = exec(conn, "INSERT OR IGNORE INTO catalogs (tenant, generation, revision, changes)"+
			" VALUES (?, ?, ?, ?)", nil, t.tenant, to.Revision, to.Revision, changesText(to))
	} else {
		err = exec(conn, "UPDATE catalogs SET revision = ?, changes = ?,"+
			" generation = CASE WHEN ? THEN ? ELSE generation END"+
			" WHERE tenant = ? AND revision = ?", nil, to.Revision, changesText(to),
			newGeneration, to.Revision, t.tenant, from.Revision)
	}
	return err == nil && conn.Changes() > 0, err
}

func (t *tenantCatalog) sealSource(ctx context.Context, s catalog.Source) (item, error) {
	i, err := t.all.seal(ctx, t.tenant, sources, s.Name, sourceDoc{
		Name: s.Name, Verify: s.Verify, Secrets: s.Secrets, Tenant: s.Tenant, Types: s.Types,
		Validation: s.Validation, Expect: s.Expect,
	})
	i.by, i.changed = s.ManagedBy, s.Changed
	return i, err
}

func (t *tenantCatalog) sealEndpoint(ctx context.Context, e catalog.Endpoint) (item, error) {
	i, err := t.all.seal(ctx, t.tenant, endpoints, e.Name, endpointDoc(e))
	i.by, i.changed, i.order = e.ManagedBy, e.Changed, e.Order
	return i, err
}

func (t *tenantCatalog) replaceRows(
	conn *sqlite.Conn, sealed map[kind][]item, subs []catalog.Subscription,
) error {
	for _, table := range []string{"resources", "subscriptions"} {
		err := exec(conn, "DELETE FROM "+table+" WHERE tenant = ?", nil, t.tenant)
		if err != nil {
			return err
		}
	}
	for k, all := range sealed {
		for _, i := range all {
			if err := putItem(conn, t.tenant, k, i); err != nil {
				return err
			}
		}
	}
	for i, s := range subs {
		if err := t.putSubscription(conn, s, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *tenantCatalog) putSubscription(
	conn *sqlite.Conn, s catalog.Subscription, position int,
) error {
	types, err := json.Marshal(s.Types)
	if err != nil {
		return err
	}
	return exec(conn, "INSERT OR REPLACE INTO subscriptions (tenant, name, source, position,"+
		" endpoint, types, filter, managed, revision, changed)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", nil, t.tenant, s.Name, s.Source, position,
		s.Endpoint, string(types), s.Filter, string(s.ManagedBy), s.Changed.Revision,
		s.Changed.At.Unix())
}

// Resource implements catalog.Editor.
func (t *tenantCatalog) Resource(
	ctx context.Context, k catalog.Kind, name string,
) (catalog.Resource, error) {
	found, err := t.resources(ctx, k, "name = ?", name)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("sqlite: %s %s: %w", k, name, catalog.ErrNotFound)
	}
	if err != nil {
		return catalog.Resource{}, err
	}
	return found[0], nil
}

// Resources implements catalog.Editor. Here the parts without secrets are sealed too, with a key of
// this machine: opening them costs nothing.
func (t *tenantCatalog) Resources(
	ctx context.Context, k catalog.Kind, after string, limit int,
) (found []catalog.Resource, next string, err error) {
	found, err = t.resources(ctx, k, "name > ? ORDER BY name LIMIT ?", after, limit+1)
	if len(found) > limit {
		found, next = found[:limit], found[limit-1].Name
	}
	for i := range found {
		found[i] = found[i].WithoutSecrets()
	}
	return found, next, err
}

// resources returns the resources of a kind for which a condition holds.
func (t *tenantCatalog) resources(
	ctx context.Context, k catalog.Kind, condition string, args ...any,
) (found []catalog.Resource, err error) {
	if k == catalog.KindSubscription {
		var rows []catalog.Subscription
		err = t.selectAll(
			ctx, selectSubscriptions+" AND "+condition, subscriptions(&rows), args...,
		)
		for _, s := range rows {
			found = append(found, catalog.SubscriptionResource(s))
		}
		return found, err
	}
	var rows []item
	args = append([]any{string(k) + "s"}, args...)
	if err = t.selectAll(ctx, selectItems+" AND "+condition, items(&rows), args...); err != nil {
		return nil, err
	}
	for _, i := range rows {
		r, err := t.opened(ctx, k, i)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// selectAll runs a query whose first parameter is the tenant.
func (t *tenantCatalog) selectAll(
	ctx context.Context, query string, each func(*sqlite.Stmt) error, args ...any,
) error {
	return t.all.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, query, each, append([]any{t.tenant}, args...)...)
	})
}

func (t *tenantCatalog) opened(
	ctx context.Context, k catalog.Kind, i item,
) (catalog.Resource, error) {
	if k == catalog.KindSource {
		s, err := t.all.openSource(ctx, t.tenant, i)
		return catalog.SourceResource(s), err
	}
	e, err := t.all.openEndpoint(ctx, t.tenant, i)
	return catalog.EndpointResource(e), err
}

// Users implements catalog.Editor.
func (t *tenantCatalog) Users(
	ctx context.Context, k catalog.Kind, name string,
) (users []string, err error) {
	err = t.all.store.look(ctx, func(conn *sqlite.Conn) error {
		users, err = t.users(conn, k, name)
		return err
	})
	return users, err
}

func (t *tenantCatalog) users(
	conn *sqlite.Conn, k catalog.Kind, name string,
) (users []string, err error) {
	if k == catalog.KindSubscription {
		return nil, nil // nothing names them
	}
	err = exec(conn, "SELECT name FROM subscriptions WHERE tenant = ? AND "+string(k)+
		" = ? ORDER BY name", func(stmt *sqlite.Stmt) error {
		users = append(users, stmt.ColumnText(0))
		return nil
	}, t.tenant, name)
	return users, err
}

// Edit implements catalog.Editor.
func (t *tenantCatalog) Edit(ctx context.Context, e catalog.Edit) (int64, error) {
	for {
		revision, done, err := t.edit(ctx, e)
		if err != nil {
			return 0, fmt.Errorf("sqlite: %w", err)
		}
		if done {
			return revision, nil
		}
	}
}

// edit makes a change, unless somebody else changes the catalog at the same time.
func (t *tenantCatalog) edit(
	ctx context.Context, e catalog.Edit,
) (revision int64, done bool, err error) {
	state, err := t.all.State(ctx, t.tenant)
	if err != nil {
		return 0, false, err
	}
	before, err := t.check(ctx, e)
	if err != nil {
		return 0, false, err
	}
	next := state.After(e.Changes(before))
	write, err := t.writeOf(ctx, e, next.Revision)
	if err != nil {
		return 0, false, err
	}
	err = t.all.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		moved, err := t.move(conn, state, next, false)
		if done = err == nil && moved; !done {
			return err
		}
		return write(conn)
	})
	return next.Revision, done, err
}

// check returns the resource as it is, or why the edit may not be made.
func (t *tenantCatalog) check(
	ctx context.Context, e catalog.Edit,
) (before *catalog.Resource, err error) {
	k, name := e.Subject()
	found, err := t.Resource(ctx, k, name)
	switch {
	case err == nil:
		before = &found
	case !errors.Is(err, catalog.ErrNotFound):
		return nil, err
	}
	if err := e.Check(before); err != nil {
		return nil, err
	}
	if e.Put == nil {
		users, err := t.Users(ctx, k, name)
		if err != nil {
			return nil, err
		}
		return before, catalog.InUse(k, name, users)
	}
	if s := e.Put.Subscription; s != nil {
		if _, err := t.all.find(
			ctx, endpoints, catalog.Qualify(t.tenant, s.Endpoint),
		); err != nil {
			return nil, err
		}
		return before, catalog.CheckSource(t.tenant, s.Source, func(
			name string,
		) (catalog.Source, error) {
			return t.all.Source(ctx, "", name)
		})
	}
	return before, nil
}

// writeOf returns the function that writes an edit's resource.
func (t *tenantCatalog) writeOf(
	ctx context.Context, e catalog.Edit, revision int64,
) (func(*sqlite.Conn) error, error) {
	k, name := e.Subject()
	if e.Put == nil {
		return func(conn *sqlite.Conn) error { return t.remove(conn, k, name) }, nil
	}
	r := e.Stamped(catalog.StampNow(revision))
	switch {
	case r.Source != nil:
		i, err := t.sealSource(ctx, *r.Source)
		return func(conn *sqlite.Conn) error {
			if e.Forgets() {
				if err := t.removeItem(conn, learned, name); err != nil {
					return err
				}
			}
			return putItem(conn, t.tenant, sources, i)
		}, err
	case r.Endpoint != nil:
		i, err := t.sealEndpoint(ctx, *r.Endpoint)
		return func(conn *sqlite.Conn) error {
			return putItem(conn, t.tenant, endpoints, i)
		}, err
	}
	return func(conn *sqlite.Conn) error {
		position, err := t.positionOf(conn, name)
		if err != nil {
			return err
		}
		return t.putSubscription(conn, *r.Subscription, position)
	}, nil
}

// positionOf returns the position of a subscription, or that after all others.
func (t *tenantCatalog) positionOf(conn *sqlite.Conn, name string) (int, error) {
	var position int64
	err := exec(conn, "SELECT coalesce("+
		"(SELECT position FROM subscriptions WHERE tenant = ?1 AND name = ?2),"+
		" (SELECT max(position) + 1 FROM subscriptions WHERE tenant = ?1), 0)", into(&position),
		t.tenant, name)
	return int(position), err
}

func (t *tenantCatalog) remove(conn *sqlite.Conn, k catalog.Kind, name string) error {
	switch k {
	case catalog.KindSource:
		if err := t.removeItem(conn, learned, name); err != nil {
			return err
		}
		if err := closeWindow(conn, catalog.Qualify(t.tenant, name)); err != nil {
			return err
		}
		return t.removeItem(conn, sources, name)
	case catalog.KindEndpoint:
		return t.removeItem(conn, endpoints, name)
	default:
		return exec(
			conn, "DELETE FROM subscriptions WHERE tenant = ? AND name = ?", nil, t.tenant, name,
		)
	}
}

func (t *tenantCatalog) removeItem(conn *sqlite.Conn, k kind, name string) error {
	return exec(conn, "DELETE FROM resources WHERE tenant = ? AND kind = ? AND name = ?", nil,
		t.tenant, string(k), name)
}
