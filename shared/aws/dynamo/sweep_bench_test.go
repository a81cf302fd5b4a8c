package dynamo_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

const (
	sweptEvents = 20_000 // of the hour that is looked at
	busyHour    = 3_600_000
	sweepMiB    = 1769 // of the function sweep
)

// BenchmarkSweep sweeps an hour of a virtual table, in which an event has 2 KB and a delivery 0.7
// KB. It computes what a million events cost, and how long the function takes for an hour with
// 1,000 events a second. The processor time includes the virtual table's, and no TLS.
func BenchmarkSweep(b *testing.B) {
	for _, endpoints := range []int{1, 10, 40} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			table := &virtualTable{endpoints: endpoints}
			began := processorTime(b)
			for b.Loop() {
				table.sweep(b)
			}
			events := float64(b.N * sweptEvents)
			seconds := (processorTime(b) - began).Seconds() / events
			units := float64(table.eighths.Load()) / 8 / events
			billed := seconds * cost.FullProcessorMiB / sweepMiB
			b.ReportMetric(seconds*1e6, "cpu-µs/event")
			b.ReportMetric(units, "units/event")
			b.ReportMetric(float64(table.calls.Load())/events, "calls/event")
			b.ReportMetric(
				1e6*(cost.DynamoRead.Of(units)+cost.LambdaTime.Of(billed*sweepMiB/1024)),
				"USD/million",
			)
			b.ReportMetric(billed*busyHour, "s/busy-hour")
		})
	}
}

// BenchmarkSweepWaits is BenchmarkSweep with calls that take 15 ms each. It shows how long the
// sweep of an hour with 1,000 events a second takes when waiting for answers is the limit.
func BenchmarkSweepWaits(b *testing.B) {
	table := &virtualTable{endpoints: 1, takes: 15 * time.Millisecond}
	for b.Loop() {
		table.sweep(b)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*sweptEvents)*busyHour, "s/busy-hour")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// virtualTable answers the sweeper's reads as a ledger would in which an hour has sweptEvents
// delivered events of the source app, each in an entry of its own.
type virtualTable struct {
	endpoints int
	takes     time.Duration
	calls     atomic.Int64
	eighths   atomic.Int64 // eighths of a read unit; 4 KB cost half a unit
}

