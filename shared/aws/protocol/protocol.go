// Package protocol has what the AWS services share on the wire, whoever sends the request: the
// names of their hosts, and their errors. It makes no call.
package protocol

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"strings"
)

// suffixes are those of the services' host names, by the beginning of a region's name. All other
// regions have the one of aws and aws-us-gov. They are those of the AWS SDKs (partitions.json of
// github.com/aws/aws-sdk-go-v2, internal/endpoints/awsrulesfn).
var suffixes = [...][2]string{
	{"cn-", "amazonaws.com.cn"}, {"eusc-", "amazonaws.eu"}, {"us-iso-", "c2s.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov"}, {"us-isof-", "csp.hci.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
}

// Host returns the name of a service's host in a region. prefix is what stands before the region,
// mostly the service.
func Host(prefix, region string) string {
	suffix := "amazonaws.com"
	for _, s := range suffixes {
		if strings.HasPrefix(region, s[0]) {
			suffix = s[1]
		}
	}
	return prefix + "." + region + "." + suffix
}

// Fault is an error as a service writes it.
type Fault struct {
	Code    string   // such as AccessDenied; "": it gave none
	Message string   // for people
	Reasons []string // of a transaction of DynamoDB that was not made: a code for each write, or "None"
}

// ReadFault reads the error in an answer that is not 2xx, in any of the services' protocols: JSON,
// REST with JSON or XML, and query. header returns a header by its name in lower case. An answer
// that is none of them has no code.
func ReadFault(header func(name string) string, body []byte) Fault {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return Fault{Code: Element(body, "Code"), Message: Element(body, "Message")}
	}
	var answer struct {
		Type    string                  `json:"__type"`
		Code    string                  `json:"code"`
		Message string                  `json:"message"` // also Message: encoding/json ignores the case
		Reasons []struct{ Code string } `json:"CancellationReasons"`
	}
	_ = json.Unmarshal(body, &answer)
	code := cmp.Or(answer.Type, header("x-amzn-errortype"), answer.Code)
	// com.amazonaws.sqs#QueueDoesNotExist, or ResourceNotFoundException:http://…
	code, _, _ = strings.Cut(code[strings.LastIndexByte(code, '#')+1:], ":")
	// SQS keeps the older name of an error here: AWS.SimpleQueueService.NonExistentQueue;Sender
	if query, _, _ := strings.Cut(header("x-amzn-query-error"), ";"); code == "" {
		code = query
	}
	fault := Fault{Code: code, Message: answer.Message}
	for _, r := range answer.Reasons {
		fault.Reasons = append(fault.Reasons, r.Code)
	}
	return fault
}

// Element returns the text of the first XML element with a name and without attributes. It is "" if
// there is none.
func Element(text []byte, name string) string {
	_, rest, _ := bytes.Cut(text, []byte("<"+name+">"))
	inner, _, found := bytes.Cut(rest, []byte("</"+name+">"))
	if !found {
		return ""
	}
	return html.UnescapeString(string(inner))
}
