package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/catalog"
)

type secretCommand struct {
	relayFlags
	Source string `arg:"" help:"Name of the source."`
	Learn  *span  `help:"Accept a secret from the next handshake, for this long (such as 10m; at most 24h)." placeholder:"DURATION"`
	Forget bool   `help:"Forget the secret. Add --learn to accept a new one from the next handshake."`
	Yes    bool   `help:"Do not ask before the secret is forgotten."`
}

// Run shows or forgets the secret that the source's provider sent in its handshake, or opens a
// window in which a handshake may bring one. Showing it is needed for providers such as Notion,
// which ask for the secret again.
func (c *secretCommand) Run(ctx context.Context, inv *invocation) error {
	if c.Learn != nil && *c.Learn <= 0 {
		return usage(fmt.Sprintf(
			"--learn %s: must be above 0, at most 24h", time.Duration(*c.Learn),
		))
	}
	return c.calls(ctx, inv, func(api *connection) error {
		path := func(more ...string) string {
			return client.Path(append([]string{"v1", "sources", c.Source, "secret"}, more...)...)
		}
		if c.Forget {
			if err := inv.confirm(c.Yes, "forget the secret of "+c.Source+
				"? Its webhooks are refused until there is a new one."); err != nil {
				return err
			}
			if _, err := api.Do(ctx, client.Request{
				Method: http.MethodDelete, Path: path(),
			}); err != nil {
				return err
			}
			if c.Learn == nil {
				return inv.say(
					map[string]string{"forgotten": c.Source},
					"forgotten; to accept a new one from a handshake, run: relay secret %s --learn 10m",
					c.Source,
				)
			}
			inv.note("forgotten")
		}
		if c.Learn != nil {
			return c.learn(ctx, inv, api, path("accept"))
		}
		learned, err := call[struct {
			Secret string `json:"secret"`
		}](ctx, api, path("show"), nil)
		if err != nil {
			return err
		}
		return inv.say(learned, "%s", learned.Secret)
	})
}

// learn opens the window in which a handshake may bring the secret.
func (c *secretCommand) learn(
	ctx context.Context, inv *invocation, api *connection, path string,
) error {
	open, err := call[struct {
		Until time.Time `json:"until"`
	}](ctx, api, path, map[string]string{"for": time.Duration(*c.Learn).String()})
	if err != nil {
		return err
	}
	return inv.say(
		open,
		"accepting until %s (takes effect within %s): the first handshake of source %s sets its secret",
		when(open.Until), catalog.DefaultCacheTTL, c.Source,
	)
}
