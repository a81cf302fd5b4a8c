package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

type endpointsCommand struct {
	List    listEndpointsCommand   `cmd:"" default:"withargs" help:"List the endpoints and the state of each."`
	Enable  enableEndpointCommand  `cmd:"" help:"Send deliveries to an endpoint again that is disabled, open or paused."`
	Disable disableEndpointCommand `cmd:"" help:"Stop deliveries to an endpoint. Its deliveries become dead, and can be replayed."`
}

type listEndpointsCommand struct {
	targetFlags
	JSON bool `help:"Print JSON, one document a line." name:"json"`
}

// statesAtOnce is the number of endpoint states that are read concurrently.
const statesAtOnce = 16

// Run lists the endpoints.
func (c *listEndpointsCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	_, names, err := t.catalog.Names(ctx, "")
	if err != nil {
		return err
	}
	states := make([]breaker.State, len(names))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(statesAtOnce)
	for i, name := range names {
		g.Go(func() (err error) {
			states[i], _, err = t.ledger.EndpointState(reading, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		if c.JSON {
			err = errors.Join(
				err, writeDocument(out, documentOfEndpoint(name, states[i], time.Now())),
			)
		} else {
			_, _ = printLine(out, "%s  %s", name, stateOf(states[i], time.Now()))
		}
	}
	if c.JSON {
		return err
	}
	_, err = fmt.Fprintln(out, plural(len(names), "endpoint"))
	return err
}

// stateOf describes an endpoint's state, and since or until when it holds.
func stateOf(s breaker.State, now time.Time) string {
	text := string(s.Phase(now))
	switch s.Phase(now) {
	case breaker.Disabled:
		return fmt.Sprintf("disabled since %s: %s", s.DisabledAt.Format(time.RFC3339), s.Reason)
	case breaker.Unproven:
		text = fmt.Sprintf(
			"unproven (%s), asked again at %s", s.Unproven, s.OpenUntil.Format(time.RFC3339),
		)
	case breaker.Open:
		text = "open until " + s.OpenUntil.Format(time.RFC3339)
		if s.Reason != "" {
			text += " (" + s.Reason + ")"
		}
		text += ", then a probe"
	case breaker.Paused:
		if !s.StoppedAt.IsZero() {
			text = fmt.Sprintf("paused by its operator since %s", s.StoppedAt.Format(time.RFC3339))
			break
		}
		text = fmt.Sprintf("paused until %s, as it asked", s.PausedUntil.Format(time.RFC3339))
	case breaker.Recovering:
		text = fmt.Sprintf(
			"recovering until %s", s.ClosedAt.Add(breaker.RampTime).Format(time.RFC3339),
		)
	case breaker.Healthy:
	}
	if !s.FailingSince.IsZero() {
		text += fmt.Sprintf(
			", %d failed in a row since %s", s.Failures, s.FailingSince.Format(time.RFC3339),
		)
	}
	if !s.WarnedAt.IsZero() {
		text += fmt.Sprintf(", to be disabled at %s", s.DisableAt().Format(time.RFC3339))
	}
	return text
}

type enableEndpointCommand struct {
	targetFlags
	Name string `arg:"" help:"Name of the endpoint."`
}

// Run enables an endpoint.
func (c *enableEndpointCommand) Run(ctx context.Context, out io.Writer) error {
	return c.operate(ctx, c.Name, out, func(t *target) (*gate.Change, error) {
		return operate.EnableEndpoint(ctx, t.ledger, c.Name)
	}, fmt.Sprintf("enabled; for what has died: relay replay %s --reason disabled", c.Name))
}

type disableEndpointCommand struct {
	targetFlags
	Name   string `arg:"" help:"Name of the endpoint."`
	Reason string `help:"Why, as text for people."`
}

// Run disables an endpoint.
func (c *disableEndpointCommand) Run(ctx context.Context, out io.Writer) error {
	return c.operate(ctx, c.Name, out, func(t *target) (*gate.Change, error) {
		return operate.DisableEndpoint(ctx, t.ledger, c.Name, c.Reason)
	}, fmt.Sprintf(
		"disabled, in force within %s; its deliveries die until you enable it",
		catalog.DefaultCacheTTL,
	))
}

// operate changes an endpoint's state, prints the new state, and sends the relay's own event about
// it to subscribers.
func (f targetFlags) operate(ctx context.Context, endpoint string, out io.Writer,
	change func(*target) (*gate.Change, error), done string,
) (err error) {
	t, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	_, names, err := t.catalog.Names(ctx, "")
	if err != nil {
		return err
	}
	if !slices.Contains(names, endpoint) {
		return fmt.Errorf(
			"endpoint %s: %w (relay endpoints lists them)", endpoint, catalog.ErrNotFound,
		)
	}
	changed, err := change(t)
	if err != nil {
		return err
	}
	if changed == nil {
		s, _, err := t.ledger.EndpointState(ctx, endpoint)
		if err == nil {
			_, err = printLine(out, "%s  %s; nothing to change", endpoint, stateOf(s, time.Now()))
		}
		return err
	}
	_, _ = printLine(out, "%s  %s", endpoint, done)
	return operate.NewNotifier(
		relay.NewRouter(t.catalog, nil, 0, time.Now), t.ingest,
	).TellChange(ctx, changed)
}
