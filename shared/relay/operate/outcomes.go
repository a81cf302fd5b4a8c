package operate

import (
	"context"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/schema"
)

// EventOutcome tells where an event was routed, and the status of its deliveries.
type EventOutcome struct {
	EventID    string
	Tenant     string // whose event it is
	Source     string // qualified
	Type       string
	ReceivedAt time.Time        // as in EventRecord
	Schema     schema.Status    // as SchemaResult.Decided returns it
	Endpoints  []string         // as in EventRecord
	Deliveries []DeliveryStatus // the recorded ones, in no particular order
}

// DeliveryStatus is the status of a delivery.
type DeliveryStatus struct {
	Endpoint  string
	Status    relay.Status
	NextAt    time.Time // if it waits: when its next attempt is due
	Attempts  int
	UpdatedAt time.Time // if it is delivered: when
}

// Outcomes tells what became of many events, as cheaply as the store can. The answer may be about
// one second behind the last write.
type Outcomes interface {
	// Outcomes calls each for every event that was accepted in the hour of t, of all tenants and
	// sources, from a page on. It returns the next page, or "" at the end. It makes one call at a
	// time. An error ends the page: each may have been called for some of its events. A page has at
	// most about a thousand events, and fewer if they have many endpoints.
	Outcomes(
		ctx context.Context, t time.Time, from relay.Page, each func(EventOutcome),
	) (relay.Page, error)
}

// SweepCursor is the progress of the Sweeper, which has looked at everything before it. The order
// is: the hour in which events were accepted, then the page.
type SweepCursor struct {
	Hour time.Time  // UTC, whole hours
	Page relay.Page // the next page of its events; "": the first one, or none if Done
	Done bool       // every page of the hour was looked at
	// Endpoint is the one whose overdue deliveries are listed first. The last run had no time for
	// it; "": the first of all.
	Endpoint string
}

// to returns the cursor of the same hour at the page next; "": the hour is done.
func (c SweepCursor) to(next relay.Page) SweepCursor {
	c.Page, c.Done = next, next == ""
	return c
}

// SweepCursors stores the Sweeper's cursor.
type SweepCursors interface {
	// SweepCursor returns the cursor that was saved last, or the zero cursor.
	SweepCursor(ctx context.Context) (SweepCursor, error)
	// SaveSweepCursor replaces the cursor.
	SaveSweepCursor(ctx context.Context, c SweepCursor) error
}

// cursorDoc is the JSON form of a cursor.
type cursorDoc struct {
	Version  int        `json:"v"`
	Hour     time.Time  `json:"hour"`
	Page     relay.Page `json:"page,omitempty"`
	Done     bool       `json:"done,omitempty"`
	Endpoint string     `json:"endpoint,omitempty"`
}

// EncodeSweepCursor returns c in the form that ledgers keep.
func EncodeSweepCursor(c SweepCursor) []byte {
	return format.Encode(c.doc())
}

// DecodeSweepCursor reads what EncodeSweepCursor wrote. Error: ErrFormat.
func DecodeSweepCursor(b []byte) (SweepCursor, error) {
	var d cursorDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return SweepCursor{}, err
	}
	return d.cursor(), nil
}
