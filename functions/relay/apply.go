package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"webhook-relay/shared/config"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/sign"
)

type applyCommand struct {
	targetFlags
	File   string `arg:"" help:"Configuration file." type:"existingfile"`
	DryRun bool   `help:"Show what would change, but write nothing."`
	Empty  bool   `help:"Apply a configuration even if it is empty. This removes all sources, endpoints and subscriptions."`
	Keep   span   `help:"How long an endpoint's replaced secrets keep signing beside the new ones. 0 ends all old secrets at once. Example: 2d for two days." default:"24h"`
}

// ErrEmpty is returned for a configuration without sources, endpoints or subscriptions, unless
// --empty is given.
var ErrEmpty = errors.New(
	"no sources, endpoints or subscriptions, so applying it would remove everything; if you want that, run relay apply --empty",
)

// Run checks the configuration and writes it.
func (c *applyCommand) Run(ctx context.Context, out io.Writer) (err error) {
	read := config.ReadLocal
	if c.Stack != "" {
		read = config.ReadDeployed
	}
	next, err := read(c.File, os.LookupEnv)
	if err != nil {
		return err
	}
	if !c.Empty {
		if err := checkNotEmpty(c.File, next); err != nil {
			return err
		}
	}
	printf := func(format string, args ...any) { _, _ = printLine(out, format, args...) }
	if c.DryRun && c.Stack == "" && !sqlite.Exists(c.dir()) {
		return applyTo(
			ctx, &memory.Catalog{}, next, applyOptions{keep: time.Duration(c.Keep), dryRun: true},
			printf,
		)
	}
	t, err := c.make(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if c.Stack != "" {
		for _, w := range config.Warnings(next) {
			printf("warning: %s", w)
		}
	}
	return applyTo(
		ctx, t.catalog, next, applyOptions{keep: time.Duration(c.Keep), dryRun: c.DryRun}, printf,
	)
}

func checkNotEmpty(file string, c catalog.Catalog) error {
	if len(c.Sources)+len(c.Endpoints)+len(c.Subscriptions) == 0 {
		return fmt.Errorf("%s has %w", file, ErrEmpty)
	}
	return nil
}

// applyOptions are the options of applyTo.
type applyOptions struct {
	keep   time.Duration // see catalog.Endpoint.Succeed
	dryRun bool
}

// applyTo shows what next changes in the catalog. Unless it is a dry run, it then writes next, all
// or nothing.
func applyTo(
	ctx context.Context, store catalog.Store, next catalog.Catalog, o applyOptions,
	printf func(string, ...any),
) error {
	current, revision, err := store.LoadCatalog(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	made, err := config.FillSecrets(&next, current, o.keep, now)
	if err != nil {
		return err
	}
	changes := config.Changes(current, next, now)
	if len(changes) == 0 {
		printf("catalog   revision %d, nothing to change", revision)
		showPublicKeys(next, printf)
		return nil
	}
	for _, line := range changes {
		printf("catalog   %s", line)
	}
	if o.dryRun {
		printf("catalog   revision %d stays, this was a dry run", revision)
		return nil
	}
	err = store.ReplaceCatalog(ctx, next, revision)
	if errors.Is(err, catalog.ErrConflict) {
		return fmt.Errorf(
			"somebody else applied a configuration at the same time; nothing was written, run the command again: %w",
			err,
		)
	}
	if err != nil {
		return err
	}
	printf("catalog   revision %d is in force", revision+1)
	for _, endpoint := range slices.Sorted(maps.Keys(made)) {
		printf(
			"secret    of endpoint %s, new; it is shown only now: %s", endpoint, made[endpoint],
		)
	}
	for _, e := range next.Endpoints {
		for _, old := range e.Retiring {
			printf(
				"secret    of endpoint %s, an old one; it also signs until %s", e.Name,
				old.Until.Format(time.RFC3339),
			)
		}
	}
	showPublicKeys(next, printf)
	return nil
}

// showPublicKeys prints the public keys of endpoints that sign with private keys. Receivers verify
// signatures with them. Public keys are no secrets.
func showPublicKeys(c catalog.Catalog, printf func(string, ...any)) {
	for _, e := range c.Endpoints {
		for _, secret := range e.Secrets {
			if public := sign.PublicKey(secret); public != "" {
				printf(
					"key       of endpoint %s, public; its receiver verifies v1a signatures with it: %s", e.Name,
					public,
				)
			}
		}
	}
}
