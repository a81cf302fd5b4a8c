// Package verify tells whether a webhook comes from whom it says it does, and reads its delivery id and event type.
//
//	v, err := verify.New(verify.Config{Provider: "github"}, []string{newSecret, oldSecret})
//	result, err := v.Verify(ctx, verify.Request{Header: header, Body: body, ReceivedAt: time.Now()})
//
// # Providers
//
// The table (table.go) has an entry for each provider: its scheme, where its delivery id and its event type are, its handshake, and what a
// person needs to know who sets it up; [Describe] returns it, docs/providers.md shows all. Schemes are
//
//	signed      HMAC in a header, over the body and what is added to it; [HMAC] describes any of them in the configuration
//	public      Ed25519, ECDSA and RSA in a header; the secrets are public keys
//	standard    Standard Webhooks, v1 and v1a
//	sns, paypal RSA with a certificate of the provider's
//	webToken    JSON Web Tokens: over the body, as the body, or as a token alone
//	others      proofs in bodies, forms and URLs; tokens; nothing at all
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
// which of the two was meant is not ours to guess. What is signed has one division into its parts: an id has no byte of the text beside it, and one
// that no text parts from the body is held to its provider's form; [New] refuses a described payload of several divisions.
//
// Where the URL is signed together with the body, the request's query must be that of Config.URL: nothing parts the two in what is signed, so that
// text could else be moved from the body into the query. (Twilio adds the hash of a body that is no form.)
//
// A signed timestamp may lie at most the tolerance before or after the time of receipt, and before it no longer than [MaxAge], for which ids are remembered. That is judged last: stale and
// future are said of authentic requests alone, so that they tell the operator of a replay or a wrong clock, and whoever
// has no secret learns nothing but "does not match".
//
// Keys and certificates are fetched only from the provider's pinned hosts; a failure to get or to trust one is ErrFetch, never a refusal. What was
// fetched serves on for a day while the provider's server has nothing newer ([Cached]): so long may a key be taken that was withdrawn. A
// token's algorithm is the table's, whatever the token says of itself.
//
// A handshake is answered without a proof only where the answer signs nothing that could pass for a body's signature. A learned secret is
// taken only while there is none.
//
// # What is not
//
// [Describe] says in Signed what each scheme covers, and docs/providers.md what follows; the table of attacks (attacks_test.go) holds both against
// what is done. An id that is not covered is bound to the bytes that are (Result.Bound).
//
// Adyen proves eight fields of each item, Mailgun, Ecwid and Dropbox Sign a time and one more, Mercado Pago the id of what it tells of: they are
// Authenticated, not Verified. Twilio and Mandrill prove the URL and
// the decoded fields, not their order or escapes, and nothing parts a name from its value. PayPal signs only the CRC-32 of the body, SNS neither
// UnsubscribeURL nor MessageAttributes. Tokens in bodies are passed on with the body.
//
// A scheme proves what it signs. GitHub signs neither the delivery id nor the time: whoever holds a copy of such a webhook can
// send it again under another id, unless Config.Once is set. A bearer token proves the sender and not the body. Event types are read from
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
//
// # Speed
//
// What a webhook of 1 KiB takes, against a bare HMAC with the same hash over as many bytes, in one run of
//
//	go test -run '^$' -bench 'VerifyForms|Verify$' ./shared/verify
//
// which measures a provider for each form of HMAC in the table; seen on 2 cores of an AMD EPYC:
//
//	proof         Verify        allocations
//	0.83 to 0.94  0.85 to 1.18  0 to 6  the body is signed
//	0.97 to 1.03  1.02 to 1.20  0 to 2  a time, an id or the URL as well; Standard Webhooks 1.20
//	0.98 to 1.03  1.22 to 1.35  1 to 2  so, and id and type are in the body, at its beginning; Stripe 1.26
//	1.13          1.21          1       Contentful says in headers which of them are signed
//	1.15          1.28          2       Klaviyo writes the time as the header Date has it
//	2.1           2.4           2       Hygraph signs the body as a string in JSON, which has to be written first
//
// Below 1 because the key's own blocks are hashed once. Verify reads the id and the type as well (and hashes the body, where that is the id: so
// does what it is compared with); to read a body to its end for a value takes as long as the HMAC does.
package verify
