package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type loginCommand struct {
	URL     string `help:"Address of the relay. Also from RELAY_URL." name:"url" placeholder:"URL" xor:"relay"`
	Stack   string `help:"Name of the relay's CloudFormation stack. Its address is found, and a token made, with your AWS credentials." placeholder:"NAME" xor:"relay"`
	Profile string `help:"Name of the profile to write." default:"default" placeholder:"NAME"`
	Tenant  string `help:"Work with the things of this tenant." placeholder:"ID"`
	Role    string `help:"What the token of --stack may do." enum:"read,operate,admin" default:"admin"`
	Name    string `help:"Name of the token of --stack. Default: your name on this machine."`
	JSON    bool   `help:"Print JSON, one document a line." name:"json"`
}

// AfterApply notes the form of the output.
func (c loginCommand) AfterApply(inv *invocation) error { //nolint:unparam // the form of kong
	inv.json = c.JSON
	return nil
}

// Run checks an address and a token, and keeps them in a profile.
func (c *loginCommand) Run(ctx context.Context, inv *invocation) error {
	p, err := c.profile(ctx, inv)
	if err != nil {
		return err
	}
	api, err := client.New(client.Config{
		URL: p.URL, Token: p.Token, Tenant: p.Tenant, HTTP: &http.Client{Timeout: apiTimeout},
	})
	if err != nil {
		return err
	}
	self, err := client.Get[admin.Self](ctx, api, client.Path("v1", "self"), nil)
	if err != nil {
		return fmt.Errorf("nothing was kept: %w", err)
	}
	file, err := p.save(inv, c.Profile)
	if err != nil {
		return err
	}
	if !inv.json {
		inv.note("kept in %s", file)
	}
	return inv.say(
		self, "profile %s: %s as %s, role %s%s", c.Profile, p.URL, cmp.Or(self.Name, self.ID),
		self.Role, ofTenant(cmp.Or(self.Tenant, p.Tenant)),
	)
}

func ofTenant(tenant string) string {
	if tenant == "" {
		return ""
	}
	return ", of the tenant " + tenant
}

func (c *loginCommand) profile(ctx context.Context, inv *invocation) (profile, error) {
	if _, err := profileFile(inv, c.Profile); err != nil {
		return profile{}, err
	}
	if c.Stack != "" {
		return c.makeToken(ctx, inv)
	}
	p := profile{URL: cmp.Or(c.URL, inv.env("RELAY_URL")), Tenant: c.Tenant}
	if p.URL == "" {
		return p, usage("give the address of the relay with --url, or its stack with --stack")
	}
	p.URL = strings.TrimSuffix(strings.TrimSuffix(p.URL, "/"), "/v1")
	var err error
	p.Token, err = readToken(inv)
	return p, err
}

// makeToken makes a token with AWS credentials.
func (c *loginCommand) makeToken(ctx context.Context, inv *invocation) (p profile, err error) {
	flags := relayFlags{Stack: c.Stack}
	err = flags.credentialed(ctx, inv, func(api *connection) error {
		made, _, err := client.Call[admin.MadeToken](ctx, api.Client, client.Request{
			Method: http.MethodPost, Path: client.Path("v1", "tokens"),
			Body: map[string]string{
				"name": cmp.Or(c.Name, inv.operator().Name), "role": c.Role,
			},
		})
		p = profile{URL: api.console, Token: made.Text, Tenant: c.Tenant}
		return err
	})
	return p, err
}

// readToken reads a token: from the terminal, without showing it, or from the standard input.
func readToken(inv *invocation) (string, error) {
	if token := inv.env("RELAY_TOKEN"); token != "" {
		return token, nil
	}
	var line string
	var err error
	if terminal, is := inv.In.(*os.File); inv.Asks && is {
		_, _ = fmt.Fprint(inv.err, "token (it is not shown): ")
		var typed []byte
		typed, err = term.ReadPassword(fd(terminal))
		_, _ = fmt.Fprintln(inv.err)
		line = string(typed)
	} else {
		line, err = bufio.NewReader(inv.In).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if line = strings.TrimSpace(line); line == "" && err == nil {
		err = usage(
			"no token: type it, send it to the standard input, or set RELAY_TOKEN; relay tokens create makes one",
		)
	}
	return line, err
}
