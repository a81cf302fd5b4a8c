package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ErrTooLarge means that an item exceeds the 400 KB that DynamoDB stores. Nothing was written.
var ErrTooLarge = errors.New("dynamo: item too large")

const maxItemBytes = 400 << 10

// Bulk calls may process only a part of a request and return the rest, which is then sent again.
const (
	maxBulkTries = 8
	// doubles with each try, with full jitter: 3 s in all on average
	firstBulkWait = 25 * time.Millisecond
)

// item is an item, or a part of one such as a key, or the values of an expression.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue    { return &types.AttributeValueMemberS{Value: s} }
func bytesOf(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
func number[N int | int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

func key(partition, sort string) item {
	return item{PartitionKey: text(partition), SortKey: text(sort)}
}

// These functions return zero if the attribute is absent or of another type.

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

func textsOf(it item, name string) []string {
	v, _ := it[name].(*types.AttributeValueMemberSS)
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
	n, _ := strconv.ParseInt(v.Value, 10, 64) // the relay writes whole numbers only
	return n
}

// checkSize returns ErrTooLarge if the item exceeds DynamoDB's limit, which counts the attributes'
// names and values.
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

// get returns an item by a consistent read, or nil if there is none.
func (t table) get(ctx context.Context, partition, sort string) (item, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(partition, sort), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// put writes an item over any other.
func (t table) put(ctx context.Context, it item) error {
	_, err := t.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &t.name, Item: it})
	return err
}

// putIf writes the item if the condition holds for the item stored under its key. If it does not
// hold, putIf returns the stored item, or nil. The client repeats a call whose answer was lost, and
// the repeat finds the item of the first try. A random mark in each write tells that item from
// somebody else's. An item may have its mark already.
func (t table) putIf(
	ctx context.Context, it item, condition string, values item,
) (written bool, stored item, err error) {
	mark := textOf(it, markAttribute)
	if mark == "" {
		mark = newMark()
		it[markAttribute] = text(mark)
	}
	if err := checkSize(it); err != nil {
		return false, nil, err
	}
	_, err = t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: it, ConditionExpression: &condition,
		ExpressionAttributeValues: values})
	if !conditionFailed(err) {
		return err == nil, nil, err
	}
	stored, err = t.get(ctx, textOf(it, PartitionKey), textOf(it, SortKey))
	return textOf(stored, markAttribute) == mark, stored, err
}

// newMark returns 80 random bits.
func newMark() string { return rand.Text()[:16] }

// queryAll runs the query and calls each for every page.
func (t table) queryAll(
	ctx context.Context, in *dynamodb.QueryInput, each func([]item) error,
) error {
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

// conditionFailed reports whether a conditional write, or a transaction, failed because a condition
// did not hold.
func conditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException
	var canceled *types.TransactionCanceledException
	switch {
	case errors.As(err, &failed):
		return true
	case errors.As(err, &canceled):
		return slices.ContainsFunc(
			canceled.CancellationReasons, func(r types.CancellationReason) bool {
				return aws.ToString(r.Code) == "ConditionalCheckFailed"
			})
	}
	return false
}

// again waits before the next try of a bulk call, for a random time that grows with each try. It
// returns an error if no try is left or ctx has ended.
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
