package s3_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

func TestBodiesConform(t *testing.T) {
	cfg := emulator.Config(emulator.Start(t).S3)
	conformance.Bodies(t, func(t *testing.T) relay.Bodies {
		return s3.New(s3.NewBucket(cfg, newBucket(t, cfg)))
	})
}

func newBucket(t *testing.T, cfg aws.Config) string {
	t.Helper()
	name := strings.ToLower("bodies-" + rand.Text())
	if _, err := emulator.Buckets(cfg).CreateBucket(
		t.Context(), &awss3.CreateBucketInput{Bucket: &name},
	); err != nil {
		t.Fatal(err)
	}
	return name
}

// wire answers each request with the same status and body, and keeps the last request.
type wire struct {
	status int
	body   string
	header http.Header
	last   *http.Request
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.last = r
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: w.status, Header: w.header.Clone(), Body: io.NopCloser(
		strings.NewReader(w.body),
	),
		ContentLength: int64(len(w.body))}, nil
}

func (w *wire) bodies(cfg aws.Config) *s3.Bodies {
	cfg.HTTPClient = w
	return s3.New(s3.NewBucket(cfg, "bucket"))
}

func TestBucketsAreAddressedByPathAtAnEndpointOfOnesOwnOnly(t *testing.T) {
	t.Parallel()
	own, amazons := emulator.Config("http://127.0.0.1:9"), emulator.Config("")
	amazons.BaseEndpoint = nil
	for name, tc := range map[string]struct {
		cfg  aws.Config
		want string
	}{
		"endpoint of one's own": {own, "http://127.0.0.1:9/bucket/a/b"},
		"AWS":                   {amazons, "https://bucket.s3.eu-central-1.amazonaws.com/a/b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wire{status: 200}
			if err := w.bodies(tc.cfg).Put(t.Context(), "a/b", []byte("1")); err != nil {
				t.Fatal(err)
			}
			if url := *w.last.URL; url.Scheme+"://"+url.Host+url.Path != tc.want {
				t.Errorf("put to %s, want %s", w.last.URL, tc.want)
			}
			if w.last.Header.Get("X-Amz-Checksum-Crc32") != "g9zvtw==" {
				t.Errorf("no CRC-32 with the object: %v", w.last.Header)
			}
		})
	}
}

// S3 signs the path with every other byte escaped: url.URL leaves some as they are.
func TestKeysAreEscapedAsTheSignatureDemands(t *testing.T) {
	t.Parallel()
	w := &wire{status: 200}
	if err := w.bodies(emulator.Config("http://127.0.0.1:9")).Put(t.Context(), "a b/+=é", nil); err != nil {
		t.Fatal(err)
	}
	if got := w.last.URL.EscapedPath(); got != "/bucket/a%20b/%2B%3D%C3%A9" {
		t.Error(got)
	}
}

func TestGetTellsMissingFromForbiddenAndDamaged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wire     wire
		notFound bool
	}{
		"missing":   {wire{status: 404, body: `<Error><Code>NoSuchKey</Code></Error>`}, true},
		"no bucket": {wire{status: 404, body: `<Error><Code>NoSuchBucket</Code></Error>`}, false},
		"forbidden": {wire{status: 403, body: `<Error><Code>AccessDenied</Code></Error>`}, false},
		"damaged": {
			wire{
				status: 200, body: "two", header: http.Header{"X-Amz-Checksum-Crc32": {"AAAAAA=="}},
			},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := tc.wire.bodies(emulator.Config("http://127.0.0.1:9")).Get(t.Context(), "a")
			if err == nil || errors.Is(err, catalog.ErrNotFound) != tc.notFound {
				t.Errorf("error %v, ErrNotFound wanted: %v", err, tc.notFound)
			}
			if body != nil {
				t.Errorf("body %q beside the error", body)
			}
		})
	}
}
