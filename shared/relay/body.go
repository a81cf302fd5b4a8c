package relay

import (
	"context"

	"webhook-relay/shared/relay/format"
)

const (
	// packFrom is the size from which a body is compressed in messages. SQS bills a call for each
	// 64 KB, and a batch of ten messages with smaller bodies is below that in any case.
	packFrom = 4 << 10
	// MaxPackedBodyBytes is the largest body, uncompressed, that a message or an event's record
	// holds compressed. It bounds the memory that a batch of messages takes.
	MaxPackedBodyBytes = 256 << 10
)

// packBody returns an event's body as it is stored: compressed where that pays, else as it is.
func packBody(body []byte) (z []byte, compressed bool) {
	if len(body) >= packFrom {
		if z := format.Deflate(body); z != nil {
			return z, true
		}
	}
	return body, false
}

// size returns about how many bytes the body has.
func (e Event) size() int {
	switch {
	case e.BodyRef != nil:
		return e.BodyRef.Size
	case e.Packed != nil:
		return 8 * len(e.Packed)
	}
	return len(e.Body)
}

// Content returns the event's body as it came, wherever it is stored. It may be e.Body itself.
// Errors: ErrFormat if a compressed body is damaged, and those of Bodies.
func (e Event) Content(ctx context.Context, bodies Bodies) ([]byte, error) {
	switch {
	case e.Packed != nil:
		return format.Inflate(e.Packed, MaxPackedBodyBytes)
	case e.BodyRef == nil:
		return e.Body, nil
	}
	b, err := bodies.Get(ctx, e.BodyRef.Key)
	if err != nil || !e.BodyRef.Packed {
		return b, err
	}
	return format.Inflate(b, e.BodyRef.Size)
}
