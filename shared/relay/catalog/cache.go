package catalog

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// DefaultCacheTTL is how long a function uses the catalog that it knows. Then it asks for the
// current generation. So a change of the catalog is in force everywhere after that time.
const DefaultCacheTTL = 30 * time.Second

const (
	// staleLimit is how long a cache entry stays in use while the catalog cannot be read. Webhooks
	// are accepted through an outage, and a withdrawn secret does not stay valid for ever. Stores
	// keep a generation for longer, see Generations.
	staleLimit = time.Hour
	// staleRetry is the wait after a failed read: there is no new try at each event.
	staleRetry = time.Second
	// loadTimeout ends a load. A load is shared by all who wait for it, so it must not end with the
	// context of the first one.
	loadTimeout = 5 * time.Second
	// maxCacheBytes limits the memory of a cache, by the sizes that its entries report: about
	// 10,000 endpoints. The least recently used entries are dropped first.
	maxCacheBytes = 32 << 20
)

// Cached is a cache entry.
type Cached interface {
	// Bytes returns the approximate memory of the entry.
	Bytes() int
	// Lasting tells whether the entry is valid as long as nothing has changed that it is made of. If
	// not, it is read again after the TTL.
	Lasting() bool
}

// Key names a cache entry.
type Key struct {
	Tenant string // whose catalog it is in; "": the operator's
	Name   string // the plain name in that catalog
}

// KeyOf returns the key of a qualified name.
func KeyOf(qualified string) Key {
	tenant, name := SplitName(qualified)
	return Key{Tenant: tenant, Name: name}
}

func (k Key) String() string { return Qualify(k.Tenant, k.Name) }

// CacheConfig configures a Cache.
type CacheConfig[V Cached] struct {
	States *States // of the catalogs; several caches may share it
	// Load makes the entry of a key in a state of its tenant's catalog.
	Load func(ctx context.Context, s State, k Key) (V, error)
	// Depends returns what an entry is made of, as in Change.Names.
	Depends func(name string) []string
	// Names lists the names in a shard of a tenant's catalog: see ShardOf. nil: Load finds every
	// name.
	Names func(ctx context.Context, g Generation, tenant string, shard int) ([]string, error)
}

// Cache caches what Load makes of the entries of catalogs. It reads nothing twice that has not
// changed: one read of a tenant's State in each TTL serves all of its entries. Names that do not
// exist cost no read each: after one was not found, all names of its shard are read. It is safe for
// concurrent use.
type Cache[V Cached] struct {
	cfg     CacheConfig[V]
	flights singleflight.Group

	mu      sync.Mutex
	entries map[Key]*list.Element // the values are *cacheEntry[V]
	recent  *list.List            // most recently used first
	used    int                   // bytes
	known   map[shardKey]nameSet
}

type cacheEntry[V any] struct {
	key       Key
	value     V
	of        Generation
	revision  int64     // the latest in which nothing had changed that it is made of
	confirmed time.Time // when it was last known to be current
	expiry    time.Time // if it is not lasting: when to read it again
	retry     time.Time // a new read failed: it stays in use until then
}

// shardKey names a shard of a tenant's names.
type shardKey struct {
	tenant string
	shard  int
}

// nameSet holds the names of a shard in a state.
type nameSet struct {
	of       Generation
	revision int64
	names    map[string]struct{}
}

// maxNameSets limits how many shards of names are kept.
const maxNameSets = 4096

// NewCache returns an empty cache. It calls nothing yet.
func NewCache[V Cached](cfg CacheConfig[V]) *Cache[V] {
	return &Cache[V]{
		cfg: cfg, entries: map[Key]*list.Element{}, recent: list.New(),
		known: map[shardKey]nameSet{},
	}
}

