package invoke_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"webhook-relay/shared/lab/runtimeapi"
	"webhook-relay/shared/lambda/settings"
)

// BenchmarkColdStart compares the start of each function, from the start of the process until it
// asks for its first event, with that of a Go Lambda function that does nothing.
func BenchmarkColdStart(b *testing.B) {
	empty := filepath.Join(b.TempDir(), "bootstrap")
	compileEmpty(b, empty)
	empty = copied(b, empty)
	all := environments(b)
	dir := build(b, slices.Collect(maps.Keys(all))...)
	for name, env := range all {
		b.Run(name, func(b *testing.B) {
			binary := copied(b, filepath.Join(dir, name, "bootstrap"))
			var reference, function time.Duration
			for b.Loop() {
				reference += start(b, runtimeapi.Function{Binary: empty})
				function += start(b, runtimeapi.Function{Binary: binary, Env: env})
			}
			b.ReportMetric(float64(reference.Microseconds())/float64(b.N)/1000, "empty-ms")
			b.ReportMetric(float64(function.Microseconds())/float64(b.N)/1000, "function-ms")
			b.ReportMetric(float64(function)/float64(reference), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// compileEmpty builds the function that does nothing with the Makefile's flags.
func compileEmpty(b *testing.B, binary string) {
	b.Helper()
	cmd := exec.CommandContext(
		b.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags",
		"lambda.norpc,nethttpomithttp2",
		"-ldflags", "-s -w", "-o", binary, "./testdata/empty",
	)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// copied returns a copy of a program, written at once, as Lambda unpacks one. The linker writes a
// program in any order, so that its pages are scattered in memory: a start takes up to a tenth
// longer, for one program and not for the next.
func copied(b *testing.B, program string) string {
	b.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		b.Fatal(err)
	}
	copied := filepath.Join(b.TempDir(), "bootstrap")
	//nolint:gosec // a program
	if err := os.WriteFile(copied, text, 0o700); err != nil {
		b.Fatal(err)
	}
	return copied
}

// start starts a function, stops it, and returns how long the start took.
func start(b *testing.B, f runtimeapi.Function) time.Duration {
	b.Helper()
	began := time.Now()
	i, err := runtimeapi.Start(b.Context(), f)
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	i.Close()
	return took
}

// TestTheFunctionsOfTheBenchmarkAreComplete: no other test notices what a new setting does to it.
func TestTheFunctionsOfTheBenchmarkAreComplete(t *testing.T) {
	t.Parallel()
	if n := len(environments(t)); n != 5 {
		t.Errorf("%d functions", n)
	}
}

// environments are complete, but point nowhere: no function calls a service before its first event.
func environments(b testing.TB) map[string]map[string]string {
	b.Helper()
	receive, err := settings.Environment(settings.Receive{
		CatalogTable: "t", LedgerTable: "t", IngestQueueURL: "u", OrderedIngestQueueURL: "u",
		BodiesBucket: "b", SecretsKeyARN: "k",
	})
	if err != nil {
		b.Fatal(err)
	}
	fanout, err := settings.Environment(settings.Fanout{
		CatalogTable: "t", LedgerTable: "t", BodiesBucket: "b", IngestQueueURL: "u",
		OrderedIngestQueueURL: "u", DeliveryQueueURL: "u", OrderedDeliveryQueueURL: "u",
		PoisonQueueURL: "u",
	})
	if err != nil {
		b.Fatal(err)
	}
	deliver, err := settings.Environment(settings.Deliver{
		CatalogTable: "t", LedgerTable: "t", BodiesBucket: "b", SecretsKeyARN: "k",
		IngestQueueURL: "u", DeliveryQueueURL: "u", RetryQueueURL: "u", SlowQueueURL: "u",
		DeadQueueURL: "u", PoisonQueueURL: "u",
		OrderedDeliveryQueueURL: "u", ScheduleGroup: "g", ScheduleRoleARN: "r",
	})
	if err != nil {
		b.Fatal(err)
	}
	sweep, err := settings.Environment(settings.Sweep{
		CatalogTable: "t", LedgerTable: "t", BodiesBucket: "b", DeliveryQueueURL: "u",
		RetryQueueURL: "u", AdminFunction: "f", IngestQueueURL: "u",
	})
	if err != nil {
		b.Fatal(err)
	}
	admin, err := settings.Environment(settings.Admin{
		CatalogTable: "t", LedgerTable: "t", BodiesBucket: "b", SecretsKeyARN: "k",
		IngestQueueURL: "u", DeliveryQueueURL: "u", RetryQueueURL: "u",
	})
	if err != nil {
		b.Fatal(err)
	}
	return map[string]map[string]string{
		"receive": receive, "fanout": fanout, "deliver": deliver, "sweep": sweep, "admin": admin,
	}
}
