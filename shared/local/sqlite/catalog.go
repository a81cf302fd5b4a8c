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

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/verify"
)

// Catalog implements relay.Sources, relay.LearnedSecrets, relay.LearningWindows,
// relay.Subscriptions, relay.Endpoints and catalog.Store. A source or an endpoint is sealed as a
// whole, because an endpoint's URL and headers may contain secrets too. Catalog caches nothing, so
// it sees at once what another process wrote. It is safe for concurrent use.
type Catalog struct {
	store  *Store
	sealer catalog.Sealer
}

// Catalog returns the store's catalog. sealer seals its items.
func (s *Store) Catalog(sealer catalog.Sealer) *Catalog {
	return &Catalog{store: s, sealer: sealer}
}

// The JSON form of sealed items. The JSON names must not change. A field that is added later is
// empty in items that were sealed before.
type (
	sourceDoc struct {
		Name    string        `json:"name"`
		Verify  verify.Config `json:"verify"`
		Secrets []string      `json:"secrets"`
		Order   catalog.Order `json:"order"`
	}
	endpointDoc struct {
		Name     string            `json:"name"`
		URL      string            `json:"url"`
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

		ManagedBy catalog.Manager `json:"managedBy,omitempty"`
		Changed   catalog.Stamp   `json:"changed,omitzero"`
	}
)

// item is a row of sources or endpoints.
type item struct {
	name   string
	sealed []byte
}

// kind is the kind of an item: the name of its table, and the first half of the name with which it
// is sealed.
type kind string

const (
	sources   kind = "sources"
	endpoints kind = "endpoints"
	learned   kind = "learned" // secrets of handshakes, by source
)

// Generation implements relay.Generations. A generation is the catalog's revision. Only the newest
// one is kept.
func (c *Catalog) Generation(ctx context.Context) (catalog.Generation, error) {
	var revision int64
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT number FROM revision", into(&revision))
	})
	return catalog.Generation(strconv.FormatInt(revision, 10)), err
}

// Source implements relay.Sources.
func (c *Catalog) Source(
	ctx context.Context, _ catalog.Generation, name string,
) (catalog.Source, error) {
	var d sourceDoc
	if err := c.find(ctx, sources, name, &d); err != nil {
		return catalog.Source{}, err
	}
	var until int64 // read before the secret: whoever learns that closes the window
	if err := c.store.look(ctx, func(conn *sqlite.Conn) (err error) {
		until, err = windowOf(conn, name)
		return err
	}); err != nil {
		return catalog.Source{}, err
	}
	s, err := c.withLearned(ctx, d)
	if until > 0 && s.Learns() && len(s.Secrets) == 0 {
		s.LearnUntil = time.UnixMilli(until)
	}
	return s, err
}

// windowOf returns the time until which a source may learn its secret, in Unix milliseconds. It
// returns 0 if the source may not learn one.
func windowOf(conn *sqlite.Conn, source string) (until int64, err error) {
	err = exec(conn, "SELECT until FROM learning_windows WHERE source = ?", into(&until), source)
	return until, err
}

// withLearned adds the secret that the source's provider sent in a handshake, if there is one.
func (c *Catalog) withLearned(ctx context.Context, d sourceDoc) (catalog.Source, error) {
	s := catalog.Source{Name: d.Name, Verify: d.Verify, Secrets: d.Secrets, Order: d.Order}
	if !s.Learns() || len(s.Secrets) > 0 {
		return s, nil
	}
	err := c.find(ctx, learned, s.Name, &s.Secrets)
	if errors.Is(err, catalog.ErrNotFound) {
		err = nil
	}
	return s, err
}

// LearnSecret implements relay.LearnedSecrets. The next ReplaceCatalog deletes the learned secret.
// LoadCatalog returns the secret with its source, so a replacement based on that writes it back
// with the source.
func (c *Catalog) LearnSecret(ctx context.Context, source, secret string) error {
	for {
		g, err := c.Generation(ctx)
		if err != nil {
			return err
		}
		s, err := c.Source(ctx, g, source)
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
		sealed, err := c.seal(ctx, learned, source, []string{secret})
		if err != nil {
			return err
		}
		if done, err := c.learn(ctx, g, sealed); done || err != nil {
			return err
		}
	}
}

// OpenLearning implements relay.LearningWindows.
func (c *Catalog) OpenLearning(ctx context.Context, source string, until time.Time) error {
	for {
		g, err := c.Generation(ctx)
		if err != nil {
			return err
		}
		s, err := c.Source(ctx, g, source)
		if err != nil {
			return err
		}
		if len(s.Secrets) > 0 {
			return fmt.Errorf("sqlite: source %s has a secret: %w", source, catalog.ErrConflict)
		}
		if done, err := c.openWindow(ctx, g, source, until); done || err != nil {
			return err
		}
	}
}

