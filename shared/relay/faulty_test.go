package relay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

// withFaults returns ports whose calls all go through s.
func withFaults(s striker, p ports) ports {
	return ports{
		faultySources{faultyGenerations{s, p.sources}, p.sources}, faultySubscriptions{
			faultyGenerations{s, p.subs}, p.subs,
		},
		faultyEndpoints{faultyGenerations{s, p.endpoints}, p.endpoints}, faultyEvents{s, p.events},
		faultyDeliveries{s, p.deliveries}, faultyBodies{s, p.bodies}, faultyPoster{s, p.poster},
		faultyScheduler{s, p.scheduler},
		faultyStates{s, p.states}, faultyQuotas{s, p.quotas}, faultySlots{s, p.slots},
		faultyFailures{s, p.failures}, faultyKeeper{s, p.keeper},
		faultyQueue{s, "ingest", p.ingest}, faultyQueue{
			s, "delivery", p.delivery,
		}, faultyQueue{s, "retry", p.retry}, faultyQueue{s, "slow", p.slow},
		faultyQueue{s, "ordered ingest", p.orderedIngest}, faultyQueue{
			s, "ordered delivery", p.orderedDelivery,
		},
		faultyQueue{s, "dead", p.dead}, faultyQueue{
			s, "ingest-dlq", p.ingestDL,
		}, faultyQueue{s, "delivery-dlq", p.poison},
	}
}

type faultyQueue struct {
	s    striker
	name string
	relay.Queue
}

func (q faultyQueue) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	var errs []error
	what := fmt.Sprintf("send %d to %s", len(msgs), q.name)
	err := q.s.strike(ctx, what, func() error { errs = q.Queue.Send(ctx, msgs); return nil })
	if err == nil {
		return errs
	}
	errs = make([]error, len(msgs))
	partial, _ := errors.AsType[*partialError](err)
	behind := map[string]bool{} // in an ordered queue: the groups with a failure
	for i, m := range msgs {
		if fails, ok := partialOf(partial, i, len(msgs)); ok && !fails && !behind[m.Group] {
			errs[i] = q.Queue.Send(ctx, msgs[i:i+1])[0]
		} else {
			errs[i], behind[m.Group] = err, m.Once != ""
		}
	}
	return errs
}

type faultyGenerations struct {
	s     striker
	inner catalog.Generations
}

func (p faultyGenerations) State(
	ctx context.Context, tenant string,
) (out catalog.State, err error) {
	err = p.s.strike(ctx, strings.TrimSpace("generation "+tenant), func() (err error) {
		out, err = p.inner.State(ctx, tenant)
		return err
	})
	return out, err
}

type faultySources struct {
	faultyGenerations
	inner catalog.Sources
}

func (p faultySources) Source(
	ctx context.Context, g catalog.Generation, name string,
) (out catalog.Source, err error) {
	err = p.s.strike(ctx, "source "+name, func() (err error) {
		out, err = p.inner.Source(ctx, g, name)
		return err
	})
	return out, err
}

func (p faultySources) SourceNames(
	ctx context.Context, g catalog.Generation, tenant string, shard int,
) (out []string, err error) {
	err = p.s.strike(ctx, fmt.Sprintf("names of sources %d", shard), func() (err error) {
		out, err = p.inner.SourceNames(ctx, g, tenant, shard)
		return err
	})
	return out, err
}

func (p faultySources) TenantNames(
	ctx context.Context, shard int,
) (out []string, err error) {
	err = p.s.strike(ctx, fmt.Sprintf("names of tenants %d", shard), func() (err error) {
		out, err = p.inner.TenantNames(ctx, shard)
		return err
	})
	return out, err
}

type faultySubscriptions struct {
	faultyGenerations
	inner catalog.Subscriptions
}

func (p faultySubscriptions) Subscriptions(
	ctx context.Context, g catalog.Generation, tenant, source string,
) (out []catalog.Subscription, err error) {
	what := fmt.Sprintf("subscriptions of %s, %s", tenant, source)
	err = p.s.strike(ctx, what, func() (err error) {
		out, err = p.inner.Subscriptions(ctx, g, tenant, source)
		return err
	})
	return out, err
}

func (p faultySubscriptions) OrderedEndpoints(
	ctx context.Context, g catalog.Generation, tenant string,
) (out map[string]catalog.Order, err error) {
	err = p.s.strike(ctx, "ordered endpoints of "+tenant, func() (err error) {
		out, err = p.inner.OrderedEndpoints(ctx, g, tenant)
		return err
	})
	return out, err
}

type faultyEndpoints struct {
	faultyGenerations
	inner catalog.Endpoints
}

func (p faultyEndpoints) Endpoint(
	ctx context.Context, g catalog.Generation, name string,
) (out catalog.Endpoint, err error) {
	err = p.s.strike(ctx, "endpoint "+name, func() (err error) {
		out, err = p.inner.Endpoint(ctx, g, name)
		return err
	})
	return out, err
}

