package stack

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/telemetry/metric"
)

// A dashboard is a grid of 24 columns: one widget over its whole width, then three graphs a row.
const (
	graphWidth  = 8
	graphHeight = 6
)

// top is the widget over a dashboard's whole width.
type top struct {
	kind       string
	height     int
	properties map[string]any
}

// graph is one diagram: a statistic, over each period, of some metrics.
type graph struct {
	title, statistic string
	lines            []line
	minutes          int  // of a period; 0: five
	stacked          bool // the lines are parts of a whole
}

// line is a metric in the dashboard's notation: namespace, name, dimensions, options; or an expression, which is nothing but options.
type line []any

func labelled(label, namespace, metric string, dimensions ...string) line {
	l := line{namespace, metric}
	for _, d := range dimensions {
		l = append(l, d)
	}
	return append(l, map[string]any{"label": label})
}

// by shows a line by another statistic than its graph's.
func (l line) by(statistic string) line { return l.with("stat", statistic) }

// as hides a line and gives it a name for expressions.
func (l line) as(name string) line { return l.with("id", name).with("visible", false) }

func (l line) with(option string, value any) line {
	if options, ok := l[len(l)-1].(map[string]any); ok {
		options[option] = value
	}
	return l
}

// expression is a line that is computed. A metric without a value in a period counts as zero in FILL(name, 0), else the line has a gap.
func expression(label, formula string, args ...any) line {
	return line{map[string]any{"label": label, "expression": fmt.Sprintf(formula, args...)}}
}

// addDashboards shows the relay twice: what becomes of webhooks, by the relay's own metrics, under all alarms, and what the services
// that it is made of do. Each has at most 50 metrics: an account's first three such dashboards are free.
func (r *relay) addDashboards() {
	alarms := make([]*string, len(r.alarms))
	for i, alarm := range r.alarms {
		alarms[i] = alarm.AttrArn()
	}
	r.addDashboard("Dashboard", top{"alarm", 4, map[string]any{"title": "Alarms", "alarms": alarms}}, r.webhookGraphs())
	r.addDashboard("Services", top{"text", 2, map[string]any{
		"markdown": "What the services do that the relay is made of, in the order that a webhook takes.",
	}}, r.serviceGraphs())
}

func (r *relay) addDashboard(id string, top top, graphs []graph) {
	widgets := []map[string]any{{
		"type": top.kind, "x": 0, "y": 0, "width": 3 * graphWidth, "height": top.height, "properties": top.properties,
	}}
	for i, g := range graphs {
		widgets = append(widgets, map[string]any{
			"type": "metric", "x": i % 3 * graphWidth, "y": top.height + i/3*graphHeight, "width": graphWidth, "height": graphHeight,
			"properties": map[string]any{
				"title": g.title, "stat": g.statistic, "metrics": g.lines, "period": 60 * cmp.Or(g.minutes, 5), "region": r.stack.Region(),
				"stacked": g.stacked, "yAxis": map[string]any{"left": map[string]any{"min": 0}},
			},
		})
	}
	awscloudwatch.NewCfnDashboard(r.stack, &id, &awscloudwatch.CfnDashboardProps{
		DashboardBody: r.stack.ToJsonString(map[string]any{"widgets": widgets}, nil),
	})
}

func (r *relay) webhookGraphs() []graph {
	return []graph{
		{title: "Webhooks", statistic: "Sum", lines: []line{
			r.own("accepted", metric.Accepted), r.own("refused", metric.Refused), r.own("failed", metric.Failed),
		}},
		{title: "Refused, by reason", statistic: "Sum", lines: r.ofReasons(), stacked: true},
		{title: "Fan-out", statistic: "Sum", lines: []line{
			r.own("routed", metric.Routed), r.own("unrouted", metric.Unrouted), r.own("duplicate", metric.Duplicate),
			r.own("unreadable", metric.Poisoned), r.own("deliveries sent", metric.Deliveries),
		}},
		{title: "Deliveries", statistic: "SampleCount", lines: []line{
			r.own("delivered", metric.DeliveryAgeMs), r.own("attempts", metric.EndpointMs), r.own("dead", metric.Dead).by("Sum"),
		}},
		{title: "Endpoints' time to answer, ms", statistic: "p99", lines: []line{
			r.own("99th percentile", metric.EndpointMs), r.own("median", metric.EndpointMs).by("p50"),
		}},
		{title: "Acceptance to delivery, ms", statistic: "p99", lines: []line{
			r.own("99th percentile", metric.DeliveryAgeMs), r.own("median", metric.DeliveryAgeMs).by("p50"),
		}},
		{title: "Age of the oldest message, s", statistic: "Maximum", lines: r.ofQueues("ApproximateAgeOfOldestMessage")},
		// Of those that failed without the queue's answer nobody knows how many it took: both ends of what there can be are shown.
		{title: "Accepted since the window's start and not yet routed, unrouted, duplicate or unreadable: on its way, or a dead letter",
			statistic: "Sum", lines: []line{
				r.own("accepted", metric.Accepted).as("accepted"), r.own("uncertain", metric.Uncertain).as("uncertain"),
				r.own("routed", metric.Routed).as("routed"), r.own("unrouted", metric.Unrouted).as("unrouted"),
				r.own("duplicate", metric.Duplicate).as("duplicate"), r.own("unreadable", metric.Poisoned).as("poisoned"),
				expression("at least", "RUNNING_SUM(FILL(accepted,0)-FILL(routed,0)-FILL(unrouted,0)-FILL(duplicate,0)-FILL(poisoned,0))"),
				expression("at most",
					"RUNNING_SUM(FILL(accepted,0)+FILL(uncertain,0)-FILL(routed,0)-FILL(unrouted,0)-FILL(duplicate,0)-FILL(poisoned,0))"),
			}},
		{title: "Deliveries of a swept hour that are not delivered, dead, waiting, put back or in a queue: always zero", statistic: "Sum", lines: []line{
			r.own("unaccounted", metric.Unaccounted), r.own("events looked at", metric.SweptEvents).with("yAxis", "right"),
		}, minutes: 60},
		{title: "Lost deliveries: found, and put back; the others may lie in a queue", statistic: "Sum", lines: []line{
			r.own("found", metric.Stranded), r.own("put back", metric.PutBack),
		}, minutes: 60},
		{title: "USD per million events, without logs, traces, storage and transfer (docs/cost.md)", statistic: "Sum", lines: r.ofCost(),
			minutes: 60, stacked: true},
	}
}

