// Package verify checks that a webhook comes from the provider that it claims to come from. It also
// reads the webhook's delivery id and event type.
//
//	v, err := verify.New(verify.Config{Provider: "github"}, []string{newSecret, oldSecret})
//	result, err := v.Verify(ctx, verify.Request{Header: header, Body: body, ReceivedAt: time.Now()})
//
// # Providers
//
// The table (table.go) has an entry for each provider: its scheme, the places of its delivery id
// and event type, its handshake, and notes for the person who sets it up. [Describe] returns an
// entry. docs/providers.md shows all of them. The schemes are
//
//	signed      HMAC in a header, over the body and what is added to it; [HMAC] describes any of them in the configuration
//	public      Ed25519, ECDSA and RSA in a header; the secrets are public keys
//	standard    Standard Webhooks, v1 and v1a
//	sns, paypal RSA with a certificate of the provider's
//	webToken    JSON Web Tokens: over the body, as the body, or as a token alone
//	others      proofs in bodies, forms and URLs; tokens; nothing at all
//
// Config.EventID and Config.EventType replace the places that the provider's entry names.
//
// # What is guaranteed
//
// Signatures are computed over the raw bytes of the body and compared in constant time. Every
// secret is tried, so that one can be replaced while the sender still uses the other. [New] refuses
// an empty secret; it never means "no check". A signature is accepted only in the encoding that its
// sender writes, in one form (padded base64; hex, in either case). No other bytes count as the same
// signature.
//
// A header that holds the proof must be sent once. A comma where the scheme has none means that the
// header was sent twice. The request is then refused, because the package cannot know which value
// was meant.
//
// The signed text can be divided into its parts in one way only. An id may not contain the bytes
// that are next to it in the signed text. An id that is directly followed by the body must have its
// provider's form. [New] refuses a described payload that can be divided in several ways.
//
// If a scheme signs the URL together with the body, the request's query must be the query of
// Config.URL. Nothing separates the two in the signed text, so an attacker could otherwise move
// text from the body into the query. (Twilio adds the hash of a body that is no form.)
//
// A signed timestamp may differ from the time of receipt by the tolerance at most, in either
// direction. It may also not be older than [MaxAge], because delivery ids are remembered for that
// long. Freshness is checked last. Only authentic requests get ErrStale or ErrFuture, so these
// errors tell the operator of a replay or a wrong clock. A sender without a secret learns only
// "does not match".
//
// Keys and certificates are fetched from the provider's pinned hosts only. If one cannot be fetched
// or trusted, the error is ErrFetch and never a refusal. If the provider's server has no newer
// answer, [Cached] uses the last one for up to a day. So a withdrawn key may be accepted for that
// long. The algorithm of a token comes from the table, whatever the token says.
//
// A handshake is answered without a proof only if the answer signs nothing that could pass as the
// signature of a body. A secret is learned only while the source has none.
//
// # What is not
//
// The field Signed of a [Description] says what each scheme covers, and docs/providers.md says what
// follows from it. The table of attacks (attacks_test.go) checks both against the code. An id that
// the proof does not cover is bound to the bytes that it does cover (Result.Bound).
//
// These schemes are Authenticated, not Verified, because they sign only a part of the body. Adyen
// signs eight fields of each item. Mailgun, Ecwid and Dropbox Sign sign a time and one more field.
// Mercado Pago signs the id of the object that the webhook is about.
//
// Twilio and Mandrill sign the URL and the decoded fields, but not their order or their escapes,
// and nothing separates a name from its value. PayPal signs only the CRC-32 of the body. SNS signs
// neither UnsubscribeURL nor MessageAttributes. Tokens in bodies are passed on with the body.
//
// A scheme proves only what it signs. GitHub signs neither the delivery id nor the time, so an
// attacker with a copy of a webhook can send it again under another id, unless Config.Once is set.
// A bearer token proves the sender and not the body. Event types are read from unsigned headers if
// the provider puts them there.
//
// # Delivery id and event type
//
// A value in the body is named by its path from the top of a JSON object, members separated by
// dots: "event.kind". Strings are taken as they are. Numbers and booleans are taken as they are
// written. Null, objects, arrays and missing members count as absent. If a name occurs twice in one
// object, the first counts, because reading stops as soon as everything is found. The rest of the
// body is skipped without a check. A body that is no JSON object has no values, and that is no
// error.
//
// A delivery id of more than 256 bytes becomes "sha256:" and its hash in hex. The same happens to
// an id that begins with "sha256:". So two ids never become one. An event type counts as absent if
// it has more than 256 bytes, control characters or invalid UTF-8, because it is shown, logged and
// matched against patterns.
//
// # Speed
//
// The time for a webhook of 1 KiB, as a ratio to a bare HMAC with the same hash over as many bytes,
// in one run of
//
//	go test -run '^$' -bench 'VerifyForms|Verify$' ./shared/verify
//
// It measures one provider for each form of HMAC in the table. Seen on 2 cores of an AMD EPYC:
//
//	proof         Verify        allocations
//	0.83 to 0.94  0.85 to 1.18  0 to 6  the body is signed
//	0.97 to 1.03  1.02 to 1.20  0 to 2  a time, an id or the URL as well; Standard Webhooks 1.20
//	0.98 to 1.03  1.22 to 1.35  1 to 2  so, and id and type are in the body, at its beginning; Stripe 1.26
//	1.13          1.21          1       Contentful says in headers which of them are signed
//	1.15          1.28          2       Klaviyo writes the time as the header Date has it
//	2.1           2.4           2       Hygraph signs the body as a string in JSON, which has to be written first
//
// Ratios below 1 are possible because the key's own blocks are hashed only once. Verify also reads
// the id and the type. If the id is the hash of the body, it computes that hash too, and so does
// the bare HMAC that it is compared with. To read a body to its end for a value takes as long as
// the HMAC.
package verify
