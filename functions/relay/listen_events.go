package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
)

const (
	// atOnce is how many events are forwarded at the same time.
	atOnce = 10
	// hideMargin is how much longer than an answer may take a message stays hidden.
	hideMargin = 10 * time.Second
	// pausedLook is how often a listener that is paused looks whether it goes on.
	pausedLook = 100 * time.Millisecond
	// silence is how long the queue may not answer before the person is told.
	silence = 30 * time.Second
	// listenRetry is the pause after a call that failed.
	listenRetry = 2 * time.Second
	// rememberFor is longer than a queue keeps an event.
	rememberFor = 48 * time.Hour
	rememberMax = 10_000
)

// heard is an event that was received.
type heard struct {
	relay.Event
	result

	At       time.Time // of the last attempt
	Again    string    // see listen.Copy
	Content  []byte    // the body
	Attempts int
	Done     bool // it was forwarded or shown, and is deleted
	Failed   bool // the last attempt failed
	busy     bool // it is being forwarded
}

// heardEvents are the events of a run.
type heardEvents struct {
	mu    sync.Mutex
	heard map[string]*heard // by event and Again
	done  int
	gone  bool // the listener is removed

	paused atomic.Bool // nothing is taken from the queue
}

func (e *heardEvents) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}

// take notes that an event is being forwarded. It returns what is known of it; nil: another is
// forwarding it at this moment. repeat tells that it was forwarded before.
func (e *heardEvents) take(c listen.Copy) (h *heard, repeat bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := c.Event.ID + c.Again
	h = e.heard[key]
	switch {
	case h == nil:
		e.forget()
		h = &heard{Event: c.Event, Again: c.Again}
		e.heard[key] = h
	case h.busy:
		return nil, false
	case h.Done:
		return h, true
	}
	h.busy = true
	return h, false
}

// forget drops what is too old to come again.
func (e *heardEvents) forget() {
	if len(e.heard)%rememberMax == rememberMax-1 {
		maps.DeleteFunc(e.heard, func(_ string, h *heard) bool {
			return h.Done && time.Since(h.At) > rememberFor
		})
	}
}

// conclude notes how an attempt ended, and returns a copy for the view.
func (e *heardEvents) conclude(h *heard, content []byte, r result, done bool) heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	h.result, h.At, h.Content, h.busy = r, time.Now(), content, false
	h.Attempts++
	if h.Done, h.Failed = done, !done; done {
		e.done++
	}
	return *h
}

// listen receives events and forwards them, until ctx ends or the listener is gone.
func (l *listening) listen(ctx context.Context) error {
	free := semaphore.NewWeighted(atOnce)
	var inHand sync.WaitGroup
	defer inHand.Wait()
	receiving, enough := context.WithCancel(ctx)
	defer enough()
	failing := time.Time{}
	told := false
	for {
		for l.paused.Load() && receiving.Err() == nil {
			_ = pause(receiving, pausedLook)
		}
		if err := free.Acquire(receiving, 1); err != nil {
			return errListened
		}
		most := 1
		for most < atOnce && free.TryAcquire(1) {
			most++
		}
		messages, err := l.receive(receiving, l.limit(most))
		free.Release(int64(most - len(messages)))
		switch {
		case receiving.Err() != nil:
			return errListened
		case err != nil && l.fatal(err):
			return err
		case err != nil:
			if failing.IsZero() {
				failing = time.Now()
			}
			if !told && time.Since(failing) > silence {
				told = true
				l.view.note("no answer  for %s: %v; trying again. Events are kept meanwhile",
					silence, err)
			}
			_ = pause(receiving, listenRetry)
			continue
		case told:
			l.view.note("ready      connected again")
		}
		failing, told = time.Time{}, false
		for _, m := range messages {
			inHand.Go(func() {
				defer free.Release(1)
				l.handle(ctx, m)
				if l.flags.Count > 0 && l.count() >= l.flags.Count {
					enough()
				}
			})
		}
	}
}

// limit returns how many events to take: not more than --count asks for.
func (l *listening) limit(most int) int {
	if l.flags.Count > 0 {
		most = max(1, min(most, l.flags.Count-l.count()))
	}
	return most
}

// receive receives from the queue.
func (l *listening) receive(ctx context.Context, most int) (got []received, err error) {
	err = l.ask(ctx, func(box mailbox) error {
		got, err = box.receive(ctx, most, l.flags.Timeout+hideMargin)
		return err
	})
	return got, err
}

// ask calls the queue. It renews the listener before, if it is time to, and once more if the
// credentials have ended before their time.
func (l *listening) ask(ctx context.Context, do func(mailbox) error) error {
	for again := false; ; again = true {
		box, renew := l.mailbox()
		if renew {
			if err := l.renew(ctx); err != nil {
				return err
			}
			box, _ = l.mailbox()
		}
		err := do(box)
		if again || ctx.Err() != nil || !errors.Is(err, errExpired) {
			return err
		}
		l.expire()
	}
}

// fatal tells whether it is of no use to try again.
func (l *listening) fatal(err error) bool {
	code, _ := exitOf(err)
	if code == exitNotFound {
		l.gone = true
	}
	return code != exitUnreachable && code != exitFailed
}

// handle forwards the event of a message.
func (l *listening) handle(ctx context.Context, m received) {
	again := func(after time.Duration) error {
		return l.ask(ctx, func(b mailbox) error { return b.again(ctx, m.handle, after) })
	}
	forget := func() error {
		return l.ask(ctx, func(b mailbox) error { return b.done(ctx, m.handle) })
	}
	if l.paused.Load() { // it was on its way
		_ = again(0)
		return
	}
	c, err := listen.Decode(m.body)
	if err != nil {
		l.view.note("unreadable message dropped: %v; use a newer version of this command", err)
		_ = forget() // it comes again otherwise
		return
	}
	h, repeat := l.take(c)
	switch {
	case h == nil: // it comes again later, if it is still there
		return
	case repeat:
		_ = forget()
		return
	}
	content, r := l.deliver(ctx, h)
	done := r.Err == nil && (l.forward == nil || r.ok())
	shown := l.conclude(h, content, r, done)
	if ctx.Err() != nil && !done {
		return // it was cut off, and is kept
	}
	l.view.show(shown)
	if done {
		err = forget()
	} else {
		err = again(l.flags.Pause)
	}
	if err != nil && ctx.Err() == nil {
		l.view.note("%s: the queue did not answer (%v); it may come again", c.Event.ID, err)
	}
}

// deliver reads the body of an event and forwards it.
func (l *listening) deliver(ctx context.Context, h *heard) ([]byte, result) {
	content, err := l.content(ctx, h.Event)
	if err != nil {
		return nil, result{Err: fmt.Errorf("its body cannot be read: %w", err)}
	}
	if l.forward == nil {
		return content, result{}
	}
	return content, l.forward.send(ctx, h.Event, content, h.Attempts+1)
}

// content returns the body of an event. A large one is not in the message.
func (l *listening) content(ctx context.Context, e relay.Event) ([]byte, error) {
	if e.BodyRef == nil {
		return e.Content(ctx, nil)
	}
	answer, err := l.api.Do(ctx, client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "events", e.ID, "body"),
	})
	return answer.Body, err
}

// resend forwards an event again that was heard before. Nothing of the queue changes.
func (l *listening) resend(ctx context.Context, h heard) heard {
	h.Content, h.result = l.deliver(ctx, &h)
	h.At, h.Attempts = time.Now(), h.Attempts+1
	h.Done = h.Err == nil && (l.forward == nil || h.ok())
	h.Failed = !h.Done
	return h
}
