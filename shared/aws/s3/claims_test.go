package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/lab/emulator"
)

// TestClaim: whoever has the URL gets the content, with its type, until the URL expires.
func TestClaim(t *testing.T) {
	cfg := emulator.Config(emulator.Start(t).S3)
	bucket := newBucket(t, cfg)
	now := time.Now()
	claims := s3.NewClaims(s3.NewBucket(cfg, bucket), "claim/", func() time.Time { return now })
	for _, contentType := range []string{"text/json", ""} {
		got, err := claims.Claim(t.Context(), "abc", contentType, []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		if got.Bucket != bucket || got.Key != "claim/abc" ||
			!got.Expires.Equal(now.Add(12*time.Hour)) ||
			!strings.Contains(got.URL, "/claim/abc?") ||
			!strings.Contains(got.URL, "X-Amz-Expires=43200") {
			t.Errorf("%+v", got)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, got.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != 200 || string(body) != "content" ||
			contentType != "" && answer.Header.Get("content-type") != contentType {
			t.Errorf("%d %v %v %s", answer.StatusCode, err, answer.Header, body)
		}
	}
	lost := s3.NewClaims(s3.NewBucket(cfg, bucket+"-missing"), "claim/", nil)
	if got, err := lost.Claim(t.Context(), "abc", "", []byte("x")); err == nil {
		t.Errorf("%+v without a bucket", got)
	}
}
