package destination_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination"
)

// TestStreams compares the requests with those of the services' API references.
func TestStreams(t *testing.T) {
	t.Parallel()
	header := func(target string) map[string]string {
		return map[string]string{
			"content-type": "application/x-amz-json-1.1", "x-amz-target": target,
		}
	}
	kinesis := func(key, data string) map[string]any {
		return map[string]any{
			"StreamName": "clicks", "StreamARN": stream, "PartitionKey": key, "Data": []byte(data),
		}
	}
	firehose := func(data string) map[string]any {
		return map[string]any{
			"DeliveryStreamName": "lake", "Record": map[string]any{"Data": []byte(data)},
		}
	}
	logs := func(name string, at float64, text string) map[string]any {
		return map[string]any{
			"logGroupName": "/webhooks", "logStreamName": name,
			"logEvents": []any{map[string]any{"timestamp": at, "message": text}},
		}
	}
	const accepted = 1796042096789.0
	raw := destination.Options{Envelope: destination.Raw}
	for name, tt := range map[string]struct {
		arn     string
		options destination.Options
		texts   map[string]string
		body    string // of the event
		shaped  string
		late    time.Duration // after which it is sent
		url     string
		header  map[string]string
		want    map[string]any
	}{
		"a stream": {
			arn: stream, body: `{"n":1}`, url: "https://kinesis.eu-central-1.amazonaws.com/",
			header: header("Kinesis_20131202.PutRecord"), want: kinesis("evt_1", envelope),
		},
		"a stream with a partition key": {
			arn: stream, options: raw, body: "\xff\n", texts: map[string]string{"group": "Ann é"},
			want: kinesis("Ann é", "\xff\n"),
		},
		"a key that is too long": {
			arn: stream, options: raw, body: "x",
			texts: map[string]string{"group": strings.Repeat("é", 257)},
			want: kinesis(
				"db33c4ce9e8a72562c8f24aa67b7abbabdb848426e8ddfff4ee08f6ae04d1b17", "x",
			),
		},
		"a delivery stream": {
			arn: delivery, body: `{"n":1}`, url: "https://firehose.eu-central-1.amazonaws.com/",
			header: header("Firehose_20150804.PutRecord"), want: firehose(envelope + "\n"),
		},
		"an envelope is one line": {
			arn: delivery, body: "{\n\"n\":\r\n1\n}", want: firehose(envelope + "\n"),
		},
		"what a transform made is one line": {
			arn: delivery, options: raw, shaped: "[1,\n1.50]", want: firehose("[1,1.50]\n"),
		},
		"a body stays as it is": {
			arn: delivery, options: raw, body: "{\n\"n\": 1\n}\n",
			want: firehose("{\n\"n\": 1\n}\n"),
		},
		"a log": {
			arn: group, body: `{"n":1}`, url: "https://logs.eu-central-1.amazonaws.com/",
			header: header("Logs_20140328.PutLogEvents"), late: 19 * time.Hour,
			want: logs("orders", accepted, envelope),
		},
		"a log of an older webhook, which Logs may reject": {
			arn: group, options: raw, body: "text", late: 21 * time.Hour,
			texts: map[string]string{"stream": "a:b*c\n/d"},
			want:  logs("a_b_c_/d", accepted+21*3600e3, "text"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message(tt.body)
			m.Texts, m.At = tt.texts, m.Event.Time.Add(tt.late)
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
			body := withData(t, decoded(t, got))
			if diff := cmp.Diff(tt.want, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if data, ok := body["Data"].([]byte); ok && string(data) != string(got.Plain) {
				t.Errorf("shown as %q", got.Plain)
			}
		})
	}
}

// TestALogStreamIsMade by a request of its own, for the same stream.
func TestALogStreamIsMade(t *testing.T) {
	t.Parallel()
	r, err := parsed(t, group).Request(message(`{}`), destination.Options{})
	if err != nil || r.Prepare == nil {
		t.Fatal(r, err)
	}
	want := map[string]any{"logGroupName": "/webhooks", "logStreamName": "orders"}
	if diff := cmp.Diff(want, decoded(t, *r.Prepare)); diff != "" ||
		r.Prepare.Header["x-amz-target"] != "Logs_20140328.CreateLogStream" ||
		r.Prepare.URL != r.URL {
		t.Errorf("%+v\n%s", r.Prepare, diff)
	}
}
