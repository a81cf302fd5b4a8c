package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/sign"
)

type listenCommand struct {
	Source     []string      `arg:"" optional:"" sep:"," help:"Sources to listen to: github,stripe. Without them all."`
	Forward    string        `help:"Where to POST the events: a URL, or localhost:3000/hooks, or :3000. Without it they are only shown." short:"f" placeholder:"URL"`
	Type       []string      `help:"Only events of these types. * stands for any characters." aliases:"types" placeholder:"TYPE"`
	Where      string        `help:"Only events that match this filter, as in a subscription: JSON over type, source, trust, headers and data." placeholder:"JSON"`
	As         string        `help:"Send what this endpoint would get, with its signature, headers and transform." placeholder:"ENDPOINT"`
	Secret     string        `help:"Sign with this secret (whsec_…). Also from RELAY_LISTEN_SECRET. Default: a secret of yours that is made once and kept." placeholder:"SECRET"`
	Since      moment        `help:"First fill in the events that were accepted since then: a time (2006-01-02T15:04:05Z), a day (2006-01-02), or a duration before now (1h, 2d)." placeholder:"TIME"`
	MaxBacklog int           `help:"How many events --since may fill in. 0: any number." default:"100" placeholder:"N"`
	Count      int           `help:"End after so many events. 0: never." default:"0" placeholder:"N"`
	Resume     string        `help:"Go on as this listener, with the events that it has kept: lis_…" placeholder:"ID"`
	TTL        span          `help:"How long events are kept for you while this command does not run, or this machine sleeps." name:"ttl" default:"8h"`
	Timeout    time.Duration `help:"How long your server may take for an answer." default:"30s"`
	Pause      time.Duration `help:"How long to wait before an event is sent again that your server did not take." default:"30s" hidden:""`
	SkipVerify bool          `help:"Accept any certificate of your server."`
	Plain      bool          `help:"Print a line for each event, also on a terminal."`
	relayFlags
}

// forwardTimeoutMax is the longest time for an answer: somebody may stop in a debugger.
const forwardTimeoutMax = time.Hour

// Run listens until it is stopped.
func (c *listenCommand) Run(ctx context.Context, inv *invocation) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	return c.calls(ctx, inv, func(api *connection) error {
		l := &listening{
			inv: inv, api: api, flags: c, heardEvents: heardEvents{heard: map[string]*heard{}},
		}
		if l.forward, err = l.newForwarder(ctx, target); err != nil {
			return err
		}
		return l.run(ctx)
	})
}

// target returns where events are sent; nil: nowhere.
func (c *listenCommand) target() (*url.URL, error) {
	switch {
	case c.MaxBacklog < 0 || c.Count < 0:
		return nil, usage("--max-backlog and --count must not be below zero")
	case c.Timeout <= 0 || c.Timeout > forwardTimeoutMax:
		return nil, usage(fmt.Sprintf("--timeout %s: must be above zero, and 1h at most", c.Timeout))
	case c.Resume != "" && (len(c.Source) > 0 || len(c.Type) > 0 || c.Where != ""):
		return nil, usage("--resume goes on as a listener was made: leave out sources, --type and --where")
	case c.Forward == "" && (c.As != "" || c.Secret != "" || c.SkipVerify):
		return nil, usage("--as, --secret and --skip-verify need --forward")
	case c.As != "" && c.Secret != "":
		return nil, usage("--as signs with the endpoint's own secrets: leave --secret out")
	case c.Forward == "":
		return nil, nil //nolint:nilnil // nowhere
	}
	text := c.Forward
	if strings.HasPrefix(text, ":") {
		text = "localhost" + text
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usage(fmt.Sprintf(
			"--forward %s: write a URL, or localhost:3000/hooks", c.Forward,
		))
	}
	return u, nil
}

// listening is a run of the command.
type listening struct {
	inv     *invocation
	api     *connection
	flags   *listenCommand
	forward *forwarder // nil: events are only shown
	view    listenView

	listener admin.ListenerView

	access  sync.Mutex // guards the fields below
	box     mailbox
	renewAt time.Time // by the wall clock, which goes on while the machine sleeps

	heardEvents
}

