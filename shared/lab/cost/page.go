package cost

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Tables returns the generated tables of docs/cost.md by name, computed from usage and prices.
func Tables(usage []Usage, fixed []Month) map[string]string {
	small, sizes, quiet := group(usage)
	return map[string]string{
		"bill": bill(usage, fixed), "money": money(small), "sizes": money(sizes),
		"quiet": quietly(quiet), "calls": calls(small), "units": units(usage),
		"time": lambdaTime(small), "fixed": monthly(fixed),
		"others": others(small), "others-sizes": others(sizes), "prices": prices(),
		"destinations": destinations(),
	}
}

// group returns the scenarios of each table: events of 1 KiB, bodies of every size with no failed
// attempts, and those with many quiet endpoints beside the one with a busy endpoint.
func group(usage []Usage) (small, sizes, quiet []Usage) {
	for i, u := range usage {
		switch {
		case u.Quiet > 0:
			quiet = append(quiet, u)
		case u.BodyKiB == 1:
			small = append(small, u)
		}
		if i == 0 {
			quiet = append(quiet, u)
		}
		if u.Quiet == 0 && (u.BodyKiB != 1 || i == 0) {
			sizes = append(sizes, u)
		}
	}
	return small, sizes, quiet
}

// Summary returns the README's line about costs.
func Summary(usage []Usage, fixed []Month) string {
	f := sum(fixed)
	return fmt.Sprintf("- **Cost.** An idle relay costs %.0f USD a month. In use it is up to %.0f, because "+
		"CloudWatch charges for each metric that has a value, and %.2f USD more for each million "+
		"webhooks of 1 KiB to one endpoint. See [cost](docs/cost.md).\n",
		f.Idle, f.InUse, Of(usage[0]).PerMillion())
}

// sum adds up the costs of a month.
func sum(fixed []Month) Month {
	all := Month{What: "**together**"}
	for _, m := range fixed {
		all.Idle += m.Idle
		all.InUse += m.InUse
		all.Free += m.Free
	}
	return all
}

// bill returns the table of monthly costs by the number of events.
func bill(usage []Usage, fixed []Month) string {
	rows := [][]string{{"events a month", "fixed", "for the events, in full batches", "together"}}
	for _, n := range []struct {
		name   string
		events float64
	}{
		{"0", 0}, {"10,000", 1e4}, {"100,000", 1e5}, {"1 million", 1e6}, {"10 million", 1e7},
		{"100 million", 1e8},
	} {
		month := sum(fixed).InUse
		if n.events == 0 {
			month = sum(fixed).Idle
		}
		events := Of(usage[0]).PerMillion() * n.events / 1e6
		rows = append(
			rows,
			[]string{
				n.name, fmt.Sprintf("%.2f", month), fmt.Sprintf("%.2f", events),
				fmt.Sprintf("%.2f", month+events),
			},
		)
	}
	return table(rows)
}

// table writes rows in Markdown. The first row is the head. All columns except the first are
// numbers.
func table(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|---|" + strings.Repeat("--:|", len(row)-1) + "\n")
		}
	}
	return b.String()
}

// head returns the head of a table, with a column for each scenario.
func head(first string, usage []Usage) []string {
	row := []string{first}
	for _, u := range usage {
		row = append(row, u.name())
	}
	return row
}

// name names the scenario: by the size of its bodies unless that is 1 KiB, and by its endpoints.
func (s Scenario) name() string {
	var name string
	switch {
	case s.Quiet > 0:
		name = fmt.Sprintf("%d quiet endpoints", s.Quiet)
	case s.FanOut > 1:
		name = fmt.Sprintf("%d endpoints", s.FanOut)
	case s.BodyKiB == 1:
		name = "1 endpoint"
	}
	switch {
	case s.BodyKiB == 0:
		name = strings.TrimSuffix("GitHub, "+name, ", ")
	case s.BodyKiB > 1:
		name = strings.TrimSuffix(fmt.Sprintf("%d KiB, %s", s.BodyKiB, name), ", ")
	case s.Quiet == 0:
		name += fmt.Sprintf(", %d %%", s.FailingPercent)
	}
	if !s.Burst {
		name += ", one by one"
	}
	return name
}

// rowOf returns a row with one number for each scenario.
func rowOf(what, format string, usage []Usage, value func(Usage) float64) []string {
	row := []string{what}
	for _, u := range usage {
		row = append(row, fmt.Sprintf(format, value(u)))
	}
	return row
}

func money(usage []Usage) string {
	rows := [][]string{head("USD for a million events", usage)}
	for i, l := range Of(usage[0]).Lines {
		rows = append(rows, rowOf(l.What, "%.2f", usage, func(u Usage) float64 {
			return u.million(Of(u).Lines[i].USD)
		}))
	}
	return table(append(rows,
		rowOf("**together**", "**%.2f**", usage, func(u Usage) float64 {
			return Of(u).PerMillion()
		}),
		rowOf("for a million deliveries", "%.2f", usage, func(u Usage) float64 {
			return Of(u).PerMillion() / float64(u.FanOut)
		})))
}

func calls(usage []Usage) string {
	operations := map[string]bool{}
	for _, u := range usage {
		for operation := range u.Calls {
			operations[operation] = perEvent(operation)
		}
	}
	rows := [][]string{head("thousand calls for a million events", usage)}
	for _, operation := range slices.Sorted(maps.Keys(operations)) {
		if operations[operation] {
			rows = append(rows, rowOf("`"+operation+"`", "%.0f", usage, func(u Usage) float64 {
				return u.million(float64(u.Calls[operation].Calls)) / 1000
			}))
		}
	}
	return table(append(rows,
		rowOf("the functions' calls for an event", "%.2f", usage, CallsPerEvent),
		rowOf(
			"… with those of the catalog and of endpoints in trouble", "%.2f", usage,
			AllCallsPerEvent,
		),
		rowOf("POSTs to endpoints for an event", "%.2f", usage, func(u Usage) float64 {
			return float64(u.Attempts) / float64(u.Events)
		})))
}

