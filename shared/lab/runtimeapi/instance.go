package runtimeapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/uuid"
)

// The reasons why an invocation has no answer, beside a *FunctionError. After ErrTimeout, ErrExited
// and ErrClosed the instance has ended.
var (
	ErrInit    = errors.New("runtimeapi: function did not start") // only from Start
	ErrTimeout = errors.New("runtimeapi: function timed out")     // the process was killed
	// it exited, or a signal ended it
	ErrExited = errors.New("runtimeapi: function's process ended")
	// by Close, or by the context of an invocation
	ErrClosed = errors.New("runtimeapi: instance closed")
	// only this invocation's event; nothing was sent
	ErrTooLarge = errors.New("runtimeapi: payload too large for a Lambda")
)

// FunctionError is an error that the function reported, in the form of Lambda's Invoke.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Limits and defaults of Lambda.
const (
	MaxPayloadBytes = 6 << 20 // of an event, and of an answer
	DefaultMemoryMB = 128
	DefaultTimeout  = 3 * time.Second
	DefaultRegion   = "eu-central-1"

	// initTimeout limits the time until a function asks for its first event.
	initTimeout = 10 * time.Second
)

// Function describes a function. Binary is required. Other zero fields mean their defaults.
type Function struct {
	Name   string // default: the name of Binary's folder
	Binary string // path of the bootstrap, built for this machine
	// the function's own environment; overrides what Lambda sets, except the Runtime API's address
	Env      map[string]string
	MemoryMB int           // DefaultMemoryMB; passed to the function, not enforced
	Timeout  time.Duration // of an invocation; DefaultTimeout
	// gets the process's standard output and error until Close returns; nil: they are dropped
	Log io.Writer
}

// Instance is a running function. It is safe for concurrent use.
type Instance struct {
	function Function
	region   string
	process  *exec.Cmd
	turn     chan struct{}    // held by the current invocation
	events   chan *invocation // from Invoke to the runtime
	ready    chan struct{}    // closed when the runtime asks for its first event
	asked    sync.Once
	ended    chan struct{} // closed when the process has ended

	mu      sync.Mutex
	current *invocation // handed out and not answered yet
	cause   error       // why the instance ends; only the first is kept
}

// invocation is one event and its result.
type invocation struct {
	id      string
	payload []byte
	result  chan result // buffered, so that the answer can be sent even if nobody waits
}

type result struct {
	payload []byte
	err     error
}

// Start starts f and waits until it asks for its first event. The error is ErrInit if the binary
// cannot be run, the process ended, the function reported an error (then also a *FunctionError), or
// it took longer than Lambda's 10 s. If ctx ends before that, the process is killed. Later ctx has
// no effect.
func Start(ctx context.Context, f Function) (*Instance, error) {
	binary, err := filepath.Abs(f.Binary)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInit, err)
	}
	f.Binary = binary
	f.Name = cmp.Or(f.Name, filepath.Base(filepath.Dir(binary)))
	f.MemoryMB = cmp.Or(f.MemoryMB, DefaultMemoryMB)
	f.Timeout = cmp.Or(f.Timeout, DefaultTimeout)
	i := &Instance{
		function: f, region: cmp.Or(f.Env["AWS_REGION"], DefaultRegion),
		turn: make(chan struct{}, 1), events: make(chan *invocation), ready: make(chan struct{}),
		ended: make(chan struct{}),
	}
	if err := i.start(ctx); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInit, f.Name, err)
	}
	ctx, cancel := context.WithTimeoutCause(
		ctx, initTimeout, fmt.Errorf("asked for no event within %v", initTimeout),
	)
	defer cancel()
	select {
	case <-i.ready:
		return i, nil
	case <-i.ended:
	case <-ctx.Done():
		i.end(context.Cause(ctx))
		<-i.ended
	}
	return nil, fmt.Errorf("%w: %s: %w", ErrInit, f.Name, i.why())
}

// start starts the server of the Runtime API and the process.
func (i *Instance) start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	i.process = exec.Command(i.function.Binary) //nolint:gosec,noctx // the caller names the binary; it lives as long as the instance
	i.process.Env = i.environment(listener.Addr().String())
	i.process.Dir = filepath.Dir(i.function.Binary)
	i.process.SysProcAttr = endsWithParent()
	// one writer, so exec never writes to it from two goroutines
	i.process.Stdout, i.process.Stderr = i.function.Log, i.function.Log
	// for output that a child of the process keeps open
	i.process.WaitDelay = time.Second
	server := &http.Server{Handler: i.api(), ReadHeaderTimeout: initTimeout}
	go func() { _ = server.Serve(listener) }() // ends with Close
	started := make(chan error)
	go i.run(server, started)
	return <-started
}

