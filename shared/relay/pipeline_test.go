package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/verify"
)

func TestWebhookReachesEveryEndpointAsItCame(t *testing.T) {
	t.Parallel()
	noise := make([]byte, relay.DefaultMaxBodyBytes) // it cannot be compressed
	_, _ = rand.Read(noise)                          // never fails
	tests := map[string]struct {
		body   []byte
		inline bool // in the messages, else in Bodies
		packed bool
	}{
		"json":                {[]byte(`{"a": 1 }`), true, false},
		"not json":            {[]byte("a=b&c=d"), true, false},
		"invalid utf-8":       {[]byte{0xff, 0xfe, 'x', 0x80}, true, false},
		"nul bytes":           {[]byte{0, 1, 0, 2}, true, false},
		"empty":               {[]byte{}, true, false},
		"too small to pack":   {bytes.Repeat([]byte{7}, 4<<10-1), true, false},
		"just packed":         {bytes.Repeat([]byte{7}, 4<<10), true, true},
		"just inline":         {noise[:relay.DefaultInlineBodyBytes], true, false},
		"just not inline":     {noise[:relay.DefaultInlineBodyBytes+1], false, false},
		"just inline, packed": {bytes.Repeat([]byte{7}, relay.MaxPackedBodyBytes), true, true},
		"too large to unpack": {bytes.Repeat([]byte{7}, relay.MaxPackedBodyBytes+1), false, true},
		"largest":             {bytes.Repeat([]byte{0xee}, relay.DefaultMaxBodyBytes), false, true},
		"largest of noise":    {noise, false, false},
	}
	for name, tt := range tests {
		body := tt.body
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "a", "b")
				event := r.mustPost("1", "order.paid", string(body))
				r.pump()
				if len(r.poster.posts) != 2 {
					t.Fatalf("%d POSTs, want 2", len(r.poster.posts))
				}
				for _, p := range r.poster.posts {
					if !bytes.Equal(p.Body, body) {
						t.Errorf("body of %d bytes arrived as %d others", len(body), len(p.Body))
					}
					verifySignature(t, p)
				}
				record, deliveries, err := r.ledger.Event(t.Context(), event)
				if err != nil || len(deliveries) != 2 || deliveries[0].Status != relay.Delivered ||
					deliveries[1].Status != relay.Delivered {
					t.Errorf("on record: %+v, %+v, %v", record, deliveries, err)
				}
				packed, inline := record.Packed != nil, record.BodyRef == nil
				if !inline {
					packed = record.BodyRef.Packed
				}
				if inline != tt.inline || packed != tt.packed {
					t.Errorf(
						"inline %t, packed %t; want %t, %t", inline, packed, tt.inline, tt.packed,
					)
				}
			})
		})
	}
}

// A message with a small body that would take much memory is our own failure, or somebody's attack:
// it is set aside, and no endpoint gets a part of it.
func TestABodyThatGrowsTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		bomb := relay.Event{
			ID: relay.EventID("", "app", "1"), Receipt: "r", Source: "app", ReceivedAt: time.Now(),
			Packed: format.Deflate(make([]byte, relay.MaxPackedBodyBytes+1)),
		}
		for _, m := range relay.FirstAttempts(bomb, []string{"a"}) {
			if err := relay.Send(t.Context(), &r.delivery, m); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			r.pump()
			time.Sleep(time.Hour)
		}
		if len(r.poster.posts) > 0 || r.poison.Len() != 1 {
			t.Errorf("%d POSTs, %d messages set aside", len(r.poster.posts), r.poison.Len())
		}
	})
}

// verifySignature checks a POST with the Standard Webhooks library.
func verifySignature(t *testing.T, p relay.Post) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(endpointSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for name, value := range p.Header {
		h.Set(name, value)
	}
	if err := wh.Verify(p.Body, h); err != nil {
		t.Error(err)
	}
}

func TestOutboundHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		cat, revision, _ := r.catalog.LoadCatalog(t.Context())
		cat.Endpoints[0].Header = map[string]string{
			"x-env": "prod", "authorization": "Bearer theirs",
		}
		if err := r.catalog.ReplaceCatalog(t.Context(), cat, revision); err != nil {
			t.Fatal(err)
		}
		answer, err := r.receiver.Receive(t.Context(), relay.Inbound{
			Source: "app", Method: "POST", Body: []byte("{}"), ReceivedAt: time.Now(),
			Header: relay.Header{
				"authorization": "Bearer " +
					bearerToken, "webhook-id": "1", "webhook-type": "order.paid",
				"content-type": "application/vnd.acme+json", "content-encoding": "identity",
				"x-acme-tenant":    "7",
				"x-acme-signature": "s", "cookie": "c=1", "connection": "close, X-Hop",
				"x-hop": "1", "host": "in.example.com",
				"user-agent": "acme/1", "accept-encoding": "gzip", "x-forwarded-for": "192.0.2.1",
				"proxy-authorization": "x",
				"content-length":      "2", "relay-source": "forged",
				"webhook-signature": "v1,forged",
				"traceparent":       "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				"tracestate":        "acme=1",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.pump()
		got := r.poster.posts[0].Header
		trace := got["traceparent"]
		if !strings.HasPrefix(trace, "00-0af7651916cd43dd8448eb211c80319c-") ||
			strings.Contains(trace, "b7ad6b7169203331") {
			t.Errorf("traceparent %s is not a child of the partner's", trace)
		}
		want := relay.Header{
			"content-type": "application/vnd.acme+json", "content-encoding": "identity",
			"x-acme-tenant": "7", "tracestate": "acme=1",
			"x-env": "prod", "authorization": "Bearer theirs", "user-agent": relay.UserAgent,
			"traceparent":  trace,
			"relay-source": "app", "relay-event-type": "order.paid", "relay-trust": "authenticated",
			"relay-attempt": "1",
			"webhook-id":    answer.EventID, "webhook-timestamp": got["webhook-timestamp"],
			"webhook-signature": got["webhook-signature"],
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})
}

// The signature of one delivery, computed independently with: printf '%s' "$id.$time.$body" |
// openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64
func TestDeliverySignatureVector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a") // a bubble's clock begins at 2000-01-01T00:00:00Z
		event := r.mustPost("vector", "", `{"test": 2432232314}`)
		r.pump()
		h := r.poster.posts[0].Header
		got := event + " " + h["webhook-timestamp"] + " " + h["webhook-signature"]
		if want := "evt_rma5j74f2gdwq3atz3vwdyvb2kl6mxje 946684800 v1,fnrwleJeHSY8ZNRVPwKbB2JvZ4oFd6AdV0acqwPDDMo="; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	ok := relay.Header{"authorization": "Bearer " + bearerToken}
	tests := map[string]struct {
		in   relay.Inbound
		want error
	}{
		"unknown source": {
			relay.Inbound{Source: "nobody", Method: "POST", Header: ok}, catalog.ErrNotFound,
		},
		"wrong method": {
			relay.Inbound{Source: "app", Method: "GET", Header: ok}, verify.ErrMethod,
		},
		"no signature": {relay.Inbound{Source: "app", Method: "POST"}, verify.ErrMissing},
		"wrong token": {
			relay.Inbound{
				Source: "app", Method: "POST", Header: relay.Header{"authorization": "Bearer x"},
			},
			verify.ErrMismatch,
		},
		"body over limit": {
			relay.Inbound{
				Source: "app", Method: "POST", Header: ok,
				Body: make([]byte, relay.DefaultMaxBodyBytes+1),
			},
			relay.ErrTooLarge,
		},
		"no source at all": {relay.Inbound{Method: "POST", Header: ok}, catalog.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil, "a")
			answer, err := r.receiver.Receive(t.Context(), tt.in)
			if !errors.Is(err, tt.want) || answer.EventID != "" {
				t.Errorf("got %+v, %v; want %v", answer, err, tt.want)
			}
			if n := r.ingest.Len(); n != 0 {
				t.Errorf("%d messages in the ingest queue", n)
			}
			if rep := r.reports.received; len(rep) != 1 || !errors.Is(rep[0].Err, tt.want) {
				t.Errorf("reported %+v", rep)
			}
		})
	}
}

