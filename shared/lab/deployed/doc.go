// Package deployed runs the deployed system without an account. It reads the synthesised template
// and creates its queues, tables and bucket in the emulators of package emulator. It starts the
// functions of the same cloud assembly, and plays the AWS services between them.
//
//	assembly, err := deployed.Synthesise(ctx, "../../..", dir)
//	host, err := deployed.Start(ctx, assembly, os.Stderr)
//	defer host.Close()
//	http.Post(host.Outputs["IngressUrl"]+"/in/github", …)
//
// # What the template decides
//
// Everything about a resource is taken from the template. A resource type that is neither played
// nor known to have no effect here is ErrTemplate. So is such a property, whatever its value:
// properties without effect here are listed beside those that are played.
//
//   - Ref, Fn::GetAtt, Fn::Join and Fn::Sub are resolved in every property and output, also of
//     resources that are not played. So a name of nothing is found wherever it is.
//   - Queues are created with all their attributes and their RedrivePolicy, tables with keys and
//     indexes, under generated names.
//   - Functions are the assets that the template names. They get the template's environment,
//     timeout and memory size, and what Lambda itself sets. The only addition is AWS_ENDPOINT_URL.
//     Instances are started when needed, one for each concurrent invocation.
//   - Each AWS::Lambda::EventSourceMapping is polled as Lambda does it
//     (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html). It starts with five
//     pollers. One more is added whenever all of them have a batch, up to the maximum concurrency.
//     A batch has at most BatchSize messages. If ReportBatchItemFailures is set, messages that the
//     answer names as failed are not deleted. They are received again after their visibility
//     timeout: the queue's, or the one that the function set with ChangeMessageVisibility. A queue
//     whose visibility timeout is shorter than its function's timeout is refused.
//   - Routes of the HTTP API become events of payload format 2.0, if a stage deploys them and the
//     template permits API Gateway to invoke the function.
//   - EventBridge rules with a rate become its scheduled events, if the template permits it to
//     invoke the function.
//   - A function may invoke another, or itself, by Lambda's API and without waiting. What fails is
//     made again at most twice, when [Host.InvokeAgain] is called.
//   - Outside of the stack there are a queue, a bucket and two state machines. Endpoints may send
//     to them.
//   - EventBridge Scheduler assumes the role that a schedule names, if the role trusts it.
//   - A function may assume a role that trusts its own, with a policy that limits the session.
//     Whoever has the credentials uses SQS at [Host.Sessions].
//
// # Who may do what
//
// Every function calls the services through its own proxy (door). The proxy checks the signature of
// each call, also of the presigned URLs that a function gave away. It reads the action and
// the resource of each call and checks them against the policies of the function's role. A call
// that is not granted is refused as AWS does, and listed by [Host.Denied]. Grants that were never
// needed are listed by [Host.Unused]. Calls that Lambda makes on behalf of a function count too:
// polling the queues, writing logs and traces. Resource policies are not evaluated. Those of the
// template only deny calls without TLS, and nothing here uses TLS.
//
// # A bad day
//
// [Host.Stop] receives nothing from a queue for a while, so that messages arrive late.
// [Host.Throttle] hands batches to no function, but their messages count as received.
// [Host.PassVisibility] ends visibility timeouts early, so that a test need not wait for minutes.
// [Host.Kill] ends the instances of a function in the midst of their invocations.
//
// # What is not as in AWS
//
// Time differs. Pollers are added at once and stay, while Lambda adds 300 a minute and removes idle
// ones. A schedule is due when [Host.PassTime] is called, and a rule when [Host.PlayRules] is.
// Memory is not limited. Throttles of the API's stage, alarms, log retention and time-to-live have
// no effect. [Host.WithoutTimeToLive] lists the tables with items that time-to-live would never
// delete.
package deployed
