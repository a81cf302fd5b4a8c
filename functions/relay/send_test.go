package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"webhook-relay/events"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/verify"
)

func TestSend(t *testing.T) {
	t.Parallel()
	addr, _ := startLocal(t, "--demo", "--data", t.TempDir())
	for provider, source := range map[string]string{
		"github": "github", "stripe": "stripe", "standard-webhooks": "standard", "hmac": "crm",
		"bearer": "app", "none": "open",
	} {
		out, err := run(t, "send", provider, "--to", "http://"+addr+"/in/"+source)
		if err != nil || !strings.Contains(out, `200 {"id":"evt_`) {
			t.Errorf("%s: %v\n%s", provider, err, out)
		}
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"unknown provider": {[]string{"githbu"}, "similar names are"},
		"wrong secret": {
			[]string{"github", "--to", "http://" + addr + "/in/github", "--secret", "wrong"}, "401",
		},
		"unknown source": {[]string{"github", "--to", "http://" + addr + "/in/nobody"}, "404"},
		"unknown type": {
			[]string{"github", "--type", "no-such-type"},
			"no-such-type; of this provider there are: push, pull_request.opened, ping",
		},
		"nobody there": {
			[]string{"github", "--to", "http://127.0.0.1:1/in/github"}, "is the relay running",
		},
	} {
		if out, err := run(t, append([]string{"send"}, tt.args...)...); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestSendAsEveryProvider sends each provider's sample, with the provider's signature, to the
// demonstration.
func TestSendAsEveryProvider(t *testing.T) {
	t.Parallel()
	addr, _ := startLocal(t, "--demo", "--data", t.TempDir())
	var sends errgroup.Group
	sends.SetLimit(4)
	for _, provider := range verify.Providers() {
		sends.Go(func() error {
			source, _, err := events.DemoSource(provider)
			if err != nil {
				return err
			}
			if out, err := run(
				t, "send", provider, "--to", "http://"+addr+"/in/"+source.Name,
			); err != nil || !strings.Contains(out, "answered  2") {
				t.Errorf("%s: %v\n%s", provider, err, out)
			}
			return nil
		})
	}
	if err := sends.Wait(); err != nil {
		t.Error(err)
	}
}

// TestSendPrintsWhatReceiveAccepts passes what is printed to the function's handler. It covers
// providers that sign the body, a time, the URL, a form, and nothing.
func TestSendPrintsWhatReceiveAccepts(t *testing.T) {
	t.Parallel()
	catalog, err := events.Demo()
	if err != nil {
		t.Fatal(err)
	}
	var store memory.Catalog
	if err := store.ReplaceCatalog(t.Context(), catalog, 0); err != nil {
		t.Fatal(err)
	}
	var ingest memory.Queue
	receive := handler.Receive(lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &store, Ingest: &ingest, Bodies: &memory.Bodies{}, Reporter: silent{},
	})))
	binary := writeFile(t, "scan.bin", "\x00\xff\x1b[31m\n")
	for i, args := range [][]string{
		{"github"}, {
			"GitHub", "--type", "ping",
		}, {"stripe"}, {"twilio"}, {"braintree"}, {"plaid"}, {"none"},
		{"bearer", "--body", binary},
	} {
		out, err := run(t, append([]string{"send", "--print"}, args...)...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		var event lambdaevents.APIGatewayV2HTTPRequest
		if err := json.Unmarshal([]byte(out), &event); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		answer, err := receive(t.Context(), event)
		if err != nil || answer.StatusCode != http.StatusOK || ingest.Len() != i+1 {
			t.Errorf(
				"%q: %v, status %d, %d messages in the queue\n%s", args, err, answer.StatusCode,
				ingest.Len(), out,
			)
		}
	}
	for name, args := range map[string][]string{
		"without a provider": {},
		"with an address":    {"github", "--to", "http://127.0.0.1:1/in/github"},
		"an unknown type":    {"github", "--type", "no-such-type"},
	} {
		if out, err := run(t, append([]string{"send", "--print"}, args...)...); err == nil {
			t.Errorf("%s: no error\n%s", name, out)
		}
	}
}

// For a provider that signs with a private key, --secret is that key: in PEM, or in the form the
// demonstration has.
func TestSendTakesPrivateKeys(t *testing.T) {
	t.Parallel()
	addr, _ := startLocal(t, "--demo", "--data", t.TempDir())
	tried := 0
	for _, provider := range verify.Providers() {
		if !verify.SignsPrivately(provider) {
			continue
		}
		source, signing, err := events.DemoSource(provider)
		if err != nil {
			t.Fatal(err)
		}
		tried++
		der, err := base64.StdEncoding.DecodeString(signing)
		if err != nil {
			t.Fatal(err)
		}
		armored := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		for form, key := range map[string]string{"PKCS #8": signing, "PEM": armored} {
			out, err := run(
				t, "send", provider, "--to", "http://"+addr+"/in/"+source.Name, "--secret", key,
			)
			if err != nil || !strings.Contains(out, "answered  2") {
				t.Errorf("%s, %s: %v\n%s", provider, form, err, out)
			}
		}
		if len(source.Secrets) == 0 {
			continue
		}
		if _, err := run(t, "send", provider, "--secret", source.Secrets[0]); err == nil ||
			!strings.Contains(err.Error(), "public key") {
			t.Errorf("%s, its public key: %v", provider, err)
		}
	}
	if tried < 14 {
		t.Errorf("%d providers", tried)
	}
}

func TestSendTakesOtherNames(t *testing.T) {
	t.Parallel()
	addr, _ := startLocal(t, "--demo", "--data", t.TempDir())
	for _, name := range []string{"aws-sns", "facebook", "TWITTER", "chargebee_billing"} {
		out, err := run(t, "send", name, "--to", "http://"+addr+"/in/"+verify.Canonical(name))
		if err != nil || !strings.Contains(out, "answered  2") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := run(t, "send", "--list"); err != nil || !strings.Contains(out, "aws-sns") ||
		!strings.Contains(out, "is sns") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSendListsTheProviders(t *testing.T) {
	t.Parallel()
	out, err := run(t, "send", "--list")
	if err != nil || !strings.Contains(out, "shopify") ||
		strings.Count(out, "\n") < len(verify.Providers()) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := run(t, "send"); err == nil || !strings.Contains(err.Error(), "--list") {
		t.Errorf("without a provider: %v", err)
	}
}
