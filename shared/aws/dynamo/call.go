package dynamo

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
)

// Client returns a client for all tables of an account and region. It calls nothing yet.
func Client(cfg aws.Config) *signed.Client {
	return signed.New(cfg, signed.Service{ID: "DynamoDB", Name: "dynamodb"})
}

// value is the value of an attribute: a text, a number, bytes or a set of texts. One field is set.
// The relay writes no other type.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
type value struct {
	S  *string  `json:",omitempty"`
	N  string   `json:",omitempty"`
	B  []byte   `json:",omitzero"` // no bytes are bytes too
	SS []string `json:",omitempty"`
}

// item is an item, or a part of one such as a key, or the values of an expression.
type item = map[string]value

// The actions that concern one item, and the query.
const (
	getItem    = "GetItem"
	putItem    = "PutItem"
	updateItem = "UpdateItem"
	deleteItem = "DeleteItem"
	query      = "Query"
)

// updated asks an update for the new values of the attributes that it changes.
const updated = "UPDATED_NEW"

// request is the request of such an action. A field that the action does not know is left empty.
type request struct {
	TableName string // do and transact set it

	Key          item              `json:",omitempty"`
	Item         item              `json:",omitempty"`
	Index        string            `json:"IndexName,omitempty"`
	KeyCondition string            `json:"KeyConditionExpression,omitempty"`
	Condition    string            `json:"ConditionExpression,omitempty"`
	Update       string            `json:"UpdateExpression,omitempty"`
	Filter       string            `json:"FilterExpression,omitempty"`
	Projection   string            `json:"ProjectionExpression,omitempty"`
	Names        map[string]string `json:"ExpressionAttributeNames,omitempty"`
	Values       item              `json:"ExpressionAttributeValues,omitempty"`
	Returns      string            `json:"ReturnValues,omitempty"`
	Consistent   bool              `json:"ConsistentRead,omitempty"`

	Ascending *bool `json:"ScanIndexForward,omitempty"` // nil: it is
	Limit     int   `json:",omitempty"`                 // 0: none but that of a page
	After     item  `json:"ExclusiveStartKey,omitempty"`
}

// answer is the answer to such an action.
type answer struct {
	Item       item
	Attributes item
	Items      []item
	Last       item `json:"LastEvaluatedKey"` // empty: nothing is left
}

// table is a table's name and the client for it.
type table struct {
	client *signed.Client
	name   string
}

// do carries out an action on the table.
func (t table) do(ctx context.Context, action string, in request) (out answer, err error) {
	in.TableName = t.name
	err = t.call(ctx, action, in, &out)
	return out, err
}

// call calls any action. The form of its request and its answer:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
func (t table) call(ctx context.Context, action string, in, out any) error {
	err := t.client.JSON(
		ctx, signed.Call{Target: "DynamoDB_20120810." + action, Version: "1.0"}, in, out,
	)
	if err != nil {
		return fmt.Errorf("%s in table %s: %w", action, t.name, err)
	}
	return nil
}

// matching runs a query and returns all its items. An error ends it.
func (t table) matching(ctx context.Context, in request) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for {
			page, err := t.do(ctx, query, in)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
			if len(page.Last) == 0 {
				return
			}
			in.After = page.Last
		}
	}
}

// Bulk calls may process only a part of a request and return the rest, which is then sent again.
const (
	maxBulkTries = 8
	// doubles with each try, with full jitter: 3 s in all on average
	firstBulkWait = 25 * time.Millisecond
)

// keysRead is what BatchGetItem reads of one table.
type keysRead struct {
	Keys       []item
	Consistent bool              `json:"ConsistentRead,omitempty"`
	Projection string            `json:"ProjectionExpression,omitempty"`
	Names      map[string]string `json:"ExpressionAttributeNames,omitempty"`
}

// getBatch reads up to 100 items. It returns them in any order.
func (t table) getBatch(ctx context.Context, in keysRead) (found []item, err error) {
	for try := 0; len(in.Keys) > 0; try++ {
		if err := again(ctx, try); err != nil {
			return nil, err
		}
		var out struct {
			Responses       map[string][]item
			UnprocessedKeys map[string]struct{ Keys []item }
		}
		if err := t.call(ctx, "BatchGetItem", map[string]any{
			"RequestItems": map[string]keysRead{t.name: in},
		}, &out); err != nil {
			return nil, err
		}
		found = append(found, out.Responses[t.name]...)
		in.Keys = out.UnprocessedKeys[t.name].Keys
	}
	return found, nil
}

// batchWrite is a write of BatchWriteItem. One of the two is there.
type batchWrite struct {
	Put    *putOf    `json:"PutRequest,omitempty"`
	Delete *deleteOf `json:"DeleteRequest,omitempty"`
}

type (
	putOf    struct{ Item item }
	deleteOf struct{ Key item }
)

// writeBatch makes up to 25 writes, in any order.
func (t table) writeBatch(ctx context.Context, writes []batchWrite) error {
	for try := 0; len(writes) > 0; try++ {
		if err := again(ctx, try); err != nil {
			return err
		}
		var out struct{ UnprocessedItems map[string][]batchWrite }
		if err := t.call(ctx, "BatchWriteItem", map[string]any{
			"RequestItems": map[string][]batchWrite{t.name: writes},
		}, &out); err != nil {
			return err
		}
		writes = out.UnprocessedItems[t.name]
	}
	return nil
}

// again waits before each try of a bulk call but the first, for a random time that grows with each.
// It returns an error if no try is left or ctx has ended.
func again(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	if try >= maxBulkTries {
		return fmt.Errorf("DynamoDB left a part of the batch unprocessed %d times", try)
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

// write is a write of a transaction. One of the two is there.
type write struct {
	Put    *request `json:",omitempty"`
	Delete *request `json:",omitempty"`
}

// transact makes up to 100 writes, or none. The client repeats a call whose answer was lost with
// the same token, by which DynamoDB recognises it.
func (t table) transact(ctx context.Context, writes []write) error {
	for _, w := range writes {
		cmp.Or(w.Put, w.Delete).TableName = t.name
	}
	return t.call(ctx, "TransactWriteItems", map[string]any{
		"TransactItems": writes, "ClientRequestToken": rand.Text(),
	}, nil)
}
