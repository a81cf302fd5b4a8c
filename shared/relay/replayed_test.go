package relay_test

import (
	"fmt"
	"testing"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// ingress is a receiver with three sources: "hub" (github, which signs the body only), "once" (the
// same with once: body), and "shop" (stripe, which signs its id).
type ingress struct {
	t        *testing.T
	receiver *relay.Receiver
	reports  reports
	queue    memory.Queue
}

const hubSecret = "hub-secret"

func newIngress(t *testing.T) *ingress {
	t.Helper()
	in := &ingress{t: t}
	var catalogs memory.Catalog
	if err := catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{
		{Name: "hub", Verify: verify.Config{Provider: "github"}, Secrets: []string{hubSecret}},
		{
			Name: "once", Verify: verify.Config{Provider: "github", Once: verify.OnceBody},
			Secrets: []string{hubSecret},
		},
		{Name: "shop", Verify: verify.Config{Provider: "stripe"}, Secrets: []string{hubSecret}},
	}}, 0); err != nil {
		t.Fatal(err)
	}
	in.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &in.queue, Bodies: &memory.Bodies{}, Reporter: &in.reports,
	}))
	return in
}

// send signs a body as the provider does, sends it with a delivery id, and returns its event's id.
func (in *ingress) send(source, provider, id, body string) string {
	in.t.Helper()
	v, err := verify.New(verify.Config{Provider: provider}, []string{hubSecret})
	if err != nil {
		in.t.Fatal(err)
	}
	now := time.Now()
	signed, err := v.Sign(
		verify.Webhook{Body: []byte(body), DeliveryID: id, EventType: "push"}, now,
	)
	if err != nil {
		in.t.Fatal(err)
	}
	answer, err := in.receiver.Receive(in.t.Context(), relay.Inbound{
		Source: source, Method: "POST", Header: signed.Header, Body: signed.Body, ReceivedAt: now,
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return answer.EventID
}

func (in *ingress) last() relay.ReceiveReport {
	return in.reports.received[len(in.reports.received)-1]
}

// Somebody sends a copy of a webhook under the ids of future webhooks. None of those is lost: each
// is an event of its own, and the second use of an id is reported.
func TestReceive_ACopyDoesNotTakeTheIDOfAGenuineWebhook(t *testing.T) {
	t.Parallel()
	in := newIngress(t)
	copies := map[string]bool{}
	for i := 101; i <= 105; i++ {
		copies[in.send("hub", "github", fmt.Sprint(i), `{"a":1}`)] = true
	}
	if in.last().Reused {
		t.Error("a first use is told as a second one")
	}
	genuine := in.send("hub", "github", "103", `{"b":2}`)
	if copies[genuine] {
		t.Error("the genuine webhook is taken for a copy of another")
	}
	if got := in.last(); !got.Reused || got.DeliveryID != "103" {
		t.Errorf("the id that came with two bodies is not told: %+v", got)
	}
	if again := in.send("hub", "github", "103", `{"b":2}`); again != genuine {
		t.Errorf("a webhook that is sent again is another event: %s, %s", genuine, again)
	}
}

func TestReceive_OnceTakesTheSameSignedBytesOnce(t *testing.T) {
	t.Parallel()
	in := newIngress(t)
	first := in.send("once", "github", "101", `{"a":1}`)
	if copied := in.send("once", "github", "102", `{"a":1}`); copied != first {
		t.Errorf("under another id the same bytes are another event: %s, %s", first, copied)
	}
	if got := in.last(); got.DeliveryID != "102" {
		t.Errorf("the provider's own id is not on record: %+v", got)
	}
	if other := in.send("once", "github", "101", `{"b":2}`); other == first {
		t.Error("other bytes under the same id are the same event")
	}
	if other := in.send("hub", "github", "101", `{"a":1}`); other == first {
		t.Error("another source's webhook is the same event")
	}
}

// A webhook whose provider signs its id is found by that id in one read.
func TestReceive_ASignedIDNamesTheEventAlone(t *testing.T) {
	t.Parallel()
	in := newIngress(t)
	if got, want := in.send("shop", "stripe", "", `{"id":"evt_1","type":"invoice.paid"}`),
		relay.EventID("", "shop", "evt_1"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if messages := in.queue.List(); len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	} else if e, err := relay.DecodeEvent(messages[0].Body); err != nil || e.DeliveryID != "evt_1" {
		t.Errorf("the provider's id is not in the message: %+v, %v", e, err)
	}
}

func TestBoundEventID_KeepsItsPartsApart(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for name, id := range map[string]string{
		"bound":          relay.BoundEventID("", "a", "1", []byte("2")),
		"other id":       relay.BoundEventID("", "a", "12", []byte("")),
		"other bytes":    relay.BoundEventID("", "a", "", []byte("12")),
		"other source":   relay.BoundEventID("", "a1", "", []byte("2")),
		"not bound":      relay.EventID("", "a", "1"),
		"not bound, two": relay.EventID("", "a", "12"),
	} {
		if other, taken := ids[id]; taken {
			t.Errorf("%s and %s are one", name, other)
		}
		ids[id] = name
	}
}
