package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type doctorCommand struct {
	Ping []string `help:"Also send an event to these endpoints, and wait for their answers." placeholder:"NAME"`
	relayFlags
}

// finding is a result of a check.
type finding struct {
	Result string `json:"result"` // ok, warn, fail
	What   string `json:"what"`
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"` // what to do
}

// The results of a check.
const (
	isOK   = "ok"
	isWarn = "warn"
	isFail = "fail"
)

// doctor checks a relay.
type doctor struct {
	inv    *invocation
	api    *connection
	now    time.Time
	failed int
}

// Run checks a relay, a line for each finding.
func (c *doctorCommand) Run(ctx context.Context, inv *invocation) error {
	return c.calls(ctx, inv, func(api *connection) error {
		d := &doctor{inv: inv, api: api, now: time.Now()}
		checks := []func(context.Context) ([]finding, error){
			d.address, d.token, d.endpoints, d.sources, d.deliveries, d.queues,
			d.pings(c.Ping),
		}
		if c.Stack != "" {
			more, err := d.checkStack(ctx, c.Stack)
			if err != nil {
				return err
			}
			checks = append(checks, more...)
		}
		for _, check := range checks {
			found, err := check(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return err
			}
			for _, f := range found {
				if err := d.tell(f); err != nil {
					return err
				}
			}
		}
		d.left(c)
		if d.failed > 0 {
			return fmt.Errorf("%s failed", plural(d.failed, "check"))
		}
		return nil
	})
}

// left says what was not checked, and how to have it checked.
func (d *doctor) left(c *doctorCommand) {
	if len(c.Ping) == 0 {
		d.inv.note("no webhook was sent; --ping ENDPOINT sends one through and back")
	}
	if c.Stack == "" && !d.api.local {
		d.inv.note("--stack NAME, with AWS credentials, also checks alarms, the concurrency " +
			"of the account, and what the stack may do for endpoints in AWS")
	}
}

// tell prints a finding.
func (d *doctor) tell(f finding) error {
	if f.Result == isFail {
		d.failed++
	}
	if d.inv.json {
		return d.inv.document(f)
	}
	word := f.Result + strings.Repeat(" ", len(isWarn)-len(f.Result))
	if d.inv.colours() {
		c := map[string]colour{isOK: green, isWarn: yellow, isFail: red}[f.Result]
		word = fmt.Sprintf("\x1b[%dm%s\x1b[%dm", c, word, plain)
	}
	line := f.What + ": " + f.Detail
	if f.Do != "" {
		line += "; " + f.Do
	}
	_, err := fmt.Fprintf(d.inv.Out, "%s  %s\n", word, printable(line))
	return err
}

// Limits of the checks.
const (
	slowAnswer  = 2 * time.Second
	soonExpires = 14 * 24 * time.Hour
	smallSkew   = 5 * time.Second
	// a provider refuses or repeats webhooks of a relay whose clock differs more than that
	largeSkew = time.Minute
)

// address checks how the relay answers, its certificate and its clock.
func (d *doctor) address(ctx context.Context) (found []finding, err error) {
	began := time.Now()
	answer, err := d.api.Do(ctx, client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "health"),
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	f := finding{Result: isOK, What: "url", Detail: fmt.Sprintf(
		"%s answers in %d ms", d.api.URL, took.Milliseconds(),
	)}
	if d.api.local {
		f.Detail = "a local relay, called in this process"
	}
	if took > slowAnswer {
		f.Result, f.Do = isWarn, "see the runbook: AdminErrors"
	}
	found = append(found, f)
	if d.api.local {
		return found, nil
	}
	if strings.HasPrefix(d.api.URL, "https://") {
		found = append(found, d.certificate(ctx))
	}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		found = append(found, skewOf(at, began.Add(took/2)))
	}
	return found, nil
}

