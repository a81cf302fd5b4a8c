// Package runtimeapi runs a function built for Lambda's provided.al2023 on this machine: it starts its bootstrap as Lambda
// does, with Lambda's environment and a server of the Lambda Runtime API (version 2018-06-01), and invokes it.
//
//	function, err := runtimeapi.Start(ctx, runtimeapi.Function{Binary: "bin/local/receive/bootstrap", Env: env})
//	defer function.Close()
//	answer, err := function.Invoke(ctx, event)
//
// # What is as in Lambda
//
// An [Instance] is one sandbox. It takes one invocation at a time, and those that are made meanwhile wait for their turn. An
// error that the function reports is a [*FunctionError], and the instance goes on. An invocation that passes the function's
// timeout ends the instance, and so does a process that exits; every later Invoke then tells why. Payloads have at most
// [MaxPayloadBytes], either way.
//
// The process has nothing of this one's environment: only what Lambda itself sets (region, credentials that fit no account,
// names) and Function.Env, which overrides it. It is killed with its instance and, on Linux, with the process that started it.
//
// # What is not
//
// Memory is told and not bounded, an idle sandbox is not frozen, and a sandbox that has ended is not replaced: start another.
// There are no extensions, no streamed responses, and no account: calls to AWS go wherever AWS_ENDPOINT_URL in Function.Env
// says.
package runtimeapi
