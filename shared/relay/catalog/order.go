package catalog

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

// SetOrder sets the Order of sources and subscriptions from their endpoints, so that each stage
// finds it in what it reads anyway. Whoever makes a Catalog calls it. A source gets the key that
// all its ordered endpoints share: its webhooks need no stricter order.
func (c *Catalog) SetOrder() {
	orders := make(map[string]Order, len(c.Endpoints))
	for _, e := range c.Endpoints {
		orders[e.Name] = e.Order
	}
	ofSource := map[string]Order{}
	for i := range c.Subscriptions {
		s := &c.Subscriptions[i]
		s.Order = orders[s.Endpoint]
		switch have, known := ofSource[s.Source]; {
		case !s.Order.On:
		case known && have != s.Order:
			ofSource[s.Source] = Order{On: true}
		default:
			ofSource[s.Source] = s.Order
		}
	}
	for i := range c.Sources {
		c.Sources[i].Order = ofSource[c.Sources[i].Name]
	}
}
