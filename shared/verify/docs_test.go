package verify_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

var update = flag.Bool("update", false, "write docs/providers.md anew")

const providersPage = "../../docs/providers.md"

// TestProvidersPageIsTheTable holds docs/providers.md against the table; -update writes it.
func TestProvidersPageIsTheTable(t *testing.T) {
	t.Parallel()
	want := providersMarkdown()
	if *update {
		if err := os.WriteFile(providersPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(providersPage)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/providers.md is stale (%v); make docs writes it", err)
	}
}

func providersMarkdown() []byte {
	var b bytes.Buffer
	names := verify.Providers()
	fmt.Fprintf(&b, `# Providers

Generated from the table in shared/verify by make docs. There are %d. A source names its provider in the configuration:

    sources:
      - name: shop             # the provider POSTs to https://<your relay>/in/shop
        provider: shopify
        secrets: [env:SHOPIFY_SECRET]

%[2]sverified%[2]s: a signature covers the body. %[2]sauthenticated%[2]s: a token, or a signature over less than the body. %[2]sunverified%[2]s: nothing is checked. The endpoint gets
this as the header %[2]srelay-trust%[2]s. Where a provider has no delivery id, a webhook that it sends twice is delivered twice, unless %[2]sevent_id%[2]s names
another place. Any source can have %[2]sallowed_ips%[2]s beside its proof. Client certificates are API Gateway's affair: mutual TLS on
the relay's own domain, for all sources of a relay (the props %[2]sdomainName%[2]s and %[2]struststoreUri%[2]s in the README).
`, len(names), "`")
	for _, name := range names {
		d, _ := verify.Describe(name)
		fmt.Fprintf(&b, "\n## %s\n\n", name)
		line := func(label, text string) {
			if text != "" {
				fmt.Fprintf(&b, "- %s: %s\n", label, text)
			}
		}
		title := d.Title
		if d.Docs != "" {
			title = fmt.Sprintf("[%s](%s)", d.Title, d.Docs)
		}
		line("Provider", title)
		line("Secret", d.Secret)
		line("Proof", withTrust(d))
		line("Signed time", toleranceText(d.Tolerance))
		line("Delivery id", locators(d.DeliveryIDs, or(d.AllIDs, " and ", ", else ")))
		line("Event type", typeText(d))
		line("`url` is needed", d.NeedsURL)
		for _, s := range d.Settings {
			line("`settings."+s.Name+"`"+or(s.Optional, " (optional)", ""), s.Label)
		}
		line("Handshake", d.Handshake+or(d.Learns, "; it brings the secret, if the configuration has none", ""))
		line("Events such as", strings.Join(d.Examples, ", "))
		line("Note", d.Note)
	}
	return b.Bytes()
}

func or(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

func withTrust(d verify.Description) string {
	if d.Proof == "" {
		return "described in the configuration (verified)"
	}
	return fmt.Sprintf("%s (%s)", d.Proof, d.Trust)
}

func toleranceText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return or(d == verify.Unlimited, "of any age", "at most "+d.String()+" off")
}

func typeText(d verify.Description) string {
	if d.TypeBy != "" {
		return d.TypeBy
	}
	text := locators(d.EventType, " + ")
	if d.OrEventType != (verify.Locator{}) {
		text += ", else " + locators([]verify.Locator{d.OrEventType}, "")
	}
	return text
}

func locators(all []verify.Locator, between string) string {
	texts := make([]string, len(all))
	for i, l := range all {
		switch {
		case l.Header != "":
			texts[i] = "header `" + l.Header + "`"
		case l.JSON != "":
			texts[i] = "body `" + l.JSON + "`"
		default:
			texts[i] = "hash of the body"
		}
	}
	return strings.Join(texts, between)
}
