package onaws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// mode is what happens to a call to an AWS service.
type mode string

const (
	none          mode = "no fault"
	refused       mode = "no connection"
	failed        mode = "500, nothing done"
	throttled     mode = "throttled"
	unanswered    mode = "nothing done, no answer in time"
	lost          mode = "takes effect, connection reset"
	late          mode = "takes effect, no answer in time"
	failedLate    mode = "takes effect, 500"
	brokenOff     mode = "takes effect, the answer breaks off"
	killBefore    mode = "process killed before"
	killAfter     mode = "process killed after"
	failEntry     mode = "the first entry fails"
	failStored    mode = "the first entry takes effect, and fails"
	throttleEntry mode = "the last entry is throttled"
)

// takesEffect tells whether the service executes the call.
func (m mode) takesEffect() bool {
	return m == none || m == lost || m == late || m == failedLate || m == brokenOff ||
		m == killAfter
}

func (m mode) kills() bool   { return m == killBefore || m == killAfter }
func (m mode) partial() bool { return m == failEntry || m == failStored || m == throttleEntry }

// strike is what happens to a call and to the next calls to the same service. calls is their number
// in all.
type strike struct {
	mode  mode
	calls int
}

func (s strike) String() string {
	if s.calls > 1 {
		return fmt.Sprintf("%s, %d times", s.mode, s.calls)
	}
	return string(s.mode)
}

// fault strikes the n-th call of a kind. The zero fault strikes none.
type fault struct {
	strike
	kind string
	n    int
}

var errKilled = errors.New("killed")

// timeout is net/http's error for an answer that does not arrive in time.
type timeout struct{}

func (timeout) Error() string { return "timeout awaiting response headers" }
func (timeout) Timeout() bool { return true }

// call is a request to an AWS service.
type call struct {
	function, service, operation, resource string

	doc map[string]any // its JSON; nil for S3
	// in seconds, removed from a call to SQS, by the entry's id; "" for a single message
	delays map[string]float64
}

// kind identifies equal calls in different runs.
func (c *call) kind() string { return c.function + ": " + c.operation + " " + c.resource }

// batch tells whether single entries of the call can fail.
func (c *call) batch() bool { return c.service == "sqs" && strings.HasSuffix(c.operation, "Batch") }

// textOf returns a string in JSON, "" if it is absent.
func textOf(doc any, path ...string) string {
	for _, name := range path {
		members, _ := doc.(map[string]any)
		doc = members[name]
	}
	s, _ := doc.(string)
	return s
}

// readCall reads which call a request makes.
func readCall(r *http.Request, body []byte) (*call, error) {
	if strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/") {
		return &call{service: "lambda", operation: "Invoke", resource: "function"}, nil
	}
	protocol, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if protocol == "" && !strings.HasPrefix(r.URL.Path, "/schedules/") {
		operation = map[string]string{
			http.MethodGet: "GetObject", http.MethodPut: "PutObject",
		}[r.Method]
		return &call{service: "s3", operation: operation, resource: "body"}, nil
	}
	c := &call{operation: operation}
	if err := json.Unmarshal(body, &c.doc); err != nil {
		return nil, err
	}
	switch {
	case protocol == "AmazonSQS":
		c.service = "sqs"
		queue := textOf(c.doc, "QueueUrl")
		c.resource, _, _ = strings.Cut(queue[strings.LastIndex(queue, "/")+1:], "_")
	case strings.HasPrefix(protocol, "DynamoDB"):
		c.service, c.resource = "dynamodb", c.item()
	case protocol == "TrentService":
		c.service, c.resource = "kms", "secret"
	case protocol == "secretsmanager":
		c.service, c.resource = "secretsmanager", "secret"
	default:
		c.service, c.operation, c.resource = "scheduler", "CreateSchedule", "retry"
	}
	return c, nil
}

// deliveryPrefix begins the partition of a delivery's item: its endpoint and a shard follow.
const deliveryPrefix = "delivery#"

