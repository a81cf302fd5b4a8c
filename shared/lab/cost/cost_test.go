package cost_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry/metric"
)

// recorded returns the usage that make cost counted.
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

// fixed counts in the template what costs by the month.
func fixed(t *testing.T) []cost.Month {
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
		// an alarm on an expression is billed for each metric in it
		if more := len(r.Properties.Metrics) - 2; more > 0 {
			count[r.Type] += more
		}
	}
	return cost.Fixed(count["AWS::Lambda::EventSourceMapping"], count["AWS::CloudWatch::Alarm"],
		len(metric.Names)+len(metric.Reasons),
		count["AWS::CloudWatch::Dashboard"])
}

func TestPageFollowsFromWhatWasCounted(t *testing.T) {
	t.Parallel()
	for name, table := range cost.Tables(recorded(t), fixed(t)) {
		page.Hold(t, "../../../docs/cost.md", name, table)
	}
	var actions []cost.Action
	read(t, "testdata/api.json", &actions)
	for name, table := range cost.API(actions) {
		page.Hold(t, "../../../docs/cost.md", name, table)
	}
	page.Hold(t, "../../../README.md", "cost", cost.Summary(recorded(t), fixed(t)))
}

// TestAnAction: a request reads 100 units and writes 10, in 2 calls and 4 ms of the processor; a
// job has two deliveries.
func TestAnAction(t *testing.T) {
	t.Parallel()
	used := cost.Usage{
		Functions: map[string]cost.Function{
			"Admin": {MemoryMiB: 1769, Invocations: 1, ProcessorMs: 4, LoggedBytes: 1000},
		},
		Calls: map[string]cost.Calls{
			"dynamodb:Query": {Calls: 1, Units: 100}, "dynamodb:UpdateItem": {Calls: 1, Units: 10},
		},
	}
	ms := 4.0 + 2*cost.WaitDynamoMs
	both := 100*0.125 + 10*0.625 + 0.2 + 1000*0.5/1000 + ms*1769/1024*0.0000133334*1000
	request := cost.Action{What: "a request", Times: 1, Usage: used}
	job := cost.Action{What: cost.SentAgain, Times: 2, Usage: used}
	if diff := cmp.Diff(
		[]float64{both + 1, both / 2}, []float64{request.USD() * 1e6, job.USD() * 1e6}, about,
	); diff != "" {
		t.Errorf("USD for a million (-want +got):\n%s", diff)
	}
}

