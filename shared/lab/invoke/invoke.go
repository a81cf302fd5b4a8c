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

// The reasons why a function was not invoked. Errors of the function itself are those of package
// runtimeapi.
var (
	ErrFunction = errors.New("invoke: no such function")
	ErrEvent    = errors.New("invoke: no event")
	ErrNotBuilt = errors.New("invoke: function not built")
)

// Call is one invocation of a function.
type Call struct {
	Function string // receive, fanout, deliver or sweep
	Event    string // path of the event, a JSON file
	BinDir   string // folder of the functions, built for this machine: BinDir/<function>/bootstrap
}

// function holds the template's values for a function.
type function struct {
	timeout     time.Duration
	memoryMB    int
	environment func(*world) (map[string]string, error)
}

const retentionDays = 36_500

var functions = map[string]function{
	"receive": {timeout: 10 * time.Second, memoryMB: 256,
		environment: func(w *world) (map[string]string, error) {
			return settings.Environment(settings.Receive{
				CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable,
				IngestQueueURL: w.queues[ingest], OrderedIngestQueueURL: w.queues[orderedIngest],
				BodiesBucket: w.bucket, SecretsKeyARN: secretsKey,
			})
		}},
	"fanout": {timeout: 30 * time.Second, memoryMB: 256,
		environment: func(w *world) (map[string]string, error) {
			return settings.Environment(settings.Fanout{
				CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable, BodiesBucket: w.bucket,
				IngestQueueURL: w.queues[ingest], OrderedIngestQueueURL: w.queues[orderedIngest],
				DeliveryQueueURL:        w.queues[delivery],
				OrderedDeliveryQueueURL: w.queues[orderedDelivery],
				PoisonQueueURL:          w.queues[ingestDLQ], RetentionDays: retentionDays,
			})
		}},
	"deliver": {timeout: 60 * time.Second, memoryMB: 512,
		environment: func(w *world) (map[string]string, error) {
			return settings.Environment(settings.Deliver{
				CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable, BodiesBucket: w.bucket,
				SecretsKeyARN:  secretsKey,
				IngestQueueURL: w.queues[ingest], DeliveryQueueURL: w.queues[delivery],
				OrderedDeliveryQueueURL: w.queues[orderedDelivery],
				RetryQueueURL:           w.queues[retry], SlowQueueURL: w.queues[slow],
				DeadQueueURL: w.queues[dead], PoisonQueueURL: w.queues[deliveryDLQ],
				ScheduleGroup: scheduleGroup, ScheduleRoleARN: scheduleRole,
				RetentionDays: retentionDays,
			})
		}},
	"sweep": {timeout: 900 * time.Second, memoryMB: 1769,
		environment: func(w *world) (map[string]string, error) {
			return settings.Environment(settings.Sweep{
				CatalogTable: w.catalogTable, LedgerTable: w.ledgerTable, BodiesBucket: w.bucket,
				DeliveryQueueURL: w.queues[delivery], RetryQueueURL: w.queues[retry],
				IngestQueueURL: w.queues[ingest],
				AdminFunction:  "admin", // not called: there are no jobs
			})
		}},
}

// Run makes the call and prints its results. ErrFunction, ErrEvent and ErrNotBuilt are returned
// before anything is started. Other errors are that an emulator does not start, and those of
// runtimeapi's Start and Invoke; the latter are returned after the function's log is printed.
func (c Call) Run(ctx context.Context, out io.Writer) error {
	f, known := functions[c.Function]
	if !known {
		return fmt.Errorf(
			"%w: %q; there are receive, fanout, deliver and sweep", ErrFunction, c.Function,
		)
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

// run starts f, invokes it once and stops it. It returns the complete log, also with an error.
func run(
	ctx context.Context, f runtimeapi.Function, event []byte,
) (answer []byte, log string, err error) {
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

// printAll prints the answer or the error, the log, and what is left in the services.
func printAll(
	ctx context.Context, out io.Writer, w *world, answer []byte, log string, failed error,
) error {
	left, err := w.left(ctx)
	if err != nil {
		return err
	}
	sections := []section{
		{title: "answer", text: indented(answer)}, {title: "log", text: log},
		{title: "left behind", text: left},
	}
	if failed != nil {
		sections[0] = section{title: "error", text: failed.Error()}
	}
	for _, s := range sections {
		text := strings.TrimRight(s.text, "\n")
		if _, err := fmt.Fprintf(
			out, "%s\n  %s\n\n", s.title, strings.ReplaceAll(text, "\n", "\n  "),
		); err != nil {
			return err
		}
	}
	return nil
}

type section struct{ title, text string }

// indented formats an answer for reading. Text that is no JSON stays as it is.
func indented(answer []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, answer, "", "  "); err != nil {
		return string(answer)
	}
	return b.String()
}
