// Package awsmodel is a model of SQS standard queues and of Lambda's event source mappings, as AWS
// documents them. It runs real handler code in virtual time: put it into a testing/synctest bubble,
// where minutes of traffic take seconds. It is for tests; product code does not import it.
//
// What it models, and where that is documented:
//
//   - Fair queues: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
//     A message group is noisy when more than 10 % of all messages in flight and at least 30 of them
//     are its own, or when it took more than 10 % of the recent processing time. Messages of quiet
//     groups are handed out first. Among noisy groups the one with the fewest in flight comes first.
//     A group is quiet again when its backlog is empty, or when nothing was sent to it for 5 minutes.
//     A message without a group is a group of its own.
//   - Visibility timeout, delay, receive count and dead-letter queue:
//     https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
//   - The event source mapping: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
//     It starts with five concurrent batches. While messages are available it adds up to 300 a minute,
//     at most its maximum concurrency. It scales back while there is little traffic.
//   - Batches: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
//     Up to ten messages without a batching window. An invocation lasts as long as its slowest message.
//     The messages that it does not report as failed are deleted. The others come back after the
//     visibility timeout.
//   - Throttling: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
//     A throttled invocation has received its messages. They come back after the visibility timeout,
//     and the receive counts.
//
// What the documentation leaves open is modelled to the disadvantage of quiet groups: noisy groups are
// found with a delay of one second, a batch is filled up with noisy messages where too few quiet ones are
// there, and pollers that are idle take noisy messages at once. Not modelled: FIFO queues, limits of
// throughput, and duplicates that SQS makes by itself.
//
// Random choices follow from a seed. Two runs of one seed differ only in the order in which goroutines
// that are due at the same nanosecond go on.
package awsmodel
