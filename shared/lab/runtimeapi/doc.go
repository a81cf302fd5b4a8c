// Package runtimeapi runs a function built for Lambda's provided.al2023 on this machine. It starts
// the bootstrap as Lambda does, with Lambda's environment and a server of the Lambda Runtime API
// (version 2018-06-01), and invokes it.
//
//	function, err := runtimeapi.Start(ctx, runtimeapi.Function{Binary: "bin/local/receive/bootstrap", Env: env})
//	defer function.Close()
//	answer, err := function.Invoke(ctx, event)
//
// # What is as in Lambda
//
// An [Instance] is one sandbox. It handles one invocation at a time; other invocations wait. If the
// function reports an error, Invoke returns a [*FunctionError] and the instance continues. An
// invocation that exceeds the function's timeout ends the instance, and so does the exit of the
// process. Every later Invoke then returns the reason. Payloads have at most [MaxPayloadBytes], in
// both directions.
//
// The process inherits nothing from this process's environment. It gets only what Lambda sets
// (region, credentials that fit no account, names) and Function.Env, which overrides that. It is
// killed with its instance and, on Linux, with the process that started it.
//
// # What is not
//
// The memory size is passed to the function but not enforced. An idle sandbox is not frozen. A
// sandbox that has ended is not replaced: start another one. There are no extensions, no streamed
// responses, and no account: calls to AWS go to the AWS_ENDPOINT_URL in Function.Env.
package runtimeapi
