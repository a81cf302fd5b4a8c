package operate

import "time"

// SweepReport tells what a run of the Sweeper saw. Of the events that it looked at Deliveries = Delivered + Dead + Waiting +
// Missing, and of what is missing nothing is left that was not put back.
type SweepReport struct {
	Events     int // looked at
	Deliveries int // that the events were routed to
	Delivered  int
	Dead       int
	Waiting    int  // for an attempt to come, or one that was overdue and is due now
	Missing    int  // no delivery is on record
	Left       int  // of the missing: not put back; normally zero
	Overdue    int  // waiting deliveries, of all events, whose attempt was more than two hours late
	PutBack    int  // deliveries that were sent again, missing or overdue; normally zero
	Partial    bool // it did not get through; the next run goes on where it stopped
	Behind     int  // whole hours of events that were to be looked at and have not been; normally zero
	Duration   time.Duration
}

// Stranded is how many deliveries were late or missing. Normally zero.
func (r SweepReport) Stranded() int { return r.Overdue + r.Missing }

// Unaccounted is how many deliveries are in none of these places. Always zero, as long as the relay has no bug and the run did not fail.
func (r SweepReport) Unaccounted() int {
	return r.Deliveries - r.Delivered - r.Dead - r.Waiting - (r.Missing - r.Left)
}
