package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"webhook-relay/shared/document"
)

// The providers whose sources are fed by a queue.
const (
	EventBridge = "eventbridge"
	S3          = "s3"
	SNS         = "sns-topic"
)

// ErrForm means that a message does not have the form that its service documents. The text says
// what is missing.
var ErrForm = errors.New("trigger: message")

// Description describes a provider, for documentation.
type Description struct {
	Name, Title string
	Docs        string // the service's page on the form of its messages
	ID          string // where the id is
	Type        string // where the event type is
	// the ARN that the setting triggers takes for it
	ARN string
	// event types, as examples
	Examples []string
}

var descriptions = []Description{
	{
		Name: EventBridge, Title: "Amazon EventBridge",
		Docs: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html",
		ID:   "id", Type: "detail-type",
		ARN:      "arn:aws:events:eu-central-1:123456789012:event-bus/shop",
		Examples: []string{"Order Placed"},
	},
	{
		Name: S3, Title: "Amazon S3",
		Docs: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html",
		ID: "a hash of the bucket, eventName, eventTime, the object's key, versionId and sequencer, " +
			"and the request's id",
		Type: "Records[0].eventName", ARN: "arn:aws:s3:::photos",
		Examples: []string{"ObjectCreated:Put", "ObjectRemoved:Delete"},
	},
	{
		Name: SNS, Title: "Amazon SNS, through a queue",
		Docs: "https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html",
		ID:   "MessageId", Type: "Subject, else Notification",
		ARN:      "arn:aws:sns:eu-central-1:123456789012:orders",
		Examples: []string{"Notification"},
	},
}

// Providers describes all providers of this package, sorted by name. The caller may change the
// list.
func Providers() []Description { return slices.Clone(descriptions) }

// Describe describes a provider; false: it is none of this package.
func Describe(provider string) (Description, bool) {
	i := slices.IndexFunc(descriptions, func(d Description) bool { return d.Name == provider })
	if i < 0 {
		return Description{}, false
	}
	return descriptions[i], true
}

// Is tells whether a provider's sources are fed by a queue.
func Is(provider string) bool {
	_, is := Describe(provider)
	return is
}

// Message is what becomes one event.
type Message struct {
	ID     string // the service's own; the same if the service sends the message again
	Type   string
	Body   []byte
	Holder document.Holder // where the document is within Body
}

// Read returns the messages in the body of a queue's message. There are several only if S3 reports
// several changes at once, and none if S3 says that it has been connected. Error: ErrForm.
func Read(provider string, body []byte) ([]Message, error) {
	switch provider {
	case EventBridge:
		return one(readEventBridge(body))
	case S3:
		return readS3(body)
	case SNS:
		return one(readSNS(body))
	}
	return nil, fmt.Errorf("%w: %q is not the provider of a queue", ErrForm, provider)
}

func one(m Message, err error) ([]Message, error) {
	if err != nil {
		return nil, err
	}
	return []Message{m}, nil
}

func readEventBridge(body []byte) (Message, error) {
	var e struct {
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Replay     string          `json:"replay-name"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := parse(body, &e); err != nil {
		return Message{}, err
	}
	if e.ID == "" || e.DetailType == "" || e.Detail == nil {
		return Message{}, fmt.Errorf(
			"%w has no id, detail-type or detail of EventBridge; the target must pass the matched "+
				"event as it is", ErrForm,
		)
	}
	if e.Replay != "" { // a replay of an archive is asked for
		e.ID += "/" + e.Replay
	}
	return Message{ID: e.ID, Type: e.DetailType, Body: body}, nil
}

func readSNS(body []byte) (Message, error) {
	var n struct{ Type, MessageId, TopicArn, Subject string } //nolint:revive // SNS's names
	if err := parse(body, &n); err != nil {
		return Message{}, err
	}
	if n.Type != "Notification" || n.MessageId == "" || n.TopicArn == "" {
		return Message{}, fmt.Errorf(
			"%w is no notification of SNS; turn off raw message delivery for the subscription",
			ErrForm,
		)
	}
	if n.Subject == "" {
		n.Subject = n.Type
	}
	return Message{
		ID: n.MessageId, Type: n.Subject, Body: body, Holder: document.Holder{Inline: "Message"},
	}, nil
}

// record is what identifies a change of an object. The members of a notification differ with the
// kind of change: a sequencer, for one, comes only with some.
type record struct {
	EventName string            `json:"eventName"`
	EventTime string            `json:"eventTime"`
	Response  map[string]string `json:"responseElements"`
	S3        struct {
		Bucket struct {
			ARN string `json:"arn"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			VersionID string `json:"versionId"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
}

func (r record) id() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		r.S3.Bucket.ARN, r.EventName, r.EventTime, r.S3.Object.Key, r.S3.Object.VersionID,
		r.S3.Object.Sequencer, r.Response["x-amz-request-id"],
	}, "\x00")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func readS3(body []byte) ([]Message, error) {
	var n struct {
		Event   string
		Records []json.RawMessage
	}
	if err := parse(body, &n); err != nil {
		return nil, err
	}
	if n.Event == "s3:TestEvent" {
		return nil, nil
	}
	messages := make([]Message, 0, len(n.Records))
	for _, text := range n.Records {
		var r record
		if err := parse(text, &r); err != nil {
			return nil, err
		}
		if r.EventName == "" || r.S3.Bucket.ARN == "" {
			return nil, fmt.Errorf("%w has a record without eventName or bucket", ErrForm)
		}
		of := body
		if len(n.Records) > 1 {
			of = slices.Concat([]byte(`{"Records":[`), text, []byte(`]}`))
		}
		messages = append(messages, Message{ID: r.id(), Type: r.EventName, Body: of})
	}
	if len(messages) == 0 {
		return nil, fmt.Errorf("%w has no Records, as notifications of S3 have", ErrForm)
	}
	return messages, nil
}

func parse(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w is not the JSON of its service", ErrForm)
	}
	return nil
}
