package catalog

import (
	"context"
	"errors"
	"time"
)

// The errors by which callers of the ports decide.
var (
	// ErrNotFound means that there is no such source, endpoint, event, delivery or body.
	ErrNotFound = errors.New("relay: not found")
	// ErrConflict means that a conditional write found the record in another state. Nothing was
	// written.
	ErrConflict = errors.New("relay: conflict")
	// ErrNotOpen means that a handshake brought a secret, and the operator has opened no window for
	// it, or the window has ended.
	ErrNotOpen = errors.New("relay: handshake refused: no learning window")
	// ErrManaged means that a resource belongs to another manager: see Manager.
	ErrManaged = errors.New("relay: managed by somebody else")
	// ErrInUse means that subscriptions name a source or endpoint, so it cannot be deleted.
	ErrInUse = errors.New("relay: in use by subscriptions")
)

// Generation names a catalog that was written as a whole: see State. "" names the empty catalog of
// a tenant that has none.
type Generation string

// Generations tells which states catalogs are in.
type Generations interface {
	// State returns the current state of a tenant's catalog; "": the operator's. Each catalog that
	// ReplaceCatalog writes has another generation. The ports below read the newest content of a
	// generation. They can read a generation for at least two hours after it was replaced. After
	// that they may read the current one instead.
	State(ctx context.Context, tenant string) (State, error)
}

// Sources reads sources.
type Sources interface {
	Generations
	// Source returns the source of a qualified name, in a generation of its tenant's catalog. The
	// source has the qualified name. Error: ErrNotFound.
	Source(ctx context.Context, g Generation, name string) (Source, error)
	// SourceNames lists the plain names of the sources in a shard of a tenant's catalog: see
	// ShardOf and NameShards.
	SourceNames(ctx context.Context, g Generation, tenant string, shard int) ([]string, error)
	// TenantNames lists the tenants in a shard that have a catalog or rates, or had them: see
	// ShardOf and TenantShards.
	TenantNames(ctx context.Context, shard int) ([]string, error)
}

// LearnedSecrets stores the secrets that providers send in handshakes.
type LearnedSecrets interface {
	// LearnSecret makes secret the only secret of a source whose configuration has none, if a
	// window is open for it. From then on Sources returns it with the source. The same write closes
	// the window. It also raises the catalog's revision, so that a replacement of an older revision
	// gets ErrConflict and cannot undo it. It is no error if the source has learned the same secret
	// before.
	//
	// source is a qualified name. Errors, after which nothing was written: ErrConflict if the
	// source has another secret, configured or learned; ErrNotOpen if no window is open;
	// ErrNotFound if there is no such source.
	LearnSecret(ctx context.Context, source, secret string) error
}

// LearningWindows allows handshakes to bring secrets. It is the operator's side of LearnedSecrets.
type LearningWindows interface {
	// OpenLearning allows the next handshake of a source to bring its secret until a time, in whole
	// milliseconds. It replaces a window that is open already. A replacement of the catalog leaves
	// the window open. source is a qualified name. Errors: ErrConflict if the source has a secret,
	// which must be forgotten first; ErrNotFound if there is no such source.
	OpenLearning(ctx context.Context, source string, until time.Time) error
}

// Subscriptions reads subscriptions.
type Subscriptions interface {
	Generations
	// Subscriptions returns the subscriptions to a source in a generation of a tenant's catalog, in
	// the tenant's order. source is the name by which the tenant's subscriptions name it. The
	// endpoints have their qualified names. It is no error if there are none.
	Subscriptions(
		ctx context.Context, g Generation, tenant, source string,
	) ([]Subscription, error)
	// OrderedEndpoints returns the orders of those of a tenant's endpoints that have one, by
	// qualified name.
	OrderedEndpoints(ctx context.Context, g Generation, tenant string) (map[string]Order, error)
}

// Endpoints reads endpoints.
type Endpoints interface {
	Generations
	// Endpoint returns the endpoint of a qualified name, in a generation of its tenant's catalog.
	// The endpoint has the qualified name. Error: ErrNotFound.
	Endpoint(ctx context.Context, g Generation, name string) (Endpoint, error)
	// EndpointNames lists the plain names of the endpoints in a shard of a tenant's catalog: see
	// ShardOf and NameShards.
	EndpointNames(ctx context.Context, g Generation, tenant string, shard int) ([]string, error)
}

// Store reads and replaces a tenant's whole catalog.
type Store interface {
	// LoadCatalog returns the catalog and its revision. A new store has an empty catalog of
	// revision 0. Sources and endpoints are sorted by name, subscriptions are grouped by source in
	// the operator's order.
	LoadCatalog(ctx context.Context) (Catalog, int64, error)
	// ReplaceCatalog replaces the catalog of revision base by c, which must be valid. Readers see
	// either the old catalog or the new one, never a mixture. Error: ErrConflict if somebody else
	// has replaced the catalog since, or a source has learned a secret.
	ReplaceCatalog(ctx context.Context, c Catalog, base int64) error
}

// Sealer encrypts secrets at rest. A sealed secret opens only with the name with which it was
// sealed (for a catalog item its kind and name), so that it cannot be moved to another item.
type Sealer interface {
	Seal(ctx context.Context, name string, plain []byte) ([]byte, error)
	Open(ctx context.Context, name string, sealed []byte) ([]byte, error)
}

// Names lists names. It decrypts no secret.
type Names interface {
	// Names lists the plain names of the sources and endpoints of a tenant's catalog, sorted.
	Names(ctx context.Context, tenant string) (sources, endpoints []string, err error)
	// AllTenants lists the tenants that have a catalog or rates, or had them, sorted.
	AllTenants(ctx context.Context) ([]string, error)
}

// TLS holds an endpoint's requirements for a connection, in PEM. An empty field means the default.
type TLS struct {
	Certificate []byte // client certificate for mutual TLS, with its chain
	Key         []byte // the certificate's private key
	Authorities []byte // certificates that may sign the endpoint's, instead of the system's
}
