package egress_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
)

// No name server is asked for a name of this machine. The name stands for loopback, which the guard
// refuses.
func TestLocalhostIsLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "app.localhost", "APP.LocalHost", "a.b.localhost."} {
		p := relay.Post{URL: "http://" + host + ":" + at.Port() + "/", Timeout: 5 * time.Second}
		reply, err := egress.New(egress.Options{Unguarded: true}).Post(t.Context(), p)
		if err != nil || reply.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d, %v", host, reply.StatusCode, err)
		}
		_, err = egress.New(egress.Options{}).Post(t.Context(), p)
		if failed, ok := errors.AsType[*relay.PostError](err); !ok ||
			failed.Outcome != relay.Blocked {
			t.Errorf("%s, guarded: %v", host, err)
		}
	}
	for _, host := range []string{"localhost.example.com", "mylocalhost", "127.0.0.1"} {
		if egress.IsLocalhost(host) {
			t.Errorf("%s is taken for this machine", host)
		}
	}
}
