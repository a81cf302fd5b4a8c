// Package signed calls AWS services by signed requests. A function uses one to four calls of a
// service, and the service's client in the SDK would be linked for them with the endpoints, the
// middleware and the forms of all its calls: 0.1 to 0.7 MB of a function and some 700 allocations
// of its start for each service.
//
//	queues := signed.New(cfg, signed.Service{ID: "SQS", Name: "sqs"})
//	err := queues.JSON(ctx, signed.Call{Target: "AmazonSQS.SendMessage", Version: "1.0"}, in, &out)
//
// What is hard is the SDK's: Signature Version 4, and which errors are retried, how often and after
// which wait. Bodies are signed, so a service refuses one that was damaged on its way.
package signed
