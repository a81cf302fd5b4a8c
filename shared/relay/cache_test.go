package relay_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/verify"
)

// countedSources has one source, "app", whose token can be changed, and can be down.
type countedSources struct {
	looks atomic.Int64 // at the generation
	reads atomic.Int64 // of a source
	lists atomic.Int64 // of all names
	mu    sync.Mutex
	token string
	down  bool
}

func (s *countedSources) set(token string, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.down = token, down
}

func (s *countedSources) Generation(context.Context) (relay.Generation, error) {
	s.looks.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return "", errInjected
	}
	return relay.Generation(s.token), nil
}

func (s *countedSources) SourceNames(context.Context, relay.Generation) ([]string, error) {
	s.lists.Add(1)
	return []string{"app"}, nil
}

func (s *countedSources) Source(_ context.Context, _ relay.Generation, name string) (relay.Source, error) {
	s.reads.Add(1)
	time.Sleep(10 * time.Millisecond) // virtual
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return relay.Source{}, errInjected
	case name != "app":
		return relay.Source{}, fmt.Errorf("source %s: %w", name, relay.ErrNotFound)
	}
	return relay.Source{Name: name, Verify: verify.Config{Provider: "bearer"}, Secrets: []string{s.token}}, nil
}

// cached runs f with a receiver of these sources, in virtual time. The function it passes sends a webhook with a token.
func cached(t *testing.T, f func(s *countedSources, send func(source, token string) error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &countedSources{token: "old"}
		r := relay.NewReceiver(relay.ReceiverConfig{Sources: s, Ingest: &memory.Queue{}, Bodies: &memory.Bodies{}, Reporter: &reports{}})
		f(s, func(source, token string) error {
			_, err := r.Receive(t.Context(), relay.Inbound{
				Source: source, Method: "POST", ReceivedAt: time.Now(), Header: relay.Header{"authorization": "Bearer " + token},
			})
			return err
		})
	})
}

func TestSourceIsReadOnceForAllWhoWaitAndThenKept(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := send("app", "old"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := s.reads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

func TestChangedSecretIsInForceAfterTheTTL(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		_ = send("app", "old")
		s.set("new", false)
		if err := send("app", "new"); !errors.Is(err, verify.ErrMismatch) {
			t.Errorf("before the TTL: %v", err)
		}
		time.Sleep(relay.DefaultCacheTTL)
		if err := send("app", "new"); err != nil {
			t.Errorf("after it: %v", err)
		}
		if err := send("app", "old"); !errors.Is(err, verify.ErrMismatch) {
			t.Errorf("the old secret, after it: %v", err)
		}
	})
}

func TestProbesOfUnknownNamesAreRemembered(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		for range 20 {
			if err := send("nobody", "x"); !errors.Is(err, relay.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		}
		if n := s.reads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

func TestOutageOfTheCatalogIsBridgedForAnHour(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		_ = send("app", "old")
		s.set("old", true)
		time.Sleep(59 * time.Minute)
		before := s.reads.Load()
		for range 20 {
			if err := send("app", "old"); err != nil {
				t.Errorf("within the hour: %v", err)
			}
		}
		if n := s.reads.Load() - before; n != 1 {
			t.Errorf("%d reads of a catalog that is down, for 20 webhooks at once", n)
		}
		time.Sleep(time.Minute)
		if err := send("app", "old"); !errors.Is(err, relay.ErrUnavailable) {
			t.Errorf("after it: %v", err)
		}
		if err := send("other", "old"); !errors.Is(err, relay.ErrUnavailable) {
			t.Errorf("a source never read: %v", err)
		}
		s.set("old", false)
		if err := send("app", "old"); err != nil {
			t.Errorf("once it is back: %v", err)
		}
	})
}

func TestManyNamesDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		_ = send("app", "old")
		for i := range 10_001 {
			_ = send(fmt.Sprint("probe", i), "x")
		}
		if err := send("app", "old"); err != nil {
			t.Error(err)
		}
		if n := s.reads.Load(); n > 10_004 {
			t.Errorf("%d reads", n)
		}
	})
}
