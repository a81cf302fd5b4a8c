package secretsmanager_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"webhook-relay/shared/aws/secretsmanager"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay/catalog"
)

func storeAt(url string) secretsmanager.Store {
	cfg := emulator.Config(url)
	cfg.RetryMaxAttempts = 1
	return secretsmanager.New(cfg)
}

func TestASecretIsReadAsItIsNow(t *testing.T) {
	t.Parallel()
	emulated := emulator.NewSecretsManager(t)
	store := storeAt(emulated.URL)
	for _, want := range []string{"first é\n", "second"} {
		emulated.Set("shop/token", want)
		if got, err := store.Secret(t.Context(), "shop/token"); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := store.Secret(t.Context(), "shop/tok"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
}

// Errors that somebody must correct differ from errors that pass by themselves.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status   int
		answer   string
		notFound bool
	}{
		"not allowed":         {400, `{"__type":"AccessDeniedException","Message":"hidden"}`, true},
		"deleted":             {400, `{"__type":"InvalidRequestException"}`, true},
		"not decrypted":       {400, `{"__type":"DecryptionFailure"}`, true},
		"not a name":          {400, `{"__type":"ValidationException"}`, true},
		"binary":              {200, `{"Name":"a","SecretBinary":"aGlkZGVu"}`, true},
		"throttled":           {400, `{"__type":"ThrottlingException"}`, false},
		"down":                {503, `hidden`, false},
		"nobody's answer":     {200, `hidden`, false},
		"expired credentials": {400, `{"__type":"ExpiredTokenException"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(
				w http.ResponseWriter, _ *http.Request,
			) {
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.answer)
			}))
			t.Cleanup(server.Close)
			text, err := storeAt(server.URL).Secret(t.Context(), "shop")
			if text != "" || err == nil || errors.Is(err, catalog.ErrNotFound) != tt.notFound ||
				!strings.Contains(err.Error(), "shop") ||
				strings.Contains(err.Error(), "hidden") {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}
