package cost

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// What a run on one machine cannot measure, and the bill therefore assumes.
const (
	// WaitSQSMs and WaitDynamoMs are how long a function waits for a send and for a write: what the services are seen to take within
	// a region on an ordinary day.
	WaitSQSMs    = 10
	WaitDynamoMs = 5
	// WaitEndpointMs is how long the slowest endpoint of a batch takes to answer. Deliver's time is nearly all of it.
	WaitEndpointMs = 200
	// FullProcessorMiB is the memory with which a function has one processor; with less it has that part of it:
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html.
	FullProcessorMiB = 1769
)

// Line is a part of the bill.
type Line struct {
	What string
	USD  float64 // for the usage that was billed
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
	b.add("Scheduler", Schedule.Of(u.units("scheduler:CreateSchedule")))
	b.add("CloudWatch Logs", LogsIngested.Of(u.LoggedBytes()))
	b.add("Data transfer out", TransferOut.Of(float64(u.PostedBytes)))
	return b
}

func (b *Bill) add(what string, usd float64) { b.Lines = append(b.Lines, Line{what, usd}) }

// PerMillion returns what a million events cost, in USD.
func (b Bill) PerMillion() float64 {
	sum := 0.0
	for _, l := range b.Lines {
		sum += l.USD
	}
	return b.million(sum)
}

// million scales from the usage's events to a million.
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

// sqs is what all requests cost but those that only waited.
func (u Usage) sqs() float64 {
	usd := 0.0
	for _, operation := range []string{"sqs:SendMessage", "sqs:SendMessageBatch", "sqs:ReceiveMessage", "sqs:DeleteMessageBatch"} {
		usd += SQSRequest.Of(u.Calls[operation].Units) + SQSFair.Of(u.Calls[operation].Fair)
	}
	return usd
}

// LoggedBytes are those of the functions. Lambda and API Gateway log nothing of what goes well, unless they are asked to.
func (u Usage) LoggedBytes() float64 {
	bytes := 0.0
	for _, f := range u.Functions {
		bytes += float64(f.LoggedBytes)
	}
	return bytes
}

// GBSeconds is Lambda's time as it is billed.
func (u Usage) GBSeconds() float64 {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(u.Functions)) { // in one order: a sum of fractions depends on it
		f := u.Functions[name]
		sum += float64(f.Invocations) * u.BilledMs(name) / 1000 * float64(f.MemoryMiB) / 1024
	}
	return sum
}

// BilledMs is how long an invocation of a function takes: what it was seen to need of a processor, stretched by the part of one that it has,
// and what it waits for, of which it does a batch's side by side. Lambda rounds up to whole milliseconds. 0 for a function that did not run.
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

// CallsPerEvent is how many AWS calls the functions made for each event, without those of the catalog and Lambda's own polling of the queues.
func CallsPerEvent(u Usage) float64 {
	calls := 0
	for operation, c := range u.Calls {
		if perEvent(operation) && operation != "sqs:ReceiveMessage" && operation != "sqs:DeleteMessageBatch" {
			calls += c.Calls
		}
	}
	return float64(calls) / float64(u.Events)
}

// AllCallsPerEvent is CallsPerEvent with the calls that are made by the hour: of the catalog, of KMS, of the endpoints in trouble.
func AllCallsPerEvent(u Usage) float64 {
	calls := 0
	for operation, c := range u.Calls {
		if strings.HasSuffix(operation, OfCatalog) || strings.HasSuffix(operation, OfTrouble) {
			calls += c.Calls
		}
	}
	return CallsPerEvent(u) + float64(calls)/float64(u.Events)
}

// perEvent tells whether an operation is called for events, and not by the hour.
func perEvent(operation string) bool {
	return operation != "sqs:"+EmptyReceive && !strings.HasSuffix(operation, OfCatalog) && !strings.HasSuffix(operation, OfTrouble)
}

// Month is what something costs in a month, whatever the number of events.
type Month struct {
	What  string
	Idle  float64 // in a month without events
	InUse float64 // in a month in which every metric had a value: one that had none is not billed
	Free  float64 // as Idle, less what AWS gives each account for nothing
}

// Fixed returns what a relay costs in a month besides its events, at list prices.
func Fixed(queues, alarms, metrics, dashboards int) []Month {
	const (
		pollers     = 5 // that Lambda keeps at a queue: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
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
		same("SQS: Lambda asks each queue for messages", SQSRequest, queues*pollers*month/pollSeconds, freeRequests),
		same("KMS: the key", KMSKey, 1, 0),
		same("CloudWatch: alarms", Alarm, alarms, freeAlarms),
		{What: "CloudWatch: the relay's metrics", InUse: Metric.Of(float64(metrics))},
		same("CloudWatch: dashboards", Dashboard, dashboards, freeDashboards),
	}
}