// ofReasons is a line for each reason that a webhook is refused for.
func (r *relay) ofReasons() []line {
	lines := make([]line, len(metric.Reasons))
	for i, reason := range metric.Reasons {
		lines[i] = labelled(reason, metric.Namespace, metric.Refused, metric.Relay, *r.stack.StackName(), metric.Reason, reason)
	}
	return lines
}

// ofCost estimates what a million events cost at the pace and with the failures of each hour. It takes SQS's messages for sent, received
// and deleted one by one, and so too much where they come in batches.
func (r *relay) ofCost() []line {
	perMillion := func(p cost.Price) float64 { return p.Of(1_000_000) }
	lines := []line{
		r.own("accepted", metric.Accepted).as("accepted"),
		r.ofAPI("requests", "Count").as("requests"),
	}
	var invocations, time []string
	for i, f := range r.functions() {
		n, ms := fmt.Sprintf("n%d", i), fmt.Sprintf("ms%d", i)
		lines = append(lines, ofFunction(f, "Invocations").as(n), ofFunction(f, "Duration").as(ms))
		invocations = append(invocations, fmt.Sprintf("FILL(%s,0)", n))
		time = append(time, fmt.Sprintf("FILL(%s,0)*%d", ms, f.memoryMiB))
	}
	var messages []string
	for i, l := range r.ofQueues("NumberOfMessagesSent") {
		lines = append(lines, l.as(fmt.Sprintf("sent%d", i)))
		messages = append(messages, fmt.Sprintf("FILL(sent%d,0)", i))
	}
	return append(lines,
		ofTable("ledger", "ConsumedWriteCapacityUnits", r.ledger).as("w0"), ofTable("ledger", "ConsumedReadCapacityUnits", r.ledger).as("r0"),
		ofTable("events", "ConsumedWriteCapacityUnits", r.ledger, "GlobalSecondaryIndexName", eventsIndex).as("w1"),
		ofTable("open", "ConsumedWriteCapacityUnits", r.ledger, "GlobalSecondaryIndexName", openIndex).as("w2"),
		ofTable("catalog", "ConsumedReadCapacityUnits", r.catalog).as("r1"),
		expression("API Gateway", "%.4f*FILL(requests,0)/accepted", perMillion(cost.HTTPRequest)),
		expression("Lambda", "(%.4f*(%s)+%.10f*(%s))/accepted", perMillion(cost.LambdaRequest), strings.Join(invocations, "+"),
			perMillion(cost.LambdaTime)/1000/1024, strings.Join(time, "+")),
		expression("SQS", "%.4f*(%s)/accepted", 3*perMillion(cost.SQSRequest), strings.Join(messages, "+")),
		expression("DynamoDB", "(%.4f*(FILL(w0,0)+FILL(w1,0)+FILL(w2,0))+%.4f*(FILL(r0,0)+FILL(r1,0)))/accepted",
			perMillion(cost.DynamoWrite), perMillion(cost.DynamoRead)),
	)
}

