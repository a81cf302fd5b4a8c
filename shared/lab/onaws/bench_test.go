//go:build unix

package onaws_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/lab"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
	"webhook-relay/shared/transform/jq"
	"webhook-relay/shared/transform/jq/program"
	"webhook-relay/shared/verify"
)

// sinkVariable makes the tests' own binary an endpoint, so that its CPU time is not the relay's.
const sinkVariable = "RELAY_TEST_SINK"

func TestMain(m *testing.M) {
	program.ServeIfAsked()
	if os.Getenv(sinkVariable) == "" {
		os.Exit(m.Run())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // for the life of the process
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})))
}

// startSink starts an endpoint, and returns its URL.
func startSink(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), sinkVariable+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = stdin.Close(), cmd.Wait() })
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// sends are what endpoints get in place of the webhook.
var sends = map[string]string{
	"none": "",
	"template": `{"body":{"id":"{data.id}","title":"{data.customer.name}: {data.total}",` +
		`"items":"{data.items[].name}"},"headers":{"x-kind":"{type}"}}`,
	"preset": `{"preset":"slack","text":"{data.customer.name} paid {data.total} {data.currency}"}`,
	"jq":     `{"jq":".data | {id, title: .customer.name, items: [.items[].name]}"}`,
}

// delivering is the function deliver with the adapters that a successful delivery needs: it POSTs
// and records. All else is in memory.
type delivering struct {
	id        int
	receiver  *relay.Receiver
	fanout    *relay.Fanout
	deliverer *relay.Deliverer
	ingest    memory.Queue
	delivery  memory.Queue
}

func newDelivering(b *testing.B, send, sink, table string, cfg aws.Config) *delivering {
	b.Helper()
	var catalogs memory.Catalog
	endpoint := catalog.Endpoint{
		Name: "e", URL: sink, Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	}
	if send != "" {
		endpoint.Sends = map[string]string{"app": send}
	}
	if err := catalogs.ReplaceCatalog(b.Context(), catalog.Catalog{
		Sources: []catalog.Source{{
			Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{token},
		}},
		Endpoints:     []catalog.Endpoint{endpoint},
		Subscriptions: []catalog.Subscription{{Source: "app", Endpoint: "e"}},
	}, 0); err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	runner := jq.New(program.Marked, self)
	b.Cleanup(runner.Close)
	d, states := &delivering{}, &memory.States{}
	ledger := dynamo.NewLedger(dynamo.Client(cfg), table, nil)
	d.receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &catalogs, Ingest: &d.ingest, Bodies: &memory.Bodies{}, Reporter: silent{},
	}))
	d.fanout = lab.Must(relay.NewFanout(relay.FanoutConfig{
		Subscriptions: &catalogs, Events: &memory.Ledger{}, Delivery: &d.delivery,
		Reporter: silent{}, Failures: &memory.Failures{}, Bodies: &memory.Bodies{},
		Poison: &memory.Queue{},
	}))
	d.deliverer = lab.Must(relay.NewDeliverer(relay.DelivererConfig{
		Endpoints: &catalogs, Deliveries: ledger, Bodies: &memory.Bodies{},
		Poster: egress.New(egress.Options{Unguarded: true}), Reporter: silent{}, States: states,
		Quotas: &memory.Quotas{}, Slots: &memory.Slots{}, Failures: &memory.Failures{},
		Keeper: &memory.Ledger{}, Retry: &memory.Queue{}, Dead: &memory.Queue{},
		Poison: &memory.Queue{}, Scheduler: &memory.Scheduler{Queue: &memory.Queue{}}, JQ: runner,
	}))
	return d
}

type silent struct{}

func (silent) Received(context.Context, relay.ReceiveReport)  {}
func (silent) Routed(context.Context, relay.RouteReport)      {}
func (silent) Attempted(context.Context, relay.AttemptReport) {}

const benchBatch = 10

// batch delivers ten webhooks, and returns the CPU time of that.
func (d *delivering) batch(b *testing.B, body []byte) time.Duration {
	b.Helper()
	for range benchBatch {
		d.id++
		if _, err := d.receiver.Receive(b.Context(), relay.Inbound{
			Source: "app", Method: "POST", Body: body, ReceivedAt: time.Now(),
			Header: relay.Header{
				"authorization": "Bearer " + token, "webhook-id": fmt.Sprint(d.id),
				"content-type": "application/json",
			},
		}); err != nil {
			b.Fatal(err)
		}
	}
	consume(b, &d.ingest, d.fanout.Process)
	began := cpuTime(b)
	consume(b, &d.delivery, d.deliverer.Process)
	return cpuTime(b) - began
}

func consume(
	b *testing.B, q *memory.Queue, process func(context.Context, []relay.Message) []relay.Action,
) {
	b.Helper()
	msgs, _ := q.Receive(b.Context(), benchBatch)
	for i, a := range process(b.Context(), msgs) {
		if a.Retry {
			b.Fatal(a.Err)
		}
		_ = q.Ack(b.Context(), msgs[i])
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkTransformed measures the CPU time of a delivery of 1 KiB of JSON with each kind of
// transform, as a multiple of one without. The endpoint, the ledger and jq are processes of their
// own.
func BenchmarkTransformed(b *testing.B) {
	body := []byte(`{"id":"ord_81","total":1990,"currency":"eur","customer":{"name":"Ann É"},` +
		`"items":[` + strings.TrimSuffix(strings.Repeat(
		`{"name":"a thing of words","sku":"0123456789","price":199,"tags":["a","b"]},`, 12,
	), ",") + `]}`)
	services, table := emulator.Start(b), "ledger-"+strings.ToLower(rand.Text())
	cfg := emulator.Config(services.DynamoDB)
	if err := emulator.CreateTable(
		b.Context(), dynamodb.NewFromConfig(cfg), table,
		[2]string{dynamo.PartitionKey, dynamo.SortKey}, map[string][2]string{
			dynamo.OpenIndex: {dynamo.OpenPartitionKey, dynamo.SortKey},
		},
	); err != nil {
		b.Fatal(err)
	}
	sink, runs, used := startSink(b), map[string]*delivering{}, map[string]time.Duration{}
	for name, send := range sends {
		runs[name] = newDelivering(b, send, sink, table, cfg)
		runs[name].batch(b, body) // connects, parses, starts jq
	}
	batches := 0
	for b.Loop() {
		for name, d := range runs { // in turn, so that a busy machine slows all of them
			used[name] += d.batch(b, body)
		}
		batches++
	}
	n := float64(batches * benchBatch)
	b.ReportMetric(float64(used["none"].Microseconds())/n, "none-cpu-µs/delivery")
	for name := range sends {
		if name != "none" {
			b.ReportMetric(float64(used[name])/float64(used["none"]), name+"-ratio")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkJQ measures how much longer a delivery takes with jq: the median of the calls for 1 KiB.
func BenchmarkJQ(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	runner := jq.New(program.Marked, self)
	defer runner.Close()
	e := transform.Event{
		ID: "evt_1", Type: "t", Source: "s", Time: time.Now(), Body: []byte("{}"),
		Data: []byte(`{"id":1,"items":[` + strings.TrimSuffix(
			strings.Repeat(`{"name":"a thing of words","sku":"0123456789"},`, 20), ",",
		) + `]}`),
	}
	parsed, err := transform.Parse([]byte(`{"jq":".data | {id, items: [.items[].name]}"}`))
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := parsed.Apply(b.Context(), e, runner); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
}