// run listens. The listener is removed at the end, unless something failed: then it keeps its
// events.
func (l *listening) run(ctx context.Context) error {
	ready, err := l.begin(ctx)
	if err != nil {
		return err
	}
	l.view = l.newView()
	err = l.view.run(ctx, func(ctx context.Context) error {
		if err := l.prepare(ctx, ready); err != nil {
			return errors.Join(err, l.remove(ctx))
		}
		return l.listen(ctx)
	})
	switch {
	case ctx.Err() != nil || errors.Is(err, errListened):
		return l.end(ctx)
	case l.listener.ID != "" && !l.gone:
		l.inv.note("%s keeps its events; relay listen --resume %[1]s goes on", l.listener.ID)
	}
	return err
}

// errListened means that the person, or --count, ends the command.
var errListened = errors.New("enough")

// begin makes the listener, or takes one up. It returns the time until it is in force.
func (l *listening) begin(ctx context.Context) (ready time.Duration, err error) {
	began := time.Now()
	if l.flags.Resume != "" {
		resumed, err := call[admin.ReadyListener](
			ctx, l.api, client.Path("v1", "listeners", l.flags.Resume, "renew"), nil,
		)
		if err != nil {
			return 0, err
		}
		l.listener = resumed.ListenerView
		return 0, l.use(resumed)
	}
	want := map[string]any{"ttl": time.Duration(l.flags.TTL).String()}
	for name, values := range map[string][]string{
		"sources": l.flags.Source, "types": l.flags.Type,
	} {
		if len(values) > 0 {
			want[name] = values
		}
	}
	if l.flags.Where != "" {
		if !json.Valid([]byte(l.flags.Where)) {
			return 0, usage("--where is no JSON: write a filter, as in a subscription")
		}
		want["where"] = json.RawMessage(l.flags.Where)
	}
	made, err := call[admin.MadeListener](ctx, l.api, client.Path("v1", "listeners"), want)
	if err != nil {
		return 0, err
	}
	// both times are the relay's
	ready = made.InForceAt.Sub(made.CreatedAt) - time.Since(began)
	l.listener = made.ListenerView
	if err := l.use(made.ReadyListener); err != nil {
		return 0, errors.Join(err, l.remove(ctx))
	}
	return ready, nil
}

// use takes over what the relay says about the listener.
func (l *listening) use(r admin.ReadyListener) error {
	box, err := newMailbox(l.api, r)
	if err != nil {
		return err
	}
	l.access.Lock()
	defer l.access.Unlock()
	ttl := time.Duration(r.TTLSeconds) * time.Second
	l.box, l.renewAt = box, time.Now().Round(0).Add(ttl/2)
	if c := r.Transport.Credentials; c != nil {
		if before := c.Expires.Add(-renewBefore); before.Before(l.renewAt) {
			l.renewAt = before
		}
	}
	return nil
}

// mailbox returns the mailbox, and whether the listener has to be renewed first.
func (l *listening) mailbox() (box mailbox, renew bool) {
	l.access.Lock()
	defer l.access.Unlock()
	return l.box, time.Now().Round(0).After(l.renewAt)
}

// expire makes the next call renew the listener.
func (l *listening) expire() {
	l.access.Lock()
	defer l.access.Unlock()
	l.renewAt = time.Time{}
}

// renewBefore is how long before their end credentials are renewed.
const renewBefore = 10 * time.Minute

// what says to what the listener listens.
func (l *listening) what() string {
	parts := []string{"all sources"}
	if len(l.listener.Sources) > 0 {
		parts[0] = strings.Join(l.listener.Sources, ", ")
	}
	if len(l.listener.Types) > 0 {
		parts = append(parts, strings.Join(l.listener.Types, ", "))
	}
	if len(l.listener.Where) > 0 {
		parts = append(parts, string(l.listener.Where))
	}
	return strings.Join(parts, " · ")
}

// prepare waits until the listener is in force, and fills in older events.
func (l *listening) prepare(ctx context.Context, ready time.Duration) error {
	l.view.note("listening  %s · as %s (Ctrl-C removes it)", l.what(), l.listener.ID)
	if l.forward != nil {
		l.view.note("forwarding to %s, %s", l.forward.target, l.forward.signedBy)
	}
	if ready > time.Second {
		l.view.note("not ready  in force in %s", (ready + time.Second).Truncate(time.Second))
	}
	if err := pause(ctx, ready); err != nil {
		return err
	}
	if !l.flags.Since.IsZero() {
		if err := l.fill(ctx); err != nil {
			return err
		}
	}
	l.view.note("ready      waiting for events")
	return nil
}

