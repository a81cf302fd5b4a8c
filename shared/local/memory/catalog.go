package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// Catalog is a catalog.
type Catalog struct {
	mu       sync.Mutex
	catalog  catalog.Catalog
	revision int64
	windows  map[string]time.Time // the end of each source's window for a handshake
}

// LoadCatalog returns the catalog.
func (c *Catalog) LoadCatalog(context.Context) (catalog.Catalog, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.catalog, c.revision, nil
}

// ReplaceCatalog replaces the catalog.
func (c *Catalog) ReplaceCatalog(_ context.Context, next catalog.Catalog, base int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if base != c.revision {
		return fmt.Errorf(
			"catalog is at revision %d, not %d: %w", c.revision, base, catalog.ErrConflict,
		)
	}
	slices.SortFunc(next.Sources, func(a, b catalog.Source) int {
		return cmp.Compare(a.Name, b.Name)
	})
	slices.SortFunc(next.Endpoints, func(a, b catalog.Endpoint) int {
		return cmp.Compare(a.Name, b.Name)
	})
	slices.SortStableFunc(next.Subscriptions, func(a, b catalog.Subscription) int {
		return cmp.Compare(a.Source, b.Source)
	})
	c.catalog, c.revision = next, base+1
	return nil
}

// Generation returns the catalog's revision.
func (c *Catalog) Generation(context.Context) (catalog.Generation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return catalog.Generation(strconv.FormatInt(c.revision, 10)), nil
}

// SourceNames lists the names of the current sources.
func (c *Catalog) SourceNames(ctx context.Context, _ catalog.Generation) ([]string, error) {
	sources, _, err := c.Names(ctx)
	return sources, err
}

// EndpointNames lists the names of the current endpoints.
func (c *Catalog) EndpointNames(ctx context.Context, _ catalog.Generation) ([]string, error) {
	_, endpoints, err := c.Names(ctx)
	return endpoints, err
}

// Names lists the catalog's names.
func (c *Catalog) Names(context.Context) (sources, endpoints []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.catalog.Sources {
		sources = append(sources, s.Name)
	}
	for _, e := range c.catalog.Endpoints {
		endpoints = append(endpoints, e.Name)
	}
	return sources, endpoints, nil
}

// Source returns a source of the current catalog.
func (c *Catalog) Source(
	_ context.Context, _ catalog.Generation, name string,
) (catalog.Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := find(c.catalog.Sources, "source", name, func(s catalog.Source) string {
		return s.Name
	})
	if s.Learns() && len(s.Secrets) == 0 {
		s.LearnUntil = c.windows[name]
	}
	return s, err
}

// OpenLearning opens a window for a handshake that brings a secret.
func (c *Catalog) OpenLearning(_ context.Context, source string, until time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := find(c.catalog.Sources, "source", source, func(s catalog.Source) string {
		return s.Name
	})
	if err != nil {
		return err
	}
	if len(s.Secrets) > 0 {
		return fmt.Errorf("source %s has a secret: %w", source, catalog.ErrConflict)
	}
	if c.windows == nil {
		c.windows = map[string]time.Time{}
	}
	c.windows[source] = until.Truncate(time.Millisecond)
	return nil
}

// LearnSecret gives a secret to a source that has none, while its window is open. That makes a new
// revision.
func (c *Catalog) LearnSecret(_ context.Context, source, secret string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := find(c.catalog.Sources, "source", source, func(s catalog.Source) string {
		return s.Name
	})
	if err != nil {
		return err
	}
	if slices.Equal(s.Secrets, []string{secret}) {
		return nil
	}
	if len(s.Secrets) > 0 {
		return fmt.Errorf("source %s has a secret: %w", source, catalog.ErrConflict)
	}
	if !time.Now().Before(c.windows[source]) {
		return fmt.Errorf("source %s: %w", source, catalog.ErrNotOpen)
	}
	delete(c.windows, source)
	// a catalog that was loaded before must not change
	c.catalog.Sources = slices.Clone(c.catalog.Sources)
	i := slices.IndexFunc(c.catalog.Sources, func(s catalog.Source) bool {
		return s.Name == source
	})
	c.catalog.Sources[i].Secrets = []string{secret}
	c.revision++
	return nil
}

// Endpoint returns an endpoint of the current catalog.
func (c *Catalog) Endpoint(
	_ context.Context, _ catalog.Generation, name string,
) (catalog.Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return find(c.catalog.Endpoints, "endpoint", name, func(e catalog.Endpoint) string {
		return e.Name
	})
}

// Subscriptions returns the subscriptions of a source of the current catalog.
func (c *Catalog) Subscriptions(
	_ context.Context, _ catalog.Generation, source string,
) ([]catalog.Subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(
		c.catalog.Subscriptions,
	), func(s catalog.Subscription) bool {
		return s.Source != source
	}), nil
}

func find[T any](in []T, kind, name string, nameOf func(T) string) (T, error) {
	if i := slices.IndexFunc(in, func(v T) bool { return nameOf(v) == name }); i >= 0 {
		return in[i], nil
	}
	var none T
	return none, fmt.Errorf("%s %s: %w", kind, name, catalog.ErrNotFound)
}
