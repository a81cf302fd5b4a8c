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

// Limits of API Gateway's HTTP APIs:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	MaxBodyBytes   = 10 << 20
	MaxHeaderBytes = 10240
	Timeout        = 30 * time.Second
)

// Lambda is a Lambda handler for payload format 2.0.
type Lambda func(
	context.Context, events.APIGatewayV2HTTPRequest,
) (events.APIGatewayV2HTTPResponse, error)

// maxDrained is how much of a body that is too large is read and discarded before the answer.
// Without that, a sender that reads the answer only after it has sent everything would see its
// connection reset. If a body is even larger, the sender gets the answer only if it reads while it
// sends.
const maxDrained = 64 << 20

// New returns the HTTP API in front of receive. Its own error answers are problem details (RFC
// 9457), while API Gateway's are {"message":"…"}: see the package comment.
func New(receive Lambda) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, ok := parametersOf(r)
		if !ok {
			problem(w, http.StatusNotFound)
			return
		}
		serve(w, r, source, receive)
	})
}

// Proxy returns the HTTP API in front of a function that serves every path that begins with prefix,
// as the route ANY prefix/{proxy+} does.
func Proxy(prefix string, function Lambda) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, prefix+"/")
		if !ok || rest == "" {
			problem(w, http.StatusNotFound)
			return
		}
		serve(w, r, Parameters{proxyParameter: rest}, function)
	})
}

// Exact returns the HTTP API in front of a function that serves one path.
func Exact(path string, function Lambda) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			problem(w, http.StatusNotFound)
			return
		}
		serve(w, r, Parameters{}, function)
	})
}

// proxyParameter is the parameter of a route for all paths below one.
const proxyParameter = "proxy"

// Parameters are the parameters of a route.
type Parameters map[string]string

// parametersOf returns the parameters of the route /in/{source} or /in/{tenant}/{source}. As in API
// Gateway, no path is redirected to a cleaner one, because a redirect would turn a POST into a GET.
// A path with a slash at the end is another path.
func parametersOf(r *http.Request) (Parameters, bool) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/in/")
	segments := strings.Split(path, "/")
	names := []string{"tenant", "source"}[max(2-len(segments), 0):]
	if !ok || len(segments) > len(names) {
		return nil, false
	}
	found := Parameters{}
	for i, segment := range segments {
		value, err := url.PathUnescape(segment)
		if err != nil || value == "" {
			return nil, false
		}
		found[names[i]] = value
	}
	return found, true
}

// route returns the key of the route that has these parameters.
func (p Parameters) route(path string) string {
	if len(p) == 0 {
		return "ANY " + path
	}
	if rest, ok := p[proxyParameter]; ok {
		return "ANY " + strings.TrimSuffix(path, rest) + "{proxy+}"
	}
	if _, ok := p["tenant"]; ok {
		return "ANY /in/{tenant}/{source}"
	}
	return "ANY /in/{source}"
}

func serve(w http.ResponseWriter, r *http.Request, source Parameters, receive Lambda) {
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

// readBody returns the body, or the status of the error answer.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, status int) {
	if r.ContentLength > MaxBodyBytes && r.Header.Get("Expect") != "" {
		// a sender that asks first has not sent the body yet
		return nil, http.StatusRequestEntityTooLarge
	}
	all := http.MaxBytesReader(w, r.Body, MaxBodyBytes+maxDrained)
	body, err := io.ReadAll(io.LimitReader(all, MaxBodyBytes+1))
	if err != nil {
		return nil, http.StatusBadRequest
	}
	if len(body) > MaxBodyBytes {
		_, _ = io.Copy(io.Discard, all) // an error changes nothing: the answer is the same
		return nil, http.StatusRequestEntityTooLarge
	}
	return body, http.StatusOK
}

// Event returns the event that API Gateway makes of r, a request to a source whose body has been
// read.
func Event(
	r *http.Request, source Parameters, body []byte, at time.Time,
) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       source.route(r.URL.Path),
		RawPath:        r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery,
		Headers:        make(map[string]string, len(r.Header)+1),
		PathParameters: source,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: source.route(r.URL.Path), Stage: "$default", RequestID: rand.Text(),
			Time: at.UTC().Format(
				"02/Jan/2006:15:04:05 -0700",
			), TimeEpoch: at.UnixMilli(), DomainName: r.Host,
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto,
				SourceIP: hostOf(r.RemoteAddr), UserAgent: r.UserAgent(),
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

// asText returns a header's value in a form that JSON can contain. UTF-8 stays as it is. Anything
// else is read as ISO-8859-1, the former encoding of HTTP header values (RFC 9110, section 5.5).
// Nothing is lost, because each byte becomes one character.
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

// isText reports whether API Gateway passes a body on without base64: it does for text and JSON
// media types. Here the body must also be UTF-8. API Gateway would damage a body that is not.
func isText(contentType string, body []byte) bool {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	text := strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "json") ||
		strings.HasSuffix(media, "xml") ||
		media == "application/javascript"
	return text && utf8.Valid(body)
}

func write(w http.ResponseWriter, answer events.APIGatewayV2HTTPResponse) {
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(answer.Body)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body) // the partner may have closed the connection
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
