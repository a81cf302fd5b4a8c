// Package egress POSTs to endpoints, whose addresses and answers nobody vouches for, and fetches what else lies at such addresses.
//
//	client := egress.New(egress.Options{})
//	reply, err := client.Post(ctx, relay.Post{URL: endpoint.URL, Header: header, Body: body, Timeout: endpoint.Timeout})
//
//	keys := egress.NewKeyFetcher(egress.Options{HTTPSOnly: true}) // fetches the keys and certificates of providers
//
// # Where it goes
//
// Only to public addresses, on ports 80 and 443 and those of [Options]. The address is judged when the socket is about to connect,
// after DNS, so that neither a name that resolves to a private address nor one that changes its mind gets through. Every address of a name
// is judged by itself: of a name with public and private ones the public ones are dialled. To refuse the whole name would protect nothing
// more, and would lose webhooks to a stray record. Refused are all of IANA's special-purpose registries, also what they call globally
// reachable: private, loopback, link-local (metadata, name server and X-Ray addresses among them), carrier-grade NAT, multicast,
// reserved, benchmarking and documentation ranges, 6to4, Teredo, NAT64, ISATAP, and every IPv6 address that is not global unicast or has a
// zone; IPv4-mapped addresses are judged as what they map. The lists are those of code.dny.dev/ssrf, held against the
// registries by a test. The client follows no redirect and knows no proxy.
//
// A host in IPv6 that has a public address inside one's own network cannot be told from others: that is for a security group to forbid.
//
// [Options.Unguarded] turns the guard off for development. A test build can be linked with one address that is let through; no setting
// and no environment variable can do that to a program that was built without.
//
// # What it sends
//
// The body's bytes and the headers it is given, by POST or the method it is given; Host comes from the URL. A request with a malformed URL or header is not sent.
// One call is one POST: a request is sent anew only where the connection it was meant for turned out dead before a byte of it
// was written, or where the endpoint turned it away unprocessed in the terms of HTTP/2 (GOAWAY, REFUSED_STREAM; also PROTOCOL_ERROR,
// which some servers say instead, and net/http does not tell apart): once if it has a body, else as long as there is time. It is made once more, too,
// where 401 answers an access token that was kept from before and may have been withdrawn: the endpoint has refused who we are, and so not taken the
// webhook (RFC 6750, section 3.1).
//
// # How it proves itself
//
// Post adds what [relay.Auth] asks for, less its Signature, which the core makes: a user's password, a token, a key, an OAuth 2.0 access token, or
// AWS's Signature Version 4 with the credentials of [Options]. Tokens come from the token endpoint through the same guard, over https only, and
// are kept by all that was asked for until a minute before their end (half of the life of a short one), for an hour at most; of several attempts that
// want one, one fetches it, within 10 s. An answer of 401 drops the token it was given; where another is not to be had at once, 401 it is. A token
// endpoint that sends elsewhere, answers without an end, with a token that no header could carry, or nothing at all costs an attempt and nothing
// more. An endpoint that sends back what it got does not put it on record: what Post added and what it was told is secret ([relay.Post].Secrets)
// is taken out of the body, in the form in which it was sent and as JSON, HTML and URLs quote it. Other encodings of it are not known.
//
// # How long it takes
//
// Within the attempt's timeout, that for a token included: 10 s at most for a connection (with DNS), and 10 s for its TLS handshake. What is left is for the request
// to be taken and answered; an HTTP/2 connection on which nothing comes for 5 s is asked for a sign of life, and given up after 5 more.
// Once there is a status the body gets 2 s. An error says which of these ran out. Connections are kept for 4 s, by the wall clock, and
// shared by endpoints with the same certificates ([relay.TLS]).
//
// # What counts as an answer
//
// The status line, once the headers are complete. A receiver that has said 2xx has taken the webhook, so that to call the
// attempt failed because the rest of the answer stalls, breaks off, or ctx ends meanwhile would only send it twice; what was
// read of the body by then is kept. The body is read up to [relay.MaxResponseBytes]; if there is more the connection (in HTTP/2
// the stream) is dropped, so that an endless answer costs no more than a short one. Nothing is unpacked. Of the headers, of which there may
// be 64 KiB, [relay.ReplyHeaders] are kept.
//
// # What an error says
//
// A [*relay.PostError] has one of these outcomes:
//
//	Blocked    ErrGuard: the address or port is refused. ErrRequest: URL, header or certificate is malformed. No connection was made
//	AuthFailed no access token, for whatever reason, or no credentials of AWS: nothing was sent
//	DNSFailed  the name does not exist, or no name server answered
//	Refused    connection refused, host or network unreachable
//	TLSFailed  whatever goes wrong in the handshake: certificate, version, no TLS at all, closed half-way; an alert after it
//	TimedOut   the attempt's timeout has passed, or the 10 s within which a connection must be made and those for its handshake
//	Broken     the connection was lost before an answer, or the answer is not HTTP or has too many headers, or the request was turned away
//
// Where a name has several addresses and none can be connected to, the first one's error counts. Two errors are no outcome:
// that of ctx, and that this machine has run out of sockets or memory, which is not the endpoint's fault. In TLS 1.3 a server
// refuses a client without the certificate that it wants only after the handshake, by an alert.
//
// The text of an error has neither the URL's path, query and userinfo, nor a header, nor what the endpoint sent but names in its
// certificate: an endpoint may well send our own request back. Of what a token endpoint says only the codes of RFC 6749, section 5.2, are repeated.
//
// One thing is out of this package's hands: what an endpoint sends on a connection that waits for its next request, net/http
// quotes in the standard logger (package log). A program whose logs others read should silence that.
package egress
