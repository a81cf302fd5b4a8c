package client

import (
	"context"
	"io"
	"net/http"

	"webhook-relay/shared/admin"
)

// inProcessURL is the address of a relay that is called in the process. It is used in no request.
const inProcessURL = "http://localhost"

// InProcess returns a client of the API that h serves in this process, see admin.New. All requests
// are those of a principal.
func InProcess(h http.Handler, p admin.Principal, tenant string) *Client {
	c, err := New(Config{
		URL: inProcessURL, Tenant: tenant,
		HTTP: &http.Client{Transport: transport{handler: h, principal: p}},
	})
	if err != nil { // the address is a constant
		panic(err)
	}
	return c
}

// transport gives requests to a handler.
type transport struct {
	handler   http.Handler
	principal admin.Principal
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := admin.NewRecorder(http.Header{})
	t.handler.ServeHTTP(
		answer, serverSide(r).WithContext(admin.WithPrincipal(r.Context(), t.principal)),
	)
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(answer.Status), StatusCode: answer.Status,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: answer.Header(), Body: io.NopCloser(&answer.Body), ContentLength: -1, Request: r,
	}, nil
}

// serverSide returns a request as a server gets it.
func serverSide(r *http.Request) *http.Request {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), r.URL.Host
	in.URL.Scheme, in.URL.Host = "", ""
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}
