// Package egress POSTs to endpoints. Nobody vouches for their addresses and answers. It also
// fetches keys, certificates and tokens from such addresses.
//
//	client := egress.New(egress.Options{})
//	reply, err := client.Post(ctx, relay.Post{URL: endpoint.URL, Header: header, Body: body, Timeout: endpoint.Timeout})
//
//	keys := egress.NewKeyFetcher(egress.Options{HTTPSOnly: true}) // fetches the keys and certificates of providers
//
// # Where it goes
//
// It connects only to public addresses, on ports 80 and 443 and those of [Options]. The guard
// checks the address when the socket is about to connect, after DNS. So a name that resolves to a
// private address is blocked, and so is a name that changes its address between two lookups. Each
// address of a name is checked separately: if a name has public and private addresses, the public
// ones are dialled. Refusing the whole name would protect nothing more, and a stray DNS record
// would then lose webhooks.
//
// The guard refuses all of IANA's special-purpose registries, including the blocks that they call
// globally reachable: private, loopback, link-local (metadata, name server and X-Ray addresses
// among them), carrier-grade NAT, multicast, reserved, benchmarking and documentation ranges, 6to4,
// Teredo, NAT64, ISATAP, and every IPv6 address that is not global unicast or has a zone. An
// IPv4-mapped address is checked as the IPv4 address. The lists are those of code.dny.dev/ssrf; a
// test compares them with the registries. The client follows no redirect and uses no proxy.
//
// The guard cannot recognise an IPv6 host inside one's own network that has a public address. A
// security group must forbid that.
//
// [Options.Unguarded] turns the guard off for development. A test build can be linked with one
// address that the guard allows. No setting and no environment variable can do that to a program
// that was built without it.
//
// # What it sends
//
// It sends the body's bytes and the headers that it is given, by POST or by the method that it is
// given. Host comes from the URL. A request with a malformed URL or header is not sent.
//
// One call is one POST. A request is sent again only in these cases:
//
//   - The connection chosen for it turned out to be closed before a byte of the request was
//     written.
//   - An HTTP/2 endpoint rejected it as unprocessed (GOAWAY, REFUSED_STREAM; also PROTOCOL_ERROR,
//     which some servers send instead, and which net/http does not tell apart).
//   - The answer is 401, and the access token was kept from an earlier request, so it may have been
//     revoked. The endpoint has then rejected our credentials, and so has not processed the webhook
//     (RFC 6750, section 3.1).
//
// In the first two cases a request with a body is sent again once, and one without a body as long
// as there is time. In the third it is sent again once.
//
// # How it authenticates
//
// Post adds what [catalog.Auth] asks for: a user's password, a token, a key, an OAuth 2.0 access
// token, or AWS's Signature Version 4 with the credentials of [Options]. It does not add the
// Signature, which the core makes.
//
// Tokens come from the token endpoint through the same guard, over https only. They are cached by
// everything that the request for them contains, until a minute before their end (half of the life
// of a short one), and for an hour at most. If several attempts need the same token, one of them
// fetches it, within 10 s. An answer of 401 drops the token that was sent. If another token cannot
// be had at once, the result is the 401. A token endpoint may redirect, answer without end, answer
// with a token that no header can contain, or not answer. That fails the attempt and has no other
// effect.
//
// Some endpoints send back what they received. So Post removes its credentials, and what the caller
// calls secret ([relay.Post].Secrets), from the body of the answer before it is recorded. It
// removes them in the form in which they were sent, and as JSON, HTML and URLs quote them. Other
// encodings are not recognised.
//
// # How long it takes
//
// Everything happens within the attempt's timeout, including the time for a token. Of that, a
// connection may take at most 10 s (with DNS), and its TLS handshake at most 10 s. The rest is for
// sending the request and for the answer. If nothing arrives on an HTTP/2 connection for 5 s, the
// client sends a ping, and gives the connection up after 5 s more. Once the status is known, the
// body gets 2 s. The error says which of these times ran out. Connections are kept for 4 s, by the
// wall clock. Endpoints with the same certificates ([catalog.TLS]) share them.
//
// # What counts as an answer
//
// The answer is the status line, once the headers are complete. An endpoint that has answered 2xx
// has accepted the webhook. If the rest of its answer stalls or breaks off, or ctx ends, the
// attempt still succeeds, because a failed attempt would only send the webhook twice. The part of
// the body read by then is kept. At most [relay.MaxResponseBytes] of the body are read. If there is
// more, the connection (in HTTP/2 the stream) is dropped, so an endless answer costs no more than a
// short one. Bodies are not decompressed. The headers may have 64 KiB. [relay.ReplyHeaders] of them
// are kept.
//
// # What an error says
//
// A [*relay.PostError] has one of these outcomes:
//
//	Blocked     ErrGuard: the address or port is forbidden. ErrRequest: URL, header or certificate is malformed. No connection was made
//	AuthFailed  no access token, for whatever reason, or no credentials of AWS: nothing was sent
//	DNSFailed   the name does not exist, or no name server answered
//	Unreachable connection refused, host or network unreachable
//	TLSFailed   anything wrong in the handshake: certificate, version, no TLS at all, closed half-way; an alert after it
//	TimedOut    the attempt's timeout has passed, or the 10 s for a connection, or those for its handshake
//	Broken      the connection was lost before an answer, or the answer is not HTTP or has too many headers, or the request was rejected
//	            as unprocessed
//
// If a name has several addresses and no connection to any succeeds, the error of the first one is
// returned. Two errors are not outcomes: that of ctx, and that this machine has run out of sockets
// or memory, which is not the endpoint's fault. In TLS 1.3 a server rejects a missing or wrong
// client certificate only after the handshake, by an alert.
//
// The text of an error contains neither the URL's path, query and userinfo, nor a header, nor
// anything that the endpoint sent except names in its certificate. The reason: an endpoint may send
// our own request back. From a token endpoint's answer only the codes of RFC 6749, section 5.2, are
// repeated.
//
// One thing this package cannot prevent: if an endpoint sends data on an idle connection, net/http
// quotes it in the standard logger (package log). A program whose logs are read by others should
// silence that logger.
package egress
