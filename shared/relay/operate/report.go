package operate

import "time"

// SweepReport tells what a run of the Sweeper found. For the events that it looked at, Deliveries =
// Delivered + Dead + Waiting + Missing. NotSent counts the missing ones that were not sent again.
type SweepReport struct {
	Events     int // looked at
	Deliveries int // to which the events were routed
	Delivered  int
	Dead       int
	Waiting    int // an attempt is due later, or was overdue and is due now
	Missing    int // without a record
	NotSent    int // missing and not sent again; normally zero
	// waiting deliveries of all events whose attempt was late by more than the Sweeper allows
	Overdue  int
	PutBack  int  // sent again, missing or overdue; normally zero
	Partial  bool // the run ended early; the next one continues
	Behind   int  // whole hours of events not looked at yet; normally zero
	Duration time.Duration
}

// LateOrMissing returns how many deliveries were late or missing. Normally zero.
func (r SweepReport) LateOrMissing() int { return r.Overdue + r.Missing }

// Unaccounted returns how many deliveries are in none of these counts. It is zero unless the relay
// has a bug or the run failed.
func (r SweepReport) Unaccounted() int {
	return r.Deliveries - r.Delivered - r.Dead - r.Waiting - (r.Missing - r.NotSent)
}
