package egress

import (
	"errors"
	"sync"
	"time"

	"webhook-relay/shared/relay"
)

// times are the phases of a request, as net/http's goroutines report them. If there are several
// tries, such as of two addresses, a phase lasts from the first beginning to the last end. net/http
// reports a handshake that it has not made itself, too, when it is over.
type times struct{ dns, connect, tls, answer span }

// span is a phase. The zero value has not begun.
type span struct {
	mu           sync.Mutex
	began, ended time.Time
}

func (s *span) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = time.Now()
	}
}

func (s *span) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = time.Now()
}

// took returns how long the phase lasted, until now if it is not over, in whole milliseconds.
func (s *span) took(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.began.IsZero():
		return 0
	case s.ended.Before(s.began): // also if an answer came before the whole request was sent
		return now.Sub(s.began).Round(time.Millisecond)
	}
	return s.ended.Sub(s.began).Round(time.Millisecond)
}

// timing returns how long the phases took until now.
func (p *progress) timing() relay.Timing {
	now := time.Now()
	if p.reused { // a connection that is made meanwhile is for a later request
		return relay.Timing{FirstByte: p.times.answer.took(now)}
	}
	return relay.Timing{
		DNS: p.times.dns.took(now), Connect: p.times.connect.took(now),
		TLS: p.times.tls.took(now), FirstByte: p.times.answer.took(now),
	}
}

// withTiming adds the timing to the error of a failed attempt.
func withTiming(t relay.Timing, err error) error {
	if failed, ok := errors.AsType[*relay.PostError](err); ok {
		failed.Timing = t
	}
	return err
}
