// Package assume has the request by which a role is assumed, and reads its answer. It makes no
// call.
//
//	body := assume.Request{Role: arn, Session: "webhook-relay"}.Form() // to POST, signed, to Address
//	credentials, err := assume.Read(status, answer)
package assume

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/aws/protocol"
)

// ContentType is that of the request.
const ContentType = "application/x-www-form-urlencoded; charset=utf-8"

// Service is the name of STS in signatures.
const Service = "sts"

// Request asks for the credentials of a role:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
type Request struct {
	Role       string // ARN
	Session    string // names the session in CloudTrail
	ExternalID string // "": none
	Policy     string // JSON: the session may do what both it and the role allow; "": no limit
	// Lasts is how long the credentials are valid, in whole seconds; zero: an hour. A role that
	// another role assumes has an hour at most.
	Lasts time.Duration
}

// Form returns the body of the request.
func (r Request) Form() []byte {
	form := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {r.Role},
		"RoleSessionName": {r.Session},
	}
	for name, value := range map[string]string{"ExternalId": r.ExternalID, "Policy": r.Policy} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if r.Lasts > 0 {
		form.Set("DurationSeconds", strconv.Itoa(int(r.Lasts.Seconds())))
	}
	return []byte(form.Encode())
}

// Address returns the address of STS in a region.
func Address(region string) string { return "https://" + protocol.Host(Service, region) + "/" }

// Credentials are those of a session.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time
}

// Error is an answer without credentials. It repeats nothing of the answer but the code.
type Error struct {
	Status int
	Code   string // such as AccessDenied; "": none that can be shown
}

// Error returns what STS answered.
func (e *Error) Error() string {
	text := "STS answered " + strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	return text
}

// Denied tells whether the caller may not assume the role.
func (e *Error) Denied() bool { return e.Code == "AccessDenied" }

// isCode tells whether a text can be shown as the code of an error.
func isCode(text string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz."
	return text != "" && len(text) <= 64 && strings.Trim(text, letters) == ""
}

// Read reads the answer. Its error is an *Error.
func Read(status int, body []byte) (Credentials, error) {
	of := func(name string) string { return protocol.Element(body, name) }
	got := Credentials{
		AccessKeyID: of("AccessKeyId"), SecretAccessKey: of("SecretAccessKey"),
		SessionToken: of("SessionToken"),
	}
	expires, err := time.Parse(time.RFC3339, of("Expiration"))
	if status != http.StatusOK || err != nil || got.AccessKeyID == "" {
		failed := &Error{Status: status}
		if code := of("Code"); isCode(code) {
			failed.Code = code
		}
		return Credentials{}, failed
	}
	got.Expires = expires
	return got, nil
}
