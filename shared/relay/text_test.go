package relay_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate/breaker"
)

// everyCharacter contains all of Unicode, including the characters that queues refuse.
func everyCharacter() string {
	var b strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if utf8.ValidRune(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// checkEncoded encodes a text in every field. It checks that queues accept the result, and that it
// decodes to the same text.
func checkEncoded(t *testing.T, text string) {
	t.Helper()
	e := sample
	e.Type, e.Receipt, e.Trace, e.Header, e.Body = text, text, text,
		relay.Header{"x-text": text, text: "x"}, []byte(text)
	e.BodyRef = &relay.BodyRef{Key: text, Size: 1}
	encoded := relay.EncodeEvent(e)
	if err := format.CheckText(encoded); err != nil {
		t.Errorf("event: %v", err)
	}
	back, err := relay.DecodeEvent(encoded)
	// one by one the millions of bytes take seconds
	same := cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 },
		cmp.Comparer(bytes.Equal))
	if diff := cmp.Diff(e, back, cmpopts.EquateEmpty(), same); err != nil || utf8.ValidString(text) &&
		diff != "" {
		t.Errorf("event: %v (-want +got):\n%.1000s", err, diff)
	}
	d := sampleDelivery
	d.Endpoint, d.Type, d.MessageID = text, text, text
	d.History = []relay.Attempt{
		{Number: 1, At: at, Outcome: relay.Broken, Error: text, Response: []byte(text)},
	}
	for name, encoded := range map[string][]byte{
		"delivery": relay.EncodeDelivery(d),
		"record": relay.EncodeEventRecord(relay.EventRecord{
			Event: e, MessageID: text, Endpoints: []string{text},
		}),
		"state": breaker.Encode(breaker.State{
			Reason: text, Unproven: text, Proof: breaker.Proof{Of: text},
		}),
	} {
		if err := format.CheckText(encoded); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryCharacterIsEncodedAsQueuesTakeIt(t *testing.T) {
	t.Parallel()
	checkEncoded(t, everyCharacter())
	for _, text := range []string{
		"\uFFFE", "\uFFFF", "\uFFFD\uFFFE\uFFFF\uFFFD", "\xEF\xBF", "\xED\xA0\x80", "\\\uFFFF",
		"\"\uFFFE\"", "\x00\x7F\u0085\u2028",
	} {
		checkEncoded(t, text)
	}
}

func FuzzTextsAreEncodedAsQueuesTakeThem(f *testing.F) {
	for _, text := range []string{
		"push", "\uFFFE\uFFFF", "\xED\xBF\xBF", "\\\uFFFF\x00", "\xEF\xBF\xBE\xBF",
	} {
		f.Add(text)
	}
	f.Fuzz(checkEncoded)
}

func FuzzCheckText(f *testing.F) {
	for _, text := range []string{"a", "", "\uFFFE", "\x1F", "\xFF", "\U0010FFFF\r\n\t"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := len(text) > 0 && utf8.Valid(text)
		for _, r := range string(text) { // the production Char of XML 1.0
			want = want && (r == 0x9 || r == 0xA || r == 0xD || r >= 0x20 && r <= 0xD7FF ||
				r >= 0xE000 && r <= 0xFFFD || r >= 0x10000)
		}
		if err := format.CheckText(text); (err == nil) != want || err != nil &&
			!errors.Is(err, format.ErrText) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// TestForeignTextsReachNoQueueAsTheyAre sends text that SQS would refuse through all stages: in the
// type, the id, headers, and an endpoint's connection error. The queues of the rig refuse what SQS
// refuses. The first attempt cannot be recorded, so that its error is sent in a message too.
func TestForeignTextsReachNoQueueAsTheyAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const foreign = "a\uFFFE\uFFFF\x01\x1F\xED\xA0\x80\xFFz"
		r := newRig(t, []time.Duration{time.Second, time.Hour}, "a", "operator")
		r.edit(func(c *catalog.Catalog) {
			c.Subscriptions[1].Source = catalog.OwnSource
		})
		r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			return relay.Reply{}, &relay.PostError{Outcome: relay.Broken, Err: errors.New(foreign)}
		}
		down := 1
		r.build(func(p ports) ports { p.deliveries = downAtFirst{p.deliveries, &down}; return p })
		in := inbound(foreign, foreign, foreign)
		in.Header["x-foreign"] = foreign
		answer, err := r.receiver.Receive(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		r.pump()
		if d := r.deliveryOf(answer.EventID, "a"); d.Status != relay.Dead || d.Attempts != 3 {
			t.Errorf("%s after %d attempts", d.Status, d.Attempts)
		}
		if n := r.dead.Len(); n != 1 {
			t.Errorf("%d messages in the dead queue", n)
		}
		if n := r.poison.Len() + r.ingestDL.Len(); n != 0 {
			t.Errorf("%d messages were put aside", n)
		}
	})
}

// downAtFirst fails the first writes.
type downAtFirst struct {
	relay.Deliveries
	left *int
}

func (d downAtFirst) SaveDelivery(ctx context.Context, v relay.Delivery, prior int) error {
	if *d.left--; *d.left >= 0 {
		return errInjected
	}
	return d.Deliveries.SaveDelivery(ctx, v, prior)
}