func TestReceiveIsUnavailableWhileAStoreIsDown(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", relay.MaxPackedBodyBytes+1)
	tests := map[string]struct {
		body string
		wrap func(ports) ports
	}{
		"queue":   {"{}", func(p ports) ports { p.ingest = brokenQueue{}; return p }},
		"bodies":  {large, func(p ports) ports { p.bodies = brokenBodies{}; return p }},
		"catalog": {"{}", func(p ports) ports { p.sources = brokenSources{}; return p }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil, "a")
			r.build(tt.wrap)
			if _, err := r.post("1", "", tt.body); !errors.Is(err, relay.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if n := r.ingest.Len(); n != 0 {
				t.Errorf("%d messages in the ingest queue", n)
			}
		})
	}
}

func TestDuplicateWebhookIsRoutedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		first := r.mustPost("same", "", "{}")
		second := r.mustPost("same", "", "{}")
		other := r.mustPost("other", "", "{}")
		r.pump()
		if first != second || first == other {
			t.Errorf("ids %s, %s and %s", first, second, other)
		}
		want := map[relay.RouteResult]int{relay.Routed: 2, relay.Duplicate: 1}
		if diff := cmp.Diff(want, r.reports.results()); diff != "" || len(r.poster.posts) != 2 {
			t.Errorf("%d POSTs; routed (-want +got):\n%s", len(r.poster.posts), diff)
		}
		time.Sleep(relay.DefaultRetention + time.Minute)
		r.mustPost("same", "", "{}")
		r.pump()
		if len(r.poster.posts) != 3 {
			t.Error("a delivery id is still refused after the retention")
		}
	})
}

// Mailgun signs a token, and nothing of the event. A copy with another event has the same token,
// and counts as the same webhook.
func TestReplayedMailgunTokenMakesNoSecondEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		mail := catalog.Source{
			Name: "mail", Verify: verify.Config{Provider: "mailgun"}, Secrets: []string{"key"},
		}
		r.edit(func(c *catalog.Catalog) {
			c.Sources = append(c.Sources, mail)
			c.Subscriptions = append(
				c.Subscriptions, catalog.Subscription{Source: mail.Name, Endpoint: "a"},
			)
		})
		v, err := verify.New(mail.Verify, mail.Secrets)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := v.Sign(
			verify.Webhook{Body: []byte(`{"event-data":{"event":"delivered"}}`)}, time.Now(),
		)
		if err != nil {
			t.Fatal(err)
		}
		other := bytes.Replace(signed.Body, []byte("delivered"), []byte("failed"), 1)
		for _, body := range [][]byte{signed.Body, other} {
			in := relay.Inbound{
				Source: mail.Name, Method: "POST", Header: signed.Header, Body: body,
				ReceivedAt: time.Now(),
			}
			if _, err := r.receiver.Receive(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			r.pump()
		}
		want := map[relay.RouteResult]int{relay.Routed: 1, relay.Duplicate: 1}
		if diff := cmp.Diff(want, r.reports.results()); diff != "" || len(r.poster.posts) != 1 ||
			!bytes.Contains(r.poster.posts[0].Body, []byte("delivered")) {
			t.Errorf("%d POSTs; routed (-want +got):\n%s", len(r.poster.posts), diff)
		}
	})
}

func TestRetriesFollowTheScheduleUntilDeath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// the default schedule: 10 attempts in about 75 hours, most waits over 15 minutes
		r := newRig(t, nil, "a")
		r.poster.failTimes("a", 99)
		event := r.mustPost("1", "", "{}")
		began := time.Now()
		r.pump()
		d := r.deliveryOf(event, "a")
		if d.Status != relay.Dead || d.Attempts != 10 || len(d.History) != 10 {
			t.Fatalf("after all: %s with %d attempts", d.Status, d.Attempts)
		}
		if took := time.Since(began); took < 75*time.Hour || took > 84*time.Hour {
			t.Errorf("ten attempts took %v", took)
		}
		for attempt, n := range r.poster.attempts() {
			if n != 1 {
				t.Errorf("attempt %s POSTed %d times", attempt, n)
			}
		}
		dead := openOf(t, &r.ledger, "a", relay.Dead)
		if len(dead) != 1 || r.dead.Len() != 1 || r.poison.Len() != 0 {
			t.Errorf(
				"%d dead listed, %d in the dead queue, %d poison", len(dead), r.dead.Len(),
				r.poison.Len(),
			)
		}

		r.poster.failTimes("a", 1) // the endpoint fails once more
		r.dead.Move(&r.retry)
		r.pump()
		d = r.deliveryOf(event, "a")
		if d.Status != relay.Delivered || d.Attempts != 12 {
			t.Errorf(
				"after redrive: %s with %d attempts, want delivered with 12", d.Status, d.Attempts,
			)
		}
		if dead := openOf(t, &r.ledger, "a", relay.Dead); len(dead) != 0 {
			t.Errorf("still listed as dead: %+v", dead)
		}
	})
}

func TestAttemptsAreOnRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Second, time.Second}, "a")
		n := 0
		r.poster.answers["a"] = func(relay.Post) (relay.Reply, error) {
			time.Sleep(30 * time.Millisecond)
			switch n++; n {
			case 1:
				return relay.Reply{},
					&relay.PostError{Outcome: relay.TimedOut, Err: errors.New("no answer in 15s")}
			case 2:
				return relay.Reply{StatusCode: 302, Body: []byte("moved")}, nil
			}
			return relay.Reply{StatusCode: 204}, nil
		}
		event := r.mustPost("1", "order.paid", "{}")
		r.pump()
		d := r.deliveryOf(event, "a")
		want := []relay.Attempt{
			{
				Number: 1, Duration: 30 * time.Millisecond, Outcome: relay.TimedOut,
				Error: "no answer in 15s",
			},
			{
				Number: 2, Duration: 30 * time.Millisecond, Outcome: relay.FailedAnswer,
				StatusCode: 302, Response: []byte("moved"),
			},
			{Number: 3, Duration: 30 * time.Millisecond, Outcome: relay.Succeeded, StatusCode: 204},
		}
		for i := range d.History {
			d.History[i].At = time.Time{}
		}
		if diff := cmp.Diff(want, d.History); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if d.Status != relay.Delivered || d.Source != "app" || d.Type != "order.paid" {
			t.Errorf("record: %+v", d)
		}
	})
}

func TestMixedBatchLeavesEachMessageInOneState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{}, "up", "down") // a single attempt
		r.poster.answers["down"] = func(relay.Post) (relay.Reply, error) {
			return relay.Reply{},
				&relay.PostError{Outcome: relay.Unreachable, Err: errors.New("connection refused")}
		}
		for i := range 4 {
			r.mustPost(fmt.Sprint("good", i), "t", "{}")
		}
		r.mustPost("good0", "t", "{}")
		r.mustPost("large", "t", strings.Repeat("x", relay.MaxPackedBodyBytes+1))
		r.mustPost("binary", "t", "\x00\xff")
		ctx := t.Context()
		r.ingest.Send(
			ctx,
			[]relay.Outgoing{
				{Body: []byte("not json")}, {Body: []byte(`{"v":99}`)}, {Body: []byte(`{"v":1}`)},
			},
		)

		msgs, _ := r.ingest.Receive(ctx, 10)
		if len(msgs) != 10 {
			t.Fatalf("a batch of %d", len(msgs))
		}
		for i, a := range r.fanout.Process(ctx, msgs) {
			if a.Retry {
				t.Errorf("message %d goes back: %v", i, a)
			}
			_ = r.ingest.Ack(ctx, msgs[i])
		}
		r.pump()
		want := map[relay.RouteResult]int{relay.Routed: 6, relay.Duplicate: 1, relay.Unreadable: 3}
		if diff := cmp.Diff(want, r.reports.results()); diff != "" {
			t.Errorf("routed (-want +got):\n%s", diff)
		}
		up, down := 0, 0
		for _, rep := range r.reports.attempted {
			switch {
			case rep.Endpoint == "up" && rep.Status == relay.Delivered:
				up++
			case rep.Endpoint == "down" && rep.Status == relay.Dead:
				down++
			default:
				t.Errorf("unexpected: %+v", rep)
			}
		}
		if up != 6 || down != 6 || r.ingestDL.Len() != 3 || r.dead.Len() != 6 ||
			r.poison.Len() != 0 {
			t.Errorf(
				"%d delivered, %d dead, queues: %d ingest-dlq, %d dead, %d delivery-dlq", up, down,
				r.ingestDL.Len(), r.dead.Len(), r.poison.Len(),
			)
		}
	})
}

