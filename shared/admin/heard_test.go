package admin_test

import (
	"fmt"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/operate"
	schemas "webhook-relay/shared/schema"
)

// hours lets hours pass, with a sweep after each.
func (r *rig) hours(n int) {
	r.t.Helper()
	sweeper, err := operate.NewSweeper(operate.SweeperConfig{
		Names: r.catalog, Subscriptions: r.catalog, Ledger: &r.ledger, Deliveries: &r.ledger,
		Cursors: &r.ledger, Delivery: &memory.Queue{}, Retry: &memory.Queue{}, Now: r.clock.now,
		Documents: r.config.LedgerDocuments, Catalogs: r.catalog,
		Notifier: operate.NewNotifier(nil, r.ingest),
	})
	must(r.t, err)
	for range n {
		r.clock.add(time.Hour)
		_, err := sweeper.Run(r.t.Context())
		must(r.t, err)
	}
}

// TestSourcesShowWhetherTheyAreSilent: what the sweep knows is shown with each source, for the
// operator and for a tenant.
func TestSourcesShowWhetherTheyAreSilent(t *testing.T) {
	t.Parallel()
	for _, tenant := range []string{"", "acme"} {
		r := newRig(t)
		boss := r.token(access.Admin, tenant)
		for name, spec := range map[string]map[string]any{
			"silent": {"provider": "none", "expect": "2h"},
			"hook":   {"provider": "none", "expect": "24h"},
		} {
			r.send(request{
				method: "PUT", path: "/v1/sources/" + name, token: boss, header: ifNone, body: spec,
			}).wants(200, nil)
		}
		heard := func(name string) *admin.Heard {
			var got admin.SourceView
			r.send(request{
				method: "GET", path: "/v1/sources/" + name, token: boss,
			}).wants(200, &got)
			return got.Heard
		}
		if h := heard("silent"); h != nil {
			t.Errorf("%q: before a sweep: %+v", tenant, h)
		}
		r.hours(1)
		source := "silent"
		if tenant != "" {
			source = tenant + "/silent"
		}
		at := r.clock.now()
		_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: relay.EventID(tenant, source, "1"), Source: source, Tenant: tenant,
				Type: "order", Trust: "verified", ReceivedAt: at,
			},
			RoutedAt: at, ExpiresAt: at.Add(time.Hour * 24 * 30),
		})
		must(t, err)
		r.hours(4)
		h := heard("silent")
		if h == nil || h.LastAt == nil || h.SilentSince == nil || h.ExpectedBy == nil ||
			!h.LastAt.Equal(at) || !h.SilentSince.Equal(at) ||
			!h.ExpectedBy.Equal(at.Add(2*time.Hour)) {
			t.Errorf("%q: %+v, want silent since %s", tenant, h, at)
		}
		var was, put admin.SourceView
		r.send(request{
			method: "GET", path: "/v1/sources/silent", token: boss,
		}).wants(200, &was)
		r.send(request{
			method: "PUT", path: "/v1/sources/silent", token: boss,
			header: map[string]string{"If-Match": was.ETag}, body: map[string]any{"provider": "none"},
		}).wants(200, &put)
		if put.Heard == nil || put.Heard.SilentSince == nil {
			t.Errorf("%q: a change shows %+v", tenant, put.Heard)
		}
		if h := heard("hook"); h == nil || h.LastAt != nil || h.SilentSince != nil {
			t.Errorf("%q: it never had a webhook: %+v", tenant, h)
		}
		var list struct{ Items []admin.SourceView }
		r.send(request{method: "GET", path: "/v1/sources", token: boss}).wants(200, &list)
		if len(list.Items) != 2 || list.Items[0].Spec.Expect != "24h0m0s" || list.Items[1].Heard == nil ||
			list.Items[1].Heard.SilentSince == nil {
			t.Errorf("%q: %+v", tenant, list)
		}
	}
}

// TestTypesShowTheirDrift: to the operator, because the example may be another tenant's event.
func TestTypesShowTheirDrift(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	r.send(request{
		method: "PUT", path: "/v1/sources/shop", token: boss, header: ifNone,
		body: map[string]any{
			"provider": "none", "tenant": "acme", "types": []any{
				map[string]any{"name": "order", "schema": map[string]any{"required": []string{"id"}}},
				map[string]any{"name": "other"},
			},
		},
	}).wants(200, nil)
	record := func(n int, result relay.SchemaResult) string {
		at := r.clock.now()
		id := relay.EventID("acme", "shop", fmt.Sprint(n))
		_, err := relay.RecordEvent(t.Context(), &r.ledger, relay.EventRecord{
			Event: relay.Event{
				ID: id, Source: "shop", Tenant: "acme", Type: "order", Trust: "verified",
				ReceivedAt: at, Schema: &result,
			},
			RoutedAt: at, ExpiresAt: at.Add(time.Hour * 24 * 30),
		})
		must(t, err)
		return id
	}
	for n := range 10 {
		record(n, relay.SchemaResult{Status: schemas.Passed})
	}
	r.hours(1)
	failed := relay.SchemaResult{Status: schemas.Failed, At: "/id", Problem: "is missing"}
	id := record(10, failed)
	r.hours(4)
	types := func(tenant string) map[string][]admin.Drift {
		var list typeList
		r.send(request{
			method: "GET", path: "/v1/types", token: r.token(access.Read, tenant),
		}).wants(200, &list)
		all := map[string][]admin.Drift{}
		for _, v := range list.Items {
			all[v.Name] = v.Drift
		}
		return all
	}
	got := types("")["order"]
	if len(got) != 1 || got[0].At != "/id" || got[0].Problem != "is missing" || got[0].Event != id ||
		got[0].Since.IsZero() || got[0].SeenAt.IsZero() || types("")["other"] != nil {
		t.Errorf("%+v", got)
	}
	if got := types("acme"); len(got) != 2 || got["order"] != nil {
		t.Errorf("a tenant sees %+v", got)
	}
	r.clock.add(25 * time.Hour)
	if got := types(""); got["order"] != nil {
		t.Errorf("a day later: %+v", got)
	}
}
