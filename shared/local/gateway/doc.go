// Package gateway is API Gateway's HTTP API on this machine: an http.Handler that makes of each request the event of payload
// format 2.0, hands it to a Lambda handler, and writes its answer. It has the one route of the template, ANY /in/{source}.
//
// It keeps API Gateway's limits, since a webhook that passes here must pass there: 10 MB of body (413), 10,240 bytes of request line and
// headers (431), 30 s for an answer (504).
//
// # Whose answer an error is
//
// A deployed relay's answers of 404 for a path that is no source's, 413 above 10 MB, 431 and 429 are API Gateway's own:
// {"message":"…"}. Here the same statuses come as problem details (RFC 9457), as all errors of the relay do.
//
// # Header values
//
// An event is JSON, so that a value that is not UTF-8 cannot be in it as it came. It is read as ISO-8859-1 here.
package gateway
