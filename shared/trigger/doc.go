// Package trigger reads the messages that services in AWS put into a queue of the relay: the events
// of an EventBridge rule, the messages of an SNS topic, and the notifications of an S3 bucket.
//
//	messages, err := trigger.Read(trigger.S3, body)
//
// A source of such a provider gets nothing over HTTP. IAM proves who sends: the policy of the
// source's queue names one rule, topic or bucket. The package checks the form of a message, and
// nothing else. It is policy: it does no I/O.
package trigger
