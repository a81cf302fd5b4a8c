package memory_test

import (
	"testing"
	"time"

	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	conformance.Queue(t, func(*testing.T) conformance.QueueUnderTest {
		const visibility = time.Second
		q := &memory.Queue{Visibility: visibility}
		return conformance.QueueUnderTest{
			Queue: q, Visibility: visibility, Receive: q.Receive, Ack: q.Ack, Hold: q.Hold,
		}
	})
}

func TestOrderedQueue(t *testing.T) {
	t.Parallel()
	conformance.OrderedQueue(t, func(*testing.T) conformance.OrderedQueueUnderTest {
		const visibility = time.Second
		q := &memory.Queue{Visibility: visibility, Ordered: true}
		return conformance.OrderedQueueUnderTest{QueueUnderTest: conformance.QueueUnderTest{
			Queue: q, Visibility: visibility, Receive: q.Receive, Ack: q.Ack, Hold: q.Hold,
		}}
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	conformance.Events(t, func(*testing.T) relay.Events { return &memory.Ledger{} })
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	conformance.Deliveries(t, func(*testing.T) relay.Deliveries { return &memory.Ledger{} })
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	conformance.Catalog(t, func(*testing.T) conformance.CatalogUnderTest {
		return &memory.Catalog{}
	})
}

func TestBodies(t *testing.T) {
	t.Parallel()
	conformance.Bodies(t, func(*testing.T) relay.Bodies { return &memory.Bodies{} })
}

func TestLedger(t *testing.T) {
	t.Parallel()
	conformance.Ledger(t, func(*testing.T) conformance.LedgerUnderTest { return &memory.Ledger{} })
}

func TestSweepCursors(t *testing.T) {
	t.Parallel()
	conformance.SweepCursors(t, &memory.Ledger{})
}

func TestEndpointStates(t *testing.T) {
	t.Parallel()
	conformance.EndpointStates(t, func(*testing.T) gate.EndpointStates { return &memory.States{} })
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	conformance.Quotas(t, func(*testing.T) gate.Quotas { return &memory.Quotas{} })
}

func TestFailures(t *testing.T) {
	t.Parallel()
	conformance.Failures(t, func(*testing.T) relay.Failures { return &memory.Failures{} })
}

func TestEventKeeper(t *testing.T) {
	t.Parallel()
	conformance.EventKeeper(t, func(*testing.T) *memory.Ledger { return &memory.Ledger{} })
}

func TestSlots(t *testing.T) {
	t.Parallel()
	conformance.Slots(t, func(*testing.T) gate.Slots { return &memory.Slots{} })
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	conformance.Documents(t, func(*testing.T) operate.Documents { return &memory.Documents{} })
}
