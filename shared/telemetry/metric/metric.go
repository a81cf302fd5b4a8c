package metric

// Namespace is the CloudWatch namespace of the relay's metrics.
const Namespace = "WebhookRelay"

// The dimensions. Each is a member of the log line with the same name.
const (
	Relay  = "Relay"  // the stack's name
	Reason = "reason" // of Refused: one of Reasons
)

// Metrics of the ingress. Each request counts as Accepted, Refused or Unavailable, except
// handshakes, which are not counted.
const (
	Accepted    = "Accepted"
	Refused     = "Refused"     // the partner's fault
	Unavailable = "Unavailable" // the relay's fault: the partner got 503
	// unavailable requests that the queue may have accepted nevertheless
	Uncertain = "Uncertain"
)

// Metrics of the fan-out. Once no message is on its way any more, and none but the unreadable ones
// lies in a dead-letter queue,
//
//	Accepted <= Routed + Unrouted + Duplicate + Unreadable <= Accepted + Uncertain
//
// because an event counts as routed or unrouted when it is recorded. That happens once, however
// often its message is received. Two cases break the sum: if a function dies before it has written
// its line, one is missing. If a duplicate or an unreadable message is received again although it
// was handled, it counts twice.
const (
	Routed     = "Routed"
	Unrouted   = "Unrouted"   // no subscription takes it
	Duplicate  = "Duplicate"  // a repeat of a webhook
	Unreadable = "Unreadable" // cannot be read; moved to a dead-letter queue
	Deliveries = "Deliveries" // the deliveries of the routed events
)

// Metrics of the deliveries.
const (
	// of each POST: time until the endpoint's answer or failure, in milliseconds
	EndpointMs = "EndpointMs"
	// of each delivery that arrived: from the webhook's acceptance to the end of the attempt, in
	// milliseconds
	DeliveryAgeMs = "DeliveryAgeMs"
	Dead          = "Dead" // deliveries that became dead
)

// Metrics of a sweep. Zeros are not written.
const (
	SweptEvents   = "SweptEvents"   // events checked; each event is checked once
	LateOrMissing = "LateOrMissing" // deliveries that are late or missing
	PutBack       = "PutBack"       // those of them that were sent again
	// deliveries that are neither delivered, dead nor waiting, and were not put back
	Unaccounted = "Unaccounted"
	Partial     = "Partial" // 1 if the sweep did not finish
)

// Unauthorized counts requests to the API without a valid token. It is not written, and so not
// billed, while there are none.
const Unauthorized = "Unauthorized"

// Names are all metrics. Each one is billed.
var Names = []string{
	Accepted, Refused, Unavailable, Uncertain, Routed, Unrouted, Duplicate, Unreadable, Deliveries,
	EndpointMs, DeliveryAgeMs, Dead, SweptEvents, LateOrMissing,
	PutBack, Unaccounted, Partial, Unauthorized,
}

// Reasons are all reasons for which a request is refused.
var Reasons = []string{
	ReasonSource, ReasonMethod, ReasonSize, ReasonAddress, ReasonSecret, ReasonMissing,
	ReasonMalformed, ReasonMismatch, ReasonTimestamp, ReasonMisfit, ReasonRate,
	ReasonOther,
}

// The reasons. The log line's error has the details.
const (
	ReasonSource  = "source"  // there is no such source
	ReasonMethod  = "method"  // the source does not take this method
	ReasonSize    = "size"    // the body is too large
	ReasonAddress = "address" // the source takes no requests from this address
	// the source has no secret before its provider's handshake, and no window for one is open
	ReasonSecret    = "secret"
	ReasonMissing   = "missing"   // no signature or token
	ReasonMalformed = "malformed" // a malformed signature, or more than one
	ReasonMismatch  = "mismatch"  // no secret makes this signature, or the token is wrong
	ReasonTimestamp = "timestamp" // signed too long ago, or in the future
	ReasonMisfit    = "misfit"    // not as the schema of its type wants it
	ReasonRate      = "rate"      // the tenant sends more than its rate
	ReasonOther     = "other"
)
