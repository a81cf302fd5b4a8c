package awsconfig_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"webhook-relay/shared/aws/awsconfig"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab/emulator"
)

func config(t *testing.T) aws.Config {
	t.Helper()
	cfg, err := awsconfig.Config()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	emulator.Setenv(t, map[string]string{"AWS_REGION": "", "AWS_SECRET_ACCESS_KEY": ""})
	_, err := awsconfig.Config()
	if !errors.Is(err, awsconfig.ErrEnvironment) {
		t.Fatalf("error %v, want ErrEnvironment", err)
	}
	for _, name := range []string{"AWS_REGION", "AWS_SECRET_ACCESS_KEY"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	if strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("%q names what is there", err)
	}
}

func TestCredentialsAreTheEnvironments(t *testing.T) {
	emulator.Setenv(t, nil)
	got, err := config(t).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKeyID != "AKIDEXAMPLE" || got.SecretAccessKey != "hidden" ||
		got.SessionToken != "token" || got.CanExpire {
		t.Errorf("credentials %+v", got)
	}
}

func TestEndpoints(t *testing.T) {
	for name, tc := range map[string]struct {
		vars          map[string]string
		sqs, dynamodb string // "": AWS's own
	}{
		"none": {nil, "", ""},
		"one for all": {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
			"http://127.0.0.1:1", "http://127.0.0.1:1"},
		"one service's own": {map[string]string{"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:2"},
			"http://127.0.0.1:2", ""},
		"one service's own is stronger": {map[string]string{
			"AWS_ENDPOINT_URL":          "http://127.0.0.1:1",
			"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:3",
		},
			"http://127.0.0.1:1", "http://127.0.0.1:3"},
		"ignored": {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1",
			"AWS_ENDPOINT_URL_SQS":                "http://127.0.0.1:2",
			"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			emulator.Setenv(t, tc.vars)
			cfg := config(t)
			if got := sqs.Client(cfg).Endpoint(); got != tc.sqs {
				t.Errorf("SQS at %q, want %q", got, tc.sqs)
			}
			if got := dynamo.Client(cfg).Endpoint(); got != tc.dynamodb {
				t.Errorf("DynamoDB at %q, want %q", got, tc.dynamodb)
			}
		})
	}
}

// call makes a call of DynamoDB.
func call(t *testing.T, cfg aws.Config) error {
	t.Helper()
	return dynamo.Client(cfg).JSON(t.Context(), signed.Call{
		Target: "DynamoDB_20120810.ListTables", Version: "1.0",
	}, struct{}{}, nil)
}

func TestACallIsTriedThreeTimes(t *testing.T) {
	calls := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.Header.Get("X-Amz-Security-Token") != "token" {
			t.Errorf("session token %q", r.Header.Get("X-Amz-Security-Token"))
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(service.Close)
	emulator.Setenv(t, map[string]string{"AWS_ENDPOINT_URL": service.URL})
	if err := call(t, config(t)); err == nil {
		t.Error("no error from a service that is down")
	}
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
}

// The service closes idle connections while the function is frozen. The next call succeeds all the
// same, at its first try and on a connection that resumes the TLS session.
func TestACallAfterAFreezeIsMadeOnce(t *testing.T) {
	calls, resumed := 0, false
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(
		w http.ResponseWriter, r *http.Request,
	) {
		calls++
		resumed = r.TLS.DidResume
		_, _ = io.WriteString(w, "{}") // the client notices
	}))
	service.StartTLS()
	t.Cleanup(service.Close)
	emulator.Setenv(t, map[string]string{"AWS_ENDPOINT_URL": service.URL})
	cfg := config(t)
	client := cfg.HTTPClient.(*awshttp.BuildableClient)
	trusted := x509.NewCertPool()
	trusted.AddCert(service.Certificate())
	cfg.HTTPClient = client.WithTransportOptions(func(tr *http.Transport) {
		tr.TLSClientConfig.RootCAs = trusted
	})
	for range 3 {
		if err := call(t, cfg); err != nil {
			t.Fatal(err)
		}
		service.CloseClientConnections()
	}
	if calls != 3 || !resumed {
		t.Errorf("%d calls, want 3; the last resumed its session: %t", calls, resumed)
	}
}

// BenchmarkConfig measures what the configuration and two clients add to a cold start.
func BenchmarkConfig(b *testing.B) {
	b.Setenv("AWS_REGION", "eu-central-1")
	b.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	b.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	b.ReportAllocs()
	for b.Loop() {
		cfg, err := awsconfig.Config()
		if err != nil {
			b.Fatal(err)
		}
		sqs.Client(cfg)
		dynamo.Client(cfg)
	}
}
