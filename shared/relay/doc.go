// Package relay is the core of the webhook relay: its words, its ports and its three stages.
//
// A webhook becomes an [Event] in the [Receiver], a set of deliveries in the [Fanout], and POSTs in the [Deliverer].
// Between the stages lie queues, and beside them a catalog (sources, endpoints, subscriptions), a ledger (events,
// deliveries, attempts) and a store for large bodies. The package knows these only as ports, interfaces of one to three
// methods; adapters live in packages named for their technology. A [Sweeper] looks after what a bug or an outage has lost
// of it all, a [Notifier] tells the operator of endpoints in trouble and of deliveries that died, and a [Replayer] sends
// those again. [Rotate] changes an endpoint's secret, with an overlap; an endpoint's [ProofKind] is what it has to show before
// it gets anything.
//
// What the stages promise, whichever adapters they run on:
//
//   - [Receiver.Receive] returns without an error only after the ingest queue has accepted the event.
//   - A message is acknowledged (a nil error from Process) only when everything it stands for is recorded and whatever must
//     follow has been sent. A stage that dies at any point may be run again with the same message.
//   - A provider's delivery id is routed once within the retention.
//   - One attempt is one POST, unless the process dies between the POST and its record, neither the ledger nor the retry queue takes that record, or two
//     copies of its message are handled at the same time.
//   - Our own failures (a store that is down, a panic, a deadline) use up none of an endpoint's attempts.
//   - Where an endpoint has an [Order], its deliveries are POSTed in the order in which their webhooks were accepted, each only after the one before
//     it was delivered or has died.
//
// What they do not promise: order at endpoints without one, and a single delivery under every failure. The event id stays the same over
// all attempts, so that receivers can drop repeats.
//
// Every type here is safe for concurrent use unless it says otherwise.
package relay
