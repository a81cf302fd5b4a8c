package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestReceiver(t *testing.T) {
	t.Parallel()
	const secret = "whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLWVuZHBvaW50LTE=" //nolint:gosec // public
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	handler, err := newReceiver(&out, secret, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		signed, says string
		status       int
	}{
		{"{}", "signature valid, 2 bytes, answered 503", http.StatusServiceUnavailable},
		{"{}", "signature valid, 2 bytes, answered 204", http.StatusNoContent},
		{"{ }", "signature wrong", http.StatusNoContent},
	} {
		out.Reset()
		r := httptest.NewRequestWithContext(
			t.Context(), http.MethodPost, "/x", strings.NewReader("{}"),
		)
		now := time.Now()
		signature, err := webhook.Sign("evt_1", now, []byte(want.signed))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("webhook-id", "evt_1")
		r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		r.Header.Set("webhook-signature", signature)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want.status || !strings.Contains(out.String(), want.says) {
			t.Errorf("%d %s, want %d %s", w.Code, out.String(), want.status, want.says)
		}
	}
	if _, err := newReceiver(&out, "whsec_?", 0); err == nil {
		t.Error("a secret that is none is taken")
	}
}
