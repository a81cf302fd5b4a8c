package dynamo

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

const (
	// batchFrom is the number of bytes of bodies from which they are stored in one object of S3. An
	// object costs as much as 8 write units of DynamoDB. Each KB costs one write unit there, and
	// its storage for 30 days as much as 0.4 of one.
	batchFrom = 6 << 10
	// leastPlain is the smallest body in such an object that is not packed. A smaller one is
	// compressed together with the rest of its event, and has room in its write unit.
	leastPlain = 4 << 10
)

// place tells where a body is within an object.
type place struct {
	key            string
	offset, length int
	packed         bool // it is compressed: relay.Event.Packed
}

func (p place) String() string {
	return fmt.Sprintf("%s %d %d %t", p.key, p.offset, p.length, p.packed)
}

func parsePlace(s string) (place, error) {
	body, packed := strings.CutSuffix(s, " true")
	key, numbers := nameAndNumbers(strings.TrimSuffix(body, " false"))
	if len(numbers) != 2 {
		return place{}, fmt.Errorf("%w: place of a body %q", format.ErrFormat, s)
	}
	return place{key: key, offset: numbers[0], length: numbers[1], packed: packed}, nil
}

// nameAndNumbers splits a name and natural numbers, with spaces between them. Without any number, s
// is none of these. (Package fmt reads them too, and is 0.1 MB of a function.)
func nameAndNumbers(s string) (name string, numbers []int) {
	name, rest, _ := strings.Cut(s, " ")
	for field := range strings.SplitSeq(rest, " ") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 0 {
			return "", nil
		}
		numbers = append(numbers, n)
	}
	return name, numbers
}

// storeBodies stores the bodies of a batch of events as one object, if that costs less than to keep
// them in the items. It returns the place of each body, by the index of its record. No item refers
// to the object yet.
func (l *Ledger) storeBodies(
	ctx context.Context, records []relay.EventRecord,
) (map[int]place, error) {
	places := map[int]place{}
	if l.bodies == nil {
		return places, nil
	}
	var object []byte
	for i, r := range records {
		p := place{offset: len(object), packed: r.Packed != nil}
		body := r.Body
		if p.packed {
			body = r.Packed
		}
		// a body that is not packed is small, or cannot be compressed
		if p.length = len(body); p.packed || p.length >= leastPlain {
			places[i] = p
			object = append(object, body...)
		}
	}
	if len(object) < batchFrom {
		return map[int]place{}, nil
	}
	key := "batches/" + records[0].ReceivedAt.UTC().Format("2006/01/02/") + rand.Text()
	for i, p := range places {
		p.key = key
		places[i] = p
	}
	return places, l.bodies.Put(ctx, key, object)
}

// fetchBody reads the body of an event's item into r, if an object holds it.
func (l *Ledger) fetchBody(ctx context.Context, it item, r *relay.EventRecord) error {
	text := textOf(it, placeAttribute)
	if text == "" {
		return nil
	}
	p, err := parsePlace(text)
	if err != nil {
		return err
	}
	if l.bodies == nil {
		return fmt.Errorf("its body is in %s, and this ledger was opened without bodies", p.key)
	}
	object, err := l.bodies.Get(ctx, p.key)
	if err != nil {
		return err
	}
	if p.offset+p.length > len(object) {
		return fmt.Errorf("%w: %s of %d bytes", format.ErrFormat, p, len(object))
	}
	r.Body, r.Packed = bodyForm(object[p.offset:p.offset+p.length], p.packed)
	return nil
}

// bodyForm returns a stored body as relay.Event has it.
func bodyForm(b []byte, isPacked bool) (body, packed []byte) {
	if isPacked {
		return nil, b
	}
	return b, nil
}
