package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay/access"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must := func(args ...string) string {
		t.Helper()
		out, err := run(t, append([]string{"token"}, append(args, "--data", dir)...)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return out
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if out, err := run(t, append([]string{"token"}, append(args, "--data", dir)...)...); err == nil ||
			!strings.Contains(textOf(err), want) {
			t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
		}
	}
	out := must("create", "--role", "operate", "--name", "ci", "--expires", "90d")
	_, text, _ := strings.Cut(strings.TrimSpace(out), "shown this once: ")
	if !strings.HasPrefix(text, "rly_operate_") || !strings.Contains(out, "valid until ") {
		t.Errorf("create:\n%s", out)
	}
	var made admin.MadeToken
	if err := json.Unmarshal(
		[]byte(must("create", "--role=read", "--name=second", "--json")), &made,
	); err != nil || !strings.HasPrefix(made.Text, "rly_read_") || made.Name != "second" {
		t.Errorf("create --json: %+v, %v", made, err)
	}
	store, err := sqlite.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	tokens := access.NewTokens(store.Documents(), time.Now)
	for text, role := range map[string]access.Role{text: access.Operate, made.Text: access.Read} {
		if got, err := tokens.Authenticate(t.Context(), text); err != nil || got.Role != role {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	list := must("list")
	if !strings.Contains(list, "  ci      operate  ") || strings.Contains(list, "rly_") ||
		strings.Count(list, "tok_") != 2 || strings.Contains(list, "never used") {
		t.Errorf("list:\n%s", list)
	}
	must("revoke", made.ID, "--yes")
	var left admin.Token
	if err := json.Unmarshal([]byte(must("list", "--json")), &left); err != nil ||
		left.Name != "ci" {
		t.Errorf("list --json: %+v, %v", left, err)
	}
	var gone struct{ Revoked string }
	if err := json.Unmarshal(
		[]byte(must("revoke", left.ID, "--json", "--yes")), &gone,
	); err != nil || gone.Revoked != left.ID {
		t.Errorf("revoke --json: %+v, %v", gone, err)
	}
	fails("not found", "revoke", made.ID, "--yes")
	fails("no tenant \"acme\"", "create", "--role=read", "--name=x", "--tenant=acme")
	fails("is not a tenant's id", "list", "--tenant=a/b")
	fails("above zero", "create", "--role=read", "--name=x", "--expires=-1h")
	fails("--role", "create", "--role=root", "--name=x")
	fails("--name", "create", "--role=read")
	entries, _, err := access.NewAudit(store.Documents(), time.Now).List(t.Context(), "", 0, 9)
	if err != nil || len(entries) != 4 || entries[0].Action != "tokens.revoke" ||
		entries[0].Who.Kind != "command" || entries[0].Before == nil || entries[3].After == nil {
		t.Errorf("audit log: %+v, %v", entries, err)
	}
}
