package relay

import (
	"maps"
	"slices"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/format"
)

// The documents of message.go write themselves, because reflection took most of the time of a
// message. The result is the same, byte for byte: FuzzEncode holds that, and
// TestEveryFieldIsWritten finds a field that has no line here.

// AppendJSON implements format.Appender.
func (d eventDoc) AppendJSON(b []byte) []byte {
	b = format.AppendInt(append(b, '{'), "v", d.Version)
	b = format.AppendText(b, "id", d.ID)
	b = format.AppendText(b, "receipt", d.Receipt)
	b = format.AppendText(b, "source", d.Source)
	b = format.AppendTextUnlessEmpty(b, "tenant", d.Tenant)
	b = format.AppendTextUnlessEmpty(b, "type", d.Type)
	b = format.AppendTextUnlessEmpty(b, "trust", d.Trust)
	b = format.AppendTime(b, "receivedAt", d.ReceivedAt)
	if len(d.Header) > 0 {
		b = append(format.AppendKey(b, "header"), '{')
		for i, name := range slices.Sorted(maps.Keys(d.Header)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(format.AppendString(b, name), ':')
			b = format.AppendString(b, d.Header[name])
		}
		b = append(b, '}')
	}
	b = format.AppendTextUnlessEmpty(b, "trace", d.Trace)
	b = format.AppendBytesUnlessEmpty(b, "body", d.Body)
	b = format.AppendBytesUnlessEmpty(b, "packed", d.Packed)
	if d.BodyRef != nil {
		b = format.AppendAny(b, "bodyRef", d.BodyRef)
	}
	if d.Holder != (document.Holder{}) {
		b = format.AppendAny(b, "holder", d.Holder)
	}
	b = format.AppendTextUnlessEmpty(b, "deliveryId", d.DeliveryID)
	if d.Schema != nil {
		b = format.AppendAny(b, "schema", d.Schema)
	}
	return append(b, '}')
}

// AppendJSON implements format.Appender.
func (d recordDoc) AppendJSON(b []byte) []byte {
	b = format.AppendInt(append(b, '{'), "v", d.Version)
	b = format.AppendText(b, "messageId", d.MessageID)
	if len(d.Endpoints) > 0 {
		b = append(format.AppendKey(b, "endpoints"), '[')
		for i, name := range d.Endpoints {
			if i > 0 {
				b = append(b, ',')
			}
			b = format.AppendString(b, name)
		}
		b = append(b, ']')
	}
	b = format.AppendIntUnlessZero(b, "sent", d.Sent)
	b = format.AppendTime(b, "routedAt", d.RoutedAt)
	b = format.AppendTime(b, "expiresAt", d.ExpiresAt)
	b = d.Event.AppendJSON(format.AppendKey(b, "event"))
	return append(b, '}')
}

// AppendJSON implements format.Appender.
func (d attemptDoc) AppendJSON(b []byte) []byte {
	b = format.AppendInt(append(b, '{'), "number", d.Number)
	b = format.AppendTime(b, "at", d.At)
	b = format.AppendInt(b, "durationMs", d.DurationMs)
	if d.TimingMs != (timingDoc{}) {
		b = format.AppendAny(b, "timingMs", d.TimingMs)
	}
	b = format.AppendText(b, "outcome", d.Outcome)
	b = format.AppendIntUnlessZero(b, "statusCode", d.StatusCode)
	b = format.AppendTextUnlessEmpty(b, "error", d.Error)
	b = format.AppendBytesUnlessEmpty(b, "response", d.Response)
	return append(b, '}')
}

// AppendJSON implements format.Appender.
func (d deliveryDoc) AppendJSON(b []byte) []byte {
	b = format.AppendInt(append(b, '{'), "v", d.Version)
	b = format.AppendText(b, "eventId", d.EventID)
	b = format.AppendText(b, "endpoint", d.Endpoint)
	b = format.AppendTime(b, "receivedAt", d.ReceivedAt)
	b = format.AppendText(b, "source", d.Source)
	b = format.AppendTextUnlessEmpty(b, "type", d.Type)
	b = format.AppendText(b, "status", d.Status)
	b = format.AppendTextUnlessEmpty(b, "reason", d.Reason)
	b = format.AppendInt(b, "attempts", d.Attempts)
	b = format.AppendIntUnlessZero(b, "step", d.Step)
	b = format.AppendText(b, "messageId", d.MessageID)
	b = format.AppendIntUnlessZero(b, "receives", d.Receives)
	if !d.NextAt.IsZero() {
		b = format.AppendTime(b, "nextAt", d.NextAt)
	}
	b = format.AppendTextUnlessEmpty(b, "held", d.Held)
	b = format.AppendTrueIf(b, "reserved", d.Reserved)
	b = format.AppendTime(b, "updatedAt", d.UpdatedAt)
	b = format.AppendTime(b, "expiresAt", d.ExpiresAt)
	b = append(format.AppendKey(b, "history"), '[')
	for i, a := range d.History {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.AppendJSON(b)
	}
	return append(b, ']', '}')
}

// AppendJSON implements format.Appender.
func (t task) AppendJSON(b []byte) []byte {
	b = format.AppendInt(append(b, '{'), "v", t.Version)
	b = format.AppendText(b, "endpoint", t.Endpoint)
	b = format.AppendInt(b, "attempt", t.Attempt)
	b = format.AppendInt(b, "step", t.Step)
	if !t.NotBefore.IsZero() {
		b = format.AppendTime(b, "notBefore", t.NotBefore)
	}
	if t.Made != nil {
		b = format.AppendAny(b, "made", t.Made)
	}
	b = format.AppendTrueIf(b, "cycle", t.Cycle)
	b = format.AppendTrueIf(b, "slow", t.Slow)
	b = format.AppendTextUnlessEmpty(b, "origin", t.Origin)
	return append(b, '}')
}