// certificate checks until when the certificate is valid.
func (d *doctor) certificate(ctx context.Context) finding {
	f := finding{Result: isOK, What: "certificate"}
	u, err := url.Parse(d.api.URL)
	if err != nil {
		return finding{Result: isFail, What: f.What, Detail: err.Error()}
	}
	conn, err := (&tls.Dialer{}).DialContext(
		ctx, "tcp", u.Hostname()+":"+cmp.Or(u.Port(), "443"),
	)
	if err != nil {
		f.Result, f.Detail = isFail, err.Error()
		return f
	}
	defer func() { _ = conn.Close() }()
	if secured, is := conn.(*tls.Conn); is {
		until := secured.ConnectionState().PeerCertificates[0].NotAfter
		f.Detail = "valid until " + when(until)
		if until.Sub(d.now) < soonExpires {
			f.Result, f.Do = isWarn, "renew it"
		}
	}
	return f
}

// skewOf compares the relay's clock, which has whole seconds, with ours.
func skewOf(theirs, ours time.Time) finding {
	skew := max(0, ours.Sub(theirs).Abs()-time.Second)
	f := finding{Result: isOK, What: "clock", Detail: fmt.Sprintf(
		"differs by at most %s", (skew + time.Second).Round(time.Second),
	)}
	switch {
	case skew > largeSkew:
		f.Result = isFail
	case skew > smallSkew:
		f.Result = isWarn
	default:
		return f
	}
	f.Do = "set the clock of this machine: signatures are only valid for some minutes"
	return f
}

// token checks what the token may do, and until when.
func (d *doctor) token(ctx context.Context) ([]finding, error) {
	self, err := client.Get[admin.Self](ctx, d.api.Client, client.Path("v1", "self"), nil)
	if err != nil {
		return nil, err
	}
	f := finding{Result: isOK, What: self.Kind, Detail: fmt.Sprintf(
		"%s, role %s%s", cmp.Or(self.Name, self.ID), self.Role, ofTenant(self.Tenant),
	)}
	if self.ExpiresAt != nil {
		f.Detail += ", valid until " + whenever(self.ExpiresAt)
		if self.ExpiresAt.Sub(d.now) < soonExpires {
			f.Result, f.Do = isWarn, "make another: relay tokens create"
		}
	}
	return []finding{f}, nil
}

// endpoints checks how each endpoint is.
func (d *doctor) endpoints(ctx context.Context) (found []finding, err error) {
	healthy := 0
	for part, err := range client.Pages[admin.NamedState, admin.Scanned](
		ctx, d.api.Client, client.Path("v1", "states"), nil,
	) {
		if err != nil {
			return nil, err
		}
		for _, s := range part.Items {
			f := finding{Result: isWarn, What: s.Name, Detail: describeState(s.StateView)}
			switch s.State {
			case "healthy", "recovering":
				healthy++
				continue
			case "disabled":
				f.Result = isFail
				f.Do = "repair it, then relay resume " + s.Name
			case "open":
				f.Result = isFail
				f.Do = fmt.Sprintf("see relay deliveries --endpoint %s --status waiting", s.Name)
			case "paused":
				f.Do = "relay resume " + s.Name + " ends a pause of yours"
			case "unproven":
				f.Do = "it must prove that it wants webhooks: docs/delivering.md"
			}
			found = append(found, f)
		}
	}
	if healthy > 0 {
		found = append(found, finding{
			Result: isOK, What: "endpoints", Detail: fmt.Sprintf("%d healthy", healthy),
		})
	}
	return found, nil
}

// aWeek is what the usual gap between webhooks is computed from.
const aWeek = 7 * 24 * time.Hour

// sources tells how often the webhooks of each source come, and what the hourly sweep knows of its
// silence.
func (d *doctor) sources(ctx context.Context) (found []finding, err error) {
	stats, err := client.Get[struct{ Items []admin.Stats }](
		ctx, d.api.Client, client.Path("v1", "stats"),
		url.Values{"by": {"source"}, "from": {"-7d"}, "step": {"1h"}},
	)
	if err != nil {
		return nil, err
	}
	accepted, last := map[string]int{}, map[string]time.Time{}
	for _, s := range stats.Items {
		accepted[s.Name] += s.Accepted
		if s.Accepted > 0 && s.At.After(last[s.Name]) {
			last[s.Name] = s.At
		}
	}
	for part, err := range client.Pages[admin.SourceView, admin.Scanned](
		ctx, d.api.Client, client.Path("v1", "sources"), nil,
	) {
		if err != nil {
			return nil, err
		}
		for _, s := range part.Items {
			found = append(found, d.source(s, accepted[s.Spec.Name], last[s.Spec.Name]))
		}
	}
	return found, nil
}

