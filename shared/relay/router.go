package relay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

// routes are the subscriptions to one source in one tenant's catalog, ready for matching.
type routes struct {
	table     *route.Table
	endpoints []string                 // endpoints[i] is the endpoint of the table's rule i
	orders    map[string]catalog.Order // of the ordered endpoints
	keyed     bool                     // at least one of these orders has a key
	size      int                      // the approximate memory, in bytes
}

func (r routes) Bytes() int  { return r.size }
func (routes) Lasting() bool { return true }

// newRoutes returns a cache of the routes of sources, by the catalog of the subscriptions and the
// source's name in it.
func newRoutes(
	states *catalog.States, subscriptions catalog.Subscriptions,
) *catalog.Cache[routes] {
	return catalog.NewCache(catalog.CacheConfig[routes]{
		States: states,
		Load: func(ctx context.Context, s catalog.State, k catalog.Key) (routes, error) {
			return loadRoutes(ctx, subscriptions, s, k)
		},
		Depends: catalog.RoutesChanges,
	})
}

// Router matches events with the current subscriptions. It caches them, and is safe for concurrent
// use.
type Router struct {
	bodies Bodies
	routes *catalog.Cache[routes]
	large  chan struct{} // held while a large body's document is in memory
}

// NewRouter returns a Router. It calls nothing yet. bodies stores the bodies that are not inline;
// nil: there are none. ttl is how old its copy of the catalog may be; zero:
// catalog.DefaultCacheTTL. now returns the current time.
func NewRouter(
	subscriptions catalog.Subscriptions, bodies Bodies, ttl time.Duration, now func() time.Time,
) *Router {
	return newRouter(catalog.NewStates(catalog.StatesConfig{
		TTL: ttl, Now: now, Generations: subscriptions,
	}), subscriptions, bodies)
}

// newRouter is NewRouter for states that others use too.
func newRouter(
	states *catalog.States, subscriptions catalog.Subscriptions, bodies Bodies,
) *Router {
	return &Router{
		bodies: bodies, routes: newRoutes(states, subscriptions), large: make(chan struct{}, 1),
	}
}

// Wants tells whether any subscription may take an event with an inline body. A filter that cannot
// be decided counts as yes.
func (r *Router) Wants(ctx context.Context, e Event) (bool, error) {
	for _, k := range e.catalogKeys() {
		rs, err := r.routes.Get(ctx, k)
		if err != nil {
			return false, err
		}
		result := rs.table.Match(filtered(e, k, document.Document{Text: e.Body}))
		if len(result.Rules)+len(result.Undecided) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// routeBytes is the memory of a subscription beside its text. textFactor is the memory of its
// compiled form, in multiples of its text.
const (
	routeBytes = 256
	textFactor = 8
)

// sight is the result of matching an event with the subscriptions of its source.
type sight struct {
	wanted    []string          // endpoints that take it, each once, in the catalog's order
	undecided []string          // endpoints whose filters could not be decided
	groups    map[string]string // the event's message group at each ordered endpoint of the source
}

// look matches an event with the subscriptions to its source: the operator's, then those of its
// tenant. It reads the event's document once, and only if a subscription needs it.
func (r *Router) look(ctx context.Context, e Event) (sight, error) {
	keys, all, needed := e.catalogKeys(), []routes{}, false
	for _, k := range keys {
		rs, err := r.routes.Get(ctx, k)
		if err != nil {
			return sight{}, err
		}
		all, needed = append(all, rs), needed || rs.keyed || rs.table.NeedsBody(e.Type)
	}
	doc, done, err := r.document(ctx, e, needed)
	if err != nil {
		return sight{}, err
	}
	defer done()
	seen, s := map[string]bool{}, sight{groups: map[string]string{}}
	for i, rs := range all {
		result := rs.table.Match(filtered(e, keys[i], doc))
		s.wanted = append(s.wanted, rs.names(result.Rules, seen)...)
		s.undecided = append(s.undecided, rs.names(result.Undecided, seen)...)
		for name, o := range rs.orders {
			s.groups[name] = group(o, name, doc)
		}
	}
	return s, nil
}

// Wanting returns the endpoints to which the current subscriptions send an event, and those whose
// filters cannot be decided for it.
func (r *Router) Wanting(ctx context.Context, e Event) (endpoints, undecided []string, err error) {
	seen, err := r.look(ctx, e)
	return seen.wanted, seen.undecided, err
}

// filtered returns an event as the filters of a catalog see it.
func filtered(e Event, k catalog.Key, doc document.Document) route.Event {
	return route.Event{
		Type: e.Type, Source: k.Name, Trust: string(e.Trust), Schema: e.Schema.status(),
		Header: e.Header, Data: doc.Text, Opaque: doc.Opaque,
	}
}

// document reads the document of e if it is needed. A large body is fetched for that. Only one of
// them is in use at a time, until done is called: its parsed form may take many times its size, and
// a function does not have the memory for a batch of those.
func (r *Router) document(
	ctx context.Context, e Event, needed bool,
) (doc document.Document, done func(), err error) {
	switch {
	case !needed:
		return document.Document{}, func() {}, nil
	case e.BodyRef == nil:
		body, err := e.Content(ctx, r.bodies)
		return e.document(body), func() {}, err
	}
	select {
	case r.large <- struct{}{}:
	case <-ctx.Done():
		return document.Document{}, nil, ctx.Err()
	}
	body, err := e.Content(ctx, r.bodies)
	if err != nil {
		<-r.large
		return document.Document{}, nil, err
	}
	return e.document(body), func() { <-r.large }, nil
}

// names returns the endpoints of rules that are not yet in seen, each once.
func (r routes) names(rules []int, seen map[string]bool) []string {
	names := make([]string, 0, len(rules))
	for _, i := range rules {
		if name := r.endpoints[i]; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

func loadRoutes(
	ctx context.Context, subscriptions catalog.Subscriptions, s catalog.State, k catalog.Key,
) (routes, error) {
	subs, err := catalog.SubscriptionsTo(ctx, subscriptions, s, k.Tenant, k.Name)
	if err != nil {
		return routes{}, err
	}
	rules := make([]route.Rule, len(subs))
	endpoints := make([]string, len(subs))
	orders, keyed := map[string]catalog.Order{}, false
	size := routeBytes
	for i, s := range subs {
		rules[i], endpoints[i] = route.Rule{Types: s.Types}, s.Endpoint
		size += routeBytes + textFactor*(len(s.Filter)+len(strings.Join(s.Types, "")))
		if s.Order.On {
			orders[s.Endpoint] = s.Order
			keyed = keyed || s.Order.Key != ""
		}
		if s.Filter == "" {
			continue
		}
		if rules[i].Filter, err = route.ParseFilter([]byte(s.Filter)); err != nil {
			return routes{}, fmt.Errorf("subscription of %s to %s: %w", k, s.Endpoint, err)
		}
	}
	return routes{
		table: route.New(rules), endpoints: endpoints, orders: orders, keyed: keyed, size: size,
	}, nil
}
