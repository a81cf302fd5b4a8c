// Package jq runs jq programs in a process of their own.
//
//	runner := jq.New("/var/task/jq")
//	results, err := runner.Run(ctx, ".data.id", event)
//
// An interpreter cannot be bounded within its process: a program of twenty characters can take
// gigabytes, or never end. So the process is watched from here and killed when it exceeds a limit.
// It gets an empty environment, so that it has no credentials.
//
// The process starts at the first call and stays, because its start takes 10 to 30 ms. Calls are
// made one after the other. After a killed program the next call starts a new process, and nothing
// else is affected.
package jq
