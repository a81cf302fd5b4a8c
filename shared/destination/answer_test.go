package destination_test

import (
	"net/http"
	"strings"
	"testing"

	"webhook-relay/shared/destination"
)

// TestAnswers reads answers as the services' references and their users show them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	xml := func(code, message string) string {
		return `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender` +
			`</Type><Code>` + code + `</Code><Message>` + message +
			`</Message></Error><RequestId>1` +
			`</RequestId></ErrorResponse>`
	}
	const denied = " on " + queue + " is not allowed: AccessDenied"
	for name, tt := range map[string]struct {
		arn    string
		wait   bool
		status int
		header string // name: value
		body   string
		want   destination.Verdict
		text   string
	}{
		// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
		"sqs: accepted": {
			arn: queue, status: 200, body: `{"MD5OfMessageBody":"e","MessageId":"1"}`,
		},
		"sqs: no such queue": {
			arn: queue, status: 400,
			header: "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender",
			body:   `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`,
			want:   destination.Failed,
			text:   "QueueDoesNotExist: The specified queue does not exist.",
		},
		"sqs: throttled": {
			arn: queue, status: 400, want: destination.Throttled,
			body: `{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow"}`,
			text: "RequestThrottled: slow",
		},
		"sqs: throttled by 403": { // as the SDKs saw it
			arn: queue, status: 403, want: destination.Throttled,
			body: `{"__type":"com.amazon.coral.service#RequestThrottled","message":"Request is throttled."}`,
			text: "RequestThrottled: Request is throttled.",
		},
		"sqs: throttled by KMS": {
			arn: queue, status: 400, want: destination.Throttled,
			body: `{"__type":"com.amazonaws.sqs#KmsThrottled"}`, text: "KmsThrottled",
		},
		"sqs: not allowed": {
			arn: queue, status: 403, want: destination.Denied,
			body: `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User is not authorized"}`,
			text: "sqs:SendMessage" + denied + "Exception: User is not authorized",
		},
		"sqs: the key is not allowed": {
			arn: queue, status: 400, want: destination.Denied,
			body: `{"__type":"com.amazonaws.sqs#KmsAccessDenied","message":"no"}`,
			text: "is not allowed: KmsAccessDenied: no",
		},
		"sqs: the queue takes less": {
			arn: queue, status: 400, want: destination.TooLarge,
			body: `{"__type":"com.amazonaws.sqs#InvalidParameterValueException","message":"One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."}`,
			text: "shorter than 1024",
		},
		"sqs: broken": {
			arn: queue, status: 500, want: destination.Failed, text: "the service answered 500",
		},
		"sqs: a proxy": {
			arn: queue, status: 403, body: "Forbidden", want: destination.Denied,
			text: "the service answered 403",
		},
		// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
		"sns: accepted": {
			arn: topic, status: 200, body: "<PublishResponse><PublishResult/></PublishResponse>",
		},
		"sns: throttled": {
			arn: topic, status: 429, body: xml("Throttled", "Rate exceeded"),
			want: destination.Throttled, text: "Throttled: Rate exceeded",
		},
		"sns: not allowed": {
			arn: topic, status: 403, body: xml("AuthorizationError", "not &lt;you&gt;"),
			want: destination.Denied,
			text: "sns:Publish on " + topic + " is not allowed: AuthorizationError: not <you>",
		},
		"sns: too large": {
			arn: topic, status: 400, body: xml(
				"InvalidParameter", "Invalid parameter: Message too long",
			),
			want: destination.TooLarge, text: "Message too long",
		},
		"sns: no such topic": {
			arn: topic, status: 404, body: xml("NotFound", "Topic does not exist"),
			want: destination.Failed, text: "NotFound: Topic does not exist",
		},
		// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
		"bus: accepted": {
			arn: bus, status: 200, body: `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
		},
		"bus: failed within a 200": {
			arn: bus, status: 200, want: destination.Failed,
			body: `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"oops"}]}`,
			text: "InternalFailure: oops",
		},
		"bus: throttled within a 200": {
			arn: bus, status: 200, want: destination.Throttled,
			body: `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"Rate"}]}`,
			text: "ThrottlingException: Rate",
		},
		"bus: not allowed within a 200": {
			arn: bus, status: 200, want: destination.Denied,
			body: `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"NotAuthorizedForSourceException","ErrorMessage":"no"}]}`,
			text: "events:PutEvents on " + bus +
				" is not allowed: NotAuthorizedForSourceException: no",
		},
		"bus: a 200 without a count": {
			arn: bus, status: 200, body: `{}`, want: destination.Failed, text: "cannot be read",
		},
		"bus: a 200 that is cut off": {
			arn: bus, status: 200, body: `{"FailedEntryCount":`, want: destination.Failed,
			text: "cannot be read",
		},
		"bus: too large": {
			arn: bus, status: 400, want: destination.TooLarge,
			body: `{"__type":"ValidationException","message":"Total size of the entries in the request is over the limit."}`,
			text: "over the limit",
		},
		// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
		"function: accepted": {arn: function, status: 202},
		"function: answered": {arn: function, status: 200, wait: true, body: `{"n":1}`},
		"function: failed within a 200": {
			arn: function, wait: true, status: 200, header: "x-amz-function-error: Unhandled",
			body: `{"errorType":"KeyError","errorMessage":"'n'"}`, want: destination.Failed,
			text: "Function.Unhandled: KeyError: 'n'",
		},
		"function: failed, with any answer": {
			arn: function, wait: true, status: 200, header: "x-amz-function-error: Handled",
			body: `oops`, want: destination.Failed, text: "Function.Handled",
		},
		"function: throttled": {
			arn: function, status: 429, want: destination.Throttled,
			header: "x-amzn-errortype: TooManyRequestsException:http://internal.amazon.com/coral/",
			body:   `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`,
			text:   "TooManyRequestsException: Rate Exceeded.",
		},
		"function: too large": {
			arn: function, status: 413, header: "x-amzn-errortype: RequestTooLargeException",
			body: `{"Type":"User","message":"1048577 byte payload is too large"}`,
			want: destination.TooLarge, text: "RequestTooLargeException",
		},
		"function: not allowed": {
			arn: function, status: 403, header: "x-amzn-errortype: AccessDeniedException",
			body: `{"Message":"no"}`, want: destination.Denied,
			text: "lambda:InvokeFunction on " + function +
				" is not allowed: AccessDeniedException: no",
		},
		"function: gone": {
			arn: function, status: 404, header: "x-amzn-errortype: ResourceNotFoundException",
			body: `{"Message":"Function not found"}`, want: destination.Failed,
			text: "ResourceNotFoundException: Function not found",
		},
		// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
		"machine: started": {arn: machine, status: 200, body: `{"executionArn":"a","startDate":1}`},
		"machine: started before": {
			arn: machine, status: 400,
			body: `{"__type":"com.amazonaws.swf.service.v2.model#ExecutionAlreadyExists","message":"Execution Already Exists: 'a'"}`,
		},
		"machine: too many": {
			arn: machine, status: 400, body: `{"__type":"ExecutionLimitExceeded"}`,
			want: destination.Throttled, text: "ExecutionLimitExceeded",
		},
		"machine: gone": {
			arn: machine, status: 400, want: destination.Failed,
			body: `{"__type":"StateMachineDoesNotExist","message":"m"}`,
			text: "StateMachineDoesNotExist: m",
		},
		// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html#API_PutRecord_Errors
		"stream: accepted": {
			arn: stream, status: 200, body: `{"SequenceNumber":"49","ShardId":"shardId-000000000000"}`,
		},
		"stream: throttled": {
			arn: stream, status: 400, want: destination.Throttled,
			body: `{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded for shard shardId-000000000000 in stream clicks"}`,
			text: "ProvisionedThroughputExceededException: Rate exceeded",
		},
		"stream: throttled by KMS": {
			arn: stream, status: 400, body: `{"__type":"KMSThrottlingException"}`,
			want: destination.Throttled, text: "KMSThrottlingException",
		},
		"stream: the key is not allowed": {
			arn: stream, status: 400, body: `{"__type":"KMSAccessDeniedException","message":"no"}`,
			want: destination.Denied, text: "KMSAccessDeniedException: no",
		},
		"stream: the key is disabled": {
			arn: stream, status: 400, body: `{"__type":"KMSDisabledException","message":"off"}`,
			want: destination.Failed, text: "KMSDisabledException: off",
		},
		"stream: not allowed": {
			arn: stream, status: 400, want: destination.Denied,
			body: `{"__type":"AccessDeniedException","Message":"User is not authorized"}`,
			text: "kinesis:PutRecord on " + stream + " is not allowed",
		},
		"stream: gone": {
			arn: stream, status: 400, want: destination.Failed,
			body: `{"__type":"ResourceNotFoundException","message":"Stream clicks under account 123456789012 not found."}`,
			text: "ResourceNotFoundException: Stream clicks",
		},
		"stream: the stream takes less": {
			arn: stream, status: 400, want: destination.TooLarge,
			body: `{"__type":"ValidationException","message":"1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to 1048576"}`,
			text: "1048576",
		},
		"stream: broken": {
			arn: stream, status: 500, body: `{"__type":"InternalFailureException"}`,
			want: destination.Failed, text: "InternalFailureException",
		},
		// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html#API_PutRecord_Errors
		"delivery stream: accepted": {
			arn: delivery, status: 200, body: `{"Encrypted":false,"RecordId":"1"}`,
		},
		"delivery stream: throttled": {
			arn: delivery, status: 500, want: destination.Throttled,
			body: `{"__type":"ServiceUnavailableException","message":"Slow down."}`,
			text: "ServiceUnavailableException: Slow down.",
		},
		"delivery stream: the source is a stream": {
			arn: delivery, status: 400, want: destination.Failed,
			body: `{"__type":"InvalidSourceException","code":"KinesisStreamAsSource","message":"no"}`,
			text: "InvalidSourceException: no",
		},
		"delivery stream: the key": {
			arn: delivery, status: 400, want: destination.Failed,
			body: `{"__type":"InvalidKMSResourceException","code":"KMSAccessDenied","message":"no"}`,
			text: "InvalidKMSResourceException: no",
		},
		"delivery stream: too large": {
			arn: delivery, status: 400, want: destination.TooLarge,
			body: `{"__type":"ValidationException","message":"Member must have length less than or equal to 1024000"}`,
			text: "1024000",
		},
		"delivery stream: gone": {
			arn: delivery, status: 400, body: `{"__type":"ResourceNotFoundException","message":"m"}`,
			want: destination.Failed, text: "ResourceNotFoundException: m",
		},
		// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
		"bucket: stored": {arn: bucket, status: 200},
		"bucket: throttled": {
			arn: bucket, status: 503, body: s3Error("SlowDown", "Please reduce your request rate."),
			want: destination.Throttled, text: "SlowDown: Please reduce",
		},
		"bucket: not allowed": {
			arn: bucket, status: 403, body: s3Error("AccessDenied", "Access Denied"),
			want: destination.Denied,
			text: "s3:PutObject on arn:aws:s3:::archive is not allowed: AccessDenied",
		},
		"bucket: gone": {
			arn: bucket, status: 404, body: s3Error("NoSuchBucket", "does not exist"),
			want: destination.Failed, text: "NoSuchBucket: does not exist",
		},
		"bucket: in another region": {
			arn: bucket, status: 301, body: s3Error("PermanentRedirect", "Use this endpoint."),
			want: destination.Failed,
			text: "PermanentRedirect: Use this endpoint.; set region to that of the bucket",
		},
		"bucket: signed for another region": {
			arn: bucket, status: 400, want: destination.Failed,
			body: s3Error("AuthorizationHeaderMalformed", "the region 'a' is wrong; expecting 'b'"),
			text: "expecting 'b'; set region to that of the bucket",
		},
		"bucket: too large": {
			arn: bucket, status: 400, body: s3Error("EntityTooLarge", "m"),
			want: destination.TooLarge, text: "EntityTooLarge: m",
		},
		"bucket: a conflict": {
			arn: bucket, status: 409, body: s3Error("OperationAborted", "m"),
			want: destination.Failed, text: "OperationAborted: m",
		},
		"bucket: broken": {
			arn: bucket, status: 500, body: s3Error("InternalError", "Please try again."),
			want: destination.Failed, text: "InternalError",
		},
		// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
		"log: accepted":      {arn: group, status: 200, body: `{"nextSequenceToken":"1"}`},
		"log: a stream made": {arn: group, status: 200},
		"log: a stream made by another attempt": {
			arn: group, status: 400, body: `{"__type":"ResourceAlreadyExistsException","message":"m"}`,
		},
		"log: no stream": {
			arn: group, status: 400, want: destination.Unprepared,
			body: `{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}`,
			text: "ResourceNotFoundException",
		},
		"log: no group": {
			arn: group, status: 400, want: destination.Failed,
			body: `{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}`,
			text: "ResourceNotFoundException",
		},
		"log: too old within a 200": {
			arn: group, status: 200, want: destination.Failed,
			body: `{"nextSequenceToken":"1","rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1}}`,
			text: "Rejected: it is older",
		},
		"log: expired within a 200": {
			arn: group, status: 200, want: destination.Failed,
			body: `{"rejectedLogEventsInfo":{"expiredLogEventEndIndex":1}}`,
			text: "Rejected: it is older",
		},
		"log: too new within a 200": {
			arn: group, status: 200, want: destination.Failed,
			body: `{"rejectedLogEventsInfo":{"tooNewLogEventStartIndex":0}}`,
			text: "Rejected: its time is more than 2 hours",
		},
		"log: a 200 that is cut off": {
			arn: group, status: 200, body: `{"nextSeq`, want: destination.Failed,
			text: "cannot be read",
		},
		"log: throttled": {
			arn: group, status: 400, want: destination.Throttled,
			body: `{"__type":"ThrottlingException","message":"Rate exceeded"}`,
			text: "ThrottlingException: Rate exceeded",
		},
		"log: not allowed": {
			arn: group, status: 400, want: destination.Denied,
			body: `{"__type":"AccessDeniedException","message":"no"}`,
			text: "logs:PutLogEvents on " + group + " is not allowed",
		},
		"log: unavailable": {
			arn: group, status: 500, body: `{"__type":"ServiceUnavailableException"}`,
			want: destination.Throttled, text: "ServiceUnavailableException",
		},
		"machine: succeeded": {
			arn: machine, wait: true, status: 200, body: `{"status":"SUCCEEDED","output":"{}"}`,
		},
		"machine: failed within a 200": {
			arn: machine, wait: true, status: 200, want: destination.Failed,
			body: `{"status":"FAILED","error":"States.TaskFailed","cause":"c"}`,
			text: "Execution.FAILED: States.TaskFailed: c",
		},
		"machine: timed out within a 200": {
			arn: machine, wait: true, status: 200, body: `{"status":"TIMED_OUT"}`,
			want: destination.Failed, text: "Execution.TIMED_OUT",
		},
		"machine: a 200 without a status": {
			arn: machine, wait: true, status: 200, body: `{}`, want: destination.Failed,
			text: "cannot be read",
		},
		"machine: not allowed to wait": {
			arn: machine, wait: true, status: 400, body: `{"__type":"AccessDeniedException"}`,
			want: destination.Denied, text: "states:StartSyncExecution on " + machine,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if header, value, ok := strings.Cut(tt.header, ": "); ok {
				h.Set(header, value)
			}
			got := parsed(t, tt.arn).Read(
				destination.Answer{Status: tt.status, Header: h.Get, Body: []byte(tt.body)},
				destination.Options{Wait: tt.wait},
			)
			if got.Verdict != tt.want || !strings.Contains(got.Text, tt.text) ||
				(got.Text == "") != (tt.text == "") {
				t.Errorf("got %+v, want %d %q", got, tt.want, tt.text)
			}
		})
	}
}

