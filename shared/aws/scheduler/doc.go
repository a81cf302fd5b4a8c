// Package scheduler sends messages later than a queue's longest delay allows, through Amazon
// EventBridge Scheduler.
//
//	s := scheduler.New(cfg, scheduler.Target{Group: …, QueueURL: …, RoleARN: …})
//
// Each message is a one-time schedule that deletes itself once it is done. Its target is the
// universal target for SQS's SendMessage, not the templated SQS target, because only the universal
// one sets a message group and attributes on a standard queue. The role needs sqs:SendMessage on
// that queue.
//
// Scheduler sends at least once, usually within a minute of the time. If SQS refuses, it retries
// for up to 24 hours.
package scheduler
