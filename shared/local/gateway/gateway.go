package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
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

// maxDrained is how much of a body that is too large is read and thrown away before it is answered: a sender that reads no
// answer before it has sent everything would see its connection reset. Of an even larger one the sender gets the answer if it looks.
const maxDrained = 64 << 20

// New returns the HTTP API in front of receive. Its own answers are problem details (RFC 9457), where API Gateway's are
// {"message":"…"}: see the package comment.
func New(receive Lambda) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, ok := sourceOf(r)
		if !ok {
			problem(w, http.StatusNotFound)
			return
		}
		serve(w, r, source, receive)
	})
}

// sourceOf returns the one parameter of the route /in/{source}. As at API Gateway no path is redirected to a tidier one, which
// would turn a POST into a GET, and a slash at the end makes another path.
func sourceOf(r *http.Request) (source string, ok bool) {
	segment, ok := strings.CutPrefix(r.URL.EscapedPath(), "/in/")
	if !ok || segment == "" || strings.Contains(segment, "/") {
		return "", false
	}
	source, err := url.PathUnescape(segment)
	return source, err == nil
}

func serve(w http.ResponseWriter, r *http.Request, source string, receive Lambda) {
	if headerBytes(r) > MaxHeaderBytes {
		problem(w, http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	body, status := readBody(w, r)
	if status != http.StatusOK {
		problem(w, status)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), Timeout)
	defer cancel()
	answer, err := receive(ctx, Event(r, source, body, time.Now()))
	if err != nil {
		problem(w, http.StatusInternalServerError)
		return
	}
	write(w, answer)
}

// readBody returns the body, or the status of a refusal.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, status int) {
	if r.ContentLength > MaxBodyBytes && r.Header.Get("Expect") != "" {
		return nil, http.StatusRequestEntityTooLarge // whoever asks first has not sent it yet
	}
	all := http.MaxBytesReader(w, r.Body, MaxBodyBytes+maxDrained)
	body, err := io.ReadAll(io.LimitReader(all, MaxBodyBytes+1))
	if err != nil {
		return nil, http.StatusBadRequest
	}
	if len(body) > MaxBodyBytes {
		_, _ = io.Copy(io.Discard, all) // the answer is the same however far this comes
		return nil, http.StatusRequestEntityTooLarge
	}
	return body, http.StatusOK
}

// Event returns what API Gateway makes of r, a request to a source whose body has been read.
func Event(r *http.Request, source string, body []byte, at time.Time) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       "ANY /in/{source}",
		RawPath:        r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery,
		Headers:        make(map[string]string, len(r.Header)+1),
		PathParameters: map[string]string{"source": source},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "ANY /in/{source}", Stage: "$default", RequestID: rand.Text(),
			Time: at.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: at.UnixMilli(), DomainName: r.Host,
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: hostOf(r.RemoteAddr), UserAgent: r.UserAgent(),
			},
		},
	}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = asText(strings.Join(values, ","))
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

// asText returns a header's value as an event can carry it, in JSON: UTF-8 as it is, anything else read as ISO-8859-1, which is
// what HTTP's header values were (RFC 9110, section 5.5). Nothing is lost: each byte becomes a character.
func asText(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
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
