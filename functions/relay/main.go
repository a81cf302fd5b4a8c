// Command relay runs the webhook relay on this machine, and operates a relay that is local or
// deployed, by its API.
//
// docs/commands.md lists the commands. The contract of all of them: what was asked for goes to the
// standard output, everything else to the standard error. With --json each document is a line, and
// an error is problem details. Without a terminal nothing is asked: what removes or sends needs
// --yes then. The exit statuses are in exit.go.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"webhook-relay/shared/transform/jq/program"
)

type commands struct {
	Version kong.VersionFlag `help:"Print the version."`

	Tail          tailCommand          `cmd:"" group:"look" help:"Print events as they come."`
	Listen        listenCommand        `cmd:"" group:"look" help:"Receive copies of events on this machine, and forward them to a server on it."`
	Listeners     listenersCommand     `cmd:"" group:"look" help:"List and end listeners."`
	Events        eventsCommand        `cmd:"" group:"look" help:"List events, and show what became of one."`
	Deliveries    deliveriesCommand    `cmd:"" group:"look" help:"List deliveries, and show the attempts of one."`
	Find          findCommand          `cmd:"" group:"look" help:"Find an event by the provider's id, or events by a pattern."`
	Sent          sentCommand          `cmd:"" group:"look" help:"Show what the local stand-in of a destination in AWS got."`
	Try           tryCommand           `cmd:"" group:"look" help:"Tell which subscriptions take an event, and why the others do not."`
	Jobs          jobsCommand          `cmd:"" group:"look" help:"List, watch and end jobs; export events."`
	Doctor        doctorCommand        `cmd:"" group:"look" help:"Check a relay: its address, token and clock, each endpoint, each source's last webhook, what died."`
	Open          openCommand          `cmd:"" group:"look" help:"Open the console at a thing."`
	Replay        replayCommand        `cmd:"" group:"act" help:"Send deliveries again, whether they were delivered or are dead."`
	Redrive       redriveCommand       `cmd:"" group:"act" help:"Send dead deliveries again."`
	Pause         pauseCommand         `cmd:"" group:"act" help:"Hold the deliveries to an endpoint."`
	Resume        resumeCommand        `cmd:"" group:"act" help:"Let deliveries go again to an endpoint that is paused, open or disabled."`
	Ping          pingCommand          `cmd:"" group:"act" help:"Send an event of the relay's own to an endpoint, and wait for its answer."`
	Rotate        rotateCommand        `cmd:"" group:"act" help:"Give an endpoint a new secret. The old one signs too for a while."`
	Plan          planCommand          `cmd:"" group:"configure" help:"Show what a configuration file would change."`
	Apply         applyCommand         `cmd:"" group:"configure" help:"Check a configuration file, show what it changes, and write it. Either all of it is written or nothing."`
	Export        exportCommand        `cmd:"" group:"configure" help:"Print what is configured as a configuration file, without secrets."`
	Sources       sourcesCommand       `cmd:"" group:"configure" help:"List, show, create, replace and delete sources."`
	Endpoints     endpointsCommand     `cmd:"" group:"configure" help:"List endpoints and how each is; show, create, replace, delete and disable them."`
	Subscriptions subscriptionsCommand `cmd:"" group:"configure" help:"List, show, create, replace and delete subscriptions."`
	Types         typesCommand         `cmd:"" group:"configure" help:"List and show event types; compare their schemas; propose some."`
	Secret        secretCommand        `cmd:"" group:"configure" help:"Show or forget the secret that a provider sends in its handshake, or accept one from the next handshake."`
	Login         loginCommand         `cmd:"" group:"access" help:"Keep the address and a token of a relay in a profile."`
	Tokens        tokensCommand        `cmd:"" group:"access" aliases:"token" help:"Make, list and revoke the tokens of the API."`
	Tenants       tenantsCommand       `cmd:"" group:"access" help:"List, show, create and delete tenants."`
	Local         localCommand         `cmd:"" group:"here" help:"Host the whole relay on this machine."`
	Send          sendCommand          `cmd:"" group:"here" help:"Sign a sample webhook as its provider does, and post or print it."`
	Completion    completionCommand    `cmd:"" group:"here" help:"Print a script that completes commands and flags in your shell."`
}

func main() {
	program.ServeIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), ends()...)
	defer stop()
	if code := Main(ctx, os.Args[1:], standard()); code != 0 {
		os.Exit(code) //nolint:gocritic // nothing is deferred that matters after an error
	}
}

// Main is Run, but it prints the error and returns the exit status.
func Main(ctx context.Context, args []string, s Streams) int {
	inv := newInvocation(s)
	err := inv.run(ctx, args)
	code, _ := exitOf(err)
	switch {
	case err == nil:
	case inv.json:
		_ = writeDocument(inv.err, problemOf(err))
	default:
		_, _ = fmt.Fprintln(inv.err, "relay:", textOf(err))
	}
	return code
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
func Run(ctx context.Context, args []string, s Streams) error {
	return newInvocation(s).run(ctx, args)
}

func (i *invocation) run(ctx context.Context, args []string) error {
	i.json = slices.Contains(args, "--json") // for what is wrong with the flags themselves
	shown := false                           // the help or the version
	parser, err := newParser(
		&commands{}, i, func(int) { shown = true }, kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	switch {
	case shown:
		return nil
	case err != nil:
		return usageError{fmt.Errorf("%w (relay --help lists the commands and flags)", err)}
	}
	err = parsed.Run(parser)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	return err
}

// newParser returns the parser of the command line. exit is called when it has shown the help or
// the version.
func newParser(
	c *commands, i *invocation, exit func(int), more ...kong.Option,
) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("relay"),
		kong.Description("A serverless webhook relay: run it here, or work with one."),
		kong.Help(printHelp), kong.ConfigureHelp(kong.HelpOptions{
			Compact: true, NoExpandSubcommands: true, WrapUpperBound: helpWidth,
		}),
		kong.ExplicitGroups(groups), kong.Exit(exit),
		// a PEM key begins with hyphens
		kong.Writers(i.out, i.err), kong.WithHyphenPrefixedParameters(true),
		kong.Vars{"version": "relay " + version()},
		kong.BindTo(i.out, (*io.Writer)(nil)), kong.Bind(i),
	}, more...)...)
}

// helpWidth is the widest line of the help.
const helpWidth = 100
