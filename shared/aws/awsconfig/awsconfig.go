package awsconfig

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// ErrEnvironment means that a variable that Lambda sets is missing.
var ErrEnvironment = errors.New("awsconfig: environment incomplete")

const (
	maxAttempts = 3
	maxBackoff  = time.Second
)

// Config returns the configuration that the environment describes:
//
//	AWS_REGION                       region, required
//	AWS_ACCESS_KEY_ID                credentials, required
//	AWS_SECRET_ACCESS_KEY            required
//	AWS_SESSION_TOKEN                of temporary credentials
//	AWS_ENDPOINT_URL                 base URL of every service instead of AWS's own: an emulator, a private endpoint
//	AWS_ENDPOINT_URL_<SERVICE>       of one service (SQS, DYNAMODB, S3, KMS, SCHEDULER), takes precedence over AWS_ENDPOINT_URL
//	AWS_IGNORE_CONFIGURED_ENDPOINT_URLS   "true": both are ignored
//
// The error is ErrEnvironment. It names the missing variables and never contains a value. Call
// Config once for each process: each configuration has its own connections and its own retry quota.
func Config() (aws.Config, error) {
	var missing []string
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return aws.Config{},
			fmt.Errorf("%w: %s not set", ErrEnvironment, strings.Join(missing, ", "))
	}
	cfg := aws.Config{
		Region:        os.Getenv("AWS_REGION"),
		Credentials:   environmentCredentials(),
		HTTPClient:    httpClient(),
		Retryer:       newRetryer,
		ConfigSources: []any{endpoints{}},
	}
	if url := os.Getenv("AWS_ENDPOINT_URL"); url != "" && !(endpoints{}).ignored() {
		cfg.BaseEndpoint = &url
	}
	return cfg, nil
}

func environmentCredentials() aws.CredentialsProvider {
	credentials := aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return credentials, nil
	})
}

func httpClient() aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTimeout(15 * time.Second).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 1500 * time.Millisecond }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = 2 * time.Second
			t.ResponseHeaderTimeout = 4 * time.Second
			t.IdleConnTimeout = 20 * time.Second
			// as many as a batch's concurrent calls, so no connection is closed after one use
			t.MaxIdleConnsPerHost = 32
			t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		})
}

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
	})
}

// endpoints gives the services' clients the endpoints in the environment, in the form in which they
// ask a configuration source.
type endpoints struct{}

// GetServiceBaseEndpoint returns the URL in the environment for a service, given the service's id
// ("SQS", "DynamoDB").
func (endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url := os.Getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(sdkID, " ", "_")))
	return url, url != "", nil
}

// Endpoint returns the base URL in the environment for a service by its short name, such as sqs. It
// is "" for AWS's own.
func Endpoint(service string) string {
	e := endpoints{}
	if e.ignored() {
		return ""
	}
	url, _, _ := e.GetServiceBaseEndpoint(context.Background(), sdkIDs[service])
	return cmp.Or(url, os.Getenv("AWS_ENDPOINT_URL"))
}

// sdkIDs are the ids of the services whose endpoints are asked for by a short name.
// https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html
var sdkIDs = map[string]string{
	"sqs": "SQS", "sns": "SNS", "events": "EventBridge", "lambda": "Lambda", "states": "SFN",
	"kinesis": "Kinesis", "firehose": "Firehose", "s3": "S3", "logs": "CloudWatch Logs",
	"sts": "STS",
}

// GetIgnoreConfiguredEndpoints reports whether the environment forbids endpoints other than AWS's
// own.
func (e endpoints) GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error) {
	return e.ignored(), true, nil
}

func (endpoints) ignored() bool {
	return strings.EqualFold(os.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true")
}
