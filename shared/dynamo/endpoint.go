package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"webhook-relay/shared/breaker"
	"webhook-relay/shared/relay"
)

// The partitions of the ledger that are no event's.
const (
	endpointPrefix = "endpoint#"
	quotaPrefix    = "quota#"
	stateSort      = "state"
)

const (
	// stateKept is how long an endpoint's state stays on record after the last change: longer than any delivery could need it.
	stateKept = 10 * 365 * 24 * time.Hour
	quotaKept = time.Hour
)

// EndpointState implements relay.EndpointStates.
func (l *Ledger) EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error) {
	it, err := l.get(ctx, endpointPrefix+endpoint, stateSort)
	if err != nil {
		return breaker.State{}, 0, fmt.Errorf("dynamo: state of endpoint %s: %w", endpoint, err)
	}
	if expired(it) {
		return breaker.State{}, 0, nil
	}
	s, err := relay.DecodeEndpointState([]byte(textOf(it, docAttribute)))
	if err != nil {
		return breaker.State{}, 0, fmt.Errorf("dynamo: state of endpoint %s: %w", endpoint, err)
	}
	return s, numberOf(it, revisionAttribute), nil
}

// SaveEndpointState implements relay.EndpointStates.
func (l *Ledger) SaveEndpointState(ctx context.Context, endpoint string, s breaker.State, prior int64) error {
	it := key(endpointPrefix+endpoint, stateSort)
	it[docAttribute] = text(string(relay.EncodeEndpointState(s)))
	it[revisionAttribute] = number(prior + 1)
	it[TimeToLive] = number(time.Now().Add(stateKept).Unix())
	condition, values := absent, item{":now": number(time.Now().Unix())}
	if prior > 0 {
		condition, values = "revision = :prior", item{":prior": number(prior)}
	}
	written, _, err := l.putIf(ctx, it, condition, values)
	if err == nil && !written {
		err = fmt.Errorf("not of revision %d: %w", prior, relay.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("dynamo: state of endpoint %s: %w", endpoint, err)
	}
	return nil
}

// Take implements relay.Quotas. If an answer is lost and the call made again, n is taken twice: the limit is kept all the same.
func (l *Ledger) Take(ctx context.Context, name string, window time.Time, n, limit int) (bool, error) {
	if n > limit {
		return false, nil
	}
	_, err := l.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           &l.name,
		Key:                 key(quotaPrefix+name, strconv.FormatInt(window.UnixMilli(), 10)),
		UpdateExpression:    aws.String("ADD used :n SET expires_at = :expires"),
		ConditionExpression: aws.String("attribute_not_exists(used) OR used <= :most"),
		ExpressionAttributeValues: item{
			":n": number(n), ":most": number(limit - n), ":expires": number(window.Add(2 * quotaKept).Unix()),
		},
	})
	if conditionFailed(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("dynamo: quota %s: %w", name, err)
	}
	return true, nil
}
