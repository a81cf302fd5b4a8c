// Package format writes and reads the versioned JSON documents that queues and tables keep.
package format
