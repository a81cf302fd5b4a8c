package catalog

// OwnSource is the source of the relay's own events. Subscriptions may name it. No configuration
// may define it, and nothing can be POSTed to it.
const OwnSource = "relay"
