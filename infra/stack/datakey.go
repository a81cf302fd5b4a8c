package stack

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
)

// dataServices are the services that use the data key with the caller's permissions. CloudWatch
// Logs uses the key with its own permissions.
var dataServices = []string{"dynamodb", "s3", "sqs"}

// useDataKey are the actions that a caller of dataServices needs on the data key. DynamoDB needs
// all of them; S3 and SQS need the first two.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
var useDataKey = []string{
	"kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:Encrypt", "kms:ReEncryptFrom",
	"kms:ReEncryptTo",
}

// addDataKey looks up the operator's KMS key for stored data, if the props name one.
func (r *relay) addDataKey() {
	if r.props.DataKeyARN != "" {
		r.dataKey = awskms.Key_FromKeyArn(r.stack, new("DataKey"), &r.props.DataKeyARN)
	}
}

// dataKeyGrants lets a role use the data key and decrypt with the former data keys. The role may do
// this only through the given services.
func (r *relay) dataKeyGrants(services ...string) (grants []grant) {
	var by []string
	for _, service := range services {
		by = append(by, service+"."+*r.stack.Region()+"."+*r.stack.UrlSuffix())
	}
	conditions := map[string]any{"StringEquals": map[string]any{"kms:ViaService": by}}
	if r.dataKey != nil {
		grants = append(
			grants,
			grant{
				actions: useDataKey, resources: []*string{r.dataKey.KeyArn()},
				conditions: conditions,
			},
		)
	}
	if former := slices.Clone(r.props.FormerDataKeyARNs); len(former) > 0 {
		grants = append(
			grants,
			grant{
				actions: []string{"kms:Decrypt"}, resources: *pointers(former),
				conditions: conditions,
			},
		)
	}
	return grants
}

// dataKeyReuse is how long SQS may reuse a data key before it calls KMS again. It is one day, the
// longest that SQS allows, because each queue has many callers.
func (r *relay) dataKeyReuse() awscdk.Duration {
	if r.dataKey == nil {
		return nil
	}
	return days(1)
}

func queueEncryption(key awskms.IKey) awssqs.QueueEncryption {
	if key == nil {
		return awssqs.QueueEncryption_SQS_MANAGED
	}
	return awssqs.QueueEncryption_KMS
}

func bucketEncryption(key awskms.IKey) awss3.BucketEncryption {
	if key == nil {
		return awss3.BucketEncryption_S3_MANAGED
	}
	return awss3.BucketEncryption_KMS
}

func tableEncryption(key awskms.IKey) awsdynamodb.TableEncryption {
	if key == nil {
		return ""
	}
	return awsdynamodb.TableEncryption_CUSTOMER_MANAGED
}
