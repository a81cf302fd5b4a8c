package cost

// PricesAsOf is when the prices were last checked: against AWS's own pages if their text has the
// price, else against at least one guide of 2026 that quotes them. Those of Step Functions and of
// the streams were checked in December 2026: those of express workflows and of Kinesis also against
// tables of the tool infracost, which are made from AWS's price list. Firehose's is quoted by many
// guides, of which those that name a region name us-east-1.
const PricesAsOf = "June 2026"

// Price is AWS's list price in us-east-1.
type Price struct {
	What   string
	USD    float64
	Per    float64 // the number of units that cost USD
	Unit   string
	Source string // where it is published
}

// Of returns the cost of n units in USD.
func (p Price) Of(n float64) float64 { return n * p.USD / p.Per }

const (
	million = 1e6
	giga    = 1e9
)

// The prices.
var (
	HTTPRequest = Price{
		What: "API Gateway, HTTP API", USD: 1.00, Per: million,
		Unit:   "million requests of up to 512 KB",
		Source: "https://aws.amazon.com/api-gateway/pricing/",
	}
	LambdaRequest = Price{
		What: "Lambda, requests", USD: 0.20, Per: million, Unit: "million requests",
		Source: "https://aws.amazon.com/lambda/pricing/",
	}
	LambdaTime = Price{
		What: "Lambda, time, arm64", USD: 0.0000133334, Per: 1, Unit: "GB-second",
		Source: "https://aws.amazon.com/lambda/pricing/",
	}
	SQSRequest = Price{
		What: "SQS, standard", USD: 0.40, Per: million,
		Unit:   "million requests, each 64 KB of payload one",
		Source: "https://aws.amazon.com/sqs/pricing/",
	}
	SQSFair = Price{
		What: "SQS, fair queues, on top", USD: 0.10, Per: million,
		Unit:   "million requests with a message group",
		Source: "https://aws.amazon.com/sqs/pricing/",
	}
	DynamoWrite = Price{
		What: "DynamoDB on demand, writes", USD: 0.625, Per: million,
		Unit:   "million request units of 1 KB",
		Source: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
	}
	DynamoRead = Price{
		What: "DynamoDB on demand, reads", USD: 0.125, Per: million,
		Unit:   "million request units of 4 KB",
		Source: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
	}
	DynamoStored = Price{
		What: "DynamoDB, storage", USD: 0.25, Per: giga, Unit: "GB-month",
		Source: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
	}
	S3Put = Price{
		What: "S3 Standard, PUT", USD: 0.005, Per: 1000, Unit: "thousand requests",
		Source: "https://aws.amazon.com/s3/pricing/",
	}
	S3Get = Price{
		What: "S3 Standard, GET", USD: 0.0004, Per: 1000, Unit: "thousand requests",
		Source: "https://aws.amazon.com/s3/pricing/",
	}
	S3Stored = Price{
		What: "S3 Standard, storage", USD: 0.023, Per: giga, Unit: "GB-month",
		Source: "https://aws.amazon.com/s3/pricing/",
	}
	KMSRequest = Price{
		What: "KMS, requests", USD: 0.03, Per: 10_000, Unit: "ten thousand requests",
		Source: "https://aws.amazon.com/kms/pricing/",
	}
	KMSKey = Price{
		What: "KMS, key", USD: 1.00, Per: 1,
		Unit:   "key and month, and as much for each of its first two rotations",
		Source: "https://aws.amazon.com/kms/pricing/",
	}
	Schedule = Price{
		What: "EventBridge Scheduler", USD: 1.00, Per: million, Unit: "million invocations",
		Source: "https://aws.amazon.com/eventbridge/pricing/",
	}
	LogsIngested = Price{
		What: "CloudWatch Logs, ingestion", USD: 0.50, Per: giga, Unit: "GB",
		Source: "https://aws.amazon.com/cloudwatch/pricing/",
	}
	Metric = Price{
		What: "CloudWatch, custom metric", USD: 0.30, Per: 1, Unit: "metric and month",
		Source: "https://aws.amazon.com/cloudwatch/pricing/",
	}
	Alarm = Price{
		What: "CloudWatch, alarm", USD: 0.10, Per: 1, Unit: "alarm and month",
		Source: "https://aws.amazon.com/cloudwatch/pricing/",
	}
	Dashboard = Price{
		What: "CloudWatch, dashboard", USD: 3.00, Per: 1, Unit: "dashboard and month",
		Source: "https://aws.amazon.com/cloudwatch/pricing/",
	}
	TransferOut = Price{
		What: "Data transfer to the internet", USD: 0.09, Per: giga, Unit: "GB",
		Source: "https://aws.amazon.com/ec2/pricing/on-demand/#Data_Transfer",
	}

	SQSFIFO = Price{
		What: "SQS, FIFO", USD: 0.50, Per: million,
		Unit:   "million requests, each 64 KB of payload one",
		Source: "https://aws.amazon.com/sqs/pricing/",
	}
	Transition = Price{
		What: "Step Functions, standard", USD: 0.025, Per: 1000, Unit: "thousand state transitions",
		Source: "https://aws.amazon.com/step-functions/pricing/",
	}
	ExpressRequest = Price{
		What: "Step Functions, express", USD: 1.00, Per: million, Unit: "million requests",
		Source: "https://aws.amazon.com/step-functions/pricing/",
	}
	KinesisOnDemand = Price{
		What: "Kinesis, on demand", USD: 0.08, Per: giga, Unit: "GB, each record in whole KB",
		Source: "https://aws.amazon.com/kinesis/data-streams/pricing/",
	}
	KinesisPut = Price{
		What: "Kinesis, provisioned", USD: 0.014, Per: million, Unit: "million records, each 25 KB one",
		Source: "https://aws.amazon.com/kinesis/data-streams/pricing/",
	}
	KinesisStream = Price{
		What: "Kinesis, on demand, stream", USD: 0.04, Per: 1, Unit: "stream and hour",
		Source: "https://aws.amazon.com/kinesis/data-streams/pricing/",
	}
	KinesisShard = Price{
		What: "Kinesis, provisioned, shard", USD: 0.015, Per: 1, Unit: "shard and hour",
		Source: "https://aws.amazon.com/kinesis/data-streams/pricing/",
	}
	FirehoseIngested = Price{
		What: "Firehose", USD: 0.029, Per: giga, Unit: "GB, each record in steps of 5 KB",
		Source: "https://aws.amazon.com/kinesis/data-firehose/pricing/",
	}

	BusEvent = Price{
		What: "EventBridge, custom events", USD: 1.00, Per: million,
		Unit:   "million events, each 64 KB one",
		Source: "https://aws.amazon.com/eventbridge/pricing/",
	}
	APIDestination = Price{
		What: "EventBridge, API destinations", USD: 0.20, Per: million, Unit: "million invocations",
		Source: "https://aws.amazon.com/eventbridge/pricing/",
	}
	SNSPublish = Price{
		What: "SNS, publishes", USD: 0.50, Per: million, Unit: "million requests, each 64 KB one",
		Source: "https://aws.amazon.com/sns/pricing/",
	}
	SNSDelivery = Price{
		What: "SNS, HTTP deliveries", USD: 0.60, Per: million, Unit: "million notifications",
		Source: "https://aws.amazon.com/sns/pricing/",
	}
)

// Prices returns all prices, in the order of the page.
func Prices() []Price {
	return []Price{
		HTTPRequest, LambdaRequest, LambdaTime, SQSRequest, SQSFair, DynamoWrite, DynamoRead,
		DynamoStored,
		S3Put, S3Get, S3Stored, KMSRequest, KMSKey, Schedule, LogsIngested, Metric, Alarm,
		Dashboard, TransferOut,
		BusEvent, APIDestination, SNSPublish, SNSDelivery,
		SQSFIFO, Transition, ExpressRequest, KinesisOnDemand, KinesisStream, KinesisPut,
		KinesisShard, FirehoseIngested,
	}
}
