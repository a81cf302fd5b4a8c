package catalog

import (
	"cmp"
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
	// Lasting tells whether the entry is valid as long as its generation is current. If not, it is
	// read again after the TTL.
	Lasting() bool
}

// Cache caches what load makes of the catalog's entries. As long as the generation stays the same,
// it reads nothing twice: one read of the generation in each TTL serves all entries. After a name
// was not found, it reads all names of the generation, so that no other unknown name costs a read.
// It is safe for concurrent use.
type Cache[V Cached] struct {
	generation *Renewed[Generation]
	load       func(ctx context.Context, g Generation, name string) (V, error)
	names      func(ctx context.Context, g Generation) ([]string, error)
	ttl        time.Duration
	now        func() time.Time
	flights    singleflight.Group

	mu      sync.Mutex
	entries map[string]*list.Element // the values are *cacheEntry[V]
	recent  *list.List               // most recently used first
	used    int                      // bytes
	known   nameSet
}

type cacheEntry[V any] struct {
	name      string
	value     V
	of        Generation
	confirmed time.Time // when it was last known to be current
	expiry    time.Time // if it is not lasting: when to read it again
	retry     time.Time // a new read failed: it stays in use until then
}

// nameSet holds the names of a generation.
type nameSet struct {
	of    Generation
	names map[string]struct{} // nil: not read yet
}

// NewCache returns a cache of what load makes of a name's entry in the catalog. names lists all
// existing names; nil if load finds every name. A zero ttl means DefaultCacheTTL.
func NewCache[V Cached](ttl time.Duration, now func() time.Time, generations Generations,
	load func(
		context.Context, Generation, string,
	) (V, error), names func(context.Context, Generation) ([]string, error),
) *Cache[V] {
	ttl = cmp.Or(ttl, DefaultCacheTTL)
	return &Cache[V]{
		generation: NewRenewed(generations.Generation, ttl, staleLimit, now),
		load:       load, names: names, ttl: ttl, now: now, entries: map[string]*list.Element{},
		recent: list.New(),
	}
}

// Get returns the entry in the current generation. Error: ErrNotFound.
func (c *Cache[V]) Get(ctx context.Context, name string) (V, error) {
	var none V
	g, err := c.generation.Get(ctx)
	if err != nil {
		return none, err
	}
	e, found := c.find(name, g)
	if found && c.isFresh(e, g) {
		return e.value, nil
	}
	if c.isAbsent(name, g) {
		return none, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	loaded := c.flights.DoChan(string(g)+" "+name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		v, err := c.load(ctx, g, name)
		c.keep(ctx, name, g, v, err)
		return v, err
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
func (c *Cache[V]) Current(ctx context.Context, name string) (V, error) {
	c.generation.expire()
	g, err := c.generation.load(ctx)
	if err != nil {
		var none V
		return none, err
	}
	v, err := c.load(ctx, g, name)
	c.keep(ctx, name, g, v, err)
	return v, err
}

// Forget makes the next Get ask for the current generation, and read the entry again if it is not
// lasting.
func (c *Cache[V]) Forget(name string) {
	c.generation.expire()
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, found := c.entries[name]; found {
		c.entryAt(at).expiry, c.entryAt(at).retry = time.Time{}, time.Time{}
	}
}

// find returns the cached entry of a name and marks it as used.
func (c *Cache[V]) find(name string, g Generation) (cacheEntry[V], bool) {
	confirmed := c.generation.readAt()
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := c.entries[name]
	if !found {
		return cacheEntry[V]{}, false
	}
	c.recent.MoveToFront(at)
	e := c.entryAt(at)
	if e.of == g && e.value.Lasting() && confirmed.After(e.confirmed) {
		e.confirmed = confirmed
	}
	return *e, true
}

func (c *Cache[V]) entryAt(at *list.Element) *cacheEntry[V] {
	return at.Value.(*cacheEntry[V]) //nolint:forcetypeassert // the list has no others
}

func (c *Cache[V]) isFresh(e cacheEntry[V], g Generation) bool {
	now := c.now()
	return e.of == g && (e.value.Lasting() || now.Before(e.expiry)) || now.Before(e.retry)
}

// isAbsent tells whether the generation is known not to have the name.
func (c *Cache[V]) isAbsent(name string, g Generation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known.names == nil || c.known.of != g {
		return false
	}
	_, there := c.known.names[name]
	return !there
}

// keep caches what was loaded. After a failed load, a known entry is not tried again for
// staleRetry.
func (c *Cache[V]) keep(ctx context.Context, name string, g Generation, v V, err error) {
	if errors.Is(err, ErrNotFound) {
		c.readNames(ctx, g)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	at, found := c.entries[name]
	switch {
	case err == nil:
		if found {
			c.remove(at)
		}
		e := &cacheEntry[V]{name: name, value: v, of: g, confirmed: now, expiry: now.Add(c.ttl)}
		c.entries[name] = c.recent.PushFront(e)
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
	delete(c.entries, e.name)
	c.used -= e.value.Bytes()
}

// readNames reads all names of a generation. After a failure, the next unknown name tries again.
func (c *Cache[V]) readNames(ctx context.Context, g Generation) {
	if c.names == nil {
		return
	}
	names, err := c.names(ctx, g)
	if err != nil {
		return
	}
	known := nameSet{of: g, names: make(map[string]struct{}, len(names))}
	for _, name := range names {
		known.names[name] = struct{}{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = known
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
	r.mu.Lock()
	value, fresh := r.value, r.now().Before(r.expiry)
	r.mu.Unlock()
	if fresh {
		return value, nil
	}
	loaded := r.flights.DoChan("", func() (any, error) {
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
