// Package handler translates between Lambda's events and the stages of package relay. The functions
// and the local host use the same handlers. So the code that runs on a developer's machine is the
// code that runs deployed.
//
//	lambda.Start(handler.Receive(receiver))             // API Gateway HTTP API, payload format 2.0
//	lambda.Start(handler.Batch(fanout.Process))         // SQS, with ReportBatchItemFailures
//	lambda.Start(handler.Sweep(sweeper.Run, log.Swept)) // a rule of EventBridge
package handler
