package dynamo_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

// objects are bodies in memory.
type objects struct {
	stored map[string][]byte
	gets   int
	down   error
}

func (o *objects) Put(_ context.Context, key string, body []byte) error {
	if o.stored == nil {
		o.stored = map[string][]byte{}
	}
	if o.down == nil {
		o.stored[key] = slices.Clone(body)
	}
	return o.down
}

func (o *objects) Get(_ context.Context, key string) ([]byte, error) {
	o.gets++
	if b, ok := o.stored[key]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s: %w", key, catalog.ErrNotFound)
}

func TestLedgerWithBodiesConforms(t *testing.T) {
	t.Parallel()
	fresh := func(t *testing.T) *dynamo.Ledger {
		client := newClient(t, nil)
		return dynamo.NewLedger(client, createTable(t), &objects{})
	}
	conformance.Events(t, func(t *testing.T) relay.Events { return fresh(t) })
}

// batchOf returns events with the given bodies: packed if they can be compressed.
func batchOf(bodies ...[]byte) []relay.EventRecord {
	records := make([]relay.EventRecord, len(bodies))
	for i, body := range bodies {
		records[i] = record(fmt.Sprint("batched ", i))
		records[i].Body = body
		if z := format.Deflate(body); z != nil && len(body) >= 4<<10 {
			records[i].Body, records[i].Packed = nil, z
		}
	}
	return records
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func TestBodiesOfABatchAreStoredTogetherWhereThatCostsLess(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat(`{"id":1296269,"name":"Hello-World"},`, 400))
	half := []byte(fmt.Sprintf(`{"data":%q}`, fmt.Sprintf("%x", noise(6<<10)))) // leaves 6 KiB
	for name, tt := range map[string]struct {
		bodies  [][]byte
		objects int
	}{
		"a small one":                 {[][]byte{[]byte("{}")}, 0},
		"ten small ones":              {slices.Repeat([][]byte{noise(1 << 10)}, 10), 0},
		"one that compresses well":    {[][]byte{text}, 0},
		"ten that compress to a half": {slices.Repeat([][]byte{half}, 10), 1},
		"one of noise":                {[][]byte{noise(8 << 10)}, 1},
		"large and small ones":        {[][]byte{[]byte("{}"), half, text, noise(5 << 10), nil}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, stored := newClient(t, nil), &objects{}
			l := dynamo.NewLedger(client, createTable(t), stored)
			records := batchOf(tt.bodies...)
			for _, result := range l.RecordEvents(t.Context(), records) {
				must(t, result.Err)
			}
			if len(stored.stored) != tt.objects {
				t.Errorf("%d objects, want %d", len(stored.stored), tt.objects)
			}
			for _, want := range records {
				got, err := l.EventRecord(t.Context(), want.ID)
				if err != nil || !bytes.Equal(got.Body, want.Body) ||
					!bytes.Equal(got.Packed, want.Packed) {
					t.Errorf(
						"%d and %d bytes come back as %d and %d, %v", len(want.Body),
						len(want.Packed), len(got.Body), len(got.Packed), err,
					)
				}
			}
			gets := stored.gets
			if _, _, err := l.EventsIn(
				t.Context(), operate.EventQuery{Limit: 100},
			); err != nil || stored.gets != gets {
				t.Errorf("a listing reads %d objects, %v", stored.gets-gets, err)
			}
		})
	}
}

func TestNothingIsRecordedWithoutItsBody(t *testing.T) {
	t.Parallel()
	client, down := newClient(t, nil), errors.New("S3 is down")
	table := createTable(t)
	l := dynamo.NewLedger(client, table, &objects{down: down})
	for _, result := range l.RecordEvents(t.Context(), batchOf(noise(9<<10), []byte("{}"))) {
		if !errors.Is(result.Err, down) {
			t.Errorf("%+v", result)
		}
	}
	if items := scan(t, table); len(items) > 0 {
		t.Errorf("recorded: %v", items)
	}
}

func TestADamagedPlaceIsAnError(t *testing.T) {
	t.Parallel()
	client, stored := newClient(t, nil), &objects{}
	table := createTable(t)
	l := dynamo.NewLedger(client, table, stored)
	r := batchOf(noise(9 << 10))
	must(t, l.RecordEvents(t.Context(), r)[0].Err)
	if _, err := dynamo.NewLedger(client, table, nil).EventRecord(t.Context(), r[0].ID); err == nil {
		t.Error("a ledger without bodies returned the event without its body")
	}
	for place, want := range map[string]error{
		"nothing": format.ErrFormat, "batches/none 0 1 true": catalog.ErrNotFound,
		onlyKey(stored) + " 1 9216 false": format.ErrFormat,
		onlyKey(stored) + " -1 10 false":  format.ErrFormat,
		onlyKey(stored) + " 1 2 3 true":   format.ErrFormat, onlyKey(stored) + " 1 x true": format.ErrFormat,
	} {
		_, err := sdk(t).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &table, Key: map[string]types.AttributeValue{
				"pk": &types.AttributeValueMemberS{Value: r[0].ID},
				"sk": &types.AttributeValueMemberS{Value: "event"},
			}, UpdateExpression: aws.String("SET #place = :p"),
			ExpressionAttributeNames: map[string]string{"#place": "place"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":p": &types.AttributeValueMemberS{Value: place},
			},
		})
		must(t, err)
		if _, err := l.EventRecord(t.Context(), r[0].ID); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", place, err, want)
		}
	}
}

func onlyKey(o *objects) (key string) {
	for key = range o.stored {
	}
	return key
}
