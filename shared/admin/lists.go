package admin

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/route"
	"webhook-relay/shared/verify"
)

// EventFilter are the filters of both lists.
type EventFilter struct {
	Source []string `query:"source" maxItems:"100" doc:"Names of sources, separated by commas"`
	Type   []string `query:"type" maxItems:"100" doc:"Event types, separated by commas; * stands for any characters"`
	From   string   `query:"from" maxLength:"50" doc:"The webhook was not accepted before this time, or time from now" example:"-36h"`
	To     string   `query:"to" maxLength:"50" doc:"The webhook was accepted before this time, or time from now"`
	Where  string   `query:"where" maxLength:"8000" doc:"A filter, as in a subscription, over type, source, trust, schema, headers and data" example:"{\"data\":{\"amount\":[{\"numeric\":[\">\",100]}]}}"`
}

// ListedEvents are the filters of the list of events.
type ListedEvents struct {
	EventFilter

	Trust  []string `query:"trust" maxItems:"3" enum:"verified,authenticated,unverified" doc:"How far its proof goes"`
	Status []string `query:"status" maxItems:"5" enum:"waiting,delivered,unneeded,dead,unrouted" doc:"It has a delivery in one of these states; unrouted: no subscription took it"`
}

// ListedDeliveries are the filters of the list of deliveries.
type ListedDeliveries struct {
	EventFilter

	Endpoint []string `query:"endpoint" maxItems:"100" doc:"Names of endpoints, separated by commas"`
	Status   []string `query:"status" maxItems:"4" enum:"waiting,delivered,unneeded,dead" doc:"Its state"`
	Reason   []string `query:"reason" maxItems:"20" doc:"Why it is dead. Others are left out" example:"[\"exhausted\"]"`
}

type listEventsInput struct {
	Paging
	ListedEvents
}

type listDeliveriesInput struct {
	Paging
	ListedDeliveries
}

// EventItem is an event in a list.
type EventItem struct {
	ID         string    `json:"id" example:"evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb"`
	Source     string    `json:"source"`
	Type       string    `json:"type,omitempty"`
	Trust      string    `json:"trust" enum:"verified,authenticated,unverified" doc:"How far its proof goes"`
	Schema     string    `json:"schema,omitempty" enum:"passed,failed,unchecked" doc:"Whether it fits the schema of its type. Absent: the type has none"`
	AcceptedAt time.Time `json:"acceptedAt"`
	BodyBytes  int64     `json:"bodyBytes"`
	Endpoints  []string  `json:"endpoints" nullable:"false" doc:"Where it was sent. None: no subscription took it"`
	Delivered  int       `json:"delivered" doc:"How many of its deliveries are delivered, or had nothing to send"`
	Waiting    int       `json:"waiting"`
	Dead       int       `json:"dead"`
}

func registerLists(r *registrar) {
	handle(r, "events.list", r.listEvents)
	handle(r, "deliveries.list", r.listDeliveries)
}

func (s *server) listEvents(
	ctx context.Context, in *listEventsInput,
) (*List[EventItem, Covered], error) {
	search, err := s.search(ctx, in.EventFilter, in.Paging, in.ListedEvents)
	if err != nil {
		return nil, err
	}
	q := operate.EventSearch{Search: search}
	q.Trusts = mapped(in.Trust, func(t string) verify.Trust { return verify.Trust(t) })
	for _, status := range in.Status {
		if status == "unrouted" {
			q.Unrouted = true
			continue
		}
		q.Statuses = append(q.Statuses, relay.Status(status))
	}
	found, err := s.Searcher.SearchEvents(ctx, q)
	if err != nil {
		return nil, err
	}
	items, err := s.eventItems(ctx, found.Items)
	if err != nil {
		return nil, err
	}
	next, err := s.seal(ctx, found.Next, in.ListedEvents)
	return page(items, next, searched(found, items, func(e EventItem) time.Time {
		return e.AcceptedAt
	})), err
}

func (s *server) listDeliveries(
	ctx context.Context, in *listDeliveriesInput,
) (*List[DeliveryView, Covered], error) {
	search, err := s.search(ctx, in.EventFilter, in.Paging, in.ListedDeliveries)
	if err != nil {
		return nil, err
	}
	found, err := s.Searcher.SearchDeliveries(ctx, operate.DeliverySearch{
		Search: search, Endpoints: in.Endpoint,
		Statuses: mapped(in.Status, func(t string) relay.Status { return relay.Status(t) }),
		Reasons:  mapped(in.Reason, func(t string) relay.Reason { return relay.Reason(t) }),
	})
	if err != nil {
		return nil, err
	}
	items := mapped(found.Items, viewOfDelivery)
	next, err := s.seal(ctx, found.Next, in.ListedDeliveries)
	return page(items, next, searched(found, items, func(d DeliveryView) time.Time {
		return d.AcceptedAt
	})), err
}

// search returns the search that the parameters of a list ask for. filter are all of them but
// Paging.
func (s *server) search(
	ctx context.Context, f EventFilter, p Paging, filter any,
) (q operate.Search, err error) {
	q.Tenant, q.Sources, q.Types, q.Limit = callOf(ctx).tenant, f.Source, f.Type, p.Limit
	if q.From, err = s.moment("/query/from", f.From); err != nil {
		return q, err
	}
	if q.To, err = s.moment("/query/to", f.To); err != nil {
		return q, err
	}
	for _, pattern := range f.Type {
		if err := route.Validate(pattern); err != nil {
			return q, at("/query/type", "%s", textOf(err))
		}
	}
	if f.Where != "" {
		if q.Where, err = route.ParseFilter([]byte(f.Where)); err != nil {
			return q, at("/query/where", "%s", textOf(err))
		}
	}
	q.Position, err = s.position(ctx, p.Next, filter)
	return q, err
}

// searched returns what a part of a search covers. A part without items covers the time up to its
// oldest record.
func searched[F, T any](found operate.Found[F], items []T, at func(T) time.Time) Covered {
	info := covered(items, found.Scanned, at)
	if !found.Until.IsZero() {
		info.From = &found.Until
	}
	return info
}

// readAtOnce is how many events of a list are read at the same time.
const readAtOnce = 16

// eventItems reads the events of a list, each with its deliveries. One that is no longer on record
// is left out.
func (s *server) eventItems(ctx context.Context, keys []operate.EventKey) ([]EventItem, error) {
	items := make([]*EventItem, len(keys))
	records := operate.ForTenant(s.Events, callOf(ctx).tenant)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	for i, k := range keys {
		g.Go(func() error {
			e, deliveries, err := records.Event(ctx, k.ID)
			if errors.Is(err, catalog.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			items[i], err = eventItem(ctx, e, deliveries)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []EventItem
	for _, item := range items {
		if item != nil {
			out = append(out, *item)
		}
	}
	return out, nil
}

func eventItem(
	ctx context.Context, e relay.EventRecord, deliveries []relay.Delivery,
) (*EventItem, error) {
	size, err := bodyBytes(ctx, e.Event)
	if err != nil {
		return nil, err
	}
	item := &EventItem{
		ID: e.ID, Source: plainName(e.Source), Type: e.Type, Trust: string(e.Trust),
		AcceptedAt: e.ReceivedAt, BodyBytes: int64(size), Endpoints: mapped(e.Endpoints, plainName),
	}
	if e.Schema != nil {
		item.Schema = string(e.Schema.Status)
	}
	counts := operate.CountStatuses(e, deliveries)
	item.Delivered = counts[relay.Delivered] + counts[relay.Unneeded]
	item.Waiting, item.Dead = counts[relay.Waiting], counts[relay.Dead]
	return item, nil
}
