package memory

import (
	"context"
	"fmt"
	"sync"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// States keeps the states of endpoints that have failed.
type States struct {
	mu     sync.Mutex
	states map[string]stateOf
}

type stateOf struct {
	breaker.State
	revision int64
}

// EndpointState returns an endpoint's state and its revision.
func (s *States) EndpointState(_ context.Context, endpoint string) (breaker.State, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.states[endpoint]
	return found.State, found.revision, nil
}

// SaveEndpointState writes a state if the stored one has revision prior.
func (s *States) SaveEndpointState(
	_ context.Context, endpoint string, state breaker.State, prior int64,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.states[endpoint].revision != prior {
		return fmt.Errorf(
			"state of endpoint %s does not have revision %d: %w", endpoint, prior,
			catalog.ErrConflict,
		)
	}
	if s.states == nil {
		s.states = map[string]stateOf{}
	}
	s.states[endpoint] = stateOf{State: state, revision: prior + 1}
	return nil
}

// TroubledEndpoints lists the endpoints whose state is not well.
func (s *States) TroubledEndpoints(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var troubled []string
	for endpoint, state := range s.states {
		if !state.Well() {
			troubled = append(troubled, endpoint)
		}
	}
	return troubled, nil
}
