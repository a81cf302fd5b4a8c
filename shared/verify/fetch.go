package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Bounds of what Cached fetches and keeps.
const (
	fetchTimeout  = 10 * time.Second
	keepAnswer    = time.Hour        // providers change their keys over days, and announce new ones before they use them
	keepFailure   = 10 * time.Second // so that a provider's server in trouble, or a forger's invented key, is not asked with each request
	maxAnswers    = 64
	fetchesPerMin = 10 // of one host
)

// errTooMany: a host has been asked as often as is good. A forger can name keys that do not exist, each with a request of its own.
var errTooMany = errors.New("verify: asked too often in the last minute")

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
// ten seconds, the same request from many goroutines is made once, and no host is asked more than ten times a minute; beyond that what is
// kept still serves, and the rest fails. It keeps at most 64 answers. It is safe for concurrent use, and meant to be shared by all sources.
func Cached(f Fetcher) Fetcher {
	return &cache{fetcher: f, kept: map[fetchID]kept{}, asked: map[string][]time.Time{}}
}

type cache struct {
	fetcher Fetcher
	flights singleflight.Group

	mu    sync.Mutex
	kept  map[fetchID]kept
	asked map[string][]time.Time // by host: when, within the last minute
}

type kept struct {
	answer []byte
	err    error
	at     time.Time
}

// good tells whether what is kept may still be given to who wants it no older than maxAge, if that is not 0.
func (k kept) good(now time.Time, maxAge time.Duration) bool {
	limit := keepAnswer
	switch {
	case k.err != nil:
		limit = keepFailure
	case maxAge != 0:
		limit = min(limit, maxAge)
	}
	return now.Sub(k.at) < limit
}

type fetchID [sha256.Size]byte

func (f Fetch) id() fetchID {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q %q", f.Method, f.URL)
	for _, name := range slices.Sorted(maps.Keys(f.Header)) {
		_, _ = fmt.Fprintf(h, " %q %q", name, f.Header[name])
	}
	h.Write(f.Body)
	return fetchID(h.Sum(nil))
}

func (c *cache) Fetch(ctx context.Context, f Fetch) ([]byte, error) {
	id := f.id()
	c.mu.Lock()
	k, ok := c.kept[id]
	c.mu.Unlock()
	if ok && k.good(time.Now(), f.MaxAge) {
		return k.answer, k.err
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
		answer, _ := r.Val.([]byte)
		return answer, r.Err
	}
}

func (c *cache) ask(ctx context.Context, id fetchID, f Fetch) ([]byte, error) {
	if !c.mayAsk(hostOf(f.URL), time.Now()) {
		return nil, errTooMany
	}
	answer, err := c.fetcher.Fetch(ctx, f)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.makeRoom()
	c.kept[id] = kept{answer, err, time.Now()}
	return answer, err
}

func (c *cache) mayAsk(host string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	recent := slices.DeleteFunc(c.asked[host], func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(recent) >= fetchesPerMin {
		c.asked[host] = recent
		return false
	}
	c.asked[host] = append(recent, now)
	return true
}

// makeRoom drops what serves nobody, then the oldest. A failure goes before an answer: whoever makes many must not push out keys in use.
func (c *cache) makeRoom() {
	now := time.Now()
	maps.DeleteFunc(c.kept, func(_ fetchID, k kept) bool { return !k.good(now, 0) })
	if len(c.kept) < maxAnswers {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(c.kept)), func(a, b fetchID) int {
		if x, y := c.kept[a], c.kept[b]; (x.err == nil) != (y.err == nil) {
			if x.err != nil {
				return -1
			}
			return 1
		}
		return c.kept[a].at.Compare(c.kept[b].at)
	})
	delete(c.kept, oldest)
}