// quietly compares scenarios with many endpoints that get few events with one busy endpoint.
func quietly(usage []Usage) string {
	return table([][]string{
		head("for a million events", usage),
		rowOf("USD", "%.2f", usage, func(u Usage) float64 { return Of(u).PerMillion() }),
		rowOf("the functions' calls for an event", "%.2f", usage, CallsPerEvent),
		rowOf(
			"… with those of the catalog and of endpoints in trouble", "%.2f", usage,
			AllCallsPerEvent,
		),
	})
}

// units tells what is billed for an event by the unit, for each scenario in a row.
func units(usage []Usage) string {
	rows := [][]string{{
		"billed units for an event", "DynamoDB, write", "DynamoDB, bytes stored", "SQS",
		"S3, PUT", "S3, GET", "Lambda, GB-ms", "log, bytes", "bytes to endpoints",
	}}
	for _, u := range usage {
		each := func(format string, n float64) string {
			return fmt.Sprintf(format, n/float64(u.Events))
		}
		rows = append(rows, []string{
			u.name(), each("%.2f", u.units("dynamodb:PutItem")), each(
				"%.0f", float64(u.StoredBytes),
			),
			each("%.2f", u.units(sqsOperations...)), each("%.2f", u.units("s3:PUT")),
			each("%.2f", u.units("s3:GET")), each("%.1f", u.GBSeconds()*1000),
			each("%.0f", u.LoggedBytes()), each("%.0f", float64(u.PostedBytes)),
		})
	}
	return table(rows)
}

func lambdaTime(usage []Usage) string {
	rows := [][]string{head("for a million events", usage)}
	for _, name := range []string{"Receive", "Fanout", "Deliver"} {
		function := strings.ToLower(name)
		rows = append(rows,
			rowOf("thousand invocations of `"+function+"`", "%.0f", usage, func(u Usage) float64 {
				return u.million(float64(u.Functions[name].Invocations)) / 1000
			}),
			rowOf("… processor, measured, ms each", "%.2f", usage, func(u Usage) float64 {
				return u.Functions[name].ProcessorMs / float64(max(
					1, u.Functions[name].Invocations,
				))
			}),
			rowOf("… billed, estimated, ms each", "%.0f", usage, func(u Usage) float64 {
				return u.BilledMs(name)
			}))
	}
	return table(append(rows,
		rowOf("GB-seconds", "%.0f", usage, func(u Usage) float64 {
			return u.million(u.GBSeconds())
		}),
		rowOf("GB of logs", "%.2f", usage, func(u Usage) float64 {
			return u.million(u.LoggedBytes()) / giga
		})))
}

func monthly(fixed []Month) string {
	rows := [][]string{{"USD a month", "idle", "in use", "idle, less AWS's free allowances"}}
	for _, m := range append(fixed, sum(fixed)) {
		row := []string{m.What}
		for _, usd := range []float64{m.Idle, m.InUse, m.Free} {
			row = append(row, fmt.Sprintf("%.2f", usd))
		}
		rows = append(rows, row)
	}
	return table(rows)
}

// others compares the relay with solutions on EventBridge's API destinations and on SNS. Both also
// need a gateway and a function that verifies, because neither accepts a signed webhook by itself.
func others(usage []Usage) string {
	front := func(u Usage) float64 {
		f := u.Functions["Receive"]
		time := float64(f.Invocations) * u.BilledMs("Receive") / 1000 * float64(f.MemoryMiB) / 1024
		return HTTPRequest.Of(float64(u.Events)) + LambdaRequest.Of(float64(f.Invocations)) +
			LambdaTime.Of(time) +
			LogsIngested.Of(float64(f.LoggedBytes)) + TransferOut.Of(float64(u.PostedBytes))
	}
	return table([][]string{
		head("USD for a million events", usage),
		rowOf("this relay", "%.2f", usage, func(u Usage) float64 { return Of(u).PerMillion() }),
		rowOf("verifying function, EventBridge bus, API destinations", "%.2f", usage,
			func(u Usage) float64 {
				return u.million(
					front(u) + BusEvent.Of(float64(u.Events)*u.chunks()) +
						APIDestination.Of(float64(u.Attempts)),
				)
			}),
		rowOf("verifying function, SNS topic, HTTP subscriptions", "%.2f", usage,
			func(u Usage) float64 {
				return u.million(
					front(u) + SNSPublish.Of(float64(u.Events)*u.chunks()) +
						SNSDelivery.Of(float64(u.Attempts)),
				)
			}),
	})
}

// chunks returns how many times 64 KB an event has, with its headers.
func (u Usage) chunks() float64 {
	return math.Ceil(float64(u.PostedBytes) / float64(max(1, u.Attempts)) / (64 << 10))
}

func prices() string {
	var b strings.Builder
	b.WriteString("| us-east-1, " + PricesAsOf + " | USD | for a |\n|---|--:|---|\n")
	for _, p := range Prices() {
		fmt.Fprintf(
			&b, "| [%s](%s) | %s | %s |\n", p.What, p.Source,
			strings.TrimRight(fmt.Sprintf("%.10f", p.USD), "0"), p.Unit,
		)
	}
	return b.String()
}
