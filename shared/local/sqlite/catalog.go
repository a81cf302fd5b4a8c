package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/verify"
)

// Catalog keeps the catalogs of all tenants. It implements catalog.Sources, catalog.LearnedSecrets,
// catalog.LearningWindows, catalog.Subscriptions, catalog.Types, catalog.Endpoints, catalog.Names
// and catalog.Tenants. The operator's catalog is also its own catalog.TenantStore. A source or an
// endpoint is sealed as a whole, because an endpoint's URL and headers may contain secrets too.
// Catalog caches nothing, so it sees at once what another process wrote. It is safe for concurrent
// use.
type Catalog struct {
	*tenantCatalog // the operator's
	store          *Store
	sealer         catalog.Sealer
}

// Catalog returns the store's catalogs. sealer seals their items.
func (s *Store) Catalog(sealer catalog.Sealer) *Catalog {
	c := &Catalog{store: s, sealer: sealer}
	c.tenantCatalog = &tenantCatalog{all: c}
	return c
}

// For implements catalog.Tenants.
func (c *Catalog) For(tenant string) catalog.TenantStore {
	return &tenantCatalog{all: c, tenant: tenant}
}

// The JSON form of sealed items. The JSON names must not change. A field that is added later is
// empty in items that were sealed before.
type (
	sourceDoc struct {
		Name    string            `json:"name"` // plain
		Verify  verify.Config     `json:"verify"`
		Secrets []string          `json:"secrets"`
		Tenant  *catalog.TenantOf `json:"tenant,omitempty"`

		Types      []catalog.EventType `json:"types,omitempty"`
		Validation catalog.Validation  `json:"validation,omitempty"`
		Expect     time.Duration       `json:"expect,omitempty"` // nanoseconds
	}
	endpointDoc struct {
		Name string `json:"name"` // plain
		URL  string `json:"url"`

		Destination *destination.Options `json:"destination,omitempty"`

		Secrets  []string          `json:"secrets"`
		Header   map[string]string `json:"header"`
		Timeout  time.Duration     `json:"timeout"`  // nanoseconds
		Schedule []time.Duration   `json:"schedule"` // nanoseconds; null and [] differ

		MaxAge    time.Duration `json:"maxAge"` // nanoseconds
		Final     []string      `json:"final"`
		RateLimit int           `json:"rateLimit"`
		RatePer   time.Duration `json:"ratePer"` // nanoseconds

		Concurrency int           `json:"concurrency"`
		TLS         *catalog.TLS  `json:"tls"`
		Auth        *catalog.Auth `json:"auth"`
		Order       catalog.Order `json:"order"`

		SecretsMade bool                     `json:"secretsMade"`
		Retiring    []catalog.RetiringSecret `json:"retiring"`
		Prove       catalog.ProofKind        `json:"prove"`
		Sends       map[string]string        `json:"sends"`

		// in columns of their own
		ManagedBy catalog.Manager `json:"-"`
		Changed   catalog.Stamp   `json:"-"`
	}
)

// item is a row of resources.
type item struct {
	name    string // plain
	sealed  []byte
	by      catalog.Manager
	changed catalog.Stamp
	order   catalog.Order // of an endpoint
}

// kind is the kind of an item, and the first half of the name with which it is sealed.
type kind string

const (
	sources   kind = "sources"
	endpoints kind = "endpoints"
	learned   kind = "learned" // secrets of handshakes, by source
)

// State implements catalog.Generations. Only the newest generation is kept.
func (c *Catalog) State(ctx context.Context, tenant string) (s catalog.State, err error) {
	err = c.store.look(ctx, func(conn *sqlite.Conn) error {
		if s, err = stateOf(conn, tenant); err != nil {
			return err
		}
		if tenant == "" {
			err = readMark(conn, marks, listeningMark, &s.Listening)
		} else {
			err = readMark(conn, tenantRates, tenant, &s.Rates)
		}
		if err != nil {
			return err
		}
		return exec(conn, "SELECT 1 FROM resources WHERE tenant = ? AND order_key IS NOT NULL"+
			" LIMIT 1", func(*sqlite.Stmt) error {
			s.Ordered = true
			return nil
		}, tenant)
	})
	return s, err
}

