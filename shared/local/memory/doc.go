// Package memory holds the ports of package relay in memory: for tests of the core, which run thousands of them in virtual time.
// Nothing survives the process.
//
// The zero value of each type is ready to use, and all are safe for concurrent use. They pass the suites of package conformance, so
// what a test sees here it sees on the durable adapters.
package memory
