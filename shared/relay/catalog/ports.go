package catalog

import (
	"context"
	"errors"
	"time"
)

// The decisions that callers of the ports make.
var (
	// ErrNotFound: there is no such source, endpoint, event, delivery or body.
	ErrNotFound = errors.New("relay: not found")
	// ErrConflict: the record is not, or no longer, in the state that a conditional write asked for. Nothing was written.
	ErrConflict = errors.New("relay: conflict")
	// ErrNotOpen: a handshake brought a secret, and its operator has opened no window for one, or the window is over.
	ErrNotOpen = errors.New("relay: handshake refused: no learning window")
)

// Generation names a state of the catalog; "" names that of a new store, which is empty.
type Generation string

// Generations tells which state of the catalog is in force.
type Generations interface {
	// Generation names the catalog in force; each that ReplaceCatalog writes has a name of its own. What the ports below find in a generation stays
	// the same, but for the secret that a source learns. They find it for at least two hours after another generation came in force; in its
	// place they may find what is in force by then.
	Generation(ctx context.Context) (Generation, error)
}

// Sources finds sources.
type Sources interface {
	Generations
	// Source finds a source of a generation; ErrNotFound.
	Source(ctx context.Context, g Generation, name string) (Source, error)
	// SourceNames lists the names of a generation's sources.
	SourceNames(ctx context.Context, g Generation) ([]string, error)
}

// LearnedSecrets keeps the secrets that providers hand over in handshakes.
type LearnedSecrets interface {
	// LearnSecret makes secret the only secret of a source whose configuration has none, if a window is open for it: from
	// now on Sources returns it with the source. The window closes with the same write. The catalog's revision is raised,
	// so that a replacement made from what was loaded before gets ErrConflict and cannot undo it. The secret that the
	// source has learned already is no error. ErrConflict: the source has another, configured or learned. ErrNotOpen: no
	// window is open. ErrNotFound: there is no such source. With these nothing was written.
	LearnSecret(ctx context.Context, source, secret string) error
}

// LearningWindows lets handshakes bring secrets: it is the operator's side of LearnedSecrets.
type LearningWindows interface {
	// OpenLearning lets the next handshake of a source bring its secret until a time, in whole milliseconds, in the place of
	// a window that is open already. A window outlives a replacement of the catalog. ErrConflict: the source has a secret,
	// which must be forgotten first. ErrNotFound: there is no such source.
	OpenLearning(ctx context.Context, source string, until time.Time) error
}

// Subscriptions finds the subscriptions of a source of a generation, in the operator's order; none is not an error.
type Subscriptions interface {
	Generations
	Subscriptions(ctx context.Context, g Generation, source string) ([]Subscription, error)
}

// Endpoints finds endpoints.
type Endpoints interface {
	Generations
	// Endpoint finds an endpoint of a generation; ErrNotFound.
	Endpoint(ctx context.Context, g Generation, name string) (Endpoint, error)
	// EndpointNames lists the names of a generation's endpoints.
	EndpointNames(ctx context.Context, g Generation) ([]string, error)
}

// Store reads and replaces the catalog as a whole.
type Store interface {
	// LoadCatalog returns the catalog and its revision; a new store has an empty catalog of revision 0. Sources and endpoints
	// come sorted by name, subscriptions grouped by source in the operator's order.
	LoadCatalog(ctx context.Context) (Catalog, int64, error)
	// ReplaceCatalog puts c, which is valid, in the place of the catalog of revision base, wholly or not at all: readers see the
	// old catalog or the new one. ErrConflict: somebody else replaced it since, or a source has learned a secret.
	ReplaceCatalog(ctx context.Context, c Catalog, base int64) error
}

// Sealer encrypts secrets at rest. What was sealed opens only with the same name (for a catalog item its kind and its name),
// so that a sealed secret cannot be moved to another item.
type Sealer interface {
	Seal(ctx context.Context, name string, plain []byte) ([]byte, error)
	Open(ctx context.Context, name string, sealed []byte) ([]byte, error)
}

// Names lists what is in the catalog by name, sorted, and opens no secret.
type Names interface {
	Names(ctx context.Context) (sources, endpoints []string, err error)
}

// TLS is what an endpoint asks of a connection beyond the usual, in PEM. An empty field means the usual.
type TLS struct {
	Certificate []byte // the relay's own, with its chain, for mutual TLS
	Key         []byte // the certificate's private key
	Authorities []byte // certificates that may sign the endpoint's, in place of the system's
}
