package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
)

// bodiesOutliveDays is how much longer than the retention a body is kept (relay.BodiesOutlive):
// while the longest schedule lasts, for as long as SQS keeps a message in a dead-letter queue, and
// a day for the hour at which S3 expires objects.
const bodiesOutliveDays = 16 + deadLetterDays + 1

// addBodies makes the bucket of the bodies that are too large for a message. It is not versioned:
// an object's key carries the hash of its content, so that there is nothing to overwrite, and a
// version would outlive the retention that was promised.
func (r *relay) addBodies() {
	r.bodies = awss3.NewBucket(r.stack, new("Bodies"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        bucketEncryption(r.dataKey),
		EncryptionKey:     r.dataKey,
		BucketKeyEnabled:  whenTrue(r.dataKey != nil), // one call of KMS for many objects
		EnforceSSL:        new(true),
		Versioned:         new(false),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
		LifecycleRules: list(&awss3.LifecycleRule{
			Expiration:                          days(r.props.RetentionDays + bodiesOutliveDays),
			AbortIncompleteMultipartUploadAfter: days(1),
		}),
	})
}
