package main

import (
	"context"
	"io"

	"webhook-relay/shared/lab/invoke"
)

type invokeCommand struct {
	Function string `arg:"" help:"Function to invoke: receive, fanout, deliver or sweep."`
	Event    string `arg:"" help:"Its event, a JSON file such as events/receive/github-push.json."`
	Bin      string `help:"Folder of the functions, as make build-local makes it." default:"bin/local" type:"path"`
}

// Run invokes the function on emulated AWS and prints what came of it. Its error is the function's, too.
func (c *invokeCommand) Run(ctx context.Context, out io.Writer) error {
	return invoke.Call{Function: c.Function, Event: c.Event, BinDir: c.Bin}.Run(ctx, out)
}
