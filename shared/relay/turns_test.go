package relay_test

import (
	"webhook-relay/shared/relay"
)

// turns is the order of a world's webhooks: when each was first sent, and when it first got a 2xx.
type turns struct {
	now          int
	keys         map[string]string // by event
	begun, ended map[string]int
	posted       map[[2]string]bool // deliveries, by event and endpoint
	over         bool               // the operator sends dead deliveries again
}

func (t *turns) sent(h webhook) {
	if t.begun == nil {
		t.keys, t.begun, t.ended, t.posted = map[string]string{}, map[string]int{},
			map[string]int{}, map[[2]string]bool{}
	}
	event := relay.EventID("", "app", h.id)
	if t.now++; t.begun[event] == 0 {
		t.begun[event], t.keys[event] = t.now, h.key
	}
}

func (t *turns) accepted(event string) {
	if t.now++; t.ended[event] == 0 {
		t.ended[event] = t.now
	}
}

// before tells whether one webhook got its 2xx before another was sent.
func (t *turns) before(a, b string) bool { return t.ended[a] > 0 && t.ended[a] < t.begun[b] }

// checkTurn checks a POST that begins against the order of its endpoint: earlier deliveries of its
// group have ended, and no later one has begun. This is not promised after an operator, or the
// sweeper, has sent something again. The caller holds the lock.
func (w *world) checkTurn(event, endpoint string) {
	order := w.script.endpoints[endpoint].order
	if !order.On || w.turns.over || w.redriven || w.lost > 0 || len(w.setAside()) > 0 {
		return
	}
	for other := range w.turns.begun {
		sameLine := order.Key == "" || w.turns.keys[other] == w.turns.keys[event]
		if !sameLine || !w.turns.posted[[2]string{other, endpoint}] {
			continue
		}
		if w.turns.before(event, other) {
			w.t.Errorf(
				"%s is POSTed to %s after %s, which was accepted later", event, endpoint, other,
			)
		}
		e, err := w.records.EventRecord(w.t.Context(), other)
		if err != nil {
			w.t.Error(err)
			continue
		}
		d, err := w.records.(relay.Deliveries).Delivery(w.t.Context(), e.DeliveryTo(endpoint))
		if w.turns.before(other, event) && (err != nil || d.Status == relay.Waiting) {
			w.t.Errorf(
				"%s is POSTed to %s while %s, which was accepted before, is %q: %v", event,
				endpoint, other, d.Status, err,
			)
		}
	}
	w.turns.posted[[2]string{event, endpoint}] = true
}
