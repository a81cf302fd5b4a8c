package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// States implements the protocol of Step Functions (AWS JSON 1.0) for StartExecution and
// StartSyncExecution, as far as their references say what they answer:
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
// Executions of standard workflows do not end. It is safe for concurrent use.
type States struct {
	URL string

	keys     *aws.Credentials
	server   *httptest.Server
	mu       sync.Mutex
	machines map[string]bool // by ARN: it is an express workflow
	started  map[string]map[string]string
}

// RunStates starts Step Functions with state machines: for each ARN whether it is an express
// workflow. If keys is not nil, each request must be signed with them. Stop it with Close.
func RunStates(keys *aws.Credentials, machines map[string]bool) *States {
	s := &States{keys: keys, machines: machines, started: map[string]map[string]string{}}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL
	return s
}

// NewStates starts States that stop with the test.
func NewStates(tb testing.TB, keys *aws.Credentials, machines map[string]bool) *States {
	tb.Helper()
	s := RunStates(keys, machines)
	tb.Cleanup(s.Close)
	return s
}

// Close stops s.
func (s *States) Close() { s.server.Close() }

// Executions returns the inputs of a state machine's executions, by their names.
func (s *States) Executions(machine string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	for name, input := range s.started[machine] {
		all[name] = input
	}
	return all
}

// executionName is what a name may be.
var executionName = regexp.MustCompile(`^[^\s<>{}\[\]?*"#%\\^|~` + "`" + `$&,;:/\x00-\x1f\x7f]{1,80}$`)

// maxExecutionInput is the largest input, in bytes.
const maxExecutionInput = 262144

// ServeHTTP answers a call.
func (s *States) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	if s.keys != nil {
		if err := CheckSignature(r, body, *s.keys); err != nil {
			refuse(w, http.StatusForbidden, "InvalidSignatureException", err.Error())
			return
		}
	}
	var in struct{ StateMachineArn, Name, Input string }
	if err := json.Unmarshal(body, &in); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	express, known := s.machines[in.StateMachineArn]
	sync := r.Header.Get("X-Amz-Target") == "AWSStepFunctions.StartSyncExecution"
	const bad = http.StatusBadRequest
	switch {
	case !sync && r.Header.Get("X-Amz-Target") != "AWSStepFunctions.StartExecution":
		refuse(w, bad, "UnknownOperationException", r.Header.Get("X-Amz-Target"))
	case !known:
		refuse(w, bad, "StateMachineDoesNotExist", "State Machine Does Not Exist: '"+
			in.StateMachineArn+"'")
	case len(in.Input) > maxExecutionInput:
		refuse(w, bad, "ValidationException", "1 validation error detected: Value at 'input' "+
			"failed to satisfy constraint: Member must have length less than or equal to 262144")
	case !json.Valid([]byte(in.Input)):
		refuse(w, bad, "InvalidExecutionInput", "Invalid State Machine Execution Input")
	case !executionName.MatchString(in.Name):
		refuse(w, bad, "InvalidName", "Invalid Name: '"+in.Name+"'")
	case sync && !express:
		refuse(w, bad, "StateMachineTypeNotSupported", "This operation is not supported by this "+
			"type of state machine")
	default:
		s.start(w, in.StateMachineArn, in.Name, in.Input, sync)
	}
}

func (s *States) start(w http.ResponseWriter, machine, name, input string, sync bool) {
	if s.started[machine] == nil {
		s.started[machine] = map[string]string{}
	}
	before, repeated := s.started[machine][name]
	if repeated && !s.machines[machine] && before != input {
		refuse(w, http.StatusBadRequest, "ExecutionAlreadyExists",
			"Execution Already Exists: '"+name+"'")
		return
	}
	s.started[machine][name] = input
	out := map[string]any{"executionArn": machine + ":" + name, "startDate": 1.7e9}
	if sync {
		out["status"], out["output"], out["input"], out["stopDate"] = "SUCCEEDED", `{"ok":true}`,
			input, 1.7e9
	}
	answer(w, out)
}
