package handler_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lambda/handler"
)

type keyOfTest struct{}

func TestHTTP(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	answer := func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Add("Vary", "a")
		w.Header().Add("Vary", "b")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(r.URL.Query().Get("answer")))
	}
	serve := handler.HTTP(http.HandlerFunc(answer), func(
		ctx context.Context, c events.APIGatewayV2HTTPRequestContext,
	) context.Context {
		return context.WithValue(ctx, keyOfTest{}, c.RequestID)
	})
	e := events.APIGatewayV2HTTPRequest{
		RawPath: "/v1/x", RawQueryString: "answer=text&b=1",
		Headers: map[string]string{"authorization": "Bearer t", "content-type": "application/json"},
		Cookies: []string{"c=1", "d=2"}, Body: "{}",
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID: "id", DomainName: "api.example.com",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: "POST", SourceIP: "192.0.2.1",
			},
		},
	}
	out, err := serve(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events.APIGatewayV2HTTPResponse{
		StatusCode: 201, Body: "text", Cookies: []string{"a=1", "b=2"},
		Headers: map[string]string{"content-type": "text/plain", "vary": "a, b"},
	}, out); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if got.Method != "POST" || got.URL.Path != "/v1/x" || got.Host != "api.example.com" ||
		got.Header.Get("Authorization") != "Bearer t" || got.Header.Get("Cookie") != "c=1; d=2" ||
		string(body) != "{}" || got.Context().Value(keyOfTest{}) != "id" ||
		got.RemoteAddr != "192.0.2.1" || got.ContentLength != 2 ||
		got.RequestURI != "/v1/x?answer=text&b=1" {
		t.Errorf("request: %+v, body %q", got, body)
	}

	for raw, want := range map[string][2]string{ // path, and in its escaped form
		"/v1/a%2Fb": {"/v1/a/b", "/v1/a%2Fb"},
		"/v1/a b":   {"/v1/a b", "/v1/a%20b"}, // decoded by the gateway
		"/v1/50%":   {"/v1/50%", "/v1/50%25"},
		"":          {"", ""},
	} {
		e.RawPath = raw
		if _, err := serve(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got.URL.Path != want[0] || got.URL.EscapedPath() != want[1] {
			t.Errorf("%q: path %q, escaped %q", raw, got.URL.Path, got.URL.EscapedPath())
		}
	}

	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte{0xff, 0}), true
	e.RawQueryString = "answer=%ff"
	out, err = serve(t.Context(), e)
	if err != nil || string(body) != "\xff\x00" || !out.IsBase64Encoded ||
		out.Body != base64.StdEncoding.EncodeToString([]byte{0xff}) {
		t.Errorf("binary: %q, answer %+v, %v", body, out, err)
	}
}

func TestHTTPRefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	serve := handler.HTTP(http.NotFoundHandler(), nil)
	for name, e := range map[string]events.APIGatewayV2HTTPRequest{
		"no base64": {Body: "%", IsBase64Encoded: true},
		"no method": {RequestContext: events.APIGatewayV2HTTPRequestContext{
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "A B"},
		}},
	} {
		if out, err := serve(t.Context(), e); err != nil || out.StatusCode != 400 {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}
