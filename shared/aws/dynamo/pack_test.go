package dynamo_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// An event's document and body are stored compressed, and come back byte for byte. A stored item
// that was damaged is an error, no other event.
func TestEventsAreStoredCompressed(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	name := createTable(t)
	ledger := dynamo.NewLedger(client, name, nil)
	body := strings.Repeat(`{"id":1296269,"name":"Hello-World"},`, 400)
	r := record("evt_packed")
	r.Body = []byte(body)
	if _, err := relay.RecordEvent(t.Context(), ledger, r); err != nil {
		t.Fatal(err)
	}
	keys := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: r.ID},
		"sk": &types.AttributeValueMemberS{Value: "event"},
	}
	out, err := sdk(t).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &name, Key: keys})
	if err != nil {
		t.Fatal(err)
	}
	packed, _ := out.Item["packed"].(*types.AttributeValueMemberB)
	if packed == nil || len(packed.Value) > len(body)/10 || out.Item["body"] != nil ||
		out.Item["doc"] != nil {
		t.Errorf("a body of %d bytes is stored as %v", len(body), out.Item)
	}
	if back, _, err := ledger.Event(t.Context(), r.ID); err != nil || string(back.Body) != body {
		t.Errorf("it comes back with %d bytes, %v", len(back.Body), err)
	}
	for what, damaged := range map[string][]byte{
		"cut off": packed.Value[:len(packed.Value)/2], "another form": []byte("{}"), "nothing": {},
	} {
		_, err := sdk(t).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &name, Key: keys, UpdateExpression: aws.String("SET packed = :z"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":z": &types.AttributeValueMemberB{Value: damaged},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.EventRecord(t.Context(), r.ID); !errors.Is(err, format.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", what, err)
		}
	}
}
