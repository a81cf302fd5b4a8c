package operate_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// The list goes back over hours without events, and has each event of the range once.
func TestEventsBySource_ListsEachEventOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y, start := newYard(t), time.Now()
		var catalogs memory.Catalog
		for _, tenant := range []string{"", "acme"} {
			if err := catalogs.For(tenant).ReplaceCatalog(t.Context(), catalog.Catalog{
				Sources: []catalog.Source{{Name: "app"}, {Name: "quiet"}},
			}, 0); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			y.event([]string{"", "acme"}[i%2], fmt.Sprintf("evt_%02d", i), "t", "{}", relay.Dead)
			time.Sleep(10 * time.Minute)
			if i == 9 {
				time.Sleep(300 * time.Hour)
			}
		}
		l := operate.EventsBySource{Ledger: &y.ledger, Catalogs: &catalogs}
		for tenant, want := range map[string][]string{
			"": {
				"evt_04", "evt_06", "evt_08", "evt_10", "evt_12", "evt_14", "evt_16", "evt_18",
			},
			"acme": {
				"evt_05", "evt_07", "evt_09", "evt_11", "evt_13", "evt_15", "evt_17", "evt_19",
			},
		} {
			q := operate.EventQuery{
				Tenant: tenant, From: start.Add(40 * time.Minute), To: time.Now(), Limit: 10,
			}
			var got []string
			hour := time.Now()
			for more := true; more; more = q.Page != "" {
				keys, next, err := l.EventsIn(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range keys {
					got = append(got, k.ID)
					if k.ReceivedAt.Truncate(time.Hour).After(hour) {
						t.Errorf("%s is newer than what came before", k.ID)
					}
					hour = k.ReceivedAt
				}
				q.Page = next
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("tenant %q (-want +got):\n%s", tenant, diff)
			}
		}
		if _, _, err := l.EventsIn(t.Context(), operate.EventQuery{
			Page: "x",
		}); !errors.Is(err, operate.ErrPosition) {
			t.Errorf("got %v", err)
		}
	})
}
