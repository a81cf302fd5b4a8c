package destination_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/transform"
)

const (
	queue    = "arn:aws:sqs:eu-central-1:123456789012:orders"
	fifo     = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
	topic    = "arn:aws:sns:eu-central-1:123456789012:news"
	fifoNews = "arn:aws:sns:eu-central-1:123456789012:news.fifo"
	bus      = "arn:aws:events:eu-central-1:123456789012:event-bus/shop"
	function = "arn:aws:lambda:eu-central-1:123456789012:function:greet"
	machine  = "arn:aws:states:eu-central-1:123456789012:stateMachine:Onboard"
	stream   = "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks"
	delivery = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/lake"
	group    = "arn:aws:logs:eu-central-1:123456789012:log-group:/webhooks"
	bucket   = "s3://archive/{source}/{date}/{id}.json"
)

// message is an event with a JSON body.
func message(body string) destination.Message {
	return destination.Message{
		Event: transform.Event{
			ID: "evt_1", Type: "order.paid", Source: "shop", Trust: "verified",
			Time:   time.Date(2026, 11, 30, 12, 34, 56, 789e6, time.UTC),
			Header: map[string]string{"content-type": "application/json"},
			Body:   []byte(body), Data: []byte(body),
		},
		Once: "evt_1-3", Endpoint: "orders", Attempt: 2, Trace: "00-1-2-01",
	}
}

// envelope is what message is with the envelope JSON.
const envelope = `{"id":"evt_1","type":"order.paid","source":"shop","trust":"verified",` +
	`"time":"2026-11-30T12:34:56.789Z","headers":{"content-type":"application/json"},"data":{"n":1}}`

func parsed(t *testing.T, arn string) destination.Destination {
	t.Helper()
	d, err := destination.Parse(arn)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// decoded returns a body in JSON, or a form, as a map.
func decoded(t *testing.T, r destination.Request) map[string]any {
	t.Helper()
	out := map[string]any{}
	if strings.HasPrefix(r.Header["content-type"], "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		for name := range form {
			out[name] = form.Get(name)
		}
		return out
	}
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	return out
}

// withData decodes Data in a body.
func withData(t *testing.T, body map[string]any) map[string]any {
	t.Helper()
	for name, value := range body {
		switch value := value.(type) {
		case map[string]any:
			body[name] = withData(t, value)
		case string:
			if name == "Data" {
				data, err := base64.StdEncoding.DecodeString(value)
				if err != nil {
					t.Fatal(err)
				}
				body[name] = data
			}
		}
	}
	return body
}

func attribute(value string) map[string]any {
	return map[string]any{"DataType": "String", "StringValue": value}
}

// attributes are those of message.
func attributes(more map[string]string) map[string]any {
	out := map[string]any{
		"webhook-id": attribute("evt_1"), "relay-source": attribute("shop"),
		"relay-event-type": attribute("order.paid"), "relay-trust": attribute("verified"),
		"relay-attempt": attribute("2"), "traceparent": attribute("00-1-2-01"),
		"content-type": attribute("application/json"),
	}
	for name, value := range more {
		out[name] = attribute(value)
	}
	return out
}

