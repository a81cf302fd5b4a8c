package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/relay/operate"
)

type replayCommand struct {
	targetFlags
	selection
	Endpoint string `arg:"" optional:"" help:"Endpoint name. Its dead deliveries are sent again; with --event, the delivery of that event."`
	Event    string `help:"Event id. Send the event to the endpoint again, whether it was delivered or is dead. Without an endpoint: send it to the endpoints that subscribed to it after it was routed."`
	Yes      bool   `help:"Send an endpoint's dead deliveries. Without --yes they are only counted."`
	DryRun   bool   `help:"Count only, even with --yes. Nothing is sent."`
	Rate     int    `help:"How many deliveries to send to the queue in a second." default:"50"`
}

const (
	// replaysAtOnce is the number of deliveries that are replayed concurrently. Each takes three
	// calls.
	replaysAtOnce = 8
	// maxReplayRate is higher than what replaysAtOnce can reach.
	maxReplayRate = 10_000
)

// Run sends deliveries again.
func (c *replayCommand) Run(ctx context.Context, out io.Writer) (err error) {
	switch {
	case c.Endpoint == "" && c.Event == "":
		return errors.New("give an endpoint name, or --event ID, or both")
	case c.Event != "" && c.selection != (selection{}):
		return errors.New(
			"--reason, --source, --type, --since and --until filter the dead deliveries of an endpoint; they cannot be used with --event, which names a single one",
		)
	case c.Rate < 1 || c.Rate > maxReplayRate:
		return fmt.Errorf("--rate %d: must be 1 to %d a second", c.Rate, maxReplayRate)
	}
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	switch {
	case c.Endpoint == "":
		return c.route(ctx, t, out)
	case c.Event == "":
		return c.many(ctx, t, out)
	case c.DryRun:
		_, err = printLine(out, "%s would be sent to %s again", c.Event, c.Endpoint)
		return err
	}
	if err := checkEnabled(ctx, t, c.Endpoint); err != nil {
		return err
	}
	if err := t.replayer().Replay(ctx, c.Event, c.Endpoint); err != nil {
		return err
	}
	_, err = printLine(out, "1 delivery to %s sent to the queue again", c.Endpoint)
	return err
}

// checkEnabled returns an error if the endpoint is disabled, because replayed deliveries would
// become dead at once.
func checkEnabled(ctx context.Context, t *target, endpoint string) error {
	s, _, err := t.ledger.EndpointState(ctx, endpoint)
	if err == nil && s.Phase(time.Now()) == breaker.Disabled {
		err = fmt.Errorf("endpoint %s is disabled (%s), so replayed deliveries would die at once; first run relay endpoints enable %s",
			endpoint, s.Reason, endpoint)
	}
	return err
}

// route sends an event to the endpoints that have subscribed to it since it was routed.
func (c *replayCommand) route(ctx context.Context, t *target, out io.Writer) error {
	if c.DryRun {
		return errors.New(
			"--dry-run needs an endpoint name: with --event alone the relay finds the endpoints only while it sends",
		)
	}
	endpoints, err := t.replayer().Route(ctx, c.Event)
	switch {
	case err != nil:
		return err
	case len(endpoints) == 0:
		_, err = printLine(out, "nobody has subscribed to %s since it was routed", c.Event)
	default:
		_, err = printLine(
			out, "%s was sent to the queue for %s", c.Event, strings.Join(endpoints, ", "),
		)
	}
	return err
}

// many sends those dead deliveries of an endpoint again that match the selection.
func (c *replayCommand) many(ctx context.Context, t *target, out io.Writer) error {
	var dead []deadDelivery
	kinds := map[string]int{}
	listed := []relay.Status{relay.Dead}
	err := c.each(ctx, t.ledger, c.Endpoint, listed, func(d relay.Delivery) error {
		dead = append(dead, deadDelivery{event: d.EventID, attempts: d.Attempts})
		kinds[fmt.Sprintf("%s from %s, %s", typeOf(d.Type), d.Source, standingOf(d))]++
		return nil
	})
	slices.Reverse(dead) // the oldest is sent first
	if err == nil && len(dead) == 0 {
		err = t.checkKnown(ctx, c.Endpoint)
	}
	if err != nil {
		return err
	}
	if c.DryRun || !c.Yes {
		for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
			return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b))
		}) {
			_, _ = printLine(out, "%7d  %s", kinds[kind], kind)
		}
		_, err = printLine(
			out, "%s would be sent to %s again; --yes sends them", deliveriesOf(len(dead)),
			c.Endpoint,
		)
		return errors.Join(err, checkEnabled(ctx, t, c.Endpoint))
	}
	if err := checkEnabled(ctx, t, c.Endpoint); err != nil {
		return err
	}
	sent, err := c.send(ctx, t.replayer(), dead)
	if err != nil {
		return fmt.Errorf(
			"stopped after %d of %d deliveries; run the command again to send the others: %w", sent,
			len(dead), err,
		)
	}
	_, err = printLine(out, "%s to %s sent to the queue again", deliveriesOf(sent), c.Endpoint)
	return err
}

// deadDelivery is what many keeps of each listed delivery.
type deadDelivery struct {
	event    string
	attempts int
}

// send replays deliveries, no faster than the rate, and returns how many it sent. It skips a
// delivery that somebody else has replayed since it was listed, whatever its status is now. It also
// skips a delivery that has expired since.
func (c *replayCommand) send(
	ctx context.Context, r operate.Replayer, dead []deadDelivery,
) (int, error) {
	pace := time.NewTicker(time.Second / time.Duration(c.Rate))
	defer pace.Stop()
	var sent atomic.Int64
	g, going := errgroup.WithContext(ctx)
	g.SetLimit(replaysAtOnce)
	for _, d := range dead {
		select {
		case <-pace.C:
		case <-going.Done():
		}
		if going.Err() != nil {
			break
		}
		g.Go(func() error {
			err := r.ReplayDead(going, d.event, c.Endpoint, d.attempts)
			if errors.Is(err, catalog.ErrConflict) || errors.Is(err, catalog.ErrNotFound) {
				return nil
			}
			if err == nil {
				sent.Add(1)
			}
			return err
		})
	}
	err := g.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return int(sent.Load()), err
}

func deliveriesOf(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}