func TestFixed(t *testing.T) {
	t.Parallel()
	sum := cost.Month{}
	for _, m := range cost.Fixed(1, 12, 10, 4) {
		sum.Idle, sum.InUse, sum.Free = sum.Idle+m.Idle, sum.InUse+m.InUse, sum.Free+m.Free
	}
	// 648,000 requests of SQS, one key, alarms at 0.10, dashboards at 3, metrics at 0.30.
	want := cost.Month{
		Idle: 0.2592 + 1 + 1.2 + 12, InUse: 0.2592 + 1 + 1.2 + 12 + 3, Free: 1 + 0.2 + 3,
	}
	if diff := cmp.Diff(want, sum, about); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// usdAtMost are the budgets for a million events in full batches with one endpoint, by the size of
// their bodies in KiB. 0 are GitHub's published examples.
var usdAtMost = map[int]float64{1: 5.00, 0: 6.50, 64: 12}

func TestAMillionEventsAreWithinTheirBudget(t *testing.T) {
	t.Parallel()
	left := maps.Clone(usdAtMost)
	busy, quiet := 0.0, 0.0
	for _, u := range recorded(t) {
		usd := cost.Of(u).PerMillion()
		if u.FanOut != 1 || u.FailingPercent > 0 || !u.Burst {
			continue
		}
		if u.Quiet > 0 {
			quiet = usd
			continue
		}
		if u.BodyKiB == 1 {
			busy = usd
		}
		if most, ok := left[u.BodyKiB]; ok && usd > most {
			t.Errorf("%+v: %.2f USD for a million events, at most %.2f", u.Scenario, usd, most)
		}
		delete(left, u.BodyKiB)
	}
	if len(left) > 0 {
		t.Errorf("not measured: %v", left)
	}
	if quiet == 0 || quiet > 1.2*busy {
		t.Errorf("%.2f USD with quiet endpoints, at most 1.2 x %.2f", quiet, busy)
	}
	idle := 0.0
	for _, m := range fixed(t) {
		idle += m.Idle
	}
	if idle > 5 {
		t.Errorf("%.2f USD a month for an idle relay, at most 5", idle)
	}
}

// An expensive call is the one that nobody has noticed.
func TestCallsForAnEventAreWithinTheirBudget(t *testing.T) {
	t.Parallel()
	for _, u := range recorded(t) {
		if u.FanOut == 1 && u.FailingPercent == 0 && u.Burst && u.BodyKiB == 1 {
			// 3.1 in batches of ten; the last ones of a run are smaller
			if n := cost.CallsPerEvent(u); n < 3 || n > 3.2 {
				t.Errorf("%+v: %.2f calls for an event, at most 3.2", u.Scenario, n)
			}
		}
		if n := u.Calls["sqs:SendMessage"].Calls +
			u.Calls["sqs:SendMessageBatch"].Calls; n < u.Events {
			t.Errorf("%+v: %d events in %d sends", u.Scenario, u.Events, n)
		}
		if u.Attempts < u.Events*u.FanOut {
			t.Errorf(
				"%+v: %d attempts for %d deliveries", u.Scenario, u.Attempts, u.Events*u.FanOut,
			)
		}
	}
}

// billed is a usage whose bill can be computed by hand.
var billed = cost.Usage{
	Scenario: cost.Scenario{FanOut: 1}, Events: 1000, PostedBytes: 2_000_000,
	StoredBytes: 3_000_000, ObjectBytes: 6_000_000,
	Functions: map[string]cost.Function{
		// 1.73 + 10 ms: 12
		"Receive": {MemoryMiB: 1024, Invocations: 1000, ProcessorMs: 1000, LoggedBytes: 110_000},
	},
	Calls: map[string]cost.Calls{
		"sqs:SendMessage": {
			Calls: 1000, Units: 2000, Fair: 1000,
		}, "sqs:ReceiveMessage, empty": {Calls: 9000, Units: 9000},
		"dynamodb:PutItem": {Calls: 1000, Units: 4000}, "dynamodb:GetItem": {
			Calls: 1000, Units: 500,
		},
		"dynamodb:GetItem, catalog": {
			Calls: 1000, Units: 1000,
		}, "scheduler:CreateSchedule": {Calls: 10, Units: 10},
		"s3:PUT": {Calls: 100, Units: 100}, "s3:GET": {Calls: 50, Units: 50},
	},
}

func TestBill(t *testing.T) {
	t.Parallel()
	want := map[string]float64{ // USD for a million events
		"API Gateway": 1.00, "Lambda, requests": 0.20, "Lambda, time": 0.012 * 1e6 * 0.0000133334,
		"SQS":              2*0.40 + 0.10,
		"DynamoDB, writes": 4 * 0.625, "DynamoDB, reads": 0.5 * 0.125,
		"DynamoDB, 30 days of storage": 3 * 0.25, "Scheduler": 0.01,
		"S3, requests": 0.1*5 + 0.05*0.4, "S3, storage": 6 * 0.023 * 61 / 30,
		"CloudWatch Logs": 110 / 1e9 * 1e6 * 0.50, "Data transfer out": 2 * 0.09,
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
	if got := cost.CallsPerEvent(billed); got != 3.16 {
		t.Errorf("%f calls for an event, want 3.16", got)
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

// TestDeliveries: each kind of destination has its price, and messages are counted as the services
// count them.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	found := map[destination.Kind]bool{}
	byName := map[string]cost.Delivery{}
	for _, d := range cost.Deliveries() {
		found[d.Kind], byName[d.What] = true, d
	}
	for _, kind := range destination.Kinds() {
		if !found[kind] {
			t.Errorf("no price of %s", kind)
		}
	}
	const envelope = 190 // bytes, about, of what is around the data
	for name, tt := range map[string]struct {
		bytes     int
		low, high float64 // USD for a million
	}{
		"SQS, standard queue":                      {64 << 10, 0.40, 0.40},
		"SQS, FIFO queue":                          {64<<10 + 1, 1.00, 1.00},
		"EventBridge bus":                          {64 << 10, 2.00, 2.00}, // the envelope is beyond
		"Step Functions, standard, for each state": {1 << 10, 25, 25},
		"Kinesis, on demand":                       {1 << 10, 2 * 1024 * 0.08e-3, 2 * 1024 * 0.08e-3},
		"Kinesis, provisioned":                     {25 << 10, 0.028, 0.028},
		"Firehose":                                 {1 << 10, 5 * 1024 * 0.029e-3, 5 * 1024 * 0.029e-3},
		"S3":                                       {1 << 20, 5, 5},
		"CloudWatch Logs":                          {1000, (1000 + envelope) * 0.5e-3, (1000 + 2*envelope) * 0.5e-3},
	} {
		if got := byName[name].PerMillion(tt.bytes); got < tt.low-1e-9 || got > tt.high+1e-9 {
			t.Errorf("%s of %d bytes: %f, want %f to %f", name, tt.bytes, got, tt.low, tt.high)
		}
	}
}

func TestPricesAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range cost.Prices() {
		if p.What == "" || p.USD <= 0 || p.Per <= 0 || p.Unit == "" || p.Source == "" ||
			seen[p.What] {
			t.Errorf("price %+v, there before %t", p, seen[p.What])
		}
		seen[p.What] = true
	}
}

// about lets sums of fractions differ in the last digits.
var about = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })

