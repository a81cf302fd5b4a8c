package relay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

// runner is a transform.Runner of a test.
type runner func(program string, event []byte) ([][]byte, error)

func (r runner) Run(_ context.Context, program string, event []byte) ([][]byte, error) {
	return r(program, event)
}

// newShapingRig returns a rig with the endpoint "a" that gets what spec makes of the webhooks of
// "app".
func newShapingRig(t *testing.T, spec string, more ...string) *rig {
	t.Helper()
	r := newRig(t, []time.Duration{time.Minute}, append([]string{"a"}, more...)...)
	r.send1(spec)
	return r
}

// send1 sets the transform of the endpoint "a".
func (r *rig) send1(spec string) {
	r.edit(func(c *catalog.Catalog) {
		for i := range c.Endpoints {
			if c.Endpoints[i].Name == "a" {
				c.Endpoints[i].Sends = map[string]string{"app": spec}
			}
		}
	})
}

func TestTransformedRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newShapingRig(t, `{"body":{"n":"{data.n}","type":"{type}"},"method":"PUT",
			"path":"/v2/{data.id}","query":{"k":"{id}"},"headers":{"X-Kind":"{type}"}}`, "b")
		r.edit(func(c *catalog.Catalog) {
			c.Endpoints[0].URL = "https://a.example.com/hooks?x=1"
		})
		event := r.mustPost("1", "push", `{"n":12345678901234567890,"id":"a/b"}`)
		r.pump()
		if len(r.poster.posts) != 2 {
			t.Fatalf("%d posts", len(r.poster.posts))
		}
		for _, p := range r.poster.posts {
			if host(p) == "b" {
				if string(p.Body) != `{"n":12345678901234567890,"id":"a/b"}` || p.Method != "" {
					t.Errorf("the other endpoint gets %s %s", p.Method, p.Body)
				}
				continue
			}
			if p.Method != "PUT" || p.URL != "https://a.example.com/hooks/v2/a%2Fb?x=1&k="+event ||
				string(p.Body) != `{"n":12345678901234567890,"type":"push"}` ||
				p.Header["x-kind"] != "push" || p.Header["content-type"] != "application/json" ||
				p.Header["webhook-id"] != event {
				t.Errorf("%s %s %s %v", p.Method, p.URL, p.Body, p.Header)
			}
			verifySignature(t, p)
		}
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("record %+v", d)
		}
	})
}

// TestHeadersOfTheOldBody: a compressed form becomes JSON, so its headers must not stay.
func TestHeadersOfTheOldBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newShapingRig(t, `{"body":"{data.a}"}`)
		var body bytes.Buffer
		w := gzip.NewWriter(&body)
		_, _ = w.Write([]byte(`{"a":"` + strings.Repeat("x", 50_000) + `"}`))
		_ = w.Close()
		in := inbound("1", "", body.String())
		in.Header["content-encoding"], in.Header["x-other"] = "gzip", "1"
		if _, err := r.receiver.Receive(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		r.pump()
		p := r.poster.posts[0]
		if p.Header["content-encoding"] != "" || p.Header["x-other"] != "1" ||
			len(p.Body) != 50_002 {
			t.Errorf("%d bytes, %v", len(p.Body), p.Header)
		}
	})
}

// TestATransformThatFails: the delivery is dead at once, nothing is sent, and a replay uses today's
// transform on the stored original.
func TestATransformThatFails(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 1, "large": 100_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newShapingRig(t, `{"body":"{data.a / 0}"}`)
				event := r.mustPost("1", "", `{"a":1,"b":"`+strings.Repeat("x", size)+`"}`)
				r.pump()
				d := r.deliveryOf(event, "a")
				last := d.History[0]
				if d.Status != relay.Dead || d.Reason != relay.TransformFailed || d.Attempts != 1 ||
					last.Outcome != relay.Skipped || last.Error != "1 is divided by 0" {
					t.Errorf("record %+v", d)
				}
				if len(r.poster.posts) != 0 {
					t.Errorf("sent %v", r.poster.posts)
				}
				r.send1(`{"body":"{data.a * 2}"}`)
				if err := r.replay(event, "a"); err != nil {
					t.Fatal(err)
				}
				r.pump()
				if len(r.poster.posts) != 1 || string(r.poster.posts[0].Body) != "2" {
					t.Errorf("sent %v", r.poster.posts)
				}
				if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Reason != "" {
					t.Errorf("record %+v", d)
				}
			})
		})
	}
}

