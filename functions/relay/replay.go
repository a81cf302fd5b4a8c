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
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate/breaker"
)

type replayCommand struct {
	targetFlags
	selection
	Endpoint string `arg:"" optional:"" help:"Name of the endpoint whose dead deliveries are meant."`
	Event    string `help:"Id of an event: send it to the endpoint again, whatever became of it; without an endpoint, to those that subscribed to it since."`
	Yes      bool   `help:"Send them. Without it many are counted, and none is sent."`
	DryRun   bool   `help:"Count, and send nothing, even with --yes."`
	Rate     int    `help:"Deliveries a second that are sent on their way." default:"50"`
}

const (
	// replaysAtOnce is how many deliveries are put on their way at a time; each takes three calls.
	replaysAtOnce = 8
	// maxReplayRate is more than replaysAtOnce get to.
	maxReplayRate = 10_000
)

// Run sends deliveries again.
func (c *replayCommand) Run(ctx context.Context, out io.Writer) (err error) {
	switch {
	case c.Endpoint == "" && c.Event == "":
		return errors.New("name an endpoint, an event with --event, or both")
	case c.Event != "" && c.selection != (selection{}):
		return errors.New("--reason, --source, --type, --since and --until choose among many; leave --event out")
	case c.Rate < 1 || c.Rate > maxReplayRate:
		return fmt.Errorf("--rate %d: 1 to %d a second", c.Rate, maxReplayRate)
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
	_, err = printLine(out, "1 delivery to %s on the way again", c.Endpoint)
	return err
}

// checkEnabled keeps deliveries from dying at once.
func checkEnabled(ctx context.Context, t *target, endpoint string) error {
	s, _, err := t.ledger.EndpointState(ctx, endpoint)
	if err == nil && s.Phase(time.Now()) == breaker.Disabled {
		err = fmt.Errorf("%s is disabled (%s), and what is sent to it dies at once: relay endpoints enable %s comes first",
			endpoint, s.Reason, endpoint)
	}
	return err
}

// route sends an event to whoever has subscribed to it since it was routed.
func (c *replayCommand) route(ctx context.Context, t *target, out io.Writer) error {
	if c.DryRun {
		return errors.New("--dry-run needs an endpoint: one event goes to those that have subscribed to it since")
	}
	endpoints, err := t.replayer().Route(ctx, c.Event)
	switch {
	case err != nil:
		return err
	case len(endpoints) == 0:
		_, err = printLine(out, "nobody has subscribed to %s since it was routed", c.Event)
	default:
		_, err = printLine(out, "%s on the way to %s", c.Event, strings.Join(endpoints, ", "))
	}
	return err
}

// many sends an endpoint's dead deliveries again, those that are chosen.
func (c *replayCommand) many(ctx context.Context, t *target, out io.Writer) error {
	var dead []deadDelivery
	kinds := map[string]int{}
	err := c.each(ctx, t.ledger, c.Endpoint, relay.Dead, func(d relay.Delivery) error {
		dead = append(dead, deadDelivery{d.EventID, d.Attempts})
		kinds[fmt.Sprintf("%s from %s, %s", typeOf(d.Type), d.Source, standingOf(d))]++
		return nil
	})
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
		_, err = printLine(out, "%s would be sent to %s again; --yes sends them", deliveriesOf(len(dead)), c.Endpoint)
		return errors.Join(err, checkEnabled(ctx, t, c.Endpoint))
	}
	if err := checkEnabled(ctx, t, c.Endpoint); err != nil {
		return err
	}
	sent, err := c.send(ctx, t.replayer(), dead)
	if err != nil {
		return fmt.Errorf("after %d of %d; run it again to go on with the others: %w", sent, len(dead), err)
	}
	_, err = printLine(out, "%s to %s on the way again", deliveriesOf(sent), c.Endpoint)
	return err
}

// deadDelivery is what is kept of one in the list.
type deadDelivery struct {
	event    string
	attempts int
}

// send puts deliveries on their way, no faster than the rate, and returns how many. Those that somebody else put on their way since they were
// listed, whether they have ended by now or not, or that have expired since, are left out.
func (c *replayCommand) send(ctx context.Context, r operate.Replayer, dead []deadDelivery) (int, error) {
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
