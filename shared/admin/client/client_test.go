package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/operate"
)

// api returns the API of an empty relay.
func api(t *testing.T) (http.Handler, admin.Config) {
	t.Helper()
	queue := &memory.Queue{}
	config := admin.Config{
		Catalogs: &memory.Catalog{}, CatalogDocuments: &memory.Documents{},
		LedgerDocuments: &memory.Documents{}, States: &memory.States{},
		Events: &memory.Ledger{}, Bodies: &memory.Bodies{},
		Notifier: operate.NewNotifier(nil, queue),
		Pinger:   operate.Pinger{Events: &memory.Ledger{}, Delivery: queue},
	}
	h, err := admin.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return h, config
}

func operator(role access.Role) admin.Principal {
	return admin.Principal{Who: access.Who{Kind: "command", ID: "me"}, Role: role}
}

func put(ctx context.Context, c *client.Client, path string, body any) error {
	_, err := c.Do(ctx, client.Request{
		Method: http.MethodPut, Path: path, Body: body,
		Header: http.Header{"If-None-Match": {"*"}},
	})
	return err
}

// TestBothWays calls the API over the network and in the process, which must give the same.
func TestBothWays(t *testing.T) {
	t.Parallel()
	h, config := api(t)
	inside := client.InProcess(h, operator(access.Admin), "")
	if err := put(
		t.Context(), inside, client.Path(
			"v1", "sources", "app",
		), map[string]any{"provider": "none"},
	); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	tokens := access.NewTokens(config.CatalogDocuments, time.Now)
	text, made, err := tokens.Make(access.Token{Name: "test", Role: access.Read})
	if err := errors.Join(err, tokens.Save(t.Context(), text, made)); err != nil {
		t.Fatal(err)
	}
	outside, err := client.New(client.Config{URL: server.URL + "/v1/", Token: text})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*client.Client{"inside": inside, "outside": outside} {
		found := 0
		for p, err := range client.Pages[map[string]any, admin.Scanned](
			t.Context(), c, "/v1/sources", url.Values{"limit": {"1"}},
		) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			found += len(p.Items)
		}
		if found != 1 {
			t.Errorf("%s: %d sources, want 1", name, found)
		}
		var p *admin.Problem
		if _, err := client.Get[any](
			t.Context(), c, "/v1/sources/none", nil,
		); !errors.As(err, &p) ||
			p.Status != http.StatusNotFound || p.RequestID == "" {
			t.Errorf("%s: a source that there is not: %v", name, err)
		}
	}
	var p *admin.Problem
	if err := put(
		t.Context(), outside, "/v1/sources/b", map[string]any{"provider": "none"},
	); !errors.As(err, &p) || p.Status != http.StatusForbidden {
		t.Errorf("a token that may read changes: %v", err)
	}
	if err := put(
		t.Context(), client.InProcess(h, operator(access.Read), ""), "/v1/sources/b",
		map[string]any{"provider": "none"},
	); !errors.As(err, &p) || p.Status != http.StatusForbidden {
		t.Errorf("a principal that may read changes: %v", err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	h, _ := api(t)
	c := client.InProcess(h, operator(access.Admin), "")
	for _, name := range []string{"a", "b", "c"} {
		if err := put(
			t.Context(), c, client.Path("v1", "sources", name), map[string]any{"provider": "none"},
		); err != nil {
			t.Fatal(err)
		}
	}
	parts, found := 0, 0
	for p, err := range client.Pages[map[string]any, admin.Scanned](
		t.Context(), c, "/v1/sources", url.Values{"limit": {"2"}},
	) {
		if err != nil {
			t.Fatal(err)
		}
		parts, found = parts+1, found+len(p.Items)
	}
	if parts != 2 || found != 3 {
		t.Errorf("%d sources in %d parts, want 3 in 2", found, parts)
	}
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "relay.example.com", "ftp://a.example.com", "http://"} {
		if _, err := client.New(client.Config{URL: address}); !errors.Is(err, client.ErrURL) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestAnswersOfOthers has answers that are none of the API's.
func TestAnswersOfOthers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/throttled":
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"message":"Too Many Requests"}`)
		case "/v1/page":
			_, _ = io.WriteString(w, "<html>")
		case "/v1/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		default:
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	c, err := client.New(client.Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) error {
		_, err := client.Get[map[string]any](t.Context(), c, path, nil)
		return err
	}
	var p *admin.Problem
	if err := get("/v1/throttled"); !errors.As(err, &p) || p.Status != http.StatusTooManyRequests {
		t.Errorf("throttled: %v", err)
	}
	for path, want := range map[string]error{
		"/v1/page": client.ErrAnswer, "/v1/other": client.ErrAnswer,
		"/v1/broken": client.ErrUnreachable,
	} {
		if err := get(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	server.Close()
	if err := get("/v1/page"); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("a server that is gone: %v", err)
	}
}
