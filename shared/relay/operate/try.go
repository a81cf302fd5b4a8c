package operate

import (
	"context"
	"encoding/json"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

// Try says why a tenant's subscription does not take an event; nil: it takes it. Names are those
// that the tenant uses. Error: route.ErrFilter, if the filter cannot be used.
func Try(
	ctx context.Context, e relay.Event, s catalog.Subscription, bodies relay.Bodies,
) (*route.Mismatch, error) {
	rule := route.Rule{Types: s.Types}
	if s.Filter != "" {
		var err error
		if rule.Filter, err = route.ParseFilter([]byte(s.Filter)); err != nil {
			return nil, err
		}
	}
	found, err := relay.NewPattern(rule, bodies).Explain(ctx, e)
	if err != nil || s.Source == e.Source {
		return found, err
	}
	quoted := func(name string) string {
		b, _ := json.Marshal(name) // a string
		return string(b)
	}
	return &route.Mismatch{
		Cause: route.Differs, Field: "source", At: "source", Wanted: "[" + quoted(s.Source) + "]",
		Found: []string{quoted(e.Source)}, Alone: found == nil,
	}, nil
}
