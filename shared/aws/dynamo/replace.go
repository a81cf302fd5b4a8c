package dynamo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/catalog"
)

// The partitions of a tenant that are not generations. Their names are qualified by the tenant.
const (
	catalogPartition     = "catalog"
	pointerSort          = "pointer"
	listeningSort        = "listening" // of the operator only
	ratesSort            = "rates"     // of tenants only
	generationsPartition = "generations"
	// windows and secrets of handshakes, by source; a partition of its own, because receive may
	// write to no other
	learnedPartition = "learned"
)

// The lists of all tenants that have a catalog or rates, or had them, in shards.
const (
	tenantsPartition = "tenants"
	tenantsSort      = "names"
)

// loadTries is how often LoadCatalog reads a catalog that others change meanwhile.
const loadTries = 5

// A generation that is not in force may still be being written until abandonedAfter. Its writer
// gives up well before (giveUpAfter). A replaced generation is read by those who have not polled
// the pointer since, for at most an hour. catalog.Generations promises two hours (keptAfter).
const (
	abandonedAfter = time.Hour
	giveUpAfter    = abandonedAfter / 2
	keptAfter      = 2 * time.Hour
)

// ErrTooSlow means that writing the catalog took longer than half an hour by the wall clock. The
// old catalog stays in force.
var ErrTooSlow = errors.New("dynamo: catalog took too long to write")

// The largest number of writes in a call of BatchWriteItem, and the number of concurrent calls.
const (
	batchWrites    = 25
	batchesAtATime = 4
)

// pointer names the generation in force. The zero pointer stands for the empty catalog of a new
// store.
type pointer struct {
	generation string
	revision   int64 // how often the catalog was replaced or changed
	// how often a source has learned a secret; counted so that a replacement cannot undo that
	// unknowingly
	learned int64
	changes []catalog.Change // the latest of the generation
	ordered int64            // how many endpoints are ordered
}

// current returns the revision that callers see. It grows with each change. Both counts only grow,
// so no two states have the same sum.
func (p pointer) current() int64 { return p.revision + p.learned }

// state returns the catalog's state. Learned secrets are no part of it.
func (p pointer) state() catalog.State {
	return catalog.State{
		Generation: catalog.Generation(p.generation), Revision: p.revision, Changes: p.changes,
		Ordered: p.ordered > 0,
	}
}

// item returns the pointer's item.
func (p pointer) item(tenant string) item {
	it := key(catalog.Qualify(tenant, catalogPartition), pointerSort)
	it[generationAttribute], it[revisionAttribute] = text(p.generation), number(p.revision)
	it[learnedAttribute], it[orderedAttribute] = number(p.learned), number(p.ordered)
	if len(p.changes) > 0 {
		it[changesAttribute] = text(string(encode(p.changes)))
	}
	return it
}

// unchanged returns the condition that the stored pointer is this one.
func (p pointer) unchanged() (condition string, values item) {
	if p.revision == 0 && p.learned == 0 {
		return "attribute_not_exists(pk)", nil
	}
	return "revision = :base AND learned = :learned", item{
		":base": number(p.revision), ":learned": number(p.learned),
	}
}

func (c *Catalog) pointer(ctx context.Context, tenant string) (p pointer, err error) {
	it, err := c.get(ctx, catalog.Qualify(tenant, catalogPartition), pointerSort)
	if err != nil {
		return pointer{}, fmt.Errorf("dynamo: catalog: %w", err)
	}
	return pointerOf(it)
}

// pointerOf reads a pointer's item; nil: there is none.
func pointerOf(it item) (p pointer, err error) {
	if changes := textOf(it, changesAttribute); changes != "" {
		if err := json.Unmarshal([]byte(changes), &p.changes); err != nil {
			return pointer{}, unreadable(it, err)
		}
	}
	p.generation, p.revision = textOf(it, generationAttribute), numberOf(it, revisionAttribute)
	p.learned, p.ordered = numberOf(it, learnedAttribute), numberOf(it, orderedAttribute)
	return p, nil
}

// tenantCatalog is the catalog of one tenant. It implements catalog.TenantStore.
type tenantCatalog struct {
	all    *Catalog
	tenant string
}

func (t *tenantCatalog) pointer(ctx context.Context) (pointer, error) {
	return t.all.pointer(ctx, t.tenant)
}

// partition returns the name of one of the tenant's partitions.
func (t *tenantCatalog) partition(name string) string { return catalog.Qualify(t.tenant, name) }

