// Package format writes and reads the versioned JSON documents in queues and tables.
//
// [Encode] writes a document and [Decode] reads one. A document of this version or an earlier one
// can be read. The package does not know what a document contains.
package format
