// Command relay runs the webhook relay on this machine and operates one, local or deployed.
//
//	relay local        hosts the whole relay in one process
//	relay send         signs a sample as its provider would, and posts it
//	relay apply        checks a configuration, shows what would change, and writes it
//	relay deliveries   tells what became of webhooks
//	relay replay       sends deliveries again
//	relay endpoints    tells where endpoints stand, enables and disables them
//	relay secret       shows, or forgets, what a source's provider handed over in its handshake
//	relay rotate       gives an endpoint a new secret, beside the old one for a while
//	relay invoke       runs one built function on emulated AWS
//	relay soak         loads a relay, kills it at random, and checks that nothing is lost
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Local      localCommand      `cmd:"" help:"Host the whole relay on this machine."`
	Send       sendCommand       `cmd:"" help:"Sign a sample webhook as its provider would, and post it."`
	Apply      applyCommand      `cmd:"" help:"Check a configuration, show what would change, and write it whole or not at all."`
	Deliveries deliveriesCommand `cmd:"" help:"Tell what became of a webhook, or list an endpoint's dead or waiting deliveries."`
	Replay     replayCommand     `cmd:"" help:"Send a delivery again, or all dead ones of an endpoint, or an event to who subscribed later."`
	Endpoints  endpointsCommand  `cmd:"" help:"Tell where endpoints stand, enable and disable them."`
	Secret     secretCommand     `cmd:"" help:"Show, or forget, the secret that a source's provider handed over in its handshake."`
	Rotate     rotateCommand     `cmd:"" help:"Give an endpoint a new secret, and let the old one sign beside it for a while."`
	Invoke     invokeCommand     `cmd:"" help:"Run one built function on emulated AWS."`
	Soak       soakCommand       `cmd:"" help:"Load a relay of its own, kill it at random, and check that nothing is lost."`
}

// ErrInterrupted: the command was stopped before it was done.
var ErrInterrupted = errors.New("interrupted")

// exitInterrupted is the status by which shells know a command that Ctrl-C ended.
const exitInterrupted = 130

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := Run(ctx, os.Args[1:], os.Stdout)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "relay:", err)
	if errors.Is(err, ErrInterrupted) {
		os.Exit(exitInterrupted) //nolint:gocritic // nothing is deferred that matters after an error
	}
	os.Exit(1)
}

// Run carries out the command line args. It returns when the command is done or ctx ends: ErrInterrupted, except of "relay local".
func Run(ctx context.Context, args []string, out io.Writer) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("relay"), kong.Description("A serverless webhook relay."),
		kong.Writers(out, out), kong.UsageOnError(), kong.WithHyphenPrefixedParameters(true), // a key in PEM begins with them
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w (relay --help tells what there is)", err)
	}
	err = parsed.Run()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	return err
}
