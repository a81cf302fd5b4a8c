// Package document reads the body of a webhook as one JSON document. Whatever needs a value of a
// body reads it here: proofs, delivery ids, event types, filters and ordering keys all see the same.
//
//	doc := document.Read(contentType, body, document.Holder{})
//	id := document.Value(doc.Text, "data", "id")
//
// What the document is, is decided by the bytes of the body. The content type is not signed by any
// provider, so it decides only where the bytes leave it open:
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
// A body is a form if its content type says so or, under any content type, if it has an equals sign
// and nothing but printable ASCII without spaces, quotes, angle brackets and braces. Forms are parsed
// as the URL standard of the WHATWG says: fields end at "&" alone, and a "%" that begins no escape
// stands for itself.
//
// Bytes that are not UTF-8 are read as U+FFFD, as browsers do.
//
// # Bounds
//
// A body that has a document which is larger than the bounds ([MaxDepth], [MaxFields], [MaxInflated])
// is [Document].Opaque: nobody may conclude from it what is absent.
//
// [Paths.Find] reads a text in one pass without building anything: a hostile body costs no memory.
// [Read] allocates at most a small multiple of the body, or of what it inflates to.
package document
