// Package awsconfig makes the configuration of the AWS clients from the environment that Lambda
// gives a function.
//
//	cfg, err := awsconfig.Config()
//	queue := sqs.New(sqs.Client(cfg), url)
//
// It replaces the SDK's config package. That package looks for credentials in a chain of sources
// (profiles, SSO, STS, IMDS), which a Lambda function never needs: Lambda puts the region and the
// role's credentials into the environment, and they stay the same for the sandbox's lifetime.
// Without that chain a function's binary is smaller, and so its cold start faster. A program that
// makes this configuration and clients of SQS and DynamoDB has 7.8 MB; with the config package it
// has 10.3 MB and takes 2.6 times as long (linux/amd64, stripped, start to end).
//
// An operator's machine has other sources of credentials. Tools that run there use the SDK's config
// package.
//
// The clients share one HTTP client. Its limits assume services in the same region, milliseconds
// away, and callers with a deadline of their own:
//
//	dial         1.5 s   a lost SYN is repeated once within it
//	TLS handshake  2 s
//	first byte     4 s   of an answer, after the request is written
//	whole try     15 s   5 MiB to S3 from the smallest function
//	idle          20 s   then a connection is closed
//
// The limit on idle time has a reason. Between two invocations a sandbox is frozen, and a service
// may close its connection without the sandbox noticing. If a request is then written into the
// closed connection, nobody knows whether it was executed. Go measures the idle time by the wall
// clock when it picks a connection, so the limit includes the time of a freeze. TLS sessions are
// resumed, so a new connection is cheap.
//
// A call is tried at most 3 times, with jittered waits of at most 1 s. The SDK's retry quota stops
// retries when most calls fail. A fourth try would rarely fit into an invocation: the queues in
// front of the functions retry better.
package awsconfig
