package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
)

// The dashboard is a grid of 24 columns: the alarms over its whole width, then three graphs a row.
const (
	alarmsHeight = 4
	graphWidth   = 8
	graphHeight  = 6
)

// graph is one diagram: a statistic, over each five minutes, of some metrics.
type graph struct {
	title, statistic string
	lines            []line
}

// line is a metric in the dashboard's notation: namespace, name, dimensions, options.
type line []any

func labelled(label, namespace, metric string, dimensions ...string) line {
	l := line{namespace, metric}
	for _, d := range dimensions {
		l = append(l, d)
	}
	return append(l, map[string]string{"label": label})
}

// addDashboard shows the relay by the metrics that AWS keeps of it anyway, in the order that a webhook takes. An account's first
// three dashboards are free.
func (r *relay) addDashboard() {
	alarms := make([]*string, len(r.alarms))
	for i, alarm := range r.alarms {
		alarms[i] = alarm.AttrArn()
	}
	widgets := []map[string]any{{
		"type": "alarm", "x": 0, "y": 0, "width": 3 * graphWidth, "height": alarmsHeight,
		"properties": map[string]any{"title": "Alarms", "alarms": alarms},
	}}
	for i, g := range r.graphs() {
		widgets = append(widgets, map[string]any{
			"type": "metric", "x": i % 3 * graphWidth, "y": alarmsHeight + i/3*graphHeight, "width": graphWidth, "height": graphHeight,
			"properties": map[string]any{
				"title": g.title, "stat": g.statistic, "metrics": g.lines, "period": 300, "region": r.stack.Region(),
				"yAxis": map[string]any{"left": map[string]any{"min": 0}},
			},
		})
	}
	awscloudwatch.NewCfnDashboard(r.stack, new("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardBody: r.stack.ToJsonString(map[string]any{"widgets": widgets}, nil),
	})
}

func (r *relay) graphs() []graph {
	return []graph{
		{"Webhooks, and those refused", "Sum", []line{r.ofAPI("all", "Count"), r.ofAPI("4xx", "4xx"), r.ofAPI("5xx", "5xx")}},
		{"Answer to the partner, ms, 99th percentile", "p99", []line{
			r.ofAPI("whole", "Latency"), r.ofAPI("of it receive", "IntegrationLatency"),
		}},
		{"Messages put on the queues", "Sum", r.ofQueues("NumberOfMessagesSent")},
		{"Messages queued", "Maximum", r.ofQueues("ApproximateNumberOfMessagesVisible")},
		{"Age of the oldest message, s", "Maximum", r.ofQueues("ApproximateAgeOfOldestMessage")},
		{"Dead letters", "Maximum", []line{
			ofQueue("ingest", "ApproximateNumberOfMessagesVisible", r.ingestDLQ),
			ofQueue("delivery", "ApproximateNumberOfMessagesVisible", r.deliveryDLQ),
			ofQueue("dead", "ApproximateNumberOfMessagesVisible", r.dead),
		}},
		{"Errors of functions", "Sum", r.ofFunctions("Errors")},
		{"Throttles of functions", "Sum", r.ofFunctions("Throttles")},
		{"Duration of functions, ms, 99th percentile", "p99", r.ofFunctions("Duration")},
		{"Functions at once", "Maximum", r.ofFunctions("ConcurrentExecutions")},
		{"Throttles of tables", "Sum", []line{
			ofTable("catalog, reads", "ReadThrottleEvents", r.catalog), ofTable("catalog, writes", "WriteThrottleEvents", r.catalog),
			ofTable("ledger, reads", "ReadThrottleEvents", r.ledger), ofTable("ledger, writes", "WriteThrottleEvents", r.ledger),
			ofTable("events, writes", "WriteThrottleEvents", r.ledger, "GlobalSecondaryIndexName", eventsIndex),
			ofTable("open, writes", "WriteThrottleEvents", r.ledger, "GlobalSecondaryIndexName", openIndex),
		}},
		{"Waits over 15 min", "Sum", []line{
			r.ofSchedules("sent", "InvocationAttemptCount"), r.ofSchedules("dropped", "InvocationDroppedCount"),
		}},
	}
}

func (r *relay) ofAPI(label, metric string) line {
	return labelled(label, "AWS/ApiGateway", metric, "ApiId", *r.api.ApiId())
}

func (r *relay) ofSchedules(label, metric string) line {
	return labelled(label, "AWS/Scheduler", metric, "ScheduleGroup", *r.schedules.Ref())
}

func (r *relay) ofQueues(metric string) []line {
	return []line{ofQueue("ingest", metric, r.ingest), ofQueue("delivery", metric, r.delivery), ofQueue("retry", metric, r.retry)}
}

func ofQueue(label, metric string, queue awssqs.Queue) line {
	return labelled(label, "AWS/SQS", metric, "QueueName", *queue.QueueName())
}

func (r *relay) ofFunctions(metric string) []line {
	of := func(name string, f awslambda.Function) line {
		return labelled(name, "AWS/Lambda", metric, "FunctionName", *f.FunctionName())
	}
	return []line{of(receiveName, r.receive), of(fanoutName, r.fanout), of(deliverName, r.deliver)}
}

func ofTable(label, metric string, table awsdynamodb.Table, index ...string) line {
	return labelled(label, "AWS/DynamoDB", metric, append([]string{"TableName", *table.TableName()}, index...)...)
}
