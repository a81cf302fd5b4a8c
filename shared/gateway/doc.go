// Package gateway is API Gateway's HTTP API on this machine: an http.Handler that makes of each request the event of payload
// format 2.0, hands it to a Lambda handler, and writes its answer. It has the one route of the template, ANY /in/{source}.
//
// It keeps API Gateway's limits, since a webhook that passes here must pass there: 10 MB of body (413), 10,240 bytes of request line and
// headers (431), 30 s for an answer (504).
package gateway
