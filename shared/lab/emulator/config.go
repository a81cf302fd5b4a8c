package emulator

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"webhook-relay/shared/lab/runtimeapi"
)

// Config returns a configuration for clients of an emulated service, in the region and with the
// credentials of tried functions, which fit no real account.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region: runtimeapi.DefaultRegion, BaseEndpoint: &endpoint, HTTPClient: client,
		Credentials: credentials.StaticCredentialsProvider{Value: runtimeapi.Credentials()},
	}
}

// It keeps as many connections as tests make calls at once.
var client = &http.Client{Transport: Transport(&http.Transport{MaxIdleConnsPerHost: 64})}

// Transport wraps a transport of the SDK's clients of an emulator, so that no answer is cut off.
//
// The SDK closes the body of a request as soon as an answer begins. From then on the body's own
// WriteTo, which net/http prefers to Read, returns io.EOF, which is an error there. An emulator
// answers so soon that net/http may still look whether the body ends where it should. It then
// closes the connection, and with it the answer. The SDK makes the call again, and a call to
// receive messages does not find those that it received before.
func Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. A body is read, and does not write itself.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context()) // a copy: a transport may not change its request
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return t.next.RoundTrip(r)
}
