package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/verify"
)

type secretCommand struct {
	targetFlags
	Source string `arg:"" help:"Name of the source."`
	Forget bool   `help:"Forget it, so that the next handshake brings a new one."`
}

// Run shows the secret that a source's provider handed over in its handshake: Notion, for one, wants to see it again.
func (c *secretCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	catalog, revision, err := t.catalog.LoadCatalog(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(catalog.Sources, func(s relay.Source) bool { return s.Name == c.Source })
	if at < 0 {
		return fmt.Errorf("there is no source %q", c.Source)
	}
	s := &catalog.Sources[at]
	if d, _ := verify.Describe(s.Verify.Provider); !d.Learns {
		return fmt.Errorf("%s hands over no secret; that of source %s is the one in your configuration", d.Title, s.Name)
	}
	if len(s.Secrets) == 0 {
		return fmt.Errorf("source %s has no secret yet; its provider hands one over when you set up the webhook there", s.Name)
	}
	if c.Forget {
		s.Secrets = nil
		err = t.catalog.ReplaceCatalog(ctx, catalog, revision)
		if err == nil {
			_, err = printLine(out, "forgotten; the next handshake of source %s brings a new secret", s.Name)
		}
		return err
	}
	_, err = printLine(out, "%s", s.Secrets[0])
	return err
}
