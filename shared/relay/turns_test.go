package relay_test

import (
	"webhook-relay/shared/relay"
)

// turns is what a world knows of the order of its webhooks: when each was sent for the first time, and when the first 2xx came.
type turns struct {
	now          int
	keys         map[string]string // by event
	begun, ended map[string]int
	posted       map[[2]string]bool // deliveries, by event and endpoint
	over         bool               // the operator sends again what is dead
}

func (t *turns) sent(h webhook) {
	if t.begun == nil {
		t.keys, t.begun, t.ended, t.posted = map[string]string{}, map[string]int{}, map[string]int{}, map[[2]string]bool{}
	}
	event := relay.EventID("app", h.id)
	if t.now++; t.begun[event] == 0 {
		t.begun[event], t.keys[event] = t.now, h.key
	}
}

func (t *turns) accepted(event string) {
	if t.now++; t.ended[event] == 0 {
		t.ended[event] = t.now
	}
}

// before tells whether a webhook had its 2xx before another was sent.
func (t *turns) before(a, b string) bool { return t.ended[a] > 0 && t.ended[a] < t.begun[b] }

// checkTurn holds a POST that begins against the order of its endpoint: those of the same line that came before have ended, and none that came after
// has begun. It is not promised once an operator, or the sweeper, has brought something back. The caller holds the lock.
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
			w.t.Errorf("%s is POSTed to %s after %s, which was accepted later", event, endpoint, other)
		}
		d, err := w.records.(relay.Deliveries).Delivery(w.t.Context(), other, endpoint)
		if w.turns.before(other, event) && (err != nil || d.Status == relay.Waiting) {
			w.t.Errorf("%s is POSTed to %s while %s, which was accepted before, is %q: %v", event, endpoint, other, d.Status, err)
		}
	}
	w.turns.posted[[2]string{event, endpoint}] = true
}