// openWindow opens a source's window if the catalog still has revision g.
func (c *Catalog) openWindow(
	ctx context.Context, g catalog.Generation, source string, until time.Time,
) (done bool, err error) {
	err = c.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		err := exec(conn, "INSERT OR REPLACE INTO learning_windows (source, until)"+
			" SELECT ?, ? FROM revision WHERE number = CAST(? AS INTEGER)", nil, source,
			until.UnixMilli(), string(g))
		done = err == nil && conn.Changes() > 0
		return err
	})
	return done, err
}

// learn stores a secret in a new revision and closes the window, if the catalog still has revision
// g and the window is open.
func (c *Catalog) learn(
	ctx context.Context, g catalog.Generation, secret item,
) (done bool, err error) {
	err = c.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		err := exec(conn,
			"UPDATE revision SET number = number + 1 WHERE number = CAST(? AS INTEGER) AND EXISTS"+
				" (SELECT 1 FROM learning_windows WHERE source = ? AND until > ?)", nil, string(g),
			secret.name, time.Now().UnixMilli())
		if done = err == nil && conn.Changes() > 0; !done {
			return err
		}
		if err := exec(
			conn, "DELETE FROM learning_windows WHERE source = ?", nil, secret.name,
		); err != nil {
			return err
		}
		return exec(
			conn, "INSERT INTO learned (name, sealed) VALUES (?, ?)", nil, secret.name,
			secret.sealed,
		)
	})
	return done, err
}

// Endpoint implements relay.Endpoints.
func (c *Catalog) Endpoint(
	ctx context.Context, _ catalog.Generation, name string,
) (catalog.Endpoint, error) {
	var d endpointDoc
	err := c.find(ctx, endpoints, name, &d)
	return catalog.Endpoint(d), err
}

func (c *Catalog) find(ctx context.Context, k kind, name string, doc any) error {
	var found []item
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(
			conn, "SELECT name, sealed FROM "+string(k)+" WHERE name = ?", items(&found), name,
		)
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("sqlite: %s/%s: %w", k, name, catalog.ErrNotFound)
	}
	return c.open(ctx, k, found[0], doc)
}

func items(found *[]item) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		*found = append(*found, item{name: stmt.ColumnText(0), sealed: blob(stmt, 1)})
		return nil
	}
}

func (c *Catalog) open(ctx context.Context, k kind, i item, doc any) error {
	plain, err := c.sealer.Open(ctx, string(k)+"/"+i.name, i.sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, doc); err != nil {
		// json's error might quote a secret
		return fmt.Errorf("sqlite: %s/%s: %w", k, i.name, format.ErrFormat)
	}
	return nil
}

func (c *Catalog) seal(ctx context.Context, k kind, name string, doc any) (item, error) {
	plain, err := json.Marshal(doc)
	if err != nil {
		return item{}, fmt.Errorf("sqlite: %s/%s: %w", k, name, err)
	}
	sealed, err := c.sealer.Seal(ctx, string(k)+"/"+name, plain)
	return item{name: name, sealed: sealed}, err
}

// Subscriptions implements relay.Subscriptions.
func (c *Catalog) Subscriptions(
	ctx context.Context, _ catalog.Generation, source string,
) ([]catalog.Subscription, error) {
	var found []catalog.Subscription
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(conn,
			"SELECT source, endpoint, types, filter, order_key FROM subscriptions WHERE source = ? ORDER BY position",
			subscriptions(&found), source)
	})
	return found, err
}

func subscriptions(found *[]catalog.Subscription) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		sub := catalog.Subscription{
			Source: stmt.ColumnText(0), Endpoint: stmt.ColumnText(1), Filter: stmt.ColumnText(3),
		}
		if err := json.Unmarshal([]byte(stmt.ColumnText(2)), &sub.Types); err != nil {
			return fmt.Errorf(
				"sqlite: subscription of %s to %s: %w: %w", sub.Source, sub.Endpoint,
				format.ErrFormat, err,
			)
		}
		sub.Order = catalog.Order{On: !stmt.ColumnIsNull(4), Key: stmt.ColumnText(4)}
		*found = append(*found, sub)
		return nil
	}
}

// SourceNames implements relay.Sources.
func (c *Catalog) SourceNames(ctx context.Context, _ catalog.Generation) ([]string, error) {
	sourceNames, _, err := c.Names(ctx)
	return sourceNames, err
}

// EndpointNames implements relay.Endpoints.
func (c *Catalog) EndpointNames(ctx context.Context, _ catalog.Generation) ([]string, error) {
	_, endpointNames, err := c.Names(ctx)
	return endpointNames, err
}