// run starts the process and waits for its end. Linux kills the process when the thread that
// started it ends, not when the whole parent process ends. So this goroutine stays on its thread.
func (i *Instance) run(server *http.Server, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() { _ = server.Close() }()
	err := i.process.Start()
	started <- err
	if err != nil {
		return
	}
	_ = i.process.Wait() // ProcessState says more
	i.note(fmt.Errorf("%w: %v", ErrExited, i.process.ProcessState))
	close(i.ended)
}

// Credentials are those that functions get. The key's id is AWS's example, which belongs to no
// account.
func Credentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "local", SessionToken: "local",
	}
}

// environment returns the process's environment: Lambda's, then the function's own.
func (i *Instance) environment(api string) []string {
	env := []string{
		"AWS_LAMBDA_FUNCTION_NAME=" + i.function.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(i.function.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"AWS_LAMBDA_LOG_LEVEL=INFO",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + i.function.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_REGION=" + i.region,
		"AWS_DEFAULT_REGION=" + i.region,
		"AWS_ACCESS_KEY_ID=" + Credentials().AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + Credentials().SecretAccessKey,
		"AWS_SESSION_TOKEN=" + Credentials().SessionToken,
		"LAMBDA_TASK_ROOT=" + filepath.Dir(i.function.Binary),
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"TZ=:UTC",
		"_HANDLER=" + filepath.Base(i.function.Binary),
	}
	for name, value := range i.function.Env {
		env = append(env, name+"="+value) // if a name occurs twice, exec takes the last
	}
	return append(env, "AWS_LAMBDA_RUNTIME_API="+api)
}

// Invoke sends the function an event and returns its answer. It waits while another invocation
// runs. Errors are a *FunctionError, ErrTooLarge, ErrTimeout, ErrExited, ErrClosed, or ctx's error.
// If ctx ends during the invocation, the instance ends too, because the function would continue
// with an event whose answer nobody takes.
func (i *Instance) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayloadBytes {
		return nil, fmt.Errorf(
			"%w: event of %d bytes, at most %d", ErrTooLarge, len(payload), MaxPayloadBytes,
		)
	}
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-i.ended:
		return nil, i.why()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	call := &invocation{id: uuid.NewString(), payload: payload, result: make(chan result, 1)}
	select {
	case i.events <- call:
	case <-i.ended:
		return nil, i.why()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return i.await(ctx, call)
}

// await returns the answer to call, which the runtime has received.
func (i *Instance) await(ctx context.Context, call *invocation) ([]byte, error) {
	late := time.NewTimer(i.function.Timeout)
	defer late.Stop()
	select {
	case r := <-call.result:
		return r.payload, r.err
	case <-late.C:
		i.end(fmt.Errorf("%w: %s after %v", ErrTimeout, i.function.Name, i.function.Timeout))
	case <-ctx.Done():
		i.end(fmt.Errorf("%w: %w", ErrClosed, ctx.Err()))
	case <-i.ended:
	}
	<-i.ended
	select {
	case r := <-call.result: // a function that panics answers before it exits
		return r.payload, r.err
	default:
		return nil, i.why()
	}
}

// Close kills the process, and waits for its end and the rest of its output. A second call has no
// effect.
func (i *Instance) Close() error {
	i.end(ErrClosed)
	<-i.ended
	return nil
}

// ProcessorTime returns the processor time that the process has used until now. While the process
// runs that is known on Linux only, and 0 elsewhere.
func (i *Instance) ProcessorTime() time.Duration {
	select {
	case <-i.ended:
		return i.process.ProcessState.UserTime() + i.process.ProcessState.SystemTime()
	default:
		return runningTime(i.process.Process.Pid)
	}
}

// runningTime returns the processor time of the threads of a process. The first number of a
// thread's schedstat is in nanoseconds:
// https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat.
func runningTime(pid int) time.Duration {
	var total time.Duration
	// the pattern is good
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		if ns, err := strconv.ParseInt(first, 10, 64); err == nil {
			total += time.Duration(ns)
		}
	}
	return total
}

// end kills the process. It records the cause if there is none yet.
func (i *Instance) end(cause error) {
	i.note(cause)
	_ = i.process.Process.Kill() // an error means that it has already ended
}

func (i *Instance) note(cause error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cause == nil {
		i.cause = cause
	}
}

func (i *Instance) why() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cause
}
