package handler

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// The parameters of the routes /in/{source} and /in/{tenant}/{source}.
const (
	SourceParameter = "source"
	TenantParameter = "tenant"
)

// retryAfterSeconds is the Retry-After of a 503. It is long enough for a throttled store to
// recover, and short enough for providers that give up within minutes.
const retryAfterSeconds = "10"

// Receive returns the handler of the ingress. It answers 200 with {"id":"evt_…"} to an accepted
// webhook, and otherwise problem details (RFC 9457) with a fixed text for each status. Only a
// webhook that does not fit its schema gets the place and what is wrong there. If a
// provider requires answers without a body, its refusals have none either. The handler never
// returns an error, because API Gateway would turn it into a 500 without explanation.
func Receive(r *relay.Receiver) func(
	context.Context, events.APIGatewayV2HTTPRequest,
) (events.APIGatewayV2HTTPResponse, error) {
	return func(
		ctx context.Context, req events.APIGatewayV2HTTPRequest,
	) (events.APIGatewayV2HTTPResponse, error) {
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
		Source: catalog.Qualify(
			req.PathParameters[TenantParameter], req.PathParameters[SourceParameter],
		),
		Method:   req.RequestContext.HTTP.Method,
		Query:    req.RawQueryString,
		RemoteIP: req.RequestContext.HTTP.SourceIP,
		// values are joined by ","; cookies come in a field of their own and are dropped here
		Header:     lowerCase(req.Headers),
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

// lowerCase returns the headers with names in lower case, as API Gateway spells them. SAM's
// emulation of it leaves names as they came.
func lowerCase(headers map[string]string) relay.Header {
	isLower := true
	for name := range headers {
		isLower = isLower && strings.ToLower(name) == name
	}
	if isLower {
		return headers
	}
	h := make(relay.Header, len(headers))
	for name, value := range headers {
		h[strings.ToLower(name)] = value
	}
	return h
}

// Status returns the HTTP status for a Receiver's error. It does not say what is wrong with a
// signature. That would help a forger more than a partner, whose operator finds it in the log.
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
	case errors.Is(err, relay.ErrTenant), errors.Is(err, relay.ErrSchema):
		return http.StatusUnprocessableEntity
	case errors.Is(err, relay.ErrRate):
		return http.StatusTooManyRequests
	case errors.Is(err, relay.ErrUnavailable):
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnauthorized
	}
}

var details = map[int]string{
	http.StatusBadRequest:            "The request could not be read.",
	http.StatusUnauthorized:          "The webhook's signature or token was not accepted. The relay's log says why.",
	http.StatusForbidden:             "The source accepts no webhooks from this address.",
	http.StatusNotFound:              "There is no such source. Sources are at /in/{source} or /in/{tenant}/{source}.",
	http.StatusMethodNotAllowed:      "Send webhooks by POST. Other methods serve only handshakes of some providers.",
	http.StatusRequestEntityTooLarge: "The webhook's body is larger than this relay accepts.",
	http.StatusUnprocessableEntity:   "The webhook does not say to which tenant it belongs, as this source requires. The relay's log says what is missing.",
	http.StatusTooManyRequests:       "The tenant sends more webhooks than its rate allows. Send it again after the time in Retry-After.",
	http.StatusServiceUnavailable:    "The webhook was not accepted. Send it again later.",
}

// problem returns problem details for a status.
func problem(status int) events.APIGatewayV2HTTPResponse {
	return problemOf(status, details[status])
}

func problemOf(status int, detail string) events.APIGatewayV2HTTPResponse {
	r := respond(status, "application/problem+json", struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
	if status == http.StatusServiceUnavailable {
		r.Headers["retry-after"] = retryAfterSeconds
	}
	return r
}

// refusal returns problem details for a Receiver's error, or only the status if the provider wants
// no body.
func refusal(err error, answer relay.Answer) events.APIGatewayV2HTTPResponse {
	r := problem(Status(err))
	if errors.Is(err, relay.ErrSchema) { // its sender is an application of one's own
		r = problemOf(r.StatusCode, strings.TrimPrefix(err.Error(), "relay: "))
	}
	if r.StatusCode == http.StatusMethodNotAllowed {
		r.Headers["allow"] = strings.Join(answer.Allow, ", ")
	}
	if r.StatusCode == http.StatusTooManyRequests {
		r.Headers["retry-after"] = strconv.Itoa(int(answer.RetryAfter / time.Second))
	}
	if answer.NoBody {
		r.Body = ""
		delete(r.Headers, "content-type")
	}
	return r
}

// reply returns the answer that a provider expects. It may contain text of the request, so its
// headers keep a browser from rendering it as a page.
func reply(r verify.Reply) events.APIGatewayV2HTTPResponse {
	out := events.APIGatewayV2HTTPResponse{
		StatusCode: r.Status,
		Headers: map[string]string{
			"cache-control": "no-store", "x-content-type-options": "nosniff",
		},
		Body: r.Body,
	}
	if r.ContentType != "" {
		out.Headers["content-type"] = r.ContentType
	}
	maps.Copy(out.Headers, r.Header)
	return out
}

func respond(status int, contentType string, body any) events.APIGatewayV2HTTPResponse {
	b, _ := json.Marshal(body) // encoding strings and numbers cannot fail
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": contentType, "cache-control": "no-store"},
		Body:       string(b),
	}
}
