package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
)

const (
	aQueue = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
	aBus   = "arn:aws:events:eu-central-1:123456789012:event-bus/shop"
)

// newAimedRig returns a rig whose endpoint "a" sends to a destination.
func newAimedRig(t *testing.T, arn string, o destination.Options, schedule ...time.Duration) *rig {
	t.Helper()
	r := newRig(t, schedule, "a")
	r.aim(arn, o)
	return r
}

func (r *rig) aim(arn string, o destination.Options) {
	r.edit(func(c *catalog.Catalog) {
		c.Endpoints[0].URL, c.Endpoints[0].Destination = arn, &o
		c.Endpoints[0].Auth = &catalog.Auth{SigV4: &catalog.SigV4{
			Service: "sqs", Region: "eu-central-1",
		}}
	})
}

// answering makes the rig's poster answer as egress does for a destination.
func (r *rig) answering(answers ...relay.Reply) {
	n := 0
	for _, service := range []string{"sqs", "events"} {
		r.poster.answers[service+".eu-central-1.amazonaws.com/"] = func(
			relay.Post,
		) (relay.Reply, error) {
			reply := answers[min(n, len(answers)-1)]
			n++
			return reply, nil
		}
	}
}

func verdict(status int, v destination.Verdict, code string) relay.Reply {
	text := code
	if v != destination.Accepted {
		text += ": why"
	}
	return relay.Reply{
		StatusCode: status, Result: &destination.Result{Verdict: v, Code: code, Text: text},
	}
}

func sqsBody(t *testing.T, p relay.Post) (out struct {
	MessageBody       string
	Group             string `json:"MessageGroupId"`
	Once              string `json:"MessageDeduplicationId"`
	MessageAttributes map[string]struct{ StringValue string }
},
) {
	t.Helper()
	if err := json.Unmarshal(p.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDeliveryToADestination: attempts of one delivery have one deduplication id, and a replay has
// another one.
func TestDeliveryToADestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newAimedRig(t, aQueue, destination.Options{Group: "{data.c}"}, time.Minute)
		r.answering(
			verdict(200, destination.Failed, "InternalError"),
			verdict(400, destination.Accepted, ""),
		)
		event := r.mustPost("1", "paid", `{"c":7}`)
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 2 ||
			d.History[0].Outcome != relay.FailedAnswer || d.History[0].StatusCode != 200 ||
			d.History[0].Error != "InternalError: why" || d.History[1].Error != "" {
			t.Errorf("record %+v", d)
		}
		if err := r.replay(event, "a"); err != nil {
			t.Fatal(err)
		}
		r.pump()
		if len(r.poster.posts) != 3 {
			t.Fatalf("%d posts", len(r.poster.posts))
		}
		for i, once := range []string{event, event, event + "-3"} {
			p := r.poster.posts[i]
			got := sqsBody(t, p)
			if got.MessageBody != `{"c":7}` || got.Group != "7" ||
				got.Once != once || p.To.ARN != aQueue || p.Auth.SigV4 == nil ||
				got.MessageAttributes["webhook-id"].StringValue != event ||
				got.MessageAttributes["relay-source"].StringValue != "app" ||
				p.Header["webhook-signature"] != "" {
				t.Errorf("attempt %d: %s %v", i+1, p.Body, p.Header)
			}
		}
	})
}

// TestABucketOfTheRelay: an address without a region is in the relay's own, unless the endpoint
// names another.
func TestABucketOfTheRelay(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"": "eu-north-1", "eu-west-3": "eu-west-3"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, []time.Duration{time.Minute}, "a")
			r.region = "eu-north-1"
			r.build(func(p ports) ports { return p })
			r.aim("s3://archive/{source}/{date}/{id}.json", destination.Options{Region: region})
			r.poster.answers["s3."+want+".amazonaws.com/"] = func(relay.Post) (relay.Reply, error) {
				return verdict(200, destination.Accepted, ""), nil
			}
			event := r.mustPost("1", "paid", `{"c":7}`)
			r.pump()
			if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered {
				t.Fatalf("record %+v", d)
			}
			p := r.poster.posts[0]
			if p.Method != "PUT" || string(p.Body) != `{"c":7}` || p.Auth.SigV4.Region != want ||
				p.URL != "https://s3."+want+".amazonaws.com/archive/"+p.To.Request.Key ||
				p.To.Request.Key != "app/2000-01-01/"+event+".json" {
				t.Errorf("%s %s %+v %s", p.Method, p.URL, p.Auth.SigV4, p.Body)
			}
		})
	}
}

