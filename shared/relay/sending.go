package relay

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// send sends the deliveries of a batch of events. It sets ends[i] for each event some of whose
// deliveries were not sent. If only the time was missing, that is a retry at once with
// ErrUnfinished. Events with few deliveries come first.
func (f *Fanout) send(ctx context.Context, msgs []Message, routed []routing, ends []handled) {
	s := newSending(ctx, f, routed, ends)
	defer s.cancel()
	for _, i := range fewestFirst(msgs, routed) {
		if k := before(msgs, i); k >= 0 && ends[k].open() && !ends[i].open() {
			ends[i].action = Action{Retry: true, Err: errBehind}
		}
		s.addAll(i)
	}
	s.flush()
	for i := range routed {
		s.saveProgress(ctx, i)
	}
}

// fewestFirst returns the indexes of a batch. Events with few deliveries come first, so that they
// do not wait for the others. The events of an ordered queue keep their order.
func fewestFirst(msgs []Message, routed []routing) []int {
	order := make([]int, len(msgs))
	for i := range order {
		order[i] = i
	}
	if !slices.ContainsFunc(msgs, func(m Message) bool { return m.Group != "" }) {
		slices.SortStableFunc(order, func(a, b int) int {
			return cmp.Compare(len(routed[a].endpoints), len(routed[b].endpoints))
		})
	}
	return order
}

// sending sends the deliveries of a batch in chunks. A chunk holds the deliveries of one large
// event, or of several small ones, so that each call to a queue sends as many as it can.
type sending struct {
	fanout         *Fanout
	ctx            context.Context // a sending lasts for one call of send
	cancel         context.CancelFunc
	routed         []routing
	ends           []handled
	plain, ordered chunk
	added          []int // by event: how many of its deliveries were put into a chunk
	stored         []int // by event: how many of them the ledger has as sent
	stopped        bool  // there is no time left for another chunk
}

func newSending(ctx context.Context, f *Fanout, routed []routing, ends []handled) *sending {
	s := &sending{
		fanout: f, routed: routed, ends: ends, plain: chunk{queue: f.cfg.Delivery},
		ordered: chunk{queue: f.cfg.Ordered},
		added:   make([]int, len(routed)), stored: make([]int, len(routed)),
	}
	for i, r := range routed {
		s.added[i], s.stored[i] = r.sent, r.sent
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		s.cancel()
		s.ctx, s.cancel = context.WithDeadline(ctx, deadline.Add(-saveReserve))
	}
	return s
}

// addAll adds an event's unsent deliveries, until one fails or there is no time left.
func (s *sending) addAll(i int) {
	r := &s.routed[i]
	for s.added[i] < len(r.endpoints) && !s.ends[i].open() && !s.stopped {
		endpoint := r.endpoints[s.added[i]]
		s.added[i]++
		first := task{Endpoint: endpoint, Attempt: 1}
		if group, ok := r.groups[endpoint]; ok {
			s.ordered.add(i, first.orderedMessage(r.event, r.raw, group, r.resent))
		} else {
			s.plain.add(i, Outgoing{
				Body: first.encode(r.raw), Group: endpoint, Resent: r.resent,
				Value: &deliveryValue{task: first.versioned(), event: &r.event},
			})
		}
		if len(s.plain.out)+len(s.ordered.out) >= s.fanout.cfg.Chunk ||
			s.plain.bytes+s.ordered.bytes >= sendChunkBytes {
			s.flush()
		}
	}
}

// flush sends the chunk. It is called at least once, so that each invocation makes progress.
func (s *sending) flush() {
	owners := slices.Concat(s.plain.owners, s.ordered.owners)
	s.plain.send(s.ctx, s.ends)
	s.ordered.send(s.ctx, s.ends)
	for _, i := range owners {
		if !s.ends[i].open() {
			s.routed[i].sent = s.added[i]
		}
	}
	deadline, ok := s.ctx.Deadline()
	s.stopped = ok && time.Until(deadline) < sendReserve-saveReserve
}

// saveProgress records how many deliveries of an event were sent, if the event's message is to be
// received again.
func (s *sending) saveProgress(ctx context.Context, i int) {
	r := s.routed[i]
	if !s.ends[i].open() && r.sent < len(r.endpoints) {
		s.ends[i].action = Action{Retry: true, Err: ErrUnfinished} // at once
	}
	if !s.ends[i].open() || r.sent <= s.stored[i] {
		return
	}
	if err := s.fanout.cfg.Events.SaveSent(ctx, r.event.ID, r.sent); err != nil {
		s.ends[i].err = err // they are sent again then, and the deliverer drops the repeats
	}
}

// chunk is a list of messages for one queue.
type chunk struct {
	queue  Queue
	out    []Outgoing
	owners []int // for each message the index of its event
	bytes  int
}

func (c *chunk) add(owner int, m Outgoing) {
	c.out, c.owners, c.bytes = append(c.out, m), append(c.owners, owner), c.bytes+len(m.Body)
}

func (c *chunk) send(ctx context.Context, ends []handled) {
	if len(c.out) == 0 {
		return
	}
	for k, err := range c.queue.Send(ctx, c.out) {
		if err != nil {
			ends[c.owners[k]].err = err
		}
	}
	clear(c.out) // frees the messages
	c.out, c.owners, c.bytes = c.out[:0], c.owners[:0], 0
}
