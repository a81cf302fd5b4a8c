//go:build unix

package relay_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"webhook-relay/shared/local/memory"
)

// BenchmarkStage measures what each stage needs for one message: CPU time of all threads, garbage
// collection included, and allocations. Stores and endpoints are in memory. The messages come in
// batches of ten, with bodies of 1 KiB.
func BenchmarkStage(b *testing.B) {
	const batch = 10
	b.Run("receive", func(b *testing.B) {
		r := newBenchRig(b, 1)
		m := &meter{b: b, messages: batch}
		for id := 0; b.Loop(); id += batch {
			m.measure(func() { r.receiveBatch(b, id, batch) })
		}
		m.report()
	})
	for _, endpoints := range []int{1, 10} {
		b.Run(fmt.Sprintf("fanout/endpoints=%d", endpoints), func(b *testing.B) {
			r := newBenchRig(b, endpoints)
			m := &meter{b: b, messages: batch}
			for id := 0; b.Loop(); id += batch {
				r.receiveBatch(b, id, batch)
				*r.delivery = memory.Queue{}
				m.measure(func() { consume(b, r.ingest, r.fanout.Process) })
			}
			m.report()
		})
	}
	b.Run("deliver", func(b *testing.B) {
		r := newBenchRig(b, 1)
		m := &meter{b: b, messages: batch}
		for id := 0; b.Loop(); id += batch {
			r.receiveBatch(b, id, batch)
			consume(b, r.ingest, r.fanout.Process)
			m.measure(func() { consume(b, r.delivery, r.deliverer.Process) })
		}
		m.report()
	})
}

func (r *benchRig) receiveBatch(b *testing.B, id, n int) {
	b.Helper()
	for i := range n {
		r.receive(b, id+i)
	}
}

// meter adds up what parts of a benchmark need.
type meter struct {
	b        *testing.B
	messages int // of each part
	parts    int
	cpu      time.Duration
	allocs   uint64
	bytes    uint64
}

func (m *meter) measure(part func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuTime(m.b)
	part()
	m.cpu += cpuTime(m.b) - began
	runtime.ReadMemStats(&after)
	m.allocs += after.Mallocs - before.Mallocs
	m.bytes += after.TotalAlloc - before.TotalAlloc
	m.parts++
}

func (m *meter) report() {
	n := float64(m.parts * m.messages)
	m.b.ReportMetric(float64(m.cpu.Nanoseconds())/1000/n, "cpu-µs/message")
	m.b.ReportMetric(float64(m.allocs)/n, "allocs/message")
	m.b.ReportMetric(float64(m.bytes)/n, "B/message")
	m.b.ReportMetric(0, "ns/op")
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
