package relay

import (
	"reflect"
	"testing"
	"time"

	"webhook-relay/shared/relay/format"
)

// TestEveryFieldIsWritten finds a field of a document that AppendJSON leaves out: it would be lost
// without an error.
func TestEveryFieldIsWritten(t *testing.T) {
	t.Parallel()
	event, attempt := filled[eventDoc](t), filled[attemptDoc](t)
	type plainEvent eventDoc
	type plainRecord recordDoc
	type plainAttempt attemptDoc
	type plainDelivery deliveryDoc
	type plainTask task
	record, delivery, step := filled[recordDoc](t), filled[deliveryDoc](t), filled[task](t)
	for name, pair := range map[string][2][]byte{
		"event":   {event.AppendJSON(nil), format.Encode(plainEvent(event))},
		"attempt": {attempt.AppendJSON(nil), format.Encode(plainAttempt(attempt))},
		"record": {record.AppendJSON(nil), format.Encode(struct {
			plainRecord
			Event plainEvent `json:"event"`
		}{plainRecord(record), plainEvent(record.Event)})},
		"delivery": {delivery.AppendJSON(nil), format.Encode(plainDelivery(delivery))},
		"task":     {step.AppendJSON(nil), format.Encode(plainTask(step))},
	} {
		if string(pair[0]) != string(pair[1]) {
			t.Errorf("%s is written\n%s\nwant\n%s", name, pair[0], pair[1])
		}
	}
}

// filled returns a document of which every field has a value.
func filled[T any](t *testing.T) (doc T) {
	t.Helper()
	fill(t, reflect.ValueOf(&doc).Elem())
	return doc
}

func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 11, 30, 1, 2, 3, 4e6, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}
