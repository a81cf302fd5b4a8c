package runtimeapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"webhook-relay/shared/lab/runtimeapi"
)

// bootstrapVariable turns the test binary into a function's bootstrap.
const bootstrapVariable = "RUNTIMEAPI_TEST_BOOTSTRAP"

func TestMain(m *testing.M) {
	if name := os.Getenv(bootstrapVariable); name != "" {
		bootstraps[name]()
	}
	os.Exit(m.Run())
}

var bootstraps = map[string]func(){
	"echo": func() { lambda.Start(echo) },
	"fail": func() { lambda.Start(func() error { return errors.New("no luck") }) },
	"panic": func() {
		lambda.Start(func(event json.RawMessage) (json.RawMessage, error) {
			if string(event) == `"panic"` {
				panic("lost")
			}
			return event, nil
		})
	},
	"exit": func() { lambda.Start(func() { os.Exit(7) }) },
	"hang": func() { lambda.Start(func() { fmt.Println("hanging"); select {} }) },
	"large": func() {
		lambda.Start(func() (string, error) {
			return strings.Repeat("x", runtimeapi.MaxPayloadBytes), nil
		})
	}, // and the quotes
	"log": func() {
		lambda.Start(func() {
			fmt.Println("to standard output")
			fmt.Fprintln(os.Stderr, "to standard error")
		})
	},
	"environment": func() { lambda.Start(func() ([]string, error) { return os.Environ(), nil }) },
	"context": func() {
		lambda.Start(func(ctx context.Context) (map[string]any, error) {
			deadline, _ := ctx.Deadline()
			lc, _ := lambdacontext.FromContext(ctx)
			return map[string]any{
				"left": time.Until(deadline), "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn,
				"trace": os.Getenv("_X_AMZN_TRACE_ID"),
			}, nil
		})
	},
	"init-exit": func() { os.Exit(3) },
	"init-hang": func() { time.Sleep(time.Hour) },
	"init-error": func() {
		report := `{"errorType":"Function.NoTable","errorMessage":"RELAY_TABLE is not set"}`
		resp, err := tell("init/error", report)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			fmt.Fprintln(os.Stderr, resp, err)
		}
		os.Exit(1)
	},
	// answers an invocation that is not under way, and tells in its answer what came of it
	"stranger": func() {
		lambda.Start(func() (int, error) {
			resp, err := tell("invocation/other/response", "")
			if err != nil {
				return 0, err
			}
			return resp.StatusCode, resp.Body.Close()
		})
	},
	"host": func() { // runs "hang" until it is killed
		i, err := runtimeapi.Start(context.Background(), bootstrap("hang", os.Stdout))
		if err == nil {
			_, err = i.Invoke(context.Background(), []byte("{}"))
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	},
}

// tell sends a POST to the Runtime API.
func tell(path, body string) (*http.Response, error) {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/" + path
	return http.Post(url, "application/json", strings.NewReader(body)) //nolint:noctx // ends with the process
}

func echo(event json.RawMessage) (json.RawMessage, error) { return event, nil }
