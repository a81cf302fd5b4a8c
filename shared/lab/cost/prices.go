package cost

// PricesAsOf is when the prices were last checked: against AWS's own pages if their text has the
// price, else against at least one guide of 2026 that quotes them.
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
	HTTPRequest   = Price{"API Gateway, HTTP API", 1.00, million, "million requests of up to 512 KB", "https://aws.amazon.com/api-gateway/pricing/"}
	LambdaRequest = Price{"Lambda, requests", 0.20, million, "million requests", "https://aws.amazon.com/lambda/pricing/"}
	LambdaTime    = Price{"Lambda, time, arm64", 0.0000133334, 1, "GB-second", "https://aws.amazon.com/lambda/pricing/"}
	SQSRequest    = Price{"SQS, standard", 0.40, million, "million requests, each 64 KB of payload one", "https://aws.amazon.com/sqs/pricing/"}
	SQSFair       = Price{"SQS, fair queues, on top", 0.10, million, "million requests with a message group", "https://aws.amazon.com/sqs/pricing/"}
	DynamoWrite   = Price{"DynamoDB on demand, writes", 0.625, million, "million request units of 1 KB", "https://aws.amazon.com/dynamodb/pricing/on-demand/"}
	DynamoRead    = Price{"DynamoDB on demand, reads", 0.125, million, "million request units of 4 KB", "https://aws.amazon.com/dynamodb/pricing/on-demand/"}
	DynamoStored  = Price{"DynamoDB, storage", 0.25, giga, "GB-month", "https://aws.amazon.com/dynamodb/pricing/on-demand/"}
	S3Put         = Price{"S3 Standard, PUT", 0.005, 1000, "thousand requests", "https://aws.amazon.com/s3/pricing/"}
	S3Get         = Price{"S3 Standard, GET", 0.0004, 1000, "thousand requests", "https://aws.amazon.com/s3/pricing/"}
	S3Stored      = Price{"S3 Standard, storage", 0.023, giga, "GB-month", "https://aws.amazon.com/s3/pricing/"}
	KMSRequest    = Price{"KMS, requests", 0.03, 10_000, "ten thousand requests", "https://aws.amazon.com/kms/pricing/"}
	KMSKey        = Price{"KMS, key", 1.00, 1, "key and month, and as much for each of its first two rotations", "https://aws.amazon.com/kms/pricing/"}
	Schedule      = Price{"EventBridge Scheduler", 1.00, million, "million invocations", "https://aws.amazon.com/eventbridge/pricing/"}
	LogsIngested  = Price{"CloudWatch Logs, ingestion", 0.50, giga, "GB", "https://aws.amazon.com/cloudwatch/pricing/"}
	Metric        = Price{"CloudWatch, custom metric", 0.30, 1, "metric and month", "https://aws.amazon.com/cloudwatch/pricing/"}
	Alarm         = Price{"CloudWatch, alarm", 0.10, 1, "alarm and month", "https://aws.amazon.com/cloudwatch/pricing/"}
	Dashboard     = Price{"CloudWatch, dashboard", 3.00, 1, "dashboard and month", "https://aws.amazon.com/cloudwatch/pricing/"}
	TransferOut   = Price{"Data transfer to the internet", 0.09, giga, "GB", "https://aws.amazon.com/ec2/pricing/on-demand/#Data_Transfer"}

	BusEvent       = Price{"EventBridge, custom events", 1.00, million, "million events, each 64 KB one", "https://aws.amazon.com/eventbridge/pricing/"}
	APIDestination = Price{"EventBridge, API destinations", 0.20, million, "million invocations", "https://aws.amazon.com/eventbridge/pricing/"}
	SNSPublish     = Price{"SNS, publishes", 0.50, million, "million requests, each 64 KB one", "https://aws.amazon.com/sns/pricing/"}
	SNSDelivery    = Price{"SNS, HTTP deliveries", 0.60, million, "million notifications", "https://aws.amazon.com/sns/pricing/"}
)

// Prices returns all prices, in the order of the page.
func Prices() []Price {
	return []Price{
		HTTPRequest, LambdaRequest, LambdaTime, SQSRequest, SQSFair, DynamoWrite, DynamoRead, DynamoStored,
		S3Put, S3Get, S3Stored, KMSRequest, KMSKey, Schedule, LogsIngested, Metric, Alarm, Dashboard, TransferOut,
		BusEvent, APIDestination, SNSPublish, SNSDelivery,
	}
}
