package deployed

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
)

// invokePath is the path of Lambda's API to invoke a function.
var invokePath = regexp.MustCompile(`^/2015-03-31/functions/([^/]+)/invocations$`)

// maxInvocations is how often Lambda makes an asynchronous invocation that fails.
const maxInvocations = 3

// invocations plays the part of Lambda's API that invokes a function without waiting for it.
type invocations struct {
	*httptest.Server

	running sync.WaitGroup

	mu     sync.Mutex
	failed []*invocation // to be made again
}

// invocation is an asynchronous invocation.
type invocation struct {
	function *function
	payload  json.RawMessage
	made     int // how often
}

// runInvocations starts the API. find returns a function by its ARN, nil if there is none.
func runInvocations(find func(arn string) *function) *invocations {
	api := &invocations{}
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		path := invokePath.FindStringSubmatch(r.URL.Path)
		switch {
		case err != nil || path == nil || r.Method != http.MethodPost || !json.Valid(payload) ||
			r.Header.Get("X-Amz-Invocation-Type") != "Event":
			w.WriteHeader(http.StatusBadRequest)
			return
		case find(functionARN(path[1])) == nil:
			w.WriteHeader(http.StatusNotFound)
			return
		}
		api.start(&invocation{function: find(functionARN(path[1])), payload: payload})
		w.WriteHeader(http.StatusAccepted)
	}))
	return api
}

// start makes an invocation. One that fails is kept, to be made again.
func (a *invocations) start(i *invocation) {
	a.running.Go(func() {
		i.made++
		_, err := i.function.invoke(context.Background(), i.payload)
		if err == nil || i.made == maxInvocations {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.failed = append(a.failed, i)
	})
}

// again makes the invocations again that have failed, and returns how many there were.
func (a *invocations) again() int {
	a.mu.Lock()
	failed := a.failed
	a.failed = nil
	a.mu.Unlock()
	for _, i := range failed {
		a.start(i)
	}
	return len(failed)
}

func functionARN(name string) string { return arn("lambda", "function:"+name) }

// Close stops the API, after the invocations that it has accepted.
func (a *invocations) Close() {
	a.Server.Close()
	a.running.Wait()
}
