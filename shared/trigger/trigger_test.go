package trigger_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/document"
	"webhook-relay/shared/trigger"
)

// The samples have the form of the services' own pages: see Description.Docs.
func sample(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile("../../events/triggers/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRead(t *testing.T) {
	t.Parallel()
	inline := document.Holder{Inline: "Message"}
	for name, tt := range map[string]struct {
		provider, file string
		id, eventType  string
		holder         document.Holder
	}{
		"an event of EventBridge": {
			trigger.EventBridge, "eventbridge/Order-Placed.json",
			"6a7e8feb-b491-4cf7-a9f1-bf3703467718", "Order Placed", document.Holder{},
		},
		"a message of SNS": {
			trigger.SNS, "sns-topic/Notification.json",
			"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "Notification", inline,
		},
		"a notification of S3": {
			trigger.S3, "s3/ObjectCreated-Put.json",
			"sha256:f5fa", "ObjectCreated:Put", document.Holder{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := sample(t, tt.file)
			got, err := trigger.Read(tt.provider, body)
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			m := got[0]
			if !strings.HasPrefix(m.ID, tt.id) || m.Type != tt.eventType ||
				m.Holder != tt.holder || string(m.Body) != string(body) {
				t.Errorf("%+v", m)
			}
			again, _ := trigger.Read(tt.provider, body)
			if again[0].ID != m.ID {
				t.Error("the id of the same message is another one")
			}
		})
	}
}

func TestReadSplitsTheRecordsOfS3(t *testing.T) {
	t.Parallel()
	body := string(sample(t, "s3/ObjectCreated-Put.json"))
	record := body[strings.Index(body, "[")+1 : strings.LastIndex(body, "]")]
	other := strings.Replace(record, "ObjectCreated:Put", "ObjectRemoved:Delete", 1)
	got, err := trigger.Read(trigger.S3, []byte(`{"Records":[`+record+`,`+other+`]}`))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	alone, err := trigger.Read(trigger.S3, []byte(body))
	if err != nil || alone[0].ID != got[0].ID || got[0].ID == got[1].ID {
		t.Errorf("ids %s, %s, alone %s", got[0].ID, got[1].ID, alone[0].ID)
	}
	if want := []string{"ObjectCreated:Put", "ObjectRemoved:Delete"}; !cmp.Equal(
		want, []string{got[0].Type, got[1].Type},
	) || document.Value(got[1].Body, "Records", "0", "eventName") != want[1] {
		t.Errorf("%s and %s, body %s", got[0].Type, got[1].Type, got[1].Body)
	}
}

func TestReadIsSilentOnTheTestOfS3(t *testing.T) {
	t.Parallel()
	got, err := trigger.Read(trigger.S3, []byte(
		`{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"photos"}`,
	))
	if err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestAReplayOfAnArchiveIsAnotherEvent(t *testing.T) {
	t.Parallel()
	first, err := trigger.Read(trigger.EventBridge, []byte(
		`{"id":"1","detail-type":"x","detail":{}}`,
	))
	again, replayErr := trigger.Read(trigger.EventBridge, []byte(
		`{"id":"1","detail-type":"x","detail":{},"replay-name":"r"}`,
	))
	if err != nil || replayErr != nil || first[0].ID == again[0].ID {
		t.Error(first, again, err, replayErr)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ provider, body, told string }{
		"no JSON":           {trigger.EventBridge, "hello", "is not the JSON"},
		"transformed input": {trigger.EventBridge, `{"detail":{}}`, "as it is"},
		"raw delivery":      {trigger.SNS, `{"order":1}`, "raw message delivery"},
		"SNS's handshake": {
			trigger.SNS, `{"Type":"SubscriptionConfirmation","MessageId":"1","TopicArn":"a"}`,
			"no notification",
		},
		"no records":              {trigger.S3, `{}`, "no Records"},
		"a record without bucket": {trigger.S3, `{"Records":[{"eventName":"x"}]}`, "or bucket"},
		"a record that is a text": {trigger.S3, `{"Records":["x"]}`, "is not the JSON"},
		"another provider":        {"github", `{}`, `"github" is not`},
		"the form of another one": {trigger.SNS, `{"Records":[]}`, "no notification"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := trigger.Read(tt.provider, []byte(tt.body))
			if !errors.Is(err, trigger.ErrForm) || !strings.Contains(err.Error(), tt.told) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// FuzzRead: foreign bytes make no panic, and what is read has an id.
func FuzzRead(f *testing.F) {
	for _, d := range trigger.Providers() {
		f.Add(d.Name, []byte(`{"id":"1","detail-type":"x","detail":{},"Records":[{"eventName":"x"}]}`))
	}
	f.Fuzz(func(t *testing.T, provider string, body []byte) {
		messages, err := trigger.Read(provider, body)
		for _, m := range messages {
			if m.ID == "" || err != nil {
				t.Errorf("%+v, %v", m, err)
			}
		}
	})
}
