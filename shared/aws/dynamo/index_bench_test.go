package dynamo_test

import (
	"fmt"
	"testing"
	"time"

	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// BenchmarkIndexWrites records events in batches, and counts what their entries in the index of
// events take. The reference is a batch of one: an entry for each event.
func BenchmarkIndexWrites(b *testing.B) {
	for _, tt := range []struct{ events, tenants int }{{1, 1}, {10, 1}, {10, 10}} {
		b.Run(fmt.Sprintf("events=%d/tenants=%d", tt.events, tt.tenants), func(b *testing.B) {
			table := newSmallTable()
			l := table.ledger()
			n := 0
			for b.Loop() {
				recordMany(b, l, &n, tt.events, tt.events, tt.tenants, time.Millisecond)
			}
			b.ReportMetric(float64(table.indexUnits)/float64(n), "units/event")
			b.ReportMetric(float64(table.indexBytes)/float64(n), "bytes/event")
		})
	}
}

// recordMany records n events in batches. *number counts all events of a benchmark.
func recordMany(
	b *testing.B, l relay.Events, number *int, n, batch, tenants int, apart time.Duration,
) {
	b.Helper()
	for range n / batch {
		var records []relay.EventRecord
		for range batch {
			r := record(fmt.Sprint("many ", *number))
			r.Tenant = fmt.Sprintf("tenant-%d", *number%tenants)
			r.Source, r.Type = r.Tenant+"/orders", "order.updated"
			r.ReceivedAt = sweptHour.Add(time.Duration(*number) * apart % (10 * time.Hour))
			*number++
			records = append(records, r)
		}
		for _, result := range l.RecordEvents(b.Context(), records) {
			if result.Err != nil {
				b.Fatal(result.Err)
			}
		}
	}
}

// BenchmarkListing lists a page of 100 events of 20,000 in full batches, in the middle of an hour.
// The reference is the only tenant's page. One of many tenants reads past the others' events.
func BenchmarkListing(b *testing.B) {
	for _, tenants := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			table := newSmallTable()
			l, n := table.ledger(), 0
			recordMany(b, l, &n, 20_000, 10, tenants, 100*time.Millisecond)
			table.calls, table.readUnits = 0, 0
			q := operate.EventQuery{
				Tenant: "tenant-0", To: sweptHour.Add(25 * time.Minute), Limit: 100,
			}
			for b.Loop() {
				keys, _, err := l.EventsIn(b.Context(), q)
				if err != nil || len(keys) != 100 {
					b.Fatalf("%d events, %v", len(keys), err)
				}
			}
			pages := float64(b.N)
			b.ReportMetric(float64(table.calls)/pages, "calls/page")
			b.ReportMetric(table.readUnits/pages, "units/page")
			b.ReportMetric(1e6*cost.DynamoRead.Of(table.readUnits/pages), "USD/million-pages")
		})
	}
}
