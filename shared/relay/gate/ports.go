package gate

import (
	"context"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// EndpointStates stores the states of endpoints, which all instances share.
type EndpointStates interface {
	// EndpointState returns an endpoint's state as the last write left it, and its revision. If
	// none was ever written it returns the zero state and revision 0.
	EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error)
	// SaveEndpointState writes a state with revision prior+1 if the stored one has revision prior,
	// else it returns ErrConflict.
	SaveEndpointState(ctx context.Context, endpoint string, s breaker.State, prior int64) error
	// TroubledEndpoints lists, in no particular order, the endpoints for which breaker.State.Well
	// is false. The list may be one second late.
	TroubledEndpoints(ctx context.Context) ([]string, error)
}

// Quotas stores lines of time. All instances reserve pieces of a line, one after the other.
type Quotas interface {
	// Reserve reserves the next piece of a line, of length d, and returns its start: the end of the
	// last piece, but not before earliest. If that start would be after latest, it reserves
	// nothing, and returns the start and false. Times are stored in whole microseconds. A line may
	// be forgotten an hour after its end.
	Reserve(
		ctx context.Context, line string, d time.Duration, earliest, latest time.Time,
	) (time.Time, bool, error)
}

// Slots are the slots of semaphores, which all instances share. Each slot has at most one holder at
// a time.
type Slots interface {
	// ClaimSlot gives an endpoint's slot to a holder until a time, and returns whether it did. It
	// does if the slot is free, if the time of its holder has passed, or if holder has it already.
	ClaimSlot(
		ctx context.Context, endpoint string, number int, holder string, until time.Time,
	) (bool, error)
	// ReleaseSlot frees a slot if the holder still has it. Otherwise it does nothing, and that is
	// no error.
	ReleaseSlot(ctx context.Context, endpoint string, number int, holder string) error
}
