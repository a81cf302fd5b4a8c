//go:build !local

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"webhook-relay/shared/admin"
)

// queue is the mailbox in SQS.
type queue struct {
	client *awssqs.Client
	url    string
}

// newQueue returns a mailbox with the credentials that the relay gives out for it. Nothing of this
// machine's own AWS configuration is used but the endpoint of SQS.
func newQueue(t admin.TransportView) (mailbox, error) {
	c := t.Credentials
	if c == nil {
		c = new(admin.CredentialsView)
	}
	cfg, err := awsconfig.LoadDefaultConfig(
		context.Background(), awsconfig.WithRegion(t.Region),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken,
		)),
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(receiveTimeout)),
		awsconfig.WithSharedConfigFiles(nil), awsconfig.WithSharedCredentialsFiles(nil),
	)
	if err != nil {
		return nil, err
	}
	return queue{client: awssqs.NewFromConfig(cfg), url: t.QueueURL}, nil
}

// expiredCodes are the codes of SQS for credentials that have ended, or never were:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
var expiredCodes = []string{
	"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSecurity",
	"AccessDenied", "AccessDeniedException", "RequestExpired", "UnrecognizedClientException",
}

// orExpired returns errExpired if that is what an error of SQS means.
func orExpired(err error) error {
	if refused, is := errors.AsType[smithy.APIError](err); is &&
		slices.Contains(expiredCodes, refused.ErrorCode()) {
		return fmt.Errorf("%w: %w", errExpired, err)
	}
	return err
}

func (q queue) receive(
	ctx context.Context, most int, hide time.Duration,
) ([]received, error) {
	got, err := q.client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: int32(most), //nolint:gosec // 10 at most
		WaitTimeSeconds: wholeSeconds(receiveWait), VisibilityTimeout: wholeSeconds(hide),
	})
	if err != nil {
		return nil, orExpired(err)
	}
	all := make([]received, len(got.Messages))
	for i, m := range got.Messages {
		all[i] = received{handle: aws.ToString(m.ReceiptHandle), body: []byte(aws.ToString(m.Body))}
	}
	return all, nil
}

func (q queue) done(ctx context.Context, handle string) error {
	_, err := q.client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{
		QueueUrl: &q.url, ReceiptHandle: &handle,
	})
	return orExpired(err)
}

func (q queue) again(ctx context.Context, handle string, after time.Duration) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.url, ReceiptHandle: &handle, VisibilityTimeout: wholeSeconds(after),
	})
	return orExpired(err)
}

func wholeSeconds(d time.Duration) int32 { return int32(seconds(d)) } //nolint:gosec // hours
