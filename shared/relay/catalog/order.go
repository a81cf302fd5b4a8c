package catalog

import "context"

// Order tells whether an endpoint gets its deliveries one after the other, in the order in which
// their webhooks were accepted. The zero Order means no order.
//
// Webhooks of a source with an ordered endpoint go through ordered queues. A delivery's message
// stays at the head of its message group until the delivery has ended: while it waits for its next
// attempt, it is held in the queue. The consequences:
//
//   - A delivery that fails delays those behind it, of its key only, for as long as its schedule
//     and MaxAge allow.
//   - At most one POST is in flight for a key.
//   - An attempt that was made and could not be recorded is made again: its message cannot be sent
//     past those behind it.
//   - A message whose handling fails is set aside as any other, and the order continues without it.
//   - A delivery that is sent again (a replay, a redriven message, or the sweep) goes to the end of
//     its group. Many of these come by an unordered queue, so they join the group in a random
//     order.
//   - While the catalog changes, until every instance knows the change, webhooks join their groups
//     in the order in which they happen to arrive. Messages in flight are understood in either
//     queue: those of the ordered queue go on in order, others join their group when they are
//     handled.
//   - The relay's own events about endpoints and deliveries also join their group in the order in
//     which they happen to arrive.
type Order struct {
	On bool
	// Key is the path of a JSON value in the payload ("data.account.id"). Events with the same
	// value are ordered among each other; "": all events are.
	Key string
}

// OrderOf returns the order of the events of a source with these subscriptions: the key that all of
// its ordered endpoints share, since its webhooks need no stricter order.
func OrderOf(subs []Subscription) (of Order) {
	for _, s := range subs {
		of = of.And(s.Order)
	}
	return of
}

// And returns the order that satisfies both.
func (o Order) And(other Order) Order {
	switch {
	case !o.On:
		return other
	case !other.On || o == other:
		return o
	}
	return Order{On: true}
}

// SubscriptionsTo returns the subscriptions to a source as Subscriptions does, in a state of a
// tenant's catalog, with the orders of their endpoints.
func SubscriptionsTo(
	ctx context.Context, from Subscriptions, s State, tenant, source string,
) ([]Subscription, error) {
	subs, err := from.Subscriptions(ctx, s.Generation, tenant, source)
	if err != nil || !s.Ordered || len(subs) == 0 {
		return subs, err
	}
	orders, err := from.OrderedEndpoints(ctx, s.Generation, tenant)
	if err != nil {
		return nil, err
	}
	for i := range subs {
		subs[i].Order = orders[subs[i].Endpoint]
	}
	return subs, nil
}
