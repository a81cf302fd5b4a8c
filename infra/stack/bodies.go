package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
)

// bodiesOutliveDays is how many days longer than the retention a body is kept
// (relay.BodiesOutlive). It is the sum of the longest schedule (16 days), the longest time that SQS
// keeps a message in a dead-letter queue, and one day because S3 does not expire objects at the
// exact hour.
const bodiesOutliveDays = 16 + deadLetterDays + 1

// addBodies makes the bucket for bodies that are too large for a message, and for the bodies of
// events that are recorded together. The bucket is not versioned. An object's key contains the hash
// of its content or is random, so nothing is ever overwritten. And an old version would be kept for
// longer than the promised retention.
func (r *relay) addBodies() {
	r.bodies = awss3.NewBucket(r.stack, new("Bodies"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        bucketEncryption(r.dataKey),
		EncryptionKey:     r.dataKey,
		BucketKeyEnabled:  whenTrue(r.dataKey != nil), // one KMS call serves many objects
		EnforceSSL:        new(true),
		Versioned:         new(false),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
		LifecycleRules: list(&awss3.LifecycleRule{
			Expiration:                          days(r.props.RetentionDays + bodiesOutliveDays),
			AbortIncompleteMultipartUploadAfter: days(1),
		}),
	})
}
