package emulator_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"webhook-relay/shared/lab/emulator"
)

// closed is a body of the SDK's that was closed, as net/http sees it if it comes late.
type closed struct{ io.ReadCloser }

func (closed) WriteTo(io.Writer) (int64, error) { return 0, io.EOF }

func TestABodyThatIsClosedDoesNotEndTheConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	r, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, server.URL, closed{io.NopCloser(strings.NewReader("text"))},
	)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len("text"))
	resp, err := emulator.Transport(server.Client().Transport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "text" || err != nil {
		t.Errorf("answer %q, %v", got, err)
	}
}
