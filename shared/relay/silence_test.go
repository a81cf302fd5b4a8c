package relay_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// watched is a relay whose sweep runs every hour and watches the sources.
type watched struct {
	*rig
	documents *countedDocuments
	sweeper   *operate.Sweeper
	posted    int
}

// countedDocuments count the calls, and refuse writes on demand.
type countedDocuments struct {
	memory.Documents
	lists, writes atomic.Int64
	refuse        bool
}

var errRefused = errors.New("refused")

func (d *countedDocuments) DocumentsIn(
	ctx context.Context, collection string, r operate.DocumentRange,
) ([]operate.Document, string, error) {
	if collection == "sources" {
		d.lists.Add(1)
	}
	return d.Documents.DocumentsIn(ctx, collection, r)
}

func (d *countedDocuments) PutDocument(
	ctx context.Context, collection string, doc operate.Document, base int64,
) (int64, error) {
	if d.refuse {
		return 0, errRefused
	}
	if collection == "sources" {
		d.writes.Add(1)
	}
	return d.Documents.PutDocument(ctx, collection, doc, base)
}

// newWatched returns a relay whose source expects a webhook within a time; zero: that is learned.
func newWatched(t *testing.T, expect time.Duration) *watched {
	t.Helper()
	w := &watched{rig: newOperatorRig(t, nil, "source.*"), documents: &countedDocuments{}}
	w.edit(func(c *catalog.Catalog) { c.Sources[0].Expect = expect })
	cfg := w.sweeperConfig()
	cfg.Documents, cfg.Catalogs, cfg.Notifier = w.documents, &w.catalog, w.notifier()
	w.sweeper = lab.Must(operate.NewSweeper(cfg))
	return w
}

// hour lets an hour pass, with webhooks at its beginning, and sweeps at its end.
func (w *watched) hour(webhooks int) {
	w.t.Helper()
	for range webhooks {
		w.posted++
		w.mustPost(time.Now().String()+string(rune('a'+w.posted%26)), "push", "{}")
	}
	w.pump()
	time.Sleep(time.Hour)
	if _, err := w.sweeper.Run(w.t.Context()); err != nil {
		w.t.Error(err)
	}
	w.pump()
}

// quietFor lets hours pass without a webhook.
func (w *watched) quietFor(hours int) {
	w.t.Helper()
	for range hours {
		w.hour(0)
	}
}

func (w *watched) pulse(tenant, source string) operate.Pulse {
	w.t.Helper()
	all, err := operate.Pulses(w.t.Context(), w.documents, tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return all[source]
}

// TestASilentSourceIsToldOnce: of each silence the beginning and the end, once each.
func TestASilentSourceIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2*time.Hour)
		w.quietFor(1)
		last := time.Now()
		w.hour(1)
		w.quietFor(1)
		if got := w.notices(); len(got) != 0 {
			t.Fatalf("after two hours: %+v", got)
		}
		w.quietFor(5)
		text := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
		want := []map[string]any{{
			"source": "app", "lastAt": text(last), "expectedBy": text(last.Add(2 * time.Hour)),
			"reason": "a webhook is expected every 2h0m0s",
		}}
		if diff := cmp.Diff(want, dataOf(w.notices())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if p := w.pulse("", "app"); !p.SilentSince.Equal(last) || !p.LastAt.Equal(last) {
			t.Errorf("%+v, want silent since %s", p, last)
		}
		again := time.Now()
		w.hour(1)
		want = append(want, map[string]any{
			"source": "app", "lastAt": text(again), "silentSince": text(last),
		})
		if diff := cmp.Diff(want, dataOf(w.notices())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.quietFor(8)
		types := []string{"source.silent", "source.resumed", "source.silent"}
		if diff := cmp.Diff(types, typesOf(w.notices())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func dataOf(notices []notice) (all []map[string]any) {
	for _, n := range notices {
		all = append(all, n.Data)
	}
	return all
}

// TestASourceWithoutAWebhook is silent only if one is expected.
func TestASourceWithoutAWebhook(t *testing.T) {
	t.Parallel()
	for expect, want := range map[time.Duration]int{0: 0, 24 * time.Hour: 1} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(t, expect)
			w.quietFor(24)
			if got := w.notices(); len(got) != 0 {
				t.Fatalf("%s, after a day: %+v", expect, got)
			}
			w.quietFor(60)
			got := w.notices()
			if len(got) != want {
				t.Fatalf("%s: %+v, want %d", expect, got, want)
			}
			if want == 1 && got[0].Data["lastAt"] != nil {
				t.Errorf("it never had a webhook: %+v", got)
			}
		})
	}
}

// TestSilenceIsLearned: after a week of a webhook an hour, ten hours are too long.
func TestSilenceIsLearned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 0)
		for range 8 * 24 {
			w.hour(1)
		}
		w.quietFor(9)
		if got := w.notices(); len(got) != 0 {
			t.Fatalf("too early: %+v", got)
		}
		w.quietFor(12)
		got := w.notices()
		if len(got) != 1 || got[0].Type != "source.silent" {
			t.Fatalf("%+v", got)
		}
		at, _ := time.Parse(time.RFC3339, got[0].Data["expectedBy"].(string))
		last, _ := time.Parse(time.RFC3339, got[0].Data["lastAt"].(string))
		if may := at.Sub(last); may < 8*time.Hour || may > 16*time.Hour {
			t.Errorf("it may be silent for %s, want some ten hours", may)
		}
	})
}

