// Package gateway is API Gateway's HTTP API on this machine. It is an http.Handler that converts
// each request into an event of payload format 2.0, passes the event to a Lambda handler, and
// writes the handler's answer. It has the template's routes ANY /in/{source} and ANY
// /in/{tenant}/{source}.
//
// It has API Gateway's limits, so a webhook that passes here also passes there: 10 MB of body
// (413), 10,240 bytes of request line and headers (431), 30 s for an answer (504).
//
// # Whose answer an error is
//
// In a deployed relay, API Gateway itself answers 404 for a path that is not a source's, 413 above
// 10 MB, 431 and 429, with {"message":"…"}. Here the same statuses come as problem details (RFC
// 9457), like all errors of the relay.
//
// # Header values
//
// An event is JSON, so it cannot contain a header value that is not UTF-8. Such a value is read as
// ISO-8859-1 here.
package gateway
