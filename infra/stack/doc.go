// Package stack is the relay as an AWS CloudFormation stack, written with the CDK.
//
//	props, err := stack.PropsFromContext(map[string]any{"stage": "prod"})
//	relay, err := stack.New(app, "Relay", props)
//
// It reads as the relay does: the key of the secrets, the tables, the bodies, the queues, the
// network (if asked for), the functions with what each may do, the hourly sweep, the ingress, the
// alarms, the dashboard, the outputs, a file each.
//
// What it guarantees, held by its tests for every resource of the template and not for a list of
// names:
//
//   - Each queue that a function consumes has a dead-letter queue with an alarm on it, a visibility
//     timeout of at least six times its consumer's, partial batch responses and a maximum
//     concurrency of its own. No queue speaks plain HTTP.
//   - Each function has a role of its own with the exact actions and resources it uses. What can be
//     granted on "*" only is listed by AnyResource with the reason.
//   - A function's environment has the names that package settings reads, no more and no fewer (and
//     GOMEMLIMIT).
//   - Nothing has a fixed physical name, so that any number of stages can stand in one account and
//     a resource can be replaced.
//   - The tables, the bodies and the key outlive the stack, and the stage prod cannot be destroyed
//     before it is released.
//   - The template depends on the props and the functions' code alone: not on the account, the
//     region, or CDK feature flags. The same props make the same template, byte for byte.
//   - Each alarm has an entry in docs/runbook.md. Each queue, each function that a webhook passes
//     and each of the relay's own metrics is on the dashboard.
//
// It does not guarantee that a relay works without its operator: the alarms go nowhere until
// Props.AlarmEmail or Props.AlarmTopicARN says where, and a destroyed stack takes what is in its
// queues and schedules with it.
//
// The constructs start a Node process through jsii, which is closed by jsii.Close. An error inside
// the CDK is a panic, as everywhere in CDK for Go; mistakes in the props are errors.
package stack