// LoadCatalog implements catalog.Store. It opens every secret, which takes one call of the sealer
// each. It reads the catalog again if somebody has changed it meanwhile.
func (t *tenantCatalog) LoadCatalog(ctx context.Context) (catalog.Catalog, int64, error) {
	before, err := t.pointer(ctx)
	for try := 0; err == nil && try < loadTries; try++ {
		var loaded catalog.Catalog
		if loaded, err = t.load(ctx, before.generation); err != nil {
			break
		}
		var after pointer
		if after, err = t.pointer(ctx); err == nil && after.current() == before.current() {
			return loaded, before.current(), nil
		}
		before = after
	}
	if err == nil {
		err = fmt.Errorf("it changed %d times while it was read", loadTries)
	}
	return catalog.Catalog{}, 0, fmt.Errorf("dynamo: catalog: %w", err)
}

func (t *tenantCatalog) load(ctx context.Context, generation string) (catalog.Catalog, error) {
	var items []item
	err := t.all.each(ctx, catalog.Generation(generation), "", func(it item) error {
		items = append(items, it)
		return nil
	})
	if err != nil {
		return catalog.Catalog{}, err
	}
	return t.readAll(ctx, items)
}

// sealerCalls is the number of secrets that are sealed or opened concurrently.
const sealerCalls = 16

