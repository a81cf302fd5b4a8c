package sts_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/sts"
	"webhook-relay/shared/destination/assume"
)

const role = "arn:aws:iam::123456789012:role/listen"

// TestAssume: the request is signed and has the policy; what fails for a moment is tried again.
func TestAssume(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/sts/aws4_request") ||
			r.FormValue("RoleArn") != role || r.FormValue("Policy") != `{"a":"b"}` ||
			r.FormValue("RoleSessionName") != "lis_a" {
			t.Errorf("%v, %v", r.Header, r.Form)
		}
		fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials>
			<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
			<SessionToken>t</SessionToken><Expiration>2026-01-02T03:04:05Z</Expiration>
			</Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	t.Cleanup(server.Close)
	got, err := at(server).Assume(t.Context(), "lis_a", `{"a":"b"}`)
	if err != nil || got.AccessKeyID != "ASIA" || calls != 2 {
		t.Errorf("%+v, %v, %d calls", got, err, calls)
	}
}

func TestAssumeIsRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`)
	}))
	t.Cleanup(server.Close)
	_, err := at(server).Assume(t.Context(), "lis_a", "{}")
	if failed, is := errors.AsType[*assume.Error](err); !is || !failed.Denied() ||
		!strings.Contains(err.Error(), role) {
		t.Error(err)
	}
	server.Close()
	if _, err := at(server).Assume(t.Context(), "lis_a", "{}"); err == nil {
		t.Error("no error without an answer")
	}
}

func at(server *httptest.Server) *sts.Role {
	return sts.New(aws.Config{
		Region: "eu-central-1", HTTPClient: server.Client(), BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s"}, nil
		}),
	}, role)
}
