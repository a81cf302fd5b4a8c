// Package document reads the body of a webhook as one JSON document. All code that needs a value of
// a body uses it: proofs, delivery ids, event types, filters and ordering keys. So they all see the
// same document.
//
//	doc := document.Read(contentType, body, document.Holder{})
//	id := document.Value(doc.Text, "data", "id")
//
// The bytes of the body decide what the document is. No provider signs the content type, so the
// content type decides only if the bytes do not:
//
//	the body                              the document
//	JSON, with or without a UTF-8 BOM     that JSON, whatever the content type says
//	a form (application/x-www-form-…)     an object: each field's name and value; values of a field
//	                                      that is repeated are a list
//	multipart/form-data                   an object likewise; parts with a file name are left out
//	a form or multipart body with the     that JSON
//	field that [Holder].Field names
//	a JSON Web Token, if [Holder].Token   its claims
//	any of these, compressed with gzip    as it is without the compression
//	anything else                         none
//
// A body is a form if its content type says so. Under any other content type it is a form if it has
// an equals sign and only printable ASCII without spaces, quotes, angle brackets, braces,
// backslashes, "^" and backquotes. Forms are parsed by the WHATWG's URL standard: fields end only
// at "&", and a "%" that begins no escape is a plain "%".
//
// Bytes that are not UTF-8 are read as U+FFFD, as browsers do.
//
// # Bounds
//
// A document that exceeds a limit ([MaxDepth], [MaxFields], [MaxInflated]) is not read, and
// [Document].Opaque is set. Do not conclude from such a document that a value is absent.
//
// [Paths.Find] reads a text in one pass and builds nothing, so a hostile body costs no memory.
// [Read] allocates at most a small multiple of the body, or of the decompressed body.
package document
