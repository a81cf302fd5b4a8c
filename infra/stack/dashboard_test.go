package stack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func widgets(t *testing.T, tmpl template) []widget {
	t.Helper()
	var body struct{ Widgets []widget }
	tmpl.each(t, "AWS::CloudWatch::Dashboard", func(t *testing.T, _ string, r resource) {
		if err := json.Unmarshal([]byte(render(r.get("DashboardBody"))), &body); err != nil {
			t.Fatal(err)
		}
	})
	return body.Widgets
}

// shown is what must be on the dashboard of a resource, by its type.
var shown = map[string][]string{
	"AWS::ApiGatewayV2::Api":        {"Count", "4xx", "5xx", "Latency", "IntegrationLatency"},
	"AWS::Lambda::Function":         {"Errors", "Throttles", "Duration", "ConcurrentExecutions"},
	"AWS::SQS::Queue":               {"ApproximateNumberOfMessagesVisible"},
	"AWS::DynamoDB::Table":          {"ReadThrottleEvents", "WriteThrottleEvents"},
	"AWS::Scheduler::ScheduleGroup": {"InvocationAttemptCount", "InvocationDroppedCount"},
}

// Whatever is added to the stack is shown too, and what is shown exists.
func TestDashboardShowsEverything(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tmpl template) {
		want := map[string]bool{}
		for id, r := range tmpl.Resources {
			metrics := shown[r.Type]
			if r.Type == "AWS::SQS::Queue" && len(tmpl.sources()[id]) == 0 {
				metrics = append(slices.Clone(metrics), "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent")
			}
			for _, metric := range metrics {
				want[metric+" of "+name(id)] = true
			}
			for _, index := range items(r.get("GlobalSecondaryIndexes")) { // a full index throttles its table
				want[fmt.Sprint("WriteThrottleEvents of ", name(id), " ", get(index, "IndexName"))] = true
			}
		}
		got := map[string]bool{}
		for _, w := range widgets(t, tmpl) {
			for _, m := range w.Properties.Metrics {
				got[shownBy(t, m)] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dashboard (-want +got):\n%s", diff)
		}
	})
}

// shownBy writes a line of a graph as metric, resource and index, and fails where its label is missing.
func shownBy(t *testing.T, metric []any) string {
	t.Helper()
	if label, _ := get(metric, len(metric)-1, "label").(string); label == "" {
		t.Errorf("%v has no label but the generated name", metric)
	}
	of, _, _ := strings.Cut(strings.Trim(fmt.Sprint(metric[3]), "{}"), ".") // {Ingest.QueueName}
	for _, dimension := range metric[4 : len(metric)-1] {
		if dimension != "GlobalSecondaryIndexName" {
			of += " " + fmt.Sprint(dimension)
		}
	}
	return fmt.Sprintf("%v of %s", metric[1], of)
}

func TestDashboardIsAGrid(t *testing.T) {
	t.Parallel()
	taken := map[[2]int]string{}
	for _, w := range widgets(t, defaults(t)) {
		if w.Type == "metric" && (w.Properties.Region != "{AWS::Region}" || w.Properties.Stat == "") {
			t.Errorf("%s: region %q, statistic %q", w.Properties.Title, w.Properties.Region, w.Properties.Stat)
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
	got := widgets(t, defaults(t))[0].Properties.Alarms
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}
