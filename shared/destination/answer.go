package destination

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"webhook-relay/shared/aws/protocol"
	"webhook-relay/shared/pattern"
)

// Answer is what a service answered.
type Answer struct {
	Status int
	Header func(name string) string
	// Body is the beginning of the body, of MaxAnswerBytes.
	Body []byte
}

// MaxAnswerBytes is how much of an answer must be read so that Read can tell what it means. Nearly
// every answer has less than 1 KiB. That of an express workflow repeats its input and has its
// output, of 256 KiB each, written as JSON in JSON.
const MaxAnswerBytes = 4 << 20

// AnswerHeaders are the headers that Read looks at.
var AnswerHeaders = []string{"x-amzn-errortype", "x-amz-function-error", "x-amzn-query-error"}

// Verdict is what an answer means for the delivery.
type Verdict int

// The verdicts.
const (
	Accepted  Verdict = iota
	Failed            // it is retried
	Throttled         // it is retried, and the endpoint is left alone for a while
	Denied            // it is retried after a long wait: somebody has to grant something
	TooLarge          // it would fail again
	// Unprepared: it is accepted after Request.Prepare has been sent. If that does not help, it is
	// retried.
	Unprepared
)

// Result is what an answer means.
type Result struct {
	Verdict Verdict
	Code    string // the service's own; "" if it gave none
	Text    string // what to tell the operator; "" if the message was accepted
}

// fault is an error as a service writes it.
type fault struct {
	code, message string
}

type answer struct {
	Answer
	wait bool
}

// throttling are the codes by which services say that there is too much to do, as bare writes them.
// They are those of the AWS SDKs (github.com/aws/aws-sdk-go-v2, aws/retry:
// DefaultThrottleErrorCodes), and those of the services here that the SDKs retry for other reasons.
var throttling = []string{
	"throttling", "throttled", "requestthrottled", "toomanyrequests",
	"provisionedthroughputexceeded", "transactioninprogress", "requestlimitexceeded",
	"bandwidthlimitexceeded", "limitexceeded", "slowdown", "priorrequestnotcomplete",
	"ec2throttled", "kmsthrottling", "kmsthrottled", "overlimit", "executionlimitexceeded",
	"concurrentinvocationlimitexceeded", "serviceunavailable",
}

var denials = []string{
	"accessdenied", "allaccessdisabled", "authorizationerror", "notauthorized",
	"notauthorizedforsource", "notauthorizedfordetailtype", "unauthorizedoperation",
	"kmsaccessdenied",
}

var oversizes = []string{
	"requesttoolarge", "entitytoolarge", "requestentitytoolarge", "maxmessagelengthexceeded",
	"batchrequesttoolong", "messagerejected.toolarge",
}

// bare returns a code without what differs between services, and between the SDKs' names and those
// on the wire: KMSThrottling of SNS is KmsThrottlingException of Step Functions.
func bare(code string) string { return strings.TrimSuffix(strings.ToLower(code), "exception") }

// tooLong are the words by which services say that a message is too large where they have no code
// for it: "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.",
// "Invalid parameter: Message too long", "Total size of the entries in the request is over the
// limit.", "Input length must be less than or equal to 262144".
var tooLong = pattern.Lazy(
	`(?i)must be shorter than|too long|over the limit|exceed(s|ed)? the (maximum|limit|max)|` +
		`length (must be )?less than or equal to|MaxMessageSize`,
)

// Read returns what an answer means. The text never has the request in it.
func (d Destination) Read(a Answer, o Options) Result {
	in := answer{Answer: a, wait: o.Wait}
	var f *fault
	switch {
	case a.Status < 200 || a.Status > 299:
		f = in.fault()
	case d.Kind.must().failed != nil:
		f = d.Kind.must().failed(in)
	}
	if f == nil || d.isRepeat(f) {
		return Result{Verdict: Accepted}
	}
	out := Result{Verdict: f.verdict(a.Status), Code: f.code, Text: f.text(a.Status)}
	switch {
	case out.Verdict == Denied:
		out.Text = fmt.Sprintf("%s on %s is not allowed: %s", d.Action(o), d.ARN, out.Text)
	case d.lacksStream(f):
		out.Verdict = Unprepared
	case d.Kind == S3 && slices.Contains(elsewhere, f.code):
		out.Text += "; set region to that of the bucket"
	}
	return out
}