// readAll builds a catalog from a generation's items, which are sorted by kind and name.
func (t *tenantCatalog) readAll(ctx context.Context, items []item) (catalog.Catalog, error) {
	var sources, endpoints []item
	var loaded catalog.Catalog
	named := map[string]catalog.Subscription{}
	for _, it := range items {
		var err error
		switch kind, _ := kindAndName(it); kind {
		case sourceKind:
			sources = append(sources, it)
		case endpointKind:
			endpoints = append(endpoints, it)
		case routesKind:
			loaded.Subscriptions, err = appendSubscriptions(loaded.Subscriptions, it)
		case subscriptionKind:
			var s catalog.Subscription
			s, _, err = namedSubscription(it)
			named[s.Name] = s
		}
		if err != nil {
			return catalog.Catalog{}, err
		}
	}
	for i, s := range loaded.Subscriptions { // their order is that of the parts
		loaded.Subscriptions[i] = named[s.Name]
	}
	loaded.Sources, loaded.Endpoints = make([]catalog.Source, len(sources)),
		make([]catalog.Endpoint, len(endpoints))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealerCalls)
	for i, it := range sources {
		g.Go(func() (err error) {
			loaded.Sources[i], err = t.all.readSource(ctx, t.tenant, it)
			loaded.Sources[i].LearnUntil = time.Time{} // not part of the catalog
			return err
		})
	}
	for i, it := range endpoints {
		g.Go(func() (err error) {
			loaded.Endpoints[i], err = t.all.readEndpoint(ctx, t.tenant, it)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return catalog.Catalog{}, err
	}
	return loaded, nil
}

// ReplaceCatalog implements catalog.Store. It can also return ErrTooLarge and ErrTooSlow. If it is
// interrupted or returns an error, the old catalog stays in force. The one exception is an error of
// the very last call, which may hide that the call succeeded.
func (t *tenantCatalog) ReplaceCatalog(
	ctx context.Context, next catalog.Catalog, base int64,
) error {
	p, err := t.pointer(ctx)
	if err != nil {
		return err
	}
	if p.current() != base {
		return fmt.Errorf(
			"dynamo: the catalog has revision %d, not %d: %w", p.current(), base,
			catalog.ErrConflict,
		)
	}
	if err := t.sweep(ctx, p); err != nil {
		return fmt.Errorf("dynamo: delete old catalogs: %w", err)
	}
	begun := time.Now().Round(0) // the wall clock, because it also counts while the machine sleeps
	to := pointer{
		generation: t.newGeneration(), revision: p.revision + 1, learned: p.learned,
		ordered: countOrdered(next),
	}
	next = next.Stamped(catalog.StampNow(to.current()))
	if err := t.write(ctx, p, to.generation, begun, next); err != nil {
		return fmt.Errorf("dynamo: write catalog: %w", err)
	}
	if took := time.Now().Round(0).Sub(begun); took > giveUpAfter {
		return fmt.Errorf("%w: %v, at most %v", ErrTooSlow, took, giveUpAfter)
	}
	return t.move(ctx, p, to)
}

func (t *tenantCatalog) newGeneration() string { return t.partition(rand.Text()) }

func countOrdered(c catalog.Catalog) (n int64) {
	for _, e := range c.Endpoints {
		if e.Order.On {
			n++
		}
	}
	return n
}

// sweep deletes the generations that no reader or writer can still use. The first replacement that
// finds a generation out of force, and begun more than abandonedAfter ago, marks it. The first
// replacement that comes keptAfter later deletes it.
func (t *tenantCatalog) sweep(ctx context.Context, p pointer) error {
	var retired, old []item
	err := t.all.eachOf(ctx, t.partition(generationsPartition), "", func(it item) error {
		switch at := numberOf(it, retiredAttribute); {
		case textOf(it, SortKey) == p.generation:
		case at > 0 && since(at) > keptAfter:
			old = append(old, it)
		case at == 0 && since(numberOf(it, createdAttribute)) > abandonedAfter:
			retired = append(retired, it)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, it := range retired {
		it[retiredAttribute] = number(time.Now().Unix())
		if err := t.all.put(ctx, it); err != nil {
			return err
		}
	}
	for _, it := range old {
		if err := t.drop(ctx, textOf(it, SortKey)); err != nil {
			return err
		}
	}
	return nil
}

// since returns the time that has passed since a Unix time in seconds.
func since(seconds int64) time.Duration { return time.Since(time.Unix(seconds, 0)) }

// drop deletes a generation's items, and its entry in the register last, so an interrupted deletion
// is continued later.
func (t *tenantCatalog) drop(ctx context.Context, generation string) error {
	var deletes []batchWrite
	remove := func(k item) {
		deletes = append(deletes, batchWrite{Delete: &deleteOf{k}})
	}
	err := t.all.eachOf(ctx, generation, "", func(it item) error {
		remove(key(generation, textOf(it, SortKey)))
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.dropLearned(ctx, generation); err != nil {
		return err
	}
	if err := t.all.bulk(ctx, deletes); err != nil {
		return err
	}
	deletes = nil
	remove(key(t.partition(generationsPartition), generation))
	return t.all.bulk(ctx, deletes)
}

// dropLearned deletes the secrets that were learned in a generation. A window that was opened since
// then stays.
func (t *tenantCatalog) dropLearned(ctx context.Context, generation string) error {
	partition := t.partition(learnedPartition)
	return t.all.eachOf(ctx, partition, "", func(it item) error {
		if textOf(it, generationAttribute) != generation {
			return nil
		}
		_, err := t.all.do(ctx, deleteItem, request{
			Key:       key(partition, textOf(it, SortKey)),
			Condition: "generation = :generation",
			Values:    item{":generation": text(generation)},
		})
		if conditionFailed(err) {
			return nil
		}
		return err
	})
}

// write writes next as a generation. It first writes the entry in the register, so no items are
// ever left that nobody knows of.
func (t *tenantCatalog) write(
	ctx context.Context, p pointer, generation string, begun time.Time, next catalog.Catalog,
) error {
	items, err := t.items(ctx, generation, next)
	if err != nil {
		return err
	}
	if err := t.register(ctx, p); err != nil {
		return err
	}
	if err := t.all.put(ctx, t.entry(generation, begun)); err != nil {
		return err
	}
	puts := make([]batchWrite, len(items))
	for i, it := range items {
		puts[i].Put = &putOf{it}
	}
	return t.all.bulk(ctx, puts)
}

// entry returns a generation's entry in the register.
func (t *tenantCatalog) entry(generation string, begun time.Time) item {
	it := key(t.partition(generationsPartition), generation)
	it[createdAttribute] = number(begun.Unix())
	return it
}

// register adds a tenant to the list of tenants before its first catalog is written.
func (t *tenantCatalog) register(ctx context.Context, p pointer) error {
	if t.tenant == "" || p.generation != "" {
		return nil
	}
	return t.enlist(ctx)
}

// enlist adds the tenant to the list of tenants.
func (t *tenantCatalog) enlist(ctx context.Context) error {
	shard := catalog.ShardOf(t.tenant, catalog.TenantShards)
	_, err := t.all.do(ctx, updateItem, request{
		Key:    key(tenantsPartition, shardSort(tenantsSort, shard)),
		Update: "ADD #names :tenant",
		Names:  map[string]string{"#names": namesAttribute},
		Values: item{
			":tenant": {SS: []string{t.tenant}},
		},
	})
	return err
}

// move points to a generation, if the catalog's revision is still the one before.
func (t *tenantCatalog) move(ctx context.Context, from, to pointer) error {
	condition, values := from.unchanged()
	_, err := t.all.do(ctx, putItem, request{
		Item: to.item(t.tenant), Condition: condition, Values: values,
	})
	if conditionFailed(err) {
		now, lookErr := t.pointer(ctx)
		if lookErr != nil {
			return lookErr
		}
		if now.generation == to.generation { // the first try succeeded, but its answer was lost
			return nil
		}
		return fmt.Errorf(
			"dynamo: the catalog now has revision %d, not %d: %w", now.current(), from.current(),
			catalog.ErrConflict,
		)
	}
	if err != nil {
		return fmt.Errorf("dynamo: catalog: %w", err)
	}
	return nil
}

// bulk executes writes in any order.
func (c *Catalog) bulk(ctx context.Context, writes []batchWrite) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(batchesAtATime)
	for batch := range slices.Chunk(writes, batchWrites) {
		g.Go(func() error { return c.writeBatch(ctx, batch) })
	}
	return g.Wait()
}
