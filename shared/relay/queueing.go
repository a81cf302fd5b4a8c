package relay

import (
	"context"
	"errors"
	"strconv"
	"time"

	"webhook-relay/shared/relay/gate"
)

// queueing is what differs between messages of ordered and of other queues. The queue decides,
// whatever the catalog says of the endpoint by now.
type queueing interface {
	keepsOrder() bool
	// countedAs returns the message under whose id failures are counted.
	countedAs(s *step) Message
	// inVain returns how many receives of the message had no effect.
	inVain(s *step) int
	// mark notes the message's receive count in a record that is about to be saved. Up to then its
	// receives had an effect.
	mark(s *step, d *Delivery)
	// sendAt makes the message come back at a time, with the task t. resent tells that it may have
	// been sent before.
	sendAt(ctx context.Context, s *step, t task, at time.Time, resent bool) (Action, error)
	// unrecorded handles an attempt that was made and could not be recorded. cause is the error.
	unrecorded(ctx context.Context, s *step, a attemptResult, cause error) (Action, error)
	// slow handles a delivery to a slow endpoint: it sends the message to the slow queue, or it
	// lowers the limits in ep.
	slow(ctx context.Context, s *step, ep *gate.Limits) (sent bool, err error)
}

func queueOf(m Message) queueing {
	if m.Group != "" {
		return ordered{}
	}
	return unordered{}
}

// unordered is any other queue. Each attempt has a message of its own.
type unordered struct{}

func (unordered) keepsOrder() bool { return false }

func (unordered) countedAs(s *step) Message { return s.msg }

func (unordered) inVain(s *step) int { return s.msg.Receives }

func (unordered) mark(*step, *Delivery) {}

// sendAt sends the task with the queue's delay. If that is too short it uses the scheduler, and if
// the scheduler refuses, hops of MaxDelay.
func (unordered) sendAt(
	ctx context.Context, s *step, t task, at time.Time, resent bool,
) (Action, error) {
	wait := max(at.Sub(s.cfg.Now()), 0)
	out := Outgoing{Group: t.Endpoint, Resent: resent}
	if wait <= MaxDelay {
		t.NotBefore = time.Time{}
		out.Body, out.Delay = t.encode(s.raw()), wait
		return Action{}, Send(ctx, s.cfg.Retry, out)
	}
	first := t.NotBefore.IsZero() // not a hop yet
	t.NotBefore = at
	out.Body = t.encode(s.raw())
	if err := s.cfg.Scheduler.Schedule(ctx, scheduleName(s.event.ID, t, at), at, out); err == nil {
		return Action{}, nil
	}
	if first {
		// Perhaps only the scheduler's answer was lost. Then its message comes first, and its
		// attempt is recorded before this one is due.
		t.NotBefore = at.Add(scheduleSettle)
	}
	out.Body, out.Delay, out.Resent = t.encode(s.raw()), MaxDelay, true
	return Action{}, Send(ctx, s.cfg.Retry, out)
}

// unrecorded sends the attempt in a message, so that it is recorded later and not made twice.
func (unordered) unrecorded(
	ctx context.Context, s *step, a attemptResult, cause error,
) (Action, error) {
	t := s.task
	t.Cycle = false
	t.Made = &madeAttempt{
		MessageID: s.origin(), Attempt: toAttemptDoc(a.attempt), Final: a.final,
		RetryAfterMs: a.retryAfter.Milliseconds(), Disable: a.disable,
	}
	err := Send(
		ctx, s.cfg.Retry,
		Outgoing{Body: t.encode(s.raw()), Group: t.Endpoint, Delay: recordDelay, Resent: true},
	)
	if err != nil {
		return Action{}, errors.Join(cause, err)
	}
	s.report.Attempt, s.report.Err = a.attempt, cause
	return Action{}, nil
}

// slow sends the message to the slow queue. A message that was received before may have been sent
// there before. So its copy is delayed until the first one's attempt is recorded.
func (unordered) slow(ctx context.Context, s *step, _ *gate.Limits) (sent bool, err error) {
	t := s.task
	t.Slow, t.NotBefore = true, time.Time{}
	out := Outgoing{Body: t.encode(s.raw()), Group: t.Endpoint, Resent: s.msg.Resent}
	if s.msg.Receives > 1 {
		out.Delay, out.Resent = settleTime, true
	}
	return true, Send(ctx, s.cfg.Slow, out)
}

// ordered is an ordered queue. One message, at the head of its group, stands for all attempts of a
// cycle.
type ordered struct{}

func (ordered) keepsOrder() bool { return true }

// countedAs makes the count begin anew with each attempt.
func (ordered) countedAs(s *step) Message {
	m := s.msg
	m.ID += "-" + strconv.Itoa(s.record.Attempts)
	return m
}

// inVain counts the receives since the record's last change. It leaves out those that only split a
// long wait into several holds.
func (ordered) inVain(s *step) int {
	n := s.msg.Receives
	if d := s.record; d.MessageID == s.msg.ID {
		n -= d.Receives + int(max(d.NextAt.Sub(d.UpdatedAt), 0)/MaxHold)
	}
	return n
}

func (ordered) mark(s *step, d *Delivery) { d.MessageID, d.Receives = s.origin(), s.msg.Receives }

// sendAt holds the message at the head of its group until a time, or for MaxHold. After MaxHold it
// is received and held again.
func (ordered) sendAt(_ context.Context, s *step, _ task, at time.Time, _ bool) (Action, error) {
	return Action{Retry: true, After: min(max(at.Sub(s.cfg.Now()), 0), MaxHold)}, nil
}

// unrecorded makes the queue hand out the message again, so the attempt is made again. A new
// message with the attempt would come after the others of its group.
func (ordered) unrecorded(
	_ context.Context, _ *step, _ attemptResult, cause error,
) (Action, error) {
	return Action{}, cause
}

// slow limits the endpoint's concurrency, because the message cannot leave its queue.
func (ordered) slow(_ context.Context, _ *step, ep *gate.Limits) (sent bool, err error) {
	if ep.Concurrency == 0 || ep.Concurrency > slowOrdered {
		ep.Concurrency = slowOrdered
	}
	return false, nil
}
