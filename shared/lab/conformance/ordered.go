package conformance

import (
	"fmt"
	"testing"
	"time"

	"webhook-relay/shared/relay"
)

// OrderedQueueUnderTest is an ordered queue together with its receiving end.
type OrderedQueueUnderTest struct{ QueueUnderTest }

// OrderedQueue tests a relay.OrderedQueue.
func OrderedQueue(t *testing.T, fresh func(t *testing.T) OrderedQueueUnderTest) {
	for name, test := range map[string]func(*testing.T, OrderedQueueUnderTest){
		"a group comes in order, one by one":            orderedOneByOne,
		"many messages in one send keep their order":    orderedManyMessages,
		"groups do not wait for each other":             orderedGroups,
		"what was not acknowledged comes again first":   orderedVisibility,
		"what is held holds its group, and no other":    orderedHold,
		"what is held for no time comes again at once":  orderedHoldNoTime,
		"a hold ends by itself, and can be renewed":     orderedHoldAgain,
		"the longest hold is accepted, a longer is not": orderedLongestHold,
		"a name is taken once":                          orderedOnce,
		"a name that is gone holds up nothing":          orderedOnceGone,
		"behind one that is refused none of its group":  orderedRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// inGroup returns n messages with the bodies "1", "2" and so on.
func inGroup(group string, n int) []relay.Outgoing {
	msgs := make([]relay.Outgoing, n)
	for i := range msgs {
		msgs[i] = relay.Outgoing{
			Body: fmt.Append(nil, i+1), Group: group, Once: fmt.Sprintf("%s-%d", group, i+1),
		}
	}
	return msgs
}

// next receives the next message, which must have the given group and body.
func (q OrderedQueueUnderTest) next(t *testing.T, group string, body int) relay.Message {
	t.Helper()
	m := q.await(t, 1)[0]
	equal(t, "next message", fmt.Sprintf("%s %d", group, body), m.Group+" "+string(m.Body))
	return m
}

// heads receives the first messages of the groups "a" and "b", in either order.
func (q OrderedQueueUnderTest) heads(t *testing.T) (a, b relay.Message) {
	t.Helper()
	both := append(q.await(t, 1), q.await(t, 1)...)
	if both[0].Group == "b" {
		both[0], both[1] = both[1], both[0]
	}
	equal(
		t, "next messages", []string{"a 1", "b 1"},
		[]string{
			both[0].Group + " " + string(both[0].Body), both[1].Group + " " + string(both[1].Body),
		},
	)
	return both[0], both[1]
}

func (q OrderedQueueUnderTest) ack(t *testing.T, m relay.Message) {
	t.Helper()
	must(t, "Ack", q.Ack(t.Context(), m))
}

// let holds a message.
func (q OrderedQueueUnderTest) let(t *testing.T, m relay.Message, d time.Duration) {
	t.Helper()
	q.hold(t, relay.Held{Message: m, For: d})
}

func orderedOneByOne(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, inGroup("a", 3)...)
	for i := 1; i <= 3; i++ {
		m := q.next(t, "a", i)
		q.nothing(t, 100*time.Millisecond)
		q.ack(t, m)
	}
	q.nothing(t, 100*time.Millisecond)
}

func orderedManyMessages(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, inGroup("a", 25)...)
	for i := 1; i <= 25; i++ {
		q.ack(t, q.next(t, "a", i))
	}
}

func orderedGroups(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, append(inGroup("a", 2), inGroup("b", 2)...)...)
	a, b := q.heads(t)
	q.ack(t, b)
	q.ack(t, q.next(t, "b", 2))
	q.ack(t, a)
	q.ack(t, q.next(t, "a", 2))
}

func orderedVisibility(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, inGroup("a", 2)...)
	first := q.next(t, "a", 1)
	again := q.next(t, "a", 1)
	equal(t, "id", first.ID, again.ID)
	equal(t, "receives", []int{1, 2}, []int{first.Receives, again.Receives})
	q.ack(t, again)
	q.ack(t, q.next(t, "a", 2))
}

func orderedHold(t *testing.T, q OrderedQueueUnderTest) {
	const held = time.Second
	q.send(t, append(inGroup("a", 2), inGroup("b", 1)...)...)
	m, other := q.heads(t)
	begun := time.Now()
	q.let(t, m, held)
	q.ack(t, other)
	m = q.next(t, "a", 1)
	if took := time.Since(begun); took < held {
		t.Errorf("a message held for %v came after %v", held, took)
	}
	equal(t, "receives", 2, m.Receives)
	q.ack(t, m)
	q.ack(t, q.next(t, "a", 2))
}

func orderedHoldNoTime(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, inGroup("a", 2)...)
	begun := time.Now()
	q.let(t, q.next(t, "a", 1), 0)
	m := q.next(t, "a", 1)
	if took := time.Since(begun); took >= q.Visibility {
		t.Errorf("a message held for no time came after %v", took)
	}
	q.ack(t, m)
	q.ack(t, q.next(t, "a", 2))
}

func orderedHoldAgain(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, inGroup("a", 2)...)
	for range 3 {
		q.let(t, q.next(t, "a", 1), 300*time.Millisecond)
	}
	m := q.next(t, "a", 1)
	equal(t, "receives", 4, m.Receives)
	q.ack(t, m)
	q.ack(t, q.next(t, "a", 2))
}

func orderedLongestHold(t *testing.T, q OrderedQueueUnderTest) {
	q.send(t, append(inGroup("a", 1), inGroup("b", 1)...)...)
	a, b := q.heads(t)
	q.let(t, a, relay.MaxHold)
	if err := q.Hold(t.Context(), []relay.Held{{Message: b, For: 13 * time.Hour}})[0]; err == nil {
		t.Error("a hold of 13 hours was accepted")
	}
}

func orderedOnce(t *testing.T, q OrderedQueueUnderTest) {
	two := inGroup("a", 2)
	q.send(t, two[0])
	q.send(t, two[0], two[1], two[1])
	q.ack(t, q.next(t, "a", 1))
	q.ack(t, q.next(t, "a", 2))
	q.nothing(t, 100*time.Millisecond)
}

// A message may be dropped without an error, or arrive, if one with the same name was sent and
// acknowledged before. The message behind it arrives in both cases.
func orderedOnceGone(t *testing.T, q OrderedQueueUnderTest) {
	two := inGroup("a", 2)
	q.send(t, two[0])
	q.ack(t, q.next(t, "a", 1))
	q.send(t, two...)
	m := q.await(t, 1)[0]
	if string(m.Body) == "1" {
		q.ack(t, m)
		m = q.await(t, 1)[0]
	}
	equal(t, "message behind it", "2", string(m.Body))
	q.ack(t, m)
	q.nothing(t, 100*time.Millisecond)
}

func orderedRefused(t *testing.T, q OrderedQueueUnderTest) {
	a, b := inGroup("a", 3), inGroup("b", 1)
	a[1].Body = jsonText(1<<20 + 1)
	errs := q.Send(t.Context(), append(a, b...))
	must(t, "the message before", errs[0])
	must(t, "the message of another group", errs[3])
	if errs[1] == nil || errs[2] == nil {
		t.Errorf("errors of the large message and of the one behind it: %v, %v", errs[1], errs[2])
	}
	first, other := q.heads(t)
	q.ack(t, first)
	q.ack(t, other)
	q.nothing(t, 100*time.Millisecond)
}
