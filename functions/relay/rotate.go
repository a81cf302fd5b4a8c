package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"webhook-relay/shared/relay"
)

type rotateCommand struct {
	targetFlags
	Endpoint string        `arg:"" help:"Name of the endpoint."`
	Keep     time.Duration `help:"How long the old secrets go on signing beside the new one; 0 ends them at once." default:"24h"`
}

// Run gives an endpoint a new secret and shows it, this once.
func (c *rotateCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	ep, err := relay.Rotate(ctx, t.catalog, c.Endpoint, c.Keep, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "secret    of endpoint %s, made now and shown this once: %s\n", ep.Name, ep.Secrets[0])
	for _, old := range ep.Retiring {
		if err == nil {
			_, err = fmt.Fprintf(out, "secret    one from before signs beside it until %s\n", old.Until.Format(time.RFC3339))
		}
	}
	return err
}
