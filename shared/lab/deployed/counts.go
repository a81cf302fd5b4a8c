package deployed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/lab/runtimeapi"
)

// Usage returns what the stack has used since its start, as AWS bills it. Values that only the
// sender and the endpoints know are zero. Processor time lacks that of instances which work at the
// moment.
func (h *Host) Usage() cost.Usage {
	u := cost.Usage{Functions: map[string]cost.Function{}}
	for _, f := range h.functions {
		u.Functions[f.runtime.Name] = f.usage()
	}
	u.Calls, u.StoredBytes, u.ObjectBytes = h.meter.read()
	return u
}

// end closes an instance and counts what it used. The caller holds f.mu.
func (f *function) end(i *runtimeapi.Instance) {
	_ = i.Close() // an error changes nothing here
	f.used.ProcessorMs += milliseconds(i.ProcessorTime())
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (f *function) usage() cost.Function {
	f.mu.Lock()
	defer f.mu.Unlock()
	used := f.used
	for _, i := range f.idle {
		used.ProcessorMs += milliseconds(i.ProcessorTime())
	}
	used.MemoryMiB = f.runtime.MemoryMB
	if l, ok := f.runtime.Log.(*logs); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		used.LoggedBytes, used.LoggedEvents = l.bytes, l.lines
	}
	return used
}

// meter counts calls as AWS bills them. It is safe for concurrent use.
type meter struct {
	next http.RoundTripper

	mu    sync.Mutex
	calls map[string]cost.Calls
	items map[string]storedItem // by table and key

	objects map[string]int // in S3: bytes, by path
}

// storedItem is an item of DynamoDB, as far as a later write is billed by it: its size and its
// entries in indexes.
type storedItem struct {
	bytes   int
	indexes map[string]indexEntry // by index
}

// indexEntry is an item's entry in an index.
type indexEntry struct{ key, projected string }

func newMeter() *meter {
	return &meter{
		next: http.DefaultTransport, calls: map[string]cost.Calls{}, items: map[string]storedItem{},
		objects: map[string]int{},
	}
}

// RoundTrip makes a call and counts it.
func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked []byte
	if r.Body != nil {
		var err error
		if asked, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(asked))
	}
	answer, err := m.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(answer.Body)
	if err := answer.Body.Close(); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(got))
	if err == nil {
		m.count(r, asked, got, answer.StatusCode)
	}
	return answer, err
}

// billed is the part of a call that decides its price: https://aws.amazon.com/sqs/pricing/ and
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html.
type billed struct {
	MessageBody, MessageGroupID string
	Entries                     []struct{ MessageBody, MessageGroupID string }
	Messages                    []struct{ Body string }

	TableName      string
	IndexName      string
	ConsistentRead bool
	Item           map[string]map[string]any
	Items          []map[string]map[string]any

	RequestItems              map[string]struct{ ConsistentRead bool } // by table
	Responses                 map[string][]map[string]map[string]any   // by table
	Key                       map[string]map[string]any
	ExpressionAttributeValues map[string]map[string]any
	TransactItems             []map[string]billed
}

