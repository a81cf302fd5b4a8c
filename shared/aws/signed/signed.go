package signed

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"webhook-relay/shared/aws/protocol"
)

// maxAnswer is the longest answer that is read. The longest that the relay asks for is a body, of 5
// MiB at most.
const maxAnswer = 16 << 20

// Service is a service of AWS.
type Service struct {
	ID   string // in the SDK, by which the configuration may name an endpoint of its own: "Lambda"
	Name string // in signatures and in the name of its hosts: "lambda"
}

// s3 is the name of the one service that wants the hash of the body in a header, and escapes a path
// once.
const s3 = "s3"

// Client sends requests to one service. It is safe for concurrent use.
type Client struct {
	cfg     aws.Config
	service Service
	own     string // the endpoint that the configuration names; "": none
	wrong   error  // why the configuration cannot be read
	signer  *v4.Signer
	retryer aws.RetryerV2
}

// New returns a client. It calls nothing yet. The zero values of cfg are the SDK's: three attempts,
// and the default client of net/http.
func New(cfg aws.Config, service Service) *Client {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = http.DefaultClient
	}
	c := &Client{
		cfg: cfg, service: service, retryer: retryer(cfg),
		signer: v4.NewSigner(func(o *v4.SignerOptions) {
			o.DisableURIPathEscaping = service.Name == s3
		}),
	}
	c.own, c.wrong = endpoint(cfg, service.ID)
	return c
}

func retryer(cfg aws.Config) aws.RetryerV2 {
	var r aws.Retryer = retry.NewStandard()
	if cfg.Retryer != nil {
		r = cfg.Retryer()
	}
	limited := retry.AddWithMaxAttempts(r, cmp.Or(cfg.RetryMaxAttempts, r.MaxAttempts()))
	return limited.(aws.RetryerV2) //nolint:forcetypeassert // the wrapper is one, whatever r is
}

// endpoint returns the endpoint that a configuration names for a service, as the SDK's clients find
// it.
func endpoint(cfg aws.Config, id string) (string, error) {
	ctx := context.Background() // the sources read variables and files
	for _, source := range cfg.ConfigSources {
		if of, ok := source.(interface {
			GetIgnoreConfiguredEndpoints(ctx context.Context) (bool, bool, error)
		}); ok {
			if ignored, found, err := of.GetIgnoreConfiguredEndpoints(ctx); ignored || err != nil {
				return aws.ToString(cfg.BaseEndpoint), err
			} else if found {
				break
			}
		}
	}
	for _, source := range cfg.ConfigSources {
		if of, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok {
			if own, found, err := of.GetServiceBaseEndpoint(ctx, id); found || err != nil {
				return own, err
			}
		}
	}
	return aws.ToString(cfg.BaseEndpoint), nil
}

// Endpoint returns the base URL that the configuration names for the service, without a slash at
// its end. It is "" for AWS's own.
func (c *Client) Endpoint() string { return strings.TrimSuffix(c.own, "/") }

// Host returns the name of the service's own host in the client's region.
func (c *Client) Host() string { return protocol.Host(c.service.Name, c.cfg.Region) }

// Request is a request.
type Request struct {
	Method string // "": POST
	URL    string // as AWS has it; "": the root of the service's host
	Header map[string]string
	Body   []byte
	// Once says that the request is not repeated: the caller does it in its own way.
	Once bool
}

// Answer is an answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Error is an answer that is not 2xx. The SDK's retryers read its code and its status.
type Error struct {
	protocol.Fault

	Status    int
	RequestID string // by which AWS's support finds the request; "": none was given
}

