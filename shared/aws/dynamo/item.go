package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ErrTooLarge means that an item is larger than the 400 KB that DynamoDB stores. Nothing was written.
var ErrTooLarge = errors.New("dynamo: item too large")

const maxItemBytes = 400 << 10

// Bulk calls may do a part of their work and hand back the rest, to be asked for again.
const (
	maxBulkTries  = 8
	firstBulkWait = 25 * time.Millisecond // doubles with each try, with full jitter: 3 s in all on average
)

// item is an item or a part of one: a key, values for an expression.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue    { return &types.AttributeValueMemberS{Value: s} }
func bytesOf(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
func number[N int | int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

func key(partition, sort string) item {
	return item{PartitionKey: text(partition), SortKey: text(sort)}
}

// The readers of attributes return zero for what is absent or of another type.

func textOf(it item, name string) string {
	v, _ := it[name].(*types.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

func binaryOf(it item, name string) []byte {
	v, _ := it[name].(*types.AttributeValueMemberB)
	if v == nil {
		return nil
	}
	return v.Value
}

func numberOf(it item, name string) int64 {
	v, _ := it[name].(*types.AttributeValueMemberN)
	if v == nil {
		return 0
	}
	n, _ := strconv.ParseInt(v.Value, 10, 64) // we write whole numbers alone
	return n
}

// checkSize returns ErrTooLarge if it exceeds DynamoDB's limit, which counts names and values.
func checkSize(it item) error {
	var size int
	for name, value := range it {
		size += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			size += len(v.Value)
		case *types.AttributeValueMemberB:
			size += len(v.Value)
		case *types.AttributeValueMemberN:
			size += len(v.Value)/2 + 2 // two digits to a byte, an exponent, a sign
		}
	}
	if size > maxItemBytes {
		return fmt.Errorf("%w: %s %s has %d bytes, DynamoDB stores %d", ErrTooLarge,
			textOf(it, PartitionKey), textOf(it, SortKey), size, maxItemBytes)
	}
	return nil
}

// table is a table's name and the client for it.
type table struct {
	client *dynamodb.Client
	name   string
}

// get returns an item as the last write left it, nil for none.
func (t table) get(ctx context.Context, partition, sort string) (item, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(partition, sort), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// putIf writes it if the condition on what is stored under its key holds. If not, it returns what is stored there, nil for nothing.
// The client tries again after a lost answer, and its second try finds the work of the first: the mark of this write tells that from
// another's.
func (t table) putIf(ctx context.Context, it item, condition string, values item) (written bool, stored item, err error) {
	mark := rand.Text()
	it[writeAttribute] = text(mark)
	if err := checkSize(it); err != nil {
		return false, nil, err
	}
	_, err = t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: it, ConditionExpression: &condition, ExpressionAttributeValues: values})
	if !conditionFailed(err) {
		return err == nil, nil, err
	}
	stored, err = t.get(ctx, textOf(it, PartitionKey), textOf(it, SortKey))
	return textOf(stored, writeAttribute) == mark, stored, err
}

// queryAll calls each for every page that in asks for.
func (t table) queryAll(ctx context.Context, in *dynamodb.QueryInput, each func([]item) error) error {
	in.TableName = &t.name
	pages := dynamodb.NewQueryPaginator(t.client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
	}
	return nil
}

// conditionFailed tells whether a conditional write was refused because of its condition.
func conditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}

// again waits before the next try of a bulk call, at random and longer each time; an error says that there is none.
func again(ctx context.Context, try int) error {
	if try >= maxBulkTries {
		return fmt.Errorf("a part was left undone %d times", try)
	}
	timer := time.NewTimer(mathrand.N(firstBulkWait << try))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
