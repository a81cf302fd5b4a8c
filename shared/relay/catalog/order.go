package catalog

// Order says whether the deliveries to an endpoint are made one after the other, in the order in which their webhooks were accepted. The zero
// Order is none.
//
// Webhooks of a source with an ordered endpoint go through ordered queues, and a delivery's message stays at the head of its group until the
// delivery has ended: it waits there for its next attempt, held by the queue. What follows from that:
//
//   - A delivery that fails holds back those behind it, of its key only, for as long as its schedule and MaxAge let it live.
//   - There is one POST at a time for a key.
//   - An attempt that was made and could not be recorded is made again, since its message cannot be sent on past those behind it.
//   - A message that makes us fail is put aside as any other, and the order goes on without it.
//   - A delivery that is sent again (a replay, a redriven dead letter), or that the Sweeper puts back, gets in line at the end. Many of these come by
//     the queue without order, so that they get in line as they happen to come.
//   - Webhooks accepted while the catalog changes, until every instance knows of the change, are in line as they come. Messages under way are
//     understood whichever queue they lie in: those of the ordered queue go on in order, others get in line when their turn comes.
//   - The relay's own events about endpoints and deliveries are in line as they come, too.
type Order struct {
	On  bool
	Key string // path of a JSON value in the payload ("data.account.id"): those where it says the same are in line; "": all are
}

// SetOrder derives what sources and subscriptions say of order from the endpoints, so that each stage finds it in what it reads anyway. Whoever
// makes a catalog calls it. A source has the key that all its ordered endpoints have in common: its webhooks need no stricter order then.
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