var sweptHour = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// sweep sweeps the hour.
func (v *virtualTable) sweep(b *testing.B) {
	b.Helper()
	client := dynamo.Client(aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://virtual"), HTTPClient: v,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	catalogs := &memory.Catalog{}
	if err := catalogs.ReplaceCatalog(
		b.Context(), catalog.Catalog{Sources: []catalog.Source{{Name: "app"}}}, 0,
	); err != nil {
		b.Fatal(err)
	}
	cursors := &memory.Ledger{}
	if err := cursors.SaveSweepCursor(
		b.Context(), operate.SweepCursor{Hour: sweptHour},
	); err != nil {
		b.Fatal(err)
	}
	ledger := dynamo.NewLedger(client, "virtual", nil)
	report, err := lab.Must(operate.NewSweeper(operate.SweeperConfig{
		Names: catalogs, Subscriptions: catalogs, Ledger: ledger, Deliveries: ledger,
		Cursors: cursors, Delivery: &memory.Queue{}, Retry: &memory.Queue{},
		Now: func() time.Time { return sweptHour.Add(3 * time.Hour) },
	})).Run(b.Context())
	if err != nil || report.Events != sweptEvents || report.Delivered != v.endpoints*sweptEvents ||
		report.Unaccounted() != 0 {
		b.Fatalf("%+v, %v", report, err)
	}
}

// Do implements the client's transport.
func (v *virtualTable) Do(r *http.Request) (*http.Response, error) {
	v.calls.Add(1)
	if v.takes > 0 {
		time.Sleep(v.takes)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in struct {
		Limit                     int
		ExpressionAttributeValues map[string]struct{ S string }
		RequestItems              map[string]struct {
			Keys []map[string]struct{ S string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	var answer bytes.Buffer
	if values := in.ExpressionAttributeValues; operation == "BatchGetItem" {
		v.batch(&answer, in.RequestItems["virtual"].Keys)
	} else {
		v.list(&answer, values[":partition"].S, values[":from"].S, in.Limit)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(&answer),
	}, nil
}

// bill counts bytes that are read in one piece.
func (v *virtualTable) bill(bytes int) { v.eighths.Add(int64((bytes + 4095) / 4096 * 4)) }

// list answers a query of the index of events.
func (v *virtualTable) list(out *bytes.Buffer, partition, from string, limit int) {
	shard, _ := strconv.Atoi(partition[strings.LastIndex(partition, "#")+1:])
	next := shard
	if _, first, found := strings.Cut(from, "#MARK"); found {
		next, _ = strconv.Atoi(first)
	}
	if partition != fmt.Sprintf("%s#%d", sweptHour.Format("2006010215"), shard) {
		next = sweptEvents
	}
	out.WriteString(`{"Items":[`)
	n := 0
	sortKey := ""
	for ; n < limit && next < sweptEvents; n, next = n+1, next+8 {
		if n > 0 {
			out.WriteByte(',')
		}
		id := sweptID(next)
		sortKey = "2026-01-02T03:04:05.678Z#MARK" + strconv.Itoa(next)
		out.WriteString(
			`{"pk":{"S":"` + id + `"},"sk":{"S":"event"},"events_pk":{"S":"` + partition +
				`"},"events_sk":{"S":"` + sortKey + `"},"listed":{"B":"` + sweptEntry(next) + `"}}`,
		)
	}
	out.WriteString(`]`)
	if n == limit {
		out.WriteString(`,"LastEvaluatedKey":{"events_sk":{"S":"` + sortKey + `"}}`)
	}
	out.WriteString(`}`)
	v.bill(200 * n)
}

var sweptEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

// sweptID returns the id of an event: its number, in 20 bytes.
func sweptID(n int) string { return "evt_" + sweptEncoding.EncodeToString(sweptBytes(n)) }

func sweptBytes(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 12), uint64(n)) }

// sweptEntry returns what an event's entry lists: the id, no age, and the names "", app and push.
func sweptEntry(n int) string {
	listed := append([]byte{1, 0}, sweptBytes(n)...)
	listed = append(listed, "\x00\x00\x00\x00\x03app\x00\x04push"...)
	return base64.StdEncoding.EncodeToString(listed)
}

const far = `"expires_at":{"N":"4102444800"}`

func (v *virtualTable) batch(out *bytes.Buffer, keys []map[string]struct{ S string }) {
	out.WriteString(`{"Responses":{"virtual":[`)
	for i, k := range keys {
		if i > 0 {
			out.WriteByte(',')
		}
		id, sort := k["pk"].S, k["sk"].S
		if sort == "event" {
			raw, _ := sweptEncoding.DecodeString(strings.TrimPrefix(id, "evt_"))
			mark := "MARK" + strconv.FormatUint(binary.BigEndian.Uint64(raw[12:]), 10)
			out.WriteString(
				`{"pk":{"S":"` + id + `"},"sk":{"S":"event"},` + far + `,"mark":{"S":"` + mark +
					`"},"endpoints":{"S":"`,
			)
			for e := range v.endpoints {
				if e > 0 {
					out.WriteByte(',')
				}
				out.WriteString("endpoint-" + strconv.Itoa(e))
			}
			out.WriteString(`"}}`)
			v.bill(2000 + 12*v.endpoints)
			continue
		}
		delivered(out, id, sort)
		v.bill(700)
	}
	out.WriteString(`]},"UnprocessedKeys":{}}`)
}

func delivered(out *bytes.Buffer, id, sort string) {
	out.WriteString(
		`{"pk":{"S":"` + id + `"},"sk":{"S":"` + sort + `"},` + far +
			`,"status":{"S":"delivered"}}`,
	)
}
