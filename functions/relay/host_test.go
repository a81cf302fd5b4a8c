package main

import (
	"context"
	"testing"

	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/relay"
)

// holding is a queue that records which messages it is told to hold.
type holding struct {
	name string
	held []relay.Held
}

func (h *holding) Name() string { return h.name }

func (h *holding) Hold(_ context.Context, held []relay.Held) []error {
	h.held = append(h.held, held...)
	return make([]error, len(held))
}

// Stages can hold messages of every queue that the host consumes. So a message that failed comes
// back within seconds.
func TestTheHostHoldsMessagesOfWhateverQueueItConsumes(t *testing.T) {
	t.Parallel()
	h, err := openHost(t.TempDir(), hostOptions{Reporter: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	for name := range h.queues {
		q := &holding{name: name}
		again := func(context.Context, []relay.Message) []relay.Action {
			return []relay.Action{{Retry: true, After: 5}}
		}
		failed, err := handler.Messages(again, q)(
			t.Context(), []relay.Message{{ID: "1", Body: []byte("{}"), Receives: 1}},
		)
		if err != nil || len(failed) != 1 || len(q.held) != 1 || q.held[0].For != 5 {
			t.Errorf("%s: %v, %v, held %v", name, failed, err, q.held)
		}
	}
}
