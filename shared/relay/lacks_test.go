package relay_test

import (
	"errors"
	"strings"
	"testing"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// A missing dependency of a stage is reported by its constructor, not at the first message.
func TestConstructorsNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, receiver := relay.NewReceiver(relay.ReceiverConfig{
		Ingest: &memory.Queue{}, Bodies: &memory.Bodies{},
	})
	_, fanout := relay.NewFanout(relay.FanoutConfig{})
	_, deliverer := relay.NewDeliverer(relay.DelivererConfig{})
	_, sweeper := operate.NewSweeper(operate.SweeperConfig{})
	for want, err := range map[string]error{
		"ReceiverConfig has no Reporter, no Sources": receiver,
		"FanoutConfig has no Bodies":                 fanout, "no Poster": deliverer,
		"no Ledger": sweeper,
	} {
		if !errors.Is(err, relay.ErrIncomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}
