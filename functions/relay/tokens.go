package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/access"
)

type tokensCommand struct {
	List   listTokensCommand  `cmd:"" default:"withargs" help:"List the tokens, without the tokens themselves."`
	Create createTokenCommand `cmd:"" help:"Make a token and print it once. It is stored as a hash only."`
	Revoke revokeTokenCommand `cmd:"" help:"End a token."`
}

type listTokensCommand struct{ listFlags }

// Run lists the tokens.
func (c *listTokensCommand) Run(ctx context.Context, inv *invocation) error {
	return c.credentialed(ctx, inv, func(api *connection) error {
		return list(ctx, inv, api, c.Limit, listing[admin.Token]{
			path: client.Path("v1", "tokens"),
			columns: []column{
				{title: "ID"}, {title: "NAME", least: 12}, {title: "ROLE"}, {
					title: "TENANT", spare: 1,
				},
				{title: "MADE BY", spare: 3}, {title: "VALID UNTIL", spare: 2, time: true},
				{title: "LAST USED IN THE HOUR"},
			},
			row: func(t admin.Token) []cell {
				until, used := text("for ever"), "never used"
				if t.ExpiresAt != nil {
					until = text(whenever(t.ExpiresAt))
					if !time.Now().Before(*t.ExpiresAt) {
						until = cell{text: "expired", colour: red}
					}
				}
				if t.LastUsedAt != nil {
					used = whenever(t.LastUsedAt)
				}
				return []cell{
					text(t.ID), text(t.Name), text(t.Role), text(t.Tenant),
					text(t.CreatedBy), until, text(used),
				}
			},
			none: "there are no tokens; relay tokens create makes one",
		})
	})
}

type createTokenCommand struct {
	relayFlags
	Role    string `help:"What the token may do. Each role may do what the roles before it may." enum:"read,operate,admin" required:""`
	Name    string `help:"Name of the token, for people." required:""`
	Expires span   `help:"How long the token is valid. Default: for ever. Example: 90d for ninety days."`
}

// Run makes a token.
func (c *createTokenCommand) Run(ctx context.Context, inv *invocation) error {
	if c.Expires < 0 {
		return usage(fmt.Sprintf("--expires %s: must be above zero", time.Duration(c.Expires)))
	}
	want := map[string]string{"name": c.Name, "role": c.Role}
	if c.Expires > 0 {
		want["expires"] = time.Duration(c.Expires).String()
	}
	return c.credentialed(ctx, inv, func(api *connection) error {
		made, err := call[admin.MadeToken](ctx, api, client.Path("v1", "tokens"), want)
		if err != nil {
			return err
		}
		return inv.say(
			made, "token     %s, made now and shown this once: %s",
			describeToken(made.TokenFacts), made.Text,
		)
	})
}

// describeToken says in words what a token is.
func describeToken(t admin.TokenFacts) string {
	text := fmt.Sprintf("%s, %s, role %s%s", t.ID, t.Name, t.Role, ofTenant(t.Tenant))
	if t.ExpiresAt != nil {
		text += ", valid until " + whenever(t.ExpiresAt)
	}
	return text
}

type revokeTokenCommand struct {
	relayFlags
	ID  string `arg:"" help:"The token's id: tok_…. relay tokens list shows it."`
	Yes bool   `help:"Do not ask."`
}

// Run ends a token.
func (c *revokeTokenCommand) Run(ctx context.Context, inv *invocation) error {
	return c.credentialed(ctx, inv, func(api *connection) error {
		if err := inv.confirm(c.Yes, fmt.Sprintf("revoke the token %s?", c.ID)); err != nil {
			return err
		}
		if _, err := api.Do(ctx, client.Request{
			Method: http.MethodDelete, Path: client.Path("v1", "tokens", c.ID),
		}); err != nil {
			return err
		}
		return inv.say(
			map[string]string{"revoked": c.ID},
			"token     %s is revoked; in force everywhere within %s",
			c.ID, access.CacheTTL,
		)
	})
}