// The prices that a job's plan shows follow the list prices: what a replay and an export call, with
// some room, because bodies differ.
func TestPricesOfJobs(t *testing.T) {
	t.Parallel()
	lambda := func(seconds, calls float64) float64 { // of 512 MB
		return cost.LambdaTime.Of(seconds/2) + cost.LambdaRequest.Of(calls)
	}
	for name, p := range map[string]struct{ shown, counted float64 }{
		// event and delivery twice; two records with their index, and how long the event is kept;
		// send, receive and delete in batches; a line of the log
		"replay": {operate.USDPerReplay, cost.DynamoRead.Of(3) + cost.DynamoWrite.Of(6) +
			cost.SQSRequest.Of(2) + cost.SQSFair.Of(1) + lambda(0.04, 0.2) +
			cost.LogsIngested.Of(600)},
		"export": {operate.USDPerExport, cost.DynamoRead.Of(1) + cost.S3Put.Of(1./200) +
			lambda(0.002, 0)},
		"read": {operate.USDPerRead, cost.DynamoRead.Of(1) + lambda(0.002, 0)},
	} {
		if ratio := p.shown / p.counted; ratio < 1 || ratio > 1.6 {
			t.Errorf("%s: a plan shows %.3g USD, counted are %.3g", name, p.shown, p.counted)
		}
	}
}

// TestAnIdleListener costs at most 0.0001 USD an hour.
func TestAnIdleListener(t *testing.T) {
	t.Parallel()
	var actions []cost.Action
	read(t, "testdata/api.json", &actions)
	i := slices.IndexFunc(actions, func(a cost.Action) bool { return a.What == cost.Renewal })
	if i < 0 {
		t.Fatal("it was not counted: make cost")
	}
	const most = 0.0001
	if usd := actions[i].IdleListenerUSD(); usd > most || usd < 0.00007 {
		t.Errorf("%f USD an hour, want at most %f", usd, most)
	}
}
