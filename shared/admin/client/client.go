// Package client calls the API: over the network, or in the process that serves it. The command
// line and the console use it, so that neither has a way of its own to do a thing.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"webhook-relay/shared/admin"
)

// Errors of calls. An answer that is an error is an *admin.Problem instead.
var (
	// ErrURL means that the address of the relay cannot be used.
	ErrURL = errors.New("not the address of a relay")
	// ErrUnreachable means that there was no answer. The request may have been carried out.
	ErrUnreachable = errors.New("the relay does not answer")
	// ErrAnswer means that the answer is none of a relay's API.
	ErrAnswer = errors.New("this is no answer of a relay")
)

// maxAnswerBytes is more than API Gateway lets through.
const maxAnswerBytes = 64 << 20

// Config tells which relay is called, and by whom.
type Config struct {
	// URL is the relay's address: https://relay.example.com. What follows /v1 is left out.
	URL string
	// Token is sent with each request; "": none.
	Token string
	// Tenant is whose things all requests are about; "": those of the token.
	Tenant string
	// HTTP sends the requests; nil: http.DefaultClient.
	HTTP *http.Client
}

// Client calls the API of one relay. It is safe for concurrent use.
type Client struct {
	Config

	base *url.URL
}

// New returns a client. It calls nothing. Error: ErrURL.
func New(c Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(c.URL, "/"), "/v1"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%w: %.200q; write https://relay.example.com", ErrURL, c.URL)
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	return &Client{Config: c, base: base}, nil
}

// Request is a request. Path is what follows the address: /v1/sources. It is not encoded.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	// Body is sent as it is if it is a []byte, and as JSON otherwise; nil: none.
	Body any
}

// Response is an answer that is no error.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Path returns a path of these elements, encoded: Path("v1", "sources", name).
func Path(elements ...string) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteString("/" + url.PathEscape(e))
	}
	return b.String()
}

// Do sends a request. Errors: *admin.Problem, ErrUnreachable, ErrAnswer.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return Response{}, err
	}
	answer, err := c.HTTP.Do(req)
	if err != nil {
		return Response{}, fmt.Errorf("%s: %w: %w", c.base, ErrUnreachable, reasonOf(err))
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return Response{}, fmt.Errorf(
			"%s: the answer broke off: %w: %w", c.base, ErrUnreachable, err,
		)
	}
	if answer.StatusCode >= http.StatusMultipleChoices &&
		answer.StatusCode != http.StatusNotModified {
		return Response{}, c.problem(answer, body)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	query := url.Values{}
	for name, values := range r.Query {
		query[name] = values
	}
	if c.Tenant != "" {
		query.Set("tenant", c.Tenant)
	}
	body, kind, err := encoded(r.Body)
	if err != nil {
		return nil, err
	}
	target := c.base.String() + r.Path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if kind != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return req, nil
}

func encoded(body any) (text []byte, mediaType string, err error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "", nil
	default:
		text, err = json.Marshal(b)
		return text, "application/json", err
	}
}

// problem returns the problem of an answer.
func (c *Client) problem(answer *http.Response, body []byte) error {
	p := new(admin.Problem)
	if err := json.Unmarshal(body, p); err == nil && p.Type != "" {
		return p
	}
	// API Gateway answers some requests itself: those beyond the throttle, for example
	var gateway struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &gateway); err == nil && gateway.Message != "" {
		return &admin.Problem{
			Type: "about:blank", Title: http.StatusText(answer.StatusCode),
			Status: answer.StatusCode, Detail: gateway.Message,
		}
	}
	return fmt.Errorf("%s: %w: status %d", c.base, ErrAnswer, answer.StatusCode)
}

// reasonOf returns an error of package http without the method and address in front.
func reasonOf(err error) error {
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err
	}
	return err
}

// Call sends a request and reads the answer as JSON. Errors: those of Do.
func Call[T any](ctx context.Context, c *Client, r Request) (out T, answer Response, err error) {
	answer, err = c.read(ctx, r, &out)
	return out, answer, err
}

// Get reads what is at a path. Errors: those of Do.
func Get[T any](ctx context.Context, c *Client, path string, query url.Values) (out T, err error) {
	_, err = c.read(ctx, Request{Method: http.MethodGet, Path: path, Query: query}, &out)
	return out, err
}

// read is Call, but compiled once.
func (c *Client) read(ctx context.Context, r Request, out any) (Response, error) {
	answer, err := c.Do(ctx, r)
	if err != nil || len(answer.Body) == 0 {
		return answer, err
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return answer, fmt.Errorf("%s: %w: %w", c.base, ErrAnswer, err)
	}
	return answer, nil
}

// Pages reads the parts of a list, one after the other. It ends after an error.
func Pages[T, I any](
	ctx context.Context, c *Client, path string, query url.Values,
) iter.Seq2[admin.Page[T, I], error] {
	return func(yield func(admin.Page[T, I], error) bool) {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		for {
			p, err := Get[admin.Page[T, I]](ctx, c, path, q)
			if !yield(p, err) || err != nil || p.Next == "" {
				return
			}
			q.Set("next", p.Next)
		}
	}
}