// The documents that are marks beside the catalogs.
const (
	marks         = "marks" // the collection of the operator's
	listeningMark = "listening"
	tenantRates   = "rates" // the collection of the rates of tenants, by tenant
)

// MarkListening implements catalog.ListeningMarks.
func (c *Catalog) MarkListening(ctx context.Context, m catalog.Listening) error {
	return c.mark(ctx, marks, listeningMark, m, m.Revision)
}

// SetRates implements catalog.TenantRates.
func (c *Catalog) SetRates(ctx context.Context, tenant string, r catalog.Rates) error {
	return c.mark(ctx, tenantRates, tenant, r, r.Revision)
}

// mark writes a mark beside a catalog, unless a later one is there. The first revision replaces
// any.
func (c *Catalog) mark(
	ctx context.Context, collection, key string, mark any, revision int64,
) error {
	return c.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		body, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		return exec(
			conn, `INSERT INTO documents (collection, key, version, body) VALUES (?1, ?2, ?3, ?4)
				ON CONFLICT DO UPDATE SET version = ?3, body = ?4
				WHERE version < ?3 OR ?3 = 1`, nil,
			collection, key, revision, body,
		)
	})
}

// readMark reads a mark beside a catalog. It leaves into as it is if there is none.
func readMark(conn *sqlite.Conn, collection, key string, into any) error {
	return exec(
		conn, "SELECT body FROM documents WHERE collection = ? AND key = ?",
		func(stmt *sqlite.Stmt) error {
			if err := json.Unmarshal(blob(stmt, 0), into); err != nil {
				return fmt.Errorf(
					"sqlite: mark %s %s: %w: %w", collection, key, format.ErrFormat, err,
				)
			}
			return nil
		}, collection, key,
	)
}

// stateOf returns the state of a tenant's catalog, without Ordered and the marks.
func stateOf(conn *sqlite.Conn, tenant string) (s catalog.State, err error) {
	err = exec(conn, "SELECT generation, revision, changes FROM catalogs WHERE tenant = ?",
		func(stmt *sqlite.Stmt) error {
			s.Generation = catalog.Generation(strconv.FormatInt(stmt.ColumnInt64(0), 10))
			s.Revision = stmt.ColumnInt64(1)
			if err := json.Unmarshal([]byte(stmt.ColumnText(2)), &s.Changes); err != nil {
				return fmt.Errorf("sqlite: changes: %w: %w", format.ErrFormat, err)
			}
			return nil
		}, tenant)
	return s, err
}

// TenantNames implements catalog.Sources.
func (c *Catalog) TenantNames(ctx context.Context, shard int) ([]string, error) {
	all, err := c.AllTenants(ctx)
	return slices.DeleteFunc(all, func(name string) bool {
		return catalog.ShardOf(name, catalog.TenantShards) != shard
	}), err
}

// AllTenants implements catalog.Names.
func (c *Catalog) AllTenants(ctx context.Context) (names []string, err error) {
	err = c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT tenant FROM catalogs WHERE tenant <> ''"+
			" UNION SELECT key FROM documents WHERE collection = ? ORDER BY tenant",
			func(stmt *sqlite.Stmt) error {
				names = append(names, stmt.ColumnText(0))
				return nil
			}, tenantRates)
	})
	return names, err
}

// Source implements catalog.Sources.
func (c *Catalog) Source(
	ctx context.Context, _ catalog.Generation, name string,
) (catalog.Source, error) {
	found, err := c.find(ctx, sources, name)
	if err != nil {
		return catalog.Source{}, err
	}
	var until int64 // read before the secret: whoever learns that closes the window
	if err := c.store.look(ctx, func(conn *sqlite.Conn) (err error) {
		until, err = windowOf(conn, name)
		return err
	}); err != nil {
		return catalog.Source{}, err
	}
	tenant, _ := catalog.SplitName(name)
	s, err := c.openSource(ctx, tenant, found)
	if until > 0 && s.Learns() && len(s.Secrets) == 0 {
		s.LearnUntil = time.UnixMilli(until)
	}
	s.Name = name
	return s, err
}