func (p faultyEndpoints) EndpointNames(
	ctx context.Context, g catalog.Generation, tenant string, shard int,
) (out []string, err error) {
	err = p.s.strike(ctx, fmt.Sprintf("names of endpoints %d", shard), func() (err error) {
		out, err = p.inner.EndpointNames(ctx, g, tenant, shard)
		return err
	})
	return out, err
}

type faultyEvents struct {
	s striker
	relay.Events
}

func (p faultyEvents) RecordEvents(
	ctx context.Context, records []relay.EventRecord,
) []relay.Recorded {
	out := make([]relay.Recorded, len(records))
	for i, r := range records {
		what := fmt.Sprintf("record event %s by message %s", r.ID, r.MessageID)
		out[i].Err = p.s.strike(ctx, what, func() (err error) {
			out[i].Existing, err = relay.RecordEvent(ctx, p.Events, r)
			return err
		})
	}
	return out
}

func (p faultyEvents) SaveSent(ctx context.Context, event string, sent int) error {
	return p.s.strike(ctx, fmt.Sprintf("save sent %d of %s", sent, event), func() error {
		return p.Events.SaveSent(ctx, event, sent)
	})
}

type faultyDeliveries struct {
	s striker
	relay.Deliveries
}

func (p faultyDeliveries) Delivery(
	ctx context.Context, k relay.DeliveryKey,
) (out relay.Delivery, err error) {
	what := fmt.Sprintf("read delivery %s %s", k.EventID, k.Endpoint)
	err = p.s.strike(ctx, what, func() (err error) {
		out, err = p.Deliveries.Delivery(ctx, k)
		return err
	})
	return out, err
}

func (p faultyDeliveries) SaveDelivery(ctx context.Context, d relay.Delivery, prior int) error {
	what := fmt.Sprintf(
		"save delivery %s %s, %s after attempt %d, by message %s", d.EventID, d.Endpoint, d.Status,
		d.Attempts, d.MessageID,
	)
	return p.s.strike(ctx, what, func() error { return p.Deliveries.SaveDelivery(ctx, d, prior) })
}

type faultyStates struct {
	s striker
	gate.EndpointStates
}

func (p faultyStates) EndpointState(
	ctx context.Context, endpoint string,
) (out breaker.State, revision int64, err error) {
	err = p.s.strike(ctx, "read state of "+endpoint, func() (err error) {
		out, revision, err = p.EndpointStates.EndpointState(ctx, endpoint)
		return err
	})
	return out, revision, err
}

func (p faultyStates) TroubledEndpoints(ctx context.Context) (out []string, err error) {
	err = p.s.strike(ctx, "endpoints in trouble", func() (err error) {
		out, err = p.EndpointStates.TroubledEndpoints(ctx)
		return err
	})
	return out, err
}

func (p faultyStates) SaveEndpointState(
	ctx context.Context, endpoint string, state breaker.State, prior int64,
) error {
	what := fmt.Sprintf("save state of %s over revision %d", endpoint, prior)
	return p.s.strike(ctx, what, func() error {
		return p.EndpointStates.SaveEndpointState(ctx, endpoint, state, prior)
	})
}

type faultyQuotas struct {
	s striker
	gate.Quotas
}

func (p faultyQuotas) Reserve(
	ctx context.Context, quota string, d time.Duration, earliest, latest time.Time,
) (from time.Time, ok bool, err error) {
	err = p.s.strike(ctx, "take quota "+quota, func() (err error) {
		from, ok, err = p.Quotas.Reserve(ctx, quota, d, earliest, latest)
		return err
	})
	return from, ok, err
}

type faultySlots struct {
	s striker
	gate.Slots
}

func (p faultySlots) ClaimSlot(
	ctx context.Context, endpoint string, n int, holder string, until time.Time,
) (ok bool, err error) {
	err = p.s.strike(ctx, fmt.Sprintf("claim slot %d of %s", n, endpoint), func() (err error) {
		ok, err = p.Slots.ClaimSlot(ctx, endpoint, n, holder, until)
		return err
	})
	return ok, err
}

func (p faultySlots) ReleaseSlot(ctx context.Context, endpoint string, n int, holder string) error {
	return p.s.strike(ctx, fmt.Sprintf("release slot %d of %s", n, endpoint), func() error {
		return p.Slots.ReleaseSlot(ctx, endpoint, n, holder)
	})
}

type faultyFailures struct {
	s     striker
	inner relay.Failures
}

func (p faultyFailures) CountFailure(ctx context.Context, id string) (n int, err error) {
	err = p.s.strike(ctx, "count failure of "+id, func() (err error) {
		n, err = p.inner.CountFailure(ctx, id)
		return err
	})
	return n, err
}

func (p faultyFailures) ForgetFailures(ctx context.Context, id string) error {
	return p.s.strike(ctx, "forget failures of "+id, func() error {
		return p.inner.ForgetFailures(ctx, id)
	})
}

type faultyKeeper struct {
	s     striker
	inner relay.EventKeeper
}