// Get returns the entry in the current state. Error: ErrNotFound.
func (c *Cache[V]) Get(ctx context.Context, k Key) (V, error) {
	var none V
	s, read, err := c.cfg.States.get(ctx, k.Tenant)
	if err != nil {
		return none, err
	}
	e, found := c.find(k, s, read)
	if found && c.isFresh(e, s) {
		return e.value, nil
	}
	if c.isAbsent(k, s) {
		return none, fmt.Errorf("%s: %w", k, ErrNotFound)
	}
	flight := fmt.Sprintf("%s %d %s", s.Generation, s.Revision, k)
	loaded := c.flights.DoChan(flight, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return c.load(ctx, s, k)
	})
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case r := <-loaded:
		if r.Err != nil && !errors.Is(r.Err, ErrNotFound) && found &&
			c.now().Sub(e.confirmed) < staleLimit {
			return e.value, nil
		}
		v, _ := r.Val.(V)
		return v, r.Err
	}
}

// Current reads an entry as it is now and ignores the cached one. Use it for final decisions.
func (c *Cache[V]) Current(ctx context.Context, k Key) (V, error) {
	s, err := c.cfg.States.read(ctx, k.Tenant)
	if err != nil {
		var none V
		return none, err
	}
	return c.load(ctx, s, k)
}

// Forget makes the next Get ask for the current state, and read the entry again if it is not
// lasting.
func (c *Cache[V]) Forget(k Key) {
	c.cfg.States.expire(k.Tenant)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, found := c.entries[k]; found {
		c.entryAt(at).expiry, c.entryAt(at).retry = time.Time{}, time.Time{}
	}
}

func (c *Cache[V]) now() time.Time { return c.cfg.States.cfg.Now() }

func (c *Cache[V]) load(ctx context.Context, s State, k Key) (V, error) {
	v, err := c.cfg.Load(ctx, s, k)
	c.keep(ctx, k, s, v, err)
	return v, err
}

// find returns the cached entry of a key and marks it as used. The state was read at a time.
func (c *Cache[V]) find(k Key, s State, read time.Time) (cacheEntry[V], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := c.entries[k]
	if !found {
		return cacheEntry[V]{}, false
	}
	c.recent.MoveToFront(at)
	e := c.entryAt(at)
	if c.isUnchanged(*e, s) {
		e.revision = max(e.revision, s.Revision)
		if e.value.Lasting() && read.After(e.confirmed) {
			e.confirmed = read
		}
	}
	return *e, true
}

func (c *Cache[V]) entryAt(at *list.Element) *cacheEntry[V] {
	return at.Value.(*cacheEntry[V]) //nolint:forcetypeassert // the list has no others
}

func (c *Cache[V]) isUnchanged(e cacheEntry[V], s State) bool {
	return e.of == s.Generation && !s.ChangedSince(e.revision, c.cfg.Depends(e.key.Name))
}

func (c *Cache[V]) isFresh(e cacheEntry[V], s State) bool {
	now := c.now()
	return c.isUnchanged(e, s) && (e.value.Lasting() || now.Before(e.expiry)) ||
		now.Before(e.retry)
}

