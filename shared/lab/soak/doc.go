// Package soak tests the built command under load. It has only tests.
//
//	go test -v -timeout 0 ./shared/lab/soak -run '^TestSoak$' -for 10m    # or: make soak FOR=10m
//
// A soak starts "relay local" as a process, sends webhooks to it, and kills it at random times with
// SIGKILL. Its endpoints fail, hang and reset connections. At the end it compares the ledger with
// what senders and endpoints saw. Every webhook that got a 2xx must be delivered or dead. No POST
// may be made twice unless a kill explains it.
//
// Without -for only a soak of three seconds runs. The flags -rate, -senders, -endpoints,
// -kill-every and -seed change the long one.
package soak
