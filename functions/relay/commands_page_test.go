package main

import (
	"cmp"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alecthomas/kong"

	"webhook-relay/shared/lab/page"
)

const commandsPage = "../../docs/commands.md"

// TestPageOfTheCommands writes the tables of docs/commands.md.
func TestPageOfTheCommands(t *testing.T) {
	rows := [][]string{{"status", "meaning"}}
	for _, e := range slices.SortedFunc(slices.Values(exits), func(a, b exit) int {
		return cmp.Compare(a.code, b.code)
	}) {
		rows = append(rows, []string{strconv.Itoa(e.code), e.meaning})
	}
	page.Hold(t, commandsPage, "exits", page.Table(rows...))
	all := leaves(model(t).Model.Node)
	groups := map[string]map[string]*kong.Flag{"relay": {}, "selection": {}}
	rows = [][]string{{"command", "what it does", "flags of its own"}}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		leaf := all[path]
		name := "relay " + path
		if parent := leaf.Parent; parent.DefaultCmd == leaf {
			name = "relay [" + path + "]"
		}
		for _, arg := range leaf.Positional {
			name += " " + arg.Summary()
		}
		var flags []string
		chooses := false
		for _, f := range leaf.Flags {
			switch {
			case f.Hidden, f.Name == "help", f.Name == "version":
			case f.Group != nil && groups[f.Group.Key] != nil:
				groups[f.Group.Key][f.Name] = f
				chooses = chooses || f.Group.Key == "selection"
			default:
				flags = append(flags, "`--"+f.Name+"`")
			}
		}
		if chooses {
			flags = append(flags, "[those that choose](#flags-that-choose)")
		}
		rows = append(rows, []string{
			"`" + name + "`", leaf.Help, strings.Join(flags, ", "),
		})
	}
	page.Hold(t, commandsPage, "commands", page.Table(rows...))
	for key, flags := range groups {
		rows := [][]string{{"flag", "meaning"}}
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			rows = append(rows, []string{"`--" + name + "`", flags[name].Help})
		}
		page.Hold(t, commandsPage, key+"-flags", page.Table(rows...))
	}
}

// TestTheWalkThroughTheCommands runs the commands of docs/commands.md.
func TestTheWalkThroughTheCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(commandsPage)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]string{}
	for _, found := range step.FindAllStringSubmatch(string(text), -1) {
		steps[found[1]] = found[2]
	}
	var posts atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	addr, _ := startLocal(t, "--data", dir)
	out, err := run(t, "tokens", "create", "--role=admin", "--name=me", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out), "shown this once: ")
	walk := func(name string) string {
		t.Helper()
		script := strings.ReplaceAll(steps[name], "http://localhost:3000", endpoint.URL)
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", //nolint:gosec // the page's commands
			`relay() { "$command" "$@"; }`+"\n"+script)
		cmd.Env = append(
			os.Environ(), "RELAY_URL=http://"+addr, "RELAY_TOKEN="+token, "command="+os.Args[0],
			asCommand+"=1", "XDG_CONFIG_HOME="+dir,
		)
		answer, err := cmd.CombinedOutput()
		if err != nil || script == "" {
			t.Fatalf("%s: %v\n%s\n%s", name, err, script, answer)
		}
		return string(answer)
	}
	if got := walk("create"); strings.Count(got, "shown only now: whsec_") != 1 ||
		strings.Count(got, " created\n") != 4 {
		t.Errorf("create:\n%s", got)
	}
	walk("send")
	eventually(t, "it is delivered by the second attempt", func() bool {
		out, err := run(t, "find", "evt_1Demo0ChargeSucceeded01", "--source=stripe", "--data", dir)
		return err == nil && strings.Contains(out, "shop  delivered")
	})
	if got := walk("find"); !strings.Contains(got, "  shop  delivered\n    attempt 1 at ") ||
		!strings.Contains(got, ": 503 in ") ||
		!strings.Contains(
			got, `large to shop  data.type is "charge.succeeded", wanted ["payout.paid"]`,
		) {
		t.Errorf("find:\n%s", got)
	}
	if got := walk("ping"); !strings.Contains(got, "shop  healthy") ||
		!strings.Contains(got, "shop  delivered, attempt 1 at ") {
		t.Errorf("ping:\n%s", got)
	}
	if got := walk("rotate"); !strings.Contains(got, "an old one also signs until 2") {
		t.Errorf("rotate:\n%s", got)
	}
	if got := walk("tenant"); !strings.Contains(got, "its path is /in/acme/billing") ||
		!strings.Contains(got, "rly_admin_") {
		t.Errorf("tenant:\n%s", got)
	}
	walk("publish")
	eventually(t, "the tenant's event is there", func() bool {
		return strings.Contains(walk("look"), "  billing  ")
	})
}
