package cost

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// Values that a run on one machine cannot measure. The bill assumes them.
const (
	// WaitSQSMs and WaitDynamoMs are how long a function waits for a send and for a write. They are
	// usual times within a region on an ordinary day.
	WaitSQSMs    = 10
	WaitDynamoMs = 5
	// WaitEndpointMs is how long the slowest endpoint of a batch takes to answer. It is nearly all
	// of deliver's time.
	WaitEndpointMs = 200
	// ObjectMonths is how long an object stays in the bucket with the default retention: 61 days.
	ObjectMonths = 61. / 30
	// FullProcessorMiB is the memory size at which a function has one full processor. With less
	// memory it has the same share of a processor:
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html.
	FullProcessorMiB = 1769
)

// Line is a part of the bill.
type Line struct {
	What string
	USD  float64 // for the billed usage
}

// Bill is what a usage costs.
type Bill struct {
	Usage
	Lines []Line
}

// Of returns the bill for a usage.
func Of(u Usage) Bill {
	b := Bill{Usage: u}
	b.add("API Gateway", HTTPRequest.Of(float64(u.Events)))
	b.add("Lambda, requests", LambdaRequest.Of(u.invocations()))
	b.add("Lambda, time", LambdaTime.Of(u.GBSeconds()))
	b.add("SQS", u.sqs())
	b.add("DynamoDB, writes", DynamoWrite.Of(u.units("dynamodb:PutItem")))
	b.add("DynamoDB, reads", DynamoRead.Of(u.units("dynamodb:GetItem")))
	b.add("DynamoDB, 30 days of storage", DynamoStored.Of(float64(u.StoredBytes)))
	b.add("S3, requests", S3Put.Of(u.units("s3:PUT"))+S3Get.Of(u.units("s3:GET")))
	b.add("S3, storage", S3Stored.Of(float64(u.ObjectBytes)*ObjectMonths))
	b.add("Scheduler", Schedule.Of(u.units("scheduler:CreateSchedule")))
	b.add("CloudWatch Logs", LogsIngested.Of(u.LoggedBytes()))
	b.add("Data transfer out", TransferOut.Of(float64(u.PostedBytes)))
	return b
}

func (b *Bill) add(what string, usd float64) {
	b.Lines = append(b.Lines, Line{What: what, USD: usd})
}

// PerMillion returns what a million events cost, in USD.
func (b Bill) PerMillion() float64 {
	sum := 0.0
	for _, l := range b.Lines {
		sum += l.USD
	}
	return b.million(sum)
}

// million scales a number from the usage's events to a million events.
func (u Usage) million(n float64) float64 { return n * million / float64(u.Events) }

func (u Usage) invocations() float64 {
	sum := 0
	for _, f := range u.Functions {
		sum += f.Invocations
	}
	return float64(sum)
}

func (u Usage) units(operations ...string) float64 {
	sum := 0.0
	for _, operation := range operations {
		sum += u.Calls[operation].Units
	}
	return sum
}

var sqsOperations = []string{
	"sqs:SendMessage", "sqs:SendMessageBatch", "sqs:ReceiveMessage", "sqs:DeleteMessageBatch",
}

// sqs returns the cost of all SQS requests except empty receives.
func (u Usage) sqs() float64 {
	usd := 0.0
	for _, operation := range sqsOperations {
		usd += SQSRequest.Of(u.Calls[operation].Units) + SQSFair.Of(u.Calls[operation].Fair)
	}
	return usd
}

// LoggedBytes returns the number of bytes that the functions themselves log. Lambda and API Gateway
// add nothing: they do not log successful requests unless a setting asks for it.
func (u Usage) LoggedBytes() float64 {
	bytes := 0.0
	for _, f := range u.Functions {
		bytes += float64(f.LoggedBytes)
	}
	return bytes
}

