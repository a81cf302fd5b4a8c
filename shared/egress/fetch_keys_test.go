package egress_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/verify"
)

func TestKeyFetcher(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+" "+string(body))
	})
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "got")
	})
	mux.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo", http.StatusFound)
	})
	mux.HandleFunc("GET /large", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 256<<10+1))
	})
	server, _ := serveHTTP(t, mux.ServeHTTP)
	for name, c := range map[string]struct {
		fetch     verify.Fetch
		guarded   bool
		want      string
		wantErr   error
		wantError string
	}{
		"GET by default": {fetch: verify.Fetch{URL: server + "/echo"}, want: "got"},
		"POST with a body": {
			fetch: verify.Fetch{
				Method: "POST", URL: server + "/echo", Header: verify.Header{"authorization": "a"},
				Body: []byte("b"),
			},
			want: "a b",
		},
		"no such file": {
			fetch: verify.Fetch{URL: server + "/" + secret}, wantError: "egress: answered 404",
		},
		"redirect": {
			fetch: verify.Fetch{URL: server + "/elsewhere"}, wantError: "egress: answered 302",
		},
		"too large": {
			fetch: verify.Fetch{URL: server + "/large"}, wantErr: egress.ErrTooLarge,
		},
		"loopback, guarded": {
			fetch: verify.Fetch{URL: server + "/echo?token=" + secret}, guarded: true,
			wantErr: egress.ErrGuard,
		},
		"no URL": {
			fetch:   verify.Fetch{URL: "https://a.example/" + secret + "\x00"},
			wantErr: egress.ErrRequest,
		},
		"user and password": {
			fetch:   verify.Fetch{URL: "https://a:" + secret + "@a.example/"},
			wantErr: egress.ErrRequest,
		},
		"other scheme": {
			fetch: verify.Fetch{URL: "file:///etc/" + secret}, wantErr: egress.ErrRequest,
		},
		"line end in header": {
			fetch:   verify.Fetch{URL: server, Header: verify.Header{"a": "b\r\n" + secret}},
			wantErr: egress.ErrRequest,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := egress.NewKeyFetcher(egress.Options{Unguarded: !c.guarded}).Fetch(t.Context(), c.fetch)
			switch {
			case c.wantErr == nil && c.wantError == "":
				if string(got) != c.want || err != nil {
					t.Errorf("got %q, %v, want %q", got, err, c.want)
				}
			case err == nil || len(got) > 256<<10:
				t.Errorf("got %d bytes, %v, want an error", len(got), err)
			case c.wantErr != nil && !errors.Is(err, c.wantErr), c.wantError != "" &&
				err.Error() != c.wantError:
				t.Errorf("got %v, want %v%s", err, c.wantErr, c.wantError)
			case strings.Contains(err.Error(), secret):
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}
