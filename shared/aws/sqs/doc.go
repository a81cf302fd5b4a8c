// Package sqs sends the relay's messages through Amazon SQS.
//
//	queue := sqs.New(sqs.Client(cfg), url)
//	errs := queue.Send(ctx, msgs)
//
// A single message is sent by SendMessage. Several are sent by SendMessageBatch, up to ten messages
// and 1 MiB in a call. A message counts as sent only when SQS has returned its id. The entries of a
// batch succeed or fail one by one.
//
// The package retries by itself, and the client's own retries are off. The reason: if an answer is
// lost, the message may be in the queue already. If the message is sent again then, it carries the
// attribute [ResentAttribute], which tells its consumer that there may be two copies. After a clear
// refusal (throttling) it is sent again without the attribute.
//
// To a FIFO queue, one call sends only one message of each group, and the next ones follow once
// those are accepted. The reason: SQS judges the entries of a batch one by one, and might take the
// second message of a group without the first.
package sqs