func TestUnreadableDeliveryMessageIsPutAside(t *testing.T) {
	t.Parallel()
	tests := map[string]relay.Message{
		"not json": {ID: "1", Body: []byte("junk"), Receives: 1},
		"no endpoint": {
			ID: "1", Body: []byte(`{"v":1,"attempt":1,"event":{"v":1}}`), Receives: 1,
		},
		"of a later version": {
			ID: "1", Body: []byte(`{"v":2,"endpoint":"a","attempt":1}`), Receives: 1,
		},
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil, "a")
			if a := r.deliverer.Process(t.Context(), []relay.Message{m})[0]; a.Retry {
				t.Errorf("goes back: %v", a)
			}
			aside, _ := r.poison.Receive(t.Context(), 10)
			if len(aside) != 1 || !bytes.Equal(aside[0].Body, m.Body) || len(r.poster.posts) != 0 {
				t.Errorf("put aside: %+v, POSTs: %d", aside, len(r.poster.posts))
			}
			if rep := r.reports.attempted; len(rep) != 1 || rep[0].Err == nil {
				t.Errorf("reported %+v", rep)
			}
		})
	}
}

// TestRedrivenMessageGoesOnWhereItStood: the handling of a message failed too often after its
// attempt was recorded, and the message is set aside. It is redriven with a new id and a receive
// count of 1. It must neither repeat the attempt nor leave the delivery waiting for ever.
func TestRedrivenMessageGoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	for name, schedule := range map[string][]time.Duration{
		"to be tried again": {2 * time.Hour}, "dead": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, schedule, "a")
				r.poster.failTimes("a", 1)
				r.build(func(p ports) ports {
					p.retry, p.scheduler, p.dead = brokenQueue{}, brokenScheduler{}, brokenQueue{}
					return p
				})
				event := r.mustPost("1", "", "{}")
				r.pump()
				if r.poison.Len() != 1 {
					t.Fatalf("%d messages put aside", r.poison.Len())
				}
				r.build(func(p ports) ports { return p })
				r.poison.Move(&r.delivery)
				r.pump()
				d := r.deliveryOf(event, "a")
				if want := 1 + len(schedule); d.Attempts != want || len(r.poster.posts) != want {
					t.Errorf(
						"%d attempts on record, %d POSTs, want %d", d.Attempts, len(r.poster.posts),
						want,
					)
				}
				if d.Status == relay.Dead && r.dead.Len() != 1 {
					t.Error("dead, and not in the dead queue")
				}
			})
		})
	}
}

// readable returns a delivery message of the endpoint "a".
func readable(t *testing.T) []byte {
	t.Helper()
	r := newRig(t, nil, "a")
	r.mustPost("1", "", "{}")
	r.consume(&r.ingest, nil, r.fanout.Process)
	msgs, _ := r.delivery.Receive(t.Context(), 1)
	return msgs[0].Body
}

func TestOurOwnFailureUsesUpNoAttempt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		wrap func(ports) ports
	}{
		"catalog down": {"{}", func(p ports) ports { p.endpoints = brokenEndpoints{}; return p }},
		"bodies down": {strings.Repeat("x", relay.MaxPackedBodyBytes+1), func(p ports) ports {
			p.bodies = brokenBodies{}
			return p
		}},
		"panic":          {"{}", func(p ports) ports { p.poster = panicking{}; return p }},
		"invocation end": {"{}", func(p ports) ports { p.poster = cancelled{}; return p }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, "a")
				event := r.mustPost("1", "", tt.body)
				r.consume(&r.ingest, nil, r.fanout.Process)
				r.build(tt.wrap)
				msgs, _ := r.delivery.Receive(t.Context(), 1)
				if a := r.deliverer.Process(t.Context(), msgs)[0]; !a.Retry {
					t.Fatal("the message was taken for done")
				}
				if _, ds, err := r.ledger.Event(t.Context(), event); err != nil || len(ds) > 0 {
					t.Errorf("an attempt is on record: %+v, %v", ds, err)
				}
				r.build(func(p ports) ports { return p })
				r.pump()
				if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
					t.Errorf("in the end: %+v", d)
				}
			})
		})
	}
}

func TestNoAttemptIsBegunThatCannotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		msgs, _ := r.delivery.Receive(t.Context(), 1)
		ctx, cancel := context.WithTimeout(t.Context(), catalog.DefaultEndpointTimeout)
		defer cancel()
		if a := r.deliverer.Process(ctx, msgs)[0]; !a.Retry || len(r.poster.posts) != 0 {
			t.Errorf("%d POSTs, error %v", len(r.poster.posts), a)
		}
	})
}

// slowBodies takes time to return a body.
type slowBodies struct {
	relay.Bodies
	takes time.Duration
}

func (b *slowBodies) Get(ctx context.Context, key string) ([]byte, error) {
	time.Sleep(b.takes)
	return b.Bodies.Get(ctx, key)
}

// TestNoAttemptIsBegunOnceTheBodyHasTakenTheTime: before the body was read there was enough time
// for an attempt; afterwards there is not.
func TestNoAttemptIsBegunOnceTheBodyHasTakenTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		bodies := &slowBodies{}
		r.build(func(p ports) ports { bodies.Bodies = p.bodies; p.bodies = bodies; return p })
		event := r.mustPost("1", "", strings.Repeat(" ", relay.MaxPackedBodyBytes+1))
		r.consume(&r.ingest, nil, r.fanout.Process)
		msgs, _ := r.delivery.Receive(t.Context(), 1)
		bodies.takes = 20 * time.Second
		ctx, cancel := context.WithTimeout(
			t.Context(), catalog.DefaultEndpointTimeout+25*time.Second,
		)
		defer cancel()
		if a := r.deliverer.Process(ctx, msgs)[0]; !a.Retry || a.After != 0 ||
			len(r.poster.posts) != 0 {
			t.Errorf("%d POSTs, %+v", len(r.poster.posts), a)
		}
		bodies.takes = 0
		msgs[0].Receives++
		if a := r.deliverer.Process(t.Context(), msgs)[0]; a.Retry {
			t.Error(a)
		}
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("in the end: %+v", d)
		}
	})
}

func TestEndpointGoneFromTheCatalog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		_, revision, _ := r.catalog.LoadCatalog(t.Context())
		if err := r.catalog.ReplaceCatalog(t.Context(), catalog.Catalog{}, revision); err != nil {
			t.Fatal(err)
		}
		r.pump()
		d := r.deliveryOf(event, "a")
		if d.Status != relay.Dead || d.History[0].Outcome != relay.Skipped ||
			len(r.poster.posts) != 0 {
			t.Errorf("%d POSTs, record %+v", len(r.poster.posts), d)
		}
	})
}

func TestSchedulerDownMeansHops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{10 * time.Hour}, "a")
		r.build(func(p ports) ports { p.scheduler = brokenScheduler{}; return p })
		r.poster.failTimes("a", 1)
		event := r.mustPost("1", "", "{}")
		began := time.Now()
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 2 {
			t.Errorf("record %+v", d)
		}
		if took := time.Since(began); took < 10*time.Hour || took > 11*time.Hour+15*time.Minute {
			t.Errorf("the second attempt came after %v", took)
		}
	})
}

func TestLostRetryMessageIsReplacedWhenOverdue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Minute}, "a")
		r.poster.failTimes("a", 1)
		event := r.mustPost("1", "", "{}")
		r.consume(&r.ingest, nil, r.fanout.Process)
		copies, _ := r.delivery.Receive(t.Context(), 1)
		r.deliverer.Process(t.Context(), copies)
		lost, _ := r.retry.Receive(t.Context(), 1)
		if len(lost) != 0 {
			t.Fatal("the retry is due already")
		}
		time.Sleep(2 * time.Minute)
		lost, _ = r.retry.Receive(t.Context(), 1)
		_ = r.retry.Ack(t.Context(), lost[0]) // gone

		redriven := relay.Message{ID: "redriven", Body: copies[0].Body, Receives: 1, Resent: true}
		r.deliverer.Process(t.Context(), []relay.Message{redriven})
		if n := r.retry.Len(); n != 0 {
			t.Fatalf("%d retries sent while the first may still come", n)
		}
		time.Sleep(time.Hour)
		r.deliverer.Process(t.Context(), []relay.Message{redriven})
		_ = r.delivery.Ack(t.Context(), copies[0])
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 2 ||
			len(r.poster.posts) != 2 {
			t.Errorf("%d POSTs, record %+v", len(r.poster.posts), d)
		}
	})
}
