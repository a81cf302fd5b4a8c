package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/relay/operate"
)

type statsInput struct {
	By   string   `query:"by" enum:"total,source,endpoint,type" default:"total" doc:"By what to count"`
	From string   `query:"from" default:"-24h" doc:"The first hour: a time, or a time from now"`
	To   string   `query:"to" default:"0s" doc:"The end: a time, or a time from now"`
	Step string   `query:"step" default:"1h" doc:"How much time an item is about: whole hours, or days (1d)"`
	Name []string `query:"name" maxItems:"100" doc:"Only these sources, endpoints or types, separated by commas"`
}

// Stats are the counts of a source, endpoint or type in a step of time.
type Stats struct {
	At         time.Time  `json:"at" doc:"When the step begins"`
	Name       string     `json:"name" doc:"Of the source, endpoint or type; (other): the rest, if an hour has more than 10,000 names"`
	Accepted   int        `json:"accepted" doc:"Events that were accepted in the step, without repeats"`
	Unrouted   int        `json:"unrouted" doc:"Of these, taken by no subscription"`
	Routed     int        `json:"routed" doc:"Of these, with at least one delivery"`
	Deliveries int        `json:"deliveries" doc:"Deliveries of these events, whenever they ended"`
	Delivered  int        `json:"delivered"`
	Dead       int        `json:"dead"`
	Waiting    int        `json:"waiting" doc:"Not ended yet at asOf"`
	Attempts   int        `json:"attempts"`
	P50        float64    `json:"p50Seconds" doc:"Half of the delivered ones were delivered within this time after their acceptance, about"`
	P95        float64    `json:"p95Seconds" doc:"The same for 95 %"`
	Missing    int        `json:"unaccounted" doc:"How far accepted is from unrouted + routed, and deliveries from delivered + dead + waiting. Anything but 0 is a bug of the relay"`
	Settled    bool       `json:"settled" doc:"All deliveries have ended and were counted"`
	Partial    bool       `json:"partial" doc:"The step has hours that were not counted yet. Of these only accepted is known, and may be higher"`
	AsOf       *time.Time `json:"asOf,omitempty" doc:"When the oldest of its hours was counted"`
}

type statsAnswer struct {
	Body struct {
		Items []Stats `json:"items" nullable:"false" doc:"Oldest first"`
	}
}

func registerStats(r *registrar) {
	handle(r, "stats", func(ctx context.Context, in *statsInput) (*statsAnswer, error) {
		from, err := r.moment("/query/from", in.From)
		if err != nil {
			return nil, err
		}
		to, err := r.moment("/query/to", in.To)
		if err != nil {
			return nil, err
		}
		step, err := span(in.Step)
		if err != nil {
			return nil, at("/query/step", "%.60q is no duration; write 1h or 7d", in.Step)
		}
		found, err := r.Statistics.Stats(ctx, operate.StatsQuery{
			Tenant: callOf(ctx).tenant, By: operate.StatsBy(in.By), From: from, To: to, Step: step,
			Names: in.Name,
		})
		if errors.Is(err, operate.ErrStats) {
			return nil, at("/query", "%s", textOf(err))
		}
		out := new(statsAnswer)
		out.Body.Items = mapped(found, statsOf)
		return out, err
	})
}

func statsOf(i operate.StatsItem) Stats {
	return Stats{
		At: i.At, Name: i.Name, Accepted: i.Accepted, Unrouted: i.Unrouted, Routed: i.Routed,
		Deliveries: i.Deliveries, Delivered: i.Delivered, Dead: i.Dead, Waiting: i.Waiting,
		Attempts: i.Attempts, P50: i.Ages.Quantile(0.5).Seconds(),
		P95: i.Ages.Quantile(0.95).Seconds(), Missing: i.Unaccounted(), Settled: i.Settled,
		Partial: i.Partial, AsOf: unlessZero(i.AsOf),
	}
}

// pad returns a number with leading zeros, so that files are in order.
func pad(n int) string { return fmt.Sprintf("%05d", n) }
