package cost_test

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/telemetry/metric"
)

const pagePath = "../../../docs/cost.md"

var update = flag.Bool("update", false, "write "+pagePath)

// recorded is what make cost counted.
func recorded(t *testing.T) []cost.Usage {
	t.Helper()
	var usage []cost.Usage
	read(t, "testdata/usage.json", &usage)
	return usage
}

func read(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
}

// idle counts in the template what costs by the month.
func idle(t *testing.T) []cost.Line {
	t.Helper()
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ Metrics []any }
		}
	}
	read(t, "../../../infra/stack/testdata/template.golden.json", &template)
	count := map[string]int{}
	for _, r := range template.Resources {
		count[r.Type]++
		if more := len(r.Properties.Metrics) - 2; more > 0 { // an alarm of an expression is billed for each metric that this reads
			count[r.Type] += more
		}
	}
	return cost.Idle(count["AWS::Lambda::EventSourceMapping"], count["AWS::CloudWatch::Alarm"], len(metric.Names)+len(metric.Reasons),
		count["AWS::CloudWatch::Dashboard"])
}

func TestPageFollowsFromWhatWasCounted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	want, err := cost.Page(string(text), recorded(t), idle(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(pagePath, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s does not follow from counts and prices; go test ./shared/lab/cost -update writes it (-want +got):\n%s", pagePath, diff)
	}
}

func TestAPageWithoutMarksIsRefused(t *testing.T) {
	t.Parallel()
	if page, err := cost.Page("# Cost\n", recorded(t), nil); !errors.Is(err, cost.ErrPage) {
		t.Errorf("%q, %v", page, err)
	}
}

// The call that costs is the one that nobody has noticed.
func TestCallsForAnEventAreWithinTheirBudget(t *testing.T) {
	t.Parallel()
	found := false
	for _, u := range recorded(t) {
		if u.FanOut == 1 && u.FailingPercent == 0 && u.Burst {
			found = true
			if n := cost.CallsPerEvent(u); n < 3 || n > 3.3 {
				t.Errorf("%.2f calls for an event, at most 3.3", n)
			}
		}
		if n := u.Calls["sqs:SendMessage"].Calls + u.Calls["sqs:SendMessageBatch"].Calls; n < u.Events {
			t.Errorf("%+v: %d events in %d sends", u.Scenario, u.Events, n)
		}
		if u.Attempts < u.Events*u.FanOut {
			t.Errorf("%+v: %d attempts for %d deliveries", u.Scenario, u.Attempts, u.Events*u.FanOut)
		}
	}
	if !found {
		t.Error("the scenario that the budget is for was not measured")
	}
}

// billed is a usage whose bill can be reckoned by hand.
var billed = cost.Usage{
	Scenario: cost.Scenario{FanOut: 1}, Events: 1000, PostedBytes: 2_000_000, StoredBytes: 3_000_000,
	Functions: map[string]cost.Function{
		"Receive": {MemoryMiB: 1024, Invocations: 1000, ProcessorMs: 1000, LoggedBytes: 110_000}, // 1.73 + 10 ms: 12
	},
	Calls: map[string]cost.Calls{
		"sqs:SendMessage": {Calls: 1000, Units: 2000, Fair: 1000}, "sqs:ReceiveMessage, empty": {Calls: 9000, Units: 9000},
		"dynamodb:PutItem": {Calls: 1000, Units: 4000}, "dynamodb:GetItem": {Calls: 1000, Units: 500},
		"dynamodb:GetItem, catalog": {Calls: 1000, Units: 1000}, "scheduler:CreateSchedule": {Calls: 10, Units: 10},
	},
}

func TestBill(t *testing.T) {
	t.Parallel()
	want := map[string]float64{ // USD for a million events
		"API Gateway": 1.00, "Lambda, requests": 0.20, "Lambda, time": 0.012 * 1e6 * 0.0000133334, "SQS": 2*0.40 + 0.10,
		"DynamoDB, writes": 4 * 0.625, "DynamoDB, reads": 0.5 * 0.125, "DynamoDB, 30 days of storage": 3 * 0.45, "Scheduler": 0.01,
		"CloudWatch Logs": (110 + 560 + 330) / 1e9 * 1e6 * 0.50, "X-Ray": 0.05 * 5, "Data transfer out": 2 * 0.09,
	}
	got, sum := map[string]float64{}, 0.0
	bill := cost.Of(billed)
	for _, l := range bill.Lines {
		got[l.What] = l.USD * 1000
		sum += want[l.What]
	}
	if diff := cmp.Diff(want, got, about); diff != "" {
		t.Errorf("bill (-want +got):\n%s", diff)
	}
	if got := bill.PerMillion(); math.Abs(got-sum) > 1e-9 {
		t.Errorf("a million events cost %f, want %f", got, sum)
	}
	if got := cost.CallsPerEvent(billed); got != 3.01 {
		t.Errorf("%f calls for an event, want 3.01", got)
	}
}

func TestBilledTime(t *testing.T) {
	t.Parallel()
	f := map[string]cost.Function{
		"Receive": {MemoryMiB: 1769, Invocations: 10, ProcessorMs: 10},
		"Fanout":  {MemoryMiB: 3538, Invocations: 10, ProcessorMs: 10},
		"Deliver": {MemoryMiB: 885, Invocations: 10, ProcessorMs: 10},
		"Other":   {MemoryMiB: 128},
	}
	for name, tt := range map[string]struct {
		failing  int
		function string
		want     float64
	}{
		"one processor, one send":              {0, "Receive", 11},
		"no more than one processor is of use": {0, "Fanout", 16},
		"half a processor takes twice as long": {0, "Deliver", 207},
		"a failed attempt sends the next":      {1, "Deliver", 217},
		"a function that did not run":          {0, "Other", 0},
		"a function that the template has not": {0, "Another", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := cost.Usage{Scenario: cost.Scenario{FailingPercent: tt.failing}, Functions: f}
			if got := u.BilledMs(tt.function); got != tt.want {
				t.Errorf("billed %v ms, want %v", got, tt.want)
			}
		})
	}
}

func TestPricesAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range cost.Prices() {
		if p.What == "" || p.USD <= 0 || p.Per <= 0 || p.Unit == "" || p.Source == "" || seen[p.What] {
			t.Errorf("price %+v, there before %t", p, seen[p.What])
		}
		seen[p.What] = true
	}
}

// about lets sums of fractions differ in the last digits.
var about = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
