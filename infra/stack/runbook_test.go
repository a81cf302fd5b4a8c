package stack_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func runbook(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each alarm has an entry under its name, which says what it means (as a page or a ticket), what to
// look at, and what to do.
func TestRunbookHasEveryAlarmAndNoOther(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for _, r := range []template{defaults(t), whole(t)} {
		r.each(t, "AWS::CloudWatch::Alarm", func(_ *testing.T, id string, r resource) {
			if strings.HasPrefix(id, "TriggerAge") {
				id = "TriggerAge" // one entry is for all of them
			}
			want[id], _, _ = strings.Cut(render(r.get("AlarmDescription")), ":")
		})
	}
	got := map[string]string{}
	for _, section := range regexp.MustCompile(`(?m)^##+ `).Split(runbook(t), -1) {
		alarm, entry, _ := strings.Cut(section, "\n")
		means, rest, told := strings.Cut(entry, "**Means.** ")
		if !told {
			continue // a chapter
		}
		severity, _, _ := strings.Cut(rest, ":")
		got[alarm] = severity
		look, do := strings.Index(rest, "**Look.**"), strings.Index(rest, "**Do.** ")
		if strings.TrimSpace(means) != "" || look < 0 || do < look {
			t.Errorf("%s: is not Means, Look, Do", alarm)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runbook (-template +runbook):\n%s", diff)
	}
}

// What the runbook's commands look up by name is found, and is one.
func TestRunbookNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	text := runbook(t)
	both(t, func(t *testing.T, tmpl template) {
		resources := func(resourceType, prefix string) (found []string) {
			for _, id := range slices.Sorted(maps.Keys(tmpl.Resources)) {
				if tmpl.Resources[id].Type == resourceType && strings.HasPrefix(id, prefix) {
					found = append(found, id)
				}
			}
			return found
		}
		lookUps := regexp.MustCompile(
			`resource (AWS::\w+::\w+) (\w+)`,
		).FindAllStringSubmatch(text, -1)
		for _, match := range regexp.MustCompile(`errors ([A-Z]\w+)`).FindAllStringSubmatch(text, -1) {
			lookUps = append(lookUps, []string{match[0], "AWS::Logs::LogGroup", match[1] + "Logs"})
		}
		for _, match := range lookUps {
			if match[2] == "IngressLogs" && len(resources(match[1], match[2])) == 0 {
				continue // there is an access log where it was asked for
			}
			if found := resources(match[1], match[2]); len(found) != 1 {
				t.Errorf("%s finds %v, want one", match[0], found)
			}
		}
		outputs := regexp.MustCompile(
			`(?:output|queue|dlq|peek|redrive) ([A-Z]\w+)`,
		).FindAllStringSubmatch(text, -1)
		for _, match := range outputs {
			if _, there := tmpl.Outputs[match[1]]; !there {
				t.Errorf("%s: no such output", match[0])
			}
		}
		if len(lookUps) < 5 || len(outputs) < 5 {
			t.Errorf("only %d resources and %d outputs looked up", len(lookUps), len(outputs))
		}
	})
}

// describe-stack-resources ends after a hundred resources, without a word: a stack with everything
// has more.
func TestCommandsSeeEveryResource(t *testing.T) {
	t.Parallel()
	if n := len(whole(t).Resources); n <= 100 {
		t.Errorf("%d resources: any command would do", n)
	}
	for _, file := range []string{
		"../../README.md", "../../CONTRIBUTING.md", "../../events/README.md",
		"../../docs/deploying.md", "../../docs/runbook.md",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "describe-stack-resources") {
			t.Errorf(
				"%s: describe-stack-resources leaves out what is over 100; list-stack-resources does not",
				file,
			)
		}
	}
}
