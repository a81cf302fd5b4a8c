package handler

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/relay"
)

// PathParameter is the name of the route's parameter that holds the source: /in/{source}.
const PathParameter = "source"

// retryAfterSeconds is what a partner is told when we cannot accept: long enough for a throttled store to recover, short enough
// for providers that give up within minutes.
const retryAfterSeconds = "10"

// Receive returns the handler of the ingress: 200 with {"id":"evt_…"} for an accepted webhook, else problem details (RFC 9457) with a
// fixed text for each status. It never returns an error, which API Gateway would turn into a 500 that says nothing.
func Receive(r *relay.Receiver) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		in, err := inbound(req)
		if err != nil {
			return problem(http.StatusBadRequest), nil
		}
		id, err := r.Receive(ctx, in)
		if err != nil {
			return problem(Status(err)), nil
		}
		return respond(http.StatusOK, "application/json", struct {
			ID string `json:"id"`
		}{id}), nil
	}
}

func inbound(req events.APIGatewayV2HTTPRequest) (relay.Inbound, error) {
	in := relay.Inbound{
		Source:     req.PathParameters[PathParameter],
		Method:     req.RequestContext.HTTP.Method,
		Header:     lowerCase(req.Headers), // values joined by ","; cookies come apart and end here
		Body:       []byte(req.Body),
		ReceivedAt: time.UnixMilli(req.RequestContext.TimeEpoch),
	}
	if req.RequestContext.TimeEpoch == 0 {
		in.ReceivedAt = time.Now()
	}
	if req.IsBase64Encoded {
		var err error
		if in.Body, err = base64.StdEncoding.DecodeString(req.Body); err != nil {
			return relay.Inbound{}, err
		}
	}
	return in, nil
}

// lowerCase spells names as API Gateway does; SAM's stand-in for it passes them on as they came.
func lowerCase(headers map[string]string) relay.Header {
	h := make(relay.Header, len(headers))
	for name, value := range headers {
		h[strings.ToLower(name)] = value
	}
	return h
}

// Status returns the HTTP status that tells a partner of a Receiver's error. What is wrong with a signature is not told: that
// would help a forger more than a partner, whose operator finds it in the log.
func Status(err error) int {
	switch {
	case errors.Is(err, relay.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, relay.ErrMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, relay.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, relay.ErrUnavailable):
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnauthorized
	}
}

var details = map[int]string{
	http.StatusBadRequest:            "The request could not be read.",
	http.StatusUnauthorized:          "The webhook's signature or token was not accepted. The relay's log says why.",
	http.StatusNotFound:              "There is no such source. Sources are at /in/{source}.",
	http.StatusMethodNotAllowed:      "Webhooks are sent by POST.",
	http.StatusRequestEntityTooLarge: "The webhook's body is larger than this relay accepts.",
	http.StatusServiceUnavailable:    "The webhook was not accepted. Send it again later.",
}

// problem returns problem details for a status.
func problem(status int) events.APIGatewayV2HTTPResponse {
	r := respond(status, "application/problem+json", struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, details[status]})
	switch status {
	case http.StatusServiceUnavailable:
		r.Headers["retry-after"] = retryAfterSeconds
	case http.StatusMethodNotAllowed:
		r.Headers["allow"] = http.MethodPost
	}
	return r
}

func respond(status int, contentType string, body any) events.APIGatewayV2HTTPResponse {
	b, _ := json.Marshal(body) // structs of strings and numbers
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": contentType, "cache-control": "no-store"},
		Body:       string(b),
	}
}
