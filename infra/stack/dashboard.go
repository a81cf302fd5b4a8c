package stack

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"webhook-relay/shared/telemetry/metric"
)

// A dashboard is a grid of 24 columns. The alarms take the whole width; below them are three graphs
// per row.
const (
	alarmHeight = 4
	graphWidth  = 8
	graphHeight = 6
)

// graph is one diagram. It shows a statistic of some metrics, computed over each period.
type graph struct {
	title, statistic string
	lines            []line
	minutes          int  // length of a period; 0 means 5
	stacked          bool // the lines add up to a total
}

// line is a metric in the dashboard's notation: namespace, name, dimensions, options. An expression
// has options only.
type line []any

func labelled(label, namespace, metric string, dimensions ...string) line {
	l := line{namespace, metric}
	for _, d := range dimensions {
		l = append(l, d)
	}
	return append(l, map[string]any{"label": label})
}

// by shows a line with another statistic than its graph's.
func (l line) by(statistic string) line { return l.with("stat", statistic) }

// as hides a line and names it, so that expressions can use it.
func (l line) as(name string) line { return l.with("id", name).with("visible", false) }

func (l line) with(option string, value any) line {
	if options, ok := l[len(l)-1].(map[string]any); ok {
		options[option] = value
	}
	return l
}

// expression is a line that is computed from other lines. Where a metric has no value in a period,
// the line has a gap. FILL(name, 0) counts the missing value as zero.
func expression(label, formula string, args ...any) line {
	return line{map[string]any{"label": label, "expression": fmt.Sprintf(formula, args...)}}
}

// addDashboard shows all alarms, what happens to webhooks, and the state of the queues and
// functions. The dashboard has at most 50 metrics: the first three dashboards of that size are free
// in an account.
func (r *relay) addDashboard() {
	alarms := make([]*string, len(r.alarms))
	for i, alarm := range r.alarms {
		alarms[i] = alarm.AttrArn()
	}
	widgets := []map[string]any{{
		"type": "alarm", "x": 0, "y": 0, "width": 3 * graphWidth, "height": alarmHeight,
		"properties": map[string]any{"title": "Alarms", "alarms": alarms},
	}}
	for i, g := range append(r.webhookGraphs(), r.serviceGraphs()...) {
		widgets = append(widgets, map[string]any{
			"type": "metric", "x": i % 3 * graphWidth, "y": alarmHeight + i/3*graphHeight,
			"width": graphWidth, "height": graphHeight,
			"properties": map[string]any{
				"title": g.title, "stat": g.statistic, "metrics": g.lines,
				"period": 60 * cmp.Or(g.minutes, 5),
				"region": r.stack.Region(), "stacked": g.stacked, "yAxis": map[string]any{
					"left": map[string]any{"min": 0},
				},
			},
		})
	}
	id := "Dashboard"
	awscloudwatch.NewCfnDashboard(r.stack, &id, &awscloudwatch.CfnDashboardProps{
		DashboardBody: r.stack.ToJsonString(map[string]any{"widgets": widgets}, nil),
	})
}

func (r *relay) webhookGraphs() []graph {
	return []graph{
		{title: "Webhooks", statistic: "Sum", lines: []line{
			r.own("accepted", metric.Accepted), r.own("refused", metric.Refused), r.own(
				"unavailable", metric.Unavailable,
			),
		}},
		{title: "Refused, by reason", statistic: "Sum", lines: r.ofReasons(), stacked: true},
		{title: "Fan-out", statistic: "Sum", lines: []line{
			r.own("routed", metric.Routed), r.own("unrouted", metric.Unrouted), r.own(
				"duplicate", metric.Duplicate,
			),
			r.own("unreadable", metric.Unreadable), r.own("deliveries sent", metric.Deliveries),
		}},
		{title: "Deliveries", statistic: "SampleCount", lines: []line{
			r.own(
				"delivered", metric.DeliveryAgeMs,
			), r.own("attempts", metric.EndpointMs), r.own("dead", metric.Dead).by("Sum"),
		}},
		{title: "Endpoints' time to answer, ms", statistic: "p99", lines: []line{
			r.own(
				"99th percentile", metric.EndpointMs,
			), r.own("median", metric.EndpointMs).by("p50"),
		}},
		{title: "Acceptance to delivery, ms", statistic: "p99", lines: []line{
			r.own(
				"99th percentile", metric.DeliveryAgeMs,
			), r.own("median", metric.DeliveryAgeMs).by("p50"),
		}},
		// The slow queue is left out: old messages to slow endpoints do not mean an incident.
		{
			title: "Age of the oldest message, s", statistic: "Maximum",
			lines: r.ofQueues("ApproximateAgeOfOldestMessage"),
		},
		// If SQS did not answer a send, nobody knows how many of these messages it accepted. The
		// graph therefore shows the lowest and the highest possible number.
		{title: "Accepted in this time range but not yet routed, unrouted, duplicate or unreadable: still in a queue, or a dead letter",
			statistic: "Sum", lines: []line{
				r.own(
					"accepted", metric.Accepted,
				).as("accepted"), r.own("uncertain", metric.Uncertain).as("uncertain"),
				r.own(
					"routed", metric.Routed,
				).as("routed"), r.own("unrouted", metric.Unrouted).as("unrouted"),
				r.own(
					"duplicate", metric.Duplicate,
				).as("duplicate"), r.own("unreadable", metric.Unreadable).as("unreadable"),
				expression(
					"at least",
					"RUNNING_SUM(FILL(accepted,0)-FILL(routed,0)-FILL(unrouted,0)-FILL(duplicate,0)-FILL(unreadable,0))",
				),
				expression("at most",
					"RUNNING_SUM(FILL(accepted,0)+FILL(uncertain,0)-FILL(routed,0)-FILL(unrouted,0)-FILL(duplicate,0)-FILL(unreadable,0))"),
			}},
		{title: "Deliveries that a sweep could not account for: always zero", statistic: "Sum",
			lines: []line{
				r.own(
					"unaccounted", metric.Unaccounted,
				), r.own("events looked at", metric.SweptEvents).with("yAxis", "right"),
			}, minutes: 60},
		{title: "Late or missing deliveries that the sweep found, and those it sent again",
			statistic: "Sum", lines: []line{
				r.own("found", metric.LateOrMissing), r.own("sent again", metric.PutBack),
			}, minutes: 60},
	}
}

