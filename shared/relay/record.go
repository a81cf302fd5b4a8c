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

// recordMade records the attempt that the message carries, and disables the endpoint if that could not be done when it was made.
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

// readRecord reads where the delivery stands. A first attempt that is handed out for the first time has no record, unless a copy of it was in
// hand before: the read, one call for each delivery, is saved. The copy is marked as one, this message may not be, and queues keep no order. So one
// that comes so late that the fan-out, or the sweeper, may have sent it again is looked up.
func (s *step) readRecord(ctx context.Context, afterCopy bool) error {
	late := s.cfg.Now().Sub(s.event.ReceivedAt) >= failureWaits[0]
	if !afterCopy && !late && s.task.Attempt == 1 && s.msg.Receives <= 1 && !s.msg.Resent && s.task.Made == nil {
		return nil
	}
	var err error
	s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.ID, s.task.Endpoint)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	return err
}

// save records the attempt and sees to what follows.
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

// next returns the delivery's record with a added. If it dies, it does so by the catalog as it is now.
func (s *step) next(ctx context.Context, a made, ep *target) (Delivery, error) {
	d := s.after(a, ep)
	if d.Status != Dead || a.Outcome == Removed || a.Outcome == Withheld {
		return d, nil
	}
	ep, err := s.currentEndpoint(ctx)
	if err != nil {
		return Delivery{}, err
	}
	return s.after(a, ep), nil
}

// changed tells of a change of the endpoint's state. If that fails it is not told again: the state itself shows it, and the delivery does not
// wait for it. What becomes of the relay's own events is told to nobody: they never feed on themselves. (Not to tell the endpoint itself would not do:
// two that get each other's changes, and fail at times, could go on for ever.)
func (s *step) changed(ctx context.Context, c *gate.Change) {
	s.report.Change = c
	if s.event.Source != catalog.OwnSource {
		_ = s.cfg.Operator.TellChange(ctx, c)
	}
}

// died tells of the death that is on record, and sends the delivery to where the dead lie. Both are done again if either fails.
func (s *step) died(ctx context.Context, resent bool) error {
	d := s.record
	if err := s.cfg.Keeper.KeepEvent(ctx, d.EventID, d.ExpiresAt); err != nil { // as long as it can be sent again
		return err
	}
	if s.event.Source != catalog.OwnSource {
		if err := s.cfg.Operator.TellDead(ctx, d, s.event.Trace); err != nil {
			return err
		}
	}
	again := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1}
	return Send(ctx, s.cfg.Dead, Outgoing{Body: again.encode(s.raw()), Group: d.Endpoint, Resent: resent})
}

// blank is the delivery's record without an attempt.
func (s *step) blank() Delivery {
	d := Delivery{EventID: s.event.ID, Endpoint: s.task.Endpoint, Source: s.event.Source, Type: s.event.Type, MessageID: s.origin()}
	s.queue.mark(s, &d)
	return d
}

// expires is when a delivery's record may be forgotten: the retention after its last change or its next attempt, and not before
// a message of it, or a copy of one, can no longer lie in a queue.
func (s *step) expires(d Delivery) time.Time {
	last := d.UpdatedAt
	if d.NextAt.After(last) {
		last = d.NextAt
	}
	return Expiry(last, max(s.cfg.Retention, MaxQueueTime))
}

// after returns the delivery's record with a added.
func (s *step) after(a made, ep *target) Delivery {
	d := s.outcome(a, ep)
	d.ExpiresAt = s.expires(d)
	return d
}

// outcome is after but for when the record expires.
func (s *step) outcome(a made, ep *target) Delivery {
	d := s.blank()
	d.Attempts, d.UpdatedAt, d.History = s.task.Attempt, wholeMillis(s.cfg.Now()), slices.Concat(s.record.History, []Attempt{a.Attempt})
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
		d.Reason = EndpointDeclined
		return d
	}
	wait, again := retry.Wait(ep.Schedule, s.task.Step, s.cfg.Random)
	next := d.UpdatedAt.Add(max(wait, retry.Jitter(a.retryAfter, s.cfg.Random))).Truncate(time.Millisecond)
	switch {
	case !again:
		d.Reason = Exhausted
	case s.tooOld(ep, next):
		d.Reason = Expired
	default:
		d.Status, d.NextAt, d.Step = Waiting, next, s.task.Step+1
	}
	return d
}
