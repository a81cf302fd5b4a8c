// Package conformance holds the test suites that every adapter of a port of [webhook-relay/shared/relay] must pass, the
// embedded ones and the AWS ones alike. An adapter's test calls the suite with a function that makes a fresh port:
//
//	func TestBodies(t *testing.T) {
//		conformance.Bodies(t, func(t *testing.T) relay.Bodies { return s3.NewBodies(client, newBucket(t)) })
//	}
//
// Each sub-test calls that function once and expects a port that nothing else uses: a new table, bucket, queue or file, or
// names of its own in a shared one. Sub-tests run in parallel, so the function must be safe for concurrent use; it ends
// what it started with t.Cleanup.
//
// The suites run on the real clock, since emulators do. They wait for what must come, for at most half a minute, and for
// what must not come, a second or two; no suite takes longer than about five seconds where the adapter is quick.
//
// They ask for what the ports promise, and for no more: an adapter may be stricter. They prove nothing about behaviour in a
// crash, about caches in front of an adapter (leave those out), or about speed.
package conformance
