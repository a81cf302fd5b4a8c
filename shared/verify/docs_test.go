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

// TestProvidersPageIsTheTable compares docs/providers.md with the table. -update writes the page.
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

%d providers are built in. A source names its provider in the configuration:

    sources:
      - name: shop             # the provider POSTs to https://<your relay>/in/shop
        provider: shopify
        secrets: [env:SHOPIFY_SECRET]

For a provider that is not here, describe its signature with %[2]shmac%[2]s: see [configuration](configuration.md#hmac-describe-a-signature). [Receiving](receiving.md) explains what happens to a webhook. This page is generated: %[2]smake docs%[2]s writes it from the table in shared/verify.

## How to read an entry

Example: [github](#github).

| line | meaning |
|---|---|
| Secret | what the provider calls its secret, and where it shows it |
| Proof | where the proof is, how it is made, and what trust it gives |
| Signed | what the proof covers: body, delivery id, event type, time |
| With one captured webhook | what an attacker can do who has seen one webhook and does not know the secret |
| Signed time | how old a signed timestamp may be |
| Delivery id | where the id is by which the relay drops repeats |
| Event type | where the type is that subscriptions name |
| Handshake | how the provider checks the URL; the relay answers it |

## Trust

The endpoint gets the trust as the header %[2]srelay-trust%[2]s.

- %[2]sverified%[2]s: a signature covers the body.
- %[2]sauthenticated%[2]s: a token, or a signature over less than the body.
- %[2]sunverified%[2]s: nothing is checked.

## Repeats and copies

- **No delivery id.** A webhook that the provider sends twice is delivered twice. Name another place with %[2]sevent_id%[2]s to change that.
- **An id that is not signed.** The relay identifies the event by the id together with the signed bytes. A copy under another id is another event. It never takes the place of a genuine webhook. If two webhooks come with the same unsigned id, both are delivered, and the log line %[2]sreceived%[2]s has %[2]sdeliveryIdReused%[2]s.
- **A signed body without a signed id.** Set %[2]sonce: body%[2]s at the source. The relay then takes the same signed bytes once within the retention, whatever their id. Two genuine webhooks with the same body count as one, too.
- **A signed time.** The relay refuses a time older than the retention, because it remembers delivery ids for as long.

Any source can have %[2]sallowed_ips%[2]s in addition to its proof. Client certificates (mutual TLS) are a setting of the whole relay: see %[2]struststoreUri%[2]s in [deploying](deploying.md#settings).

## Names

You may write a name in capitals and with underscores. Some providers have [other names](#other-names). Some are [not in the table](#not-in-the-table).
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
		line("Other names", strings.Join(d.Aliases, ", "))
		line("Secret", d.Secret)
		line("Proof", withTrust(d))
		line("Signed", signedText(d))
		line("With one captured webhook", captured(d))
		line("Signed time", toleranceText(d.Tolerance))
		line("Delivery id", locators(d.DeliveryIDs, or(d.AllIDs, " and ", ", else ")))
		line("Event type", typeText(d))
		line("`url` is needed", d.NeedsURL)
		for _, s := range d.Settings {
			line("`settings."+s.Name+"`"+or(s.Optional, " (optional)", ""), s.Label)
		}
		line("Handshake", d.Handshake+or(d.Learns, broughtSecret, ""))
		line("Events such as", strings.Join(d.Examples, ", "))
		line("Note", d.Note)
	}
	fmt.Fprint(&b, "\n## Other names\n\n")
	for _, alias := range verify.Aliases() {
		fmt.Fprintf(&b, "- `%s` is [%[2]s](#%[2]s)\n", alias, verify.Canonical(alias))
	}
	fmt.Fprint(&b, notInTheTable)
	return b.Bytes()
}

// broughtSecret is the text for handshakes that bring the secret.
const broughtSecret = "; it brings the secret, if the configuration has none and `relay secret SOURCE --learn 10m` was run before"

// notInTheTable names the providers that other relays list but this one does not.
const notInTheTable = `
## Not in the table

How these prove their webhooks was found neither in public documentation nor in a package of their own. Take ` + "`hmac`, `token` or `basic`" + ` if one
of them can be set up to sign so, or to send a header or credentials. Otherwise take ` + "`none`" +
	` with ` + "`allowed_ips`" + ` and a URL that nobody can guess.

- 3d-eye, Bondsmith, Portal, Property Finder, Repay: no page that says how they sign was found.
- Airship: one third party describes a signature; no page that says the unit of its time was found.
- Fiserv: it hashes some fields of a form, with an algorithm that the merchant chooses; no page that says which fields was found.
- Upollo: its pages were not found.

The proof of these is known, and not taken:

- Alipay (Antom, Alipay+): the answer must be signed with a private key of yours, which a relay does not have.
- Mailchimp (audiences): nothing is signed. The secret is a part of the URL that you choose; take ` + "`none`" + `. Transactional webhooks are provider ` + "`mandrill`" + `.
- PayPro Global: a plain hash over some fields of a form, with nothing between them: other divisions of the same text pass.
- Praxis: a plain hash over some fields, with nothing between them; and the answer must be signed.
- Quoter: an MD5 with the secret in front, to which anybody can append.
- Treezor: the signature covers one part of the body as PHP would write it, and not the id or the type.
- USPS: the signature covers two members of the body, one of them a text of JSON; no page that says the form of the time was found.
- Zift: nothing is signed, and the answer must repeat the notification's id.
`

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
	return or(
		d == verify.Unlimited, "not older than the retention (30 days by default)",
		"at most "+short(d)+" off",
	)
}

// short formats a duration without zero parts: 5m, not 5m0s.
func short(d time.Duration) string {
	return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.String())
}

