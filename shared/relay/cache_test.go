package relay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// countedSources has one source, "app". Its token can be changed, and the store can be down.
type countedSources struct {
	looks atomic.Int64 // reads of the generation
	reads atomic.Int64 // reads of a source
	lists atomic.Int64 // reads of all names
	mu    sync.Mutex
	token string
	down  bool
}

func (s *countedSources) set(token string, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.down = token, down
}

func (s *countedSources) State(context.Context, string) (catalog.State, error) {
	s.looks.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return catalog.State{}, errInjected
	}
	return catalog.State{Generation: catalog.Generation(s.token)}, nil
}

func (s *countedSources) SourceNames(
	_ context.Context, _ catalog.Generation, _ string, shard int,
) ([]string, error) {
	s.lists.Add(1)
	if shard != catalog.ShardOf("app", catalog.NameShards) {
		return nil, nil
	}
	return []string{"app"}, nil
}

// TenantNames lists the tenant acme.
func (s *countedSources) TenantNames(_ context.Context, shard int) ([]string, error) {
	s.lists.Add(1)
	if shard != catalog.ShardOf("acme", catalog.TenantShards) {
		return nil, nil
	}
	return []string{"acme"}, nil
}

func (s *countedSources) Source(
	_ context.Context, _ catalog.Generation, name string,
) (catalog.Source, error) {
	s.reads.Add(1)
	time.Sleep(10 * time.Millisecond) // virtual
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return catalog.Source{}, errInjected
	case name != "app":
		return catalog.Source{}, fmt.Errorf("source %s: %w", name, catalog.ErrNotFound)
	}
	return catalog.Source{
		Name: name, Verify: verify.Config{Provider: "bearer"}, Secrets: []string{s.token},
	}, nil
}

// cached runs f with a receiver of these sources, in virtual time. The function that f gets sends a
// webhook with a token.
func cached(t *testing.T, f func(s *countedSources, send func(source, token string) error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &countedSources{token: "old"}
		r := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: s, Ingest: &memory.Queue{}, Bodies: &memory.Bodies{}, Reporter: &reports{},
		}))
		f(s, func(source, token string) error {
			_, err := r.Receive(t.Context(), relay.Inbound{
				Source: source, Method: "POST", ReceivedAt: time.Now(), Header: relay.Header{
					"authorization": "Bearer " + token,
				},
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
		time.Sleep(catalog.DefaultCacheTTL)
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
			if err := send("nobody", "x"); !errors.Is(err, catalog.ErrNotFound) {
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
		looks, reads := s.looks.Load(), s.reads.Load()
		for range 20 {
			if err := send("app", "old"); err != nil {
				t.Errorf("within the hour: %v", err)
			}
		}
		if looks, reads := s.looks.Load()-looks, s.reads.Load()-reads; looks != 1 || reads != 0 {
			t.Errorf(
				"%d looks at the generation and %d reads of a catalog that is down, for 20 webhooks at once",
				looks, reads,
			)
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

// TestAFloodOfUnknownNamesCostsNoRead also checks that it evicts nothing from the cache.
func TestAFloodOfUnknownNamesCostsNoRead(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		_ = send("app", "old")
		for i := range 10_001 {
			if err := send(fmt.Sprint("probe", i), "x"); !errors.Is(err, catalog.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if err := send("app", "old"); err != nil {
			t.Error(err)
		}
		reads, lists := s.reads.Load(), s.lists.Load()
		if reads != catalog.NameShards+1 || lists != catalog.NameShards {
			t.Errorf(
				"%d reads and %d lists of names, want one for the source, and two for each shard",
				reads, lists,
			)
		}
	})
}

// TestAFloodOfUnknownTenantsCostsNoRead: only the lists of tenants are read, each once in a TTL.
func TestAFloodOfUnknownTenantsCostsNoRead(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		_ = send("app", "old")
		began := time.Now()
		for i := range 10_001 {
			err := send(fmt.Sprintf("tenant%d/app", i), "x")
			if !errors.Is(err, catalog.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if time.Since(began) > catalog.DefaultCacheTTL {
			t.Fatal("it took longer than the TTL")
		}
		if lists := s.lists.Load(); lists != catalog.TenantShards {
			t.Errorf("%d lists of tenants were read, want %d", lists, catalog.TenantShards)
		}
		if looks, reads := s.looks.Load(), s.reads.Load(); looks != 1 || reads != 1 {
			t.Errorf("%d states and %d sources were read, want those of app", looks, reads)
		}
	})
}

func TestWhatHasNotChangedIsNotReadAgain(t *testing.T) {
	t.Parallel()
	cached(t, func(s *countedSources, send func(string, string) error) {
		for range 3 * 60 * 60 {
			time.Sleep(time.Second)
			if err := send("app", "old"); err != nil {
				t.Fatal(err)
			}
		}
		if looks, reads := s.looks.Load(), s.reads.Load(); reads != 1 || looks > 3*60*2 {
			t.Errorf(
				"in three hours %d reads of the source and %d looks at the generation, want 1 and one in each TTL",
				reads, looks,
			)
		}
	})
}

// TestANewGenerationThatCannotBeReadIsBridged: the read of the generation succeeds, and the read of
// the source fails.
func TestANewGenerationThatCannotBeReadIsBridged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &countedSources{token: "old"}
		half := &halfDown{countedSources: s}
		r := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: half, Ingest: &memory.Queue{}, Bodies: &memory.Bodies{}, Reporter: &reports{},
		}))
		send := func(token string) error {
			_, err := r.Receive(t.Context(), relay.Inbound{
				Source: "app", Method: "POST", ReceivedAt: time.Now(), Header: relay.Header{
					"authorization": "Bearer " + token,
				},
			})
			return err
		}
		_ = send("old")
		s.set("new", false)
		half.down = true
		time.Sleep(catalog.DefaultCacheTTL)
		for range 20 {
			if err := send("old"); err != nil {
				t.Errorf("while the new source cannot be read: %v", err)
			}
		}
		if half.failed != 1 {
			t.Errorf("%d reads that failed, for 20 webhooks at once", half.failed)
		}
		half.down = false
		time.Sleep(time.Second)
		if err := send("new"); err != nil {
			t.Errorf("once it can: %v", err)
		}
		half.down = true
		s.set("newer", false)
		time.Sleep(time.Hour + catalog.DefaultCacheTTL)
		if err := send("new"); !errors.Is(err, relay.ErrUnavailable) {
			t.Errorf("after an hour: %v", err)
		}
	})
}