// TestRequests compares the requests with those of the services' API references.
func TestRequests(t *testing.T) {
	t.Parallel()
	sqs := func(name string, more map[string]any) map[string]any {
		out := map[string]any{
			"QueueUrl":    "https://sqs.eu-central-1.amazonaws.com/123456789012/" + name,
			"MessageBody": `{"n":1}`, "MessageAttributes": attributes(nil),
		}
		for key, value := range more {
			out[key] = value
		}
		return out
	}
	detail := func(detailType, source string) map[string]any {
		return map[string]any{"Entries": []any{map[string]any{
			"EventBusName": bus, "Source": source, "DetailType": detailType, "Detail": envelope,
			"Time": 1796042096.0,
		}}}
	}
	for name, tt := range map[string]struct {
		arn     string
		options destination.Options
		texts   map[string]string
		shaped  string
		url     string
		header  map[string]string
		body    map[string]any
	}{
		"a queue": {
			arn: queue, url: "https://sqs.eu-central-1.amazonaws.com/",
			header: map[string]string{
				"content-type": "application/x-amz-json-1.0",
				"x-amz-target": "AmazonSQS.SendMessage",
			},
			body: sqs("orders", nil),
		},
		"a queue with groups, which are fair": {
			arn: queue, texts: map[string]string{"group": "c-7"},
			body: sqs("orders", map[string]any{"MessageGroupId": "c-7"}),
		},
		"a FIFO queue": {
			arn: fifo, body: sqs("orders.fifo", map[string]any{
				"MessageGroupId": "orders", "MessageDeduplicationId": "evt_1-3",
			}),
		},
		"a group that SQS would refuse": {
			arn: fifo, texts: map[string]string{"group": "Ann Smith"},
			body: sqs("orders.fifo", map[string]any{
				"MessageGroupId":         "716955afb1f7aa2e8cda1de316979eddc9664a1e143d894b13b78842ed22ebd1",
				"MessageDeduplicationId": "evt_1-3",
			}),
		},
		"an envelope": {
			arn: queue, options: destination.Options{Envelope: destination.JSON},
			body: sqs("orders", map[string]any{"MessageBody": envelope}),
		},
		"a transform's result has no envelope": {
			arn: queue, options: destination.Options{Envelope: destination.JSON}, shaped: `[7]`,
			body: sqs("orders", map[string]any{
				"MessageBody": `[7]`,
				"MessageAttributes": func() any {
					all := attributes(nil)
					delete(all, "content-type")
					return all
				}(),
			}),
		},
		"a queue in China": {
			arn: "arn:aws-cn:sqs:cn-north-1:123456789012:q",
			url: "https://sqs.cn-north-1.amazonaws.com.cn/",
		},
		"a topic": {
			arn: topic, url: "https://sns.eu-central-1.amazonaws.com/",
			header: map[string]string{
				"content-type": "application/x-www-form-urlencoded; charset=utf-8",
			},
			body: map[string]any{
				"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic,
				"Message":                                     `{"n":1}`,
				"MessageAttributes.entry.1.Name":              "content-type",
				"MessageAttributes.entry.1.Value.DataType":    "String",
				"MessageAttributes.entry.1.Value.StringValue": "application/json",
				"MessageAttributes.entry.2.Name":              "relay-attempt",
				"MessageAttributes.entry.2.Value.DataType":    "String",
				"MessageAttributes.entry.2.Value.StringValue": "2",
				"MessageAttributes.entry.3.Name":              "relay-event-type",
				"MessageAttributes.entry.3.Value.DataType":    "String",
				"MessageAttributes.entry.3.Value.StringValue": "order.paid",
				"MessageAttributes.entry.4.Name":              "relay-source",
				"MessageAttributes.entry.4.Value.DataType":    "String",
				"MessageAttributes.entry.4.Value.StringValue": "shop",
				"MessageAttributes.entry.5.Name":              "relay-trust",
				"MessageAttributes.entry.5.Value.DataType":    "String",
				"MessageAttributes.entry.5.Value.StringValue": "verified",
				"MessageAttributes.entry.6.Name":              "traceparent",
				"MessageAttributes.entry.6.Value.DataType":    "String",
				"MessageAttributes.entry.6.Value.StringValue": "00-1-2-01",
				"MessageAttributes.entry.7.Name":              "webhook-id",
				"MessageAttributes.entry.7.Value.DataType":    "String",
				"MessageAttributes.entry.7.Value.StringValue": "evt_1",
			},
		},
		"a bus": {
			arn: bus, url: "https://events.eu-central-1.amazonaws.com/",
			header: map[string]string{
				"content-type": "application/x-amz-json-1.1", "x-amz-target": "AWSEvents.PutEvents",
			},
			body: detail("order.paid", "relay.shop"),
		},
		"a bus with texts": {
			arn: bus, texts: map[string]string{"detail_type": "Paid", "bus_source": "my.shop"},
			body: detail("Paid", "my.shop"),
		},
		"a function": {
			arn: function, url: "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/" +
				function + "/invocations",
			header: map[string]string{
				"content-type": "application/json", "x-amz-invocation-type": "Event",
			},
			body: func() (out map[string]any) {
				_ = json.Unmarshal([]byte(envelope), &out)
				return out
			}(),
		},
		"a function that is waited for": {
			arn: function, options: destination.Options{Wait: true, Envelope: destination.Raw},
			header: map[string]string{
				"content-type": "application/json", "x-amz-invocation-type": "RequestResponse",
			},
			body: map[string]any{"n": 1.0},
		},
		"a state machine": {
			arn: machine, url: "https://states.eu-central-1.amazonaws.com/",
			header: map[string]string{
				"content-type": "application/x-amz-json-1.0",
				"x-amz-target": "AWSStepFunctions.StartExecution",
			},
			body: map[string]any{"stateMachineArn": machine, "name": "evt_1-3", "input": envelope},
		},
		"an express workflow that is waited for": {
			arn: machine, options: destination.Options{Wait: true},
			url: "https://sync-states.eu-central-1.amazonaws.com/",
			header: map[string]string{
				"content-type": "application/x-amz-json-1.0",
				"x-amz-target": "AWSStepFunctions.StartSyncExecution",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message(`{"n":1}`)
			m.Texts = tt.texts
			if tt.shaped != "" {
				m.Shaped = []byte(tt.shaped)
			}
			got, err := parsed(t, tt.arn).Request(m, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if got.Method != "POST" || tt.url != "" && got.URL != tt.url {
				t.Errorf("%s %s, want %s", got.Method, got.URL, tt.url)
			}
			if diff := cmp.Diff(tt.header, got.Header); tt.header != nil && diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.body, decoded(t, got)); tt.body != nil && diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFIFOTopic(t *testing.T) {
	t.Parallel()
	r, err := parsed(t, fifoNews).Request(message(`{}`), destination.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := decoded(t, r)
	if got["MessageGroupId"] != "orders" || got["MessageDeduplicationId"] != "evt_1-3" {
		t.Errorf("%v", got)
	}
}

// TestAnyBody: what SQS does not take as it is, it gets encoded, with a note.
func TestAnyBody(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]string{
		"plain\ttext\r\n": {"plain\ttext\r\n", ""},
		"é\U0001F600":     {"é\U0001F600", ""},
		"\uFFFD is fine":  {"\uFFFD is fine", ""},
		"":                {" ", "empty"},
		"a\x00b":          {"YQBi", "base64"},
		"\xff\xfe":        {"//4=", "base64"},
		"not \uFFFF in XML": {
			base64.StdEncoding.EncodeToString([]byte("not \uFFFF in XML")), "base64",
		},
		"cut off \xe2\x82": {
			base64.StdEncoding.EncodeToString([]byte("cut off \xe2\x82")), "base64",
		},
		"a bell \a is a byte": {
			base64.StdEncoding.EncodeToString([]byte("a bell \a is a byte")), "base64",
		},
	} {
		for _, arn := range []string{queue, topic} {
			r, err := parsed(t, arn).Request(message(body), destination.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := decoded(t, r)
			text := got["MessageBody"]
			if arn == topic {
				text = got["Message"]
			}
			if text != want[0] ||
				strings.Contains(string(r.Body), "relay-encoding") != (want[1] != "") {
				t.Errorf("%s %q: %q", arn, body, r.Body)
			}
		}
	}
}

// TestEnvelopeOfAnyBody: a body without a document is in the envelope too.
func TestEnvelopeOfAnyBody(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"plain": `"data":null,"body":"plain"}`, "\xff": `"data":null,"bodyBase64":"/w=="}`,
		"": `"data":null}`,
	} {
		m := message(body)
		m.Event.Data = nil
		r, err := parsed(t, function).Request(m, destination.Options{})
		if err != nil || !json.Valid(r.Body) || !strings.HasSuffix(string(r.Body), want) {
			t.Errorf("%q: %v, %s", body, err, r.Body)
		}
	}
}

func TestUnfit(t *testing.T) {
	t.Parallel()
	raw := destination.Options{Envelope: destination.Raw}
	opaque := message("x")
	opaque.Event.Opaque = true
	for name, tt := range map[string]struct {
		arn     string
		m       destination.Message
		options destination.Options
		want    string
	}{
		"a bus and text": {
			bus, message("plain"), destination.Options{Envelope: destination.Raw}, "JSON",
		},
		"a bus and a list": {
			bus, message("[1]"), destination.Options{Envelope: destination.Raw}, "object",
		},
		"a function and text": {
			function, message("plain"), destination.Options{Envelope: destination.Raw}, "JSON",
		},
		"a machine and bytes": {
			machine, message("\"\xff\""), destination.Options{Envelope: destination.Raw}, "JSON",
		},
		"a document that is not read": {machine, opaque, destination.Options{}, "limit"},
		"a log and bytes":             {group, message("\xff"), raw, "text"},
		"a log and nothing":           {group, message(""), raw, "empty"},
	} {
		_, err := parsed(t, tt.arn).Request(tt.m, tt.options)
		unfit, ok := errors.AsType[*destination.UnfitError](err)
		if !ok || !strings.Contains(unfit.Problem, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLimits sends what is as large as each service takes, and one byte more.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		arn   string
		o     destination.Options
		limit int // of the body
	}{
		"queue": {queue, destination.Options{}, 1<<20 - attributeBytes},
		"topic": {topic, destination.Options{}, 1<<20 - attributeBytes},
		"bus": {
			bus, destination.Options{Envelope: destination.Raw},
			1<<20 - 14 - len("order.paid") - len("relay.shop"),
		},
		"function": {function, destination.Options{Envelope: destination.Raw}, 1 << 20},
		"function that is waited for": {
			function, destination.Options{Envelope: destination.Raw, Wait: true}, 6 << 20,
		},
		"machine": {machine, destination.Options{Envelope: destination.Raw}, 256 << 10},
		"stream":  {stream, destination.Options{Envelope: destination.Raw}, 10<<20 - len("evt_1")},
		"delivery stream": {
			delivery, destination.Options{Envelope: destination.Raw}, 1000<<10 - len("\n"),
		},
		"log group": {group, destination.Options{Envelope: destination.Raw}, 1<<20 - 26},
	} {
		body := `{"a":"` + strings.Repeat("x", tt.limit-8) + `"}`
		if _, err := parsed(t, tt.arn).Request(message(body), tt.o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := parsed(t, tt.arn).Request(message(body+" "), tt.o)
		if !errors.Is(err, destination.ErrTooLarge) {
			t.Errorf("%s, one byte more: %v", name, err)
		}
	}
}

// attributeBytes is what the attributes of message take: name, type and value of each.
const attributeBytes = len("webhook-id"+"String"+"evt_1") + len("relay-source"+"String"+"shop") +
	len("relay-event-type"+"String"+"order.paid") + len("relay-trust"+"String"+"verified") +
	len("relay-attempt"+"String"+"2") + len("traceparent"+"String"+"00-1-2-01") +
	len("content-type"+"String"+"application/json")

func TestARNs(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		queue: "", fifo: "", topic: "", fifoNews: "", bus: "", function: "", machine: "",
		stream: "", delivery: "", group: "",
		function + ":live": "", function + ":$LATEST": "", machine + ":7": "",
		"arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q":                        "",
		"arn:aws:events:eu-central-1:123456789012:event-bus/aws.partner/x.com/1": "",
		"arn:aws:sqs:eu-central-1:12345:q":                                       "12 digits",
		"arn:aws:sqs::123456789012:q":                                            "region",
		"arn:aws:sqs:eu-central-1:123456789012":                                  "of the form",
		"arn:aws:sqs:eu-central-1:123456789012:a b":                              "QUEUE",
		"arn:aws:sqs:eu-central-1:123456789012:*":                                "QUEUE",
		"arn:aws:sns:eu-central-1:123456789012:news:sub":                         "TOPIC",
		"arn:aws:events:eu-central-1:123456789012:rule/x":                        "event-bus",
		"arn:aws:lambda:eu-central-1:123456789012:layer:x":                       "function:NAME",
		"arn:aws:states:eu-central-1:123456789012:execution:m:1":                 "stateMachine",
		"arn:aws:dynamodb:eu-central-1:123456789012:table/x":                     "of dynamodb",
		"arn:aws:kinesis:eu-central-1:123456789012:stream/a/consumer/b:1":        "stream/STREAM",
		"arn:aws:firehose:eu-central-1:123456789012:stream/lake":                 "deliverystream",
		group + ":*": "log-group:GROUP",
		"arn:aws:s3:eu-central-1:123456789012:accesspoint/x": "s3://BUCKET/KEY",
		"arn:aws:s3:::archive":                               "s3://BUCKET/KEY",
		"arn:aws:iam::123456789012:role/x":                   "region",
		"arn:":                                               "of the form",
	} {
		d, err := destination.Parse(arn)
		switch {
		case want == "" && (err != nil || d.ARN != arn || d.Account != "123456789012"):
			t.Errorf("%s: %v, %+v", arn, err, d)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", arn, err, want)
		}
	}
}
