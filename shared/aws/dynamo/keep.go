package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// KeepEvent implements relay.EventKeeper.
func (l *Ledger) KeepEvent(ctx context.Context, eventID string, until time.Time) error {
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           &l.name,
		Key:                 key(eventID, eventSort),
		UpdateExpression:    aws.String("SET expires_at = :until"),
		ConditionExpression: aws.String("expires_at > :now AND expires_at < :until"),
		ExpressionAttributeValues: item{
			":now": number(time.Now().Unix()), ":until": number(until.Unix()),
		},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("dynamo: keep event %s: %w", eventID, err)
	}
	return nil
}