// source judges a source by its webhooks in a week. The hour of the last one is known.
func (d *doctor) source(s admin.SourceView, accepted int, last time.Time) finding {
	f := finding{Result: isOK, What: s.Spec.Name, Detail: "no webhook in a week"}
	if accepted > 0 {
		gap := (aWeek / time.Duration(accepted)).Round(time.Minute)
		f.Detail = fmt.Sprintf(
			"%s in a week, one every %s or so, the last one in the hour of %s",
			plural(accepted, "webhook"), strings.TrimSuffix(gap.String(), "0s"), when(last),
		)
	}
	switch h := s.Heard; {
	case h != nil && h.SilentSince != nil && !h.SilentSince.Before(last):
		f.Result, f.Do = isWarn, "it is silent for longer than usual: look at its provider"
		if h.ExpectedBy != nil {
			f.Detail += fmt.Sprintf(", the next one was expected by %s", when(*h.ExpectedBy))
		}
	case accepted == 0 && (h == nil || h.ExpectedBy == nil):
		f.Result = isWarn
		f.Do = "check the URL and the secret at its provider; refused ones: GET /v1/refused"
	}
	return f
}

// deliveries checks what died in a day, and that nothing is unaccounted for.
func (d *doctor) deliveries(ctx context.Context) ([]finding, error) {
	stats, err := client.Get[struct{ Items []admin.Stats }](
		ctx, d.api.Client, client.Path("v1", "stats"),
		url.Values{"by": {"endpoint"}, "from": {"-24h"}, "step": {"1h"}},
	)
	if err != nil {
		return nil, err
	}
	var died, missing, delivered int
	var where []string
	for _, s := range stats.Items {
		died, missing, delivered = died+s.Dead, missing+s.Missing, delivered+s.Delivered
		if s.Dead > 0 && !slices.Contains(where, s.Name) {
			where = append(where, s.Name)
		}
	}
	f := finding{Result: isOK, What: "deliveries", Detail: fmt.Sprintf(
		"%s delivered and %s dead in the hours of the last day that are counted",
		thousands(delivered), thousands(died),
	)}
	switch {
	case missing != 0:
		f.Result = isFail
		f.Do = fmt.Sprintf(
			"%d are unaccounted for, which is a bug: see SweepLateOrMissing in the runbook",
			missing,
		)
	case died > 0:
		f.Result = isWarn
		f.Do = "relay redrive --endpoint " + strings.Join(where, ",") + " --since 24h"
	}
	return []finding{f}, nil
}

// pings returns a check that sends an event to endpoints and waits for their answers.
func (d *doctor) pings(names []string) func(context.Context) ([]finding, error) {
	return func(ctx context.Context) (found []finding, err error) {
		for _, name := range names {
			began := time.Now()
			answered, ok, err := d.api.ping(ctx, name, pingWait)
			switch {
			case err != nil:
				return nil, err
			case !ok:
				found = append(found, finding{
					Result: isFail, What: "ping " + name,
					Detail: fmt.Sprintf("no answer within %s", pingWait),
					Do:     "is the relay running? See relay endpoints state " + name,
				})
			case answered.Status != "delivered":
				found = append(found, finding{
					Result: isFail, What: "ping " + name,
					Detail: standing(answered) + lastAttempt(answered),
					Do:     "see relay events get " + answered.Event,
				})
			default:
				found = append(found, finding{
					Result: isOK, What: "ping " + name, Detail: fmt.Sprintf(
						"an event through and back in %d ms", time.Since(began).Milliseconds(),
					),
				})
			}
		}
		return found, nil
	}
}
