package cost

import (
	"fmt"
	"math"
	"strings"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/transform"
)

// Delivery is what a service bills for a delivery to a destination, beside what the relay costs.
type Delivery struct {
	Kind  destination.Kind
	What  string
	Price Price
	// units returns how many units of Price the service counts for a message of so many bytes
	units func(bytes int) float64
	Also  string // what else the destination costs
}

// PerMillion returns what a million deliveries cost in USD, of webhooks whose body is JSON of some
// bytes.
func (d Delivery) PerMillion(bodyBytes int) float64 {
	return million * d.Price.Of(d.units(messageBytes(d.Kind, bodyBytes)))
}

// once is a request, whatever its size is.
func once(int) float64 { return 1 }

// inChunks counts each begun chunk as a request.
func inChunks(chunk int) func(int) float64 {
	return func(bytes int) float64 { return math.Ceil(float64(bytes) / float64(chunk)) }
}

// roundedTo counts bytes, in steps of so many.
func roundedTo(step int) func(int) float64 {
	return func(bytes int) float64 { return inChunks(step)(bytes) * float64(step) }
}

const (
	chunk = 64 << 10 // of SQS, SNS and EventBridge
	// logBytes is what CloudWatch Logs adds to each event:
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
	logBytes = 26
)

// monthHours is how many hours a month has.
const monthHours = 730

// Deliveries returns what deliveries to each kind of destination cost.
func Deliveries() []Delivery {
	return []Delivery{
		{
			destination.SQS, "SQS, standard queue", SQSRequest, inChunks(chunk),
			"what its consumer receives and deletes",
		},
		{
			destination.SQS, "SQS, FIFO queue", SQSFIFO, inChunks(chunk),
			"what its consumer receives and deletes",
		},
		{
			destination.SNS, "SNS, standard topic", SNSPublish, inChunks(chunk),
			"what its subscriptions get",
		},
		{destination.Events, "EventBridge bus", BusEvent, inChunks(chunk), "what its rules start"},
		{destination.Lambda, "Lambda", LambdaRequest, once, "the function's time"},
		{
			destination.States, "Step Functions, standard, for each state", Transition, once,
			"what its states call",
		},
		{
			destination.States, "Step Functions, express", ExpressRequest, once,
			"the workflow's time and memory",
		},
		{
			destination.Kinesis, "Kinesis, on demand", KinesisOnDemand, roundedTo(1 << 10),
			fmt.Sprintf("%.2f a month for the stream", KinesisStream.Of(monthHours)),
		},
		{
			destination.Kinesis, "Kinesis, provisioned", KinesisPut, inChunks(25 << 10),
			fmt.Sprintf("%.2f a month for each shard", KinesisShard.Of(monthHours)),
		},
		{
			destination.Firehose, "Firehose", FirehoseIngested, roundedTo(5 << 10),
			"what it writes to",
		},
		{
			destination.S3, "S3", S3Put, once,
			fmt.Sprintf("%.3f a month for a GB", S3Stored.Of(giga)),
		},
		{
			destination.Logs, "CloudWatch Logs", LogsIngested,
			func(bytes int) float64 { return float64(bytes + logBytes) }, "storage",
		},
	}
}

// messageBytes returns the size of what a destination of a kind gets, with the default envelope.
func messageBytes(kind destination.Kind, bodyBytes int) int {
	d := destination.Destination{Kind: kind}
	if d.Envelope(destination.Options{}) != destination.JSON {
		return bodyBytes
	}
	const frame = `{"n":""}`
	sent := transform.Event{
		ID: "evt_gzjyaomxedg6vrng4k62k4i2oa6qsn37", Type: "order.created", Source: "shop",
		Trust: "verified", Time: time.Date(2026, 12, 1, 12, 0, 0, 123e6, time.UTC),
		Header: map[string]string{"content-type": "application/json"},
		Data:   []byte(`{"n":"` + strings.Repeat("x", max(0, bodyBytes-len(frame))) + `"}`),
	}
	return len(sent.JSON())
}

// destinations returns the table of what destinations cost.
func destinations() string {
	var b strings.Builder
	b.WriteString("| USD for a million deliveries | 1 KiB | 10 KiB | also billed |\n|---|--:|--:|---|\n")
	for _, d := range Deliveries() {
		fmt.Fprintf(
			&b, "| %s | %.2f | %.2f | %s |\n", d.What, d.PerMillion(1<<10), d.PerMillion(10<<10),
			d.Also,
		)
	}
	return b.String()
}
