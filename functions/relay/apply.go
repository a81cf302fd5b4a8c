package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
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
	Tenant string `help:"Apply the file to the catalog of this tenant. Default: your own, the operator's." placeholder:"ID"`
	DryRun bool   `help:"Show what would change, but write nothing."`
	Yes    bool   `help:"Do not ask before something is removed."`
	Adopt  bool   `help:"Take over what the file names and somebody else manages: the API or the portal."`
	Empty  bool   `help:"Apply a configuration even if it is empty. This removes all sources, endpoints and subscriptions that files manage."`
	Keep   span   `help:"How long an endpoint's replaced secrets keep signing beside the new ones. 0 ends all old secrets at once. Example: 2d for two days." default:"24h"`
}

// ErrEmpty is returned for a configuration without sources, endpoints or subscriptions, unless
// --empty is given.
var ErrEmpty = errors.New(
	"no sources, endpoints or subscriptions, so applying it would remove everything; if you want that, run relay apply --empty",
)

// Run checks the configuration and writes it.
func (c *applyCommand) Run(ctx context.Context, out io.Writer) (err error) {
	mode := config.Local
	if c.Stack != "" {
		mode = config.Deployed
	}
	next, err := config.ReadFor(c.Tenant, c.File, mode, os.LookupEnv)
	if err != nil {
		return err
	}
	if !c.Empty {
		if err := checkNotEmpty(c.File, next); err != nil {
			return err
		}
	}
	printf := func(format string, args ...any) { _, _ = printLine(out, format, args...) }
	options := applyOptions{
		tenant: c.Tenant, keep: time.Duration(c.Keep), dryRun: c.DryRun, adopt: c.Adopt,
		yes: c.Yes || c.Empty,
	}
	if c.DryRun && c.Stack == "" && !sqlite.Exists(c.dir()) {
		return applyTo(ctx, &memory.Catalog{}, next, options, printf)
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
	return applyTo(ctx, t.catalog, next, options, printf)
}

func checkNotEmpty(file string, c catalog.Catalog) error {
	if len(c.Sources)+len(c.Endpoints)+len(c.Subscriptions) == 0 {
		return fmt.Errorf("%s has %w", file, ErrEmpty)
	}
	return nil
}

// applyOptions are the options of applyTo.
type applyOptions struct {
	tenant string        // "": the operator
	keep   time.Duration // see catalog.Endpoint.Succeed
	dryRun bool
	adopt  bool // see config.Merge
	yes    bool // something may be removed without a question
}

// catalogs are the catalogs of all tenants.
type catalogs interface {
	catalog.Tenants
	catalog.Sources
}

// ErrNotRemoved is returned if somebody does not agree that something is removed, or cannot be
// asked.
var ErrNotRemoved = errors.New(
	"nothing was written, because something would be removed (--yes removes it without a question)",
)

// applyTo shows what next changes in a tenant's catalog. Unless it is a dry run, it then writes
// next, all or nothing. It changes nothing that others than files manage.
func applyTo(
	ctx context.Context, all catalogs, next catalog.Catalog, o applyOptions,
	printf func(string, ...any),
) error {
	store := all.For(o.tenant)
	current, revision, err := store.LoadCatalog(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	made, err := config.FillSecrets(&next, current, o.keep, now)
	if err != nil {
		return err
	}
	if err := config.Merge(&next, current, o.adopt); err != nil {
		return err
	}
	if err := checkSources(ctx, all, o.tenant, next); err != nil {
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
	if !o.yes && config.Removes(changes) {
		if err := confirmRemoval(printf); err != nil {
			return err
		}
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
			"secret    of endpoint %s, made now and shown this once: %s", endpoint, made[endpoint],
		)
	}
	for _, e := range next.Endpoints {
		for _, old := range e.Retiring {
			printf(
				"secret    of endpoint %s, from before, signs beside those of now until %s", e.Name,
				old.Until.Format(time.RFC3339),
			)
		}
	}
	showPublicKeys(next, printf)
	return nil
}

// checkSources checks the sources outside of the catalog that its subscriptions name.
func checkSources(
	ctx context.Context, all catalogs, tenant string, c catalog.Catalog,
) error {
	known := map[string]bool{}
	for _, s := range c.Sources {
		known[s.Name] = true
	}
	for _, s := range c.Subscriptions {
		if known[s.Source] {
			continue
		}
		known[s.Source] = true
		err := catalog.CheckSource(tenant, s.Source, func(name string) (catalog.Source, error) {
			owner, _ := catalog.SplitName(name)
			state, err := all.State(ctx, owner)
			if err != nil {
				return catalog.Source{}, err
			}
			return all.Source(ctx, state.Generation, name)
		})
		if errors.Is(err, catalog.ErrNotFound) {
			return fmt.Errorf(
				"subscription %s: there is no source %s in the file, nor elsewhere one that it may name: %w",
				s.Name, s.Source, err,
			)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// confirmRemoval asks on the terminal whether something may be removed.
func confirmRemoval(printf func(string, ...any)) error {
	if info, err := os.Stdin.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return ErrNotRemoved
	}
	printf("catalog   remove what has a - above? [y/N]")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return ErrNotRemoved
	}
	return nil
}

// showPublicKeys prints the public keys of endpoints that sign with private keys. Receivers verify
// signatures with them. Public keys are no secrets.
func showPublicKeys(c catalog.Catalog, printf func(string, ...any)) {
	for _, e := range c.Endpoints {
		for _, secret := range e.Secrets {
			if public := sign.PublicKey(secret); public != "" {
				printf(
					"key       of endpoint %s, for its receiver to verify v1a with: %s", e.Name,
					public,
				)
			}
		}
	}
}
