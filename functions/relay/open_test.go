package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestOpenSignsIn: the link of a local relay opens the page in its console, once.
func TestOpenSignsIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	out, err := run(t, "open", "endpoint", "shop", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	base, code, found := strings.Cut(strings.TrimSpace(out), "#")
	if !found || base != "http://"+addr+"/console/enter" {
		t.Fatalf("%s, want a link to %s", out, addr)
	}
	enter := func() *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base,
			strings.NewReader(url.Values{"code": {code}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	first := enter()
	if first.StatusCode != http.StatusSeeOther || len(first.Cookies()) == 0 ||
		first.Header.Get("Location") != "/console/endpoints/shop" {
		t.Errorf("%s, to %s", first.Status, first.Header.Get("Location"))
	}
	if second := enter(); second.StatusCode == http.StatusSeeOther {
		t.Error("the link opens a second session")
	}
}
