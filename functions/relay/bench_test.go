package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/local/gateway"
	"webhook-relay/shared/relay/access"
)

// The end-to-end benchmarks compare the local host with a bare relay in the same run. The bare
// relay accepts a webhook, appends it to a log (one fsync for all webhooks that have gathered),
// answers, and POSTs it to its endpoints. It has no verification, no queue, no record and no retry.
// Senders, relay and endpoints share this machine, so only the ratios are meaningful.

const (
	benchSenders  = 32
	benchWebhooks = 4000 // for each round
	benchBody     = 1 << 10
)

// BenchmarkThroughput has 32 senders send durable webhooks of 1 KiB as fast as they can, and
// measures until all are delivered.
func BenchmarkThroughput(b *testing.B) {
	for _, fanout := range []int{1, 10} {
		b.Run(fmt.Sprintf("fanout=%d", fanout), func(b *testing.B) {
			target := newCounter(b, fanout)
			bare, relay := startBare(b, target.urls), startRelay(b, target.urls)
			var bareTime, relayTime time.Duration
			for b.Loop() {
				bareTime += target.round(b, bare, benchWebhooks)
				relayTime += target.round(b, relay, benchWebhooks)
			}
			sent := float64(b.N * benchWebhooks)
			b.ReportMetric(sent/bareTime.Seconds(), "bare-events/s")
			b.ReportMetric(sent/relayTime.Seconds(), "relay-events/s")
			b.ReportMetric(sent*float64(fanout)/relayTime.Seconds(), "relay-deliveries/s")
			b.ReportMetric(bareTime.Seconds()/relayTime.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLatency sends 100 events/s, and measures from the beginning of the request to the
// arrival at the endpoint.
func BenchmarkLatency(b *testing.B) {
	target := newCounter(b, 1)
	bare, relay := startBare(b, target.urls), startRelay(b, target.urls)
	var bareTimes, relayTimes []time.Duration
	for b.Loop() {
		bareTimes = append(bareTimes, target.paced(b, bare)...)
		relayTimes = append(relayTimes, target.paced(b, relay)...)
	}
	for _, p := range []int{50, 99} {
		x, y := percentile(bareTimes, p), percentile(relayTimes, p)
		b.ReportMetric(float64(x.Microseconds())/1000, fmt.Sprintf("bare-p%d-ms", p))
		b.ReportMetric(float64(y.Microseconds())/1000, fmt.Sprintf("relay-p%d-ms", p))
		b.ReportMetric(float64(y)/float64(x), fmt.Sprintf("ratio-p%d", p))
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIllEndpoints sends 50 events/s to ten endpoints in turn. In one run all are well. In the
// other three are ill: one hangs for its whole timeout, one resets its connections, one answers 500
// at once. It compares the latencies of the other seven. It alternates several rounds of both runs,
// because in a single round one slow fsync would decide the p99.
func BenchmarkIllEndpoints(b *testing.B) {
	well, ill := newCounter(b, 10), newCounter(b, 10)
	ill.ill = map[string]http.HandlerFunc{
		"/7": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"/8": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"/9": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		},
	}
	a, c := startRelay(b, well.urls, eachItsOwn), startRelay(b, ill.urls, eachItsOwn)
	const rounds = 5
	var without, with []time.Duration
	for b.Loop() {
		for range rounds {
			without = append(without, well.spread(b, a)...)
			with = append(with, ill.spread(b, c)...)
		}
	}
	for _, p := range []int{50, 99} {
		x, y := percentile(without, p), percentile(with, p)
		b.ReportMetric(float64(x.Microseconds())/1000, fmt.Sprintf("without-p%d-ms", p))
		b.ReportMetric(float64(y.Microseconds())/1000, fmt.Sprintf("with-p%d-ms", p))
		b.ReportMetric(float64(y)/float64(x), fmt.Sprintf("ratio-p%d", p))
	}
	b.ReportMetric(0, "ns/op")
}

func percentile(times []time.Duration, p int) time.Duration {
	slices.Sort(times)
	return times[min(len(times)*p/100, len(times)-1)]
}

// counter is a set of endpoints. They count the webhooks that arrive and note the time of each.
type counter struct {
	urls    []string
	ill     map[string]http.HandlerFunc // handlers of ill endpoints, which do not count, by path
	arrived atomic.Int64
	goal    atomic.Int64
	reached chan struct{}
	times   sync.Map // arrival by the webhook's own id, which is its body's first 26 bytes
}

func newCounter(b *testing.B, endpoints int) *counter {
	c := &counter{reached: make(chan struct{}, 1)}
	server := newServer(b, http.HandlerFunc(c.serve))
	for i := range endpoints {
		c.urls = append(c.urls, fmt.Sprintf("http://%s/%d", server, i))
	}
	return c
}

func (c *counter) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.times.Store(string(body[:26]), time.Now())
	if answer := c.ill[r.URL.Path]; answer != nil {
		answer(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	if c.arrived.Add(1) == c.goal.Load() {
		c.reached <- struct{}{}
	}
}

// round sends n webhooks from 32 senders. It returns the time until each had reached every
// endpoint.
func (c *counter) round(b *testing.B, to string, n int) time.Duration {
	c.goal.Store(c.arrived.Load() + int64(n*len(c.urls)))
	var next atomic.Int64
	began := time.Now()
	var senders sync.WaitGroup
	for range benchSenders {
		senders.Go(func() {
			for next.Add(1) <= int64(n) {
				c.send(b, to+"/in/app", newBody())
			}
		})
	}
	senders.Wait()
	<-c.reached
	return time.Since(began)
}

// paced sends 100 webhooks/s for two seconds and returns their latencies.
func (c *counter) paced(b *testing.B, to string) []time.Duration {
	return c.pace(b, 200, 10*time.Millisecond, func(int) (string, bool) {
		return to + "/in/app", true
	})
}

// spread sends 50 webhooks/s for six seconds to ten endpoints in turn, and returns the latencies of
// the first seven.
func (c *counter) spread(b *testing.B, to string) []time.Duration {
	return c.pace(b, 300, 20*time.Millisecond, func(i int) (string, bool) {
		return fmt.Sprintf("%s/in/app%d", to, i%10), i%10 < 7
	})
}

// pace sends n webhooks, each to the URL that the function returns. It returns the latencies of the
// webhooks that the function selects.
func (c *counter) pace(
	b *testing.B, n int, every time.Duration, url func(i int) (string, bool),
) []time.Duration {
	sent := map[string]time.Time{}
	var senders sync.WaitGroup
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		body := newBody()
		to, measured := url(i)
		if measured {
			sent[string(body[:26])] = time.Now()
		}
		senders.Go(func() { c.send(b, to, body) })
	}
	senders.Wait()
	var took []time.Duration
	for id, began := range sent {
		for {
			if at, ok := c.times.LoadAndDelete(id); ok {
				took = append(took, at.(time.Time).Sub(began))
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return took
}

var bodies atomic.Int64

// newBody returns a webhook of 1 KiB that begins with an id of 26 bytes.
func newBody() []byte {
	body := fmt.Appendf(make([]byte, 0, benchBody), "%026d", bodies.Add(1))
	return append(body, bytes.Repeat([]byte("x"), benchBody-len(body))...)
}

var benchClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}

func (c *counter) send(b *testing.B, url string, body []byte) {
	req, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, url, bytes.NewReader(body),
	)
	if err != nil {
		b.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer token")
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("Webhook-Id", string(body[:26]))
	resp, err := benchClient.Do(req)
	if err != nil {
		b.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Errorf("status %d", resp.StatusCode)
	}
}

// newServer serves on a free port until the benchmark ends.
func newServer(b *testing.B, h http.Handler) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

// eachItsOwn is an option of startRelay: a source for each endpoint (app0 to app9) instead of one
// source for all.
const eachItsOwn = "each its own"

// startRelay starts the local host with a configuration for urls, and returns its base URL.
func startRelay(b *testing.B, urls []string, options ...string) string {
	h, err := openHost(b.TempDir(), hostOptions{Reporter: silent{}})
	if err != nil {
		b.Fatal(err)
	}
	var sources, endpoints, subscriptions strings.Builder
	for i, url := range urls {
		source := "app"
		if len(options) > 0 {
			source = fmt.Sprint("app", i)
		}
		if len(options) > 0 || i == 0 {
			fmt.Fprintf(&sources, "  - {name: %s, provider: bearer, secrets: [token]}\n", source)
		}
		fmt.Fprintf(&endpoints, "  - {name: e%d, url: %s, timeout: 5s}\n", i, url)
		fmt.Fprintf(&subscriptions, "  - {source: %s, endpoint: e%d}\n", source, i)
	}
	text := "sources:\n" + sources.String() + "endpoints:\n" + endpoints.String() +
		"subscriptions:\n" + subscriptions.String()
	if err := h.apply(
		context.Background(), admin.Principal{Role: access.Admin}, configFile{
			name: "bench.yaml", File: admin.File{File: text},
		},
		func(string, ...any) {},
	); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- h.consume(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		_ = h.close()
	})
	return "http://" + newServer(b, gateway.New(h.receive))
}

// bareRelay is the bare relay that the benchmarks compare with.
type bareRelay struct {
	urls    []string
	appends chan bareAppend
	posts   chan []byte
}

type bareAppend struct {
	line []byte
	done chan struct{}
}

func startBare(b *testing.B, urls []string) string {
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	r := &bareRelay{
		urls: urls, appends: make(chan bareAppend, 1024), posts: make(chan []byte, 1<<16),
	}
	go r.write(b, log)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for range 64 {
		go func() {
			for body := range r.posts {
				for _, url := range urls {
					req, _ := http.NewRequestWithContext(
						context.Background(), http.MethodPost, url, bytes.NewReader(body),
					)
					if resp, err := client.Do(req); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
				}
			}
		}()
	}
	return "http://" + newServer(b, r)
}

func (r *bareRelay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	line, _ := json.Marshal(struct {
		Header http.Header
		Body   []byte
	}{req.Header, body})
	a := bareAppend{append(line, '\n'), make(chan struct{})}
	r.appends <- a
	<-a.done
	_, _ = io.WriteString(w, "{}")
	r.posts <- body
}

// write appends all lines that have gathered with one write and one fsync.
func (r *bareRelay) write(b *testing.B, log *os.File) {
	for first := range r.appends {
		group := []bareAppend{first}
		for more := true; more; {
			select {
			case a := <-r.appends:
				group = append(group, a)
			default:
				more = false
			}
		}
		var lines []byte
		for _, a := range group {
			lines = append(lines, a.line...)
		}
		if _, err := log.Write(lines); err != nil {
			b.Error(err)
		}
		if err := log.Sync(); err != nil {
			b.Error(err)
		}
		for _, a := range group {
			close(a.done)
		}
	}
}
