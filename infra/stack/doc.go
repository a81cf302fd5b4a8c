// Package stack defines the relay as an AWS CloudFormation stack, written with the CDK.
//
//	props, err := stack.PropsFromContext(map[string]any{"stage": "prod"})
//	relay, err := stack.New(app, "Relay", props)
//
// Each part of the relay has its own file: the key of the secrets, the tables, the bodies, the
// queues, the network (if asked for), the functions with their permissions, the hourly sweep, the
// ingress, the alarms, the dashboard, the outputs.
//
// The package guarantees the following. Its tests check every resource of the template, not a list
// of names.
//
//   - Each queue that a function consumes has a dead-letter queue with an alarm on it. Its
//     visibility timeout is at least six times its consumer's timeout. It has partial batch
//     responses and its own maximum concurrency. No queue accepts plain HTTP.
//   - Each function has its own role, with the exact actions and resources that it uses.
//     AnyResource lists the actions that can only be granted on "*", with the reason for each.
//   - The environment of a function has exactly the variables that package settings reads, and
//     GOMEMLIMIT.
//   - No resource has a fixed physical name. So one account can hold any number of stages, and
//     CloudFormation can replace a resource.
//   - The tables, the bodies and the key are kept when the stack is deleted. The stage prod cannot
//     be destroyed until its protection is turned off.
//   - The template depends only on the props and the functions' code. It does not depend on the
//     account, the region, or CDK feature flags. The same props make the same template, byte for
//     byte.
//   - Each alarm has an entry in docs/runbook.md. The dashboard shows each queue, each function
//     that a webhook passes through, and each of the relay's own metrics.
//
// It does not guarantee that a relay works without its operator. Alarms notify nobody until
// Props.AlarmEmail or Props.AlarmTopicARN is set. If the stack is destroyed, the messages in its
// queues and its schedules are lost.
//
// The constructs start a Node process through jsii. Close ends it, through jsii.Close. An error
// inside the CDK is a panic, as everywhere in CDK for Go. Mistakes in the props are returned as
// errors.
package stack