func (r *relay) serviceGraphs() []graph {
	return []graph{
		{title: "Webhooks, and those refused", statistic: "Sum", lines: []line{r.ofAPI("all", "Count"), r.ofAPI("4xx", "4xx"), r.ofAPI("5xx", "5xx")}},
		{title: "Answer to the partner, ms, 99th percentile", statistic: "p99", lines: []line{
			r.ofAPI("whole", "Latency"), r.ofAPI("of it receive", "IntegrationLatency"),
		}},
		{title: "Messages put on the queues", statistic: "Sum", lines: r.ofAllQueues("NumberOfMessagesSent")},
		{title: "Messages queued", statistic: "Maximum", lines: r.ofAllQueues("ApproximateNumberOfMessagesVisible")},
		{title: "Age of the oldest message to a slow endpoint, s", statistic: "Maximum", lines: []line{
			ofQueue("slow", "ApproximateAgeOfOldestMessage", r.slow),
		}},
		{title: "Dead letters", statistic: "Maximum", lines: []line{
			ofQueue("ingest", "ApproximateNumberOfMessagesVisible", r.ingestDLQ),
			ofQueue("delivery", "ApproximateNumberOfMessagesVisible", r.deliveryDLQ),
			ofQueue("ordered ingest", "ApproximateNumberOfMessagesVisible", r.ordered.ingestDLQ),
			ofQueue("ordered delivery", "ApproximateNumberOfMessagesVisible", r.ordered.deliveryDLQ),
			ofQueue("dead", "ApproximateNumberOfMessagesVisible", r.dead),
		}},
		{title: "Errors of functions", statistic: "Sum", lines: r.ofFunctions("Errors")},
		{title: "Throttles of functions", statistic: "Sum", lines: r.ofFunctions("Throttles")},
		{title: "Duration of functions, ms, 99th percentile", statistic: "p99", lines: r.ofFunctions("Duration")},
		{title: "Functions at once", statistic: "Maximum", lines: r.ofFunctions("ConcurrentExecutions")},
		{title: "Throttles of tables", statistic: "Sum", lines: []line{
			ofTable("catalog, reads", "ReadThrottleEvents", r.catalog), ofTable("catalog, writes", "WriteThrottleEvents", r.catalog),
			ofTable("ledger, reads", "ReadThrottleEvents", r.ledger), ofTable("ledger, writes", "WriteThrottleEvents", r.ledger),
			ofTable("events, writes", "WriteThrottleEvents", r.ledger, "GlobalSecondaryIndexName", eventsIndex),
			ofTable("open, writes", "WriteThrottleEvents", r.ledger, "GlobalSecondaryIndexName", openIndex),
			ofTable("troubled, writes", "WriteThrottleEvents", r.ledger, "GlobalSecondaryIndexName", troubledIndex),
		}},
		{title: "Waits over 15 min", statistic: "Sum", lines: []line{
			r.ofSchedules("sent", "InvocationAttemptCount"), r.ofSchedules("dropped", "InvocationDroppedCount"),
		}},
	}
}

// own is one of the relay's own metrics.
func (r *relay) own(label, name string) line {
	return labelled(label, metric.Namespace, name, metric.Relay, *r.stack.StackName())
}

func (r *relay) ofAPI(label, metric string) line {
	return labelled(label, "AWS/ApiGateway", metric, "ApiId", *r.api.ApiId())
}

func (r *relay) ofSchedules(label, metric string) line {
	return labelled(label, "AWS/Scheduler", metric, "ScheduleGroup", *r.schedules.Ref())
}

// ofQueues leaves the slow queue out. The first dashboard has as many metrics as are free, and the age of messages to slow
// endpoints tells of no incident.
func (r *relay) ofQueues(metric string) []line {
	return []line{
		ofQueue("ingest", metric, r.ingest), ofQueue("delivery", metric, r.delivery), ofQueue("retry", metric, r.retry),
		ofQueue("ordered ingest", metric, r.ordered.ingest), ofQueue("ordered delivery", metric, r.ordered.delivery),
	}
}

func (r *relay) ofAllQueues(metric string) []line {
	return append(r.ofQueues(metric), ofQueue("slow", metric, r.slow))
}

func ofQueue(label, metric string, queue awssqs.Queue) line {
	return labelled(label, "AWS/SQS", metric, "QueueName", *queue.QueueName())
}

// shownFunction is a function as graphs and costs see it.
type shownFunction struct {
	awslambda.Function
	name      string
	memoryMiB int
}

func (r *relay) functions() []shownFunction {
	return []shownFunction{
		{r.receive, receiveName, receiveMemoryMiB}, {r.fanout, fanoutName, fanoutMemoryMiB}, {r.deliver, deliverName, deliverMemoryMiB},
		{r.sweep, sweepName, sweepMemoryMiB},
	}
}

func (r *relay) ofFunctions(metric string) []line {
	var lines []line
	for _, f := range r.functions() {
		lines = append(lines, ofFunction(f, metric))
	}
	return lines
}

func ofFunction(f shownFunction, metric string) line {
	return labelled(f.name, "AWS/Lambda", metric, "FunctionName", *f.FunctionName())
}

func ofTable(label, metric string, table awsdynamodb.Table, index ...string) line {
	return labelled(label, "AWS/DynamoDB", metric, append([]string{"TableName", *table.TableName()}, index...)...)
}
