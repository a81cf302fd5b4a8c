package operate

import (
	"context"
	"time"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// EventOutcome is what has become of an event: where it was routed to, and where its deliveries stand.
type EventOutcome struct {
	EventID    string
	Endpoints  []string         // as EventRecord has them
	Deliveries []DeliveryStatus // those on record, in no particular order
}

// DeliveryStatus is where a delivery stands.
type DeliveryStatus struct {
	Endpoint string
	Status   relay.Status
	NextAt   time.Time // of a waiting one: when its next attempt is due
}

// Outcomes tells what has become of many events, for as little as the store can: a look may be a second or so behind the
// last write.
type Outcomes interface {
	// Outcomes calls each for every event that a source sent in the hour that t lies in, from a page on, and returns the page
	// to go on from, "" at the end. It makes one call at a time. An error ends the page: each may have been called for some of
	// its events. A page holds at most about a thousand events, and is closed early if they have many endpoints.
	Outcomes(ctx context.Context, source string, t time.Time, from relay.Page, each func(EventOutcome)) (relay.Page, error)
}

// SweepCursor is how far the Sweeper has got. It has looked at everything before it: by the hour in which events were
// accepted, then by source, then by page.
type SweepCursor struct {
	Hour   time.Time  // UTC, whole hours
	Source string     // the last that was begun; "": none
	Page   relay.Page // where to go on with its events; "": it is done
}

// SweepCursors keeps the Sweeper's cursor.
type SweepCursors interface {
	// SweepCursor returns the cursor that was saved last, the zero cursor if none was.
	SweepCursor(ctx context.Context) (SweepCursor, error)
	// SaveSweepCursor replaces the cursor.
	SaveSweepCursor(ctx context.Context, c SweepCursor) error
}

// cursorDoc is a cursor's JSON form.
type cursorDoc struct {
	Version int        `json:"v"`
	Hour    time.Time  `json:"hour"`
	Source  string     `json:"source,omitempty"`
	Page    relay.Page `json:"page,omitempty"`
}

// EncodeSweepCursor returns c in the form that ledgers keep.
func EncodeSweepCursor(c SweepCursor) []byte {
	return format.Encode(cursorDoc{Version: format.Version, Hour: c.Hour, Source: c.Source, Page: c.Page})
}

// DecodeSweepCursor reads what EncodeSweepCursor wrote; ErrFormat.
func DecodeSweepCursor(b []byte) (SweepCursor, error) {
	var d cursorDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return SweepCursor{}, err
	}
	return SweepCursor{Hour: d.Hour.UTC(), Source: d.Source, Page: d.Page}, nil
}
