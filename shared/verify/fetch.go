package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Bounds of what Cached fetches and keeps.
const (
	fetchTimeout = 10 * time.Second
	keepAnswer   = time.Hour        // providers change their keys over days, and announce new ones before they use them
	keepStale    = 24 * time.Hour   // where there is no newer one: a key that was withdrawn may be taken for so long
	keepFailure  = 10 * time.Second // so that a provider's server in trouble, or a forger's invented key, is not asked with each request
	maxAnswers   = 64

	// A forger can invent names of keys, each with a request of its own. So unknown names share budgets: each belongs to one, as a hash says that
	// nobody outside can compute. Who would use up the budget of a genuine name has to use up all of them, and each of them fills up by itself.
	fetchBudgets = 64          // of one host
	budgetSize   = 2           // requests
	budgetRefill = time.Minute // for one request
)

// errTooMany: a host has been asked for unknown names as often as is good.
var errTooMany = errors.New("verify: the provider's server was asked for too many unknown names")

// fetch asks the provider's servers. Its errors are ErrFetch.
func (k *keys) fetch(ctx context.Context, f Fetch) ([]byte, error) {
	if k.fetcher == nil {
		return nil, fmt.Errorf("%w: this program has no Fetcher", ErrFetch)
	}
	answer, err := k.fetcher.Fetch(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFetch, hostOf(f.URL), err)
	}
	return answer, nil
}

// hostOf returns the host of a URL: the rest may hold a token.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "?"
	}
	return u.Hostname()
}

// Cached returns a Fetcher that asks f no more than is needed, whatever requests come in: an answer is kept for an hour, a failure for
// ten seconds, and the same request from many goroutines is made once. An answer that is older serves on for a day while there is no newer one,
// unless Fetch.MaxAge is set. A host is asked for names that it has not answered for before at most 64 times a minute, and 128 times at once; what it
// has answered for is no forger's invention, and asked for all the same. It keeps at most 64 answers. It is safe for concurrent use, and meant to be
// shared by all sources.
func Cached(f Fetcher) Fetcher {
	return &cache{fetcher: f, kept: map[fetchID]kept{}, budgets: map[budgetID]budget{}, seed: maphash.MakeSeed()}
}

type cache struct {
	fetcher Fetcher
	flights singleflight.Group

	mu      sync.Mutex
	kept    map[fetchID]kept
	budgets map[budgetID]budget // those that are not full
	seed    maphash.Seed
}

// budgetID names one of a host's budgets.
type budgetID struct {
	host   string
	number uint64
}

// budget is how many requests were made on it, as of a time: it counts down by one in each budgetRefill.
type budget struct {
	used float64
	at   time.Time
}

func (b budget) now(now time.Time) budget {
	return budget{max(0, b.used-float64(now.Sub(b.at))/float64(budgetRefill)), now}
}

// kept is the last answer to a request, if there was one, and why there is no newer one.
type kept struct {
	name     fetchID
	answer   []byte
	at       time.Time // zero: there was none
	err      error
	failedAt time.Time
}

// fresh tells whether the answer may be given to who wants it no older than maxAge, if that is not 0.
func (k kept) fresh(now time.Time, maxAge time.Duration) bool {
	limit := keepAnswer
	if maxAge != 0 {
		limit = min(limit, maxAge)
	}
	return now.Sub(k.at) < limit
}

func (k kept) usable(now time.Time) bool { return now.Sub(k.at) < keepStale }
func (k kept) failed(now time.Time) bool { return now.Sub(k.failedAt) < keepFailure }

// give returns the answer, an old one too, unless maxAge is set: else why there is none.
func (k kept) give(now time.Time, maxAge time.Duration) ([]byte, error) {
	if k.err == nil || k.fresh(now, maxAge) || maxAge == 0 && k.usable(now) {
		return k.answer, nil
	}
	return nil, k.err
}

type fetchID [sha256.Size]byte

// name says what is asked for, whoever asks.
func (f Fetch) name() fetchID {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q", f.Method, f.URL, f.Body))
}

func (f Fetch) id() fetchID {
	h := sha256.New()
	name := f.name()
	h.Write(name[:])
	for _, header := range slices.Sorted(maps.Keys(f.Header)) {
		_, _ = fmt.Fprintf(h, " %q %q", header, f.Header[header])
	}
	return fetchID(h.Sum(nil))
}

func (c *cache) Fetch(ctx context.Context, f Fetch) ([]byte, error) {
	id := f.id()
	c.mu.Lock()
	k := c.kept[id]
	c.mu.Unlock()
	if now := time.Now(); k.fresh(now, f.MaxAge) || k.failed(now) {
		return k.give(now, f.MaxAge)
	}
	flight := c.flights.DoChan(string(id[:]), func() (any, error) {
		// Others wait for this answer too, so that who asked first may not take it with him.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return c.ask(ctx, id, f)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		k, _ := r.Val.(kept) // ask returns nothing else
		return k.give(time.Now(), f.MaxAge)
	}
}

func (c *cache) ask(ctx context.Context, id fetchID, f Fetch) (kept, error) {
	if !c.mayAsk(f, time.Now()) {
		return kept{}, errTooMany
	}
	answer, err := c.fetcher.Fetch(ctx, f)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	k := kept{name: f.name(), answer: answer, at: now}
	if err != nil {
		k.answer, k.at = c.kept[id].answer, c.kept[id].at
		k.err, k.failedAt = err, now
	}
	c.makeRoom(now)
	c.kept[id] = k
	return k, nil
}

func (c *cache) mayAsk(f Fetch, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := f.name()
	for _, k := range c.kept {
		if k.name == name && k.usable(now) {
			return true
		}
	}
	id := budgetID{hostOf(f.URL), maphash.Bytes(c.seed, name[:]) % fetchBudgets}
	b := c.budgets[id].now(now)
	if b.used > budgetSize-1 {
		return false
	}
	maps.DeleteFunc(c.budgets, func(_ budgetID, b budget) bool { return b.now(now).used == 0 })
	b.used++
	c.budgets[id] = b
	return true
}

// makeRoom drops what serves nobody, then the oldest. A failure goes before an answer: whoever makes many must not push out keys in use.
func (c *cache) makeRoom(now time.Time) {
	maps.DeleteFunc(c.kept, func(_ fetchID, k kept) bool { return !k.usable(now) && !k.failed(now) })
	if len(c.kept) < maxAnswers {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(c.kept)), func(a, b fetchID) int { return c.kept[a].at.Compare(c.kept[b].at) })
	delete(c.kept, oldest)
}
