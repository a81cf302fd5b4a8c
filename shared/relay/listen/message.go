package listen

import (
	"bytes"
	"encoding/json"
	"fmt"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// Copy is a message in a listener's queue. Two copies of one event with the same Again are one: the
// second is a repeat. A large body is not in it: Event.BodyRef is set then.
type Copy struct {
	Event relay.Event
	// Again names a wish to have the event once more; "": it is there because it was routed.
	Again string
}

// copyDoc is the stored form of a copy.
type copyDoc struct {
	Version int             `json:"v"`
	Again   string          `json:"again,omitempty"`
	Event   json.RawMessage `json:"event"`
}

// packFrom is the size from which a body is compressed.
const packFrom = 4 << 10

// Encode returns the message. A body that is not in the message already compressed is so now, if it
// is large: a queue takes no message with it as it came.
func (c Copy) Encode() []byte {
	if len(c.Event.Body) >= packFrom {
		if z := format.Deflate(c.Event.Body); z != nil {
			c.Event.Body, c.Event.Packed = nil, z
		}
	}
	return format.Encode(copyDoc{
		Version: format.Version, Again: c.Again, Event: relay.EncodeEvent(c.Event),
	})
}

// Decode reads a message. Error: format.ErrFormat.
func Decode(b []byte) (Copy, error) {
	var doc copyDoc
	if err := format.Decode(b, &doc, &doc.Version); err != nil {
		return Copy{}, err
	}
	if len(bytes.TrimSpace(doc.Event)) == 0 {
		return Copy{}, fmt.Errorf("%w: a copy without an event", format.ErrFormat)
	}
	e, err := relay.DecodeEvent(doc.Event)
	return Copy{Event: e, Again: doc.Again}, err
}
