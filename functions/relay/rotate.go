package main

import (
	"context"
	"errors"
	"io"
	"time"

	"webhook-relay/shared/relay/catalog"
)

type rotateCommand struct {
	targetFlags
	Endpoint string `arg:"" help:"Name of the endpoint."`
	Keep     span   `help:"How long the old secrets keep signing beside the new one. 0 ends them at once. Example: 2d for two days." default:"24h"`
}

// Run gives an endpoint a new secret and prints it. It is never shown again.
func (c *rotateCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	ep, err := catalog.Rotate(
		ctx, t.catalog.For(""), c.Endpoint, time.Duration(c.Keep), time.Now(),
	)
	if err != nil {
		return err
	}
	_, err = printLine(
		out, "secret    of endpoint %s, new; it is shown only now: %s", ep.Name, ep.Secrets[0],
	)
	for _, old := range ep.Retiring {
		if err == nil {
			_, err = printLine(
				out, "secret    an old one also signs until %s",
				old.Until.Format(time.RFC3339),
			)
		}
	}
	return err
}
