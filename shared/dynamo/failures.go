package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"webhook-relay/shared/relay"
)

const (
	failurePrefix = "failure#"
	countSort     = "count"
)

// CountFailure implements relay.Failures. If an answer is lost and the call made again, a failure is counted twice.
func (l *Ledger) CountFailure(ctx context.Context, messageID string) (int, error) {
	out, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:        &l.name,
		Key:              key(failurePrefix+messageID, countSort),
		UpdateExpression: aws.String("SET expires_at = :expires ADD failures :one"),
		ExpressionAttributeValues: item{
			":one": number(1), ":expires": number(time.Now().Add(relay.MaxQueueTime).Unix()),
		},
		ReturnValues: types.ReturnValueUpdatedNew,
	})
	if err != nil {
		return 0, fmt.Errorf("dynamo: failures of message %s: %w", messageID, err)
	}
	return int(numberOf(out.Attributes, "failures")), nil
}

// ForgetFailures implements relay.Failures.
func (l *Ledger) ForgetFailures(ctx context.Context, messageID string) error {
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:        &l.name,
		Key:              key(failurePrefix+messageID, countSort),
		UpdateExpression: aws.String("SET expires_at = :expires, failures = :zero"),
		ExpressionAttributeValues: item{
			":zero": number(0), ":expires": number(time.Now().Add(relay.MaxQueueTime).Unix()),
		},
	})
	if err != nil {
		return fmt.Errorf("dynamo: failures of message %s: %w", messageID, err)
	}
	return nil
}
