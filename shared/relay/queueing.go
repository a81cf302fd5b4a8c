package relay

import (
	"context"
	"errors"
	"strconv"
	"time"

	"webhook-relay/shared/relay/gate"
)

// queueing is what depends on whether a delivery's message came by a queue that keeps order, whatever the catalog says of its endpoint by now.
type queueing interface {
	keepsOrder() bool
	// countedAs is the message as failures are counted of it.
	countedAs(s *step) Message
	// inVain is how often the message was handed out to no effect.
	inVain(s *step) int
	// mark notes in a record that is written how far the message's receives were to some effect.
	mark(s *step, d *Delivery)
	// sendAt sees to it that the message, with a task, comes back at a time. resent: it may have been sent before.
	sendAt(ctx context.Context, s *step, t task, at time.Time, resent bool) (Action, error)
	// unrecorded sees to an attempt that was made and could not be recorded because of an error.
	unrecorded(ctx context.Context, s *step, a made, cause error) (Action, error)
	// slow sees to a delivery for an endpoint that is slow; it is sent to the slow queue, or may be attempted within limits.
	slow(ctx context.Context, s *step, ep *gate.Limits) (sent bool, err error)
}

func queueOf(m Message) queueing {
	if m.Group != "" {
		return ordered{}
	}
	return unordered{}
}

// unordered: each attempt has a message of its own.
type unordered struct{}

func (unordered) keepsOrder() bool { return false }

func (unordered) countedAs(s *step) Message { return s.msg }

func (unordered) inVain(s *step) int { return s.msg.Receives }

func (unordered) mark(*step, *Delivery) {}

// sendAt sends the task by the queue's delay, by the scheduler if that is too short, and in hops of the queue's delay if the scheduler refuses.
func (unordered) sendAt(ctx context.Context, s *step, t task, at time.Time, resent bool) (Action, error) {
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
		t.NotBefore = at.Add(scheduleSettle) // if only the scheduler's answer was lost, its message comes first and is on record by then
	}
	out.Body, out.Delay, out.Resent = t.encode(s.raw()), MaxDelay, true
	return Action{}, Send(ctx, s.cfg.Retry, out)
}

// unrecorded sends the attempt on with its message, so that it is recorded later and not made twice.
func (unordered) unrecorded(ctx context.Context, s *step, a made, cause error) (Action, error) {
	t := s.task
	t.Cycle = false
	t.Made = &madeAttempt{s.origin(), toAttemptDoc(a.Attempt), a.final, a.retryAfter.Milliseconds(), a.disable}
	err := Send(ctx, s.cfg.Retry, Outgoing{Body: t.encode(s.raw()), Group: t.Endpoint, Delay: recordDelay, Resent: true})
	if err != nil {
		return Action{}, errors.Join(cause, err)
	}
	s.report.Attempt, s.report.Err = a.Attempt, cause
	return Action{}, nil
}

// slow sends the message on. If it was handed out before, it may have been sent on before: a copy of it waits until the first one's attempt is on record.
func (unordered) slow(ctx context.Context, s *step, _ *gate.Limits) (sent bool, err error) {
	t := s.task
	t.Lane, t.NotBefore = slowLane, time.Time{}
	out := Outgoing{Body: t.encode(s.raw()), Group: t.Endpoint, Resent: s.msg.Resent}
	if s.msg.Receives > 1 {
		out.Delay, out.Resent = settleTime, true
	}
	return true, Send(ctx, s.cfg.Slow, out)
}

// ordered: one message stands for all attempts of a cycle, at the head of its group.
type ordered struct{}

func (ordered) keepsOrder() bool { return true }

// countedAs has the count begin anew with each attempt.
func (ordered) countedAs(s *step) Message {
	m := s.msg
	m.ID += "-" + strconv.Itoa(s.record.Attempts)
	return m
}

// inVain counts what came after the record's last change, less the times that the message looked in on its wait.
func (ordered) inVain(s *step) int {
	n := s.msg.Receives
	if d := s.record; d.MessageID == s.msg.ID {
		n -= d.Receives + int(max(d.NextAt.Sub(d.UpdatedAt), 0)/MaxHold)
	}
	return n
}

func (ordered) mark(s *step, d *Delivery) { d.MessageID, d.Receives = s.origin(), s.msg.Receives }

// sendAt keeps the message at the head of its group until a time, or for as long as the queue can: then it is looked at again.
func (ordered) sendAt(_ context.Context, s *step, _ task, at time.Time, _ bool) (Action, error) {
	return Action{Retry: true, After: min(max(at.Sub(s.cfg.Now()), 0), MaxHold)}, nil
}

// unrecorded has the attempt made again: nothing can be sent past those behind it.
func (ordered) unrecorded(_ context.Context, _ *step, _ made, cause error) (Action, error) {
	return Action{}, cause
}

// slow limits the endpoint's attempts under way: the message cannot leave its queue.
func (ordered) slow(_ context.Context, _ *step, ep *gate.Limits) (sent bool, err error) {
	if ep.Concurrency == 0 || ep.Concurrency > slowOrdered {
		ep.Concurrency = slowOrdered
	}
	return false, nil
}
