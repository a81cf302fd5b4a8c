package catalog

import (
	"cmp"
	"container/list"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// State is the state of a tenant's catalog at a moment. The zero State is that of a tenant without
// a catalog.
type State struct {
	Generation Generation
	// Revision grows by one with each change of the generation by an Edit.
	Revision int64
	// Changes are the latest changes of the generation, the last at the end: at most MaxChanges.
	// They have all revisions from that of the first on.
	Changes []Change
	Ordered bool // at least one endpoint is ordered: see Subscriptions.OrderedEndpoints
	// Listening is part of the operator's state only.
	Listening Listening
	// Rates are part of the states of tenants only.
	Rates Rates
}

// MaxChanges is how many changes a State has.
const MaxChanges = 50

// Change is what an Edit changed. It is stored: do not change its JSON names.
type Change struct {
	Revision int64    `json:"r"`
	Names    []string `json:"n"` // see SourceChange and its like
}

// The names of changes.
const ordersChange = "orders" // which endpoints are ordered, and by what

// SourceChange is the name of a change of a source.
func SourceChange(name string) string { return "source/" + name }

// EndpointChange is the name of a change of an endpoint.
func EndpointChange(name string) string { return "endpoint/" + name }

// routesChange is the name of a change of the subscriptions to a source.
func routesChange(source string) string { return "routes/" + source }

// RoutesChanges are the names of the changes that concern the subscriptions to a source.
func RoutesChanges(source string) []string { return []string{routesChange(source), ordersChange} }

// Changes returns the names of what the edit changes of a resource; nil: it did not exist.
func (e Edit) Changes(before *Resource) []string {
	kind, name := e.Subject()
	switch kind { //nolint:exhaustive // a subscription is what follows
	case KindSource:
		return []string{SourceChange(name)}
	case KindEndpoint:
		names := []string{EndpointChange(name)}
		if e.orderBefore(before) != e.orderAfter() {
			names = append(names, ordersChange)
		}
		return names
	}
	var names []string
	if before != nil {
		names = append(names, routesChange(before.Subscription.Source))
	}
	if e.Put != nil {
		names = append(names, routesChange(e.Put.Subscription.Source))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// orderBefore and orderAfter are the orders of the endpoint that is changed.

func (Edit) orderBefore(before *Resource) Order {
	if before == nil {
		return Order{}
	}
	return before.Endpoint.Order
}

func (e Edit) orderAfter() Order {
	if e.Put == nil {
		return Order{}
	}
	return e.Put.Endpoint.Order
}

// After returns the state after a change of these names, which has the next revision.
func (s State) After(names []string) State {
	s.Revision++
	s.Changes = append(slices.Clone(s.Changes), Change{Revision: s.Revision, Names: names})
	if extra := len(s.Changes) - MaxChanges; extra > 0 {
		s.Changes = s.Changes[extra:]
	}
	return s
}

// ChangedSince tells whether one of these names may have changed since a revision of the same
// generation.
func (s State) ChangedSince(revision int64, names []string) bool {
	if revision >= s.Revision {
		return false // what was read is as new as this state
	}
	if len(s.Changes) == 0 || s.Changes[0].Revision > revision+1 {
		return true // the changes in between are forgotten
	}
	for _, c := range s.Changes {
		if c.Revision > revision && slices.ContainsFunc(c.Names, func(name string) bool {
			return slices.Contains(names, name)
		}) {
			return true
		}
	}
	return false
}

// The numbers of shards.
const (
	NameShards   = 32  // of the names of a catalog's sources, and of its endpoints
	TenantShards = 256 // of the names of all tenants
)

// ShardOf returns the shard of a name, of so many.
func ShardOf(name string, shards int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))           // never fails
	return int(h.Sum32() % uint32(shards)) //nolint:gosec // some hundred
}

// maxStates limits how many tenants' states a cache keeps. The least recently used are dropped
// first.
const maxStates = 2000

// StatesConfig configures States.
type StatesConfig struct {
	TTL         time.Duration // zero: DefaultCacheTTL
	Now         func() time.Time
	Generations Generations
	// Tenants lists the tenants in a shard that have a catalog: see ShardOf. nil: any tenant's
	// catalog is looked for. It is for callers whose tenants' names come from strangers.
	Tenants func(ctx context.Context, shard int) ([]string, error)
}

// States caches the states of tenants' catalogs, for one or more Caches. It is safe for concurrent
// use.
type States struct {
	cfg     StatesConfig
	tenants [TenantShards]*Renewed[map[string]struct{}] // nil: any tenant is looked for

	mu     sync.Mutex
	of     map[string]*list.Element // the values are *tenantState
	recent *list.List               // most recently used first
}

type tenantState struct {
	tenant string
	*Renewed[State]
}

// NewStates returns an empty cache. It calls nothing yet.
func NewStates(cfg StatesConfig) *States {
	cfg.TTL = cmp.Or(cfg.TTL, DefaultCacheTTL)
	s := &States{cfg: cfg, of: map[string]*list.Element{}, recent: list.New()}
	for shard := range s.tenants {
		if cfg.Tenants == nil {
			break
		}
		s.tenants[shard] = NewRenewed(func(ctx context.Context) (map[string]struct{}, error) {
			names, err := cfg.Tenants(ctx, shard)
			return setOf(names), err
		}, cfg.TTL, staleLimit, cfg.Now)
	}
	return s
}

// get returns the state of a tenant's catalog, and when it was read. Error: ErrNotFound if the
// tenant is not among the listed ones.
func (s *States) get(ctx context.Context, tenant string) (State, time.Time, error) {
	known := s.find(tenant)
	if known == nil {
		if err := s.check(ctx, tenant); err != nil {
			return State{}, time.Time{}, err
		}
		known = s.add(tenant)
	}
	state, err := known.Get(ctx)
	return state, known.readAt(), err
}

// check returns ErrNotFound if the tenants are listed and there is no such tenant.
func (s *States) check(ctx context.Context, tenant string) error {
	listed := s.tenants[ShardOf(tenant, TenantShards)]
	if tenant == "" || listed == nil {
		return nil
	}
	names, err := listed.Get(ctx)
	if err != nil {
		return err
	}
	if _, there := names[tenant]; !there {
		return fmt.Errorf("tenant %s: %w", tenant, ErrNotFound)
	}
	return nil
}

// read reads the state of a tenant's catalog now.
func (s *States) read(ctx context.Context, tenant string) (State, error) {
	return s.add(tenant).reload(ctx)
}

// expire makes the next get read the state again.
func (s *States) expire(tenant string) {
	if known := s.find(tenant); known != nil {
		known.expire()
	}
}

// find returns what is known of a tenant, or nil.
func (s *States) find(tenant string) *Renewed[State] {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := s.of[tenant]
	if !found {
		return nil
	}
	s.recent.MoveToFront(at)
	return s.at(at).Renewed
}

// add is find that makes room for a tenant that is not known yet.
func (s *States) add(tenant string) *Renewed[State] {
	if known := s.find(tenant); known != nil {
		return known
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := s.of[tenant]; found {
		return s.at(at).Renewed
	}
	for len(s.of) >= maxStates {
		last := s.recent.Back()
		delete(s.of, s.at(last).tenant)
		s.recent.Remove(last)
	}
	renewed := NewRenewed(func(ctx context.Context) (State, error) {
		return s.cfg.Generations.State(ctx, tenant)
	}, s.cfg.TTL, staleLimit, s.cfg.Now)
	s.of[tenant] = s.recent.PushFront(&tenantState{tenant: tenant, Renewed: renewed})
	return renewed
}

func (s *States) at(e *list.Element) *tenantState {
	return e.Value.(*tenantState) //nolint:forcetypeassert // the list has no others
}
