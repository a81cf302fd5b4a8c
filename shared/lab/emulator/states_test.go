package emulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"webhook-relay/shared/lab/emulator"
)

var keys = aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: "t"}

// TestSignatures: what is signed with other keys, for another path or body, or too long ago, is
// refused.
func TestSignatures(t *testing.T) {
	t.Parallel()
	others := keys
	others.SecretAccessKey = "x"
	for name, tt := range map[string]struct {
		service   string
		keys      aws.Credentials
		presigned bool
		change    func(*http.Request)
		works     bool
	}{
		"a header":           {service: "sqs", keys: keys, works: true},
		"of S3":              {service: "s3", keys: keys, works: true},
		"a presigned URL":    {service: "s3", keys: keys, presigned: true, works: true},
		"other keys":         {service: "sqs", keys: others},
		"a URL of others":    {service: "s3", keys: others, presigned: true},
		"another path":       {service: "s3", keys: keys, change: func(r *http.Request) { r.URL.Path += "x" }},
		"another URL":        {service: "s3", keys: keys, presigned: true, change: func(r *http.Request) { r.URL.Path += "x" }},
		"a URL that is over": {service: "s3", keys: keys, presigned: true, change: late},
		"another body": {service: "sqs", keys: keys, change: func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("other"))
		}},
		"no signature": {service: "sqs", keys: keys, change: func(r *http.Request) {
			r.Header.Del("Authorization")
		}},
		"another header": {service: "sqs", keys: keys, change: func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "other")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(
				http.MethodPost, "http://a.example.com/a%20b/c?x=%20y", strings.NewReader("body"),
			)
			r.Header.Set("X-Amz-Target", "A.B")
			signer := v4.NewSigner(func(o *v4.SignerOptions) {
				o.DisableURIPathEscaping = tt.service == "s3"
			})
			sum := sha256.Sum256([]byte("body"))
			if tt.presigned {
				query := r.URL.Query()
				query.Set("X-Amz-Expires", "60")
				r.URL.RawQuery = query.Encode()
				r.Header.Del("X-Amz-Target")
				r.ContentLength = 0
				signed, _, err := signer.PresignHTTP(
					t.Context(), tt.keys, r, "UNSIGNED-PAYLOAD", tt.service, "us-east-1",
					time.Now(),
				)
				if err != nil {
					t.Fatal(err)
				}
				r = httptest.NewRequest(http.MethodPost, signed, nil)
			} else if err := signer.SignHTTP(
				t.Context(), tt.keys, r, hex.EncodeToString(sum[:]), tt.service, "us-east-1",
				time.Now(),
			); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(r)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			err = emulator.CheckSignature(r, body, keys)
			if tt.works && err != nil || !tt.works && !errors.Is(err, emulator.ErrSignature) {
				t.Error(err)
			}
		})
	}
}

// late makes a presigned URL one of yesterday.
func late(r *http.Request) {
	query := r.URL.Query()
	query.Set("X-Amz-Date", time.Now().Add(-24*time.Hour).UTC().Format("20060102T150405Z"))
	r.URL.RawQuery = query.Encode()
}

// TestStates: Step Functions answers as its reference says.
func TestStates(t *testing.T) {
	t.Parallel()
	const standard, express = "arn:standard", "arn:express"
	states := emulator.NewStates(t, nil, map[string]bool{standard: false, express: true})
	start := func(operation, machine, name, input string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(
			t.Context(), http.MethodPost, states.URL, bytes.NewReader([]byte(
				`{"stateMachineArn":"`+machine+`","name":"`+name+`","input":"`+input+`"}`,
			)),
		)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	for _, tt := range []struct {
		operation, machine, name, input string
		status                          int
		body                            string
	}{
		{"StartExecution", standard, "a", "{}", 200, `"executionArn":"arn:standard:a"`},
		{"StartExecution", standard, "a", "{}", 200, `"executionArn":"arn:standard:a"`},
		{"StartExecution", standard, "a", "[]", 400, "ExecutionAlreadyExists"},
		{"StartExecution", express, "a", "{}", 200, "executionArn"},
		{"StartExecution", express, "a", "[]", 200, "executionArn"},
		{"StartExecution", "arn:other", "a", "{}", 400, "StateMachineDoesNotExist"},
		{"StartExecution", standard, "a b", "{}", 400, "InvalidName"},
		{"StartExecution", standard, "b", "{", 400, "InvalidExecutionInput"},
		{"StartExecution", standard, "b", strings.Repeat("1", 262145), 400, "262144"},
		{"StartSyncExecution", standard, "b", "{}", 400, "StateMachineTypeNotSupported"},
		{"StartSyncExecution", express, "b", "{}", 200, `"status":"SUCCEEDED"`},
		{"StopExecution", express, "b", "{}", 400, "UnknownOperationException"},
	} {
		status, body := start(tt.operation, tt.machine, tt.name, tt.input)
		if status != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%+v: %d %s", tt, status, body)
		}
	}
	if got := states.Executions(standard); len(got) != 1 || got["a"] != "{}" {
		t.Errorf("%v", got)
	}
	signed := emulator.NewStates(t, &keys, nil)
	answer, err := http.Post(signed.URL, "", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: %d", answer.StatusCode)
	}
}
