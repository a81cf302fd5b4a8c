package main

import (
	"net/url"
	"strings"
	"time"

	"webhook-relay/shared/admin"
)

// eventSelection are the flags that choose events.
type eventSelection struct {
	Source []string `help:"Only events from these sources." placeholder:"NAME" group:"selection"`
	Type   []string `help:"Only events of these types. * stands for any characters." placeholder:"TYPE" group:"selection"`
	Since  moment   `help:"Only webhooks that were accepted at this time or later: a time (2006-01-02T15:04:05Z), a day (2006-01-02, meaning 0:00 UTC), or a duration before now (36h, 2d, 1w)." placeholder:"TIME" group:"selection"`
	Until  moment   `help:"Only webhooks that were accepted before this. Same forms as --since." placeholder:"TIME" group:"selection"`
	Where  string   `help:"Only events that match this filter, as in a subscription: JSON over type, source, trust, schema, headers and data." placeholder:"JSON" group:"selection"`
}

// deliverySelection are the flags that choose deliveries.
type deliverySelection struct {
	eventSelection
	Endpoint []string `help:"Only deliveries to these endpoints." placeholder:"NAME" group:"selection"`
	Reason   []string `help:"Only deliveries that died for these reasons: exhausted, expired, endpoint_gone, declined, transform, schema or too_large." enum:"exhausted,expired,endpoint_gone,declined,transform,schema,too_large" placeholder:"REASON" group:"selection"`
}

func (s eventSelection) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"source": strings.Join(s.Source, ","), "type": strings.Join(s.Type, ","),
		"from": exactly(s.Since.Time), "to": exactly(s.Until.Time), "where": s.Where,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func (s deliverySelection) query() url.Values {
	q := s.eventSelection.query()
	for name, values := range map[string][]string{"endpoint": s.Endpoint, "reason": s.Reason} {
		if len(values) > 0 {
			q.Set(name, strings.Join(values, ","))
		}
	}
	return q
}

// exactly returns a time with its milliseconds; "" for none.
func exactly(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// filter returns the set of a job.
func (s eventSelection) filter() admin.JobFilter {
	f := admin.JobFilter{
		Sources: s.Source, Types: s.Type, From: exactly(s.Since.Time), To: exactly(s.Until.Time),
	}
	if s.Where != "" {
		f.Where = []byte(s.Where)
	}
	return f
}

func (s deliverySelection) filter() admin.JobFilter {
	f := s.eventSelection.filter()
	f.Endpoints, f.Reasons = s.Endpoint, s.Reason
	return f
}

// isEmpty tells whether the flags choose everything.
func (s deliverySelection) isEmpty() bool {
	return len(s.query()) == 0
}