func (m *meter) count(r *http.Request, asked, got []byte, status int) {
	name := service(r)
	var in, out billed
	if name != "s3" {
		// Text that is no JSON belongs to an error, and has nothing to count.
		_ = json.Unmarshal(asked, &in)
		_ = json.Unmarshal(got, &out)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	m.mu.Lock()
	defer m.mu.Unlock()
	switch name {
	case "s3":
		m.add(name, r.Method, 1, 0)
		if r.Method == http.MethodPut {
			m.objects[r.URL.Path] = len(asked)
		}
	case "kms":
		m.add(name, operation+cost.OfCatalog, 1, 0)
	case "sqs":
		m.countSQS(operation, in, out)
	case "dynamodb":
		m.countDynamoDB(operation, in, out, status < http.StatusBadRequest)
	case "scheduler":
		m.add(name, "CreateSchedule", 1, 0)
	default:
		m.add(name, operation, 1, 0)
	}
}

func (m *meter) add(service, operation string, units, fair float64) {
	c := m.calls[service+":"+operation]
	m.calls[service+":"+operation] = cost.Calls{
		Calls: c.Calls + 1, Units: c.Units + units, Fair: c.Fair + fair,
	}
}

func (m *meter) countSQS(operation string, in, out billed) {
	if operation == "GetQueueAttributes" {
		return // made by Lambda when a mapping is created
	}
	size, group := len(in.MessageBody), in.MessageGroupID
	for _, e := range in.Entries {
		size, group = size+len(e.MessageBody), group+e.MessageGroupID
	}
	for _, message := range out.Messages {
		size += len(message.Body)
	}
	if operation == "ReceiveMessage" && len(out.Messages) == 0 {
		operation = cost.EmptyReceive // billed too, but by the hours of polling, not by events
	}
	units, fair := roundUp(size, 64<<10), 0.0
	if group != "" {
		fair = units
	}
	m.add("sqs", operation, units, fair)
}

func (m *meter) countDynamoDB(operation string, in, out billed, done bool) {
	switch {
	case operation == "BatchGetItem":
		m.add("dynamodb", operation, batchReads(in, out), 0)
	case strings.HasPrefix(operation, "Transact"):
		m.add("dynamodb", operation, transactWrites(in), 0)
	case operation == "UpdateItem" || operation == "DeleteItem":
		m.add("dynamodb", operation, in.written(), 0)
	case operation != "PutItem":
		size := itemBytes(out.Item)
		for _, item := range out.Items {
			size += itemBytes(item)
		}
		units := roundUp(size, 4<<10)
		if !in.ConsistentRead {
			units /= 2
		}
		if strings.HasPrefix(in.TableName, "catalog-") {
			operation += cost.OfCatalog
		}
		if in.IndexName == dynamo.TroubledIndex {
			operation += cost.OfTrouble
		}
		m.add("dynamodb", operation, units, 0)
	case !done: // a write whose condition fails costs as much as a write
		m.add("dynamodb", operation, 1, 0)
	default:
		key := in.TableName + keyText(in.Item["pk"]) + keyText(in.Item["sk"])
		before, now := m.items[key],
			storedItem{bytes: itemBytes(in.Item), indexes: indexEntries(in.Item)}
		m.items[key] = now
		m.add(
			"dynamodb", operation,
			roundUp(max(before.bytes, now.bytes), 1<<10)+indexWrites(before.indexes, now.indexes),
			0,
		)
	}
}

// written returns the request units of a write, as far as its own parts show. An update of a large
// item costs more.
func (in billed) written() float64 {
	return roundUp(
		itemBytes(in.Item)+itemBytes(in.Key)+itemBytes(in.ExpressionAttributeValues), 1<<10,
	)
}

// transactWrites counts the request units of a transaction: two for each that a write costs.
func transactWrites(in billed) (units float64) {
	for _, parts := range in.TransactItems {
		for _, part := range parts {
			units += 2 * part.written()
		}
	}
	return units
}

// batchReads counts the request units of a batch, whose items are billed one by one.
func batchReads(in, out billed) (units float64) {
	for table, items := range out.Responses {
		for _, item := range items {
			read := roundUp(itemBytes(item), 4<<10)
			if !in.RequestItems[table].ConsistentRead {
				read /= 2
			}
			units += read
		}
	}
	return units
}

// indexWrites counts the request units of the global secondary indexes, whose entries are small
// here: one to add or remove an entry, or to change what it projects, and two to move it.
func indexWrites(before, now map[string]indexEntry) float64 {
	writes := 0.0
	names := maps.Clone(now)
	maps.Copy(names, before)
	for name := range names {
		b, n := before[name], now[name]
		switch {
		case b == n:
		case b.key == n.key || b.key == "" || n.key == "":
			writes++
		default:
			writes += 2
		}
	}
	return writes
}

// indexEntries returns an item's entries in indexes. Their keys are the attributes {index}_pk and
// {index}_sk, which may be missing: then the index has the table's sort key. OpenIndex projects
// DueTime.
func indexEntries(item map[string]map[string]any) map[string]indexEntry {
	entries := map[string]indexEntry{}
	for name, value := range item {
		if index, ok := strings.CutSuffix(name, "_pk"); ok {
			e := indexEntry{key: keyText(value) + keyText(item[index+"_sk"])}
			if index == dynamo.OpenIndex {
				e.projected = fmt.Sprint(item[dynamo.DueTime]["N"])
			}
			entries[index] = e
		}
	}
	return entries
}

func keyText(value map[string]any) string {
	text, _ := value["S"].(string)
	return "/" + text
}

// itemBytes returns an item's size: its names and values
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
// Numbers count by their digits here, which is slightly too much.
func itemBytes(item map[string]map[string]any) int {
	size := 0
	for name, value := range item {
		size += len(name)
		for kind, v := range value {
			text, _ := v.(string)
			if kind == "B" {
				size += len(text) / 4 * 3
			} else {
				size += len(text)
			}
		}
	}
	return size
}

// read returns the calls so far, and the stored bytes of tables and of objects. Those of tables
// include the 100 bytes that DynamoDB adds to each item and each index entry.
func (m *meter) read() (calls map[string]cost.Calls, stored, objects int) {
	const overhead = 100
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, item := range m.items {
		stored += item.bytes + overhead
		for _, index := range item.indexes {
			stored += len(key) + len(index.key) + len(index.projected) + overhead
		}
	}
	for _, bytes := range m.objects {
		objects += bytes
	}
	return maps.Clone(m.calls), stored, objects
}

// roundUp returns the number of chunks. A call has at least one.
func roundUp(bytes, chunk int) float64 {
	return max(1, math.Ceil(float64(bytes)/float64(chunk)))
}
