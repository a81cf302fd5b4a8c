package relay

import "webhook-relay/shared/relay/format"

// The functions below encode by reflection: a type without AppendJSON has no other way.

func EventByReflection(e Event) []byte {
	type plain eventDoc
	return format.Encode(plain(toEventDoc(e)))
}

func RecordByReflection(r EventRecord) []byte {
	type plainEvent eventDoc
	type plain recordDoc
	return format.Encode(struct {
		plain
		Event plainEvent `json:"event"`
	}{plain(toRecordDoc(r)), plainEvent(toEventDoc(r.Event))})
}

func DeliveryByReflection(d Delivery) []byte {
	type plain deliveryDoc
	return format.Encode(plain(toDeliveryDoc(d)))
}

// EncodeTask returns the message of a task whose plain fields are given, as it is sent and by
// reflection.
func EncodeTask(
	e Event, endpoint string, attempt, step int, cycle, slow bool, origin string,
) (sent, reflected []byte) {
	t := task{
		Endpoint: endpoint, Attempt: attempt, Step: step, NotBefore: e.ReceivedAt, Cycle: cycle,
		Slow: slow, Origin: origin, Made: &madeAttempt{MessageID: origin},
	}
	type plain task
	head := format.Encode(plain(t.versioned()))
	event := EncodeEvent(e)
	reflected = append(append(head[:len(head)-1:len(head)-1], eventMember...), event...)
	return t.encode(event), append(reflected, '}')
}

// ValueOf returns what the value of a message says, and what its body says.
func ValueOf(m Outgoing) (value, body any, err error) {
	if e, ok := m.Value.(*Event); ok {
		decoded, err := DecodeEvent(m.Body)
		return *e, decoded, err
	}
	t, e, err := taskOf(Message{Body: m.Body, Value: m.Value})
	if err != nil {
		return nil, nil, err
	}
	readTask, readEvent, err := decodeTask(m.Body)
	return [2]any{t, e}, [2]any{readTask, readEvent}, err
}

// StoredFormats returns an empty value of each stored format.
func StoredFormats() map[string]any {
	return map[string]any{
		"whole-event": &eventDoc{}, "whole-record": &recordDoc{}, "whole-delivery": &deliveryDoc{},
		"whole-task": &task{},
	}
}
