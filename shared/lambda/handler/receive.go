package handler

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"
	"webhook-relay/shared/relay/catalog"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/verify"
)

// PathParameter is the name of the route's parameter that holds the source: /in/{source}.
const PathParameter = "source"

// retryAfterSeconds is what a partner is told when we cannot accept: long enough for a throttled store to recover, short enough
// for providers that give up within minutes.
const retryAfterSeconds = "10"

// Receive returns the handler of the ingress: 200 with {"id":"evt_…"} for an accepted webhook, else problem details (RFC 9457) with a
// fixed text for each status. A provider that wants answers without a body gets refusals without one too. It never returns an error, which API Gateway would turn into a 500 that says nothing.
func Receive(r *relay.Receiver) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		in, err := inbound(req)
		if err != nil {
			return problem(http.StatusBadRequest), nil
		}
		answer, err := r.Receive(ctx, in)
		switch {
		case err != nil:
			return refusal(err, answer), nil
		case answer.Reply != nil:
			return reply(*answer.Reply), nil
		}
		return respond(http.StatusOK, "application/json", struct {
			ID string `json:"id"`
		}{answer.EventID}), nil
	}
}

func inbound(req events.APIGatewayV2HTTPRequest) (relay.Inbound, error) {
	in := relay.Inbound{
		Source:     req.PathParameters[PathParameter],
		Method:     req.RequestContext.HTTP.Method,
		Query:      req.RawQueryString,
		RemoteIP:   req.RequestContext.HTTP.SourceIP,
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
	case errors.Is(err, catalog.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, verify.ErrAddress):
		return http.StatusForbidden
	case errors.Is(err, verify.ErrMethod):
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
	http.StatusForbidden:             "The source takes no webhooks from this address.",
	http.StatusNotFound:              "There is no such source. Sources are at /in/{source}.",
	http.StatusMethodNotAllowed:      "Webhooks are sent by POST. Other methods are for the handshakes of providers that have them.",
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
	if status == http.StatusServiceUnavailable {
		r.Headers["retry-after"] = retryAfterSeconds
	}
	return r
}

// refusal returns problem details for a Receiver's error, or the status alone to a provider that wants no body.
func refusal(err error, answer relay.Answer) events.APIGatewayV2HTTPResponse {
	r := problem(Status(err))
	if r.StatusCode == http.StatusMethodNotAllowed {
		r.Headers["allow"] = strings.Join(answer.Allow, ", ")
	}
	if answer.NoBody {
		r.Body = ""
		delete(r.Headers, "content-type")
	}
	return r
}

// reply returns what a provider wants to hear. It may have in it what the request said: no browser is to take that for a page.
func reply(r verify.Reply) events.APIGatewayV2HTTPResponse {
	out := events.APIGatewayV2HTTPResponse{
		StatusCode: r.Status,
		Headers:    map[string]string{"cache-control": "no-store", "x-content-type-options": "nosniff"},
		Body:       r.Body,
	}
	if r.ContentType != "" {
		out.Headers["content-type"] = r.ContentType
	}
	maps.Copy(out.Headers, r.Header)
	return out
}

func respond(status int, contentType string, body any) events.APIGatewayV2HTTPResponse {
	b, _ := json.Marshal(body) // structs of strings and numbers
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": contentType, "cache-control": "no-store"},
		Body:       string(b),
	}
}
