package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/retry"
)

// recordMade records the attempt that the message carries. It also disables the endpoint if that
// failed at the time of the attempt.
func (s *step) recordMade(ctx context.Context, ep *target) (Action, error) {
	a := s.task.Made.made()
	if a.disable != "" {
		change, err := s.gate.Tell(ctx, s.task.Endpoint, a.verdict(false))
		if err != nil {
			return Action{}, err
		}
		s.changed(ctx, change)
	}
	return s.save(ctx, a, ep)
}

// readRecord reads the delivery's record. It skips the read, which costs one call for each
// delivery, for a first attempt that is received for the first time: such a delivery has no record,
// unless a copy of the message was handled before. A copy is marked as resent, but this message may
// be the unmarked one and still arrive second, since the queue is not ordered. So the read is not
// skipped for a message so late that the fan-out or the sweeper may have sent it again.
func (s *step) readRecord(ctx context.Context, afterCopy bool) error {
	late := s.cfg.Now().Sub(s.event.ReceivedAt) >= failureWaits[0]
	if !afterCopy && !late && s.task.Attempt == 1 && s.msg.Receives <= 1 && !s.msg.Resent &&
		s.task.Made == nil {
		return nil
	}
	var err error
	s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.DeliveryTo(s.task.Endpoint))
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	return err
}

// save records the attempt and does what follows it.
func (s *step) save(ctx context.Context, a made, ep *target) (Action, error) {
	next, err := s.next(ctx, a, ep)
	if err != nil {
		return s.queue.unrecorded(ctx, s, a, err)
	}
	err = s.cfg.Deliveries.SaveDelivery(ctx, next, s.record.Attempts)
	if errors.Is(err, catalog.ErrConflict) {
		return s.finishRecorded(ctx)
	}
	if err != nil {
		return s.queue.unrecorded(ctx, s, a, err)
	}
	s.record = next
	s.report.Attempt, s.report.Status = a.Attempt, s.record.Status
	s.report.Age = s.record.UpdatedAt.Sub(s.event.ReceivedAt)
	s.report.Reason = s.record.Reason
	if s.record.Status == Waiting {
		s.report.Wait = s.record.NextAt.Sub(s.record.UpdatedAt)
	}
	return s.finish(ctx)
}

// next returns the delivery's record with the attempt a added. Before a delivery dies, its endpoint
// is read from the catalog again.
func (s *step) next(ctx context.Context, a made, ep *target) (Delivery, error) {
	d := s.after(a, ep)
	if d.Status != Dead || a.Outcome == Skipped {
		return d, nil
	}
	ep, err := s.currentEndpoint(ctx)
	if err != nil {
		return Delivery{}, err
	}
	return s.after(a, ep), nil
}

// changed tells the operator of a change of the endpoint's state. A failure to tell is not
// repeated: the state itself shows the change, and the delivery must not wait. The relay tells
// nothing about deliveries of its own events, so that such events never cause more of them. It
// would not be enough to leave out the endpoint itself: two endpoints that get each other's
// changes, and fail at times, could go on for ever.
func (s *step) changed(ctx context.Context, c *gate.Change) {
	s.report.Change = c
	if s.event.Source != catalog.OwnSource {
		_ = s.cfg.Operator.TellChange(ctx, c)
	}
}

// died tells the operator of the recorded death, and sends the delivery to the dead queue. If
// either fails, both are done again.
func (s *step) died(ctx context.Context, resent bool) error {
	d := s.record
	// as long as it can be replayed
	if err := s.cfg.Keeper.KeepEvent(ctx, d.EventID, d.ExpiresAt); err != nil {
		return err
	}
	if s.event.Source != catalog.OwnSource {
		if err := s.cfg.Operator.TellDead(ctx, d, s.event.Trace); err != nil {
			return err
		}
	}
	again := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1}
	return Send(
		ctx, s.cfg.Dead, Outgoing{Body: again.encode(s.raw()), Group: d.Endpoint, Resent: resent},
	)
}

// blank returns the delivery's record without an attempt.
func (s *step) blank() Delivery {
	d := Delivery{
		EventID: s.event.ID, Endpoint: s.task.Endpoint, ReceivedAt: s.event.ReceivedAt,
		Source: s.event.Source, Type: s.event.Type, MessageID: s.origin(),
	}
	s.queue.mark(s, &d)
	return d
}

// expires returns when a delivery's record may expire: the retention after its last change or its
// next attempt, whichever is later. It is never earlier than the time when the last message of the
// delivery, or a copy of it, has left the queues.
func (s *step) expires(d Delivery) time.Time {
	last := d.UpdatedAt
	if d.NextAt.After(last) {
		last = d.NextAt
	}
	return Expiry(last, max(s.cfg.Retention, MaxQueueTime))
}

// after returns the delivery's record with the attempt a added.
func (s *step) after(a made, ep *target) Delivery {
	d := s.outcome(a, ep)
	d.ExpiresAt = s.expires(d)
	return d
}

// outcome is after without the time at which the record expires.
func (s *step) outcome(a made, ep *target) Delivery {
	d := s.blank()
	d.Attempts, d.UpdatedAt, d.History = s.task.Attempt, wholeMillis(s.cfg.Now()),
		slices.Concat(s.record.History, []Attempt{a.Attempt})
	if extra := len(d.History) - MaxHistory; extra > 0 {
		d.History = d.History[extra:]
	}
	if a.Outcome == Succeeded {
		d.Status = Delivered
		return d
	}
	d.Status, d.Reason = Dead, a.final
	switch {
	case d.Reason != "":
		return d
	case ep == nil:
		d.Reason = EndpointGone
		return d
	case ep.IsFinal(a.StatusCode):
		d.Reason = Declined
		return d
	}
	wait, again := retry.Wait(ep.Schedule, s.task.Step, s.cfg.Random)
	next := d.UpdatedAt.Add(max(
		wait, retry.Jitter(a.retryAfter, s.cfg.Random),
	)).Truncate(time.Millisecond)
	switch {
	case !again, s.event.isPing(): // a ping asks how the endpoint is now
		d.Reason = Exhausted
	case s.tooOld(ep, next):
		d.Reason = Expired
	default:
		d.Status, d.NextAt, d.Step = Waiting, next, s.task.Step+1
	}
	return d
}