func (p faultyKeeper) KeepEvent(ctx context.Context, id string, until time.Time) error {
	return p.s.strike(ctx, "keep event "+id, func() error {
		return p.inner.KeepEvent(ctx, id, until)
	})
}

type faultyNames struct {
	s     striker
	inner catalog.Names
}

func (p faultyNames) Names(
	ctx context.Context, tenant string,
) (sources, endpoints []string, err error) {
	err = p.s.strike(ctx, "names", func() (err error) {
		sources, endpoints, err = p.inner.Names(ctx, tenant)
		return err
	})
	return sources, endpoints, err
}

func (p faultyNames) AllTenants(ctx context.Context) (out []string, err error) {
	err = p.s.strike(ctx, "names of tenants", func() (err error) {
		out, err = p.inner.AllTenants(ctx)
		return err
	})
	return out, err
}

type faultyLedger struct {
	s striker
	operate.Ledger
}

func (p faultyLedger) Event(
	ctx context.Context, id string,
) (e relay.EventRecord, ds []relay.Delivery, err error) {
	err = p.s.strike(ctx, "read event "+id, func() (err error) {
		e, ds, err = p.Ledger.Event(ctx, id)
		return err
	})
	return e, ds, err
}

func (p faultyLedger) EventRecord(ctx context.Context, id string) (e relay.EventRecord, err error) {
	err = p.s.strike(ctx, "read record of event "+id, func() (err error) {
		e, err = p.Ledger.EventRecord(ctx, id)
		return err
	})
	return e, err
}

func (p faultyLedger) Outcomes(
	ctx context.Context, t time.Time, from relay.Page, each func(operate.EventOutcome),
) (next relay.Page, err error) {
	err = p.s.strike(ctx, fmt.Sprintf(
		"list outcomes of %s, page %s", t.Format(time.RFC3339), from,
	), func() (err error) {
		next, err = p.Ledger.Outcomes(ctx, t, from, each)
		return err
	})
	return next, err
}

func (p faultyLedger) EventsIn(
	ctx context.Context, q operate.EventQuery,
) (keys []operate.EventKey, next relay.Page, err error) {
	err = p.s.strike(ctx, fmt.Sprintf("list events of %q, page %s", q.Tenant, q.Page),
		func() (err error) {
			keys, next, err = p.Ledger.EventsIn(ctx, q)
			return err
		})
	return keys, next, err
}

func (p faultyLedger) Overdue(
	ctx context.Context, endpoint string, before time.Time, from relay.Page,
) (ds []relay.Delivery, next relay.Page, err error) {
	err = p.s.strike(ctx, fmt.Sprintf(
		"list overdue of %s, page %s", endpoint, from,
	), func() (err error) {
		ds, next, err = p.Ledger.Overdue(ctx, endpoint, before, from)
		return err
	})
	return ds, next, err
}

func (p faultyLedger) AddEndpoints(ctx context.Context, event string, names []string) error {
	return p.s.strike(ctx, fmt.Sprintf("add endpoints %v to %s", names, event), func() error {
		return p.Ledger.AddEndpoints(ctx, event, names)
	})
}

type faultyCursors struct {
	s     striker
	inner operate.SweepCursors
}

func (p faultyCursors) SweepCursor(ctx context.Context) (c operate.SweepCursor, err error) {
	err = p.s.strike(ctx, "read cursor", func() (err error) {
		c, err = p.inner.SweepCursor(ctx)
		return err
	})
	return c, err
}

func (p faultyCursors) SaveSweepCursor(ctx context.Context, c operate.SweepCursor) error {
	return p.s.strike(ctx, fmt.Sprintf("save cursor %+v", c), func() error {
		return p.inner.SaveSweepCursor(ctx, c)
	})
}

type faultyBodies struct {
	s striker
	relay.Bodies
}

func (p faultyBodies) Put(ctx context.Context, key string, body []byte) error {
	return p.s.strike(ctx, "put body", func() error { return p.Bodies.Put(ctx, key, body) })
}

func (p faultyBodies) Get(ctx context.Context, key string) (out []byte, err error) {
	err = p.s.strike(ctx, "get body", func() (err error) {
		out, err = p.Bodies.Get(ctx, key)
		return err
	})
	return out, err
}

type faultyScheduler struct {
	s striker
	relay.Scheduler
}

func (p faultyScheduler) Schedule(
	ctx context.Context, name string, at time.Time, m relay.Outgoing,
) error {
	return p.s.strike(ctx, "schedule "+name, func() error {
		return p.Scheduler.Schedule(ctx, name, at, m)
	})
}

type faultyPoster struct {
	s striker
	relay.Poster
}

// Post turns a fault into a broken connection, as a failed POST is. A killed process gets no answer
// at all.
func (p faultyPoster) Post(ctx context.Context, post relay.Post) (out relay.Reply, err error) {
	err = p.s.strike(ctx, "POST "+attemptOf(post), func() (err error) {
		out, err = p.Poster.Post(ctx, post)
		return err
	})
	if errors.Is(err, errInjected) {
		err = &relay.PostError{Outcome: relay.Broken, Err: err}
	}
	return out, err
}
