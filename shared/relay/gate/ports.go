package gate

import (
	"context"
	"time"

	"webhook-relay/shared/relay/gate/breaker"
)

// EndpointStates keeps what is known of endpoints in trouble, for all instances together.
type EndpointStates interface {
	// EndpointState returns an endpoint's state as the last write left it, and its revision; the zero state of revision 0 where none was
	// ever written.
	EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error)
	// SaveEndpointState writes a state, which then has revision prior+1, if the stored one has revision prior; else ErrConflict.
	SaveEndpointState(ctx context.Context, endpoint string, s breaker.State, prior int64) error
	// TroubledEndpoints lists, in no particular order, the endpoints whose state is not breaker.State.Well. One whose state was written less than a
	// second ago may be missing, or still be there.
	TroubledEndpoints(ctx context.Context) ([]string, error)
}

// Quotas keeps lines of time, of which all instances together reserve one piece after the other.
type Quotas interface {
	// Reserve reserves the next piece of a line, as long as d, and returns where it begins: where the last one ends, but not before earliest.
	// If that would be after latest, nothing is reserved, and false returned with where it would have begun. Times are kept in whole
	// microseconds. A line may be forgotten an hour after its end.
	Reserve(ctx context.Context, line string, d time.Duration, earliest, latest time.Time) (time.Time, bool, error)
}

// Slots are places that what all instances do at once has to share: each has one holder at a time.
type Slots interface {
	// ClaimSlot gives an endpoint's slot to a holder until a time, if nobody holds it, or somebody whose time is over, or the holder itself: it
	// says which.
	ClaimSlot(ctx context.Context, endpoint string, number int, holder string, until time.Time) (bool, error)
	// ReleaseSlot makes a slot free if the holder still has it. If not, that is no error.
	ReleaseSlot(ctx context.Context, endpoint string, number int, holder string) error
}