// Error returns what the service answered.
func (e *Error) Error() string {
	text := strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// HTTPStatusCode returns the status.
func (e *Error) HTTPStatusCode() int { return e.Status }

// ErrorCode returns the service's own code.
func (e *Error) ErrorCode() string { return e.Code }

// Code returns the code of the Error in err. It is "" if there is none.
func Code(err error) string {
	if e, is := errors.AsType[*Error](err); is {
		return e.Code
	}
	return ""
}

// Do sends a request, and sends it again after errors that may pass, as often as the configuration
// says. The error is an *Error if the service answered. After any other, the request may have been
// carried out.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	if c.wrong != nil {
		return Answer{}, c.wrong
	}
	// a first attempt that succeeds gives back some of what retries have used up
	release, err := c.retryer.GetAttemptToken(ctx)
	if err != nil {
		return Answer{}, err
	}
	for attempt := 1; ; attempt++ {
		answer, err := c.try(ctx, r)
		_ = release(err)
		if err == nil || r.Once || ctx.Err() != nil || attempt >= c.retryer.MaxAttempts() ||
			!c.retryer.IsErrorRetryable(err) {
			return answer, err
		}
		var spent error
		if release, spent = c.retryer.GetRetryToken(ctx, err); spent != nil {
			return answer, err // most calls fail: retries would make it worse
		}
		if !wait(ctx, c.retryer, attempt, err) {
			return answer, err
		}
	}
}

// wait waits before the next attempt. It returns false if ctx ended first.
func wait(ctx context.Context, r aws.Retryer, attempt int, failed error) bool {
	delay, err := r.RetryDelay(attempt, failed)
	if err != nil {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) try(ctx context.Context, r Request) (Answer, error) {
	req, err := c.signed(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	resp, err := c.cfg.HTTPClient.Do(req)
	if err != nil {
		return Answer{}, &smithyhttp.RequestSendError{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := read(resp)
	if err != nil {
		return Answer{}, &smithyhttp.RequestSendError{Err: err}
	}
	answer := Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if answer.Status < 200 || answer.Status > 299 {
		return answer, &Error{
			Fault: protocol.ReadFault(resp.Header.Get, body), Status: answer.Status,
			RequestID: cmp.Or(
				resp.Header.Get("X-Amzn-Requestid"), resp.Header.Get("X-Amz-Request-Id"),
			),
		}
	}
	return answer, nil
}

// read reads an answer. Its buffer never grows if the answer says how long it is.
func read(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxAnswer {
		return nil, fmt.Errorf(
			"an answer of %d bytes; %d are read at most", resp.ContentLength, maxAnswer,
		)
	}
	into := bytes.NewBuffer(make([]byte, 0, max(resp.ContentLength, 0)+bytes.MinRead))
	if _, err := into.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
		return nil, err
	}
	if into.Len() > maxAnswer {
		return nil, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return into.Bytes(), nil
}

func (c *Client) signed(ctx context.Context, r Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(
		ctx, cmp.Or(r.Method, http.MethodPost), c.address(r.URL), bytes.NewReader(r.Body),
	)
	if err != nil {
		return nil, err
	}
	// net/http would ask for answers in gzip, and not say how long they are
	req.Header.Set("Accept-Encoding", "identity")
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	credentials, err := c.credentials(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(r.Body)
	hash := hex.EncodeToString(sum[:])
	if c.service.Name == s3 {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	err = c.signer.SignHTTP(
		ctx, credentials, req, hash, c.service.Name, c.cfg.Region, time.Now(),
	)
	return req, err
}

func (c *Client) credentials(ctx context.Context) (aws.Credentials, error) {
	if c.cfg.Credentials == nil {
		return aws.Credentials{}, errors.New("signed: no AWS credentials")
	}
	return c.cfg.Credentials.Retrieve(ctx)
}

// Presign returns a URL that whoever has it may GET, for a time from at on.
func (c *Client) Presign(
	ctx context.Context, address string, at time.Time, lasts time.Duration,
) (string, error) {
	u, err := url.Parse(c.address(address))
	if err != nil {
		return "", err
	}
	u.RawQuery = url.Values{"X-Amz-Expires": {strconv.Itoa(int(lasts.Seconds()))}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	credentials, err := c.credentials(ctx)
	if err != nil {
		return "", err
	}
	signed, _, err := c.signer.PresignHTTP(
		ctx, credentials, req, "UNSIGNED-PAYLOAD", c.service.Name, c.cfg.Region, at,
	)
	return signed, err
}

// address returns a URL at the endpoint that the configuration names; without one, as it is.
func (c *Client) address(address string) string {
	address = cmp.Or(address, "https://"+c.Host()+"/")
	if c.own == "" {
		return address
	}
	_, rest, _ := strings.Cut(address, "://")
	_, path, _ := strings.Cut(rest, "/")
	return c.Endpoint() + "/" + path
}
