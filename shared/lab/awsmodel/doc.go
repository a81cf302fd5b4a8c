// Package awsmodel is a model of SQS standard queues and of Lambda's event source mappings, as AWS
// documents them. It runs real handler code in virtual time: in a testing/synctest bubble, minutes
// of traffic take seconds. It is for tests; product code does not import it.
//
// What it models, and where that is documented:
//
//   - Fair queues:
//     https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
//     A message group is noisy if it has at least 30 messages in flight and these are more than 10
//     % of all messages in flight. It is also noisy if it used more than 10 % of the recent
//     processing time. Messages of quiet groups are received first. Of the noisy groups, the one
//     with the fewest messages in flight comes first. A group is quiet again when its backlog is
//     empty, or when nothing was sent to it for 5 minutes. A message without a group is its own
//     group.
//   - Visibility timeout, delay, receive count and dead-letter queue:
//     https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
//   - The event source mapping:
//     https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html It starts with five
//     concurrent batches. While messages are available it adds up to 300 a minute, up to its
//     maximum concurrency. It scales back when there is little traffic.
//   - Batches: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html A batch has up to ten
//     messages without a batching window. An invocation lasts as long as its slowest message.
//     Messages that it does not report as failed are deleted. The others are received again after
//     the visibility timeout.
//   - Throttling: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html A
//     throttled invocation has received its messages. They are received again after the visibility
//     timeout, and the receive counts.
//
// Where the documentation leaves a choice, the model is unfavourable to quiet groups. Noisy groups
// are detected with a delay of one second. A batch is filled up with noisy messages if there are
// too few quiet ones. Idle pollers take noisy messages at once. FIFO queues, throughput limits, and
// duplicates made by SQS itself are not modelled.
//
// Random choices follow from a seed. Two runs with the same seed differ only in the order in which
// goroutines continue that are due at the same nanosecond.
package awsmodel
