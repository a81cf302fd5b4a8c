// Package deployed runs what would be deployed, without an account: it reads the synthesised template, makes the queues, tables and
// the bucket that it names in the emulators of package emulator, starts the functions of the same cloud assembly, and plays the
// services between them.
//
//	assembly, err := deployed.Synthesise(ctx, "../../..", dir)
//	host, err := deployed.Start(ctx, assembly, os.Stderr)
//	defer host.Close()
//	http.Post(host.Outputs["IngressUrl"]+"/in/github", …)
//
// # What the template decides
//
// Everything that is said here of a resource is taken from the template. A type of resource that is neither played nor known to do nothing
// here is ErrTemplate, and so is a property that is neither, whatever its value: what changes nothing here is listed beside what is played.
//
//   - Ref, Fn::GetAtt, Fn::Join and Fn::Sub of every property and output are resolved, of the resources that are not played too: a
//     name that leads nowhere is found wherever it is.
//   - Queues are made with all their attributes and their RedrivePolicy, tables with keys and indexes, under generated names.
//   - Functions are the assets that the template names. They get the environment, the timeout and the memory size that it says, and beside
//     what Lambda itself sets only AWS_ENDPOINT_URL. Instances are started on demand, one for each invocation under way.
//   - Each AWS::Lambda::EventSourceMapping is polled as Lambda does it
//     (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html): by five pollers at first, and by one more whenever
//     all have a batch in hand, up to the maximum concurrency; BatchSize messages at most; what a batch's answer names as failed is not
//     deleted, if ReportBatchItemFailures is set, and comes back when its visibility timeout is over: the queue's, or what the function set
//     with ChangeMessageVisibility. A queue whose visibility timeout is shorter than its function's timeout is refused.
//   - Routes of the HTTP API become events of payload format 2.0, if a stage deploys them and the template permits API Gateway to invoke the function.
//   - Rules of EventBridge with a rate become its scheduled events, if the template permits it to invoke the function.
//   - EventBridge Scheduler takes on the role that a schedule names, if that trusts it.
//
// # Who may do what
//
// Every function has a door of its own to the services. It reads the action and the resource of each call from the wire and holds them
// against the policies of the function's role: what is not granted is answered as AWS does and listed by [Host.Denied], what is granted
// and was never needed by [Host.Unused]. What Lambda does in a function's name counts too: polling the queues, writing logs and traces.
// Policies of resources are not evaluated: those of the template only deny what does not come over TLS, which nothing here does.
//
// # A bad day
//
// [Host.Stop] takes nothing from a queue for a while, so that messages arrive late. [Host.Throttle] hands batches to no function: their messages
// count as received. [Host.PassVisibility] saves a test the wait for a visibility timeout, which is minutes.
//
// # What is not as in AWS
//
// Time: pollers are added at once and stay, where
// Lambda adds 300 in a minute and takes idle ones away, and a schedule's time comes when
// [Host.PassTime] is called, and a rule's when [Host.PlayRules] is. Memory is not bounded. Throttles of the API's stage, alarms, logs' retention and tables' time-to-live
// do not act; [Host.WithoutTimeToLive] tells which tables have items that the latter would never delete.
package deployed