// NotShown are the reasons to refuse a webhook that are not on the dashboard, which would have more
// metrics than are free. Their senders see what is wrong by the status alone: 405 and 413.
var NotShown = []string{metric.ReasonMethod, metric.ReasonSize}

// ofReasons returns a line for each reason for which a webhook can be refused, except NotShown.
func (r *relay) ofReasons() (lines []line) {
	for _, reason := range metric.Reasons {
		if !slices.Contains(NotShown, reason) {
			lines = append(lines, labelled(
				reason, metric.Namespace, metric.Refused, metric.Relay, *r.stack.StackName(),
				metric.Reason, reason,
			))
		}
	}
	return lines
}

// serviceGraphs returns the graphs of the queues and functions. The sweep is left out: it runs once
// an hour and has its own alarms. The concurrency graph shows only the functions that consume
// queues, because only they have a maximum concurrency.
func (r *relay) serviceGraphs() []graph {
	const visible = "ApproximateNumberOfMessagesVisible"
	receive := shownFunction{Function: r.receive, name: receiveName}
	fanout, deliver := shownFunction{Function: r.fanout, name: fanoutName},
		shownFunction{Function: r.deliver, name: deliverName}
	return []graph{
		{
			title: "Messages queued", statistic: "Maximum",
			lines: append(r.ofQueues(visible), ofQueue("slow", visible, r.slow)),
		},
		{title: "Dead letters", statistic: "Maximum", lines: []line{
			ofQueue("ingest", visible, r.ingestDLQ), ofQueue("delivery", visible, r.deliveryDLQ),
			ofQueue("ordered ingest", visible, r.ordered.ingestDLQ),
			ofQueue("ordered delivery", visible, r.ordered.deliveryDLQ),
			ofQueue("dead", visible, r.dead),
		}},
		{
			title: "Functions at once", statistic: "Maximum",
			lines: ofFunctions("ConcurrentExecutions", fanout, deliver),
		},
		{
			title: "Errors of functions", statistic: "Sum",
			lines: ofFunctions("Errors", receive, fanout, deliver),
		},
		{
			title: "Throttles of functions", statistic: "Sum",
			lines: ofFunctions("Throttles", receive, fanout, deliver),
		},
	}
}

// own returns a line for one of the relay's own metrics.
func (r *relay) own(label, name string) line {
	return labelled(label, metric.Namespace, name, metric.Relay, *r.stack.StackName())
}

// ofQueues returns a line for each queue that a function consumes, except the slow queue.
func (r *relay) ofQueues(metric string) []line {
	return []line{
		ofQueue(
			"ingest", metric, r.ingest,
		), ofQueue("delivery", metric, r.delivery), ofQueue("retry", metric, r.retry),
		ofQueue("ordered ingest", metric, r.ordered.ingest), ofQueue(
			"ordered delivery", metric, r.ordered.delivery,
		),
	}
}

func ofQueue(label, metric string, queue awssqs.Queue) line {
	return labelled(label, "AWS/SQS", metric, "QueueName", *queue.QueueName())
}

// shownFunction is a function with its name in the graphs.
type shownFunction struct {
	awslambda.Function
	name string
}

func ofFunctions(metric string, functions ...shownFunction) []line {
	lines := make([]line, len(functions))
	for i, f := range functions {
		lines[i] = labelled(f.name, "AWS/Lambda", metric, "FunctionName", *f.FunctionName())
	}
	return lines
}
