package handler

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// HTTP returns the handler of an HTTP API whose requests h answers. in, if not nil, may add values
// to the context of a request. It never returns an error, because API Gateway would turn it into a
// 500 without explanation.
func HTTP(
	h http.Handler,
	in func(context.Context, events.APIGatewayV2HTTPRequestContext) context.Context,
) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(
		ctx context.Context, e events.APIGatewayV2HTTPRequest,
	) (events.APIGatewayV2HTTPResponse, error) {
		if in != nil {
			ctx = in(ctx, e.RequestContext)
		}
		r, err := httpRequest(ctx, e)
		if err != nil {
			return problem(http.StatusBadRequest), nil
		}
		answer := &buffered{header: http.Header{}}
		h.ServeHTTP(answer, r)
		return answer.response(), nil
	}
}

// httpRequest returns the request that API Gateway made e of.
func httpRequest(
	ctx context.Context, e events.APIGatewayV2HTTPRequest,
) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, err
		}
	}
	u := &url.URL{Path: e.RawPath, RawPath: e.RawPath, RawQuery: e.RawQueryString}
	// The gateway may have decoded the path. RawPath counts only if it encodes Path.
	if path, err := url.PathUnescape(e.RawPath); err == nil {
		u.Path = path
	}
	r, err := http.NewRequestWithContext(
		ctx, e.RequestContext.HTTP.Method, "", io.NopCloser(bytes.NewReader(body)),
	)
	if err != nil {
		return nil, err
	}
	r.URL, r.RequestURI = u, u.RequestURI()
	r.ContentLength = int64(len(body))
	r.Host, r.RemoteAddr = e.RequestContext.DomainName, e.RequestContext.HTTP.SourceIP
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return r, nil
}

// buffered is an answer that is kept until it is whole.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers.
func (b *buffered) Header() http.Header { return b.header }

// WriteHeader keeps the status.
func (b *buffered) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

// Write keeps a part of the body.
func (b *buffered) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// response returns the answer in the form that API Gateway takes. Cookies have a field of their
// own, since a comma cannot join them.
func (b *buffered) response() events.APIGatewayV2HTTPResponse {
	b.WriteHeader(http.StatusOK)
	out := events.APIGatewayV2HTTPResponse{
		StatusCode: b.status, Headers: make(map[string]string, len(b.header)),
		Cookies: b.header.Values("Set-Cookie"), Body: b.body.String(),
	}
	for name, values := range b.header {
		if name != "Set-Cookie" {
			out.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if out.IsBase64Encoded = !utf8.ValidString(out.Body); out.IsBase64Encoded {
		out.Body = base64.StdEncoding.EncodeToString(b.body.Bytes())
	}
	return out
}
