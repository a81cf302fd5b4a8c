package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// Bounds of one request of a search.
const (
	MaxSearchReads = 2000            // records
	MaxSearchTime  = 3 * time.Second // about
	MaxSearchItems = 250
	searchPage     = 100
)

// ErrPosition means that a position is not one of this search.
var ErrPosition = errors.New("relay: not a position of this search")

// budget is what one request of a search may still do.
type budget struct {
	reads int
	ends  time.Time
}

func newBudget() *budget {
	return &budget{reads: MaxSearchReads, ends: time.Now().Add(MaxSearchTime)}
}

// take takes some reads and tells whether anything is left.
func (b *budget) take(reads int) bool {
	b.reads -= reads
	return b.reads > 0 && time.Now().Before(b.ends)
}

// EndpointNames returns some names of a tenant's endpoints, those after a name, in order; none: the
// end. They are the names that the tenant uses.
type EndpointNames func(ctx context.Context, tenant, after string) ([]string, error)

// Searcher finds recorded events and deliveries. It is safe for concurrent use.
//
// One call reads at most MaxSearchReads records and takes about MaxSearchTime. So a call may find
// little or nothing and still have a Next.
type Searcher struct {
	Events     EventLister
	Deliveries DeliveryLister
	Records    RecordReader
	Bodies     relay.Bodies
	Endpoints  EndpointNames
}

// Search is what all searches ask for.
type Search struct {
	Selection
	From, To time.Time // accepted not before From, and before To; zero: no limit
	Limit    int       // 1 to MaxSearchItems
	Position string    // Next of the call before; "": the newest
}

// EventSearch asks for events, newest first.
type EventSearch struct {
	Search
	Trusts   []verify.Trust // none: all
	Statuses []relay.Status // the event has a delivery in one of these; none: all
	Unrouted bool           // or no subscription took it
}

// DeliverySearch asks for deliveries: endpoint by endpoint in the order of their names, those of an
// endpoint newest first, by the acceptance of their webhooks.
type DeliverySearch struct {
	Search
	Endpoints []string // names that the tenant uses; none: all
	Statuses  []relay.Status
	Reasons   []relay.Reason // of death; others are left out then
}

// Found is a part of the result of a search.
type Found[T any] struct {
	Items   []T
	Next    string // where to go on; "": the end
	Scanned int    // records that were looked at
	// everything from this time on was looked at; of deliveries: of the last endpoint
	Until time.Time
}

// searchPlace is a position in a search. To is fixed when the search begins, so that what is
// recorded meanwhile moves nothing.
type searchPlace struct {
	To   time.Time     `json:"t"`
	Page relay.Page    `json:"p,omitempty"`
	At   deliveryPlace `json:"d,omitzero"`
	// the last item of the page that was looked at already, by its event's id and time
	Last   string    `json:"l,omitempty"`
	LastAt time.Time `json:"a,omitzero"`
}

// done returns how many items of a page were looked at already. Items may have come in between, or
// gone.
func (p searchPlace) done(keys []EventKey) int {
	if p.Last == "" {
		return 0
	}
	for i, k := range keys {
		if k.ID == p.Last {
			return i + 1
		}
	}
	i := slices.IndexFunc(keys, func(k EventKey) bool { return k.ReceivedAt.Before(p.LastAt) })
	if i < 0 {
		return len(keys)
	}
	return i
}

func (q Search) place() (searchPlace, error) {
	p := searchPlace{To: earliest(q.To, time.Now().UTC().Add(time.Millisecond))}
	if q.Position == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(q.Position), &p); err != nil {
		return p, fmt.Errorf("%w: %.60q", ErrPosition, q.Position)
	}
	return p, nil
}

func (p searchPlace) String() string {
	text, _ := json.Marshal(p) // times, numbers and texts
	return string(text)
}

// SearchEvents returns the next part of the events that are asked for. Error: ErrPosition.
func (s Searcher) SearchEvents(ctx context.Context, q EventSearch) (Found[EventKey], error) {
	place, err := q.place()
	if err != nil {
		return Found[EventKey]{}, err
	}
	sel := newSelector(q.Selection, s.Records, s.Bodies)
	list := func(ctx context.Context, p searchPlace) ([]EventKey, searchPlace, bool, error) {
		keys, next, err := s.Events.EventsIn(ctx, EventQuery{
			Tenant: q.Tenant, From: q.From, To: p.To, Limit: searchPage, Page: p.Page,
		})
		return keys, searchPlace{To: p.To, Page: next}, next == "", err
	}
	return search(ctx, place, q.Limit, list, func(ctx context.Context, k EventKey) (bool, error) {
		if !sel.takesKey(ctx, k.Source, k.Type) {
			return false, nil
		}
		if takes, err := sel.takes(ctx, k.ID); !takes || err != nil {
			return false, err
		}
		return s.takes(ctx, q, k.ID)
	}, func(k EventKey) EventKey { return k })
}

