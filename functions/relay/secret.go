package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"webhook-relay/shared/relay/catalog"

	"webhook-relay/shared/verify"
)

type secretCommand struct {
	targetFlags
	Source string `arg:"" help:"Name of the source."`
	Learn  *span  `help:"Let the next handshake bring the secret, for this long (10m); at most 24h." placeholder:"DURATION"`
	Forget bool   `help:"Forget it. With --learn the next handshake brings a new one."`
}

// maxWindow bounds a window: whoever knows the source's URL can plant a secret in it.
const maxWindow = 24 * time.Hour

// ErrWindow: the duration of a window makes no sense.
var ErrWindow = errors.New("above 0, at most 24h")

// Run shows the secret that a source's provider handed over in its handshake (Notion, for one, wants to see it again), forgets it, or lets
// a handshake bring it.
func (c *secretCommand) Run(ctx context.Context, out io.Writer) (err error) {
	if c.Learn != nil && (*c.Learn <= 0 || time.Duration(*c.Learn) > maxWindow) {
		return fmt.Errorf("--learn %s: %w", time.Duration(*c.Learn), ErrWindow)
	}
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	cat, revision, err := t.catalog.LoadCatalog(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(cat.Sources, func(s catalog.Source) bool { return s.Name == c.Source })
	if at < 0 {
		return fmt.Errorf("there is no source %q", c.Source)
	}
	s := &cat.Sources[at]
	if d, _ := verify.Describe(s.Verify.Provider); !d.Learns {
		return fmt.Errorf("%s hands over no secret; that of source %s is the one in your configuration", d.Title, s.Name)
	}
	if c.Forget && len(s.Secrets) > 0 {
		s.Secrets = nil
		if err := t.catalog.ReplaceCatalog(ctx, cat, revision); err != nil {
			return err
		}
		if _, err := printLine(out, "forgotten; relay secret %s --learn 10m lets a handshake bring a new one", s.Name); err != nil {
			return err
		}
		if c.Learn == nil {
			return nil
		}
	}
	if c.Learn != nil {
		return c.learn(ctx, t, out)
	}
	if len(s.Secrets) == 0 {
		return c.noSecret(ctx, t)
	}
	_, err = printLine(out, "%s", s.Secrets[0])
	return err
}

// learn opens a window for a handshake.
func (c *secretCommand) learn(ctx context.Context, t *target, out io.Writer) error {
	until := time.Now().Add(time.Duration(*c.Learn))
	err := t.catalog.OpenLearning(ctx, c.Source, until)
	if errors.Is(err, catalog.ErrConflict) {
		return fmt.Errorf("source %s has a secret; to replace it: relay secret %[1]s --forget --learn %s",
			c.Source, time.Duration(*c.Learn))
	}
	if err != nil {
		return err
	}
	_, err = printLine(out, "open until %s, in force within %s: the first handshake of source %s brings its secret",
		until.Format(time.RFC3339), catalog.DefaultCacheTTL, c.Source)
	return err
}

// noSecret tells what is missing for the source to have a secret.
func (c *secretCommand) noSecret(ctx context.Context, t *target) error {
	g, err := t.catalog.Generation(ctx)
	if err != nil {
		return err
	}
	s, err := t.catalog.Source(ctx, g, c.Source)
	if err != nil {
		return err
	}
	if time.Now().Before(s.LearnUntil) {
		return fmt.Errorf("source %s has no secret yet; its provider hands one over when you set up the webhook there, until %s",
			s.Name, s.LearnUntil.Format(time.RFC3339))
	}
	return fmt.Errorf("source %s has no secret yet; run relay secret %[1]s --learn 10m, then set up the webhook at its provider", s.Name)
}
