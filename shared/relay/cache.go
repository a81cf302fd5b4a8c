package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// DefaultCacheTTL is how long a function uses a catalog entry before it reads it again: a change of the catalog is in
// force everywhere after that time.
const DefaultCacheTTL = 30 * time.Second

const (
	// While the catalog cannot be read, an entry once read stays in use for this long: webhooks go on being accepted through an
	// outage, and a secret that was withdrawn does not live for ever.
	staleLimit = time.Hour
	// An entry that could not be renewed is tried again after this long, not at each event.
	staleRetry = time.Second
	// Names that do not exist are remembered too (a probe costs no read each), up to this many entries in all.
	maxCacheEntries = 10_000
	// A load is shared by all who wait for it, so it ends by its own clock and not with the first one's context.
	loadTimeout = 5 * time.Second
)

// cache keeps what load returned, by key, for ttl. ErrNotFound is kept as well.
type cache[V any] struct {
	load    func(ctx context.Context, key string) (V, error)
	ttl     time.Duration
	now     func() time.Time
	flights singleflight.Group

	mu      sync.Mutex
	entries map[string]cacheEntry[V]
}

type cacheEntry[V any] struct {
	value  V
	err    error     // nil or ErrNotFound
	read   time.Time // when it was read
	expiry time.Time // when it is to be read again
}

func newCache[V any](ttl time.Duration, now func() time.Time, load func(context.Context, string) (V, error)) *cache[V] {
	return &cache[V]{load: load, ttl: orDefault(ttl, DefaultCacheTTL), now: now, entries: map[string]cacheEntry[V]{}}
}

func (c *cache[V]) get(ctx context.Context, key string) (V, error) {
	c.mu.Lock()
	e, known := c.entries[key]
	c.mu.Unlock()
	if known && c.now().Before(e.expiry) {
		return e.value, e.err
	}
	loaded := c.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		v, err := c.load(ctx, key)
		return v, c.keep(key, v, err)
	})
	select {
	case <-ctx.Done():
		return e.value, ctx.Err()
	case r := <-loaded:
		if r.Err != nil && !errors.Is(r.Err, ErrNotFound) && known && c.now().Sub(e.read) < staleLimit {
			return e.value, e.err
		}
		v, _ := r.Val.(V)
		return v, r.Err
	}
}

// current reads key now, whatever is kept of it.
func (c *cache[V]) current(ctx context.Context, key string) (V, error) {
	v, err := c.load(Current(ctx), key)
	return v, c.keep(key, v, err)
}

// forget makes the next get read key again.
func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}

// keep stores what was loaded. A failed load stores nothing, but puts off the next try for a known key.
func (c *cache[V]) keep(key string, v V, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if err == nil || errors.Is(err, ErrNotFound) {
		if len(c.entries) >= maxCacheEntries {
			clear(c.entries)
		}
		c.entries[key] = cacheEntry[V]{v, err, now, now.Add(c.ttl)}
	} else if e, known := c.entries[key]; known && now.Sub(e.read) < staleLimit {
		e.expiry = now.Add(staleRetry)
		c.entries[key] = e
	}
	return err
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