// GBSeconds returns Lambda's billed time.
func (u Usage) GBSeconds() float64 {
	sum := 0.0
	// in a fixed order, because a sum of fractions depends on it
	for _, name := range slices.Sorted(maps.Keys(u.Functions)) {
		f := u.Functions[name]
		sum += float64(f.Invocations) * u.BilledMs(name) / 1000 * float64(f.MemoryMiB) / 1024
	}
	return sum
}

// BilledMs returns how long an invocation of a function takes. It is the measured processor time,
// divided by the function's share of a processor, plus the time that it waits. A function waits for
// all messages of a batch concurrently. Lambda rounds up to whole milliseconds. It returns 0 for a
// function that did not run.
func (u Usage) BilledMs(name string) float64 {
	f := u.Functions[name]
	if f.Invocations == 0 {
		return 0
	}
	own := f.ProcessorMs / float64(f.Invocations) * max(1, FullProcessorMiB/float64(f.MemoryMiB))
	return math.Ceil(own + u.waitMs(name))
}

func (u Usage) waitMs(name string) float64 {
	switch name {
	case "Receive":
		return WaitSQSMs
	case "Fanout":
		return WaitDynamoMs + WaitSQSMs
	case "Deliver":
		if u.FailingPercent > 0 {
			return WaitEndpointMs + WaitDynamoMs + WaitSQSMs
		}
		return WaitEndpointMs + WaitDynamoMs
	}
	return 0
}

// CallsPerEvent returns the number of AWS calls that the functions made for each event. Calls for
// the catalog and Lambda's own polling of the queues do not count.
func CallsPerEvent(u Usage) float64 {
	calls := 0
	for operation, c := range u.Calls {
		if perEvent(operation) && operation != "sqs:ReceiveMessage" &&
			operation != "sqs:DeleteMessageBatch" {
			calls += c.Calls
		}
	}
	return float64(calls) / float64(u.Events)
}

// AllCallsPerEvent returns CallsPerEvent plus the calls that are made by the hour: for the catalog,
// to KMS, and for the endpoints in trouble.
func AllCallsPerEvent(u Usage) float64 {
	calls := 0
	for operation, c := range u.Calls {
		if strings.HasSuffix(operation, OfCatalog) || strings.HasSuffix(operation, OfTrouble) {
			calls += c.Calls
		}
	}
	return CallsPerEvent(u) + float64(calls)/float64(u.Events)
}

// perEvent tells whether an operation is called for events, not by the hour.
func perEvent(operation string) bool {
	return operation != "sqs:"+EmptyReceive && !strings.HasSuffix(operation, OfCatalog) &&
		!strings.HasSuffix(operation, OfTrouble)
}

// Month is what something costs in a month, independent of the number of events.
type Month struct {
	What string
	Idle float64 // in a month without events
	// in a month in which every metric had a value; a metric without a value is not billed
	InUse float64
	Free  float64 // as Idle, less AWS's free allowance for each account
}

// Fixed returns the monthly costs of a relay without its events, at list prices.
func Fixed(queues, alarms, metrics, dashboards int) []Month {
	const (
		// that Lambda keeps for a queue:
		// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
		pollers     = 5
		pollSeconds = 20
		month       = 30 * 24 * 3600

		// https://aws.amazon.com/sqs/pricing/ and https://aws.amazon.com/cloudwatch/pricing/
		freeRequests, freeAlarms, freeDashboards = 1_000_000, 10, 3
	)
	same := func(what string, p Price, n, free int) Month {
		usd := p.Of(float64(n))
		return Month{What: what, Idle: usd, InUse: usd, Free: p.Of(float64(max(0, n-free)))}
	}
	return []Month{
		same(
			"SQS: Lambda asks each queue for messages", SQSRequest,
			queues*pollers*month/pollSeconds, freeRequests,
		),
		same("KMS: the key", KMSKey, 1, 0),
		same("CloudWatch: alarms", Alarm, alarms, freeAlarms),
		{What: "CloudWatch: the relay's metrics", InUse: Metric.Of(float64(metrics))},
		same("CloudWatch: dashboards", Dashboard, dashboards, freeDashboards),
	}
}
