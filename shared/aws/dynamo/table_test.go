package dynamo_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/dynamo"
)

// value is an attribute in DynamoDB's JSON.
type value struct {
	S string `json:",omitempty"`
	N string `json:",omitempty"`
	B string `json:",omitempty"`
}

func (v value) bytes() int {
	plain, _ := base64.StdEncoding.DecodeString(v.B)
	return len(v.S) + len(v.N)/2 + len(plain)
}

// smallTable is a table in memory with the index of events. It knows the calls that record and list
// events, and counts what they cost. Unlike the emulator it is fast.
type smallTable struct {
	mu    sync.Mutex
	items map[string]map[string]value
	index map[string][]map[string]value // by partition, in the order of the sort key
	hours []map[string]value            // the same

	calls      int
	readUnits  float64
	indexUnits int // written
	indexBytes int // of the entries
}

func newSmallTable() *smallTable {
	return &smallTable{
		items: map[string]map[string]value{}, index: map[string][]map[string]value{},
	}
}

func (s *smallTable) ledger() *dynamo.Ledger {
	return dynamo.NewLedger(dynamo.Client(aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://small"), HTTPClient: s,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}), "small", nil)
}

// Do implements the client's transport.
func (s *smallTable) Do(r *http.Request) (*http.Response, error) {
	var in struct {
		Item                      map[string]value
		ConditionExpression       string
		IndexName                 string
		Limit                     int
		ScanIndexForward          bool
		ConsistentRead            bool
		ExpressionAttributeValues map[string]value
		RequestItems              map[string]struct {
			Keys           []map[string]value
			ConsistentRead bool
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	status, out := http.StatusOK, map[string]any{}
	switch operation {
	case "PutItem":
		if !s.put(in.Item, in.ConditionExpression != "") {
			status = http.StatusBadRequest
			out["__type"] = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
		}
	case "Query":
		of := s.hours
		sort := "sk"
		if in.IndexName != "" {
			of, sort = s.index[in.ExpressionAttributeValues[":partition"].S], dynamo.EventsSortKey
		}
		found, more := s.between(
			of, sort, in.ExpressionAttributeValues, in.Limit, in.ScanIndexForward,
		)
		out["Items"] = found
		if more {
			out["LastEvaluatedKey"] = found[len(found)-1]
		}
		s.bill(found, in.ConsistentRead)
	case "BatchGetItem":
		var found []map[string]value
		for _, k := range in.RequestItems["small"].Keys {
			if it := s.items[k["pk"].S+" "+k["sk"].S]; it != nil {
				found = append(found, it)
				s.bill([]map[string]value{it}, in.RequestItems["small"].ConsistentRead)
			}
		}
		out["Responses"] = map[string]any{"small": found}
	case "GetItem": // after a condition that failed; the tests repeat no event
		out["Item"] = nil
	}
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(out)
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(&b),
	}, err
}

func (s *smallTable) put(it map[string]value, unlessThere bool) bool {
	id := it["pk"].S + " " + it["sk"].S
	if s.items[id] != nil && unlessThere {
		return false
	}
	s.items[id] = it
	if it["pk"].S == "hours" {
		s.hours = insert(slices.DeleteFunc(s.hours, func(h map[string]value) bool {
			return h["sk"] == it["sk"]
		}), it, "sk")
	}
	if partition := it[dynamo.EventsPartitionKey].S; partition != "" {
		entry := map[string]value{}
		bytes := 0
		for _, name := range []string{
			"pk", "sk", dynamo.EventsPartitionKey, dynamo.EventsSortKey, dynamo.Listed,
		} {
			entry[name] = it[name]
			bytes += len(name) + it[name].bytes()
		}
		s.index[partition] = insert(s.index[partition], entry, dynamo.EventsSortKey)
		s.indexBytes += bytes
		s.indexUnits += (bytes + 1023) / 1024
	}
	return true
}

func insert(all []map[string]value, it map[string]value, sort string) []map[string]value {
	i, _ := slices.BinarySearchFunc(all, it, func(a, b map[string]value) int {
		return cmp.Compare(a[sort].S, b[sort].S)
	})
	return slices.Insert(all, i, it)
}

func (s *smallTable) between(
	all []map[string]value, sort string, values map[string]value, limit int, forward bool,
) (found []map[string]value, more bool) {
	found = []map[string]value{}
	first, _ := slices.BinarySearchFunc(all, values[":from"].S, func(
		a map[string]value, v string,
	) int {
		return cmp.Compare(a[sort].S, v)
	})
	last, there := slices.BinarySearchFunc(all, values[":to"].S, func(
		a map[string]value, v string,
	) int {
		return cmp.Compare(a[sort].S, v)
	})
	if there {
		last++
	}
	all = all[min(first, last):last]
	for i := range all {
		if len(found) == limit {
			return found, true
		}
		if !forward {
			i = len(all) - 1 - i
		}
		found = append(found, all[i])
	}
	return found, false
}

// bill counts items that are read in one piece.
func (s *smallTable) bill(items []map[string]value, consistent bool) {
	bytes := 0
	for _, it := range items {
		for name, v := range it {
			bytes += len(name) + v.bytes()
		}
	}
	units := float64(max(1, (bytes+4095)/4096))
	if !consistent {
		units /= 2
	}
	s.readUnits += units
}
