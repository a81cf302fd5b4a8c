package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// Limits of API Gateway's HTTP APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	MaxBodyBytes   = 10 << 20
	MaxHeaderBytes = 10240
	Timeout        = 30 * time.Second
)

// Lambda is a Lambda handler for payload format 2.0.
type Lambda func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// New returns the HTTP API in front of receive.
func New(receive Lambda) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/in/{source}", func(w http.ResponseWriter, r *http.Request) { serve(w, r, receive) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { message(w, http.StatusNotFound) })
	return mux
}

func serve(w http.ResponseWriter, r *http.Request, receive Lambda) {
	if headerBytes(r) > MaxHeaderBytes {
		message(w, http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		message(w, http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		message(w, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), Timeout)
	defer cancel()
	answer, err := receive(ctx, Event(r, body, time.Now()))
	if err != nil {
		message(w, http.StatusInternalServerError)
		return
	}
	write(w, answer)
}

// Event returns what API Gateway makes of r, whose body has been read.
func Event(r *http.Request, body []byte, at time.Time) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       "ANY /in/{source}",
		RawPath:        r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery,
		Headers:        make(map[string]string, len(r.Header)+1),
		PathParameters: map[string]string{"source": r.PathValue("source")},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "ANY /in/{source}", Stage: "$default", RequestID: rand.Text(),
			Time: at.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: at.UnixMilli(), DomainName: r.Host,
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: hostOf(r.RemoteAddr), UserAgent: r.UserAgent(),
			},
		},
	}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	e.Headers["host"] = r.Host
	if cookies := r.Header["Cookie"]; len(cookies) > 0 {
		delete(e.Headers, "cookie")
		e.Cookies = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if e.IsBase64Encoded = !isText(r.Header.Get("Content-Type"), body); e.IsBase64Encoded {
		e.Body = base64.StdEncoding.EncodeToString(body)
	} else {
		e.Body = string(body)
	}
	return e
}

// isText tells whether API Gateway passes a body on as it is: text and JSON media types, and here only if it is UTF-8, where API
// Gateway would damage it.
func isText(contentType string, body []byte) bool {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	text := strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "json") || strings.HasSuffix(media, "xml") ||
		media == "application/javascript"
	return text && utf8.Valid(body)
}

func write(w http.ResponseWriter, answer events.APIGatewayV2HTTPResponse) {
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(answer.Body)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body) // the partner may be gone
}

// message answers as API Gateway itself does where it does not get as far as the function.
func message(w http.ResponseWriter, status int) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": http.StatusText(status)})
}

func headerBytes(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("host") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
