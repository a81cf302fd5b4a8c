package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"webhook-relay/events"
	"webhook-relay/shared/config"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

type sendCommand struct {
	Provider string `arg:"" optional:"" help:"Provider whose signature to make, such as github."`
	List     bool   `help:"List the providers and their event types."`
	To       string `help:"URL of the source. Default: http://127.0.0.1:8080/in/PROVIDER, or /in/SOURCE with --source." xor:"to"`
	Print    bool   `help:"Send nothing. Print the event that API Gateway would pass to the function receive, as JSON for SAM CLI or aws lambda invoke." xor:"to"`
	Secret   string `help:"Secret to sign with. For providers that sign with a private key: that key, in PEM or as base64 of PKCS #8; for Ed25519 also its 32 bytes in hex or base64. Default: the secret of the demonstration." env:"RELAY_SECRET"`
	Type     string `help:"Event type: one that events/webhooks has a sample of for the provider. Default: the first."`
	Body     string `help:"File to send instead of a sample." type:"existingfile"`
	ID       string `help:"The provider's delivery id. Default: a new one each time."`
	Config   string `help:"Configuration file to read the secret and the scheme from. Needs --source." type:"existingfile"`
	Source   string `help:"Name of the source in the file of --config, or of the source whose queue eventbridge, s3 or sns-topic sends to. Default for the latter: PROVIDER."`
	Data     string `help:"Directory of the local relay that eventbridge, s3 or sns-topic sends to." default:".relay" placeholder:"DIR"`
}

// sendTimeout is longer than an ingress may take to answer.
const sendTimeout = 35 * time.Second

// Run sends one webhook and prints the answer. With --print it prints the webhook in the form in
// which Lambda gets it.
func (c *sendCommand) Run(ctx context.Context, inv *invocation, out io.Writer) error {
	switch {
	case trigger.Is(c.Provider) && !c.List:
		return c.play(ctx, inv)
	case (c.Config == "") != (c.Source == ""):
		return usage("--config and --source go together")
	}
	if c.Print && !c.List && c.Provider != "" {
		at := time.Now()
		source, signed, _, err := c.sign(at)
		if err != nil {
			return err
		}
		return printLambdaEvent(ctx, out, source, signed, at)
	}
	return c.send(ctx, func(format string, args ...any) { _, _ = printLine(out, format, args...) })
}

func (c *sendCommand) send(ctx context.Context, printf func(string, ...any)) error {
	switch {
	case c.List:
		for _, sample := range events.List() {
			provider, eventType, _ := strings.Cut(sample, "/")
			printf("%-28s %s", provider, eventType)
		}
		for _, alias := range verify.Aliases() {
			printf("%-28s is %s", alias, verify.Canonical(alias))
		}
		triggersList(printf)
		return nil
	case c.Provider == "":
		return errors.New("give the name of a provider, such as github; --list shows them all")
	}
	source, signed, eventType, err := c.sign(time.Now())
	if err != nil {
		return err
	}
	to, shown, err := c.destination(source, signed.Query)
	if err != nil {
		return err
	}
	printf(
		"sending   %s %s, %d bytes, signed, to %s", c.Provider, typeOf(eventType), len(signed.Body),
		shown,
	)
	status, answer, err := post(ctx, to, signed)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("%s answered %d: %s", shown, status, printable(answer))
	}
	printf("answered  %d %s", status, printable(answer))
	return nil
}

// sign returns the webhook as its provider would send it at the given time, its event type, and the
// name of the source it is signed for.
func (c *sendCommand) sign(
	at time.Time,
) (source string, signed verify.Request, eventType string, err error) {
	c.Provider = verify.Canonical(c.Provider)
	s, verifier, err := c.signer()
	if err != nil {
		return "", verify.Request{}, "", err
	}
	webhook, err := c.webhook()
	if err != nil {
		return "", verify.Request{}, "", err
	}
	signed, err = verifier.Sign(webhook, at)
	return s.Name, signed, webhook.EventType, err
}

// destination returns the URL to post to, with the query that the provider adds, and the URL to
// print. The printed URL has no query, because a query may contain a proof.
func (c *sendCommand) destination(source, query string) (to, shown string, err error) {
	u, err := url.Parse(cmp.Or(c.To, "http://127.0.0.1:8080/in/"+source))
	if err != nil {
		return "", "", fmt.Errorf("--to: %w", err)
	}
	relay.AddQuery(u, query)
	to = u.String()
	u.RawQuery, u.ForceQuery = "", false
	return to, u.Redacted(), nil
}

// signer returns the source that the webhook is signed for, and the verifier that signs it.
func (c *sendCommand) signer() (s catalog.Source, v *verify.Verifier, err error) {
	var signing string // the signing key, if it is not the secret itself
	if c.Config == "" {
		s, signing, err = events.DemoSource(c.Provider)
	} else {
		s, err = c.configured()
	}
	switch {
	case err != nil:
	case c.Secret != "":
		v, err = verify.NewSigner(s.Verify, s.Secrets, c.Secret)
	case c.Config != "" && verify.SignsPrivately(s.Verify.Provider):
		err = fmt.Errorf(
			"%s signs with a private key, which %s does not contain; give the key with --secret",
			s.Verify.Provider, c.Config,
		)
	default:
		v, err = verify.New(s.Verify, s.Secrets, verify.SignWith(signing))
	}
	return s, v, err
}

// configured returns the source --source of the file --config.
func (c *sendCommand) configured() (catalog.Source, error) {
	cat, err := config.Read(c.Config, os.LookupEnv)
	if err != nil {
		return catalog.Source{}, err
	}
	for _, s := range cat.Sources {
		if s.Name == c.Source {
			return s, nil
		}
	}
	return catalog.Source{}, fmt.Errorf("%s has no source %q", c.Config, c.Source)
}

// webhook returns the webhook to send: the file of --body, or a sample.
func (c *sendCommand) webhook() (verify.Webhook, error) {
	w := verify.Webhook{DeliveryID: cmp.Or(c.ID, rand.Text()), EventType: c.Type}
	var err error
	if c.Body != "" {
		w.Body, err = os.ReadFile(c.Body)
	} else {
		w.Body, w.EventType, err = events.Sample(c.Provider, c.Type)
	}
	return w, err
}

func post(ctx context.Context, to string, signed verify.Request) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(signed.Body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range signed.Header {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{
		Transport: &http.Transport{
			Proxy:       http.ProxyFromEnvironment,
			DialContext: egress.Localhost((&net.Dialer{}).DialContext),
		},
	}).Do(req)
	if quoting := (*url.Error)(nil); errors.As(err, &quoting) {
		err = quoting.Err // url.Error quotes the URL, which may contain a proof
	}
	if err != nil {
		return 0, "", errors.Join(
			err,
			errors.New(
				"is the relay running? Start it with \"relay local\", or name its URL with --to",
			),
		)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, strings.TrimSpace(string(answer)), err
}
