package destination

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"webhook-relay/shared/aws/protocol"
	"webhook-relay/shared/pattern"
)

// Kind is an AWS service that can be a destination.
type Kind string

// The kinds.
const (
	SQS    Kind = "sqs"
	SNS    Kind = "sns"
	Events Kind = "events" // an EventBridge bus
	Lambda Kind = "lambda"
	States Kind = "states" // Step Functions

	Kinesis  Kind = "kinesis"
	Firehose Kind = "firehose"
	S3       Kind = "s3"
	Logs     Kind = "logs" // CloudWatch Logs
)

// Destination is a resource of AWS to which events are sent.
type Destination struct {
	Kind Kind
	// ARN is the resource's, as the setting that grants it has it.
	ARN       string
	Partition string // aws, aws-cn, …
	Region    string // "": the relay's own, which must be set here before Request is called
	Account   string // "": the ARN has none
	Name      string // of the resource
	Key       string // of S3: the template of an object's key
}

// Options are what an endpoint says about its destination. They are stored in the catalog: do not
// change the JSON names.
type Options struct {
	Envelope Envelope `json:"envelope,omitempty"` // "": the kind's own, see Destination.Envelope
	// Templates of package transform.
	Group      string `json:"group,omitempty"`      // the message group or partition key
	DetailType string `json:"detailType,omitempty"` // of a bus; "": the event's type
	BusSource  string `json:"busSource,omitempty"`  // of a bus; "": relay. and the source's name
	Stream     string `json:"stream,omitempty"`     // of Logs: the log stream; "": the endpoint
	// Wait: Lambda and Step Functions run to their end, and their failure is the attempt's.
	Wait bool `json:"wait,omitempty"`
	// Claim: a content that is too large for the service is stored, and a pointer is sent; "": it
	// is not sent.
	Claim string `json:"claim,omitempty"`
	// Region of an S3 bucket, whose address has none; "": the relay's own.
	Region string `json:"region,omitempty"`
}

// Envelope is the form in which an event is sent.
type Envelope string

// The envelopes.
const (
	// Raw is the webhook's body. What else is known of the event is in attributes, where the
	// service has them.
	Raw Envelope = "raw"
	// JSON is an object with id, type, source, trust, time, headers and data.
	JSON Envelope = "json"
)

// kind is what differs between the services.
type kind struct {
	arn           func() *regexp.Regexp
	longest       int      // characters of the name
	longestBehind int      // and of what follows a colon in it
	form          string   // of the ARN, for people
	envelope      Envelope // default
	onlyJSON      bool     // the content must be JSON
	options       []string // keys of the configuration that it has, beside envelope
	action        func(Options) string
	request       func(Destination, Message, Options) (Request, error)
	failed        func(answer) *fault // looks for a failure in a 2xx; nil: there is none
}

// traits returns what differs for the kind. known is false if there is no such kind.
func (k Kind) traits() (t kind, known bool) {
	switch k {
	case SQS:
		return kind{
			arn: queueForm, longest: 80, form: "arn:aws:sqs:REGION:ACCOUNT:QUEUE", envelope: Raw,
			options: []string{"group", "claim"}, action: always("sqs:SendMessage"), request: sendMessage,
		}, true
	case SNS:
		return kind{
			arn: queueForm, longest: 256, form: "arn:aws:sns:REGION:ACCOUNT:TOPIC", envelope: Raw,
			options: []string{"group", "claim"}, action: always("sns:Publish"), request: publish,
		}, true
	case Events:
		return kind{
			arn: busForm, longest: 256, form: "arn:aws:events:REGION:ACCOUNT:event-bus/BUS", envelope: JSON,
			onlyJSON: true, options: []string{"detail_type", "bus_source", "claim"},
			action: always("events:PutEvents"), request: putEvents, failed: failedEntry,
		}, true
	case Lambda:
		return kind{
			arn: functionForm, longest: 64, longestBehind: 128, form: "arn:aws:lambda:REGION:ACCOUNT:function:NAME", envelope: JSON,
			onlyJSON: true, options: []string{"wait", "claim"}, action: always("lambda:InvokeFunction"),
			request: invoke, failed: failedFunction,
		}, true
	case States:
		return kind{
			arn: machineForm, longest: 80, longestBehind: 80, form: "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME",
			envelope: JSON, onlyJSON: true, options: []string{"wait", "claim"}, action: startAction,
			request: startExecution, failed: failedExecution,
		}, true
	case Kinesis:
		return kind{
			arn: streamForm, longest: 128, form: "arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM", envelope: JSON,
			options: []string{"group", "claim"}, action: always("kinesis:PutRecord"), request: putRecord,
		}, true
	case Firehose:
		return kind{
			arn: deliveryForm, longest: 64, form: "arn:aws:firehose:REGION:ACCOUNT:deliverystream/STREAM",
			envelope: JSON, options: []string{"claim"}, action: always("firehose:PutRecord"),
			request: putDelivery,
		}, true
	case S3:
		return kind{
			form: "s3://BUCKET/KEY", envelope: Raw, options: []string{"region"},
			action: always("s3:PutObject"), request: putObject,
		}, true
	case Logs:
		return kind{
			arn: groupForm, longest: 512, form: "arn:aws:logs:REGION:ACCOUNT:log-group:GROUP", envelope: JSON,
			options: []string{"stream", "claim"}, action: always("logs:PutLogEvents"),
			request: putLogEvents, failed: rejectedEvent,
		}, true
	default:
		return kind{}, false
	}
}

