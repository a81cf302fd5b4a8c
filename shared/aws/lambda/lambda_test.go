package lambda_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/lambda"
)

// service answers with the statuses, one after the other, and keeps the last request.
type service struct {
	statuses []int
	calls    int
	request  *http.Request
	body     string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.request, s.body = r, string(body)
	status := s.statuses[min(s.calls, len(s.statuses)-1)]
	s.calls++
	w.WriteHeader(status)
	if status >= 400 {
		_, _ = w.Write([]byte(`{"Message": "why not"}`))
	}
}

func start(t *testing.T, s *service) error {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return lambda.NewStarter(aws.Config{
		Region: "eu-central-1", HTTPClient: server.Client(), BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: "t"},
				nil
		}),
	}, "relay-admin").StartJob(t.Context(), "acme", "job_1")
}

func TestStarter_InvokesOnceAndDoesNotWait(t *testing.T) {
	t.Parallel()
	s := &service{statuses: []int{202}}
	if err := start(t, s); err != nil {
		t.Fatal(err)
	}
	r := s.request
	if s.calls != 1 || r.Method != "POST" ||
		r.URL.Path != "/2015-03-31/functions/relay-admin/invocations" ||
		r.Header.Get("X-Amz-Invocation-Type") != "Event" ||
		s.body != `{"job":{"tenant":"acme","id":"job_1"}}` {
		t.Errorf("%d calls, %s %s, %v, %s", s.calls, r.Method, r.URL, r.Header, s.body)
	}
	if signed := r.Header.Get("Authorization"); !strings.Contains(
		signed, "AWS4-HMAC-SHA256 Credential=AKID/",
	) || !strings.Contains(signed, "/eu-central-1/lambda/aws4_request") ||
		!strings.Contains(signed, "x-amz-invocation-type") ||
		r.Header.Get("X-Amz-Security-Token") != "t" {
		t.Errorf("%v", r.Header)
	}
}

func TestStarter_TriesAgainWhatMayHelp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statuses []int
		calls    int
		fails    bool
	}{
		"throttled for a moment": {[]int{429, 202}, 2, false},
		"down for a moment":      {[]int{500, 503, 202}, 3, false},
		"down":                   {[]int{500}, 3, true},
		"not allowed":            {[]int{403}, 1, true},
		"no such function":       {[]int{404}, 1, true},
	} {
		s := &service{statuses: test.statuses}
		err := start(t, s)
		if s.calls != test.calls || errors.Is(err, lambda.ErrInvoke) != test.fails {
			t.Errorf("%s: %d calls, %v", name, s.calls, err)
		}
		if test.fails && !strings.Contains(err.Error(), "why not") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