// item names the subject of a call to DynamoDB: the kind of the ledger's item, or the index, else
// the table.
func (c *call) item() string {
	table, _, _ := strings.Cut(textOf(c.doc, "TableName"), "-")
	partition, sort := textOf(c.doc, "Item", "pk", "S")+textOf(c.doc, "Key", "pk", "S"),
		textOf(c.doc, "Item", "sk", "S")+textOf(c.doc, "Key", "sk", "S")
	switch {
	case c.operation == "BatchGetItem":
		return "ledger"
	case textOf(c.doc, "IndexName") != "":
		return textOf(c.doc, "IndexName")
	case partition == "learned" || partition == "hours":
		return partition
	case strings.HasPrefix(partition, "doc/"):
		collection, _, _ := strings.Cut(strings.TrimPrefix(partition, "doc/"), "/")
		return collection
	case strings.HasPrefix(partition, deliveryPrefix):
		return "delivery"
	case table == "ledger" && sort != "":
		kind, _, _ := strings.Cut(sort, "#")
		return kind
	}
	return table
}

// wire connects a run's functions with the services. The fault decides whether a call takes effect
// and whether it is answered. Delays are removed from calls to SQS and passed to the run, which has
// its own clock.
type wire struct {
	fault fault
	next  http.RoundTripper
	// called for each call that took effect, with SQS's answer
	done func(c *call, answer map[string]any)
	note func(format string, args ...any)

	mu      sync.Mutex
	counts  map[string]int // of calls, by kind
	left    int            // calls that the fault still strikes, after it has begun
	service string         // the service that it strikes
	dead    bool           // the process is dead until the run starts another
	// of the run; it grows when more time has passed than FIFO queues remember a deduplication id
	age int
}

// port is the transport of one function.
type port struct {
	*wire
	function string
}

// RoundTrip implements http.RoundTripper.
func (w port) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	c, err := readCall(r, body)
	if err != nil {
		return nil, err
	}
	c.function = w.function
	m, err := w.fate(c)
	if err != nil {
		return nil, err
	}
	var answer *http.Response
	if m.takesEffect() || m.partial() {
		if answer, err = w.forward(r, c, body, m); err != nil {
			return nil, err
		}
	}
	if m.kills() {
		w.mu.Lock()
		w.dead = true
		w.mu.Unlock()
	}
	return outcome(r, c, m, answer)
}

// fate decides what happens to a call.
func (w *wire) fate(c *call) (mode, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return none, errKilled
	}
	w.counts[c.kind()]++
	m := none
	switch f := w.fault; {
	case c.kind() == f.kind && w.counts[f.kind] == f.n:
		m, w.service, w.left = f.mode, c.service, f.calls-1
	case w.left > 0 && c.service == w.service:
		m = f.mode
		w.left--
	}
	if m.partial() && !c.batch() { // an entry that is sent again alone
		m = throttled
	}
	w.note("%s: %s", c.kind(), m)
	return m, nil
}

// forward lets the service execute the call, without the entry that must fail.
func (w *wire) forward(r *http.Request, c *call, body []byte, m mode) (*http.Response, error) {
	if c.service != "sqs" {
		resp, err := w.send(r, body)
		if err == nil && resp.StatusCode < 300 {
			w.done(c, nil)
		}
		return resp, err
	}
	c.takeTimes(w.age)
	failed := c.takeEntry(m)
	answer := map[string]any{}
	if entries, _ := c.doc["Entries"].([]any); !c.batch() || len(entries) > 0 {
		body, err := json.Marshal(c.doc)
		if err != nil {
			return nil, err
		}
		resp, err := w.send(r, body)
		if err != nil || resp.StatusCode >= 300 {
			return resp, err
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return nil, err
		}
	}
	w.done(c, answer)
	if failed != nil {
		accepted, _ := answer["Successful"].([]any)
		answer["Successful"] = slices.DeleteFunc(accepted, func(a any) bool {
			return textOf(a, "Id") == failed["Id"]
		})
		answer["Failed"] = []any{failed}
	}
	return jsonResponse(r, http.StatusOK, answer), nil
}

