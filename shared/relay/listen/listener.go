package listen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

const (
	// MaxListeners is how many listeners there can be at once, of all tenants together.
	MaxListeners = 20
	// DefaultTTL is how long a listener lasts after it was last renewed.
	DefaultTTL = 8 * time.Hour
	// MinTTL is the shortest such time.
	MinTTL = time.Minute
	// MaxTTL is the longest such time.
	MaxTTL = 24 * time.Hour
	// KeptFor is how long a listener that has ended keeps its events.
	KeptFor = 24 * time.Hour
	// Refresh is how often an instance reads the list while somebody may be listening.
	Refresh = 5 * time.Second
	// MaxSources is how many sources, and how many types, a listener can name.
	MaxSources = 100
	// MaxWhereBytes is the largest filter.
	MaxWhereBytes = 8 << 10

	idPrefix = "lis_"
)

// Errors of listeners.
var (
	// ErrListener means that a listener asks for something that it cannot have.
	ErrListener = errors.New("listen: not a listener")
	// ErrTooMany means that there are MaxListeners.
	ErrTooMany = fmt.Errorf("listen: there are %d listeners, and there can be no more", MaxListeners)
)

// Listener is somebody who gets copies of events. It is stored: do not change its JSON names.
type Listener struct {
	ID      string   `json:"id"`                // lis_ and 16 characters
	Tenant  string   `json:"tenant,omitempty"`  // whose events; "": the operator's
	Sources []string `json:"sources,omitempty"` // names that the tenant uses; none: all
	Types   []string `json:"types,omitempty"`   // patterns, as in a subscription; none: all
	Where   string   `json:"where,omitempty"`   // a filter, as in a subscription; "": all
	By      string   `json:"by,omitempty"`      // who listens, for people
	// TTL is how long it lasts after it was last renewed, in whole seconds.
	TTL       time.Duration `json:"ttl"` // nanoseconds
	CreatedAt time.Time     `json:"createdAt"`
	ExpiresAt time.Time     `json:"expiresAt"`
}

// check returns ErrListener if the listener cannot be.
func (l Listener) check() error {
	if l.TTL < MinTTL || l.TTL > MaxTTL || l.TTL%time.Second != 0 {
		return fmt.Errorf("%w: a time of %v, want %v to %v in whole seconds", ErrListener, l.TTL,
			MinTTL, MaxTTL)
	}
	if len(l.Sources) > MaxSources || len(l.Types) > MaxSources || len(l.Where) > MaxWhereBytes {
		return fmt.Errorf(
			"%w: %d sources, %d types and a filter of %d bytes; at most %d, %[5]d and %d", ErrListener,
			len(l.Sources), len(l.Types), len(l.Where), MaxSources, MaxWhereBytes,
		)
	}
	_, err := l.pattern(nil)
	return err
}

// pattern returns what matches the listener's types and filter.
func (l Listener) pattern(bodies relay.Bodies) (*relay.Pattern, error) {
	for _, p := range l.Types {
		if err := route.Validate(p); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrListener, err)
		}
	}
	rule := route.Rule{Types: l.Types}
	if l.Where != "" {
		var err error
		if rule.Filter, err = route.ParseFilter([]byte(l.Where)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrListener, err)
		}
	}
	return relay.NewPattern(rule, bodies), nil
}

// concerns tells whether an event belongs to the listener's tenant and sources. The operator gets
// the events of its own sources, whomever they belong to. It gets those of a tenant's source if it
// names that: acme/shop.
func (l Listener) concerns(e relay.Event) bool {
	tenant, plain := catalog.SplitName(e.Source)
	name := e.Source
	if l.Tenant != "" {
		if e.Tenant != l.Tenant {
			return false
		}
		name = plain
	} else if tenant != "" && len(l.Sources) == 0 {
		return false
	}
	return len(l.Sources) == 0 || slices.Contains(l.Sources, name)
}

// wanted is a listener that is ready for matching.
type wanted struct {
	Listener
	pattern *relay.Pattern
}

// takes tells whether the listener wants an event. A filter that cannot be decided says no.
func (w wanted) takes(ctx context.Context, e relay.Event) bool {
	if !w.concerns(e) {
		return false
	}
	takes, err := w.pattern.Matches(ctx, e)
	return err == nil && takes
}

// Active tells whether the listener still gets events.
func (l Listener) Active(now time.Time) bool { return now.Before(l.ExpiresAt) }
