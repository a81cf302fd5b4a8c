package relay_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// newDrifting returns a watched relay whose type order has an integer id and lines with a text.
func newDrifting(t *testing.T) *watched {
	t.Helper()
	w := newWatched(t, 0)
	w.edit(func(c *catalog.Catalog) {
		c.Subscriptions[1].Types = []string{operate.TypeDrifted}
		c.Sources[0].Types = []catalog.EventType{{Name: "order", Schema: `{
			"required": ["id"], "properties": {"id": {"type": "integer"}, "lines": {
				"items": {"properties": {"sku": {"type": "string"}}}}}}`}}
	})
	w.quietFor(1)
	return w
}

// orders lets an hour pass in which orders with these documents come, and returns the ids.
func (w *watched) orders(documents ...string) (ids []string) {
	w.t.Helper()
	for _, d := range documents {
		w.posted++
		ids = append(ids, w.mustPost(fmt.Sprint("order ", w.posted), "order", d))
	}
	w.hour(0)
	return ids
}

func (w *watched) drifts() []operate.Drift {
	w.t.Helper()
	all, err := operate.Drifts(w.t.Context(), w.documents, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return all["app"]["order"]
}

const fitting = `{"id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}`

// TestADriftIsToldOnce: the first event that does not fit is the example, and each place is told of
// anew only after a day without a failure.
func TestADriftIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newDrifting(t)
		w.orders(slices.Repeat([]string{fitting}, 10)...)
		w.quietFor(3)
		if got := w.notices(); len(got) != 0 {
			t.Fatalf("all fit: %+v", got)
		}
		example := w.orders(`{"id": "x"}`, fitting)[0]
		w.quietFor(3)
		want := []map[string]any{{
			"source": "app", "eventType": "order", "at": "/id", "eventId": example,
			"problem": "is a string, not integer",
		}}
		if diff := cmp.Diff(want, dataOf(w.notices())); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if got := w.drifts(); len(got) != 1 || got[0].At != "/id" || got[0].EventID != example ||
			got[0].Since.IsZero() {
			t.Errorf("%+v", got)
		}
		for range 5 * 24 { // it goes on for days, and elements of a list are one place
			w.orders(`{"id": "x"}`, `{"id": 1, "lines": [{"sku": 1}]}`,
				`{"id": 1, "lines": [{"sku": "a"}, {"sku": 2}]}`)
		}
		w.quietFor(3)
		got := w.notices()
		if len(got) != 2 || !slices.Contains(
			[]any{"/lines/0/sku", "/lines/1/sku"}, got[1].Data["at"],
		) {
			t.Fatalf("%+v", got)
		}
		w.quietFor(25)
		if got := w.drifts(); len(got) != 0 {
			t.Errorf("after a day: %+v", got)
		}
		w.orders(`{}`)
		w.quietFor(3)
		if got := w.notices(); len(got) != 3 || got[2].Data["problem"] != "is missing" {
			t.Errorf("%+v", got)
		}
	})
}

// TestWhatNeverFittedHasNotDrifted: a schema that is wrong from the first event on is no drift.
func TestWhatNeverFittedHasNotDrifted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newDrifting(t)
		w.orders(append(slices.Repeat([]string{fitting}, 9), `{"id": "x"}`)...)
		for range 48 {
			w.orders(fitting, `{"id": "x"}`)
		}
		w.quietFor(3)
		if got := w.notices(); len(got) != 0 || len(w.drifts()) != 0 {
			t.Errorf("%+v, %+v", got, w.drifts())
		}
		w.orders(`{"id": 1, "lines": [{"sku": 1}]}`)
		w.quietFor(3)
		if got := w.notices(); len(got) != 1 || got[0].Data["at"] != "/lines/0/sku" {
			t.Errorf("another place: %+v", got)
		}
	})
}

// TestDriftsAreBounded: a type with ever new places is told of twenty times.
func TestDriftsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newDrifting(t)
		w.edit(func(c *catalog.Catalog) {
			c.Sources[0].Types[0].Schema = `{"required": ["id"], "additionalProperties": {
				"type": "integer"}}`
		})
		time.Sleep(catalog.DefaultCacheTTL)
		w.orders(slices.Repeat([]string{`{"id": 1}`}, 10)...)
		for n := range 8 {
			var documents []string
			for i := range 5 {
				documents = append(documents, fmt.Sprintf(`{"id": 1, "x%d": "x"}`, 5*n+i))
			}
			w.orders(documents...)
		}
		w.quietFor(3)
		if got := w.notices(); len(got) != 20 {
			t.Errorf("%d", len(got))
		}
	})
}

// TestARemovedSourceHasNoDrift: nothing is kept of it.
func TestARemovedSourceHasNoDrift(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newDrifting(t)
		w.orders(append(slices.Repeat([]string{fitting}, 10), `{}`)...)
		w.quietFor(3)
		if len(w.drifts()) != 1 {
			t.Fatalf("%+v", w.drifts())
		}
		w.edit(func(c *catalog.Catalog) {
			c.Sources[0].Name = "other"
			c.Subscriptions = c.Subscriptions[1:]
		})
		w.quietFor(1)
		if all, err := operate.Drifts(t.Context(), w.documents, time.Now()); err != nil ||
			len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
