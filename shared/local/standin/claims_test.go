package standin_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"webhook-relay/shared/local/standin"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	claims := standin.NewClaims(dir)
	for i := range standin.Most + 20 {
		key := fmt.Sprintf("%03d", i)
		got, err := claims.Claim(t.Context(), key, "text/plain", []byte("content "+key))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got.URL)
		if err != nil || u.Scheme != "file" || got.Bucket != "" || !got.Expires.After(time.Now()) {
			t.Fatalf("%+v, %v", got, err)
		}
		if text, err := os.ReadFile(u.Path); err != nil || string(text) != "content "+key {
			t.Fatalf("%s, %v", text, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "claims", "*"))
	if err != nil || len(files) != standin.Most {
		t.Errorf("%d files, %v", len(files), err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := claims.Claim(t.Context(), "x", "", nil); err == nil {
		t.Errorf("%+v without a directory", got)
	}
}
