package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// groups are the headings of the help.
var groups = []kong.Group{
	{Key: "look", Title: "See what happens:"},
	{Key: "act", Title: "Act:"},
	{Key: "configure", Title: "Configure:"},
	{Key: "access", Title: "Access:"},
	{Key: "here", Title: "On this machine:"},
	{Key: "selection", Title: "What to choose:"},
	{Key: "relay", Title: "Which relay:"},
}

// examples are command lines to begin with, by command; "": of all. The help starts with them, and
// a test parses each.
var examples = map[string][]string{
	"": {
		"relay local --demo                                    # host a relay here, with a demonstration",
		"relay apply relay.yaml                                # configure it",
		"relay tail                                            # events as they come",
		"relay listen --forward localhost:3000/hooks           # and on this machine",
		"relay events list --status dead --since 1h            # what failed",
		"relay redrive --endpoint shipping --since 6h          # send it again",
		"relay login --url https://relay.example.com           # work with a deployed relay",
	},
	"sources list": {"relay sources list"},
	"sources get":  {"relay sources get github"},
	"sources put": {
		"relay sources put github github.yaml",
		`echo '{"provider": "none"}' | relay sources put app -`,
	},
	"sources delete":     {"relay sources delete github"},
	"endpoints list":     {"relay endpoints list", "relay endpoints list --json"},
	"endpoints get":      {"relay endpoints get shipping"},
	"endpoints state":    {"relay endpoints state shipping"},
	"endpoints put":      {"relay endpoints put shipping shipping.yaml"},
	"endpoints delete":   {"relay endpoints delete shipping"},
	"endpoints disable":  {`relay endpoints disable shipping --reason "it moves house"`},
	"subscriptions list": {"relay subscriptions list"},
	"subscriptions get":  {"relay subscriptions get github-shipping"},
	"subscriptions put":  {"relay subscriptions put github-shipping subscription.yaml"},
	"subscriptions delete": {
		"relay subscriptions delete github-shipping",
	},
	"types list":   {"relay types list", "relay types list --source shop"},
	"types get":    {"relay types get shop order.created"},
	"types check":  {"relay types check old/relay.yaml relay.yaml   # in CI: exit status 1"},
	"types infer":  {"relay types infer --source stripe --since 7d"},
	"types drift":  {"relay types drift --source stripe --since 7d   # exit status 1 if events do not fit"},
	"tenants list": {"relay tenants list"},
	"tenants get":  {"relay tenants get acme"},
	"tenants put": {
		`relay tenants put acme --name "Acme Inc."`,
		"relay tenants put acme --accepted 100/s --delivered 50/s",
		"relay tenants put acme --delivered none",
	},
	"tenants delete": {"relay tenants delete acme"},
	"tenants portal": {
		"relay tenants portal acme",
		"relay tenants portal acme --can view,ping --ttl 1h --user ada@acme.example",
	},
	"tenants logout": {"relay tenants logout acme"},
	"events list": {
		"relay events list --since 1h",
		"relay events list --status dead,waiting --type 'invoice.*'",
		`relay events list --where '{"data": {"repository": {"private": [false]}}}'`,
	},
	"events get":  {"relay events get evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb"},
	"events body": {"relay events body evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb -o body.json"},
	"deliveries list": {
		"relay deliveries list --endpoint shipping --status dead",
		"relay deliveries list --reason exhausted --since 6h --json",
	},
	"deliveries get": {"relay deliveries get evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb shipping"},
	"jobs list":      {"relay jobs list"},
	"jobs get":       {"relay jobs get job_03e6ljuqs03hd8fia6m8ehbp"},
	"jobs watch":     {"relay jobs watch job_03e6ljuqs03hd8fia6m8ehbp"},
	"jobs run":       {"relay jobs run job_03e6ljuqs03hd8fia6m8ehbp"},
	"jobs cancel":    {"relay jobs cancel job_03e6ljuqs03hd8fia6m8ehbp"},
	"jobs export":    {"relay jobs export --source github --since 7d --dir export"},
	"jobs files":     {"relay jobs files job_03e6ljuqs03hd8fia6m8ehbp --dir export"},
	"tail":           {"relay tail", "relay tail --source github --status dead --json"},
	"listen": {
		"relay listen                                          # show the events of all sources",
		"relay listen --forward localhost:3000/hooks           # and send them to your server",
		"relay listen github,stripe --forward :3000 --type 'push,invoice.*'",
		"relay listen github --forward :3000 --since 1h        # older ones first",
		"relay listen --count 1 --json                         # wait for one event",
	},
	"listeners list":   {"relay listeners"},
	"listeners delete": {"relay listeners delete lis_k3f9zq2mpa7xw4ce"},
	"sent":             {"relay sent orders", "relay sent orders --json"},
	"find": {
		"relay find 72d3162e-cc78-11e3-81ab-4c9367dc0958",
		`relay find --where '{"data": {"order": ["A-1001"]}}' --since 7d`,
	},
	"try": {
		"relay try evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb",
		"relay try --source github --type push --body push.json",
		"relay try evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb --send slack.yaml   # a transform, before it is applied",
		`relay try evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb --filter '{"data": {"ref": [{"prefix": "refs/tags/"}]}}'`,
	},
	"doctor": {"relay doctor", "relay doctor --ping shipping --profile prod"},
	"open": {
		"relay open", "relay open evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb",
		"relay open endpoint shipping",
	},
	"replay": {
		"relay replay --endpoint shipping --since 6h",
		"relay replay --event evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb --endpoint shipping",
		"relay replay --event evt_gd2jhqxqnb5yxkqnbhpnyqhcazvsmlfb     # to who subscribed later",
	},
	"redrive": {
		"relay redrive --endpoint shipping --reason exhausted --since 6h",
		"relay redrive --endpoint shipping --dry-run",
	},
	"pause":  {"relay pause shipping"},
	"resume": {"relay resume shipping"},
	"ping":   {"relay ping shipping"},
	"rotate": {"relay rotate shipping --keep 2d"},
	"plan":   {"relay plan relay.yaml"},
	"apply":  {"relay apply relay.yaml", "relay apply relay.yaml --yes --profile prod"},
	"export": {"relay export > relay.yaml", "relay export --tenant acme"},
	"secret": {"relay secret pages --learn 10m", "relay secret pages"},
	"login": {
		"relay login --url https://relay.example.com",
		"relay login --stack webhook-relay-prod --profile prod",
	},
	"tokens list":   {"relay tokens list"},
	"tokens create": {"relay tokens create --role operate --name ci --expires 90d"},
	"tokens revoke": {"relay tokens revoke tok_0f3a9c1b2d4e5f607182"},
	"completion": {
		"source <(relay completion bash)",
		"relay completion fish > ~/.config/fish/completions/relay.fish",
	},
	"local": {"relay local --demo", "relay local --config relay.yaml"},
	"send": {
		"relay send github", "relay send stripe --to http://127.0.0.1:8080/in/stripe",
		"relay send s3 --source uploads   # into the local relay, as a bucket does",
	},
}

// printHelp prints examples, and then kong's help.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	at := ""
	if node := ctx.Selected(); node != nil {
		at = pathOf(node)
	}
	lines := examples[at]
	if len(lines) == 0 {
		for _, child := range leavesBelow(ctx.Selected()) {
			lines = append(lines, examples[pathOf(child)][0])
		}
	}
	if len(lines) > 0 && !options.Summary {
		_, _ = fmt.Fprintf(ctx.Stdout, "Examples:\n  %s\n\n", strings.Join(lines, "\n  "))
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// pathOf returns the path of a command: "events list".
func pathOf(n *kong.Node) string {
	path := n.Name
	for n = n.Parent; n != nil && n.Type == kong.CommandNode; n = n.Parent {
		path = n.Name + " " + path
	}
	return path
}

func leavesBelow(n *kong.Node) []*kong.Node {
	if n == nil {
		return nil
	}
	var all []*kong.Node
	for _, child := range n.Children {
		if child.Leaf() && !child.Hidden {
			all = append(all, child)
		}
	}
	return all
}
