package deployed

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"strings"
	"sync"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/lab/runtimeapi"
)

// Usage tells what the stack has used since its start, as AWS bills it; what is the sender's and the endpoints' to know is left zero, and
// processor time is known only after Close.
func (h *Host) Usage() cost.Usage {
	u := cost.Usage{Functions: map[string]cost.Function{}}
	for _, f := range h.functions {
		u.Functions[f.runtime.Name] = f.usage()
	}
	u.Calls, u.StoredBytes = h.meter.read()
	return u
}

// end closes an instance and counts what it took. f.mu must be held.
func (f *function) end(i *runtimeapi.Instance) {
	_ = i.Close() // there is nothing to be done about it
	f.used.ProcessorMs += float64(i.ProcessorTime().Microseconds()) / 1000
}

func (f *function) usage() cost.Function {
	f.mu.Lock()
	defer f.mu.Unlock()
	used := f.used
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
}

// storedItem is what a write to DynamoDB is billed by, beside the new item: the size of the old one, and its entries in indexes.
type storedItem struct {
	bytes   int
	indexes map[string]string // key, by index
}

func newMeter() *meter {
	return &meter{next: http.DefaultTransport, calls: map[string]cost.Calls{}, items: map[string]storedItem{}}
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

// billed is what of a call decides on its price: https://aws.amazon.com/sqs/pricing/ and
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
}

func (m *meter) count(r *http.Request, asked, got []byte, status int) {
	name := service(r)
	var in, out billed
	if name != "s3" {
		// What is no JSON is an error's, and has nothing to count.
		_ = json.Unmarshal(asked, &in)
		_ = json.Unmarshal(got, &out)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	m.mu.Lock()
	defer m.mu.Unlock()
	switch name {
	case "s3":
		m.add(name, r.Method, 1, 0)
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
	m.calls[service+":"+operation] = cost.Calls{Calls: c.Calls + 1, Units: c.Units + units, Fair: c.Fair + fair}
}

func (m *meter) countSQS(operation string, in, out billed) {
	if operation == "GetQueueAttributes" {
		return // Lambda's own, when a mapping is made
	}
	size, group := len(in.MessageBody), in.MessageGroupID
	for _, e := range in.Entries {
		size, group = size+len(e.MessageBody), group+e.MessageGroupID
	}
	for _, message := range out.Messages {
		size += len(message.Body)
	}
	if operation == "ReceiveMessage" && len(out.Messages) == 0 {
		operation = cost.EmptyReceive // billed too, but by the hour that a poller waits and not by event
	}
	units, fair := roundUp(size, 64<<10), 0.0
	if group != "" {
		fair = units
	}
	m.add("sqs", operation, units, fair)
}

func (m *meter) countDynamoDB(operation string, in, out billed, done bool) {
	switch {
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
	case !done: // a condition that does not hold costs as a write does
		m.add("dynamodb", operation, 1, 0)
	default:
		key := in.TableName + keyText(in.Item["pk"]) + keyText(in.Item["sk"])
		before, now := m.items[key], storedItem{bytes: itemBytes(in.Item), indexes: indexKeys(in.Item)}
		m.items[key] = now
		m.add("dynamodb", operation, roundUp(max(before.bytes, now.bytes), 1<<10)+indexWrites(before.indexes, now.indexes), 0)
	}
}

// indexWrites counts the request units of the global secondary indexes, whose entries are small here: one to add an entry or to take
// it away, two to move it.
func indexWrites(before, now map[string]string) float64 {
	writes := 0.0
	names := maps.Clone(now)
	maps.Copy(names, before)
	for name := range names {
		if before[name] == now[name] {
			continue
		}
		for _, key := range []string{before[name], now[name]} {
			if key != "" {
				writes++
			}
		}
	}
	return writes
}

// indexKeys returns the keys that an item has in indexes: attributes called {index}_pk and {index}_sk.
func indexKeys(item map[string]map[string]any) map[string]string {
	keys := map[string]string{}
	for name, value := range item {
		if index, ok := strings.CutSuffix(name, "_pk"); ok {
			keys[index] = keyText(value) + keyText(item[index+"_sk"])
		}
	}
	return keys
}

func keyText(value map[string]any) string {
	text, _ := value["S"].(string)
	return "/" + text
}

// itemBytes is an item's size: names and values, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
// Numbers count by their digits here, which is a little too much.
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

// read returns the calls so far, and the bytes that are stored, with the 100 bytes that DynamoDB adds to each item and each index entry.
func (m *meter) read() (map[string]cost.Calls, int) {
	const overhead = 100
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := 0
	for key, item := range m.items {
		stored += item.bytes + overhead
		for _, index := range item.indexes {
			stored += len(key) + len(index) + overhead
		}
	}
	return maps.Clone(m.calls), stored
}

// roundUp counts the chunks of bytes; there is no call without one.
func roundUp(bytes, chunk int) float64 {
	return max(1, math.Ceil(float64(bytes)/float64(chunk)))
}
