package operate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

// Selection decides which recorded events or deliveries are wanted: those of a job, of a search.
// The zero Selection takes everything. Names are those that the tenant uses.
type Selection struct {
	Tenant  string
	Sources []string      // none: all
	Types   []string      // patterns, as in a subscription; none: all
	Where   *route.Filter // nil: every event
}

// selector is a Selection that is ready for use.
type selector struct {
	Selection
	types   *relay.Pattern
	where   *relay.Pattern // nil: the record need not be read
	records EventReader
}

func newSelector(s Selection, records EventReader, bodies relay.Bodies) *selector {
	sel := &selector{
		Selection: s, types: relay.NewPattern(route.Rule{Types: s.Types}, nil), records: records,
	}
	if s.Where != nil {
		sel.where = relay.NewPattern(route.Rule{Filter: s.Where}, bodies)
	}
	return sel
}

// takesKey tells whether a source and a type are wanted. source is qualified.
func (s *selector) takesKey(ctx context.Context, source, eventType string) bool {
	if len(s.Sources) > 0 && !slices.Contains(s.Sources, ownName(s.Tenant, source)) {
		return false
	}
	takes, _ := s.types.Matches(ctx, relay.Event{Type: eventType}) // it needs no body
	return takes
}

// takes tells whether the event itself is wanted. It reads its record only if it must. record is
// nil then. An event that is no longer on record is not wanted.
func (s *selector) takes(ctx context.Context, id string) (bool, error) {
	if s.where == nil {
		return true, nil
	}
	r, err := s.records.EventRecord(ctx, id)
	if err == nil {
		return s.takesRecord(ctx, r)
	}
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	return false, err
}

// takesRecord tells whether a recorded event is wanted, whose key is.
func (s *selector) takesRecord(ctx context.Context, r relay.EventRecord) (bool, error) {
	if s.where == nil {
		return true, nil
	}
	e := r.Event
	e.Source = ownName(s.Tenant, e.Source)
	takes, err := s.where.Matches(ctx, e)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil // its body has expired
	}
	return takes, err
}

// keep returns the items that are wanted, in their order. It asks for several at a time.
func keep[T any](
	ctx context.Context, items []T, wanted func(context.Context, T) (bool, error),
) ([]T, error) {
	ok := make([]bool, len(items))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sweepCalls)
	for i, item := range items {
		g.Go(func() (err error) {
			ok[i], err = wanted(ctx, item)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var kept []T
	for i, item := range items {
		if ok[i] {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// qualified returns the relay's name of a tenant's source or endpoint.
func qualified(tenant, name string) string {
	if tenant == "" {
		return name
	}
	return tenant + "/" + name
}

// ownName returns the name that a tenant uses for a source or endpoint.
func ownName(tenant, name string) string {
	if tenant == "" {
		return name
	}
	return strings.TrimPrefix(name, tenant+"/")
}

// earliest returns the earlier of two times; zero is no time.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
