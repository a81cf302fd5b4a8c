// Package awsconfig makes the configuration of the AWS clients from the environment that Lambda gives a function.
//
//	cfg, err := awsconfig.Config()
//	queue := sqs.New(awssqs.NewFromConfig(cfg), url)
//
// It takes the place of the SDK's config package, whose chain of credential sources (profiles, SSO, STS, IMDS) a Lambda
// function never walks: Lambda puts the region and the role's credentials into the environment, and they stay
// the same for as long as the sandbox lives. Doing without that chain keeps a function's binary, and so its cold start, small: a
// program with the clients of SQS and DynamoDB has 8.1 MB and starts in 5.0 ms, with the config package 10.2 MB and 6.7 ms (linux/amd64,
// stripped, start to end; an empty program takes 1.9 ms). Making the configuration and two clients is 0.04 ms of that.
//
// An operator's machine has other sources of credentials; tools that run there use the SDK's config package.
//
// The clients share one HTTP client. Its limits assume the services of one region, milliseconds away, and callers that hold
// a deadline of their own:
//
//	dial         1.5 s   a lost SYN is repeated once within it
//	TLS handshake  2 s
//	first byte     4 s   of an answer, after the request is written
//	whole try     15 s   5 MiB to S3 from the smallest function
//	idle          20 s   then a connection is closed
//
// An idle connection outlives the freeze between two invocations only if that was short: services close theirs without
// the frozen sandbox noticing, and a request written into a closed connection has an unknown fate. Go judges the idle time by
// the wall clock when it picks a connection, so the limit holds over a freeze. TLS sessions are resumed, which makes
// the new connection cheap.
//
// A call is tried at most 3 times, with jittered waits of at most 1 s, and the SDK's retry quota stops retries when most calls
// fail. A fourth try would rarely fit into an invocation: the queues in front of the functions are the better retry.
package awsconfig
