package relay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

const notification = `{"Type":"Notification","MessageId":"m-1","TopicArn":"arn:aws:sns:eu-central-1:1:t",
"Subject":"Order","Message":"{\"tenant\":\"acme\",\"order\":1}"}`

// triggers is a receiver with sources that are fed by queues.
type triggers struct {
	*relay.Receiver
	ingest, aside memory.Queue
	down          bool // the ingest queue is
	reports       reports
}

// Send implements relay.Queue, for the ingest queue.
func (r *triggers) Send(ctx context.Context, msgs []relay.Outgoing) []error {
	if r.down {
		return []error{errors.New("down")}
	}
	return r.ingest.Send(ctx, msgs)
}

func newTriggers(t *testing.T) *triggers {
	t.Helper()
	r, cat := &triggers{}, &memory.Catalog{}
	if err := cat.ReplaceCatalog(t.Context(), catalog.Catalog{Sources: []catalog.Source{
		{Name: "news", Verify: verify.Config{Provider: trigger.SNS}},
		{Name: "uploads", Verify: verify.Config{Provider: trigger.S3}},
		{
			Name: "theirs", Verify: verify.Config{Provider: trigger.SNS},
			Tenant: &catalog.TenantOf{JSON: "Message.tenant"},
		},
		{Name: "app", Verify: verify.Config{Provider: "none"}},
	}}, 0); err != nil {
		t.Fatal(err)
	}
	r.Receiver = lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: cat, Ingest: r, Aside: &r.aside, Bodies: &memory.Bodies{},
		Reporter: &r.reports, CacheTTL: time.Hour,
	}))
	return r
}

func (r *triggers) events(t *testing.T) (events []relay.Event) {
	t.Helper()
	for _, m := range r.ingest.List() {
		events = append(events, lab.Must(relay.DecodeEvent(m.Body)))
	}
	return events
}

func TestTriggeredMakesVerifiedEvents(t *testing.T) {
	t.Parallel()
	r := newTriggers(t)
	msgs := []relay.Message{{ID: "1", Body: []byte(notification)}}
	for range 2 { // SQS may hand out a message twice
		if a := r.Triggered("news")(t.Context(), msgs)[0]; a.Retry {
			t.Fatal(a.Err)
		}
	}
	events := r.events(t)
	if len(events) != 2 || events[0].ID != events[1].ID || events[0].Receipt == events[1].Receipt {
		t.Fatalf("%+v, want the same event twice, which the fan-out drops", events)
	}
	e := events[0]
	if e.Type != "Order" || e.Trust != verify.Verified || e.Source != "news" || e.Tenant != "" ||
		e.DeliveryID != "m-1" || string(e.Body) != notification ||
		e.ID != relay.EventID("", "news", "m-1") {
		t.Errorf("%+v", e)
	}
	if got := r.reports.received[0]; got.EventID != e.ID || got.Err != nil {
		t.Errorf("reported %+v", got)
	}
}

func TestTriggeredEventsBelongToATenant(t *testing.T) {
	t.Parallel()
	r := newTriggers(t)
	body := []byte(notification)
	if a := r.Triggered("theirs")(t.Context(), []relay.Message{{Body: body}})[0]; a.Retry {
		t.Fatal(a.Err)
	}
	if got := r.events(t)[0]; got.Tenant != "acme" {
		t.Errorf("%+v, want an event of acme's", got)
	}
}

func TestTriggeredAcceptsEachRecordOfS3(t *testing.T) {
	t.Parallel()
	r := newTriggers(t)
	record := `{"eventName":"ObjectCreated:Put","s3":{"bucket":{"arn":"b"},"object":{"key":"1"}}}`
	other := `{"eventName":"ObjectCreated:Copy","s3":{"bucket":{"arn":"b"},"object":{"key":"2"}}}`
	body := []byte(`{"Records":[` + record + `,` + other + `]}`)
	r.Triggered("uploads")(t.Context(), []relay.Message{{Body: body}})
	events := r.events(t)
	if len(events) != 2 || events[0].Type == events[1].Type ||
		string(events[1].Body) != `{"Records":[`+other+`]}` {
		t.Errorf("%+v", events)
	}
}

func TestTriggeredSetsAsideWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, body string }{
		"another form": {"uploads", notification},
		"no tenant":    {"theirs", `{"Type":"Notification","MessageId":"1","TopicArn":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTriggers(t)
			a := r.Triggered(tt.source)(t.Context(), []relay.Message{{Body: []byte(tt.body)}})[0]
			aside := r.aside.List()
			if a.Retry || len(aside) != 1 || string(aside[0].Body) != tt.body ||
				len(r.events(t)) != 0 || r.reports.received[0].Err == nil {
				t.Errorf("%+v, %d aside, %+v", a, len(aside), r.reports.received)
			}
		})
	}
}

func TestTriggeredComesAgain(t *testing.T) {
	t.Parallel()
	r := newTriggers(t)
	msgs := []relay.Message{{Body: []byte(notification)}}
	for _, source := range []string{"later", "app"} {
		if a := r.Triggered(source)(t.Context(), msgs)[0]; !a.Retry ||
			!errors.Is(a.Err, catalog.ErrNotFound) {
			t.Errorf("source %s: %+v, want another try", source, a)
		}
	}
	r.down = true
	if a := r.Triggered("news")(t.Context(), msgs)[0]; !a.Retry ||
		!errors.Is(a.Err, relay.ErrUnavailable) {
		t.Errorf("%+v, want another try", a)
	}
	if n := len(r.aside.List()); n != 0 {
		t.Errorf("%d messages aside, want none", n)
	}
}

func TestASourceWithAQueueTakesNothingOverHTTP(t *testing.T) {
	t.Parallel()
	r := newTriggers(t)
	_, err := r.Receive(context.Background(), relay.Inbound{
		Source: "news", Method: "POST", Body: []byte(notification), ReceivedAt: time.Now(),
	})
	if !errors.Is(err, catalog.ErrNotFound) || len(r.events(t)) != 0 {
		t.Errorf("error %v, want not found", err)
	}
}
