package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
)

// ErrTooLarge means that an item exceeds the 400 KB that DynamoDB stores. Nothing was written.
var ErrTooLarge = errors.New("dynamo: item too large")

const maxItemBytes = 400 << 10

func text(s string) value { return value{S: &s} }

func number[N int | int64](n N) value { return value{N: strconv.FormatInt(int64(n), 10)} }

// bytesOf returns a value of bytes: nil is none of them.
func bytesOf(b []byte) value {
	if b == nil {
		b = []byte{}
	}
	return value{B: b}
}

func key(partition, sort string) item {
	return item{PartitionKey: text(partition), SortKey: text(sort)}
}

// These functions return zero if the attribute is absent or of another type.

func textOf(it item, name string) string { return aws.ToString(it[name].S) }

func binaryOf(it item, name string) []byte { return it[name].B }

func textsOf(it item, name string) []string { return it[name].SS }

func numberOf(it item, name string) int64 {
	n, _ := strconv.ParseInt(it[name].N, 10, 64) // the relay writes whole numbers only
	return n
}

// checkSize returns ErrTooLarge if the item exceeds DynamoDB's limit, which counts the attributes'
// names and values.
func checkSize(it item) error {
	var size int
	for name, v := range it {
		size += len(name) + len(aws.ToString(v.S)) + len(v.B)
		if v.N != "" {
			size += len(v.N)/2 + 2 // two digits to a byte, an exponent, a sign
		}
	}
	if size > maxItemBytes {
		return fmt.Errorf("%w: %s %s has %d bytes; DynamoDB stores at most %d", ErrTooLarge,
			textOf(it, PartitionKey), textOf(it, SortKey), size, maxItemBytes)
	}
	return nil
}

// get returns an item by a consistent read, or nil if there is none.
func (t table) get(ctx context.Context, partition, sort string) (item, error) {
	out, err := t.do(ctx, getItem, request{Key: key(partition, sort), Consistent: true})
	return out.Item, err
}

// put writes an item over any other.
func (t table) put(ctx context.Context, it item) error {
	_, err := t.do(ctx, putItem, request{Item: it})
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
	_, err = t.do(ctx, putItem, request{Item: it, Condition: condition, Values: values})
	if !conditionFailed(err) {
		return err == nil, nil, err
	}
	stored, err = t.get(ctx, textOf(it, PartitionKey), textOf(it, SortKey))
	return textOf(stored, markAttribute) == mark, stored, err
}

// newMark returns 80 random bits.
func newMark() string { return rand.Text()[:16] }

// conditionFailed reports whether a conditional write, or a transaction, failed because a condition
// did not hold.
func conditionFailed(err error) bool {
	failed, is := errors.AsType[*signed.Error](err)
	return is && (failed.Code == "ConditionalCheckFailedException" ||
		slices.Contains(failed.Reasons, "ConditionalCheckFailed"))
}
