package jq

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"webhook-relay/shared/transform"
	"webhook-relay/shared/transform/jq/wire"
)

// Limits of one call.
const (
	// MaxCPU is the processor time that the process may take. Processor time is what counts,
	// because on a busy machine, or with a fraction of a processor, a harmless program may take
	// long.
	MaxCPU = 100 * time.Millisecond
	// MaxTime is the time that may pass. It is the only limit of time where the system does not
	// tell the processor time.
	MaxTime = time.Second
	// MaxMemory is the resident memory of the process, in bytes.
	MaxMemory = 128 << 20
	// MaxDocument is the size of an event's JSON, in bytes.
	MaxDocument = wire.MaxDocument
)

// startTime is how long the process may take to start. On a cold disk it may be slow.
const startTime = 10 * time.Second

// heap is the limit from which on the process collects its garbage eagerly.
const heap = "64MiB"

// Runner runs jq programs. It is safe for concurrent use: calls wait for each other.
type Runner struct {
	command []string
	mark    string
	turn    chan struct{} // holds one element while a call runs
	process *process      // nil: none is running; owned by the call that runs
}

var _ transform.Runner = (*Runner)(nil)

// New returns a Runner that starts command, whose main function is program.Main, or calls
// program.ServeIfAsked and then environment is program.Marked. The process gets nothing else of the
// environment. New starts nothing yet.
func New(environment string, command ...string) *Runner {
	return &Runner{command: command, mark: environment, turn: make(chan struct{}, 1)}
}

// Run returns the results of a program for a document, at most two. Error: a *transform.Error if
// the program fails or exceeds a limit; any other error is a failure to run the process.
func (r *Runner) Run(ctx context.Context, program string, document []byte) ([][]byte, error) {
	switch {
	case len(program) > wire.MaxProgram:
		return nil, failf("the program has more than %d bytes", wire.MaxProgram)
	case len(document) > MaxDocument:
		return nil, failf(
			"the event has %d bytes; a jq program takes %d; use a template", len(document),
			MaxDocument,
		)
	}
	status, texts, err := r.ask(ctx, program, document)
	if err == nil && status == wire.Failed {
		return nil, failf("jq: %s", texts[0])
	}
	return texts, err
}

// Check says whether a program may be used in a transform. Error: a *wire.CheckError; any other
// error is that of Run.
func (r *Runner) Check(ctx context.Context, program string) error {
	if len(program) > wire.MaxProgram {
		return &wire.CheckError{
			Problem: fmt.Sprintf("has more than %d bytes", wire.MaxProgram),
		}
	}
	status, texts, err := r.ask(ctx, program, nil)
	if err != nil || status != wire.Failed {
		return err
	}
	problem := new(wire.CheckError)
	if err := json.Unmarshal(texts[0], problem); err != nil {
		return fmt.Errorf("jq: %w", wire.ErrFormat)
	}
	return problem
}

// ask makes a call when it is its turn.
func (r *Runner) ask(
	ctx context.Context, program string, document []byte,
) (status wire.Status, texts [][]byte, err error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	defer func() { <-r.turn }()
	status, texts, err = r.call(ctx, program, document)
	if errors.Is(err, errGone) { // it died for no fault of this program, or it did: try once more
		if status, texts, err = r.call(ctx, program, document); errors.Is(err, errGone) {
			err = failf("the jq program made its process end, by too much memory as a rule")
		}
	}
	return status, texts, err
}

// Close ends the process. Another call would start one again.
func (r *Runner) Close() {
	r.turn <- struct{}{}
	r.drop()
	<-r.turn
}

func failf(format string, args ...any) error {
	return &transform.Error{Problem: fmt.Sprintf(format, args...)}
}

// errGone means that the process ended by itself.
var errGone = errors.New("jq: the process ended")

// call makes one call in the process. After any failure the process is gone.
func (r *Runner) call(
	ctx context.Context, program string, document []byte,
) (wire.Status, [][]byte, error) {
	if r.process == nil {
		p, err := start(ctx, r.mark, r.command)
		if err != nil {
			return 0, nil, fmt.Errorf("jq: %w", err)
		}
		r.process = p
	}
	w := watch(ctx, r.process)
	status, texts, err := r.process.ask(program, document)
	if broken := w.stop(); broken != nil {
		r.drop()
		return 0, nil, broken
	}
	if err != nil {
		r.drop()
		return 0, nil, fmt.Errorf("%w: %w", errGone, err)
	}
	if status == wire.Failed && len(texts) != 1 {
		r.drop()
		return 0, nil, fmt.Errorf("jq: %w", wire.ErrFormat)
	}
	return status, texts, nil
}