// isRepeat tells whether the service has this already. A standard workflow says so when a name
// comes again after its execution has ended, or with another input:
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html Logs says
// so of a log stream that another attempt has just made, and once said so of events.
func (d Destination) isRepeat(f *fault) bool {
	return d.Kind == States && f.code == "ExecutionAlreadyExists" ||
		d.Kind == Logs && (f.code == "ResourceAlreadyExistsException" ||
			f.code == "DataAlreadyAcceptedException")
}

// lacksStream tells whether only the log stream is missing, and not the group: "The specified log
// stream does not exist."
func (d Destination) lacksStream(f *fault) bool {
	return d.Kind == Logs && f.code == "ResourceNotFoundException" &&
		strings.Contains(f.message, "log stream")
}

// elsewhere are the codes by which S3 says that a bucket is in another region:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var elsewhere = []string{
	"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed",
	"IllegalLocationConstraintException",
}

func (f *fault) verdict(status int) Verdict {
	code := bare(f.code)
	switch {
	case slices.Contains(denials, code):
		return Denied
	case slices.Contains(oversizes, code), status == 413, tooLong().MatchString(f.message):
		return TooLarge
	case slices.Contains(throttling, code), status == 429:
		return Throttled
	case f.code == "" && status == 403:
		return Denied
	default:
		return Failed
	}
}

// maxText is the longest text of a service that is told to the operator.
const maxText = 500

func (f *fault) text(status int) string {
	text := strings.TrimSuffix(f.code+": "+f.message, ": ")
	text = strings.TrimPrefix(text, ": ")
	if text == "" {
		text = fmt.Sprintf("the service answered %d", status)
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	return limited(text, maxText)
}

// fault reads the error of an answer that is not 2xx.
func (a answer) fault() *fault {
	f := protocol.ReadFault(a.Header, a.Body)
	return &fault{code: f.Code, message: f.Message}
}

// unreadable is the fault of a 200 that cannot be read, which must not count as success.
func unreadable() *fault { return &fault{message: "the answer cannot be read"} }

// failedEntry looks for the failure of the one entry in a 200 of PutEvents.
func failedEntry(a answer) *fault {
	var body struct {
		FailedEntryCount *int
		Entries          []struct{ ErrorCode, ErrorMessage string }
	}
	switch err := json.Unmarshal(a.Body, &body); {
	case err != nil || body.FailedEntryCount == nil:
		return unreadable()
	case *body.FailedEntryCount == 0:
		return nil
	case len(body.Entries) == 0:
		return unreadable()
	}
	return &fault{code: body.Entries[0].ErrorCode, message: body.Entries[0].ErrorMessage}
}

// failedFunction looks for the failure of a function that was waited for: its status is 200.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-sync.html
func failedFunction(a answer) *fault {
	kind := a.Header("x-amz-function-error")
	if kind == "" {
		return nil
	}
	var body struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	_ = json.Unmarshal(a.Body, &body) // a runtime may answer anything
	return &fault{
		code: "Function." + kind,
		message: strings.TrimPrefix(
			strings.TrimSuffix(body.Type+": "+body.Message, ": "), ": ",
		),
	}
}

// failedExecution looks for the failure of a workflow that was waited for: its status is 200.
func failedExecution(a answer) *fault {
	if !a.wait {
		return nil
	}
	var body struct{ Status, Error, Cause string }
	switch err := json.Unmarshal(a.Body, &body); {
	case err != nil || body.Status == "":
		return unreadable()
	case body.Status == "SUCCEEDED":
		return nil
	}
	return &fault{
		code: "Execution." + body.Status,
		message: strings.TrimPrefix(
			strings.TrimSuffix(body.Error+": "+body.Cause, ": "), ": ",
		),
	}
}

// rejectedEvent looks for the one event among those that a 200 of PutLogEvents says were rejected:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html
func rejectedEvent(a answer) *fault {
	var body struct {
		Rejected *struct {
			TooNew  *int `json:"tooNewLogEventStartIndex"`
			TooOld  *int `json:"tooOldLogEventEndIndex"`
			Expired *int `json:"expiredLogEventEndIndex"`
		} `json:"rejectedLogEventsInfo"`
	}
	if len(a.Body) == 0 {
		return nil // that of CreateLogStream
	}
	switch err := json.Unmarshal(a.Body, &body); {
	case err != nil:
		return unreadable()
	case body.Rejected == nil:
		return nil
	case body.Rejected.TooNew != nil:
		return &fault{code: "Rejected", message: "its time is more than 2 hours in the future"}
	}
	return &fault{
		code:    "Rejected",
		message: "it is older than 14 days, or than the log group keeps events",
	}
}
