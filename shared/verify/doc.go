// Package verify tells whether a webhook comes from whom it says it does, and reads its delivery id and event type.
//
//	v, err := verify.New(verify.Config{Provider: "github"}, []string{newSecret, oldSecret})
//	result, err := v.Verify(verify.Request{Header: header, Body: body, ReceivedAt: time.Now()})
//
// # Schemes
//
//	provider           proof                                            delivery id                      event type
//	bearer             Authorization: Bearer <secret>                   webhook-id, idempotency-key      webhook-type
//	github             X-Hub-Signature-256                              X-GitHub-Delivery                X-GitHub-Event.action
//	hmac               any HMAC in a header, described by [HMAC]        the signed id, if there is one   -
//	none               nothing is checked                               -                                -
//	standard-webhooks  webhook-id, webhook-timestamp, webhook-signature webhook-id                       body: type
//	stripe             Stripe-Signature                                 body: id                         body: type
//
// Config.EventID and Config.EventType put another place in the stead of a provider's own.
//
// # What is guaranteed
//
// Signatures are made over the raw bytes of the body and compared in constant time. Every secret is tried, so that one can be
// replaced while the sender still uses the other. An empty secret is refused by [New], never taken for "no check". A signature
// is taken only in the one form that its sender writes (lower-case hex, padded base64), so that no other bytes pass for it.
//
// A header that the proof is read from must come once: a comma where the scheme has none means that it was sent twice, and
// which of the two was meant is not ours to guess. Where a scheme signs an id before a separator, an id with that separator in
// it is refused, since the same signature would then fit another division of the signed text.
//
// A signed timestamp may lie at most the tolerance before or after the time of receipt. That is judged last: stale and
// future are said of authentic requests alone, so that they tell the operator of a replay or a wrong clock, and whoever
// has no secret learns nothing but "does not match".
//
// # What is not
//
// A scheme proves what it signs. GitHub signs neither the delivery id nor the time: whoever holds a copy of such a webhook can
// send it again under another id. A bearer token proves the sender and not the body. Event types are read from
// unsigned headers where the provider puts them there.
//
// # Delivery id and event type
//
// A value in the body is named by its path, members separated by dots, from the top of a JSON object: "event.kind". Strings are
// taken as they are, numbers and booleans as they are written; null, objects, arrays and what is not there count as absent. Where
// a name occurs twice in one object the first counts, since reading stops as soon as everything is found. What lies
// beside the path is passed over, not checked; a body that is no JSON object has no values, and that is no error.
//
// A delivery id of more than 256 bytes becomes "sha256:" and the hash of it, in hex, and so does one that begins with "sha256:";
// so two ids never become one. An event type of more than 256 bytes, with control characters or of invalid UTF-8
// counts as absent, since it is shown, logged and matched against patterns.
package verify
