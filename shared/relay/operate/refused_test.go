package operate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// counted counts the writes of documents.
type counted struct {
	*memory.Documents
	writes atomic.Int64
	put    func() error // nil: it works
}

func (c *counted) PutDocument(
	ctx context.Context, collection string, d operate.Document, base int64,
) (int64, error) {
	c.writes.Add(1)
	if c.put != nil {
		if err := c.put(); err != nil {
			return 0, err
		}
	}
	return c.Documents.PutDocument(ctx, collection, d, base)
}

type silent struct{}

func (silent) Received(context.Context, relay.ReceiveReport)  {}
func (silent) Routed(context.Context, relay.RouteReport)      {}
func (silent) Attempted(context.Context, relay.AttemptReport) {}

// gatehouse is a receiver with the source "hub" that keeps refused requests.
func gatehouse(t *testing.T, documents operate.Documents) *relay.Receiver {
	t.Helper()
	var catalogs memory.Catalog
	if err := catalogs.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{
		{Name: "hub", Verify: verify.Config{Provider: "github"}, Secrets: []string{"hub-secret"}},
	}}, 0); err != nil {
		t.Fatal(err)
	}
	return lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &memory.Queue{}, Bodies: &memory.Bodies{}, Reporter: silent{},
		Refusals: operate.NewRefused(documents, time.Now),
	}))
}

func refuse(t *testing.T, r *relay.Receiver, source string, header relay.Header) error {
	t.Helper()
	_, err := r.Receive(t.Context(), relay.Inbound{
		Source: source, Method: "POST", RemoteIP: "192.0.2.1", Header: header,
		Body: []byte(`{"secret": "of somebody"}`), ReceivedAt: time.Now(),
	})
	if err == nil {
		t.Fatal("it was accepted")
	}
	return err
}

func listed(t *testing.T, documents operate.Documents, tenant string) []operate.RefusedEntry {
	t.Helper()
	var all []operate.RefusedEntry
	for from, more := "", true; more; more = from != "" {
		some, next, err := operate.RefusedRequests(t.Context(), documents, tenant, from, 7)
		if err != nil {
			t.Fatal(err)
		}
		from, all = next, append(all, some...)
	}
	return all
}

func TestRefused_KeepsWhatHelpsAndNoBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		documents := &counted{Documents: &memory.Documents{}}
		r := gatehouse(t, documents)
		header := relay.Header{
			"x-hub-signature-256": "sha256=" + strings.Repeat("0", 64), "content-type": "json",
			"x-github-event": "push", "x-github-delivery": "1",
		}
		_ = refuse(t, r, "hub", header)
		want := []operate.RefusedEntry{{RefusedRequest: relay.RefusedRequest{
			Reason: relay.RefusedMismatch, Source: "hub", Method: "POST", RemoteIP: "192.0.2.1",
			Headers: []string{
				"content-type", "x-github-delivery", "x-github-event", "x-hub-signature-256",
			},
			BodyBytes: 25, At: time.Now().UTC(),
		}}}
		if diff := cmp.Diff(want, listed(t, documents, "")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for range 8 {
			_ = refuse(t, r, "hub", header)
		}
		time.Sleep(time.Minute)
		_ = refuse(t, r, "hub", header)
		if all := listed(t, documents, ""); len(all) != 2 || all[0].Others+all[1].Others != 8 {
			t.Errorf("%+v", all)
		}
		raw, _, err := documents.DocumentsIn(
			t.Context(), "refused/", operate.DocumentRange{Limit: 10},
		)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range raw {
			if strings.Contains(string(d.Body), "somebody") ||
				strings.Contains(string(d.Body), "sha256=") {
				t.Errorf("%s", d.Body)
			}
		}
		time.Sleep(8 * 24 * time.Hour)
		if all := listed(t, documents, ""); len(all) > 0 {
			t.Errorf("after eight days: %+v", all)
		}
	})
}

// A flood of forged requests and of requests to sources that do not exist, from an attacker who
// varies everything.
func TestRefused_AFloodCostsLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		documents := &counted{Documents: &memory.Documents{}}
		r := gatehouse(t, documents)
		const minutes, perMinute = 30, 600
		for i := range minutes * perMinute {
			header := relay.Header{fmt.Sprintf("x-%d", i): strings.Repeat("x", i%1000)}
			if i%2 == 0 {
				header["x-hub-signature-256"] = fmt.Sprint(i)
			}
			_ = refuse(
				t, r, []string{"hub", fmt.Sprint("acme/", i), fmt.Sprint("no", i)}[i%3], header,
			)
			time.Sleep(time.Minute / perMinute)
		}
		// two reasons at the source, and one for all that does not exist
		if n := documents.writes.Load(); n > 3*(minutes+1) || n < 2*minutes {
			t.Errorf("%d writes in %d minutes", n, minutes)
		}
		if all := listed(t, documents, ""); len(all) > 2*5+20 || len(all) < 20 {
			t.Errorf("%d are listed", len(all))
		}
		if all := listed(t, documents, "acme"); len(all) > 0 {
			t.Errorf("somebody else wrote into a tenant's list: %+v", all)
		}
	})
}

// However many kinds of refusals there are, an instance writes little.
func TestRefused_BoundsTheWritesOfAnInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		documents := &counted{Documents: &memory.Documents{}}
		s := operate.NewRefused(documents, time.Now)
		for i := range 10_000 {
			s.NoteRefused(t.Context(), relay.RefusedRequest{
				Reason: relay.RefusedMismatch, Source: fmt.Sprint("acme/s", i), At: time.Now(),
			})
			time.Sleep(60 * time.Millisecond)
		}
		if n := documents.writes.Load(); n > 10+100 || n < 90 {
			t.Errorf("%d writes in 10 minutes", n)
		}
		if all := listed(t, documents, "acme"); len(all) == 0 ||
			strings.Contains(all[0].Source, "/") {
			t.Errorf("%+v", all)
		}
	})
}

// A store that is down or hangs delays an answer now and then, by half a second.
func TestRefused_AStoreThatIsDownDoesNoHarm(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func() error{
		"down": func() error { return errors.New("down") },
		"hangs": func() error {
			time.Sleep(500 * time.Millisecond)
			return context.DeadlineExceeded
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				documents := &counted{Documents: &memory.Documents{}, put: put}
				r := gatehouse(t, documents)
				began := time.Now()
				for range 1000 {
					if err := refuse(t, r, "none", nil); !errors.Is(err, catalog.ErrNotFound) {
						t.Fatal(err)
					}
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("1,000 answers took %v", took)
				}
			})
		})
	}
}
