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

// invocations plays the part of Lambda's API that invokes a function without waiting for it. Lambda
// waits a minute before it tries again; this does not wait.
type invocations struct {
	*httptest.Server

	running sync.WaitGroup
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
		f := find(functionARN(path[1]))
		api.running.Go(func() {
			for range maxInvocations {
				if _, err := f.invoke(
					context.WithoutCancel(r.Context()), json.RawMessage(payload),
				); err == nil {
					return
				}
			}
		})
		w.WriteHeader(http.StatusAccepted)
	}))
	return api
}

func functionARN(name string) string { return arn("lambda", "function:"+name) }

// Close stops the API, after the invocations that it has accepted.
func (a *invocations) Close() {
	a.Server.Close()
	a.running.Wait()
}