// takes tells whether an event has a trust and a delivery as asked for. It reads nothing if nothing
// was asked for.
func (s Searcher) takes(ctx context.Context, q EventSearch, id string) (bool, error) {
	anyStatus := len(q.Statuses) == 0 && !q.Unrouted
	if len(q.Trusts) == 0 && anyStatus {
		return true, nil
	}
	e, deliveries, err := ForTenant(s.Records, q.Tenant).Event(ctx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	if err != nil || len(q.Trusts) > 0 && !slices.Contains(q.Trusts, e.Trust) {
		return false, err
	}
	counts := CountStatuses(e, deliveries)
	return anyStatus || q.Unrouted && len(e.Endpoints) == 0 ||
		slices.ContainsFunc(q.Statuses, func(s relay.Status) bool { return counts[s] > 0 }), nil
}

// CountStatuses counts the deliveries of an event by their status. Those without a record wait for
// their first attempt.
func CountStatuses(e relay.EventRecord, deliveries []relay.Delivery) map[relay.Status]int {
	counts := map[relay.Status]int{}
	recorded := map[string]bool{}
	for _, d := range deliveries {
		counts[d.Status]++
		recorded[d.Endpoint] = true
	}
	for _, endpoint := range e.Endpoints {
		if !recorded[endpoint] {
			counts[relay.Waiting]++
		}
	}
	return counts
}

// SearchDeliveries returns the next part of the deliveries that are asked for. Error: ErrPosition.
func (s Searcher) SearchDeliveries(
	ctx context.Context, q DeliverySearch,
) (Found[relay.Delivery], error) {
	place, err := q.place()
	if err != nil {
		return Found[relay.Delivery]{}, err
	}
	sel := newSelector(q.Selection, s.Records, s.Bodies)
	statuses := q.Statuses
	if len(q.Reasons) > 0 {
		statuses = []relay.Status{relay.Dead}
		if len(q.Statuses) > 0 && !slices.Contains(q.Statuses, relay.Dead) {
			return Found[relay.Delivery]{}, nil
		}
	}
	scan := deliveryScan{
		tenant: q.Tenant, lister: s.Deliveries, endpoints: s.Endpoints, only: q.Endpoints,
		query: Query{Statuses: statuses, From: q.From, Until: place.To},
	}
	list := func(
		ctx context.Context, p searchPlace,
	) ([]relay.Delivery, searchPlace, bool, error) {
		p.Last, p.LastAt = "", time.Time{}
		found, err := scan.next(ctx, &p.At)
		return found, p, p.At.End, err
	}
	return search(ctx, place, q.Limit, list, func(
		ctx context.Context, d relay.Delivery,
	) (bool, error) {
		if !sel.takesKey(ctx, d.Source, d.Type) ||
			len(q.Reasons) > 0 && !slices.Contains(q.Reasons, d.Reason) {
			return false, nil
		}
		return sel.takes(ctx, d.EventID)
	}, func(d relay.Delivery) EventKey {
		return EventKey{ID: d.EventID, ReceivedAt: d.ReceivedAt}
	})
}

// search goes through pages until it has limit items, or the budget is used up.
func search[T any](
	ctx context.Context, place searchPlace, limit int,
	list func(context.Context, searchPlace) (page []T, next searchPlace, end bool, err error),
	wanted func(context.Context, T) (bool, error), key func(T) EventKey,
) (out Found[T], err error) {
	budget := newBudget()
	for {
		page, next, end, err := list(ctx, place)
		if err != nil {
			return out, err
		}
		keys := make([]EventKey, len(page))
		for i, item := range page {
			keys[i] = key(item)
		}
		done := place.done(keys)
		kept, err := keep(ctx, indexes(page)[done:], func(
			ctx context.Context, i int,
		) (bool, error) {
			return wanted(ctx, page[i])
		})
		if err != nil {
			return out, err
		}
		last := len(page) - 1
		if room := limit - len(out.Items); len(kept) > room { // the rest belongs to the next part
			kept = kept[:room]
			last = kept[room-1]
			next, end = place, false
			next.Last, next.LastAt = keys[last].ID, keys[last].ReceivedAt
		}
		for _, i := range kept {
			out.Items = append(out.Items, page[i])
		}
		if last >= done {
			out.Scanned += last + 1 - done
			out.Until = keys[last].ReceivedAt
		}
		place = next
		if left := budget.take(len(page)); end || len(out.Items) >= limit || !left {
			if !end {
				out.Next = place.String()
			}
			return out, nil
		}
	}
}

// deliveryPlace is a position in the deliveries of several endpoints.
type deliveryPlace struct {
	Endpoint string     `json:"endpoint,omitempty"` // the one whose deliveries are listed
	Page     relay.Page `json:"page,omitempty"`     // the next page of the listing
	Begun    bool       `json:"begun,omitempty"`    // a page of Endpoint was listed
	End      bool       `json:"end,omitempty"`      // no page follows
}

// deliveryScan lists the deliveries of a tenant's endpoints, one endpoint after the other.
type deliveryScan struct {
	tenant    string
	lister    DeliveryLister
	endpoints EndpointNames
	only      []string // names; none: all endpoints
	query     Query    // without the endpoint

	names []string // that follow
}

// next returns the next page and moves the position on. After an error it is where it was.
func (s *deliveryScan) next(ctx context.Context, at *deliveryPlace) ([]relay.Delivery, error) {
	p := *at
	if !p.Begun {
		var err error
		if p.Endpoint, err = s.nextEndpoint(ctx, p.Endpoint); err != nil {
			return nil, err
		}
		if p.Endpoint == "" {
			*at = deliveryPlace{End: true}
			return nil, nil
		}
	}
	query := s.query
	query.Endpoint = qualified(s.tenant, p.Endpoint)
	found, next, err := s.lister.ListDeliveries(ctx, query, p.Page)
	if err != nil {
		s.names = nil // they may have been moved on
		return nil, err
	}
	p.Page, p.Begun = next, next != ""
	*at = p
	return found, nil
}

// nextEndpoint returns the endpoint after one, or "".
func (s *deliveryScan) nextEndpoint(ctx context.Context, after string) (string, error) {
	if len(s.only) > 0 {
		next := ""
		for _, name := range s.only {
			if name > after && (next == "" || name < next) {
				next = name
			}
		}
		return next, nil
	}
	if len(s.names) == 0 || s.names[0] <= after {
		var err error
		if s.names, err = s.endpoints(ctx, s.tenant, after); err != nil || len(s.names) == 0 {
			return "", err
		}
	}
	next := s.names[0]
	s.names = s.names[1:]
	return next, nil
}
