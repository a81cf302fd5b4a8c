package main

import (
	"context"
	"errors"
	"io"

	"webhook-relay/shared/config"
)

type exportCommand struct {
	targetFlags
	Tenant string `help:"Print what this tenant has. Default: your own configuration, the operator's." placeholder:"ID"`
}

// Run prints the catalog as a file.
func (c *exportCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	catalog, _, err := t.catalog.For(c.Tenant).LoadCatalog(ctx)
	if err != nil {
		return err
	}
	text, err := config.Export(catalog)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
