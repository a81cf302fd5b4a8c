package main

import (
	"errors"
	"strings"
	"testing"

	"webhook-relay/shared/relay/catalog"
)

// editTarget changes a resource of a local relay as the API does.
func editTarget(t *testing.T, dir, tenant string, r catalog.Resource) {
	t.Helper()
	target, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.close() }()
	if _, err := target.catalog.For(tenant).Edit(t.Context(), catalog.Edit{
		Put: &r, Base: catalog.AnyRevision, By: catalog.ManagedByAPI,
	}); err != nil {
		t.Fatal(err)
	}
}

func TestApplyTouchesOnlyWhatFilesManage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply := func(text string, flags ...string) (string, error) {
		args := append([]string{"apply", writeFile(t, "relay.yaml", text), "--data", dir}, flags...)
		return run(t, args...)
	}
	const files = "endpoints:\n  - {name: files, url: 'https://e.example.com'}\n"
	if out, err := apply(files + "  - {name: other, url: 'https://o.example.com'}\n"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	editTarget(t, dir, "", catalog.EndpointResource(catalog.Endpoint{
		Name: "apis", URL: "https://api.example.com", Secrets: []string{
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		},
	}))
	out, err := apply(files)
	if !errors.Is(err, ErrNotConfirmed) || !strings.Contains(out, "- endpoint other") ||
		strings.Contains(out, "apis") {
		t.Errorf("a removal without --yes: %v\n%s", err, out)
	}
	out, err = apply(files, "--yes")
	if err != nil || !strings.Contains(out, "- endpoint other") || strings.Contains(out, "apis") {
		t.Errorf("with --yes: %v\n%s", err, out)
	}
	const taken = files + "  - {name: apis, url: 'https://file.example.com'}\n"
	_, err = apply(taken)
	if code, _ := exitOf(err); code != exitConflict || !strings.Contains(err.Error(), "adopt") ||
		!strings.Contains(err.Error(), "endpoint apis") {
		t.Errorf("a name of the API's: %v", err)
	}
	out, err = apply(taken, "--adopt")
	if err != nil || !strings.Contains(out, "~ endpoint apis") {
		t.Errorf("with --adopt: %v\n%s", err, out)
	}
	if out, err = apply(taken); err != nil || !strings.Contains(out, "nothing to change") {
		t.Errorf("once more: %v\n%s", err, out)
	}
}

func TestWhatOthersSubscribeToIsNotRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, "relay.yaml", "sources: [{name: s, provider: none}]\n"+
		"endpoints: [{name: e, url: 'https://e.example.com'}]\n")
	if out, err := run(t, "apply", file, "--data", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	editTarget(t, dir, "", catalog.SubscriptionResource(catalog.Subscription{
		Name: "apis", Source: "s", Endpoint: "e",
	}))
	_, err := run(t, "apply", writeFile(t, "relay.yaml", ""), "--data", dir, "--empty", "--yes")
	if code, _ := exitOf(err); code != exitConflict || !strings.Contains(err.Error(), "apis") {
		t.Errorf("%v", err)
	}
}

func TestApplyAndExportATenant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	operators := writeFile(t, "relay.yaml",
		"sources:\n  - {name: app, provider: none, tenant: {header: webhook-tenant}}\n"+
			"  - {name: private, provider: none}\n")
	if out, err := run(t, "apply", operators, "--data", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run(t, "tenants", "put", "acme", "--name=Acme", "--data", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const tenants = "endpoints:\n  - {name: mine, url: 'https://mine.example.com'}\n" +
		"subscriptions:\n  - {name: all, source: app, endpoint: mine}\n"
	file := writeFile(t, "acme.yaml", tenants)
	out, err := run(t, "apply", file, "--tenant", "acme", "--data", dir)
	if err != nil || !strings.Contains(out, "+ endpoint mine") ||
		!strings.Contains(out, "secret    of endpoint mine") {
		t.Fatalf("%v\n%s", err, out)
	}
	exported, err := run(t, "export", "--tenant", "acme", "--data", dir)
	if err != nil || strings.Contains(exported, "whsec_") {
		t.Fatalf("%v\n%s", err, exported)
	}
	again := writeFile(t, "again.yaml", exported)
	if out, err = run(t, "apply", again, "--tenant", "acme", "--data", dir); err != nil ||
		!strings.Contains(out, "nothing to change") {
		t.Errorf("what was exported: %v\n%s", err, out)
	}
	if out, err = run(t, "export", "--data", dir); err != nil || strings.Contains(out, "mine") ||
		!strings.Contains(out, "webhook-tenant") {
		t.Errorf("the operator's: %v\n%s", err, out)
	}
	for text, want := range map[string]string{
		strings.Replace(tenants, "source: app", "source: private", 1): "there is no source private",
		"sources: [{name: s, provider: none, tenant: x}]":             "is for sources of the operator",
	} {
		_, err := run(
			t, "apply", writeFile(t, "a.yaml", text), "--tenant", "acme", "--data", dir, "--yes",
		)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	fails(t, exitUsage, "is not a tenant's id", "apply", file, "--tenant", "a/b", "--data", dir)
	fails(t, exitNotFound, "nobody", "apply", file, "--tenant", "nobody", "--data", dir)
}