// openSource opens a tenant's source, with the secret that it has learned.
func (c *Catalog) openSource(
	ctx context.Context, tenant string, i item,
) (catalog.Source, error) {
	var d sourceDoc
	if err := c.open(ctx, tenant, sources, i, &d); err != nil {
		return catalog.Source{}, err
	}
	s := catalog.Source{
		Name: d.Name, Verify: d.Verify, Secrets: d.Secrets, Tenant: d.Tenant, Types: d.Types,
		Validation: d.Validation, Expect: d.Expect, ManagedBy: i.by, Changed: i.changed,
	}
	if !s.Learns() || len(s.Secrets) > 0 {
		return s, nil
	}
	kept, err := c.find(ctx, learned, catalog.Qualify(tenant, s.Name))
	if errors.Is(err, catalog.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, c.open(ctx, tenant, learned, kept, &s.Secrets)
}

// windowOf returns the time until which a source may learn its secret, in Unix milliseconds. It
// returns 0 if the source may not learn one.
func windowOf(conn *sqlite.Conn, source string) (until int64, err error) {
	err = exec(conn, "SELECT until FROM learning_windows WHERE source = ?", into(&until), source)
	return until, err
}

// LearnSecret implements catalog.LearnedSecrets. The next ReplaceCatalog deletes the learned
// secret. LoadCatalog returns the secret with its source, so a replacement based on that writes it
// back with the source.
func (c *Catalog) LearnSecret(ctx context.Context, source, secret string) error {
	tenant, name := catalog.SplitName(source)
	for {
		state, err := c.State(ctx, tenant)
		if err != nil {
			return err
		}
		s, err := c.Source(ctx, state.Generation, source)
		if err != nil {
			return err
		}
		if slices.Equal(s.Secrets, []string{secret}) {
			return nil
		}
		if len(s.Secrets) > 0 {
			return fmt.Errorf("sqlite: source %s has a secret: %w", source, catalog.ErrConflict)
		}
		if !time.Now().Before(s.LearnUntil) {
			return fmt.Errorf("sqlite: source %s: %w", source, catalog.ErrNotOpen)
		}
		sealed, err := c.seal(ctx, tenant, learned, name, []string{secret})
		if err != nil {
			return err
		}
		if done, err := c.learn(ctx, tenant, state, sealed); done || err != nil {
			return err
		}
	}
}

// OpenLearning implements catalog.LearningWindows.
func (c *Catalog) OpenLearning(ctx context.Context, source string, until time.Time) error {
	tenant, _ := catalog.SplitName(source)
	for {
		state, err := c.State(ctx, tenant)
		if err != nil {
			return err
		}
		s, err := c.Source(ctx, state.Generation, source)
		if err != nil {
			return err
		}
		if len(s.Secrets) > 0 {
			return fmt.Errorf("sqlite: source %s has a secret: %w", source, catalog.ErrConflict)
		}
		done := false
		err = c.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
			err := exec(conn, "INSERT OR REPLACE INTO learning_windows (source, until)"+
				" SELECT ?, ? FROM catalogs WHERE tenant = ? AND revision = ?", nil, source,
				until.UnixMilli(), tenant, state.Revision)
			done = err == nil && conn.Changes() > 0
			return err
		})
		if done || err != nil {
			return err
		}
	}
}

