package config

import (
	"strings"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

// TenantSettings is what a file says of its tenant, beside the catalog. A nil field: it says
// nothing of it, and the tenant keeps what it has.
type TenantSettings struct {
	Portal *access.Portal
	Rates  *catalog.Rates
}

// IsEmpty tells whether the file says nothing.
func (s TenantSettings) IsEmpty() bool { return s == TenantSettings{} }

// ApplyTo returns the tenant with what the file says.
func (s TenantSettings) ApplyTo(t access.Tenant) access.Tenant {
	if s.Portal != nil {
		t.Portal = *s.Portal
	}
	if s.Rates != nil {
		t.Rates = *s.Rates
	}
	return t
}

// TenantChanges is Changes for a tenant's settings: a line with the names of the changed fields for
// each section that changes.
func TenantChanges(current, next access.Tenant) (lines []string) {
	add := func(section string, fields []string) {
		if len(fields) > 0 {
			lines = append(lines, "~ "+section+": "+strings.Join(fields, ", "))
		}
	}
	add("portal", changedFields(current.Portal, next.Portal))
	add("rates", changedFields(current.Rates, next.Rates))
	return lines
}

// rates is catalog.Rates in the file.
type rates struct {
	Accepted  string `yaml:"accepted"`
	Delivered string `yaml:"delivered"`
}

// ratesOf returns a file's rates; nil if it has none.
func (c *checker) ratesOf(r *rates) *catalog.Rates {
	if r == nil {
		return nil
	}
	if c.tenant == "" {
		c.fail("rates", "is for the file of a tenant: apply it with --tenant NAME")
		return nil
	}
	return &catalog.Rates{
		Accepted:  c.rate("rates.accepted", r.Accepted),
		Delivered: c.rate("rates.delivered", r.Delivered),
	}
}

// rate reads a rate; "" is none.
func (c *checker) rate(path, text string) catalog.Rate {
	r, err := catalog.ParseRate(text)
	if err != nil {
		c.fail(path, "%s", err)
	}
	return r
}

// exportedRates returns rates as the file has them; nil for none.
func exportedRates(r catalog.Rates) *rates {
	if r.SameLimits(catalog.Rates{}) {
		return nil
	}
	return &rates{Accepted: r.Accepted.String(), Delivered: r.Delivered.String()}
}
