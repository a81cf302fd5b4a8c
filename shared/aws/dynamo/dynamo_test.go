package dynamo_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/gate"
)

func TestCatalogConforms(t *testing.T) {
	t.Parallel()
	conformance.Catalog(t, func(t *testing.T) conformance.CatalogUnderTest {
		client := newClient(t, nil)
		return dynamo.NewCatalog(client, createTable(t), sealer{})
	})
}

func TestEventsConform(t *testing.T) {
	t.Parallel()
	conformance.Events(t, func(t *testing.T) relay.Events { return newLedger(t) })
}

func TestDeliveriesConform(t *testing.T) {
	t.Parallel()
	conformance.Deliveries(t, func(t *testing.T) relay.Deliveries { return newLedger(t) })
}

func TestLedgerConforms(t *testing.T) {
	t.Parallel()
	conformance.Ledger(t, func(t *testing.T) conformance.LedgerUnderTest { return newLedger(t) })
}

func TestEndpointStates(t *testing.T) {
	t.Parallel()
	conformance.EndpointStates(t, func(t *testing.T) gate.EndpointStates { return newLedger(t) })
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	conformance.Quotas(t, func(t *testing.T) gate.Quotas { return newLedger(t) })
}

func TestSlots(t *testing.T) {
	t.Parallel()
	conformance.Slots(t, func(t *testing.T) gate.Slots { return newLedger(t) })
}

func TestSweepCursors(t *testing.T) {
	t.Parallel()
	conformance.SweepCursors(t, newLedger(t))
}

func TestFailures(t *testing.T) {
	conformance.Failures(t, func(t *testing.T) relay.Failures { return newLedger(t) })
}

func TestEventKeeper(t *testing.T) {
	conformance.EventKeeper(t, newLedger)
}

func newLedger(t *testing.T) *dynamo.Ledger {
	t.Helper()
	client := newClient(t, nil)
	return dynamo.NewLedger(client, createTable(t), nil)
}

// hook intercepts a client's calls to DynamoDB. It may answer itself, change the request, or call
// next. A client makes concurrent calls, but its hook runs for one at a time, except inside next.
type hook func(
	operation string, body []byte, next func(body []byte) (*http.Response, error),
) (*http.Response, error)

// wire is a client's transport, with a hook if there is one.
type wire struct {
	next aws.HTTPClient
	hook hook
	mu   *sync.Mutex // guards the hook's state
}

func (w wire) Do(r *http.Request) (*http.Response, error) {
	if w.hook == nil {
		return w.next.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hook(operation, body, func(body []byte) (*http.Response, error) {
		w.mu.Unlock()
		defer w.mu.Lock()
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return w.next.Do(r)
	})
}

func newClient(t *testing.T, h hook) *signed.Client {
	t.Helper()
	cfg := account(t)
	cfg.HTTPClient = wire{cfg.HTTPClient, h, new(sync.Mutex)}
	return dynamo.Client(cfg)
}

// sdk returns the SDK's client, by which tests look at what is stored, and write what the package
// does not.
func sdk(t *testing.T) *dynamodb.Client {
	t.Helper()
	return dynamodb.NewFromConfig(account(t))
}

func account(t *testing.T) aws.Config {
	t.Helper()
	return emulator.Config(emulator.Start(t).DynamoDB)
}

// createTable creates a table with all keys and indexes of the catalog and the ledger.
func createTable(t *testing.T) string {
	t.Helper()
	name := rand.Text()
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: keys(dynamo.PartitionKey, dynamo.SortKey)}
	for _, attribute := range []string{dynamo.PartitionKey, dynamo.SortKey,
		dynamo.EventsPartitionKey, dynamo.EventsSortKey,
		dynamo.OpenPartitionKey, dynamo.TroubledPartitionKey,
		dynamo.TroubledSortKey} {
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{
				AttributeName: &attribute, AttributeType: types.ScalarAttributeTypeS,
			})
	}
	for index, schema := range map[string][]types.KeySchemaElement{
		dynamo.EventsIndex:   keys(dynamo.EventsPartitionKey, dynamo.EventsSortKey),
		dynamo.OpenIndex:     keys(dynamo.OpenPartitionKey, dynamo.SortKey),
		dynamo.TroubledIndex: keys(dynamo.TroubledPartitionKey, dynamo.TroubledSortKey),
	} {
		projection := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
		if more := map[string]string{
			dynamo.EventsIndex: dynamo.Listed, dynamo.OpenIndex: dynamo.DueTime,
		}[index]; more != "" {
			projection = &types.Projection{
				ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{more},
			}
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &index, KeySchema: schema, Projection: projection,
		})
	}
	if _, err := sdk(t).CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	active := dynamodb.NewTableExistsWaiter(sdk(t), func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay = 5 * time.Millisecond
	})
	if err := active.Wait(
		t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, time.Minute,
	); err != nil {
		t.Fatal(err)
	}
	return name
}

func keys(partition, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &partition, KeyType: types.KeyTypeHash}, {
			AttributeName: &sort, KeyType: types.KeyTypeRange,
		}}
}

// scan returns all items of a table.
func scan(t *testing.T, table string) []map[string]types.AttributeValue {
	t.Helper()
	var all []map[string]types.AttributeValue
	for pages := dynamodb.NewScanPaginator(
		sdk(t), &dynamodb.ScanInput{TableName: &table},
	); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
	}
	return all
}

func text(it map[string]types.AttributeValue, name string) string {
	s, _ := it[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

// loseAnswers executes an operation but loses its answer, the first n times.
func loseAnswers(operation string, n int) hook {
	var mu sync.Mutex
	return func(
		op string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		resp, err := next(body)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && op == operation && n > 0 {
			n--
			_ = resp.Body.Close()
			return nil, &lostError{}
		}
		return resp, err
	}
}

// lostError is an error after which the client tries again.
type lostError struct{}

func (*lostError) Error() string         { return "connection reset by peer" }
func (*lostError) ConnectionError() bool { return true }

// sealer reverses secrets and stores their name with them.
type sealer struct{}

func (sealer) Seal(_ context.Context, name string, plain []byte) ([]byte, error) {
	return append([]byte(name+"\x00"), turned(plain)...), nil
}

func (sealer) Open(_ context.Context, name string, sealed []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(name+"\x00"))
	if !ok {
		return nil, errors.New("sealed under another name")
	}
	return turned(rest), nil
}

func turned(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = ^c
	}
	return out
}
