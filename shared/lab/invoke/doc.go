// Package invoke runs one built function once, in an emulated AWS of its own. It needs no account
// and no Docker.
//
//	err := invoke.Call{Function: "receive", Event: "events/receive/github-push.json", BinDir: "bin/local"}.Run(ctx, os.Stdout)
//
// It makes new queues, tables and a bucket in the emulators of package emulator, and writes the
// demonstration's configuration (events.Demo) into the catalog. It starts the function's bootstrap
// behind the Lambda Runtime API, with the environment that package settings describes, and sends
// the event. Then it prints the answer, the function's log, and the contents of the queues, the
// ledger and the bucket. Nothing of this is kept.
//
// The function is the deployed one, including its guard: deliver refuses the demonstration's
// endpoint, because it is on loopback, and records the attempt as blocked. Permissions are not
// checked. The retention is a hundred years, because all sample events have the same fixed date.
package invoke
