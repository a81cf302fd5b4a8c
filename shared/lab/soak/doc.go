// Package soak tests the built command under load. It has tests only.
//
//	go test -v -timeout 0 ./shared/lab/soak -run '^TestSoak$' -for 10m    # or: make soak FOR=10m
//
// A soak starts "relay local" as a process, sends webhooks to it and kills it at random with SIGKILL. Its endpoints
// fail, hang and reset connections. At the end it compares the ledger with what senders and endpoints saw: every
// webhook that got a 2xx is delivered or dead, and no POST is made twice that no kill explains.
//
// Without -for only a soak of three seconds runs. The flags -rate, -senders, -endpoints, -kill-every and -seed change
// the long one.
package soak
