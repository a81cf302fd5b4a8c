package catalog

// OwnSource is the name of the source of the relay's own events: subscriptions may name it, no configuration may take it, and
// nothing can be POSTed to it.
const OwnSource = "relay"