// Names implements relay.Names.
func (c *Catalog) Names(ctx context.Context) (sourceNames, endpointNames []string, err error) {
	err = c.store.look(ctx, func(conn *sqlite.Conn) error {
		for k, found := range map[kind]*[]string{sources: &sourceNames, endpoints: &endpointNames} {
			err := exec(conn, "SELECT name FROM "+string(k)+
				" ORDER BY name", func(stmt *sqlite.Stmt) error {
				*found = append(*found, stmt.ColumnText(0))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return sourceNames, endpointNames, err
}

// LoadCatalog implements catalog.Store.
func (c *Catalog) LoadCatalog(ctx context.Context) (catalog.Catalog, int64, error) {
	var cat catalog.Catalog
	var revision int64
	var sealedSources, sealedEndpoints []item
	err := c.store.look(ctx, func(conn *sqlite.Conn) error {
		if err := exec(conn, "SELECT number FROM revision", into(&revision)); err != nil {
			return err
		}
		if err := exec(
			conn, "SELECT name, sealed FROM sources ORDER BY name", items(&sealedSources),
		); err != nil {
			return err
		}
		if err := exec(
			conn, "SELECT name, sealed FROM endpoints ORDER BY name", items(&sealedEndpoints),
		); err != nil {
			return err
		}
		return exec(conn,
			"SELECT source, endpoint, types, filter, order_key FROM subscriptions ORDER BY source, position",
			subscriptions(&cat.Subscriptions))
	})
	if err != nil {
		return catalog.Catalog{}, 0, err
	}
	for _, i := range sealedSources {
		var d sourceDoc
		if err := c.open(ctx, sources, i, &d); err != nil {
			return catalog.Catalog{}, 0, err
		}
		s, err := c.withLearned(ctx, d)
		if err != nil {
			return catalog.Catalog{}, 0, err
		}
		cat.Sources = append(cat.Sources, s)
	}
	for _, i := range sealedEndpoints {
		var d endpointDoc
		if err := c.open(ctx, endpoints, i, &d); err != nil {
			return catalog.Catalog{}, 0, err
		}
		cat.Endpoints = append(cat.Endpoints, catalog.Endpoint(d))
	}
	return cat, revision, nil
}

// ReplaceCatalog implements catalog.Store. The new catalog is on disk when it returns.
func (c *Catalog) ReplaceCatalog(ctx context.Context, cat catalog.Catalog, base int64) error {
	sealed := map[kind][]item{}
	for _, s := range cat.Sources {
		i, err := c.seal(
			ctx, sources, s.Name,
			sourceDoc{Name: s.Name, Verify: s.Verify, Secrets: s.Secrets, Order: s.Order},
		)
		if err != nil {
			return err
		}
		sealed[sources] = append(sealed[sources], i)
	}
	for _, e := range cat.Endpoints {
		i, err := c.seal(ctx, endpoints, e.Name, endpointDoc(e))
		if err != nil {
			return err
		}
		sealed[endpoints] = append(sealed[endpoints], i)
	}
	conflict := false
	err := c.store.do(ctx, onDisk, func(conn *sqlite.Conn) error {
		err := exec(conn, "UPDATE revision SET number = number + 1 WHERE number = ?", nil, base)
		if conflict = err == nil && conn.Changes() == 0; err != nil || conflict {
			return err
		}
		return replaceRows(conn, sealed, cat.Subscriptions)
	})
	if err == nil && conflict {
		err = fmt.Errorf(
			"sqlite: catalog is no longer of revision %d: %w", base, catalog.ErrConflict,
		)
	}
	return err
}

func replaceRows(conn *sqlite.Conn, sealed map[kind][]item, subs []catalog.Subscription) error {
	for _, k := range []kind{sources, endpoints, learned} {
		if err := exec(conn, "DELETE FROM "+string(k), nil); err != nil {
			return err
		}
		for _, i := range sealed[k] {
			if err := exec(
				conn, "INSERT INTO "+string(k)+" (name, sealed) VALUES (?, ?)", nil, i.name,
				i.sealed,
			); err != nil {
				return err
			}
		}
	}
	if err := exec(conn, "DELETE FROM subscriptions", nil); err != nil {
		return err
	}
	for i, s := range subs {
		types, err := json.Marshal(s.Types)
		if err != nil {
			return err
		}
		var orderKey any // NULL: none
		if s.Order.On {
			orderKey = s.Order.Key
		}
		if err := exec(conn,
			"INSERT INTO subscriptions (source, position, endpoint, types, filter, order_key) VALUES (?, ?, ?, ?, ?, ?)", nil,
			s.Source, i, s.Endpoint, string(types), s.Filter, orderKey); err != nil {
			return err
		}
	}
	return nil
}
