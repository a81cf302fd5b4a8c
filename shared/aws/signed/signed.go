// Package signed sends requests to AWS services of which a function uses one call: a whole client
// would be linked for it, which costs megabytes and a part of every cold start.
//
//	answer, err := signed.New(cfg, "Lambda").Do(ctx, signed.Request{Service: "lambda", URL: …})
//
// Requests are signed by Signature Version 4 with the configuration's credentials.
package signed

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	maxAttempts = 3
	firstWait   = 100 * time.Millisecond // doubles with each attempt
	maxAnswer   = 1 << 20
)

// Client sends requests to one service. It is safe for concurrent use.
type Client struct {
	cfg    aws.Config
	sdkID  string
	signer *v4.Signer
}

// New returns a client. sdkID is the service's id in the SDK, by which the configuration may name
// an endpoint of its own: "Lambda". It calls nothing yet.
func New(cfg aws.Config, sdkID string) *Client {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = http.DefaultClient
	}
	return &Client{cfg: cfg, sdkID: sdkID, signer: v4.NewSigner()}
}

// Request is a request.
type Request struct {
	Method  string // "": POST
	Service string // its name in signatures: "lambda"
	URL     string // as AWS has it
	Header  map[string]string
	Body    []byte
}

// Answer is an answer of any status.
type Answer struct {
	Status int
	Body   []byte // at most 1 MiB
}

// Do sends a request, up to three times if the service fails or throttles. After an error the
// request may have been carried out.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	wait := firstWait
	for attempt := 1; ; attempt++ {
		answer, err := c.do(ctx, r)
		again := err != nil || answer.Status >= http.StatusInternalServerError ||
			answer.Status == http.StatusTooManyRequests
		if !again || attempt == maxAttempts {
			return answer, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return answer, errors.Join(err, ctx.Err())
		}
		wait *= 2
	}
}

func (c *Client) do(ctx context.Context, r Request) (Answer, error) {
	address, err := c.address(ctx, r.URL)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(
		ctx, cmp.Or(r.Method, http.MethodPost), address, bytes.NewReader(r.Body),
	)
	if err != nil {
		return Answer{}, err
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	credentials, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return Answer{}, err
	}
	sum := sha256.Sum256(r.Body)
	if err := c.signer.SignHTTP(
		ctx, credentials, req, hex.EncodeToString(sum[:]), r.Service, c.cfg.Region, time.Now(),
	); err != nil {
		return Answer{}, err
	}
	answer, err := c.cfg.HTTPClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return Answer{Status: answer.StatusCode, Body: body}, err
}

// address returns a URL at the endpoint that the configuration names; without one, as it is.
func (c *Client) address(ctx context.Context, url string) (string, error) {
	base := ""
	for _, source := range c.cfg.ConfigSources {
		if of, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok && base == "" {
			var err error
			if base, _, err = of.GetServiceBaseEndpoint(ctx, c.sdkID); err != nil {
				return "", err
			}
		}
	}
	if base == "" && c.cfg.BaseEndpoint != nil {
		base = *c.cfg.BaseEndpoint
	}
	if base == "" {
		return url, nil
	}
	_, rest, _ := strings.Cut(url, "://")
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(base, "/") + "/" + path, nil
}