// TestNightsAndWeekendsAreUsual: an office's webhooks come from nine to five on five days a week.
func TestNightsAndWeekendsAreUsual(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 0)
		for range 5 * 7 * 24 {
			now := time.Now().UTC()
			open := now.Weekday() != time.Saturday && now.Weekday() != time.Sunday &&
				now.Hour() >= 9 && now.Hour() < 17
			w.hour(map[bool]int{true: 5}[open])
		}
		if got := w.notices(); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
		w.quietFor(8 * 24)
		if got := typesOf(w.notices()); !slices.Equal(got, []string{"source.silent"}) {
			t.Errorf("after a week without a webhook: %v", got)
		}
	})
}

// TestARelayThatWasOffHeardNothing: that is its own silence, and no source's.
func TestARelayThatWasOffHeardNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 3*time.Hour)
		w.hour(1)
		w.hour(1)
		time.Sleep(2 * 24 * time.Hour)
		w.quietFor(3)
		if got := w.notices(); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
		w.quietFor(3)
		if got := typesOf(w.notices()); !slices.Equal(got, []string{"source.silent"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestATenantsSourceIsWatched, and a source that is removed is forgotten.
func TestATenantsSourceIsWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 0)
		store := w.catalog.For("acme")
		put := func(expect time.Duration) {
			s := catalog.SourceResource(catalog.Source{
				Name: "app", Verify: verify.Config{Provider: "none"}, Expect: expect,
			})
			base := int64(0)
			if was, err := store.Resource(t.Context(), catalog.KindSource, "app"); err == nil {
				base = was.Revision
			}
			if _, err := store.Edit(t.Context(), catalog.Edit{
				Put: &s, Base: base, By: catalog.ManagedByAPI,
			}); err != nil {
				t.Fatal(err)
			}
		}
		put(100 * time.Hour)
		w.quietFor(5)
		put(4 * time.Hour)
		w.quietFor(3)
		got := w.notices()
		if len(got) != 1 || got[0].Data["tenant"] != "acme" || got[0].Data["source"] != "app" {
			t.Fatalf("%+v", got)
		}
		if p := w.pulse("acme", "app"); p.SilentSince.IsZero() || !p.LastAt.IsZero() {
			t.Errorf("%+v", p)
		}
		if p := w.pulse("", "app"); !p.SilentSince.IsZero() {
			t.Errorf("the operator's source of the same name: %+v", p)
		}
		was, err := store.Resource(t.Context(), catalog.KindSource, "app")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Edit(t.Context(), catalog.Edit{
			Kind: catalog.KindSource, Name: "app", Base: was.Revision, By: catalog.ManagedByAPI,
		}); err != nil {
			t.Fatal(err)
		}
		w.quietFor(1)
		if p := w.pulse("acme", "app"); p != (operate.Pulse{}) {
			t.Errorf("it is gone, and yet %+v", p)
		}
	})
}

// TestWatchingCostsARead: of a relay to which nothing comes, an hour costs one read and no write.
func TestWatchingCostsARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 0)
		w.hour(3)
		w.quietFor(5)
		w.documents.lists.Store(0)
		w.documents.writes.Store(0)
		w.quietFor(24)
		if w.documents.lists.Load() != 24 || w.documents.writes.Load() != 0 {
			t.Errorf(
				"%d reads and %d writes in 24 hours", w.documents.lists.Load(),
				w.documents.writes.Load(),
			)
		}
	})
}

// TestWhatWasToldAndNotSaved is told again as the same event, and the fan-out drops it.
func TestWhatWasToldAndNotSaved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, time.Hour)
		w.hour(1)
		w.quietFor(1)
		w.documents.refuse = true
		time.Sleep(time.Hour)
		if _, err := w.sweeper.Run(t.Context()); !errors.Is(err, errRefused) {
			t.Errorf("%v, want %v", err, errRefused)
		}
		w.pump()
		w.documents.refuse = false
		w.quietFor(3)
		if got := typesOf(w.notices()); !slices.Equal(got, []string{"source.silent"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestWhatIsKnownOfSourcesIsKept for as long as the relay runs, and expires afterwards.
func TestWhatIsKnownOfSourcesIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 0)
		w.hour(1)
		w.quietFor(201 * 24)
		docs, _, err := w.documents.DocumentsIn(
			t.Context(), "sources", operate.DocumentRange{Limit: 10},
		)
		if err != nil || len(docs) != 1 {
			t.Fatalf("%+v, %v", docs, err)
		}
		if left := time.Until(docs[0].ExpiresAt); left < 300*24*time.Hour {
			t.Errorf("it is kept for %s", left)
		}
		if w.documents.writes.Load() > 5 {
			t.Errorf("%d writes", w.documents.writes.Load())
		}
	})
}
