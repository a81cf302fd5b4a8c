package sqlite

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// maxCachedBytes limits the size of the bodies that one queue keeps in memory. Other bodies are
// read from the file when their message is handed out.
const maxCachedBytes = 32 << 20

// entry is a message as the backlog knows it.
type entry struct {
	id       int64
	group    string
	due      int64 // Unix milliseconds; 0: at once
	receives int
	content  *content // nil: on file only
}

type content struct {
	body   []byte
	resent bool
}

// backlog is the part of a queue that is in memory. It knows which messages are ready, when the
// others become ready, and which group is next. Groups are served in turn. A group has at most
// perGroup messages in flight. Each run of Consume has its own backlog. If a Send ends after that
// run, its message is not in the next run's memory, but the next run loads it from the file.
type backlog struct {
	wake     chan struct{} // a token: something may be ready
	perGroup int           // 0: no limit
	// An ordered queue: a message that waits for its next receive blocks its group, and is handed
	// out before the other messages of the group.
	ordered bool

	mu       sync.Mutex
	groups   map[string]*group
	runnable fifo[*group] // groups with a ready message that may have more in flight
	later    dueHeap
	timer    *time.Timer
	cached   int // bytes
	holds    map[int64]hold
}

// hold is the time at which a message in flight is to be handed out again.
type hold struct {
	due      int64
	receives int // the receive to which the hold belongs
}

// group holds the messages of one fairness group. The group "" is for messages without a group, and
// has no limit.
type group struct {
	name     string
	ready    fifo[readyEntry]
	later    int // in the heap
	inFlight int
	runnable bool // it is in backlog.runnable
}

// readyEntry and dueEntry are small, since there may be millions.
type readyEntry struct {
	id       int64
	receives int
	content  *content
}

type dueEntry struct {
	id       int64
	due      int64
	receives int
	group    *group
}

// lease is a message that has been taken.
type lease struct {
	readyEntry
	group *group
}

func newBacklog(perGroup int) *backlog {
	b := &backlog{
		wake: make(chan struct{}, 1), perGroup: perGroup, groups: map[string]*group{},
		holds: map[int64]hold{},
	}
	b.timer = time.AfterFunc(time.Hour, func() { signal(b.wake) })
	b.timer.Stop()
	return b
}

// add adds messages that are ready now or later. A queue without a consumer has a nil backlog, and
// add on nil does nothing.
func (b *backlog) add(entries []entry) {
	if b == nil || len(entries) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range entries {
		g := b.groups[e.group]
		if g == nil {
			g = &group{name: e.group}
			b.groups[e.group] = g
		}
		if e.due > 0 {
			b.postpone(dueEntry{id: e.id, due: e.due, receives: e.receives, group: g})
			continue
		}
		if e.content != nil && b.cached+len(e.content.body) > maxCachedBytes {
			e.content = nil
		}
		b.enqueue(g, readyEntry{id: e.id, receives: e.receives, content: e.content})
	}
	signal(b.wake)
}

func (b *backlog) enqueue(g *group, e readyEntry) {
	if e.content != nil {
		b.cached += len(e.content.body)
	}
	g.ready.push(e)
	b.schedule(g)
}

func (b *backlog) postpone(e dueEntry) {
	e.group.later++
	heap.Push(&b.later, e)
	if b.later[0].id == e.id {
		b.timer.Reset(time.Until(time.UnixMilli(e.due)))
	}
}

// schedule adds a group to the runnable ones if a message of it may be taken now.
func (b *backlog) schedule(g *group) {
	if !g.runnable && b.mayTake(g) {
		g.runnable = true
		b.runnable.push(g)
	}
}

func (b *backlog) mayTake(g *group) bool {
	if b.ordered && g.later > 0 {
		return false
	}
	return g.ready.len() > 0 && (b.perGroup == 0 || g.name == "" || g.inFlight < b.perGroup)
}

