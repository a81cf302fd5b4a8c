// Package invoke runs one built function, once, on an AWS of its own: no account and no Docker.
//
//	err := invoke.Call{Function: "receive", Event: "events/receive/github-push.json", BinDir: "bin/local"}.Run(ctx, os.Stdout)
//
// It makes fresh queues, tables and a bucket in the emulators of package emulator, puts the demonstration's configuration
// (events.Demo) into the catalog, starts the function's bootstrap behind the Lambda Runtime API with the environment that
// package settings describes, sends the event, and prints the answer, the function's log, and what lies in each queue, in the
// ledger and in the bucket afterwards. Nothing of it stays.
//
// The function is the one that is deployed, its guard included: deliver refuses the demonstration's endpoint, which is on
// loopback, and records the attempt as blocked. Permissions are not checked. The retention is a hundred years, since the sample
// events bear one date.
package invoke
