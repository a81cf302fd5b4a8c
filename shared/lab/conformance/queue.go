package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay"
)

// QueueUnderTest is a queue together with its receiving end. The receiving end is no port: on AWS
// it is Lambda's.
type QueueUnderTest struct {
	relay.Queue
	// Visibility is the visibility timeout of a received message. 1 or 2 s keep the suite short.
	Visibility time.Duration
	// Receive returns up to limit messages. It may return none at once, or wait for one until ctx
	// ends at the latest. The end of ctx is not an error.
	Receive func(ctx context.Context, limit int) ([]relay.Message, error)
	// Ack removes a message that Receive has returned.
	Ack func(ctx context.Context, m relay.Message) error
	// Hold is relay.Holder's method, for messages that Receive has returned. The receiving end then
	// reports them as failed.
	Hold func(ctx context.Context, held []relay.Held) []error
}

// largestBody is what every queue must accept: 1 MiB less 1 KiB for what is sent beside a body.
const largestBody = 1<<20 - 1<<10

// Queue tests a relay.Queue.
func Queue(t *testing.T, fresh func(t *testing.T) QueueUnderTest) {
	for name, test := range map[string]func(*testing.T, QueueUnderTest){
		"an empty send does nothing":                       queueEmptySend,
		"a body comes out as it went in":                   queueBody,
		"twenty-five messages in one send have one result": queueManyMessages,
		"the largest body passes":                          queueLargestBody,
		"large bodies need not fit into one request":       queueLargeBodies,
		"a body that is too large fails alone":             queueTooLarge,
		"resent is carried":                                queueResent,
		"every group's messages arrive":                    queueGroups,
		"a delay is kept":                                  queueDelay,
		"the longest delay is accepted":                    queueLongestDelay,
		"a received message is hidden and then comes back": queueVisibility,
		"an acknowledged message never comes back":         queueAck,
		"every character of XML passes":                    queueCharacters,
		"a body that is no text of XML fails alone":        queueNoText,
		"what is held comes back at its own time":          queueHold,
		"a hold may be longer than the visibility timeout": queueLongHold,
		"a hold that is too long fails alone":              queueRefusedHold,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// send sends messages and expects a nil error for each.
func (q QueueUnderTest) send(t *testing.T, msgs ...relay.Outgoing) {
	t.Helper()
	equal(t, "errors of Send", make([]error, len(msgs)), q.Send(t.Context(), msgs))
}

// receive returns the next n messages and acknowledges each.
func (q QueueUnderTest) receive(t *testing.T, n int) []relay.Message {
	t.Helper()
	msgs := q.await(t, n)
	for _, m := range msgs {
		must(t, "Ack", q.Ack(t.Context(), m))
	}
	return msgs
}

// await returns the next n messages without acknowledging them. n must be small enough that they
// arrive within one visibility timeout.
func (q QueueUnderTest) await(t *testing.T, n int) []relay.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var msgs []relay.Message
	for len(msgs) < n {
		got, err := q.Receive(ctx, min(n-len(msgs), 10))
		must(t, "Receive", err)
		msgs = append(msgs, got...)
		if ctx.Err() != nil {
			t.Fatalf("received %d messages in %v, want %d", len(msgs), patience, n)
		}
	}
	return msgs
}

// nothing checks that no message arrives within d.
func (q QueueUnderTest) nothing(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	for ctx.Err() == nil {
		msgs, err := q.Receive(ctx, 10)
		must(t, "Receive", err)
		if len(msgs) > 0 {
			t.Fatalf("received %d messages, want none; the first: %q", len(msgs), msgs[0].Body)
		}
	}
}

func queueEmptySend(t *testing.T, q QueueUnderTest) {
	q.send(t)
	q.nothing(t, 100*time.Millisecond)
}

func queueBody(t *testing.T, q QueueUnderTest) {
	body := []byte(
		"{\"text\": \"tab\there, a newline,\\u0000 escaped, quotes \\\" ' <&>, é ✓ \U0001F600\",\n \"n\": 1e400}  ",
	)
	q.send(t, relay.Outgoing{Body: body})
	m := q.receive(t, 1)[0]
	equal(t, "body", string(body), string(m.Body))
	equal(t, "receives", 1, m.Receives)
	equal(t, "resent", false, m.Resent)
	if m.ID == "" {
		t.Error("message without id")
	}
}

// characters returns texts with all characters of XML 1.0 (its production Char), small enough for a
// queue. A carriage return is left out, because XML readers turn it into a newline.
func characters() (texts []string) {
	var b strings.Builder
	for _, span := range [][2]rune{
		{0x9, 0xA}, {0x20, 0xD7FF}, {0xE000, 0xFFFD}, {0x10000, 0x10FFFF},
	} {
		for r := span[0]; r <= span[1]; r++ {
			if b.WriteRune(r); b.Len() > 512<<10 {
				texts = append(texts, b.String())
				b.Reset()
			}
		}
	}
	return append(texts, b.String())
}

func queueCharacters(t *testing.T, q QueueUnderTest) {
	want := characters()
	for i := range want {
		want[i] = fmt.Sprintf("%03d", i) + want[i]
		q.send(t, relay.Outgoing{Body: []byte(want[i])})
	}
	got := map[string]bool{}
	for range want {
		got[string(q.receive(t, 1)[0].Body)] = true
	}
	for i, text := range want {
		if !got[text] {
			t.Errorf("text %d of %d did not come out as it went in", i, len(want))
		}
	}
}

// noTexts returns texts that SQS refuses.
func noTexts() []string {
	texts := []string{"", "\xED\xA0\x80 a surrogate", "\xC3", "\uFFFE", "\uFFFF", "\xFF"}
	for c := range byte(' ') {
		if c != '\t' && c != '\n' && c != '\r' {
			texts = append(texts, "a"+string(rune(c)))
		}
	}
	return texts
}

func queueNoText(t *testing.T, q QueueUnderTest) {
	var msgs []relay.Outgoing
	for _, text := range noTexts() {
		msgs = append(msgs, relay.Outgoing{Body: []byte(text)})
	}
	for i, err := range q.Send(t.Context(), append(msgs, relay.Outgoing{Body: []byte(`"good"`)})) {
		if good := i == len(msgs); good != (err == nil) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	equal(t, "the one that is a text", `"good"`, string(q.receive(t, 1)[0].Body))
	q.nothing(t, 100*time.Millisecond)
}

func queueManyMessages(t *testing.T, q QueueUnderTest) {
	var msgs []relay.Outgoing
	var want []string
	for i := range 25 {
		body := fmt.Sprintf(`{"n":%02d}`, i)
		msgs, want = append(msgs, relay.Outgoing{Body: []byte(body)}), append(want, body)
	}
	q.send(t, msgs...)
	var got []string
	ids := map[string]bool{}
	for _, m := range q.receive(t, 25) {
		got = append(got, string(m.Body))
		ids[m.ID] = true
	}
	slices.Sort(got)
	equal(t, "bodies", want, got)
	equal(t, "distinct ids", 25, len(ids))
}

func queueLargestBody(t *testing.T, q QueueUnderTest) {
	q.send(
		t,
		relay.Outgoing{Body: jsonText(largestBody), Group: strings.Repeat("g", 63), Resent: true},
	)
	if got := q.receive(t, 1)[0]; string(got.Body) != string(jsonText(largestBody)) {
		t.Errorf("received %d bytes, or others than the %d sent", len(got.Body), largestBody)
	}
}

func queueLargeBodies(t *testing.T, q QueueUnderTest) {
	m := relay.Outgoing{Body: jsonText(600 << 10)}
	q.send(t, m, m, m)
	q.receive(t, 3)
}

func queueTooLarge(t *testing.T, q QueueUnderTest) {
	errs := q.Send(t.Context(), []relay.Outgoing{
		{Body: []byte(`"first"`)}, {Body: jsonText(1<<20 + 1)}, {Body: []byte(`"last"`)}})
	equal(t, "number of errors", 3, len(errs))
	must(t, "the message before the large one", errs[0])
	must(t, "the message after the large one", errs[2])
	if errs[1] == nil {
		t.Error("a body of 1 MiB and a byte was accepted")
	}
	var got []string
	for _, m := range q.receive(t, 2) {
		got = append(got, string(m.Body))
	}
	slices.Sort(got)
	equal(t, "bodies", []string{`"first"`, `"last"`}, got)
	q.nothing(t, 100*time.Millisecond)
}

func queueResent(t *testing.T, q QueueUnderTest) {
	q.send(t, relay.Outgoing{Body: []byte(`1`), Resent: true}, relay.Outgoing{Body: []byte(`2`)})
	got := map[string]bool{}
	for _, m := range q.await(t, 2) {
		got[string(m.Body)] = m.Resent
	}
	equal(t, "resent by body", map[string]bool{"1": true, "2": false}, got)
	for _, m := range q.receive(t, 2) {
		got[string(m.Body)] = m.Resent
	}
	equal(t, "resent by body, received again", map[string]bool{"1": true, "2": false}, got)
}

func queueGroups(t *testing.T, q QueueUnderTest) {
	groups := []string{"", "a", "a", "b-2", "", strings.Repeat("g", 63), "a"}
	msgs := make([]relay.Outgoing, len(groups))
	for i, g := range groups {
		msgs[i] = relay.Outgoing{Body: fmt.Append(nil, i), Group: g}
	}
	q.send(t, msgs...)
	var got []string
	for _, m := range q.receive(t, len(groups)) {
		got = append(got, string(m.Body))
	}
	slices.Sort(got)
	equal(t, "bodies", []string{"0", "1", "2", "3", "4", "5", "6"}, got)
}

func queueDelay(t *testing.T, q QueueUnderTest) {
	sent := time.Now()
	q.send(
		t, relay.Outgoing{Body: []byte(`"late"`), Delay: 700 * time.Millisecond},
		relay.Outgoing{Body: []byte(`"at once"`)},
	)
	equal(t, "first", `"at once"`, string(q.receive(t, 1)[0].Body))
	m := q.receive(t, 1)[0]
	equal(t, "second", `"late"`, string(m.Body))
	equal(t, "receives", 1, m.Receives)
	if took := time.Since(sent); took < 700*time.Millisecond {
		t.Errorf("a message with a delay of 700ms came after %v", took)
	}
}

func queueLongestDelay(t *testing.T, q QueueUnderTest) {
	q.send(t, relay.Outgoing{Body: []byte(`1`), Delay: relay.MaxDelay})
	q.nothing(t, 300*time.Millisecond)
}

func queueVisibility(t *testing.T, q QueueUnderTest) {
	begun := time.Now()
	q.send(t, relay.Outgoing{Body: []byte(`{"n":1}`)})
	first := q.await(t, 1)[0]
	again := q.await(t, 1)[0]
	if hidden := time.Since(begun); hidden < q.Visibility {
		t.Errorf(
			"the message came back after %v, its visibility timeout is %v", hidden, q.Visibility,
		)
	}
	equal(t, "id", first.ID, again.ID)
	equal(t, "body", string(first.Body), string(again.Body))
	equal(t, "receives", []int{1, 2}, []int{first.Receives, again.Receives})
	must(t, "Ack", q.Ack(t.Context(), again))
}

func queueAck(t *testing.T, q QueueUnderTest) {
	q.send(t, relay.Outgoing{Body: []byte(`1`)}, relay.Outgoing{Body: []byte(`2`)})
	msgs := q.await(t, 2)
	must(t, "Ack", q.Ack(t.Context(), msgs[0]))
	again := q.receive(t, 1)[0]
	equal(t, "what comes back", string(msgs[1].Body), string(again.Body))
	q.nothing(t, q.Visibility+500*time.Millisecond)
}

// hold holds messages.
func (q QueueUnderTest) hold(t *testing.T, held ...relay.Held) {
	t.Helper()
	equal(t, "errors of Hold", make([]error, len(held)), q.Hold(t.Context(), held))
}

func queueHold(t *testing.T, q QueueUnderTest) {
	var bodies []string
	for i := range 12 { // more than one call to SQS can hold
		bodies = append(bodies, fmt.Sprintf("%02d", i))
		q.send(t, relay.Outgoing{Body: []byte(bodies[i])})
	}
	begun := time.Now()
	var held []relay.Held
	for _, m := range q.await(t, 12) {
		held = append(held, relay.Held{Message: m, For: 0})
	}
	q.hold(t, held...)
	var got []string
	for _, m := range q.receive(t, 12) {
		got = append(got, string(m.Body))
		equal(t, "receives", 2, m.Receives)
	}
	slices.Sort(got)
	equal(t, "bodies", bodies, got)
	if took := time.Since(begun); took >= q.Visibility {
		t.Errorf("messages held for no time came after %v", took)
	}
}

func queueLongHold(t *testing.T, q QueueUnderTest) {
	q.send(t, relay.Outgoing{Body: []byte(`1`)})
	m := q.await(t, 1)[0]
	begun, long := time.Now(), q.Visibility+time.Second
	q.hold(t, relay.Held{Message: m, For: long})
	q.receive(t, 1)
	if took := time.Since(begun); took < long {
		t.Errorf("a message held for %v came after %v", long, took)
	}
}

func queueRefusedHold(t *testing.T, q QueueUnderTest) {
	q.send(t, relay.Outgoing{Body: []byte(`1`)}, relay.Outgoing{Body: []byte(`2`)})
	msgs := q.await(t, 2)
	errs := q.Hold(
		t.Context(),
		[]relay.Held{
			{Message: msgs[0], For: 13 * time.Hour}, {Message: msgs[1], For: relay.MaxHold},
		},
	)
	if len(errs) != 2 || errs[0] == nil || errs[1] != nil {
		t.Errorf("errors %v of a hold of 13 hours and of one of %v", errs, relay.MaxHold)
	}
}
