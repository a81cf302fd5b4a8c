// Package conformance holds the test suites that every adapter of a port of
// [webhook-relay/shared/relay] must pass, the embedded adapters and the AWS adapters alike. An
// adapter's test calls the suite with a function that makes a fresh port:
//
//	func TestBodies(t *testing.T) {
//		conformance.Bodies(t, func(t *testing.T) relay.Bodies { return s3.New(newBucket(t)) })
//	}
//
// Each sub-test calls that function once and expects a port that nothing else uses: a new table,
// bucket, queue or file, or its own names in a shared one. Sub-tests run in parallel, so the
// function must be safe for concurrent use. It stops what it started with t.Cleanup.
//
// The suites use the real clock, because emulators do. They wait up to half a minute for what must
// happen, and a second or two for what must not happen. With a fast adapter no suite takes longer
// than about five seconds.
//
// The suites test what the ports promise and nothing else; an adapter may be stricter. They prove
// nothing about crashes, about caches in front of an adapter (leave those out), or about speed.
package conformance