// FuzzRead: no answer makes Read fail, or its text long.
func FuzzRead(f *testing.F) {
	f.Add(0, false, 200, "", `{"FailedEntryCount":1,"Entries":[]}`)
	f.Add(1, true, 200, "Unhandled", `{"errorType":1}`)
	f.Add(2, false, 400, "a#b:c", `<Error><Code>x</Code>`)
	f.Add(3, true, 200, "", `{"status":{}}`)
	f.Add(5, false, 400, "", `{"__type":"ResourceNotFoundException","message":"log stream"}`)
	f.Add(6, false, 200, "", `{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":[]}}`)
	arns := []string{bus, function, topic, machine, queue, stream, group, bucket, delivery}
	f.Fuzz(func(t *testing.T, which int, wait bool, status int, header, body string) {
		d := parsed(t, arns[uint(which)%uint(len(arns))]) //nolint:gosec // any index
		got := d.Read(destination.Answer{
			Status: status, Header: func(string) string { return header }, Body: []byte(body),
		}, destination.Options{Wait: wait})
		if (got.Verdict == destination.Accepted) != (got.Text == "") || len(got.Text) > 1000 {
			t.Errorf("%+v", got)
		}
		if status < 200 || status > 299 {
			if got.Verdict == destination.Accepted && d.Kind != destination.States &&
				d.Kind != destination.Logs {
				t.Errorf("%d was accepted", status)
			}
		}
	})
}

func s3Error(code, message string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>` + code + `</Code><Message>` + message + `</Message><RequestId>1</RequestId></Error>`
}
