package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"webhook-relay/shared/admin/client"
)

type openCommand struct {
	relayFlags
	What  string `arg:"" optional:"" help:"An event's or a job's id; or source, endpoint, event, job and then a name. Without it, the console's first page."`
	Name  string `arg:"" optional:"" help:"Its name or id."`
	Print bool   `help:"Print the address only, and open nothing."`
}

// consolePages are the console's pages of things.
var consolePages = map[string]string{
	"source": "sources", "endpoint": "endpoints", "event": "events", "job": "jobs",
}

// Run prints the address of the console's page of a thing, and opens it in the browser. Of a local
// relay it is a link that signs in, once.
func (c *openCommand) Run(ctx context.Context, inv *invocation) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	return c.calls(ctx, inv, func(api *connection) error {
		if api.signIn != nil {
			if path, err = api.signIn(ctx, path); err != nil {
				return err
			}
		}
		address := api.console + path
		if err := inv.say(map[string]string{"url": address}, "%s", address); err != nil {
			return err
		}
		if c.Print || !inv.Asks || inv.json || inv.Browser == nil {
			return nil
		}
		if err := inv.Browser(address); err != nil {
			return fmt.Errorf("no browser opens it: %w", err)
		}
		return nil
	})
}

// path returns the path of the page.
func (c *openCommand) path() (string, error) {
	kind, name := c.What, c.Name
	switch {
	case kind == "":
		return "/console/", nil
	case name == "" && strings.HasPrefix(kind, "evt_"):
		kind, name = "event", kind
	case name == "" && strings.HasPrefix(kind, "job_"):
		kind, name = "job", kind
	}
	page, known := consolePages[strings.TrimSuffix(kind, "s")]
	if !known {
		return "",
			usage("name an event's or a job's id, or source, endpoint, event or job and its name")
	}
	if name == "" {
		return client.Path("console", page), nil
	}
	return client.Path("console", page, name), nil
}

// openBrowser opens a page in the browser.
func openBrowser(url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	//nolint:gosec,noctx // the address is ours, and the browser outlives the command
	return exec.Command(name, args...).Start()
}
