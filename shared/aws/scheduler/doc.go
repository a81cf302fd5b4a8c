// Package scheduler sends messages at a time further away than a queue can carry, through Amazon EventBridge Scheduler.
//
//	s := scheduler.New(awsscheduler.NewFromConfig(cfg), scheduler.Target{Group: …, QueueURL: …, RoleARN: …})
//
// Each message is a one-time schedule that deletes itself once it is done. Its target is the universal target for SQS's
// SendMessage and not the templated SQS target, because only the former sets a message group and attributes on a standard queue. The role
// needs sqs:SendMessage on that queue.
//
// Scheduler sends at least once, as a rule within a minute of the time. If SQS refuses, it tries again for up to 24 hours.
package scheduler
