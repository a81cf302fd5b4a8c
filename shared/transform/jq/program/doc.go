// Package program checks jq programs and runs them. It links the interpreter gojq, which costs
// every process that links it about a megabyte and some 2,300 allocations at its start. So the
// Lambda functions do not link it: see package jq, which runs it in a process of its own.
//
// Nothing in this package limits the time or memory of a program. An interpreter cannot be stopped
// from within its process: a single operation may take seconds and gigabytes.
package program
