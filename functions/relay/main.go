// Command relay runs the webhook relay on this machine, and operates a relay that is local or
// deployed.
//
//	relay local        hosts the whole relay in one process
//	relay send         signs a sample webhook as its provider would, and posts or prints it
//	relay apply        checks a configuration, shows what would change, and writes it
//	relay export       prints what is configured as a file
//	relay deliveries   shows what happened to webhooks
//	relay replay       sends deliveries again
//	relay endpoints    shows the state of each endpoint, enables and disables endpoints
//	relay secret       shows or forgets the secret that a provider sent in its handshake
//	relay rotate       gives an endpoint a new secret, and keeps the old one valid for a while
//	relay token        makes, lists and revokes the tokens of the API
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
	Send       sendCommand       `cmd:"" help:"Sign a sample webhook as its provider does, and post or print it."`
	Apply      applyCommand      `cmd:"" help:"Check a configuration, show what it changes, and write it. Either all of it is written or nothing."`
	Export     exportCommand     `cmd:"" help:"Print what is configured as a configuration file, without secrets."`
	Deliveries deliveriesCommand `cmd:"" help:"Show what happened to a webhook, or list the dead or waiting deliveries of an endpoint."`
	Replay     replayCommand     `cmd:"" help:"Send one delivery again, or all dead deliveries of an endpoint, or an event to endpoints that subscribed later."`
	Endpoints  endpointsCommand  `cmd:"" help:"Show the state of each endpoint, enable or disable an endpoint."`
	Secret     secretCommand     `cmd:"" help:"Show or forget the secret that a provider sends in its handshake, or accept one from the next handshake."`
	Rotate     rotateCommand     `cmd:"" help:"Give an endpoint a new secret. The old one signs too for a while."`
	Token      tokenCommand      `cmd:"" help:"Make, list or revoke the tokens of the API."`
}

// ErrInterrupted is returned when a command was stopped before it was done.
var ErrInterrupted = errors.New("interrupted")

// exitInterrupted is the exit status that shells use for a command ended by Ctrl-C.
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

// ends returns the signals that stop a command. The command first finishes what it cannot leave
// half done: the local host, for example, drains. A closed terminal sends SIGHUP. If SIGHUP is
// ignored, as under nohup, it stays ignored. A second signal changes nothing, because draining has
// its own time limits.
func ends() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// version returns the module's version, the source revision if the build knows it, and the Go
// version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" &&
			!strings.Contains(text, s.Value[:min(len(s.Value), shortRevision)]) {
			text += " " + s.Value
		}
	}
	return text + " " + info.GoVersion
}

// shortRevision is the number of characters of a revision in a module's version.
const shortRevision = 12

// Run executes the command line args. It returns when the command is done or ctx ends. If ctx ended
// first, it returns ErrInterrupted; "relay local" returns nil then.
func Run(ctx context.Context, args []string, out io.Writer) error {
	var c commands
	out = &printableWriter{to: out}
	parser, err := kong.New(&c, kong.Name("relay"), kong.Description("A serverless webhook relay."),
		// a PEM key begins with hyphens
		kong.Writers(out, out), kong.UsageOnError(), kong.WithHyphenPrefixedParameters(true),
		kong.Vars{
			"version": "relay " + version(),
		}, kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w (relay --help lists the commands and flags)", err)
	}
	err = parsed.Run()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	return err
}
