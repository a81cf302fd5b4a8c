package destination_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination"
)

var aClaim = destination.Claim{
	URL: "https://bodies.s3.example.com/claim/1?X-Amz-Signature=a&b=c", Bucket: "bodies",
	Key: "claim/1", Expires: time.Date(2026, 12, 1, 0, 0, 0, 5, time.UTC),
}

// TestClaimed: what is too large for each kind is sent as a pointer that every kind takes.
func TestClaimed(t *testing.T) {
	t.Parallel()
	large := `{"text":"` + strings.Repeat("x", 9_000_000) + `x\n"}`
	sum := sha256.Sum256([]byte(large))
	want := map[string]any{
		"id": "evt_1", "type": "order.paid", "source": "shop", "trust": "verified",
		"time": "2026-11-30T12:34:56.789Z", "claim": map[string]any{
			"url": aClaim.URL, "expires": "2026-12-01T00:00:00Z", "bucket": "bodies",
			"key": "claim/1", "size": 9000014.0, "contentType": "application/json",
			"sha256": hex.EncodeToString(sum[:]),
		},
	}
	for _, arn := range []string{queue, fifo, topic, bus, function, machine, delivery, group} {
		m := message(large)
		d, o := parsed(t, arn), destination.Options{
			Envelope: destination.Raw, Claim: destination.ClaimS3,
		}
		if _, err := d.Request(m, o); !errors.Is(err, destination.ErrTooLarge) || !o.HasClaims() ||
			!d.Kind.HasOption("claim") {
			t.Errorf("%s: %v", arn, err)
		}
		content, contentType, err := d.Content(m, o)
		if err != nil || string(content) != string(m.Event.Body) {
			t.Errorf("%s: %v, %d bytes", arn, err, len(content))
		}
		r, err := d.Request(m.Claimed(content, contentType, aClaim), o)
		if err != nil {
			t.Errorf("%s: %v", arn, err)
		}
		body := decoded(t, r)
		sent, attribute := "", ""
		switch arn {
		case queue, fifo:
			sent, _ = body["MessageBody"].(string)
			attribute = "relay-claim"
		case topic:
			sent, _ = body["Message"].(string)
			attribute = "relay-claim"
		case bus:
			entry, _ := body["Entries"].([]any)[0].(map[string]any)
			sent, _ = entry["Detail"].(string)
		case function:
			sent = string(r.Body)
		case machine:
			sent, _ = body["input"].(string)
		case delivery:
			sent = string(r.Plain)
		case group:
			entry, _ := body["logEvents"].([]any)[0].(map[string]any)
			sent, _ = entry["message"].(string)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(sent), &got); err != nil {
			t.Fatalf("%s: %v: %s", arn, err, sent)
		}
		if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(string(r.Body), attribute) {
			t.Errorf("%s (-want +got):\n%s\n%s", arn, diff, r.Body)
		}
	}
}

// TestContentOfAnEnvelope: the whole envelope is stored, as it would have been sent.
func TestContentOfAnEnvelope(t *testing.T) {
	t.Parallel()
	m := message(`{"n":1}`)
	m.Event.Header["content-type"] = "text/json"
	content, contentType, err := parsed(t, machine).Content(m, destination.Options{})
	if err != nil || !strings.HasPrefix(string(content), `{"id":"evt_1"`) ||
		contentType != "application/json" {
		t.Errorf("%v %s %s", err, contentType, content)
	}
	if parsed(t, bucket).Kind.HasOption("claim") {
		t.Error("a bucket takes any size")
	}
}