// claims are relay.Claims that keep what was stored.
type claims struct {
	stored    map[string]string
	downUntil time.Time
}

func (c *claims) Claim(
	_ context.Context, key, _ string, content []byte,
) (destination.Claim, error) {
	if time.Now().Before(c.downUntil) {
		return destination.Claim{}, errors.New("S3 is down")
	}
	c.stored[key] = string(content)
	return destination.Claim{URL: "https://s3.example.com/" + key, Key: key}, nil
}

// TestAClaim: what is too large for the service, or for the queue, is stored and a pointer is sent.
func TestAClaim(t *testing.T) {
	t.Parallel()
	tooLarge := verdict(400, destination.TooLarge, "InvalidParameterValue")
	accepted := verdict(200, destination.Accepted, "")
	for name, tt := range map[string]struct {
		size    int
		answers []relay.Reply
		posts   int // the last one is a pointer
	}{
		"for the service": {size: 1 << 20, answers: []relay.Reply{accepted}, posts: 1},
		"for the queue":   {size: 2000, answers: []relay.Reply{tooLarge, accepted}, posts: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, []time.Duration{time.Minute}, "a")
				kept := &claims{stored: map[string]string{}}
				r.claims = kept
				r.build(func(p ports) ports { return p })
				r.aim(aQueue, destination.Options{Claim: destination.ClaimS3})
				r.answering(tt.answers...)
				body := `{"a":"` + strings.Repeat("x", tt.size) + `"}`
				event := r.mustPost("1", "paid", body)
				r.pump()
				if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered || d.Attempts != 1 {
					t.Fatalf("record %+v", d)
				}
				if len(r.poster.posts) != tt.posts || len(kept.stored) != 1 {
					t.Fatalf("%d posts, %d stored", len(r.poster.posts), len(kept.stored))
				}
				last := r.poster.posts[tt.posts-1]
				got := sqsBody(t, last)
				for key, content := range kept.stored {
					if content != body || !strings.Contains(got.MessageBody, "example.com/"+key) ||
						got.MessageAttributes["relay-claim"].StringValue != "s3" ||
						got.Once != event ||
						!slices.Contains(last.Secrets, "https://s3.example.com/"+key) {
						t.Errorf("%s: %.100s", last.Body, content)
					}
				}
			})
		})
	}
}

// TestAClaimThatFails is our own failure: it costs no attempt. A pointer that is refused as too
// large ends the delivery.
func TestAClaimThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, []time.Duration{time.Minute}, "a")
		kept := &claims{stored: map[string]string{}, downUntil: time.Now().Add(time.Minute)}
		r.claims = kept
		r.build(func(p ports) ports { return p })
		r.aim(aQueue, destination.Options{Claim: destination.ClaimS3})
		r.answering(verdict(400, destination.TooLarge, "X"))
		event := r.mustPost("1", "paid", strings.Repeat("x", 1<<20))
		r.pump()
		if d := r.deliveryOf(event, "a"); d.Status != relay.Dead || d.Attempts != 1 ||
			d.Reason != relay.TooLarge || len(r.poster.posts) != 1 {
			t.Errorf("%d posts, record %+v", len(r.poster.posts), d)
		}
	})
}

