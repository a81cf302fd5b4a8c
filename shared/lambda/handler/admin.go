package handler

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"
)

// Admin returns the handler of the function admin. It is invoked by the HTTP API, and by itself to
// work on a job. After an error of work, Lambda invokes the function again, twice at most.
func Admin(
	api func(
		context.Context, events.APIGatewayV2HTTPRequest,
	) (events.APIGatewayV2HTTPResponse, error),
	work func(ctx context.Context, tenant, id string) error,
) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var invoked struct {
			Job *struct {
				Tenant string `json:"tenant"`
				ID     string `json:"id"`
			} `json:"job"`
		}
		if err := json.Unmarshal(event, &invoked); err != nil {
			return nil, err
		}
		if invoked.Job != nil {
			return nil, work(ctx, invoked.Job.Tenant, invoked.Job.ID)
		}
		var request events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &request); err != nil {
			return nil, err
		}
		return api(ctx, request)
	}
}
