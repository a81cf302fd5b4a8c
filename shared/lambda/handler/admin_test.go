package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/aws/lambda"
	"webhook-relay/shared/lambda/handler"
)

func TestAdmin_TellsRequestsFromJobs(t *testing.T) {
	t.Parallel()
	var worked string
	failed := errors.New("failed")
	h := handler.Admin(func(
		_ context.Context, r events.APIGatewayV2HTTPRequest,
	) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: r.RawPath}, nil
	}, func(_ context.Context, tenant, id string) error {
		worked = tenant + " " + id
		return failed
	})
	event, err := json.Marshal(lambda.JobEvent{Job: lambda.Job{Tenant: "acme", ID: "job_1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h(t.Context(), event); !errors.Is(err, failed) || worked != "acme job_1" {
		t.Errorf("worked on %q, %v", worked, err)
	}
	// A request whose body looks like a job is a request.
	event, err = json.Marshal(events.APIGatewayV2HTTPRequest{
		RawPath: "/v1/jobs", Body: `{"job":{"tenant":"acme","id":"job_2"}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h(t.Context(), event)
	if got, ok := answer.(events.APIGatewayV2HTTPResponse); err != nil || !ok ||
		got.Body != "/v1/jobs" || worked != "acme job_1" {
		t.Errorf("%+v, %v, worked on %q", answer, err, worked)
	}
	if _, err := h(t.Context(), json.RawMessage("[]")); err == nil {
		t.Error("no event")
	}
}
