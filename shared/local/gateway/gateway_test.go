package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/gateway"
)

// call sends a request through the gateway. It returns the answer and the event that the function
// got, or nil if it got none.
func call(
	t *testing.T, r *http.Request, answer events.APIGatewayV2HTTPResponse, fail error,
) (*events.APIGatewayV2HTTPRequest, *http.Response) {
	t.Helper()
	var got *events.APIGatewayV2HTTPRequest
	h := gateway.New(func(
		_ context.Context, e events.APIGatewayV2HTTPRequest,
	) (events.APIGatewayV2HTTPResponse, error) {
		got = &e
		return answer, fail
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return got, w.Result()
}

var ok = events.APIGatewayV2HTTPResponse{
	StatusCode: 200, Headers: map[string]string{"content-type": "application/json"}, Body: "{}",
}

func TestEventIsThatOfPayloadFormat2(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(
		t.Context(), "POST", "/in/git%20hub?a=1&a=2", strings.NewReader(`{"a":1}`),
	)
	r.Host = "in.example.com"
	r.Header = http.Header{
		"Content-Type": {
			"application/json; charset=utf-8",
		}, "X-Twice": {"a", "b"}, "Cookie": {"a=1; b=2", "c=3"}, "User-Agent": {"acme/1"},
	}
	before := time.Now().UnixMilli()
	got, _ := call(t, r, ok, nil)
	if at := got.RequestContext.TimeEpoch; at < before || at > time.Now().UnixMilli() {
		t.Errorf("timeEpoch %d", at)
	}
	want := map[string]string{
		"content-type": "application/json; charset=utf-8", "x-twice": "a,b", "user-agent": "acme/1",
		"host": "in.example.com",
	}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a=1", "b=2", "c=3"}, got.Cookies); diff != "" {
		t.Errorf("cookies (-want +got):\n%s", diff)
	}
	if got.Body != `{"a":1}` || got.IsBase64Encoded || got.PathParameters["source"] != "git hub" ||
		got.RawPath != "/in/git%20hub" ||
		got.RawQueryString != "a=1&a=2" || got.RequestContext.HTTP.Method != "POST" ||
		got.Version != "2.0" ||
		got.RequestContext.HTTP.SourceIP != "192.0.2.1" {
		t.Errorf("event %+v", got)
	}
}

func TestCookiesOfAnAnswer(t *testing.T) {
	t.Parallel()
	answer := ok
	answer.Cookies = []string{"a=1; HttpOnly", "b=2"}
	_, resp := call(
		t, httptest.NewRequestWithContext(t.Context(), "POST", "/in/s", nil), answer, nil,
	)
	if diff := cmp.Diff(answer.Cookies, resp.Header.Values("Set-Cookie")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBodiesThatAreNotTextComeInBase64(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		contentType, body string
		base64            bool
	}{
		"json":                {"application/json", "{}", false},
		"json suffix":         {"application/vnd.acme+json", "{}", false},
		"xml":                 {"application/xml", "<a/>", false},
		"text":                {"text/plain", "a", false},
		"form":                {"application/x-www-form-urlencoded", "a=b", true},
		"binary":              {"application/octet-stream", "\x00\xff", true},
		"no type":             {"", "abc", true},
		"json that is broken": {"application/json", "\"\xff\"", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(
				t.Context(), "POST", "/in/s", strings.NewReader(tt.body),
			)
			r.Header.Set("Content-Type", tt.contentType)
			got, _ := call(t, r, ok, nil)
			body := []byte(got.Body)
			if got.IsBase64Encoded {
				body, _ = base64.StdEncoding.DecodeString(got.Body)
			}
			if got.IsBase64Encoded != tt.base64 || string(body) != tt.body {
				t.Errorf("base64 %v, body %q", got.IsBase64Encoded, body)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	post := func(path string, size int) *http.Request {
		return httptest.NewRequestWithContext(
			t.Context(), "POST", path, bytes.NewReader(make([]byte, size)),
		)
	}
	headers := post("/in/s", 1)
	headers.Header.Set("X-Long", strings.Repeat("x", gateway.MaxHeaderBytes))
	enough := post("/in/s", 1)
	enough.Header.Set("X-Long", strings.Repeat("x", gateway.MaxHeaderBytes-200))
	tests := map[string]struct {
		request *http.Request
		fail    error
		status  int
		called  bool
	}{
		"the function's own":  {post("/in/s", gateway.MaxBodyBytes), nil, 200, true},
		"body over the limit": {post("/in/s", gateway.MaxBodyBytes+1), nil, 413, false},
		"headers of 10 KiB":   {headers, nil, 431, false},
		"headers just below":  {enough, nil, 200, true},
		"no such route":       {post("/elsewhere", 1), nil, 404, false},
		"no source":           {post("/in/", 1), nil, 404, false},
		"slash at the end":    {post("/in/s/", 1), nil, 404, false},
		"untidy path":         {post("//in/s", 1), nil, 404, false},
		"bad escape":          {post("/in/%25zz", 1), nil, 200, true}, // a source named %zz
		"the function fails":  {post("/in/s", 1), errors.New("secret detail"), 500, true},
		"other methods pass on": {
			httptest.NewRequestWithContext(t.Context(), "GET", "/in/s", nil), nil, 200, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event, got := call(t, tt.request, ok, tt.fail)
			defer got.Body.Close()
			body, _ := io.ReadAll(got.Body)
			if got.StatusCode >= 400 && !isProblem(got.Header, body, got.StatusCode) {
				t.Errorf("%d is no problem document: %v %s", got.StatusCode, got.Header, body)
			}
			if got.StatusCode != tt.status || (event != nil) != tt.called ||
				bytes.Contains(body, []byte("secret")) {
				t.Errorf(
					"status %d, function called %v, body %s", got.StatusCode, event != nil, body,
				)
			}
		})
	}
}

func TestAnswerInBase64IsDecoded(t *testing.T) {
	t.Parallel()
	_, got := call(t, httptest.NewRequestWithContext(t.Context(), "POST", "/in/s", nil),
		events.APIGatewayV2HTTPResponse{StatusCode: 202, Body: "AP8=", IsBase64Encoded: true}, nil)
	defer got.Body.Close()
	if body, _ := io.ReadAll(got.Body); got.StatusCode != 202 ||
		!bytes.Equal(body, []byte{0, 255}) {
		t.Errorf("status %d, body %v", got.StatusCode, body)
	}
}

// isProblem reports whether an answer is the problem details of a status.
func isProblem(h http.Header, body []byte, status int) bool {
	var document struct {
		Title, Detail string
		Status        int
	}
	err := json.Unmarshal(body, &document)
	return err == nil && h.Get("content-type") == "application/problem+json" &&
		document.Status == status && document.Title != "" && document.Detail != ""
}

// serveLocally starts a server in the way of the local host, and returns its address.
func serveLocally(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: gateway.New(
		func(
			context.Context, events.APIGatewayV2HTTPRequest,
		) (events.APIGatewayV2HTTPResponse, error) {
			return ok, nil
		})}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(gateway.Listener(l)) }()
	return l.Addr().String()
}

// Most senders read the answer only after they have sent everything. They must get one too.
func TestRefusalsAreReadByWhoSendsEverythingFirst(t *testing.T) {
	t.Parallel()
	addr := serveLocally(t)
	const large = 20 << 20
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", large, strings.Repeat("x", large))
	tests := map[string]struct {
		request string
		status  int
	}{
		"20 MiB": {
			fmt.Sprintf(
				"POST /in/s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", large,
				strings.Repeat("x", large),
			),
			413,
		},
		"20 MiB in chunks": {
			"POST /in/s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked, 413,
		},
		"20 MiB announced": {
			fmt.Sprintf(
				"POST /in/s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
				large,
			),
			413,
		},
		"headers of 11 KiB": {
			"POST /in/s HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 11<<10) +
				"\r\nContent-Length: 0\r\n\r\n",
			431,
		},
		"headers of 2 MiB": {
			"POST /in/s HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 2<<20) +
				"\r\nContent-Length: 0\r\n\r\n",
			431,
		},
		"no HTTP": {"hello\r\n\r\n", 400},
		"no host": {
			"POST /in/s HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1000000),
			400,
		},
		"a control character": {"POST /in/s HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400},
		"bad escape":          {"POST /in/%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"chunks that break off": {
			"POST /in/s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
		},
		"unknown encoding": {
			"POST /in/s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n", 501,
		},
		"all is well": {"POST /in/s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatalf("sending: %v", err)
			}
			got, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			defer got.Body.Close()
			body, err := io.ReadAll(got.Body)
			if err != nil || got.StatusCode != tt.status {
				t.Fatalf("%d, want %d: %v", got.StatusCode, tt.status, err)
			}
			if tt.status >= 400 && !isProblem(got.Header, body, tt.status) {
				t.Errorf("no problem document: %v %s", got.Header, body)
			}
		})
	}
}

func TestHeaderValuesThatAreNotUTF8AreReadAsLatin1(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/in/s", nil)
	r.Header = http.Header{
		"X-Latin": {"M\xfcnchen"}, "X-Utf8": {"München"}, "X-Both": {"a\xff\x80", "b"},
	}
	got, _ := call(t, r, ok, nil)
	for name, want := range map[string]string{
		"x-latin": "München", "x-utf8": "München", "x-both": "a\u00ff\u0080,b",
	} {
		if got.Headers[name] != want {
			t.Errorf("%s: %q, want %q", name, got.Headers[name], want)
		}
	}
}