// isAbsent tells whether the state is known not to have the name.
func (c *Cache[V]) isAbsent(k Key, s State) bool {
	if c.cfg.Names == nil {
		return false
	}
	if s.Generation == "" {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, found := c.known[shardKey{k.Tenant, ShardOf(k.Name, NameShards)}]
	if !found || known.of != s.Generation ||
		s.ChangedSince(known.revision, c.cfg.Depends(k.Name)) {
		return false
	}
	_, there := known.names[k.Name]
	return !there
}

// keep caches what was loaded. After a failed load, a known entry is not tried again for
// staleRetry.
func (c *Cache[V]) keep(ctx context.Context, k Key, s State, v V, err error) {
	if errors.Is(err, ErrNotFound) {
		c.readNames(ctx, k, s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	at, found := c.entries[k]
	switch {
	case err == nil:
		if found {
			c.remove(at)
		}
		e := &cacheEntry[V]{
			key: k, value: v, of: s.Generation, revision: s.Revision, confirmed: now,
			expiry: now.Add(c.cfg.States.cfg.TTL),
		}
		c.entries[k] = c.recent.PushFront(e)
		c.used += v.Bytes()
		for c.used > maxCacheBytes && c.recent.Len() > 1 {
			c.remove(c.recent.Back())
		}
	case errors.Is(err, ErrNotFound) && found:
		c.remove(at)
	case found && now.Sub(c.entryAt(at).confirmed) < staleLimit:
		c.entryAt(at).retry = now.Add(staleRetry)
	}
}

func (c *Cache[V]) remove(at *list.Element) {
	e := c.entryAt(at)
	c.recent.Remove(at)
	delete(c.entries, e.key)
	c.used -= e.value.Bytes()
}

// readNames reads all names of the shard of a name. After a failure, the next unknown name tries
// again.
func (c *Cache[V]) readNames(ctx context.Context, k Key, s State) {
	if c.cfg.Names == nil || s.Generation == "" {
		return
	}
	shard := ShardOf(k.Name, NameShards)
	names, err := c.cfg.Names(ctx, s.Generation, k.Tenant, shard)
	if err != nil {
		return
	}
	known := nameSet{of: s.Generation, revision: s.Revision, names: setOf(names)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxNameSets {
		clear(c.known)
	}
	c.known[shardKey{k.Tenant, shard}] = known
}

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}

// Renewed is one value that is read again when it is older than ttl. While reads fail, the last
// value stays in use for limit (zero: for ever), and the next try comes after retry. It is safe for
// concurrent use.
type Renewed[T any] struct {
	load    func(context.Context) (T, error)
	ttl     time.Duration
	retry   time.Duration
	limit   time.Duration
	now     func() time.Time
	flights singleflight.Group

	mu     sync.Mutex
	value  T
	read   time.Time // when the read of value began; zero: there is no value
	expiry time.Time
}

// NewRenewed returns a value that the first Get reads with load.
func NewRenewed[T any](
	load func(context.Context) (T, error), ttl, limit time.Duration, now func() time.Time,
) *Renewed[T] {
	return &Renewed[T]{load: load, ttl: ttl, retry: staleRetry, limit: limit, now: now}
}

// Assume sets the value that is used until one can be read.
func (r *Renewed[T]) Assume(v T) { r.value, r.read = v, time.Unix(0, 0) }

// Get returns the value. It returns the error of a read if none has succeeded for too long.
func (r *Renewed[T]) Get(ctx context.Context) (T, error) {
	if value, fresh := r.fresh(); fresh {
		return value, nil
	}
	loaded := r.flights.DoChan("", func() (any, error) {
		if value, fresh := r.fresh(); fresh { // a read has just ended
			return value, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		began := r.now()
		v, err := r.load(ctx)
		return r.keep(v, began, err)
	})
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case l := <-loaded:
		v, _ := l.Val.(T)
		return v, l.Err
	}
}

func (r *Renewed[T]) fresh() (value T, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.now().Before(r.expiry)
}

// reload reads the value now, whatever is known.
func (r *Renewed[T]) reload(ctx context.Context) (T, error) {
	r.expire()
	began := r.now()
	v, err := r.load(ctx)
	if err == nil {
		_, _ = r.keep(v, began, nil)
	}
	return v, err
}

// keep stores the value of a read that began at a time, unless a newer one is stored. It returns
// the value to use.
func (r *Renewed[T]) keep(v T, began time.Time, err error) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	switch {
	case err == nil && !began.Before(r.read):
		r.value, r.read, r.expiry = v, began, began.Add(r.ttl)
	case err == nil:
	case r.read.IsZero() || r.limit > 0 && now.Sub(r.read) >= r.limit:
		return v, err
	default:
		r.expiry = now.Add(r.retry)
	}
	return r.value, nil
}

// expire makes the next Get read the value again, even if a read is in flight.
func (r *Renewed[T]) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expiry = time.Time{}
	r.flights.Forget("")
}

// readAt returns when the value was last read.
func (r *Renewed[T]) readAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}