// signedText says which facts the proof covers.
func signedText(d verify.Description) string {
	if d.Proof == "" {
		return "what `payload` says"
	}
	var facts []string
	fact := func(name string, signed, there bool) {
		switch {
		case !there:
			facts = append(facts, name+" none")
		default:
			facts = append(facts, name+or(signed, " yes", " no"))
		}
	}
	fact("body", d.Signed.Body, true)
	fact("id", d.Signed.ID, len(d.DeliveryIDs) > 0)
	fact("type", d.Signed.Type, len(d.EventType) > 0 || d.TypeBy != "")
	fact("time", d.Signed.Time, true)
	return strings.Join(facts, ", ")
}

// captured says what somebody can do with a copy of one webhook without the secret.
func captured(d verify.Description) string {
	switch {
	case d.Proof == "":
		return "what `payload` leaves unsigned can be changed"
	case d.Trust == verify.Unverified:
		return "anybody can send anything"
	case d.Signed.Nothing:
		return "it holds the token, with which anything can be sent" + or(
			d.Signed.Time, " for "+period(d), "",
		)
	}
	return strings.Join([]string{
		"replay it as a new event: " + replayText(d), "change the body: " + or(
			d.Signed.Body, "no", "what is not signed of it",
		),
		"change the type: " + or(d.Signed.Type || len(d.EventType) == 0 &&
			d.TypeBy == "", "no", "yes"), "take the id of another webhook: no",
	}, "; ")
}

// replayText says whether a copy counts as a new webhook.
func replayText(d verify.Description) string {
	switch {
	case d.Signed.ID && d.Signed.Time:
		return "no"
	case d.Signed.ID:
		return "after the retention"
	}
	text := or(d.Signed.Time, "for "+period(d), "at any time")
	return text + or(
		d.Signed.Body, " (with `once: body` "+or(d.Signed.Time, "no", "after the retention")+")",
		"",
	)
}

// period says how long a copy with a signed time is accepted.
func period(d verify.Description) string {
	return or(d.Tolerance == verify.Unlimited, "the retention", short(d.Tolerance))
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
			texts[i] = "hash of what is signed of the body"
		}
	}
	return strings.Join(texts, between)
}
