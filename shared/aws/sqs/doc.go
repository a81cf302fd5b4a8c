// Package sqs sends the relay's messages through Amazon SQS.
//
//	queue := sqs.New(awssqs.NewFromConfig(cfg), url)
//	errs := queue.Send(ctx, msgs)
//
// One message takes one SendMessage, more take SendMessageBatch, ten messages and 1 MiB to a call. A message counts as sent
// only when SQS has returned its id; each entry of a batch is judged on its own.
//
// The package tries again by itself, and the SDK's own retries are off, for one reason: when an answer is lost the message
// may be in the queue already. A message that is sent again after that carries the attribute [ResentAttribute], which tells its consumer
// that there may be two of it. After a clear refusal (throttling) it is sent again without the mark.
//
// A FIFO queue takes a message of each group in one call, and the next ones once those are accepted: SQS judges each entry of a batch on its own, and
// might take the second of a group without the first.
package sqs
