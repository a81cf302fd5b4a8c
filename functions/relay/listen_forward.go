package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/sign"
)

// forwarder sends events to a server on this machine.
type forwarder struct {
	api      *connection
	target   *url.URL
	tenant   string // whose events they are
	as       string // endpoint; "": sign by signer
	signer   *sign.Signer
	signedBy string // for people
	http     *http.Client
}

// newForwarder returns what forwards events; nil for no target.
func (l *listening) newForwarder(ctx context.Context, target *url.URL) (*forwarder, error) {
	if target == nil {
		return nil, nil //nolint:nilnil // nothing is forwarded
	}
	f := &forwarder{api: l.api, target: target, as: l.flags.As, http: &http.Client{
		Timeout: l.flags.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // as the relay does
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			InsecureSkipVerify: l.flags.SkipVerify, //nolint:gosec // asked for
		}},
	}}
	self, err := client.Get[admin.Self](ctx, l.api.Client, client.Path("v1", "self"), nil)
	if err != nil {
		return nil, err
	}
	if f.tenant = self.Tenant; l.api.Tenant != "" {
		f.tenant = l.api.Tenant
	}
	if f.as != "" {
		f.signedBy = "as " + f.as + " would get them"
		_, err := client.Get[admin.StateView](
			ctx, l.api.Client, client.Path("v1", "endpoints", f.as, "state"), nil,
		)
		return f, err
	}
	secret, from, err := l.flags.secret(l.inv)
	if err != nil {
		return nil, err
	}
	if f.signer, err = sign.New([]string{secret}); err != nil {
		return nil, usage(fmt.Sprintf("the secret to sign with is not valid: %v", err))
	}
	f.signedBy = from
	return f, nil
}

// result is how forwarding an event ended.
type result struct {
	Status   int           // 0: there was no answer
	Took     time.Duration // until the answer
	Response []byte        // its begin
	Err      error         // why there was none
}

// ok tells whether the server took the event.
func (r result) ok() bool {
	return r.Err == nil && r.Status >= http.StatusOK && r.Status < http.StatusMultipleChoices
}

// send forwards an event with its body, as the attempt of a number.
func (f *forwarder) send(ctx context.Context, e relay.Event, body []byte, attempt int) result {
	r, err := f.request(ctx, e, body, attempt)
	if err != nil {
		return result{Err: err}
	}
	began := time.Now()
	answer, err := f.http.Do(r)
	took := time.Since(began)
	if err != nil {
		if in, is := errors.AsType[*url.Error](err); is {
			err = in.Err
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			err = errRefused
		}
		return result{Err: err, Took: took}
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, relay.MaxResponseBytes))
	return result{Status: answer.StatusCode, Took: took, Response: text}
}

// errRefused means that no server listens there.
var errRefused = errors.New("connection refused")

// request returns the request that forwards an event.
func (f *forwarder) request(
	ctx context.Context, e relay.Event, body []byte, attempt int,
) (*http.Request, error) {
	method, target := http.MethodPost, f.target.String()
	var header relay.Header
	if f.as != "" {
		p, err := f.asEndpoint(ctx, e)
		if err != nil {
			return nil, err
		}
		method, target, header, body = p.Method, f.at(p), p.Headers, p.Body
	} else {
		header = relay.Forwarded(e, f.tenant, attempt, f.signer.Headers(e.ID, time.Now(), body))
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r, nil
}

// asEndpoint returns the request that the endpoint would get.
func (f *forwarder) asEndpoint(ctx context.Context, e relay.Event) (admin.Preview, error) {
	return call[admin.Preview](
		ctx, f.api, client.Path("v1", "endpoints", f.as, "preview"), map[string]string{"event": e.ID},
	)
}

// at returns where a request for an endpoint is sent: the path and query that its transform adds
// come after those of the target.
func (f *forwarder) at(p admin.Preview) string {
	u := *f.target
	u.Path += p.Path
	if p.Query != "" && u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += p.Query
	return u.String()
}