// fillAtOnce is how many events the API takes at a time.
const fillAtOnce = 100

// fill puts the events since a time into the queue of the listener, the oldest first.
func (l *listening) fill(ctx context.Context) error {
	query := eventSelection{
		Source: l.listener.Sources, Type: l.listener.Types, Where: string(l.listener.Where),
		Since: l.flags.Since,
	}.query()
	var ids []string
	for part, err := range client.Pages[eventItem, admin.Covered](
		ctx, l.api.Client, client.Path("v1", "events"), query,
	) {
		if err != nil {
			return err
		}
		for _, e := range part.Items {
			ids = append(ids, e.ID)
		}
		if most := l.flags.MaxBacklog; most > 0 && len(ids) > most {
			return usage(fmt.Sprintf(
				"there are more than %d events since %s; --max-backlog sets how many may be filled in",
				most, when(l.flags.Since.Time),
			))
		}
	}
	l.view.note("backlog    %s since %s", plural(len(ids), "event"), when(l.flags.Since.Time))
	slices.Reverse(ids)
	for some := range slices.Chunk(ids, fillAtOnce) {
		if _, err := l.send(ctx, some, false); err != nil {
			return err
		}
	}
	return nil
}

// send puts events on record into the queue of the listener.
func (l *listening) send(ctx context.Context, ids []string, again bool) (int, error) {
	return l.api.sendToListener(ctx, l.listener.ID, ids, again)
}

// sendToListener puts events on record into the queue of a listener, and returns how many.
func (api *connection) sendToListener(
	ctx context.Context, listener string, ids []string, again bool,
) (int, error) {
	sent, err := call[struct{ Sent int }](
		ctx, api, client.Path("v1", "listeners", listener, "events"),
		map[string]any{"events": ids, "again": again},
	)
	return sent.Sent, err
}

// renew lets the listener last, with new credentials.
func (l *listening) renew(ctx context.Context) error {
	renewed, err := call[admin.ReadyListener](
		ctx, l.api, client.Path("v1", "listeners", l.listener.ID, "renew"), nil,
	)
	if err != nil {
		if code, _ := exitOf(err); code == exitNotFound {
			l.gone = true
		}
		return err
	}
	return l.use(renewed)
}

// removeTime is how long the removal may take after Ctrl-C.
const removeTime = 10 * time.Second

// remove removes the listener.
func (l *listening) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	_, err := l.api.Do(ctx, client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", "listeners", l.listener.ID),
	})
	l.gone = err == nil
	if code, _ := exitOf(err); code == exitNotFound {
		return nil
	}
	return err
}

// end removes the listener when the person ends the command.
func (l *listening) end(ctx context.Context) error {
	if err := l.remove(ctx); err != nil {
		return fmt.Errorf(
			"%s is not removed: %w; relay listeners delete %[1]s removes it, and so does the relay in a day or two",
			l.listener.ID, err,
		)
	}
	l.inv.note("ended      %s received; %s is removed", plural(l.count(), "event"), l.listener.ID)
	return nil
}

// secret returns the secret by which forwarded events are signed, and says where it is from.
func (c *listenCommand) secret(inv *invocation) (secret, from string, err error) {
	switch {
	case c.Secret != "":
		return c.Secret, "signed with the secret of --secret", nil
	case inv.env("RELAY_LISTEN_SECRET") != "":
		return inv.env("RELAY_LISTEN_SECRET"), "signed with RELAY_LISTEN_SECRET", nil
	}
	dir, err := profileDir(inv)
	if err != nil {
		return "", "", err
	}
	file := filepath.Join(filepath.Dir(dir), "listen-secret")
	if kept, err := os.ReadFile(file); err == nil {
		secret = strings.TrimSpace(string(kept))
		return secret, "signed with " + secret + " (" + file + ")", nil
	}
	secret = sign.NewSecret()
	const onlyMe = 0o700
	if err := os.MkdirAll(filepath.Dir(file), onlyMe); err != nil {
		return "", "", err
	}
	return secret, "signed with " + secret + " (made now, kept in " + file + ")",
		writePrivately(file, []byte(secret+"\n"))
}
