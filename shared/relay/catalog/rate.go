package catalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxRate is the highest number in a rate. Who takes more needs no limit.
const MaxRate = 100_000

// Rate is a number of webhooks in a second, a minute or an hour. The zero Rate is no limit. Its
// text is such as "50/s", in the configuration and in stores.
type Rate struct {
	Count int           // 1 to MaxRate; 0: no limit
	Per   time.Duration // time.Second, time.Minute or time.Hour
}

// rateUnits are the units of a rate's text.
var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// ParseRate reads a rate. "" is no limit. The error says what is wrong with the text, and how to
// mend it.
func ParseRate(text string) (Rate, error) {
	if text == "" {
		return Rate{}, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	for _, u := range rateUnits {
		count, err := strconv.ParseUint(number, 10, 32)
		switch {
		case u.name != unit || errors.Is(err, strconv.ErrSyntax):
			continue
		case err != nil || count < 1 || count > MaxRate:
			return Rate{}, fmt.Errorf("%.20s is not between 1 and %d", number, MaxRate)
		}
		return Rate{Count: int(count), Per: u.per}, nil
	}
	return Rate{}, fmt.Errorf(
		"%.40q is not a rate; write a number a second, minute or hour, such as 50/s, 90/m or 1000/h",
		text,
	)
}

// String returns the rate's text; "" for no limit.
func (r Rate) String() string {
	if r.Count == 0 {
		return ""
	}
	unit := rateUnits[0].name
	for _, u := range rateUnits {
		if u.per == r.Per {
			unit = u.name
		}
	}
	return strconv.Itoa(r.Count) + "/" + unit
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: see ParseRate.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}

// Rates limit a tenant, over all instances. They are a mark beside the tenant's catalog, and a part
// of its State. So the stages read nothing more to know them. They are stored: do not change their
// JSON names.
type Rates struct {
	Accepted  Rate  `json:"accepted,omitzero"`  // of the tenant's webhooks, at receive
	Delivered Rate  `json:"delivered,omitzero"` // of attempts at all of the tenant's endpoints
	Revision  int64 `json:"revision"`           // of the tenant; 0: no rates were ever set
}

// SameLimits tells whether other limits the tenant in the same way.
func (r Rates) SameLimits(other Rates) bool {
	other.Revision = r.Revision
	return r == other
}

// TenantRates keeps the rates of tenants.
type TenantRates interface {
	Generations
	// SetRates writes a tenant's rates, unless the stored ones have the same revision or a later
	// one. Rates of revision 1 replace any: the tenant is new, and what is stored belonged to a
	// deleted one of the same id. From then on State returns them. If they limit anything,
	// Sources.TenantNames lists the tenant, whether it has a catalog or not.
	SetRates(ctx context.Context, tenant string, r Rates) error
}

// Rates returns the rates of a tenant, as its cached state says. They are zero for the operator,
// for a tenant that is not listed, and while they cannot be read: a limit must not cost a webhook.
func (s *States) Rates(ctx context.Context, tenant string) Rates {
	if tenant == "" {
		return Rates{}
	}
	state, _, err := s.get(ctx, tenant)
	if err != nil {
		return Rates{}
	}
	return state.Rates
}
