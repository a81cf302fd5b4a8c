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

// Limits of Cached.
const (
	fetchTimeout = 10 * time.Second
	// providers change their keys over days, and publish new ones before they use them
	keepAnswer = time.Hour
	// used while there is no newer answer; a withdrawn key may be accepted for so long
	keepStale = 24 * time.Hour
	// so that a provider's server in trouble is not asked again with every request, and neither is
	// a forger's invented key
	keepFailure = 10 * time.Second
	maxAnswers  = 64

	// A forger can invent a new key name for each request. So unknown names share budgets: a hash
	// that no outsider can compute assigns each name to one budget. To block a genuine name, a
	// forger must use up all budgets, and each of them refills by itself.
	fetchBudgets = 64          // for one host
	budgetSize   = 2           // requests
	budgetRefill = time.Minute // for one request
)

// errTooMany says that the budget for an unknown name of a host is used up.
var errTooMany = errors.New("verify: the provider's server was asked for too many unknown names")

// fetch asks the provider's servers. All its errors are ErrFetch.
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

// hostOf returns the host of a URL, for errors: the rest of the URL may hold a token.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "?"
	}
	return u.Hostname()
}

// Cached returns a Fetcher that limits the requests to f, whatever webhooks come in. It caches an
// answer for an hour and a failure for ten seconds. Concurrent identical requests are made once. If
// there is no newer answer, an old one is used for up to a day, unless Fetch.MaxAge is set. Names
// for which a host has not yet answered are requested at most 64 times a minute for each host, and
// 128 times at once. Names with a cached answer are not limited, because no forger invented them.
// It keeps at most 64 answers. It is safe for concurrent use. All sources should share it.
func Cached(f Fetcher) Fetcher {
	return &cache{
		fetcher: f, kept: map[fetchID]kept{}, budgets: map[budgetID]budget{},
		seed: maphash.MakeSeed(),
	}
}

type cache struct {
	fetcher Fetcher
	flights singleflight.Group

	mu      sync.Mutex
	kept    map[fetchID]kept
	budgets map[budgetID]budget // only those that are partly used up
	seed    maphash.Seed
}

// budgetID identifies one of a host's budgets.
type budgetID struct {
	host   string
	number uint64
}

// budget is the number of requests that were charged to it, at a point in time. The number falls by
// one every budgetRefill.
type budget struct {
	used float64
	at   time.Time
}

func (b budget) now(now time.Time) budget {
	return budget{used: max(0, b.used-float64(now.Sub(b.at))/float64(budgetRefill)), at: now}
}

// kept is the cache entry of a request: its last answer, if there was one, and the error if a newer
// request failed.
type kept struct {
	name     fetchID
	answer   []byte
	at       time.Time // zero: there was none
	err      error
	failedAt time.Time
}

// fresh tells whether the answer is new enough. maxAge is the caller's limit; 0: none.
func (k kept) fresh(now time.Time, maxAge time.Duration) bool {
	limit := keepAnswer
	if maxAge != 0 {
		limit = min(limit, maxAge)
	}
	return now.Sub(k.at) < limit
}

func (k kept) usable(now time.Time) bool { return now.Sub(k.at) < keepStale }
func (k kept) failed(now time.Time) bool { return now.Sub(k.failedAt) < keepFailure }

// give returns the answer, or the error. An old answer is good enough unless maxAge is set.
func (k kept) give(now time.Time, maxAge time.Duration) ([]byte, error) {
	if k.err == nil || k.fresh(now, maxAge) || maxAge == 0 && k.usable(now) {
		return k.answer, nil
	}
	return nil, k.err
}

type fetchID [sha256.Size]byte

// name identifies what is requested, without the headers of the caller.
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
		// Others wait for this answer too, so it must not end when the first caller's ctx does.
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
	id := budgetID{host: hostOf(f.URL), number: maphash.Bytes(c.seed, name[:]) % fetchBudgets}
	b := c.budgets[id].now(now)
	if b.used > budgetSize-1 {
		return false
	}
	maps.DeleteFunc(c.budgets, func(_ budgetID, b budget) bool { return b.now(now).used == 0 })
	b.used++
	c.budgets[id] = b
	return true
}

// makeRoom drops entries that are of no use, and then the oldest if the cache is full. A failed
// request without an answer counts as the oldest, so that many failures cannot push out keys in
// use.
func (c *cache) makeRoom(now time.Time) {
	maps.DeleteFunc(c.kept, func(_ fetchID, k kept) bool {
		return !k.usable(now) && !k.failed(now)
	})
	if len(c.kept) < maxAnswers {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(c.kept)), func(a, b fetchID) int {
		return c.kept[a].at.Compare(c.kept[b].at)
	})
	delete(c.kept, oldest)
}
