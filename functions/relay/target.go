package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
)

// targetFlags select the relay that a command operates.
type targetFlags struct {
	Data  string `help:"Directory of the local relay (default: .relay)." type:"path" xor:"relay"`
	Stack string `help:"Name of a deployed stack, to operate it instead of a local relay. Uses your own AWS credentials." xor:"relay"`
}

// dir returns the directory of the local relay. The default is not on the flag, because kong would
// then reject --stack.
func (f targetFlags) dir() string { return cmp.Or(f.Data, ".relay") }

// ErrNoRelay is returned when the directory has no local relay.
var ErrNoRelay = errors.New("no relay")

// target is an open relay, local or deployed. It must be closed.
type target struct {
	catalog catalogStore
	ledger  ledger
	bodies  relay.Bodies
	ingest  relay.Queue
	retry   relay.Queue
	// the documents beside the catalog and those beside the ledger
	catalogDocuments operate.Documents
	ledgerDocuments  operate.Documents
	close            func() error
}

type catalogStore interface {
	catalog.Store
	catalog.Names
	catalog.Sources
	catalog.Subscriptions
	catalog.LearningWindows
}

type ledger interface {
	operate.Ledger
	relay.Deliveries
	gate.EndpointStates
}

// checkKnown returns ErrNotFound if there is no endpoint of this name. An endpoint that was removed
// counts as known while deliveries to it are on record.
func (t *target) checkKnown(ctx context.Context, endpoint string) error {
	_, names, err := t.catalog.Names(ctx, "")
	if err != nil || slices.Contains(names, endpoint) {
		return err
	}
	deliveries, next, err := t.ledger.ListDeliveries(ctx, operate.Query{Endpoint: endpoint}, "")
	if err != nil || len(deliveries) > 0 || next != "" {
		return err
	}
	return fmt.Errorf("endpoint %s: %w (relay endpoints lists them)", endpoint, catalog.ErrNotFound)
}

// replayer returns the Replayer of the target's deliveries.
func (t *target) replayer() operate.Replayer {
	return operate.Replayer{
		Ledger: t.ledger, Deliveries: t.ledger, Retry: t.retry,
		Router: relay.NewRouter(t.catalog, t.bodies, 0, time.Now),
	}
}

// open opens a relay that exists.
func (f targetFlags) open(ctx context.Context) (*target, error) {
	if f.Stack == "" && !sqlite.Exists(f.dir()) {
		return nil, fmt.Errorf(
			"%w in %s; create one with relay local or relay apply, or give another directory with --data, or a deployed stack with --stack",
			ErrNoRelay, f.dir(),
		)
	}
	return f.make(ctx)
}

// make opens a relay. A local relay is created if it does not exist.
func (f targetFlags) make(ctx context.Context) (*target, error) {
	if f.Stack == "" {
		return openLocal(f.dir())
	}
	t, err := openDeployed(ctx, f.Stack)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", f.Stack, err)
	}
	return t, nil
}

func openLocal(dir string) (*target, error) {
	l, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	return &target{
		catalog: l.catalog, ledger: l.store.Ledger(), bodies: l.store.Bodies(
			relay.DefaultRetention + relay.BodiesOutlive,
		),
		ingest: l.queues[ingestQueue], retry: l.queues[retryQueue], close: l.store.Close,
		catalogDocuments: l.store.Documents(), ledgerDocuments: l.store.Documents(),
	}, nil
}

// localRelay is the open store of a local relay, its catalog and its queues.
type localRelay struct {
	store   *sqlite.Store
	catalog *sqlite.Catalog
	queues  map[string]*sqlite.Queue
}

// openStore opens the relay in a directory. The relay's host may be running at the same time. The
// store must be closed.
func openStore(dir string) (*localRelay, error) {
	store, err := sqlite.Open(dir)
	if err != nil {
		return nil, err
	}
	sealer, err := keyfile.New(dir)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	queues, err := openQueues(store)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	return &localRelay{store: store, catalog: store.Catalog(sealer), queues: queues}, nil
}
