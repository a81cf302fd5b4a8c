package relay_test

import (
	"bytes"
	"context"
	"reflect"
	"testing"
	"time"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/verify"
)

// FuzzEncode holds that documents are written as encoding/json writes them.
func FuzzEncode(f *testing.F) {
	f.Add("evt_a", "push", "x-a", "b", []byte("{}"), int64(1), 1, true)
	f.Add("é\u2028<&>\"\\", "\ufffe\uffff\x00\x7f\b", "", "\xff", []byte{}, int64(-1), 0, false)
	f.Fuzz(func(
		t *testing.T, id, text, name, value string, body []byte, millis int64, n int, is bool,
	) {
		at := time.UnixMilli(millis % 1e14).UTC()
		e := relay.Event{
			ID: id, Receipt: text, Source: value, Type: text, Trust: verify.Trust(name),
			ReceivedAt: at, Header: relay.Header{name: value, "a": text}, Trace: text, Body: body,
			DeliveryID: value, Holder: document.Holder{Field: name, Token: is},
		}
		if is {
			e.BodyRef, e.Header = &relay.BodyRef{Key: value, Size: n}, nil
		}
		equalBytes(t, relay.EventByReflection(e), relay.EncodeEvent(e))
		r := relay.EventRecord{Event: e, MessageID: id, Sent: n, RoutedAt: at, ExpiresAt: at}
		if is {
			r.Endpoints = []string{name, value}
		}
		equalBytes(t, relay.RecordByReflection(r), relay.EncodeEventRecord(r))
		d := relay.Delivery{
			EventID: id, Endpoint: name, Source: value, Type: text, Status: relay.Status(text),
			Reason: relay.Reason(value), Attempts: n, Step: n, MessageID: id, Receives: n,
			Held: gate.Hold(name), Reserved: !is, UpdatedAt: at, ExpiresAt: at,
			History: []relay.Attempt{{}, {
				Number: n, At: at, Duration: time.Duration(n) * time.Millisecond,
				Outcome: relay.Outcome(name), StatusCode: n, Error: text, Response: body,
			}},
		}
		if is {
			d.NextAt, d.History = at, nil
		}
		equalBytes(t, relay.DeliveryByReflection(d), relay.EncodeDelivery(d))
		sent, reflected := relay.EncodeTask(e, name, n, n, is, !is, value)
		equalBytes(t, reflected, sent)
	})
}

func equalBytes(t *testing.T, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Errorf("written\n%s\nwant\n%s", got, want)
	}
}

// valued is a queue of which each message must carry as its value what its body says. It may carry
// none if JSON replaced a part of a text.
type valued struct {
	relay.Queue
	t *testing.T
}

func (q valued) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	for _, m := range msgs {
		if m.Value == nil && bytes.Contains(m.Body, []byte(`\ufffd`)) {
			continue
		}
		if value, body, err := relay.ValueOf(m); m.Value == nil || err != nil ||
			!reflect.DeepEqual(value, body) {
			q.t.Errorf("a message with the value\n%+v, which says\n%+v: %v", value, body, err)
		}
	}
	return q.Queue.Send(ctx, msgs)
}
