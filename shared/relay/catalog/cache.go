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

// DefaultCacheTTL is how long a function takes the catalog to be the one that it knows. Then it asks for the generation in force: a change of the
// catalog is in force everywhere after that time.
const DefaultCacheTTL = 30 * time.Second

const (
	// While the catalog cannot be read, an entry once read stays in use for this long: webhooks go on being accepted through an
	// outage, and a secret that was withdrawn does not live for ever. Stores keep a generation for longer, see Generations.
	staleLimit = time.Hour
	// What could not be renewed is tried again after this long, not at each event.
	staleRetry = time.Second
	// A load is shared by all who wait for it, so it ends by its own clock and not with the first one's context.
	loadTimeout = 5 * time.Second
	// maxCacheBytes bounds the memory of a cache, as far as its entries can tell theirs: some 10,000 endpoints. The least recently used go first.
	maxCacheBytes = 32 << 20
)

// Cached is what a cache keeps.
type Cached interface {
	// bytes is about how much memory it takes.
	Bytes() int
	// lasting tells whether it is good for as long as its generation is in force. If not, it is read again after the TTL.
	Lasting() bool
}

// Cache keeps what load made of the catalog's entries. As long as the generation in force is the same, it reads nothing twice: one look at the
// generation in each TTL serves all entries. Once a name was not found, all names of the generation are read, so that no other unknown name
// costs a read. It is safe for concurrent use.
type Cache[V Cached] struct {
	generation *Renewed[Generation]
	load       func(ctx context.Context, g Generation, name string) (V, error)
	names      func(ctx context.Context, g Generation) ([]string, error)
	ttl        time.Duration
	now        func() time.Time
	flights    singleflight.Group

	mu      sync.Mutex
	entries map[string]*list.Element // their values are *cacheEntry[V]
	recent  *list.List               // the most recently used first
	used    int                      // bytes
	known   nameSet
}

type cacheEntry[V any] struct {
	name      string
	value     V
	of        Generation
	confirmed time.Time // when it was last known to be in force
	expiry    time.Time // of one that is not lasting: when it is to be read again
	retry     time.Time // it could not be read again: it stays in use until then
}

// nameSet is the names of a generation.
type nameSet struct {
	of    Generation
	names map[string]struct{} // nil: they were not read
}

// NewCache returns a cache of what load makes of a name's entry in the catalog. names lists all names that there are; nil if load knows every name.
// Zero ttl: DefaultCacheTTL.
func NewCache[V Cached](ttl time.Duration, now func() time.Time, generations Generations,
	load func(context.Context, Generation, string) (V, error), names func(context.Context, Generation) ([]string, error),
) *Cache[V] {
	ttl = cmp.Or(ttl, DefaultCacheTTL)
	return &Cache[V]{
		generation: NewRenewed(generations.Generation, ttl, staleLimit, now),
		load:       load, names: names, ttl: ttl, now: now, entries: map[string]*list.Element{}, recent: list.New(),
	}
}

// Get returns an entry of the generation in force; ErrNotFound.
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
		if r.Err != nil && !errors.Is(r.Err, ErrNotFound) && found && c.now().Sub(e.confirmed) < staleLimit {
			return e.value, nil
		}
		v, _ := r.Val.(V)
		return v, r.Err
	}
}

// Current reads an entry as it is now, whatever is kept of it. It is for decisions that are final.
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

// Forget makes the next get ask for the generation in force, and read an entry that is not lasting again.
func (c *Cache[V]) Forget(name string) {
	c.generation.expire()
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, found := c.entries[name]; found {
		c.entryAt(at).expiry, c.entryAt(at).retry = time.Time{}, time.Time{}
	}
}

// find returns the entry of a name, which is in use now.
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

// isAbsent tells whether the generation is known not to have a name.
func (c *Cache[V]) isAbsent(name string, g Generation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known.names == nil || c.known.of != g {
		return false
	}
	_, there := c.known.names[name]
	return !there
}

// keep stores what was loaded. A failed load puts off the next try for a known entry.
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

// readNames reads all names of a generation. If that fails, the next unknown name tries again.
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

// Renewed is one value that is read again once it is older than ttl. While that fails, the last one stays in use for limit, zero: for ever, and the
// next try is put off by retry. It is safe for concurrent use.
type Renewed[T any] struct {
	load    func(context.Context) (T, error)
	ttl     time.Duration
	retry   time.Duration
	limit   time.Duration
	now     func() time.Time
	flights singleflight.Group

	mu     sync.Mutex
	value  T
	read   time.Time // when the read that brought it began; zero: there is none
	expiry time.Time
}

// NewRenewed returns a value that load reads, at the first call of get.
func NewRenewed[T any](load func(context.Context) (T, error), ttl, limit time.Duration, now func() time.Time) *Renewed[T] {
	return &Renewed[T]{load: load, ttl: ttl, retry: staleRetry, limit: limit, now: now}
}

// Assume sets the value that is in use until it can be read.
func (r *Renewed[T]) Assume(v T) { r.value, r.read = v, time.Unix(0, 0) }

// Get returns the value. The error is that of a read, where none has succeeded for too long.
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

// keep stores what a read brought that began at a time, unless another has brought something newer, and returns what is in use.
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

// expire makes the next get read the value again, also where a read is under way.
func (r *Renewed[T]) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expiry = time.Time{}
	r.flights.Forget("")
}

// readAt is when the value was last read.
func (r *Renewed[T]) readAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}
