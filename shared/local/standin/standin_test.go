package standin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/local/standin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/transform"
)

// next is a Poster for what is not sent to a destination.
type next struct{ posts []relay.Post }

func (n *next) Post(_ context.Context, p relay.Post) (relay.Reply, error) {
	n.posts = append(n.posts, p)
	return relay.Reply{StatusCode: 418}, nil
}

func to(endpoint, id, body string) relay.Post {
	return relay.Post{Body: []byte(body), To: &relay.Destination{
		Destination: destination.Destination{Kind: destination.SQS, ARN: "arn:" + endpoint},
		Message: destination.Message{
			Endpoint: endpoint, Attempt: 2, Event: transform.Event{ID: id},
		},
	}}
}

func TestWhatWasSent(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), &next{}
	p := standin.New(dir, n)
	if got, err := standin.Sent(dir, "orders"); err != nil || got != nil {
		t.Errorf("nothing was sent: %v, %v", got, err)
	}
	reply, err := p.Post(t.Context(), to("acme/orders", "evt_1", `{"a":"\n"}`))
	if err != nil || reply.Result == nil || reply.Result.Verdict != destination.Accepted ||
		reply.StatusCode != 200 {
		t.Errorf("%+v, %v", reply, err)
	}
	got, err := standin.Sent(dir, "acme/orders")
	if err != nil || len(got) != 1 || got[0].Request != `{"a":"\n"}` ||
		got[0].EventID != "evt_1" || got[0].ARN != "arn:acme/orders" || got[0].Attempt != 2 ||
		got[0].At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if reply, err = p.Post(t.Context(), relay.Post{URL: "https://a.example.com"}); err != nil ||
		reply.StatusCode != 418 || len(n.posts) != 1 {
		t.Errorf("%+v, %v", reply, err)
	}
}

// TestOnlyTheLastAreKept, also of large messages, and also if they come at once.
func TestOnlyTheLastAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := standin.New(dir, &next{})
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			for range 60 {
				if _, err := p.Post(t.Context(), to("many", fmt.Sprint(i), "{}")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got, err := standin.Sent(dir, "many"); err != nil || len(got) != standin.Most {
		t.Errorf("%d, %v", len(got), err)
	}
	for i := range 12 {
		body := strings.Repeat("x", 4<<20)
		if _, err := p.Post(t.Context(), to("large", fmt.Sprint(i), body)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := standin.Sent(dir, "large")
	if err != nil || len(got) != 3 || got[2].EventID != "11" {
		t.Errorf("%d, %v", len(got), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "sent", "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
}
