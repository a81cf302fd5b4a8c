package invoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"webhook-relay/shared/lab/runtimeapi"
	"webhook-relay/shared/lambda/settings"
)

// Why a function was not invoked. What it did wrong itself is an error of package runtimeapi.
var (
	ErrFunction = errors.New("invoke: no such function")
	ErrEvent    = errors.New("invoke: no event")
	ErrNotBuilt = errors.New("invoke: function not built")
)

// Call is one invocation of a function.
type Call struct {
	Function string // receive, fanout, deliver or sweep
	Event    string // path of the event, a JSON file
	BinDir   string // where the functions are, built for this machine: BinDir/<function>/bootstrap
}

// function is what the template says of a function.
type function struct {
	timeout     time.Duration
	memoryMB    int
	environment func(*world) (map[string]string, error)
}

const retentionDays = 36_500

var functions = map[string]function{
	"receive": {10 * time.Second, 256, func(w *world) (map[string]string, error) {
		return settings.Environment(settings.Receive{
			CatalogTable: w.catalogTable, IngestQueueURL: w.queues[ingest], OrderedIngestQueueURL: w.queues[orderedIngest],
			BodiesBucket: w.bucket, SecretsKeyARN: secretsKey,
		})
	}},
	"fanout": {30 * time.Second, 256, func(w *world) (map[string]string, error) {
		return settings.Environment(settings.Fanout{
			CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable, BodiesBucket: w.bucket,
			IngestQueueURL: w.queues[ingest], OrderedIngestQueueURL: w.queues[orderedIngest],
			DeliveryQueueURL: w.queues[delivery], OrderedDeliveryQueueURL: w.queues[orderedDelivery],
			PoisonQueueURL: w.queues[ingestDLQ], RetentionDays: retentionDays,
		})
	}},
	"deliver": {60 * time.Second, 512, func(w *world) (map[string]string, error) {
		return settings.Environment(settings.Deliver{
			CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable, BodiesBucket: w.bucket, SecretsKeyARN: secretsKey,
			IngestQueueURL: w.queues[ingest], DeliveryQueueURL: w.queues[delivery], OrderedDeliveryQueueURL: w.queues[orderedDelivery],
			RetryQueueURL: w.queues[retry], SlowQueueURL: w.queues[slow], DeadQueueURL: w.queues[dead], PoisonQueueURL: w.queues[deliveryDLQ],
			ScheduleGroup: scheduleGroup, ScheduleRoleARN: scheduleRole, RetentionDays: retentionDays,
		})
	}},
	"sweep": {900 * time.Second, 1769, func(w *world) (map[string]string, error) {
		return settings.Environment(settings.Sweep{
			CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable,
			DeliveryQueueURL: w.queues[delivery], RetryQueueURL: w.queues[retry],
		})
	}},
}

// Run carries out the call and prints what came of it. Errors are ErrFunction, ErrEvent and ErrNotBuilt, which come before anything is
// started; that an emulator does not start; and those of runtimeapi's Start and Invoke, after the function's log is printed.
func (c Call) Run(ctx context.Context, out io.Writer) error {
	f, known := functions[c.Function]
	if !known {
		return fmt.Errorf("%w: %q; there are receive, fanout, deliver and sweep", ErrFunction, c.Function)
	}
	event, err := readEvent(c.Event)
	if err != nil {
		return err
	}
	binary := filepath.Join(c.BinDir, c.Function, "bootstrap")
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: %w; run \"make build-local\"", ErrNotBuilt, err)
	}
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	env, err := f.environment(w)
	if err != nil {
		return err
	}
	w.pointTo(env)
	answer, log, failed := run(ctx, runtimeapi.Function{
		Name: c.Function, Binary: binary, Env: env, MemoryMB: f.memoryMB, Timeout: f.timeout,
	}, event)
	return errors.Join(failed, printAll(ctx, out, w, answer, log, failed))
}

func readEvent(path string) ([]byte, error) {
	event, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	var valid json.RawMessage
	if err := json.Unmarshal(event, &valid); err != nil {
		return nil, fmt.Errorf("%w: %s is not JSON: %w", ErrEvent, path, err)
	}
	return event, nil
}

// run starts f, invokes it once and ends it. The log is whole, whatever the error.
func run(ctx context.Context, f runtimeapi.Function, event []byte) (answer []byte, log string, err error) {
	var output bytes.Buffer
	f.Log = &output
	i, err := runtimeapi.Start(ctx, f)
	if err != nil {
		return nil, output.String(), err
	}
	answer, err = i.Invoke(ctx, event)
	_ = i.Close()
	return answer, output.String(), err
}

// printAll prints the answer or the error, the log, and what is left behind.
func printAll(ctx context.Context, out io.Writer, w *world, answer []byte, log string, failed error) error {
	left, err := w.left(ctx)
	if err != nil {
		return err
	}
	sections := []section{{"answer", indented(answer)}, {"log", log}, {"left behind", left}}
	if failed != nil {
		sections[0] = section{"error", failed.Error()}
	}
	for _, s := range sections {
		text := strings.TrimRight(s.text, "\n")
		if _, err := fmt.Fprintf(out, "%s\n  %s\n\n", s.title, strings.ReplaceAll(text, "\n", "\n  ")); err != nil {
			return err
		}
	}
	return nil
}

type section struct{ title, text string }

// indented is an answer for the eye; what is no JSON stays as it is.
func indented(answer []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, answer, "", "  "); err != nil {
		return string(answer)
	}
	return b.String()
}