// takeTimes removes from a call to SQS what depends on its clock: delays and the time of a hold.
// FIFO queues remember a deduplication id for a limited time, so the run's age becomes a part of
// it.
func (c *call) takeTimes(age int) {
	c.delays = map[string]float64{}
	entries, _ := c.doc["Entries"].([]any)
	if c.operation == "ChangeMessageVisibilityBatch" {
		for _, e := range entries {
			entry := e.(map[string]any)
			c.delays[textOf(entry, "Id")], _ = entry["VisibilityTimeout"].(float64)
			entry["VisibilityTimeout"] = outOfSight
		}
		return
	}
	for _, e := range append(entries, c.doc) {
		entry := e.(map[string]any)
		c.delays[textOf(entry, "Id")], _ = entry["DelaySeconds"].(float64)
		delete(entry, "DelaySeconds")
		if name := textOf(entry, "MessageDeduplicationId"); name != "" {
			entry["MessageDeduplicationId"] = fmt.Sprint(name, "-", age)
		}
	}
}

// takeEntry returns the error for the entry that fails, nil if none does. It removes the entry
// unless it must take effect.
func (c *call) takeEntry(m mode) map[string]any {
	if !m.partial() {
		return nil
	}
	entries := c.doc["Entries"].([]any)
	i, failed := 0, map[string]any{"Code": "InternalError", "SenderFault": false}
	if m == throttleEntry {
		i, failed = len(entries)-1, map[string]any{"Code": "RequestThrottled", "SenderFault": true}
	}
	failed["Id"] = textOf(entries[i], "Id")
	if m != failStored {
		c.doc["Entries"] = slices.Delete(entries, i, i+1)
	}
	return failed
}

// send returns the service's answer when it is complete.
func (w *wire) send(r *http.Request, body []byte) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	whole, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(whole))
	return resp, err
}

// outcome is what the client sees.
func outcome(r *http.Request, c *call, m mode, answer *http.Response) (*http.Response, error) {
	switch m {
	case refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case lost:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	case unanswered, late:
		return nil, timeout{}
	case failed, failedLate:
		return c.refusal(r, http.StatusInternalServerError, "InternalFailure"), nil
	case throttled:
		t := throttling[c.service]
		return c.refusal(r, t.status, t.code), nil
	case brokenOff:
		whole, err := io.ReadAll(answer.Body)
		answer.Body = io.NopCloser(io.MultiReader(
			bytes.NewReader(whole[:len(whole)/2]), brokenReader{},
		))
		return answer, err
	case killBefore, killAfter:
		return nil, errKilled
	default:
		return answer, nil
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// throttling is each service's answer when it is throttled, from its API reference, Errors or
// Common Errors.
var throttling = map[string]struct {
	status int
	code   string
}{
	"sqs":       {http.StatusBadRequest, "RequestThrottled"},
	"dynamodb":  {http.StatusBadRequest, "ProvisionedThroughputExceededException"},
	"kms":       {http.StatusBadRequest, "ThrottlingException"},
	"s3":        {http.StatusServiceUnavailable, "SlowDown"},
	"scheduler": {http.StatusTooManyRequests, "ThrottlingException"},

	"secretsmanager": {http.StatusBadRequest, "ThrottlingException"},
	"lambda":         {http.StatusTooManyRequests, "TooManyRequestsException"},
}

// refusal answers with an error in the service's protocol.
func (c *call) refusal(r *http.Request, status int, code string) *http.Response {
	if c.service != "s3" {
		resp := jsonResponse(r, status, map[string]any{"__type": code, "message": "injected"})
		if c.service == "scheduler" {
			resp.Header.Set("X-Amzn-Errortype", code)
		}
		return resp
	}
	return response(
		r, status, "application/xml",
		[]byte("<Error><Code>"+code+"</Code><Message>injected</Message></Error>"),
	)
}

func jsonResponse(r *http.Request, status int, doc map[string]any) *http.Response {
	body, _ := json.Marshal(doc) // it was decoded from JSON
	return response(r, status, "application/x-amz-json-1.0", body)
}

func response(r *http.Request, status int, contentType string, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(
			status, " ", http.StatusText(status),
		), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {contentType},
		}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}