// halfDown returns the current generation, but its sources cannot be read.
type halfDown struct {
	*countedSources
	down   bool
	failed int
}

func (h *halfDown) Source(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Source, error) {
	if h.down {
		h.failed++
		return catalog.Source{}, errInjected
	}
	return h.countedSources.Source(ctx, g, name)
}

// TestEntriesAreBounded has more large endpoints than fit into a cache. The least recently used are
// read again, those in use are not.
func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("e%02d", i))
		}
		r := newRig(t, nil, names...)
		r.edit(func(c *catalog.Catalog) {
			for i := range c.Endpoints {
				c.Endpoints[i].TLS = &catalog.TLS{Authorities: make([]byte, 1<<20)}
			}
			for i := range c.Subscriptions {
				c.Subscriptions[i].Types = []string{c.Subscriptions[i].Endpoint}
			}
		})
		calls := countCalls{}
		r.build(func(p ports) ports { return withFaults(&calls, p) })
		for i, name := range names {
			r.mustPost(fmt.Sprint(i), name, "{}")
			r.mustPost(fmt.Sprint("again", i), names[0], "{}")
			r.pump()
		}
		if n := calls.of("endpoint " + names[0]); n != 1 {
			t.Errorf("the one that is always in use was read %d times", n)
		}
		for i := range names {
			r.mustPost(fmt.Sprint("last", i), names[len(names)-1-i], "{}")
			r.pump()
		}
		again := 0
		for _, name := range names {
			again += calls.of("endpoint "+name) - 1
		}
		if again < 60 || again > 80 {
			t.Errorf(
				"%d of 100 endpoints of 1 MiB were read again: as many should have been kept as 32 MiB hold",
				again,
			)
		}
	})
}

// countCalls counts the calls to ports.
type countCalls struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *countCalls) strike(_ context.Context, what string, call func() error) error {
	c.mu.Lock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[what]++
	c.mu.Unlock()
	return call()
}

// of returns the number of calls whose description begins with prefix.
func (c *countCalls) of(what string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for made, k := range c.n {
		if strings.HasPrefix(made, what) {
			n += k
		}
	}
	return n
}
