package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The kinds of the journal's records. Each is followed by its fields: numbers as varints, texts
// with their length before them.
const (
	recordSend     = 1 + iota // a message is sent: see appendSend
	recordReceive             // messages are received: ids
	recordRemove              // a message was handled: queue, id
	recordAgain               // a message comes again: queue, id, receives, due
	recordEvent               // an event is written: see appendEvent
	recordDelivery            // a delivery is written: see appendDelivery
	recordLeases              // the messages that are in flight now: ids
)

// The bits of the flags in a record.
const (
	flagResent = 1 << iota
	flagNamed
)

func appendSend(b []byte, queue string, m message) []byte {
	flags := uint64(0)
	if m.resent {
		flags |= flagResent
	}
	if m.named {
		flags |= flagNamed
	}
	b = append(b, recordSend)
	b = appendText(b, queue)
	b = binary.AppendVarint(b, m.id)
	b = binary.AppendUvarint(b, flags)
	b = appendText(b, m.group)
	b = binary.AppendVarint(b, m.due)
	b = appendText(b, m.name)
	return appendText(b, m.body)
}

func appendIDs(b []byte, kind byte, ids []int64) []byte {
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = binary.AppendVarint(b, id)
	}
	return b
}

func appendRemove(b []byte, queue string, id int64) []byte {
	b = append(b, recordRemove)
	b = appendText(b, queue)
	return binary.AppendVarint(b, id)
}

func appendAgain(b []byte, queue string, id int64, receives int, due int64) []byte {
	b = append(b, recordAgain)
	b = appendText(b, queue)
	b = binary.AppendVarint(b, id)
	b = binary.AppendVarint(b, int64(receives))
	return binary.AppendVarint(b, due)
}

func appendEvent(b []byte, e eventRow) []byte {
	b = append(b, recordEvent)
	b = appendText(b, e.id)
	b = appendText(b, e.tenant)
	b = appendText(b, e.source)
	b = binary.AppendVarint(b, e.received)
	b = binary.AppendVarint(b, e.expires)
	b = appendText(b, e.record)
	return appendText(b, e.body)
}

func appendDelivery(b []byte, d deliveryRow) []byte {
	b = append(b, recordDelivery)
	b = appendText(b, d.event)
	b = appendText(b, d.endpoint)
	b = appendText(b, d.status)
	b = binary.AppendVarint(b, int64(d.attempts))
	b = binary.AppendVarint(b, d.received)
	b = binary.AppendVarint(b, d.due)
	b = binary.AppendVarint(b, d.changed)
	b = binary.AppendVarint(b, d.expires)
	return appendText(b, d.record)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// errRecord means that a record is none, although the checksum of its frame is right.
var errRecord = errors.New("a record of another version, or none")

// recordReader reads the records of a frame. After an error it returns zero values.
type recordReader struct {
	rest []byte
	err  error
}

func (r *recordReader) fail() {
	r.rest, r.err = nil, errRecord
}

func (r *recordReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *recordReader) varint() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// bytes returns a part of the frame, not a copy.
func (r *recordReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	text := r.rest[:n:n]
	r.rest = r.rest[n:]
	return text
}

func (r *recordReader) text() string { return string(r.bytes()) }

func (r *recordReader) ids() []int64 {
	n := r.uvarint()
	if n > uint64(len(r.rest)) { // an id takes at least one byte
		r.fail()
		return nil
	}
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = r.varint()
	}
	return ids
}

// replay reads the next record. It puts its change into the overlay, unless that is nil, and keeps
// track of the messages in flight.
func (r *recordReader) replay(to *overlay, leases map[int64]struct{}) error {
	kind := byte(0)
	if len(r.rest) > 0 {
		kind, r.rest = r.rest[0], r.rest[1:]
	}
	if to == nil {
		to = newOverlay() // it is thrown away
	}
	switch kind {
	case recordSend:
		queue, m := r.message()
		to.send(queue, m)
	case recordReceive, recordLeases:
		if kind == recordLeases {
			clear(leases)
		}
		for _, id := range r.ids() {
			leases[id] = struct{}{}
		}
	case recordRemove:
		queue, id := r.text(), r.varint()
		delete(leases, id)
		to.remove(queue, id)
	case recordAgain:
		queue, id := r.text(), r.varint()
		delete(leases, id)
		to.again(queue, id, int(r.varint()), r.varint())
	case recordEvent:
		to.event(eventRow{
			id: r.text(), tenant: r.text(), source: r.text(), received: r.varint(),
			expires: r.varint(), record: r.bytes(), body: r.bytes(),
		})
	case recordDelivery:
		to.delivery(r.delivery())
	default:
		r.fail()
	}
	if r.err != nil {
		return fmt.Errorf("record of kind %d: %w", kind, r.err)
	}
	return nil
}

func (r *recordReader) message() (queue string, m message) {
	queue, m.id = r.text(), r.varint()
	flags := r.uvarint()
	m.resent, m.named = flags&flagResent != 0, flags&flagNamed != 0
	m.group, m.due, m.name, m.body = r.text(), r.varint(), r.text(), r.bytes()
	return queue, m
}

func (r *recordReader) delivery() deliveryRow {
	d := deliveryRow{
		deliveryKey: deliveryKey{event: r.text(), endpoint: r.text()}, status: r.text(),
		attempts: int(r.varint()),
	}
	d.received, d.due, d.changed, d.expires = r.varint(), r.varint(), r.varint(), r.varint()
	d.record = r.bytes()
	return d
}
