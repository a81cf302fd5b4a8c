package stack_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/telemetry/metric"
)

type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Region, Stat string
		Alarms              []string
		Metrics             [][]any
	}
}

// dashboard returns the widgets of the one dashboard.
func dashboard(t *testing.T, tmpl template) (widgets []widget) {
	t.Helper()
	found := 0
	tmpl.each(t, "AWS::CloudWatch::Dashboard", func(t *testing.T, _ string, r resource) {
		found++
		var body struct{ Widgets []widget }
		if err := json.Unmarshal([]byte(render(r.get("DashboardBody"))), &body); err != nil {
			t.Fatal(err)
		}
		widgets = body.Widgets
	})
	if found != 1 {
		t.Errorf("%d dashboards, want one", found)
	}
	return widgets
}

// metrics are those of all graphs: namespace, name, dimensions, options. Expressions have options
// alone.
func metrics(widgets []widget) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for _, w := range widgets {
			for _, m := range w.Properties.Metrics {
				if !yield(m) {
					return
				}
			}
		}
	}
}

// option is one of those at the end of a metric.
func option(metric []any, name string) any { return get(metric, len(metric)-1, name) }

// wanted is what the dashboard must show of a resource. The ages of messages to slow endpoints, the
// queues of triggers, and the errors of the sweep and of the API are left to their alarms.
func wanted(tmpl template, id string, consumers map[string]bool) []string {
	switch r := tmpl.Resources[id]; r.Type {
	case "AWS::Lambda::Function":
		switch {
		case name(id) == "Sweep", name(id) == "Admin":
			return nil
		case consumers[id] && name(id) != "Receive":
			return []string{"Errors", "Throttles", "ConcurrentExecutions"}
		}
		return []string{"Errors", "Throttles"}
	case "AWS::SQS::Queue":
		if strings.HasPrefix(id, "Trigger") {
			return nil
		}
		if len(tmpl.mappings()[id]) > 0 && name(id) != "Slow" {
			return []string{"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}
		}
		return []string{"ApproximateNumberOfMessagesVisible"}
	}
	return nil
}

// Whatever queue or function is added to the stack is shown too, and what is shown exists.
func TestDashboardShowsEveryQueueAndFunction(t *testing.T) {
	t.Parallel()
	t.Run("whole", func(t *testing.T) {
		tmpl := whole(t)
		consumers := map[string]bool{}
		for _, mappings := range tmpl.mappings() {
			for _, m := range mappings {
				consumers[target(m.get("FunctionName"))] = true
			}
		}
		want := map[string]bool{}
		for id := range tmpl.Resources {
			for _, metric := range wanted(tmpl, id, consumers) {
				want[metric+" of "+name(id)] = true
			}
		}
		got := map[string]bool{}
		for m := range metrics(dashboard(t, tmpl)) {
			if len(m) > 1 && m[0] != metric.Namespace {
				got[shownBy(t, m)] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dashboard (-want +got):\n%s", diff)
		}
	})
}

// shownBy writes a line of a graph as metric and resource, and fails where its label is missing.
func shownBy(t *testing.T, metric []any) string {
	t.Helper()
	if label, _ := option(metric, "label").(string); label == "" {
		t.Errorf("%v has no label but the generated name", metric)
	}
	of, _, _ := strings.Cut(strings.Trim(fmt.Sprint(metric[3]), "{}"), ".") // {Ingest.QueueName}
	return fmt.Sprintf("%v of %s", metric[1], of)
}

func TestDashboardIsAGrid(t *testing.T) {
	t.Parallel()
	taken := map[[2]int]string{}
	for _, w := range dashboard(t, whole(t)) {
		if w.Type == "metric" && (w.Properties.Region != "{AWS::Region}" ||
			w.Properties.Stat == "") {
			t.Errorf(
				"%s: region %q, statistic %q", w.Properties.Title, w.Properties.Region,
				w.Properties.Stat,
			)
		}
		if w.X+w.Width > 24 {
			t.Errorf("%s ends in column %d of 24", w.Properties.Title, w.X+w.Width)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if taken[[2]int{x, y}] != "" {
					t.Fatalf("%s covers %s", w.Properties.Title, taken[[2]int{x, y}])
				}
				taken[[2]int{x, y}] = w.Properties.Title
			}
		}
	}
}

func TestDashboardBeginsWithAllAlarms(t *testing.T) {
	t.Parallel()
	var want []string
	for alarm := range alarms {
		want = append(want, "{"+alarm+".Arn}")
	}
	for alarm := range triggerAlarms {
		want = append(want, "{"+alarm+".Arn}")
	}
	got := dashboard(t, whole(t))[0].Properties.Alarms
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

// Above 50 metrics a dashboard is not one of the free ones:
// https://aws.amazon.com/cloudwatch/pricing/.
func TestDashboardIsOfTheFreeKind(t *testing.T) {
	t.Parallel()
	distinct := map[string]bool{}
	for m := range metrics(dashboard(t, whole(t))) {
		if len(m) > 1 {
			distinct[render(m[:len(m)-1])] = true
		}
	}
	if n := len(distinct); n < 10 || n > 50 {
		t.Errorf("%d metrics, at most 50 are free", n)
	}
}

// What the relay writes is shown, under the name and the dimension by which it writes it.
func TestDashboardShowsTheRelaysOwnMetrics(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	var relayName any
	tmpl.each(t, "AWS::Lambda::Function", func(t *testing.T, _ string, r resource) {
		relayName = r.get("Environment", "Variables", settings.RelayName)
		if relayName != "webhook-relay-prod" {
			t.Errorf("is named %v", relayName)
		}
	})
	want, got := map[string]bool{}, map[string]bool{}
	for _, written := range metric.Names {
		if written == metric.Partial || written == metric.Unauthorized {
			continue // its alarm shows it; else the dashboard would have a metric more than is free
		}
		want[fmt.Sprint(written, " ", metric.Relay, " ", relayName)] = true
	}
	for _, reason := range metric.Reasons {
		if slices.Contains(stack.NotShown, reason) {
			continue
		}
		want[fmt.Sprint(
			metric.Refused, " ", metric.Relay, " ", relayName, " ", metric.Reason, " ", reason,
		)] = true
	}
	for m := range metrics(dashboard(t, tmpl)) {
		if m[0] == metric.Namespace {
			got[strings.Trim(fmt.Sprint(m[1:len(m)-1]), "[]")] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("own metrics (-want +got):\n%s", diff)
	}
}

// The sum that is on the dashboard is that of package metric, between what is sure to have been
// accepted and what may have been.
func TestTheSumOnTheDashboard(t *testing.T) {
	t.Parallel()
	term := regexp.MustCompile(`([-+]?)FILL\((\w+),0\)`)
	for name, tt := range map[string]struct {
		counts          map[string]int
		atLeast, atMost int
	}{
		"nothing": {nil, 0, 0},
		"all of it has ended": {
			map[string]int{
				metric.Accepted: 10, metric.Routed: 4, metric.Unrouted: 3, metric.Duplicate: 2,
				metric.Unreadable: 1,
			},
			0, 0,
		},
		"some are on their way, or lost": {
			map[string]int{metric.Accepted: 10, metric.Routed: 7}, 3, 3,
		},
		"the queue took what it did not answer": {
			map[string]int{
				metric.Accepted: 1, metric.Uncertain: 1, metric.Routed: 1, metric.Duplicate: 1,
			},
			-1, 0,
		},
		"the queue did not take it": {
			map[string]int{metric.Accepted: 1, metric.Uncertain: 1, metric.Routed: 1}, 0, 1,
		},
		"one is lost, which a lost answer hid once": {
			map[string]int{
				metric.Accepted: 2, metric.Uncertain: 1, metric.Routed: 1, metric.Duplicate: 1,
			},
			0, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]int{}
			for _, w := range dashboard(t, whole(t)) {
				values := map[string]int{}
				for _, m := range w.Properties.Metrics {
					if id, named := option(m, "id").(string); named {
						values[id] = tt.counts[fmt.Sprint(m[1])]
					}
					formula, _ := option(m, "expression").(string)
					sum, running := strings.CutPrefix(formula, "RUNNING_SUM(")
					if !running {
						continue
					}
					if rest := term.ReplaceAllString(sum, ""); rest != ")" {
						t.Errorf("%s is no sum: %q", formula, rest)
					}
					label := fmt.Sprint(option(m, "label"))
					for _, match := range term.FindAllStringSubmatch(sum, -1) {
						sign := map[string]int{"": 1, "+": 1, "-": -1}[match[1]]
						got[label] += sign * values[match[2]]
					}
				}
			}
			if diff := cmp.Diff(
				map[string]int{"at least": tt.atLeast, "at most": tt.atMost}, got,
			); diff != "" {
				t.Errorf("accepted and not ended (-want +got):\n%s", diff)
			}
		})
	}
}

// An expression with a name that its graph does not have shows nothing at all.
func TestExpressionsKnowTheirMetrics(t *testing.T) {
	t.Parallel()
	identifier := regexp.MustCompile(`\b[a-z][A-Za-z0-9_]*`)
	found := 0
	for _, w := range dashboard(t, whole(t)) {
		ids, used := map[string]bool{}, map[string]bool{}
		for _, m := range w.Properties.Metrics {
			if id, ok := option(m, "id").(string); ok {
				if ids[id] {
					t.Errorf("%s: %s is there twice", w.Properties.Title, id)
				}
				ids[id] = true
			}
			formula, _ := option(m, "expression").(string)
			if len(formula) > 1024 || strings.Count(formula, "(") != strings.Count(formula, ")") {
				t.Errorf(
					"%s: %s has %d characters, or a parenthesis that stands alone",
					w.Properties.Title, formula, len(formula),
				)
			}
			for _, id := range identifier.FindAllString(formula, -1) {
				found++
				used[id] = true
			}
		}
		if diff := cmp.Diff(ids, used); diff != "" {
			t.Errorf("%s: names (-there +used):\n%s", w.Properties.Title, diff)
		}
	}
	if found == 0 {
		t.Error("there is no expression")
	}
}
