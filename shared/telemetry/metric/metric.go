package metric

// Namespace is where CloudWatch keeps the relay's metrics.
const Namespace = "WebhookRelay"

// The dimensions, which are members of the log line by the same name.
const (
	Relay  = "Relay"  // the stack's name
	Reason = "reason" // of Refused: one of Reasons
)

// Of the ingress: each request counts as one of these.
const (
	Accepted  = "Accepted"
	Refused   = "Refused"   // the partner's fault
	Failed    = "Failed"    // ours: it got 503
	Uncertain = "Uncertain" // of those that failed: the queue may have taken it all the same
)

// Of the fan-out. Once everything has arrived that is on its way or lies in a dead-letter queue,
//
//	Accepted <= Routed + Unrouted + Duplicate + Poisoned <= Accepted + Uncertain
//
// since an event counts as routed or unrouted when it is put on record, which happens once, and not for each time that its message is handed
// out. A function that dies before it has written its line counts too little; a duplicate or an unreadable message that is handed out
// again after all counts twice.
const (
	Routed     = "Routed"
	Unrouted   = "Unrouted"   // no subscription wants it
	Duplicate  = "Duplicate"  // its provider had sent it before
	Poisoned   = "Poisoned"   // cannot be read, and was put aside
	Deliveries = "Deliveries" // of the events that are routed
)

// Of the deliveries.
const (
	EndpointMs    = "EndpointMs"    // of each POST: how long the endpoint took, or was waited for, in milliseconds
	DeliveryAgeMs = "DeliveryAgeMs" // of each that arrived: from the webhook's acceptance to the end of the attempt, in milliseconds
	Dead          = "Dead"          // ran out of attempts
)

// Of a run of the sweeper. Those that are zero are not written.
const (
	SweptEvents = "SweptEvents" // looked at; each is once
	Stranded    = "Stranded"    // deliveries that are late or missing
	PutBack     = "PutBack"     // of which so many were sent again
	Unaccounted = "Unaccounted" // deliveries of the events that are not delivered, dead or waiting, and were not put back
	Partial     = "Partial"     // 1 where it did not get through all that was to be looked at
)

// Names are all metrics, each of which is billed.
var Names = []string{
	Accepted, Refused, Failed, Uncertain, Routed, Unrouted, Duplicate, Poisoned, Deliveries, EndpointMs, DeliveryAgeMs, Dead, SweptEvents, Stranded,
	PutBack, Unaccounted, Partial,
}

// Reasons are all that a request is refused for.
var Reasons = []string{
	ReasonSource, ReasonMethod, ReasonSize, ReasonAddress, ReasonSecret, ReasonMissing, ReasonMalformed, ReasonMismatch, ReasonTimestamp,
	ReasonOther,
}

// The reasons. The log line's error has the particulars.
const (
	ReasonSource    = "source"    // there is no such source
	ReasonMethod    = "method"    // the source does not take it
	ReasonSize      = "size"      // body over the limit
	ReasonAddress   = "address"   // the source does not take requests from there
	ReasonSecret    = "secret"    // the source has none before its provider's handshake, and takes none now
	ReasonMissing   = "missing"   // no signature or token
	ReasonMalformed = "malformed" // a signature that is none, or more than one
	ReasonMismatch  = "mismatch"  // no secret makes this signature, or it is not the token
	ReasonTimestamp = "timestamp" // signed too long ago, or in the future
	ReasonOther     = "other"
)