// TestVerdicts: what a destination answers changes the delivery and the endpoint as
// docs/destinations.md says.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply       relay.Reply
		least, most time.Duration // between two attempts; zero: there is one only
		status      relay.Status
		reason      relay.Reason
	}{
		"accepted": {reply: verdict(200, destination.Accepted, ""), status: relay.Delivered},
		"failed": {
			reply: verdict(400, destination.Failed, "X"), least: time.Second, most: 2 * time.Second,
			status: relay.Delivered,
		},
		"gone, which is no 410 of an endpoint": {
			reply: verdict(410, destination.Failed, "X"), least: time.Second, most: 2 * time.Second,
			status: relay.Delivered,
		},
		"throttled": {
			reply: verdict(400, destination.Throttled, "X"), least: gate.OverloadPause,
			most: time.Minute, status: relay.Delivered,
		},
		"denied": {
			reply: verdict(403, destination.Denied, "AccessDenied"), least: 5 * time.Minute,
			most: 6 * time.Minute, status: relay.Delivered,
		},
		"too large": {
			reply:  verdict(400, destination.TooLarge, "X"),
			status: relay.Dead, reason: relay.TooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newAimedRig(t, aBus, destination.Options{}, time.Second, time.Hour)
				r.answering(tt.reply, verdict(200, destination.Accepted, ""))
				event := r.mustPost("1", "paid", `{"c":7}`)
				r.pump()
				d := r.deliveryOf(event, "a")
				waited := d.History[len(d.History)-1].At.Sub(d.History[0].At)
				if d.Status != tt.status || d.Reason != tt.reason || waited < tt.least ||
					waited > tt.most {
					t.Errorf("waited %s, record %+v", waited, d)
				}
			})
		})
	}
}

// TestWhatADestinationCannotTake dies without a request, and is sent after the endpoint was mended.
func TestWhatADestinationCannotTake(t *testing.T) {
	t.Parallel()
	raw := destination.Options{Envelope: destination.Raw}
	for name, tt := range map[string]struct {
		arn, body string
		options   destination.Options
		reason    relay.Reason
		text      string
	}{
		"not JSON":  {aBus, "plain", raw, relay.TransformFailed, "envelope: json"},
		"too large": {aQueue, strings.Repeat("x", 2<<20), raw, relay.TooLarge, "1048576"},
		"a failing text": {
			aQueue, `{"a":1}`, destination.Options{Group: "{data.a / 0}"}, relay.TransformFailed,
			"divided by 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newAimedRig(t, tt.arn, tt.options, time.Second)
				event := r.mustPost("1", "", tt.body)
				r.pump()
				d := r.deliveryOf(event, "a")
				if d.Status != relay.Dead || d.Reason != tt.reason || d.Attempts != 1 ||
					d.History[0].Outcome != relay.Skipped ||
					!strings.Contains(d.History[0].Error, tt.text) || len(r.poster.posts) != 0 {
					t.Errorf("record %+v, %d posts", d, len(r.poster.posts))
				}
				r.edit(func(c *catalog.Catalog) {
					c.Endpoints[0].URL, c.Endpoints[0].Destination = "https://a.example.com", nil
				})
				if err := r.replay(event, "a"); err != nil {
					t.Fatal(err)
				}
				r.pump()
				if d := r.deliveryOf(event, "a"); d.Status != relay.Delivered {
					t.Errorf("record %+v", d)
				}
			})
		})
	}
}

// TestATransformForADestination: what it makes is sent without an envelope.
func TestATransformForADestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newAimedRig(t, aBus, destination.Options{DetailType: "{type | upper}"}, time.Second)
		r.send1(`{"body":{"n":"{data.c}"}}`)
		r.answering(verdict(200, destination.Accepted, ""))
		r.mustPost("1", "paid", `{"c":7}`)
		r.pump()
		if len(r.poster.posts) != 1 ||
			!strings.Contains(string(r.poster.posts[0].Body), `"Detail":"{\"n\":7}"`) ||
			!strings.Contains(string(r.poster.posts[0].Body), `"DetailType":"PAID"`) {
			t.Errorf("sent %+v", r.poster.posts)
		}
	})
}