// TestATransformMendedAMomentAgo: a death never rests on an old copy of the catalog.
func TestATransformMendedAMomentAgo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newShapingRig(t, `{"body":"{data.a / 0}"}`)
		r.mustPost("1", "", `{"b":1}`) // the endpoint is cached from here on
		r.pump()
		r.send1(`{"body":"{data.a}"}`)
		event := r.mustPost("2", "", `{"a":7}`)
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered {
			t.Errorf("record %+v", d)
		}
		if got := string(r.poster.posts[1].Body); got != "7" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestNothingToSend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newShapingRig(t, `{"jq":"select(.data.a)"}`)
		r.jq = runner(func(program string, event []byte) ([][]byte, error) {
			if program != "select(.data.a)" {
				t.Errorf("runs %s", program)
			}
			if bytes.Contains(event, []byte(`"data":{"a":1}`)) {
				return [][]byte{[]byte("1")}, nil
			}
			return nil, nil
		})
		r.build(func(p ports) ports { return p })
		sent, skipped := r.mustPost("1", "", `{"a":1}`), r.mustPost("2", "", `{}`)
		r.pump()
		if d := r.deliveryOf(sent, "a"); d.Status != relay.Delivered {
			t.Errorf("record %+v", d)
		}
		d := r.deliveryOf(skipped, "a")
		if d.Status != relay.Unneeded || d.Reason != "" || d.Attempts != 1 ||
			d.History[0].Outcome != relay.Skipped || !d.NextAt.IsZero() {
			t.Errorf("record %+v", d)
		}
		if len(r.poster.posts) != 1 || string(r.poster.posts[0].Body) != "1" {
			t.Errorf("sent %v", r.poster.posts)
		}
		time.Sleep(3 * time.Hour)
		if report := r.sweep(); report.Unneeded != 1 || report.Delivered != 1 ||
			report.Unaccounted() != 0 || report.PutBack != 0 {
			t.Errorf("swept %+v", report)
		}
		if err := r.replay(skipped, "a"); err != nil {
			t.Errorf("a delivery without an attempt cannot be replayed: %v", err)
		}
	})
}

// TestOurFailureToRunJQ uses up no attempt: the message comes back.
func TestOurFailureToRunJQ(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newShapingRig(t, `{"jq":"."}`)
		failures := 2
		r.jq = runner(func(string, []byte) ([][]byte, error) {
			if failures--; failures >= 0 {
				return nil, errors.New("the process does not start")
			}
			return [][]byte{[]byte("1")}, nil
		})
		r.build(func(p ports) ports { return p })
		event := r.mustPost("1", "", `{}`)
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
			t.Errorf("record %+v", d)
		}
	})
}

// TestFailuresInARow: the tenth tells the operator, once, and a success begins the count anew.
func TestFailuresInARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRig(t, nil, "subscription.*")
		r.send1(`{"body":"{data.a / data.b}"}`)
		post := func(from, to int, body string) {
			for i := from; i < to; i++ {
				r.mustPost(fmt.Sprint(i), "", body)
			}
			r.pump()
		}
		post(0, relay.FailuresInARow-1, `{"a":1,"b":0}`)
		post(50, 51, `{"a":1,"b":1}`)
		post(100, 100+relay.FailuresInARow-1, `{"a":1,"b":0}`)
		if got := r.notices(); len(got) != 0 {
			t.Errorf("told too early: %v", got)
		}
		post(200, 205, `{"a":1,"b":0}`)
		got := r.notices()
		if len(got) != 1 || got[0].Type != "subscription.failing" {
			t.Fatalf("told %v", got)
		}
		delete(got[0].Data, "eventId")
		if diff := cmp.Diff(map[string]any{
			"source": "app", "endpoint": "a", "reason": "transform", "error": "1 is divided by 0",
		}, got[0].Data); diff != "" {
			t.Error(diff)
		}
	})
}

// TestATransformTakesNoTurn: an event for which the transform fails is no probe of an open endpoint
// and takes nothing of its limits.
func TestATransformTakesNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newShapingRig(t, `{"body":"{data.a / data.b}"}`)
		r.change(func(e *catalog.Endpoint) { e.RateLimit, e.RatePer = 1, time.Minute })
		began := time.Now()
		for i := range 20 {
			r.mustPost(fmt.Sprint(i), "", `{"a":1,"b":0}`)
		}
		good := r.mustPost("good", "", `{"a":1,"b":1}`)
		r.pump()
		if d := r.deliveryOf(good, "a"); d.Status != relay.Delivered ||
			d.History[0].At.Sub(began) > time.Minute {
			t.Errorf("record %+v", d)
		}
	})
}

var _ transform.Runner = runner(nil)
