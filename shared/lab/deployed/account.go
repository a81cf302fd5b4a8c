package deployed

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// Account returns the environment of a person with the credentials of the account: the parts of
// CloudFormation, CloudWatch, IAM, STS and Lambda that relay doctor asks. No alarm has fired, and
// 1,000 functions may run at a time.
func (h *Host) Account() []string {
	env := []string{
		"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=person", "AWS_SECRET_ACCESS_KEY=person",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_ENDPOINT_URL_SQS=" + h.services["sqs"].String(),
	}
	for _, service := range []string{"CLOUDFORMATION", "CLOUDWATCH", "IAM", "STS", "LAMBDA"} {
		env = append(env, "AWS_ENDPOINT_URL_"+service+"="+h.account.URL)
	}
	return env
}

func (h *Host) runAccount() *httptest.Server {
	actions := map[string]func(*http.Request) any{
		"DescribeStacks": h.describeStacks, "ListStackResources": h.listResources,
		"DescribeAlarms": func(*http.Request) any { return struct{}{} },
		"GetCallerIdentity": func(*http.Request) any {
			return struct {
				ARN     string `xml:"GetCallerIdentityResult>Arn"`
				Account string `xml:"GetCallerIdentityResult>Account"`
			}{"arn:aws:iam::" + account + ":user/person", account}
		},
		"SimulatePrincipalPolicy": h.simulate,
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/account-settings/") {
			_, _ = fmt.Fprint(w, `{"AccountLimit": {"UnreservedConcurrentExecutions": 1000}}`)
			return
		}
		action := actions[r.PostFormValue("Action")]
		if action == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		name := xml.StartElement{Name: xml.Name{Local: r.PostFormValue("Action") + "Response"}}
		_ = xml.NewEncoder(w).EncodeElement(action(r), name) // a client that is gone needs none
	}))
}

// member is a member of a list in an answer.
type member struct {
	OutputKey          string `xml:",omitempty"`
	OutputValue        string `xml:",omitempty"`
	LogicalResourceID  string `xml:"LogicalResourceId,omitempty"`
	PhysicalResourceID string `xml:"PhysicalResourceId,omitempty"`
	ResourceType       string `xml:",omitempty"`
	EvalDecision       string `xml:",omitempty"`
}

func (h *Host) describeStacks(*http.Request) any {
	var answer struct {
		Name    string   `xml:"DescribeStacksResult>Stacks>member>StackName"`
		Outputs []member `xml:"DescribeStacksResult>Stacks>member>Outputs>member"`
	}
	answer.Name = h.stack.name
	for key, value := range h.Outputs {
		answer.Outputs = append(answer.Outputs, member{OutputKey: key, OutputValue: value})
	}
	return answer
}

func (h *Host) listResources(*http.Request) any {
	var answer struct {
		All []member `xml:"ListStackResourcesResult>StackResourceSummaries>member"`
	}
	for id, r := range h.stack.Resources {
		answer.All = append(answer.All, member{
			LogicalResourceID: id, PhysicalResourceID: h.stack.made[id].ref, ResourceType: r.Type,
		})
	}
	return answer
}

// simulate tells whether a role allows an action on a resource. It does not count as a use.
func (h *Host) simulate(r *http.Request) any {
	var answer struct {
		Results []member `xml:"SimulatePrincipalPolicyResult>EvaluationResults>member"`
	}
	role, decision := h.roles[r.PostFormValue("PolicySourceArn")], "implicitDeny"
	c := call{
		action:   r.PostFormValue("ActionNames.member.1"),
		resource: r.PostFormValue("ResourceArns.member.1"),
	}
	if role != nil && role.allows(c) {
		decision = "allowed"
	}
	answer.Results = []member{{EvalDecision: decision}}
	return answer
}