func (r *Runner) drop() {
	if r.process != nil {
		r.process.end()
		r.process = nil
	}
}

// process is a running jq process.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	w       *bufio.Writer
	r       *bufio.Reader
	out     io.Closer
}

func start(ctx context.Context, environment string, command []string) (*process, error) {
	// it outlives the call, so that it does not get ctx
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // the relay's own program
	cmd.Env = []string{"GOMEMLIMIT=" + heap, "GOMAXPROCS=1", "GOTRACEBACK=none"}
	if environment != "" {
		cmd.Env = append(cmd.Env, environment)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{
		command: cmd, in: in, out: out, w: bufio.NewWriterSize(in, 64<<10),
		r: bufio.NewReaderSize(out, 64<<10),
	}
	late := time.AfterFunc(startTime, p.kill)
	stop := context.AfterFunc(ctx, p.kill)
	ready, err := p.r.ReadByte()
	late.Stop()
	stop()
	if err == nil && ready != wire.Ready {
		err = wire.ErrFormat
	}
	if err != nil {
		p.end()
		return nil, fmt.Errorf("the process does not start: %w", errors.Join(ctx.Err(), err))
	}
	return p, nil
}

func (p *process) ask(program string, document []byte) (wire.Status, [][]byte, error) {
	if err := wire.WriteRequest(p.w, program, document); err != nil {
		return 0, nil, err
	}
	return wire.ReadReply(p.r)
}

func (p *process) kill() { _ = p.command.Process.Kill() }

// end kills the process and waits for it, so that nothing of it remains.
func (p *process) end() {
	p.kill()
	_ = p.in.Close()
	_ = p.command.Wait() // closes the other pipe
}

// watcher kills a process that exceeds a limit.
type watcher struct {
	process *process
	begin   time.Time
	used    time.Duration // processor time of the process at begin
	timer   *time.Timer
	done    chan struct{} // closed by stop
	ended   chan struct{} // closed when the watcher has stopped looking; nil: it has not begun
	broken  error         // set before ended is closed
	ctx     context.Context
}

// period is how often a watcher looks. The first look is after that time, so that nearly all calls
// are over without any.
const period = time.Millisecond

func watch(ctx context.Context, p *process) *watcher {
	w := &watcher{
		process: p, ctx: ctx, begin: time.Now(), done: make(chan struct{}),
		ended: make(chan struct{}),
	}
	w.timer = time.AfterFunc(period, w.look)
	return w
}

// stop ends the watch, and returns why the process was killed, nil if it was not.
func (w *watcher) stop() error {
	if w.timer.Stop() {
		return nil // it has never looked
	}
	close(w.done)
	<-w.ended
	return w.broken
}

// look looks until the call is over or the process is killed.
func (w *watcher) look() {
	defer close(w.ended)
	tick := time.NewTicker(period)
	defer tick.Stop()
	w.used = processorTime(w.process.command.Process.Pid)
	for {
		if w.broken = w.judge(); w.broken != nil {
			w.process.kill()
			return
		}
		select {
		case <-w.done:
			return
		case <-tick.C:
		}
	}
}

// judge returns why the process must be killed, nil if it need not.
func (w *watcher) judge() error {
	pid := w.process.command.Process.Pid
	switch {
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case residentMemory(pid) > MaxMemory:
		return failf("the jq program takes more than %d MiB of memory", MaxMemory>>20)
	case processorTime(pid)-w.used > MaxCPU:
		return failf("the jq program takes more than %v of processor time", MaxCPU)
	case time.Since(w.begin) > MaxTime:
		return failf("the jq program takes more than %v", MaxTime)
	}
	return nil
}

// file reads a small file of /proc; nil if there is none.
func file(name string, room []byte) []byte {
	f, err := os.Open(name) //nolint:gosec // in /proc
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // read only
	n, _ := f.Read(room)
	return room[:n]
}
