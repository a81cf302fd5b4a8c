package deployed

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/lab/runtimeapi"
)

// errUnread says that a request cannot be recognised as a call that policies cover.
var errUnread = errors.New("deployed: cannot tell what is called")

// credential matches the credential scope of a request's signature and captures the service:
// AKIA…/20260102/eu-central-1/sqs/aws4_request. That of a presigned URL is in its query.
var credential = regexp.MustCompile(`^[^/]+/[0-9]+/[^/]+/([^/]+)/aws4_request`)

// door is the proxy through which one role calls the AWS services. It checks each call against the
// role's policies and forwards calls that are granted.
type door struct {
	role     *role
	services map[string]*url.URL // by the service names in signatures
	meter    *meter
}

// open starts the proxy. It runs until the returned server is closed. All services have the same
// URL.
func (d *door) open() *httptest.Server {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(d.services[service(r.In)])
			r.Out.Header.Set(callerHeader, d.role.arn)
		},
		Transport:      d.meter,
		ModifyResponse: d.hideMissing,
		// the caller or the emulator is gone
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return httptest.NewServer(granted(proxy, func(*http.Request) (*role, aws.Credentials) {
		return d.role, runtimeapi.Credentials()
	}))
}

// granted lets the calls through that the role of their sender allows. who returns that role and
// the credentials that must have signed the request; nil: they have expired.
func granted(
	through http.Handler, who func(*http.Request) (*role, aws.Credentials),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sender, credentials := who(r)
		if sender == nil {
			refuse(w, "ExpiredTokenException", "the security token has expired")
			return
		}
		var calls []call
		err := checkSigned(r, credentials)
		if err == nil {
			calls, err = callsOf(r)
		}
		if err != nil {
			calls = []call{{action: err.Error(), resource: r.Method + " " + r.URL.Path}}
		}
		for _, c := range calls {
			if !sender.may(c) {
				refuse(w, "AccessDeniedException", "not authorized to perform "+c.action+" on "+
					c.resource)
				return
			}
		}
		through.ServeHTTP(w, r)
	})
}

func service(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	found := credential.FindStringSubmatch(cmp.Or(scope, r.URL.Query().Get("X-Amz-Credential")))
	if found == nil {
		return ""
	}
	return found[1]
}

// hideMissing does what S3 does: only a caller that may list the bucket is told that an object is
// missing.
func (d *door) hideMissing(answer *http.Response) error {
	if service(answer.Request) != "s3" || answer.Request.Method != http.MethodGet ||
		answer.StatusCode != http.StatusNotFound {
		return nil
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(answer.Request.URL.Path, "/"), "/")
	if !d.role.may(call{action: "s3:ListBucket", resource: "arn:aws:s3:::" + bucket}) {
		answer.StatusCode, answer.ContentLength, answer.Body = http.StatusForbidden, 0, http.NoBody
		answer.Header.Set("Content-Length", "0")
	}
	return nil
}

// refuse refuses a call as a service does. The clients need only the status and, in JSON, the type.
func refuse(w http.ResponseWriter, kind, text string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusForbidden)
	// a client that is gone needs no answer
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": text})
}

// request holds the JSON fields that are read, of all services together. encoding/json accepts
// their spelling with Url and Arn.
type request struct {
	// of a transaction: the part's kind, and what it is about
	TransactItems []map[string]struct{ TableName string }

	QueueURL          string
	QueueName         string // of a queue that is made
	TableName         string
	IndexName         string
	RequestItems      map[string]any // for batch operations, by table
	KeyID             string
	EncryptionContext map[string]string
	Item, Key         itemKey // for PutItem; for UpdateItem and DeleteItem
	UpdateExpression  string

	KeyConditionExpression    string
	ExpressionAttributeValues map[string]struct{ S string }

	GroupName string
	SecretID  string

	StateMachineARN string
	Target          struct{ RoleARN string }
}

// itemKey is the partition key of an item.
type itemKey struct {
	Partition struct{ S string } `json:"pk"`
}

// checkSigned returns why r is not signed with a function's credentials, or nil. r can be read
// again afterwards.
func checkSigned(r *http.Request, credentials aws.Credentials) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnread, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return emulator.CheckSignature(r, body, credentials)
}

