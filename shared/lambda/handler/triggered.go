package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"webhook-relay/shared/relay"
)

// Triggered returns the handler of the function receive where sources have queues of their own. It
// is invoked by the HTTP API, whose requests http answers, and by the queues. sources has the name
// of each queue's source, by the queue's name. A batch of any other queue is an error.
//
// What a failed message waits for is its queue's visibility timeout.
func Triggered(
	r *relay.Receiver, http func(
		context.Context, events.APIGatewayV2HTTPRequest,
	) (events.APIGatewayV2HTTPResponse, error), sources map[string]string,
) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		if !isBatch(event) {
			var request events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(event, &request); err != nil {
				return nil, err
			}
			return http(ctx, request)
		}
		var batch events.SQSEvent
		if err := json.Unmarshal(event, &batch); err != nil {
			return nil, err
		}
		if len(batch.Records) == 0 {
			return events.SQSEventResponse{}, nil
		}
		arn := batch.Records[0].EventSourceARN // a batch is of one queue
		source, known := sources[arn[strings.LastIndexByte(arn, ':')+1:]]
		if !known {
			return nil, fmt.Errorf("handler: %s is not the queue of a source", arn)
		}
		return Batch(r.Triggered(source))(ctx, batch)
	}
}

// isBatch tells a batch of SQS from a request of API Gateway by the first member. What a partner
// sends is inside of members.
func isBatch(event json.RawMessage) bool {
	members, isObject := bytes.CutPrefix(bytes.TrimLeft(event, " \t\r\n"), []byte("{"))
	return isObject && bytes.HasPrefix(bytes.TrimLeft(members, " \t\r\n"), []byte(`"Records"`))
}
