package dynamo

import (
	"encoding/binary"
	"fmt"

	"webhook-relay/shared/relay/format"
)

// maxUnpacked bounds what a packed attribute holds: a document and an inline body.
const maxUnpacked = 16 << 20

// pack puts a document and a body into an item. It puts both into one compressed attribute if they
// take less room there: a write unit is paid for each KB. The body is not in base64 either way.
func pack(it item, doc, body []byte) {
	plain := binary.AppendUvarint(
		make([]byte, 0, binary.MaxVarintLen64+len(doc)+len(body)), uint64(len(doc)),
	)
	if z := format.DeflateDocument(append(append(plain, doc...), body...)); z != nil {
		it[packedAttribute] = bytesOf(z)
		return
	}
	it[docAttribute] = text(string(doc))
	if len(body) > 0 {
		it[bodyAttribute] = bytesOf(body)
	}
}

// unpack returns the document and the body that pack put into an item.
func unpack(it item) (doc, body []byte, err error) {
	z := binaryOf(it, packedAttribute)
	if z == nil {
		return []byte(textOf(it, docAttribute)), binaryOf(it, bodyAttribute), nil
	}
	plain, err := format.InflateDocument(z, maxUnpacked)
	if err != nil {
		return nil, nil, err
	}
	length, head := binary.Uvarint(plain)
	n := int(min(length, maxUnpacked)) //nolint:gosec // bounded
	if head <= 0 || n > len(plain)-head {
		return nil, nil,
			fmt.Errorf("%w: packed item of %d bytes has no document", format.ErrFormat, len(plain))
	}
	doc, body = plain[head:head+n], plain[head+n:]
	if len(body) == 0 {
		body = nil
	}
	return doc, body, nil
}
