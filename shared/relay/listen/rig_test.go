package listen_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var errBroken = errors.New("broken")

// queues are the queues of listeners in memory.
type queues struct {
	mu      sync.Mutex
	got     map[string][]listen.Copy // of each queue that there is
	keep    map[string]time.Duration
	broken  bool
	deletes int
}

func (q *queues) Create(_ context.Context, id string, keep time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken {
		return errBroken
	}
	q.got[id], q.keep[id] = nil, keep
	return nil
}

func (q *queues) Delete(_ context.Context, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken {
		return errBroken
	}
	delete(q.got, id)
	q.deletes++
	return nil
}

func (q *queues) Access(_ context.Context, id string) (listen.Transport, error) {
	return listen.Transport{Kind: listen.KindSQS, QueueURL: "https://" + id}, nil
}

func (q *queues) Send(_ context.Context, id string, messages [][]byte) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(messages))
	for i, m := range messages {
		c, err := listen.Decode(m)
		if _, there := q.got[id]; !there || q.broken {
			err = errBroken
		}
		if errs[i] = err; err == nil {
			q.got[id] = append(q.got[id], c)
		}
	}
	return errs
}

// ids returns the events in a queue.
func (q *queues) ids(id string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []string
	for _, c := range q.got[id] {
		ids = append(ids, c.Event.ID)
	}
	return ids
}

func (q *queues) names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []string
	for id := range q.got {
		names = append(names, id)
	}
	slices.Sort(names)
	return names
}

// rig is a relay to which people listen.
type rig struct {
	clock     *clock
	documents *memory.Documents
	catalog   *memory.Catalog
	bodies    *memory.Bodies
	queues    *queues
	listeners *listen.Listeners
	copier    *listen.Copier

	mu      sync.Mutex
	dropped int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		clock:     &clock{t: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)},
		documents: &memory.Documents{}, catalog: &memory.Catalog{}, bodies: &memory.Bodies{},
		queues: &queues{got: map[string][]listen.Copy{}, keep: map[string]time.Duration{}},
	}
	var err error
	r.listeners, err = listen.New(listen.Config{
		Documents: r.documents, Marks: r.catalog, Queues: r.queues, Now: r.clock.now,
	})
	must(t, err)
	r.copier, err = listen.NewCopier(listen.CopierConfig{
		Documents: r.documents, Sender: r.queues, Bodies: r.bodies, Now: r.clock.now,
		Dropped: func(_ context.Context, _ string, copies int, _ error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.dropped += copies
		},
	})
	must(t, err)
	return r
}

// add adds a listener and returns its id.
func (r *rig) add(t *testing.T, l listen.Listener) string {
	t.Helper()
	made, err := r.listeners.Prepare(l)
	must(t, err)
	must(t, second(r.listeners.Add(t.Context(), made)))
	return made.ID
}

// event returns an event of a source and a type.
func event(id, source, eventType, body string) relay.Event {
	return relay.Event{
		ID: id, Receipt: "r", Source: source, Type: eventType, Body: []byte(body),
		ReceivedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Header:     relay.Header{"content-type": "application/json", "x-own": "1"},
	}
}