// must returns the traits of a kind that exists.
func (k Kind) must() kind {
	t, _ := k.traits()
	return t
}

// The forms of what follows the account in an ARN. The first group is the name. How long it may be
// is in kind: a pattern that counts to 512 takes a millisecond to compile.
var (
	queueForm    = pattern.Lazy(`^([A-Za-z0-9_-]+(\.fifo)?)$`)
	busForm      = pattern.Lazy(`^event-bus/([A-Za-z0-9/._-]+)$`)
	functionForm = pattern.Lazy(`^function:([A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?)$`)
	machineForm  = pattern.Lazy(`^stateMachine:([A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?)$`)
	streamForm   = pattern.Lazy(`^stream/([A-Za-z0-9_.-]+)$`)
	deliveryForm = pattern.Lazy(`^deliverystream/([A-Za-z0-9_.-]+)$`)
	groupForm    = pattern.Lazy(`^log-group:([A-Za-z0-9_/.#-]+)$`)
)

// nameIn returns the name in what follows the account in an ARN.
func (k kind) nameIn(resource string) (name string, ok bool) {
	found := k.arn().FindStringSubmatch(resource)
	if found == nil {
		return "", false
	}
	first, qualifier, _ := strings.Cut(found[1], ":")
	return found[1], len(first) <= k.longest && len(qualifier) <= k.longestBehind
}

const mebibyte = 1 << 20

func always(action string) func(Options) string {
	return func(Options) string { return action }
}

// order is the order in which people are told of the kinds.
var order = []Kind{SQS, SNS, Events, Lambda, States, Kinesis, Firehose, S3, Logs}

// Kinds returns all kinds.
func Kinds() []Kind { return order }

// Form returns how the address of a kind is written: an ARN, but for S3.
func (k Kind) Form() string { return k.must().form }

// HasOption tells whether endpoints of the kind have a key of the configuration.
func (k Kind) HasOption(key string) bool {
	return slices.Contains(k.must().options, key)
}

// Is tells whether the URL of an endpoint is that of a destination.
func Is(url string) bool {
	return strings.HasPrefix(url, "arn:") || strings.HasPrefix(url, bucketScheme)
}

var (
	arnForm = pattern.Lazy(
		`^arn:(aws[a-z-]*):([a-z]+):([a-z]{2}(-[a-z]+)+-[0-9]{1,2}):([0-9]{12}):(.+)$`,
	)
	errNoARN = errors.New(
		"is not an ARN of the form arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, with a region such as eu-central-1 and 12 digits of the account",
	)
)

// Parse reads the address of a destination: an ARN, or s3://BUCKET/KEY. The error says what it
// should be.
func Parse(url string) (Destination, error) {
	if address, ok := strings.CutPrefix(url, bucketScheme); ok {
		return parseBucket(address)
	}
	if strings.Contains(url, ":s3:") {
		return Destination{}, errors.New("is an ARN of S3; write s3://BUCKET/KEY instead")
	}
	found := arnForm().FindStringSubmatch(url)
	if found == nil {
		return Destination{}, errNoARN
	}
	k, known := Kind(found[2]).traits()
	if !known {
		return Destination{}, fmt.Errorf(
			"is an ARN of %s, to which the relay cannot send; it can send to %s", found[2],
			kindList(),
		)
	}
	d := Destination{
		Kind: Kind(found[2]), ARN: url, Partition: found[1], Region: found[3], Account: found[5],
	}
	name, ok := k.nameIn(found[6])
	if !ok {
		return Destination{}, fmt.Errorf("is not of the form %s", k.form)
	}
	d.Name = name
	return d, nil
}

func kindList() string {
	names := make([]string, len(order))
	for i, k := range order {
		names[i] = string(k)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// In returns the destination in a region, if its address has none.
func (d Destination) In(region string) Destination {
	if d.Region == "" {
		d.Region = region
		if strings.HasPrefix(region, "cn-") {
			d.Partition = "aws-cn"
		}
	}
	return d
}

// IsFIFO tells whether it is a queue or topic that keeps the order.
func (d Destination) IsFIFO() bool { return strings.HasSuffix(d.Name, ".fifo") }

// IsGranted tells whether the destination is among the ARNs that a stack grants. The address of a
// bucket does not say in which partition it is.
func (d Destination) IsGranted(arns []string) bool {
	if d.Kind == S3 {
		return slices.ContainsFunc(arns, func(arn string) bool {
			parts := strings.SplitN(arn, ":", 3)
			return len(parts) == 3 && parts[2] == "s3:::"+d.Name
		})
	}
	return slices.Contains(arns, d.ARN)
}

// Service returns the service's name in a signature.
func (d Destination) Service() string { return string(d.Kind) }

// Action returns the IAM action that sending needs.
func (d Destination) Action(o Options) string { return d.Kind.must().action(o) }

// Envelope returns the form in which events are sent.
func (d Destination) Envelope(o Options) Envelope {
	if o.Envelope != "" {
		return o.Envelope
	}
	return d.Kind.must().envelope
}

// host returns the name of the service's endpoint. prefix is that of the host, mostly the service.
func (d Destination) host(prefix string) string { return protocol.Host(prefix, d.Region) }
