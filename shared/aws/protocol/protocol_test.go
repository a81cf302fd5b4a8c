package protocol_test

import (
	"net/http"
	"reflect"
	"testing"

	"webhook-relay/shared/aws/protocol"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-central-1":    "sqs.eu-central-1.amazonaws.com",
		"us-gov-west-1":   "sqs.us-gov-west-1.amazonaws.com",
		"cn-north-1":      "sqs.cn-north-1.amazonaws.com.cn",
		"us-iso-east-1":   "sqs.us-iso-east-1.c2s.ic.gov",
		"us-isob-east-1":  "sqs.us-isob-east-1.sc2s.sgov.gov",
		"eusc-de-east-1":  "sqs.eusc-de-east-1.amazonaws.eu",
		"us-isof-south-1": "sqs.us-isof-south-1.csp.hci.ic.gov",
		"eu-isoe-west-1":  "sqs.eu-isoe-west-1.cloud.adc-e.uk",
	} {
		if got := protocol.Host("sqs", region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}

func TestReadFault(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header http.Header
		body   string
		want   protocol.Fault
	}{
		"JSON": {
			nil, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}`,
			protocol.Fault{Code: "QueueDoesNotExist", Message: "m"},
		},
		"REST with JSON": {
			http.Header{"X-Amzn-Errortype": {"ValidationException:http://internal/"}},
			`{"Message":"m"}`, protocol.Fault{Code: "ValidationException", Message: "m"},
		},
		"an older code only": {
			http.Header{"X-Amzn-Query-Error": {"AWS.SimpleQueueService.NonExistentQueue;Sender"}},
			`{}`, protocol.Fault{Code: "AWS.SimpleQueueService.NonExistentQueue"},
		},
		"XML of S3": {
			nil, "\n<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>a &lt; b</Message></Error>",
			protocol.Fault{Code: "NoSuchKey", Message: "a < b"},
		},
		"XML of the query protocol": {
			nil, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>`,
			protocol.Fault{Code: "AccessDenied"},
		},
		"a transaction": {
			nil, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
				`"Message":"m","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}`,
			protocol.Fault{
				Code: "TransactionCanceledException", Message: "m",
				Reasons: []string{"None", "TransactionConflict"},
			},
		},
		"a proxy's page": {nil, "<html>", protocol.Fault{}},
		"text":           {nil, "hidden", protocol.Fault{}},
		"nothing":        {nil, "", protocol.Fault{}},
	} {
		if got := protocol.ReadFault(tt.header.Get, []byte(tt.body)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestElement(t *testing.T) {
	t.Parallel()
	const text = "<A><B>1 &amp; 2</B><B>3</B><C/><D>cut"
	for name, want := range map[string]string{"B": "1 & 2", "C": "", "D": "", "E": ""} {
		if got := protocol.Element([]byte(text), name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
