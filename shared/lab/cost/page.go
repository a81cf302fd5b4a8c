package cost

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The marks in the page between which Page writes: everything else is written by hand.
const (
	begin = "<!-- %s: written by make cost -->\n"
	end   = "<!-- end of %s -->\n"
)

// ErrPage: the page lacks a mark.
var ErrPage = errors.New("cost: the page has no mark")

// Page returns page with its tables as they follow from usage and the prices.
func Page(page string, usage []Usage, idle []Line) (string, error) {
	for name, table := range map[string]string{
		"money": money(usage), "calls": calls(usage), "time": lambdaTime(usage), "idle": monthly(idle), "others": others(usage), "prices": prices(),
	} {
		open, closing := fmt.Sprintf(begin, name), fmt.Sprintf(end, name)
		before, rest, ok := strings.Cut(page, open)
		_, after, ended := strings.Cut(rest, closing)
		if !ok || !ended {
			return "", fmt.Errorf("%w %q", ErrPage, name)
		}
		page = before + open + "\n" + table + "\n" + closing + after
	}
	return page, nil
}

// table writes rows in Markdown; the first is the head. All columns but the first are numbers.
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

// head names the scenarios above a table's columns.
func head(first string, usage []Usage) []string {
	row := []string{first}
	for _, u := range usage {
		name := fmt.Sprintf("%d endpoint, %d %%", u.FanOut, u.FailingPercent)
		if u.FanOut > 1 {
			name = fmt.Sprintf("%d endpoints, %d %%", u.FanOut, u.FailingPercent)
		}
		if u.Quiet > 0 {
			name = fmt.Sprintf("%d quiet endpoints", u.Quiet)
		}
		if !u.Burst {
			name += ", one by one"
		}
		row = append(row, name)
	}
	return row
}

// rowOf writes a number of each scenario.
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
		rows = append(rows, rowOf(l.What, "%.2f", usage, func(u Usage) float64 { return u.million(Of(u).Lines[i].USD) }))
	}
	return table(append(rows,
		rowOf("**together**", "**%.2f**", usage, func(u Usage) float64 { return Of(u).PerMillion() }),
		rowOf("for a million deliveries", "%.2f", usage, func(u Usage) float64 { return Of(u).PerMillion() / float64(u.FanOut) })))
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
		rowOf("… with those of the catalog and of endpoints in trouble", "%.2f", usage, AllCallsPerEvent),
		rowOf("DynamoDB write units for an event", "%.2f", usage, func(u Usage) float64 { return u.units("dynamodb:PutItem") / float64(u.Events) }),
		rowOf("POSTs to endpoints for an event", "%.2f", usage, func(u Usage) float64 { return float64(u.Attempts) / float64(u.Events) })))
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
				return u.Functions[name].ProcessorMs / float64(max(1, u.Functions[name].Invocations))
			}),
			rowOf("… billed, estimated, ms each", "%.0f", usage, func(u Usage) float64 { return u.BilledMs(name) }))
	}
	return table(append(rows,
		rowOf("GB-seconds", "%.0f", usage, func(u Usage) float64 { return u.million(u.GBSeconds()) }),
		rowOf("GB of logs", "%.2f", usage, func(u Usage) float64 { return u.million(u.LoggedBytes()) / giga })))
}

func monthly(lines []Line) string {
	rows, sum := [][]string{{"USD a month, whatever happens", ""}}, 0.0
	for _, l := range lines {
		rows = append(rows, []string{l.What, fmt.Sprintf("%.2f", l.USD)})
		sum += l.USD
	}
	return table(append(rows, []string{"**together**", fmt.Sprintf("**%.2f**", sum)}))
}

// others compares with what is built on EventBridge's API destinations and on SNS. Both need the same front: a gateway and a function that
// verifies; neither takes a signed webhook by itself.
func others(usage []Usage) string {
	front := func(u Usage) float64 {
		f := u.Functions["Receive"]
		time := float64(f.Invocations) * u.BilledMs("Receive") / 1000 * float64(f.MemoryMiB) / 1024
		return HTTPRequest.Of(float64(u.Events)) + LambdaRequest.Of(float64(f.Invocations)) + LambdaTime.Of(time) +
			LogsIngested.Of(float64(f.LoggedBytes+f.Invocations*PlatformLogBytes+u.Events*AccessLogBytes)) +
			Trace.Of(TracedShare*float64(f.Invocations)) + TransferOut.Of(float64(u.PostedBytes))
	}
	return table([][]string{
		head("USD for a million events", usage),
		rowOf("this relay", "%.2f", usage, func(u Usage) float64 { return Of(u).PerMillion() }),
		rowOf("verifying function, EventBridge bus, API destinations", "%.2f", usage, func(u Usage) float64 {
			return u.million(front(u) + BusEvent.Of(float64(u.Events)) + APIDestination.Of(float64(u.Attempts)))
		}),
		rowOf("verifying function, SNS topic, HTTP subscriptions", "%.2f", usage, func(u Usage) float64 {
			return u.million(front(u) + SNSPublish.Of(float64(u.Events)) + SNSDelivery.Of(float64(u.Attempts)))
		}),
	})
}

func prices() string {
	var b strings.Builder
	b.WriteString("| us-east-1, " + PricesAsOf + " | USD | for a |\n|---|--:|---|\n")
	for _, p := range Prices() {
		fmt.Fprintf(&b, "| [%s](%s) | %s | %s |\n", p.What, p.Source, strings.TrimRight(fmt.Sprintf("%.10f", p.USD), "0"), p.Unit)
	}
	return b.String()
}
