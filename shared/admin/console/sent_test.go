package console_test

import (
	"errors"
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/relay/access"
)

// TestOptionsOfADestination are on the page of its endpoint.
func TestOptionsOfADestination(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put("", "/v1/endpoints/logs", map[string]any{
		"url":    "arn:aws:logs:eu-central-1:123456789012:log-group:/hooks",
		"stream": "<{type}>", "claim": "s3", "envelope": "raw",
	})
	r.put("", "/v1/endpoints/greet", map[string]any{
		"url": "arn:aws:lambda:eu-central-1:123456789012:function:greet", "wait": true,
	})
	b := r.signedIn(access.Read, "")
	for path, wants := range map[string][]string{
		"logs":  {"Log stream", "<{type}>", "Claim", "Envelope"},
		"greet": {"Waits", "for the end"},
	} {
		got := html.UnescapeString(text(b.get("/endpoints/" + path)))
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s", path, want)
			}
		}
	}
}

// TestWhatAStandInGot is on the page of an endpoint with a destination, the newest first.
func TestWhatAStandInGot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	r.put("", "/v1/endpoints/archive", map[string]any{"url": "s3://archive/{id}.json"})
	b := r.signedIn(access.Read, "")
	const title = "What the stand-in got"
	if got := text(b.get("/endpoints/archive")); !strings.Contains(got, title) ||
		!strings.Contains(got, "It got nothing yet.") {
		t.Error(got)
	}
	r.sent = map[string][]console.Sent{"shop": {{Event: "evt_other"}}}
	for i := range 30 {
		r.sent["archive"] = append(r.sent["archive"], console.Sent{
			At: time.Now(), Event: fmt.Sprint("evt_", i), Attempt: 3,
			To:      fmt.Sprintf("arn:aws:s3:::archive/evt_%d.json", i),
			Content: fmt.Sprintf(`{"n":%d,"x":"<script>alert(1)</script>"}`, i),
		})
	}
	raw := text(b.get("/endpoints/archive"))
	got := html.UnescapeString(raw)
	if strings.Index(got, "evt_29") > strings.Index(got, "evt_10") || strings.Contains(got, "/evt_9.json") ||
		!strings.Contains(got, "arn:aws:s3:::archive/evt_29.json") ||
		!strings.Contains(got, `"n": 29`) {
		t.Errorf("%s", got)
	}
	if strings.Contains(raw, "<script>alert") {
		t.Error("a message is a part of the page")
	}
	for _, path := range []string{"/endpoints/shop", "/~acme/endpoints/theirs"} {
		if a := b.get(path); a.Code != 200 || strings.Contains(text(a), title) {
			t.Errorf("%s: %d %s", path, a.Code, text(a))
		}
	}
	r.sentErr = errors.New("the file is broken")
	if a := b.get("/endpoints/archive"); a.Code != 500 {
		t.Errorf("%d", a.Code)
	}
}
