package deployed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/lab/cost"
	"webhook-relay/shared/lab/runtimeapi"
)

// functionProperties are the properties of AWS::Lambda::Function that the host plays, and those
// without effect here.
type functionProperties struct {
	Runtime, Handler, Role string
	MemorySize, Timeout    int
	Environment            struct{ Variables map[string]string }
	LoggingConfig          struct {
		LogGroup string

		ApplicationLogLevel, LogFormat, SystemLogLevel any
	}
	TracingConfig struct{ Mode string }

	Architectures, Code, Description, RecursiveLoop any
}

// function is a deployed function with its instances. It is safe for concurrent use.
type function struct {
	id      string
	role    *role
	door    *httptest.Server
	runtime runtimeapi.Function
	tracing bool

	mu       sync.Mutex
	idle     []*runtimeapi.Instance
	busy     map[*runtimeapi.Instance]bool
	started  int
	draining bool
	used     cost.Function
}

// newFunction reads a function from the template. Its instances are started when needed.
func (h *Host) newFunction(id string) (*function, error) {
	var p functionProperties
	if err := h.stack.properties(id, &p); err != nil {
		return nil, err
	}
	role := h.roles[p.Role]
	switch {
	case p.Runtime != "provided.al2023" || p.Handler != "bootstrap":
		return nil, fmt.Errorf(
			"%w: %s has runtime %s and handler %s", ErrTemplate, id, p.Runtime, p.Handler,
		)
	case p.MemorySize < 128 || p.MemorySize > 10240 || p.Timeout < 1 || p.Timeout > 900:
		return nil, fmt.Errorf(
			"%w: %s has %d MB and %d s, Lambda has 128 to 10240 MB and up to 900 s", ErrTemplate,
			id, p.MemorySize, p.Timeout,
		)
	case role == nil || !role.trusts("lambda.amazonaws.com", nil):
		return nil,
			fmt.Errorf("%w: %s has role %q, which Lambda cannot take on", ErrTemplate, id, p.Role)
	}
	door := (&door{role: role, services: h.services, meter: h.meter}).open()
	env := map[string]string{
		"AWS_ENDPOINT_URL": door.URL, "AWS_LAMBDA_FUNCTION_NAME": h.stack.made[id].ref,
	}
	for name, value := range p.Environment.Variables {
		env[name] = value
	}
	return &function{
		busy: map[*runtimeapi.Instance]bool{},
		id:   id, role: role, door: door, tracing: p.TracingConfig.Mode == "Active",
		runtime: runtimeapi.Function{
			Name: nameOf(id), Binary: filepath.Join(
				h.assembly, h.stack.Resources[id].Metadata.Asset, "bootstrap",
			), Env: env,
			MemoryMB: p.MemorySize, Timeout: time.Duration(p.Timeout) * time.Second,
			Log: &logs{
				role:   role,
				stream: arn("logs", "log-group:"+p.LoggingConfig.LogGroup+":log-stream:local"),
				out:    h.log,
			},
		},
	}, nil
}

// logs is a function's log stream. Lambda writes it with the function's role. It is safe for
// concurrent use.
type logs struct {
	role   *role
	stream string
	out    io.Writer

	mu      sync.Mutex
	created bool
	lines   int
	bytes   int
}

func (l *logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.created {
		l.created = l.role.may(call{action: "logs:CreateLogStream", resource: l.stream})
	}
	if l.created && l.role.may(call{action: "logs:PutLogEvents", resource: l.stream}) {
		l.lines, l.bytes = l.lines+bytes.Count(line, []byte("\n")), l.bytes+len(line)
		return l.out.Write(line)
	}
	return len(line), nil // dropped, as Lambda drops them
}

// invoke sends an event to an idle instance, or to a new one.
func (f *function) invoke(ctx context.Context, event any) ([]byte, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	instance, err := f.take(ctx)
	if err != nil {
		return nil, err
	}
	if f.tracing {
		f.role.may(call{action: "xray:PutTraceSegments", resource: "*"})
		f.role.may(call{action: "xray:PutTelemetryRecords", resource: "*"})
	}
	answer, err := instance.Invoke(ctx, payload)
	f.mu.Lock()
	delete(f.busy, instance)
	f.mu.Unlock()
	if _, reported := errors.AsType[*runtimeapi.FunctionError](err); err != nil && !reported {
		return nil, errors.Join(err, instance.Close())
	}
	f.put(instance)
	return answer, err
}

// take returns an instance that is marked as busy.
func (f *function) take(ctx context.Context) (*runtimeapi.Instance, error) {
	f.mu.Lock()
	f.used.Invocations++
	if last := len(f.idle) - 1; last >= 0 {
		defer f.mu.Unlock()
		instance := f.idle[last]
		f.idle, f.busy[instance] = f.idle[:last], true
		return instance, nil
	}
	f.started++
	f.mu.Unlock()
	instance, err := runtimeapi.Start(ctx, f.runtime)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.busy[instance] = true
	}
	return instance, err
}

// kill ends the instances that are busy, and returns how many there were.
func (f *function) kill() int {
	f.mu.Lock()
	killed := slices.Collect(maps.Keys(f.busy))
	f.mu.Unlock()
	for _, i := range killed {
		_ = i.Close() // it always ends
	}
	return len(killed)
}

func (f *function) put(i *runtimeapi.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining {
		f.end(i)
		return
	}
	f.idle = append(f.idle, i)
}

// close closes the idle instances. The others are closed when they become idle.
func (f *function) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = true
	for _, i := range f.idle {
		f.end(i)
	}
	f.door.Close()
}
