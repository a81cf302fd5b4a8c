// Package relay is the core of the webhook relay: its types, its ports and its three stages.
//
// A webhook passes three stages. The [Receiver] accepts it as an [Event]. The [Fanout] makes a
// delivery for each endpoint. The [Deliverer] makes the POSTs. Queues connect the stages. A catalog
// holds sources, endpoints and subscriptions; a ledger holds events, deliveries and attempts; a
// store holds large bodies. The package knows all of these only as ports: interfaces of one to
// three methods. Adapters live in packages named for their technology.
//
// Beside the stages: [catalog.Rotate] changes an endpoint's secret, with an overlap. A
// [catalog.ProofKind] names what an endpoint must answer before its first delivery. Package operate
// finds what a bug or an outage has lost, tells the operator of failing endpoints and of dead
// deliveries, and sends deliveries again.
//
// The stages promise, with any adapters:
//
//   - [Receiver.Receive] returns without an error only after the ingest queue has accepted the
//     event.
//   - A message is acknowledged (a zero [Action] from Process) only after everything about it is
//     recorded and every message that must follow has been sent. If a stage dies at any point, it
//     may run again with the same message.
//   - A provider's delivery id is routed once within the retention.
//   - One attempt is one POST. There are three exceptions: the process dies between the POST and
//     its record, neither the ledger nor the retry queue takes that record, or two copies of its
//     message are handled at the same time.
//   - Our own failures (a store that is down, a panic, a deadline) use up none of an endpoint's
//     attempts.
//   - An endpoint with a [catalog.Order] gets its deliveries in the order in which their webhooks
//     were accepted. Each is POSTed only after the one before it was delivered or has died.
//
// They do not promise order at other endpoints, nor exactly one delivery under every failure. The
// event id stays the same over all attempts, so that receivers can drop repeats.
//
// Every type here is safe for concurrent use unless it says otherwise.
package relay
