package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/document"
	"webhook-relay/shared/verify"
)

func TestAPathCanNameAMemberWithADot(t *testing.T) {
	t.Parallel()
	const text = `{"a.b":{"c":"dotted"},"a":{"b":{"c":"nested"}},"x/y":"slash","m~n":"tilde","list":[{"k":"first"}],"":"empty","/p":"leading"}`
	for path, want := range map[string]string{
		"a.b.c": "nested", "/a.b/c": "dotted", "/a/b/c": "nested", "/x~1y": "slash", "x/y": "slash",
		"/m~0n": "tilde", "list.0.k": "first",
		"/list/0/k": "first", "/~1p": "leading", "/": "empty", "/a.b.c": "",
	} {
		if got := document.Value([]byte(text), document.SplitPath(path)...); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if err := document.CheckPath(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"a..b", ".a", "a.", "/a~2b", "/a~"} {
		if document.CheckPath(path) == nil {
			t.Errorf("%s is taken", path)
		}
	}
}

// Ids, types, signed times: all paths in the configuration are read in the same way.
func TestEveryPathOfASourceIsReadAlike(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	v, err := verify.New(verify.Config{
		Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Sig", TimestampJSON: "/sent.at"},
		EventType: &verify.Locator{JSON: "/event.kind"}, EventID: &verify.Locator{
			JSON: "/meta/delivery.id",
		},
	}, []string{"secret"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Sign(
		verify.Webhook{
			Body: []byte(
				`{"sent.at":1700000000,"event.kind":"order.paid","meta":{"delivery.id":"d1"}}`,
			),
		},
		now,
	)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Verify(t.Context(), r)
	if err != nil || got.EventType != "order.paid" || got.DeliveryID != "d1" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, cfg := range []verify.Config{
		{Provider: "github", EventType: &verify.Locator{JSON: "/a~"}}, {
			Provider: "github", EventID: &verify.Locator{JSON: "a..b"},
		},
		{Provider: "hmac", HMAC: &verify.HMAC{Header: "X-Sig", TimestampJSON: "/a~"}},
	} {
		if _, err := verify.New(cfg, []string{"secret"}); !errors.Is(err, verify.ErrConfig) ||
			!strings.Contains(err.Error(), "~") && !strings.Contains(err.Error(), "..") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
