// Package memory implements the ports of package relay in memory. It is for tests of the core,
// which run thousands of them in virtual time. Nothing survives the process.
//
// The zero value of each type is ready to use, and all types are safe for concurrent use. They pass
// the suites of package conformance, so a test sees the same behaviour here as with the durable
// adapters.
package memory
