// Command relay runs the webhook relay on this machine and operates one, local or deployed.
//
//	relay local        hosts the whole relay in one process
//	relay send         signs a sample as its provider would, and posts or prints it
//	relay apply        checks a configuration, shows what would change, and writes it
//	relay deliveries   tells what became of webhooks
//	relay replay       sends deliveries again
//	relay endpoints    tells where endpoints stand, enables and disables them
//	relay secret       shows, or forgets, what a source's provider handed over in its handshake
//	relay rotate       gives an endpoint a new secret, beside the old one for a while
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Version kong.VersionFlag `help:"Print the version."`

	Local      localCommand      `cmd:"" help:"Host the whole relay on this machine."`
	Send       sendCommand       `cmd:"" help:"Sign a sample webhook as its provider would, and post or print it."`
	Apply      applyCommand      `cmd:"" help:"Check a configuration, show what would change, and write it whole or not at all."`
	Deliveries deliveriesCommand `cmd:"" help:"Tell what became of a webhook, or list an endpoint's dead or waiting deliveries."`
	Replay     replayCommand     `cmd:"" help:"Send a delivery again, or all dead ones of an endpoint, or an event to who subscribed later."`
	Endpoints  endpointsCommand  `cmd:"" help:"Tell where endpoints stand, enable and disable them."`
	Secret     secretCommand     `cmd:"" help:"Show or forget the secret that a source's provider hands over in its handshake, or let a handshake bring it."`
	Rotate     rotateCommand     `cmd:"" help:"Give an endpoint a new secret, and let the old one sign beside it for a while."`
}

// ErrInterrupted: the command was stopped before it was done.
var ErrInterrupted = errors.New("interrupted")

// exitInterrupted is the status by which shells know a command that Ctrl-C ended.
const exitInterrupted = 130

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), ends()...)
	defer stop()
	err := Run(ctx, os.Args[1:], os.Stdout)
	if err == nil {
		return
	}
	_, _ = fmt.Fprintln(&printableWriter{to: os.Stderr}, "relay:", err)
	if errors.Is(err, ErrInterrupted) {
		os.Exit(exitInterrupted) //nolint:gocritic // nothing is deferred that matters after an error
	}
	os.Exit(1)
}

// ends are the signals that end a command: once it has done what it cannot leave half done, such as what the local host has in hand.
// A terminal that is closed sends SIGHUP; of who asked for that to be ignored, as nohup does, it stays so. A signal that comes
// again changes nothing: what is being drained has its own bounds.
func ends() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// version is that of the module, and of its source where the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(text, s.Value[:min(len(s.Value), shortRevision)]) {
			text += " " + s.Value
		}
	}
	return text + " " + info.GoVersion
}

// shortRevision is how much of a revision a version of the module has.
const shortRevision = 12

// Run carries out the command line args. It returns when the command is done or ctx ends: ErrInterrupted, except of "relay local".
func Run(ctx context.Context, args []string, out io.Writer) error {
	var c commands
	out = &printableWriter{to: out}
	parser, err := kong.New(&c, kong.Name("relay"), kong.Description("A serverless webhook relay."),
		kong.Writers(out, out), kong.UsageOnError(), kong.WithHyphenPrefixedParameters(true), // a key in PEM begins with them
		kong.Vars{"version": "relay " + version()}, kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)))
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