// callsOf returns the calls that r makes. r can be read again afterwards.
func callsOf(r *http.Request) ([]call, error) {
	name := service(r)
	if name == "s3" {
		return s3Calls(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if name == "sts" {
		return stsCalls(body)
	}
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUnread, name, err)
	}
	target := r.Header.Get("X-Amz-Target")
	_, operation, _ := strings.Cut(target, ".")
	switch {
	case name == "sqs" && in.QueueURL != "":
		return []call{
			{
				action:   "sqs:" + strings.TrimSuffix(operation, "Batch"),
				resource: queueARN(in.QueueURL),
			},
		}, nil
	case name == "sqs" && in.QueueName != "":
		return []call{{action: "sqs:" + operation, resource: arn("sqs", in.QueueName)}}, nil
	case name == "dynamodb":
		return dynamoCalls(operation, in)
	case name == "kms" && in.KeyID != "":
		return []call{
			{
				action: "kms:" + operation, resource: in.KeyID,
				context: encryptionContext(in.EncryptionContext),
			},
		}, nil
	case name == "secretsmanager" && in.SecretID != "":
		return []call{{action: "secretsmanager:" + operation, resource: secretARN(in.SecretID)}},
			nil
	case name == "states" && in.StateMachineARN != "":
		return []call{{action: "states:" + operation, resource: in.StateMachineARN}}, nil
	case name == "lambda" && invokePath.MatchString(r.URL.Path):
		function := invokePath.FindStringSubmatch(r.URL.Path)[1]
		return []call{{action: "lambda:InvokeFunction", resource: functionARN(function)}}, nil
	case name == "scheduler" && r.Method == http.MethodPost && path.Dir(r.URL.Path) == "/schedules":
		schedule := in.GroupName + "/" + path.Base(r.URL.Path)
		return []call{
			{action: "scheduler:CreateSchedule", resource: arn("scheduler", "schedule/"+schedule)},
			{
				action: "iam:PassRole", resource: in.Target.RoleARN,
				context: map[string]string{"iam:PassedToService": schedulerService},
			},
		}, nil
	}
	return nil, fmt.Errorf("%w: service %q, target %q", errUnread, name, target)
}

func stsCalls(body []byte) ([]call, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("Action") != "AssumeRole" {
		return nil, fmt.Errorf("%w: sts: %.200s", errUnread, body)
	}
	return []call{{action: "sts:AssumeRole", resource: form.Get("RoleArn")}}, nil
}

func s3Calls(r *http.Request) ([]call, error) {
	actions := map[string]string{http.MethodGet: "s3:GetObject", http.MethodHead: "s3:GetObject",
		http.MethodPut:    "s3:PutObject",
		http.MethodDelete: "s3:DeleteObject"}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if actions[r.Method] == "" || key == "" {
		return nil, fmt.Errorf("%w: s3: %s %s", errUnread, r.Method, r.URL.Path)
	}
	return []call{{action: actions[r.Method], resource: "arn:aws:s3:::" + bucket + "/" + key}}, nil
}

// transactActions are the IAM actions of the parts of a transaction:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
var transactActions = map[string]string{
	"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem",
	"ConditionCheck": "ConditionCheckItem",
}

func dynamoCalls(operation string, in request) ([]call, error) {
	var made []call
	add := func(table string) {
		made = append(
			made, call{action: "dynamodb:" + operation, resource: arn("dynamodb", "table/"+table)},
		)
	}
	switch {
	case in.IndexName != "":
		add(in.TableName + "/index/" + in.IndexName)
	case in.TableName != "":
		add(in.TableName)
		if key := in.leadingKey(operation); key != "" {
			made[0].context = map[string]string{"dynamodb:LeadingKeys": key}
			if operation == "UpdateItem" {
				made[0].context["dynamodb:Attributes"] = strings.Join(
					updated(in.UpdateExpression), ",",
				)
			}
		}
	default:
		for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
			add(table)
		}
	}
	for _, part := range in.TransactItems { // IAM checks each part as the call that it stands for
		for name, of := range part {
			made = append(made, call{
				action:   "dynamodb:" + transactActions[name],
				resource: arn("dynamodb", "table/"+of.TableName),
			})
		}
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("%w: dynamodb: %s without a table", errUnread, operation)
	}
	return made, nil
}

// leadingKey returns the partition that a call on a table works in; "": none that is read here.
func (in request) leadingKey(operation string) string {
	switch operation {
	case "GetItem", "PutItem", "UpdateItem", "DeleteItem":
		return in.Item.Partition.S + in.Key.Partition.S
	case "Query":
		if found := partitionIs.FindStringSubmatch(in.KeyConditionExpression); found != nil {
			return in.ExpressionAttributeValues[found[1]].S
		}
	}
	return ""
}

// partitionIs matches the part of a query's condition that names the partition.
var partitionIs = regexp.MustCompile(`\bpk = (:\w+)`)

// term matches a word of an expression that is no keyword. The relay writes keywords in capitals.
var term = regexp.MustCompile(`:?[a-z_]+\(?`)

// updated lists the attributes that an update names, and the key's. IAM also counts the attributes
// of a condition, which are not read here.
func updated(expression string) []string {
	names := []string{"pk", "sk"}
	for _, word := range term.FindAllString(expression, -1) {
		if !strings.HasPrefix(word, ":") && !strings.HasSuffix(word, "(") {
			names = append(names, word)
		}
	}
	return names
}

func encryptionContext(pairs map[string]string) map[string]string {
	context := make(map[string]string, len(pairs))
	for name, value := range pairs {
		context["kms:EncryptionContext:"+name] = value
	}
	return context
}

// secretARN returns the ARN of a secret. id is its name, to which six characters are added as
// Secrets Manager does, or its ARN.
func secretARN(id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return arn("secretsmanager", "secret:"+id+"-AbCdEf")
}

func queueARN(queueURL string) string { return arn("sqs", path.Base(queueURL)) }

func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + region + ":" + account + ":" + resource
}
