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
	Learn  *span  `help:"Accept a secret from the next handshake, for this long (such as 10m; at most 24h)." placeholder:"DURATION"`
	Forget bool   `help:"Forget the secret. Add --learn to accept a new one from the next handshake."`
}

// maxWindow is the longest window. While it is open, anybody who knows the source's URL can plant a
// secret.
const maxWindow = 24 * time.Hour

// ErrWindow is returned for a --learn duration that is out of range.
var ErrWindow = errors.New("must be above 0, at most 24h")

// Run shows or forgets the secret that the source's provider sent in its handshake, or opens a
// window in which a handshake may bring one. Showing it is needed for providers such as Notion,
// which ask for the secret again.
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
		return fmt.Errorf("there is no source %q in the configuration that was applied", c.Source)
	}
	s := &cat.Sources[at]
	if d, _ := verify.Describe(s.Verify.Provider); !d.Learns {
		return fmt.Errorf(
			"%s hands over no secret in a handshake; source %s uses the secret in your configuration",
			d.Title, s.Name,
		)
	}
	if c.Forget && len(s.Secrets) > 0 {
		s.Secrets = nil
		if err := t.catalog.ReplaceCatalog(ctx, cat, revision); err != nil {
			return err
		}
		if _, err := printLine(
			out, "forgotten; relay secret %s --learn 10m lets a handshake bring a new one", s.Name,
		); err != nil {
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

// learn opens the window in which a handshake may bring the secret.
func (c *secretCommand) learn(ctx context.Context, t *target, out io.Writer) error {
	until := time.Now().Add(time.Duration(*c.Learn))
	err := t.catalog.OpenLearning(ctx, c.Source, until)
	if errors.Is(err, catalog.ErrConflict) {
		return fmt.Errorf("source %s already has a secret; to replace it, run relay secret %[1]s --forget --learn %s",
			c.Source, time.Duration(*c.Learn))
	}
	if err != nil {
		return err
	}
	_, err = printLine(out,
		"open until %s, in force within %s: the first handshake of source %s brings its secret",
		until.Format(time.RFC3339), catalog.DefaultCacheTTL, c.Source)
	return err
}

// noSecret returns an error that says what to do so that the source gets a secret.
func (c *secretCommand) noSecret(ctx context.Context, t *target) error {
	tenant, _ := catalog.SplitName(c.Source)
	state, err := t.catalog.State(ctx, tenant)
	if err != nil {
		return err
	}
	s, err := t.catalog.Source(ctx, state.Generation, c.Source)
	if err != nil {
		return err
	}
	if time.Now().Before(s.LearnUntil) {
		return fmt.Errorf("source %s has no secret yet; its provider hands one over when you set up the webhook there, until %s",
			s.Name, s.LearnUntil.Format(time.RFC3339))
	}
	return fmt.Errorf(
		"source %s has no secret yet; run relay secret %[1]s --learn 10m, then set up the webhook at its provider",
		s.Name,
	)
}