// learn stores a secret in the next revision and closes the window, if the catalog is still in that
// state and the window is open.
func (c *Catalog) learn(
	ctx context.Context, tenant string, state catalog.State, secret item,
) (done bool, err error) {
	source := catalog.Qualify(tenant, secret.name)
	next := state.After([]string{catalog.SourceChange(secret.name)})
	err = c.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		err := exec(conn,
			"UPDATE catalogs SET revision = ?, changes = ? WHERE tenant = ? AND revision = ?"+
				" AND EXISTS (SELECT 1 FROM learning_windows WHERE source = ? AND until > ?)", nil,
			next.Revision, changesText(next), tenant, state.Revision, source,
			time.Now().UnixMilli())
		if done = err == nil && conn.Changes() > 0; !done {
			return err
		}
		if err := closeWindow(conn, source); err != nil {
			return err
		}
		return putItem(conn, tenant, learned, secret)
	})
	return done, err
}

func closeWindow(conn *sqlite.Conn, source string) error {
	return exec(conn, "DELETE FROM learning_windows WHERE source = ?", nil, source)
}

func changesText(s catalog.State) string {
	text, _ := json.Marshal(s.Changes) // plain values: it cannot fail
	return string(text)
}

// EventTypes implements catalog.Types. Here the types are sealed with the rest of the source.
func (c *Catalog) EventTypes(
	ctx context.Context, g catalog.Generation, source string,
) (catalog.EventTypes, error) {
	s, err := c.Source(ctx, g, source)
	return catalog.EventTypes{Types: s.Types, Validation: s.Validation}, err
}

// Endpoint implements catalog.Endpoints.
func (c *Catalog) Endpoint(
	ctx context.Context, _ catalog.Generation, name string,
) (catalog.Endpoint, error) {
	found, err := c.find(ctx, endpoints, name)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	tenant, _ := catalog.SplitName(name)
	e, err := c.openEndpoint(ctx, tenant, found)
	e.Name = name
	return e, err
}

func (c *Catalog) openEndpoint(
	ctx context.Context, tenant string, i item,
) (catalog.Endpoint, error) {
	var d endpointDoc
	err := c.open(ctx, tenant, endpoints, i, &d)
	d.ManagedBy, d.Changed = i.by, i.changed
	return catalog.Endpoint(d), err
}

// find returns the item of a qualified name.
func (c *Catalog) find(ctx context.Context, k kind, name string) (item, error) {
	var found []item
	tenant, plain := catalog.SplitName(name)
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, selectItems+" AND name = ?", items(&found), tenant, string(k), plain)
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("sqlite: %s/%s: %w", k, name, catalog.ErrNotFound)
	}
	if err != nil {
		return item{}, err
	}
	return found[0], nil
}

// selectItems selects the items of a tenant and a kind.
const selectItems = "SELECT name, sealed, managed, revision, changed, order_key FROM resources" +
	" WHERE tenant = ? AND kind = ?"

func items(found *[]item) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		*found = append(*found, item{
			name: stmt.ColumnText(0), sealed: blob(stmt, 1),
			by: catalog.Manager(stmt.ColumnText(2)), changed: stampAt(stmt, 3),
			order: catalog.Order{On: !stmt.ColumnIsNull(5), Key: stmt.ColumnText(5)},
		})
		return nil
	}
}

// stampAt reads a stamp from two columns.
func stampAt(stmt *sqlite.Stmt, col int) catalog.Stamp {
	return catalog.Stamp{
		Revision: stmt.ColumnInt64(col), At: time.Unix(stmt.ColumnInt64(col+1), 0).UTC(),
	}
}

func putItem(conn *sqlite.Conn, tenant string, k kind, i item) error {
	var orderKey any // NULL: none
	if i.order.On {
		orderKey = i.order.Key
	}
	return exec(conn, "INSERT OR REPLACE INTO resources"+
		" (tenant, kind, name, managed, revision, changed, order_key, sealed)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?)", nil, tenant, string(k), i.name, string(i.by),
		i.changed.Revision, i.changed.At.Unix(), orderKey, i.sealed)
}

func (c *Catalog) open(ctx context.Context, tenant string, k kind, i item, doc any) error {
	name := string(k) + "/" + catalog.Qualify(tenant, i.name)
	plain, err := c.sealer.Open(ctx, name, i.sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, doc); err != nil {
		// json's error might quote a secret
		return fmt.Errorf("sqlite: %s: %w", name, format.ErrFormat)
	}
	return nil
}

