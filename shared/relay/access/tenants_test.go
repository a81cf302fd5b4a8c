package access_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

var errDown = errors.New("down")

// downRates cannot write rates while down is set.
type downRates struct {
	memory.Catalog
	down bool
}

func (r *downRates) SetRates(ctx context.Context, tenant string, rates catalog.Rates) error {
	if r.down {
		return errDown
	}
	return r.Catalog.SetRates(ctx, tenant, rates)
}

// TestRatesThatCouldNotBeWritten: a tenant shows the rates that are in force, and can be put, or
// made, again.
func TestRatesThatCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	rates := &downRates{}
	tenants := access.NewTenants(&memory.Documents{}, rates, time.Now)
	limited := catalog.Rates{Accepted: catalog.Rate{Count: 5, Per: time.Second}}
	put := func(r catalog.Rates, base int64, want error) access.Tenant {
		t.Helper()
		got, err := tenants.Put(t.Context(), access.Tenant{ID: "acme", Name: "A", Rates: r}, base)
		if !errors.Is(err, want) {
			t.Fatalf("Put: %v, want %v", err, want)
		}
		return got
	}
	shows := func(want catalog.Rates) int64 {
		t.Helper()
		got, err := tenants.Tenant(t.Context(), "acme")
		if err != nil || got.Rates != want {
			t.Errorf("%+v, error %v, want the rates %+v", got, err, want)
		}
		return got.Revision
	}
	put(limited, 0, nil)
	rates.down = true
	put(catalog.Rates{}, shows(limited), errDown)
	rates.down = false
	put(catalog.Rates{}, shows(limited), nil)
	put(limited, shows(catalog.Rates{}), nil)

	rates.down = true
	revision := shows(limited)
	if err := tenants.Delete(t.Context(), "acme", revision); !errors.Is(err, errDown) {
		t.Errorf("Delete: %v", err)
	}
	rates.down = false
	put(catalog.Rates{}, 0, nil) // a new tenant has no rates of the one before
	shows(catalog.Rates{})
	put(limited, 1, nil)
	if err := tenants.Delete(t.Context(), "acme", 2); err != nil {
		t.Error(err)
	}
	if s, err := rates.State(t.Context(), "acme"); err != nil || !s.Rates.SameLimits(catalog.Rates{}) {
		t.Errorf("rates %+v of a deleted tenant, error %v", s.Rates, err)
	}
}
