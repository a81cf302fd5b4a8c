package deployed

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// construct matches a logical id and captures it without the CDK's hash at its end.
var construct = regexp.MustCompile(`^(.*?)(?:[0-9A-F]{8})?$`)

func nameOf(id string) string { return construct.FindStringSubmatch(id)[1] }

// notPlayed are the resource types without effect here, each with the reason. Their properties are
// still resolved.
var notPlayed = map[string]string{
	"AWS::CloudWatch::Alarm":     "no metric is kept; the stack's own tests read them",
	"AWS::CloudWatch::Dashboard": "nobody looks",
	"AWS::KMS::Alias":            "a name for the console: no function uses it",
	"AWS::S3::BucketPolicy":      "policies of resources are not evaluated",
	"AWS::SQS::QueuePolicy":      "policies of resources are not evaluated",
}

// inert are the properties without effect here, for types that have no others.
var inert = map[string][]string{
	"AWS::KMS::Key":       {"Description", "EnableKeyRotation", "KeyPolicy"},
	"AWS::Logs::LogGroup": {"RetentionInDays"},
	"AWS::S3::Bucket": {
		"BucketEncryption", "LifecycleConfiguration", "PublicAccessBlockConfiguration",
	},
	"AWS::Scheduler::ScheduleGroup": {},
}

// checkInert refuses a resource of such a type that has other properties.
func checkInert(id string, r resource) error {
	for property := range r.Properties {
		if known, is := inert[r.Type]; is && !slices.Contains(known, property) {
			return fmt.Errorf("%w: %s says what is not played: %s", ErrTemplate, id, property)
		}
	}
	return nil
}

// provision creates a resource under a generated name. For types on which nothing runs, it only
// returns the name.
func (h *Host) provision(ctx context.Context) maker {
	return func(id string, r resource) (physical, error) {
		name := strings.ToLower(nameOf(id)) + h.suffix
		if err := checkInert(id, r); err != nil {
			return physical{}, err
		}
		switch r.Type {
		case "AWS::SQS::Queue":
			return h.makeQueue(ctx, id, name)
		case "AWS::DynamoDB::Table":
			return named(name, arn("dynamodb", "table/"+name)), h.makeTable(ctx, id, name)
		case "AWS::S3::Bucket":
			_, err := h.S3.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &name})
			return named(name, "arn:aws:s3:::"+name), err
		case "AWS::KMS::Key":
			return named(name, arn("kms", "key/"+name)), nil
		case "AWS::IAM::Role":
			// as of a function
			name = h.stack.name + "-" + id + h.suffix
			return named(name, roleARN(name)), nil
		case "AWS::Lambda::Function":
			// A role may name a function as CloudFormation does, before there is the function.
			name = h.stack.name + "-" + id + h.suffix
			return named(name, functionARN(name)), nil
		case "AWS::Logs::LogGroup":
			return named(name, arn("logs", "log-group:"+name+":*")), nil
		case "AWS::Scheduler::ScheduleGroup":
			return named(name, arn("scheduler", "schedule-group/"+name)), nil
		case "AWS::Events::Rule":
			return named(name, arn("events", "rule/"+name)), nil
		case "AWS::SNS::Subscription":
			return physical{ref: name}, h.subscribe(ctx, id)
		case "AWS::ApiGatewayV2::Api":
			return physical{
				ref:        name,
				attributes: map[string]string{"ApiId": name, "ApiEndpoint": h.ingress.URL},
			}, h.checkAPI(id)
		case "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
			"AWS::ApiGatewayV2::Stage",
			// read when all resources exist
			"AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission":
			return physical{ref: name}, nil
		}
		if notPlayed[r.Type] == "" {
			return physical{},
				fmt.Errorf("%w: %s is a %s, which is not played", ErrTemplate, id, r.Type)
		}
		return physical{ref: name}, nil
	}
}

func named(ref, arn string) physical {
	return physical{ref: ref, attributes: map[string]string{"Arn": arn}}
}

func roleARN(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// makeQueue creates a queue with all properties of the template. CloudFormation's properties have
// the names of SQS's attributes.
func (h *Host) makeQueue(ctx context.Context, id, name string) (physical, error) {
	var properties map[string]any
	if err := h.stack.properties(id, &properties); err != nil {
		return physical{}, err
	}
	attributes := map[string]string{}
	for property, value := range properties {
		text, isText := value.(string)
		if !isText {
			encoded, err := json.Marshal(value)
			if err != nil {
				return physical{}, err
			}
			text = string(encoded)
		}
		attributes[property] = text
	}
	if attributes["FifoQueue"] == "true" {
		name += ".fifo"
	}
	made, err := h.SQS.CreateQueue(
		ctx, &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes},
	)
	if err != nil {
		return physical{}, err
	}
	return physical{
			ref:        *made.QueueUrl,
			attributes: map[string]string{"Arn": queueARN(*made.QueueUrl), "QueueName": name},
		},
		h.keptAttributes(ctx, *made.QueueUrl, attributes)
}

// keptAttributes compares the attributes that the emulator stored with those of the template,
// because the emulator drops attributes that it does not know.
func (h *Host) keptAttributes(ctx context.Context, url string, want map[string]string) error {
	got, err := h.SQS.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{
			sqstypes.QueueAttributeNameAll,
		},
	})
	if err != nil {
		return err
	}
	for name, value := range want {
		// an emulator cannot show encryption at rest
		if got.Attributes[name] != value && name != "SqsManagedSseEnabled" {
			return fmt.Errorf(
				"%w: attribute %s is %q, made as %q", ErrTemplate, name, got.Attributes[name],
				value,
			)
		}
	}
	return nil
}

// tableProperties are the properties of AWS::DynamoDB::Table: those for CreateTable, and those that
// are set later.
type tableProperties struct {
	dynamodb.CreateTableInput
	TimeToLiveSpecification *struct {
		AttributeName string
		Enabled       bool
	}

	PointInTimeRecoverySpecification any // nothing is restored
}

// makeTable creates a table with the template's keys and indexes. CloudFormation's properties have
// the names of CreateTable's.
func (h *Host) makeTable(ctx context.Context, id, name string) error {
	var p tableProperties
	if err := h.stack.properties(id, &p); err != nil {
		return err
	}
	p.TableName = &name
	if _, err := h.tables.CreateTable(ctx, &p.CreateTableInput); err != nil {
		return err
	}
	if s := p.TimeToLiveSpecification; s != nil && s.Enabled {
		h.timeToLive[name] = s.AttributeName
	}
	active := dynamodb.NewTableExistsWaiter(h.tables, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay = 5 * time.Millisecond
	})
	return active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, time.Minute)
}

// WithoutTimeToLive lists the tables with items that lack a numeric time-to-live attribute. Such
// items would stay for ever. Tables without time-to-live are not checked.
func (h *Host) WithoutTimeToLive(ctx context.Context) ([]string, error) {
	var lines []string
	for table, attribute := range h.timeToLive {
		var kept int32
		for pages := dynamodb.NewScanPaginator(h.tables, &dynamodb.ScanInput{
			TableName: &table, Select: types.SelectCount, FilterExpression: aws.String(
				"NOT attribute_type(#ttl, :number)",
			),
			ExpressionAttributeNames: map[string]string{"#ttl": attribute},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":number": &types.AttributeValueMemberS{Value: "N"},
			},
		}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			kept += page.Count
		}
		if kept > 0 {
			lines = append(
				lines,
				fmt.Sprintf(
					"%s: %d items have no number %s", strings.TrimSuffix(table, h.suffix), kept,
					attribute,
				),
			)
		}
	}
	slices.Sort(lines)
	return lines, nil
}