func (c *Catalog) seal(
	ctx context.Context, tenant string, k kind, name string, doc any,
) (item, error) {
	sealName := string(k) + "/" + catalog.Qualify(tenant, name)
	plain, err := json.Marshal(doc)
	if err != nil {
		return item{}, fmt.Errorf("sqlite: %s: %w", sealName, err)
	}
	sealed, err := c.sealer.Seal(ctx, sealName, plain)
	return item{name: name, sealed: sealed}, err
}

// Subscriptions implements catalog.Subscriptions.
func (c *Catalog) Subscriptions(
	ctx context.Context, _ catalog.Generation, tenant, source string,
) ([]catalog.Subscription, error) {
	var found []catalog.Subscription
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, selectSubscriptions+" AND source = ? ORDER BY position",
			subscriptions(&found), tenant, source)
	})
	for i := range found {
		found[i].Endpoint = catalog.Qualify(tenant, found[i].Endpoint)
	}
	return found, err
}

// OrderedEndpoints implements catalog.Subscriptions.
func (c *Catalog) OrderedEndpoints(
	ctx context.Context, _ catalog.Generation, tenant string,
) (map[string]catalog.Order, error) {
	orders := map[string]catalog.Order{}
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn,
			"SELECT name, order_key FROM resources WHERE tenant = ? AND order_key IS NOT NULL",
			func(stmt *sqlite.Stmt) error {
				orders[catalog.Qualify(tenant, stmt.ColumnText(0))] = catalog.Order{
					On: true, Key: stmt.ColumnText(1),
				}
				return nil
			}, tenant)
	})
	return orders, err
}

// selectSubscriptions selects the subscriptions of a tenant.
const selectSubscriptions = "SELECT name, source, endpoint, types, filter, managed, revision," +
	" changed FROM subscriptions WHERE tenant = ?"

func subscriptions(found *[]catalog.Subscription) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		sub := catalog.Subscription{
			Name: stmt.ColumnText(0), Source: stmt.ColumnText(1), Endpoint: stmt.ColumnText(2),
			Filter: stmt.ColumnText(4), ManagedBy: catalog.Manager(stmt.ColumnText(5)),
			Changed: stampAt(stmt, 6),
		}
		if err := json.Unmarshal([]byte(stmt.ColumnText(3)), &sub.Types); err != nil {
			return fmt.Errorf(
				"sqlite: subscription of %s to %s: %w: %w", sub.Source, sub.Endpoint,
				format.ErrFormat, err,
			)
		}
		*found = append(*found, sub)
		return nil
	}
}

// SourceNames implements catalog.Sources.
func (c *Catalog) SourceNames(
	ctx context.Context, _ catalog.Generation, tenant string, shard int,
) ([]string, error) {
	sourceNames, _, err := c.Names(ctx, tenant)
	return inShard(sourceNames, shard), err
}

// EndpointNames implements catalog.Endpoints.
func (c *Catalog) EndpointNames(
	ctx context.Context, _ catalog.Generation, tenant string, shard int,
) ([]string, error) {
	_, endpointNames, err := c.Names(ctx, tenant)
	return inShard(endpointNames, shard), err
}

func inShard(names []string, shard int) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return catalog.ShardOf(name, catalog.NameShards) != shard
	})
}

// Names implements catalog.Names.
func (c *Catalog) Names(
	ctx context.Context, tenant string,
) (sourceNames, endpointNames []string, err error) {
	err = c.store.look(ctx, func(conn *sqlite.Conn) error {
		for k, found := range map[kind]*[]string{sources: &sourceNames, endpoints: &endpointNames} {
			err := exec(conn,
				"SELECT name FROM resources WHERE tenant = ? AND kind = ? ORDER BY name",
				func(stmt *sqlite.Stmt) error {
					*found = append(*found, stmt.ColumnText(0))
					return nil
				}, tenant, string(k))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return sourceNames, endpointNames, err
}