// promote makes the messages ready that are due.
func (b *backlog) promote(now time.Time) {
	for len(b.later) > 0 && b.later[0].due <= now.UnixMilli() {
		e, _ := heap.Pop(&b.later).(dueEntry)
		e.group.later--
		if b.ordered {
			e.group.ready.pushFront(readyEntry{id: e.id, receives: e.receives})
			b.schedule(e.group)
			continue
		}
		b.enqueue(e.group, readyEntry{id: e.id, receives: e.receives})
	}
	if len(b.later) > 0 {
		b.timer.Reset(time.UnixMilli(b.later[0].due).Sub(now))
	}
}

// take returns up to limit ready messages, from each group in turn. If a group already has messages
// in flight, its messages are not mixed with those of other groups in a batch. Otherwise the others
// could wait for a slow endpoint: an endpoint that hangs delays only its own messages.
func (b *backlog) take(limit int) []lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.promote(time.Now())
	var batch []lease
	var groups []*group
	for range b.runnable.len() {
		g := b.runnable.pop()
		busy := g.inFlight > 0 && g.name != ""
		if busy && len(groups) > 0 {
			b.runnable.push(g)
			continue
		}
		groups = append(groups, g)
		batch = append(batch, b.pick(g))
		if busy || len(batch) == limit {
			break
		}
	}
	for took := true; took; {
		took = false
		for _, g := range groups {
			if len(batch) < limit && b.mayTake(g) {
				batch = append(batch, b.pick(g))
				took = true
			}
		}
	}
	for _, g := range groups {
		g.runnable = false
		b.schedule(g)
	}
	if b.runnable.len() > 0 {
		signal(b.wake) // for the next consumer
	}
	return batch
}

func (b *backlog) pick(g *group) lease {
	e := g.ready.pop()
	if e.content != nil {
		b.cached -= len(e.content.body)
	}
	g.inFlight++
	return lease{readyEntry: e, group: g}
}

// hold records when a message in flight is to be handed out again.
func (b *backlog) hold(id int64, receives int, due int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holds[id] = hold{due: due, receives: receives}
}

// held returns, by id, when the held messages of a batch are to be handed out again.
func (b *backlog) held(batch []lease) map[int64]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.holds) == 0 {
		return nil
	}
	dues := map[int64]int64{}
	for _, l := range batch {
		if h, held := b.holds[l.id]; held && h.receives == l.receives {
			dues[l.id] = h.due
		}
		delete(b.holds, l.id)
	}
	return dues
}

// settle ends leases. A message for which again returns true is due again at the time it returns,
// in Unix milliseconds.
func (b *backlog) settle(leases []lease, again func(lease) (due int64, ok bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range leases {
		l.group.inFlight--
		if due, ok := again(l); ok {
			b.postpone(dueEntry{id: l.id, due: due, receives: l.receives, group: l.group})
		}
		b.schedule(l.group)
		if l.group.inFlight+l.group.later+l.group.ready.len() == 0 {
			delete(b.groups, l.group.name)
		}
	}
	if b.runnable.len() > 0 {
		signal(b.wake)
	}
}

// fifo is a queue in memory. Its zero value is empty.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(item T) { f.items = append(f.items, item) }

// pushFront puts an item before all others.
func (f *fifo[T]) pushFront(item T) {
	if f.head == 0 {
		f.items = slices.Insert(f.items, 0, item)
		return
	}
	f.head--
	f.items[f.head] = item
}

// pop removes the first item. When half of the slice is used up, pop moves the other items to the
// front. So its average cost does not depend on the length of the queue.
func (f *fifo[T]) pop() T {
	var none T
	item := f.items[f.head]
	f.items[f.head] = none
	f.head++
	if f.head*2 >= len(f.items) {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	return item
}

// dueHeap orders messages by when they are due.
type dueHeap []dueEntry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueEntry)) } //nolint:forcetypeassert // container/heap's way
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
