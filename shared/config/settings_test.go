package config_test

import (
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

func settingsOf(tenant, text string) (config.TenantSettings, error) {
	_, settings, err := config.ParseFor(
		tenant, "acme.yaml", []byte(text), config.Relay{}, nil, nil,
	)
	return settings, err
}

func TestAFileHasTheRatesOfItsTenant(t *testing.T) {
	t.Parallel()
	hundred := catalog.Rate{Count: 100, Per: time.Second}
	for text, want := range map[string]catalog.Rates{
		"rates: {accepted: 100/s, delivered: 90/m}": {
			Accepted: hundred, Delivered: catalog.Rate{Count: 90, Per: time.Minute},
		},
		"rates: {accepted: 100/s}": {Accepted: hundred},
		"rates: {}":                {},
	} {
		got, err := settingsOf("acme", text)
		if err != nil || got.Rates == nil || *got.Rates != want || got.Portal != nil {
			t.Fatalf("%s: %+v, error %v", text, got, err)
		}
		exported, err := config.Export(catalog.Catalog{}, access.Tenant{Rates: want})
		if err != nil {
			t.Fatal(err)
		}
		again, err := settingsOf("acme", string(exported))
		if err != nil || again.ApplyTo(access.Tenant{}).Rates != want {
			t.Errorf("%s: exported as %s, which is %+v, error %v", text, exported, again, err)
		}
	}
	// a file that says nothing of them changes nothing
	got, err := settingsOf("acme", "sources: []")
	was := access.Tenant{Rates: catalog.Rates{Accepted: hundred}}
	if err != nil || !got.IsEmpty() || len(config.TenantChanges(was, got.ApplyTo(was))) > 0 {
		t.Errorf("%+v, error %v", got, err)
	}
	changes := config.TenantChanges(was, access.Tenant{Rates: catalog.Rates{Delivered: hundred}})
	if got := strings.Join(changes, "\n"); got != "~ rates: accepted, delivered" {
		t.Error(got)
	}
}

func TestRatesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ tenant, text, want string }{
		"of the operator": {
			"", "rates: {accepted: 5/s}",
			"acme.yaml:1: rates: is for the file of a tenant: apply it with --tenant NAME",
		},
		"none": {
			"acme", "rates:\n  accepted: 0/s",
			"acme.yaml:2: rates.accepted: 0 is not between 1 and 100000",
		},
		"too many": {
			"acme", "rates:\n  delivered: 100001/s",
			"acme.yaml:2: rates.delivered: 100001 is not between 1 and 100000",
		},
		"less than none": {
			"acme", "rates:\n  delivered: -5/s",
			`acme.yaml:2: rates.delivered: "-5/s" is not a rate; write a number a second, minute or hour, such as 50/s`,
		},
		"another unit": {
			"acme", "rates:\n  delivered: 5/day", `rates.delivered: "5/day" is not a rate`,
		},
		"another key": {"acme", "rates: {sent: 5/s}", "sent"},
	} {
		_, err := settingsOf(tt.tenant, tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", name, err, tt.want)
		}
	}
}
