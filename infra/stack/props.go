package stack

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/caarlos0/env/v11"
)

// ErrProps means that a prop or a context key is unknown, unreadable or out of its range.
var ErrProps = errors.New("stack: props")

// Props are the settings of a relay. A zero field means its default. Each field can be given as CDK
// context under the name in its tag: cdk deploy -c stage=prod -c maxBodyBytes=1048576.
type Props struct {
	// Stage distinguishes the relays of one account: the stack's name is webhook-relay-{stage}. It
	// matches [a-z][a-z0-9-]{0,19}. It cannot be longer, because the name that CloudFormation makes
	// for a FIFO queue has no more room.
	Stage string `context:"stage" default:"dev" pattern:"^[a-z][a-z0-9-]{0,19}$"`
	// FunctionsDir holds {name}/bootstrap for each function, and the program jq in deliver and
	// admin, built for Linux on arm64. The path is relative to the working directory.
	FunctionsDir string `context:"functionsDir" default:"bin/lambda"`
	// AlarmTopicARN is your SNS topic. It gets a message when an alarm starts and when it ends. Its
	// policy must let CloudWatch publish.
	AlarmTopicARN string `context:"alarmTopicArn" pattern:"^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:]+$"`
	// AlarmEmail gets a mail when an alarm starts and when it ends. The stack makes an SNS topic
	// for it. With AlarmTopicARN too, both are notified. AWS first sends a mail to confirm the
	// address, and sends no alarms until it is confirmed. Without AlarmTopicARN and AlarmEmail
	// nobody is notified.
	AlarmEmail string `context:"alarmEmail" pattern:"^[^@ ]+@[^@ ]+[.][^@ ]+$"`

	// DomainName is your own host name that partners POST to, such as hooks.example.com.
	// CertificateARN must be given with it: a certificate for that name from ACM, in the relay's
	// own region. You make the DNS record yourself: an alias or CNAME to the output
	// IngressDnsTarget. Empty: the gateway's own name is used.
	DomainName     string `context:"domainName" pattern:"^([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,}$"`
	CertificateARN string `context:"certificateArn" pattern:"^arn:[^:]+:acm:[^:]+:[0-9]{12}:certificate/.+$"`
	// DisableDefaultEndpoint disables the gateway's own name, so partners can use only DomainName.
	// Partners that still use the gateway's name then get 404.
	DisableDefaultEndpoint bool `context:"disableDefaultEndpoint" default:"false"`
	// TruststoreURI requires a client certificate (mutual TLS) from every partner. It names a PEM
	// file of the authorities that may issue these certificates, as s3://bucket/key, in your bucket
	// in the relay's region. It needs DomainName and DisableDefaultEndpoint, since the gateway's
	// own name asks for no certificate. When you change the file, deploy it under another key: API
	// Gateway notices only a new key.
	TruststoreURI string `context:"truststoreUri" pattern:"^s3://[a-z0-9.-]+/.+$"`
	// OwnershipCertificateARN is a public certificate for DomainName that ACM itself issued, in the
	// relay's region. It proves that the name is yours. API Gateway asks for it if TruststoreURI is
	// set and CertificateARN was imported into ACM or issued by AWS Private CA.
	OwnershipCertificateARN string `context:"ownershipCertificateArn" pattern:"^arn:[^:]+:acm:[^:]+:[0-9]{12}:certificate/.+$"`

	// FixedEgress sends the POSTs to endpoints from addresses that do not change: the output
	// EgressAddresses. Use it for receivers that accept only known senders. deliver then runs in a
	// VPC with a NAT gateway in each of two zones.
	//
	// This is the only part of a relay that costs money while idle: about 73 USD a month at the
	// prices of us-east-1 (twice 0.045 USD an hour for a gateway and 0.005 for its address). Each
	// GB of traffic costs another 0.045 USD. That includes POSTs and calls to SQS, KMS and
	// Scheduler.
	FixedEgress bool `context:"fixedEgress" default:"false"`
	// EgressPorts are the ports that endpoints may use in addition to 80 and 443, such as
	// 8443,9000. At most 50, since a security group has 60 rules. Whoever writes the configuration
	// can send requests to each of these ports, so list only those you need.
	EgressPorts []uint16 `context:"egressPorts"`
	// Secrets are the secrets of AWS Secrets Manager that endpoints may refer to. Each is an ARN,
	// or a prefix of the names of secrets in the stack's own account and region, such as relay/.
	Secrets []string `context:"secrets" pattern:"^(arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:)?[A-Za-z0-9/_+=.@-]+[*]?$"`
	// SecretsManagerKeys are the ARNs of your KMS keys that encrypt some of Secrets. Secrets of
	// another account always have such a key. deliver may use these keys only to decrypt, and only
	// through Secrets Manager. A key's policy must leave access to the account's IAM policies. For
	// a secret of another account, the policies of both the key and the secret must name this
	// account.
	SecretsManagerKeys []string `context:"secretsManagerKeys" pattern:"^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$"`
	// Invoke are the ARNs that endpoints with sigv4 may call: Lambda functions, through their
	// function URLs, and APIs of API Gateway
	// (arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/POST/PATH; * stands for any run of characters).
	Invoke []string `context:"invoke" pattern:"^arn:[^:]+:(lambda:[^:*]+:[0-9]{12}:function|execute-api:[^:*]+:[0-9]{12}):[^:*][^:]*(:[^:]+)?$"`
	// Send are the ARNs to which endpoints may send: SQS queues, SNS topics, EventBridge buses,
	// Lambda functions, Step Functions state machines, Kinesis and Firehose streams and log groups,
	// exactly as the endpoints name them, and S3 buckets (arn:aws:s3:::BUCKET). The ARN of an IAM
	// role lets endpoints with that role send to what the role may use. Endpoints with another ARN
	// are refused.
	Send []string `context:"send" pattern:"^arn:aws[a-z-]*:((sqs|sns):[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+|events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9/._-]+|lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_:$-]+|states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_:-]+|kinesis:[a-z0-9-]+:[0-9]{12}:stream/[A-Za-z0-9_.-]+|firehose:[a-z0-9-]+:[0-9]{12}:deliverystream/[A-Za-z0-9_.-]+|logs:[a-z0-9-]+:[0-9]{12}:log-group:[A-Za-z0-9_/.#-]+|s3:::[a-z0-9.-]+|iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+)$"`
	// Triggers feed sources from services in AWS: the ARN of an EventBridge bus or rule, an SNS
	// topic or an S3 bucket, by the source's name, as uploads=arn:aws:s3:::photos. At most 10. Each
	// gets a queue that only this ARN may send to. A bus gets a rule that passes on all its events,
	// a topic a subscription. For your own rule add the output Trigger…QueueArn as a target, for a
	// bucket as the destination of its notifications.
	Triggers map[string]string `context:"triggers" envKeyValSeparator:"="`
	// SecretsKeyARN is your symmetric KMS key, in the same region, that seals the catalog's
	// secrets. Empty: the stack makes a key. The policy of your key must leave access to the
	// account's IAM policies. Set it from the first deployment on. One key cannot open what another
	// has sealed, so after a change you must apply the configuration again with all its secrets.
	SecretsKeyARN string `context:"secretsKeyArn" pattern:"^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$"`

	// DataKeyARN is your symmetric KMS key, in the same region, that encrypts what the relay
	// stores: tables, bodies, queues and logs. Empty: keys that AWS owns, which cost nothing. The
	// key's policy must leave access to the account's IAM policies, and let CloudWatch Logs use the
	// key (docs/keys.md has the policy).
	DataKeyARN string `context:"dataKeyArn" pattern:"^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/(mrk-)?[0-9a-f-]{32,36}$"`
	// FormerDataKeyARNs are earlier values of DataKeyARN. Data that they encrypted stays encrypted
	// with them. The functions may still decrypt with these keys; new data is not encrypted with
	// them. Leave a key here for as long as messages and bodies are kept.
	FormerDataKeyARNs []string `context:"formerDataKeyArns" pattern:"^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/(mrk-)?[0-9a-f-]{32,36}$"`

	// IAM lets API Gateway authenticate the requests to the API under /v1, by AWS Signature Version
	// 4. Whoever may execute-api:Invoke on it has the role admin. Tokens are not used then, and
	// tenants cannot use the API.
	IAM bool `context:"iam" default:"false"`

	// Listeners is true, false or auto. auto means false in the stage prod and true in any other.
	// While it is true, whoever has a token with the role operate may have copies of events sent to
	// a machine of his own (relay listen).
	Listeners string `context:"listeners" default:"auto" pattern:"^(auto|true|false)$"`

	// Protect is true, false or auto. auto means true in the stage prod and false in any other.
	// While it is true, the stack cannot be destroyed (termination protection), and no table can be
	// deleted in any other way. Data outlives the stack in every stage.
	Protect string `context:"protect" default:"auto" pattern:"^(auto|true|false)$"`
	// Tags are put on the stack and all its resources, in addition to the relay's own tags app and
	// stage. At most 48, or 45 with FixedEgress: AWS allows 50, and the CDK puts three of its own
	// on subnets. Give them as team=shop,env=x, or as an object in cdk.json. Names and values must
	// not contain a comma, and names must not contain =. Two names must differ in more than case,
	// because of IAM.
	Tags map[string]string `context:"tags" envKeyValSeparator:"="`

	// RetentionDays is how long events and deliveries are kept, 1 to 3650. During this time a
	// repeated webhook is recognised.
	RetentionDays int `context:"retentionDays" default:"30" min:"1" max:"3650"`
	// LogRetentionDays is how long logs are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365,
	// 400, 545 or 731. These are the periods up to two years that CloudWatch Logs supports.
	LogRetentionDays int `context:"logRetentionDays" default:"30"`

	// Dashboard adds a CloudWatch dashboard of alarms, webhooks, queues and functions. It costs 3
	// USD a month. An account's first three dashboards are free.
	Dashboard bool `context:"dashboard" default:"false"`
	// Tracing turns on X-Ray for the functions. It costs 0.30 USD for a million events.
	Tracing bool `context:"tracing" default:"false"`
	// AccessLog makes API Gateway log every request, including accepted ones. It costs 0.17 USD for
	// a million requests. The gateway's own errors are recorded nowhere else.
	AccessLog bool `context:"accessLog" default:"false"`
	// PlatformLogs makes Lambda log the start and the report of each invocation. It costs 0.34 USD
	// for a million events. The metrics have the sums without it.
	PlatformLogs bool `context:"platformLogs" default:"false"`
	// LedgerRecovery turns on point-in-time recovery of the ledger for the last 35 days. It costs
	// 0.20 USD a month for each GB. The catalog always has it.
	LedgerRecovery bool `context:"ledgerRecovery" default:"false"`

	// MaxBodyBytes is the size of the largest webhook accepted. A function's request is at most 6
	// MB (6,291,456 bytes). This includes the body in base64 and up to 10 KiB of headers.
	MaxBodyBytes int `context:"maxBodyBytes" default:"4194304" min:"1" max:"4500000"`
	// InlineBodyBytes is the size of the largest body that is stored in messages. Bodies from 4 KiB
	// on count compressed. Larger bodies, and those of more than 256 KiB uncompressed, go to the
	// bucket. SQS bills each 64 KiB of a message. One batch of SQS holds at most ten deliveries of
	// 64 KiB, in base64 and with their headers.
	InlineBodyBytes int `context:"inlineBodyBytes" default:"40960" min:"1" max:"65536"`
	// CatalogCacheSeconds is how long a change of the configuration may take to come into force.
	CatalogCacheSeconds int `context:"catalogCacheSeconds" default:"30" min:"1" max:"3600"`

	// ThrottleRatePerSecond and ThrottleBurst limit the requests to /in/{source} of all partners
	// together. Above the limit partners get 429, and some of them never repeat the request. Any
	// other route has 20 a second and a burst of 40.
	//
	// All APIs of an account share the account's own limit: 10,000/s with a burst of 5,000, and in
	// the smaller regions 2,500/s with a burst of 1,250 (docs/deploying.md lists them). The
	// defaults fit everywhere.
	ThrottleRatePerSecond int `context:"throttleRatePerSecond" default:"1000" min:"1" max:"100000"`
	ThrottleBurst         int `context:"throttleBurst" default:"1000" min:"1" max:"100000"`

	// FanoutMaxConcurrency, DeliveryMaxConcurrency, RetryMaxConcurrency and SlowMaxConcurrency
	// limit the concurrent invocations for each queue. An invocation takes 10 messages. The sum
	// leaves room for receive in an account's 1,000.
	//
	// First attempts have the highest limit, since every delivery has one. Also, fair queues
	// distinguish endpoints only if more than about thirty messages are in flight.
	//
	// An endpoint that becomes slow occupies invocations of the delivery queue until the instances
	// know that it is slow. With 100 deliveries a second of 14 s each, that is some 170 to 300
	// invocations (docs/adr/0009-slow-endpoints.md). After that its deliveries use those of the
	// slow queue.
	FanoutMaxConcurrency   int `context:"fanoutMaxConcurrency" default:"50" min:"2" max:"1000"`
	DeliveryMaxConcurrency int `context:"deliveryMaxConcurrency" default:"300" min:"2" max:"1000"`
	RetryMaxConcurrency    int `context:"retryMaxConcurrency" default:"30" min:"2" max:"1000"`
	SlowMaxConcurrency     int `context:"slowMaxConcurrency" default:"50" min:"2" max:"1000"`
}

// ourKey matches any context key that looks like one of ours, misspelt or not. The CDK's own keys
// have a colon, a slash or a hyphen.
var ourKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// PropsFromContext reads props from CDK context and fills in the defaults. The command line gives
// strings; cdk.json may give other JSON values too. An unknown key that looks like one of ours is
// an error, and so is a value that cannot be read. All errors wrap ErrProps.
func PropsFromContext(context map[string]any) (Props, error) {
	kinds := contextKinds()
	values := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(context)) {
		kind, known := kinds[key]
		if !known {
			if ourKey.MatchString(key) {
				names := strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
				return Props{},
					fmt.Errorf("%w: context has no key %s, only %s", ErrProps, key, names)
			}
			continue
		}
		var ok bool
		if values[key], ok = contextText(context[key], kind); !ok {
			return Props{}, fmt.Errorf(
				"%w: context %s is a %T; it must be a %s", ErrProps, key, context[key],
				kind,
			)
		}
	}
	p, err := parse(Props{}, values)
	if err != nil {
		return Props{}, err
	}
	return p, p.checkGiven()
}

// checkGiven refuses a number that was given as 0. Later, 0 would be taken for a number that was
// not given. Here every omitted number already has its default.
func (p Props) checkGiven() error {
	for field, v := range reflect.ValueOf(p).Fields() {
		if v.CanInt() && v.IsZero() {
			return fmt.Errorf(
				"%w: %s is 0; leave it out for its default, %s", ErrProps, field.Tag.Get("context"),
				field.Tag.Get("default"),
			)
		}
	}
	return nil
}

// contextText writes a JSON value as the command line would give it. It also reports whether a prop
// of that kind can have such a value.
func contextText(value any, kind reflect.Kind) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(value), kind == reflect.Bool || kind == reflect.String
	case []any:
		return strings.ReplaceAll(strings.Trim(fmt.Sprint(value), "[]"), " ", ","),
			kind == reflect.Slice
	case map[string]any:
		var pairs []string
		for name, of := range value {
			pairs = append(pairs, fmt.Sprintf("%s=%v", name, of))
		}
		return strings.Join(pairs, ","), kind == reflect.Map
	}
	return "", false
}

// withDefaults returns p with its zero fields filled in, or an error that names everything wrong
// with p.
func (p Props) withDefaults() (Props, error) {
	p, err := parse(p, nil)
	if err != nil {
		return Props{}, err
	}
	return p, p.check()
}

func parse(p Props, values map[string]string) (Props, error) {
	err := env.ParseWithOptions(&p, env.Options{
		Environment: values, TagName: "context", DefaultValueTagName: "default",
		SetDefaultsForZeroValuesOnly: true,
	})
	if err != nil {
		return Props{}, fmt.Errorf("%w: %w", ErrProps, err)
	}
	return p, nil
}

// contextKinds returns the context keys of the props, with the kind of each.
func contextKinds() map[string]reflect.Kind {
	kinds := map[string]reflect.Kind{}
	for field := range reflect.TypeFor[Props]().Fields() {
		kinds[field.Tag.Get("context")] = field.Type.Kind()
	}
	return kinds
}

// logRetentions are the periods, in days, that CloudWatch Logs supports.
var logRetentions = map[int]awslogs.RetentionDays{
	1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS,
	5: awslogs.RetentionDays_FIVE_DAYS,
	7: awslogs.RetentionDays_ONE_WEEK, 14: awslogs.RetentionDays_TWO_WEEKS,
	30: awslogs.RetentionDays_ONE_MONTH,
	60: awslogs.RetentionDays_TWO_MONTHS, 90: awslogs.RetentionDays_THREE_MONTHS,
	120: awslogs.RetentionDays_FOUR_MONTHS,
	150: awslogs.RetentionDays_FIVE_MONTHS, 180: awslogs.RetentionDays_SIX_MONTHS,
	365: awslogs.RetentionDays_ONE_YEAR,
	400: awslogs.RetentionDays_THIRTEEN_MONTHS, 545: awslogs.RetentionDays_EIGHTEEN_MONTHS,
	731: awslogs.RetentionDays_TWO_YEARS,
}

// check returns all errors in p at once.
func (p Props) check() error {
	var wrong []error
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%w: "+format, append([]any{ErrProps}, args...)...))
	}
	for field, v := range reflect.ValueOf(p).Fields() {
		name := field.Tag.Get("context")
		if field.Tag.Get("max") != "" {
			least, _ := strconv.ParseInt(field.Tag.Get("min"), 10, 64)
			most, _ := strconv.ParseInt(field.Tag.Get("max"), 10, 64)
			if n := v.Int(); n < least || n > most {
				refuse("%s is %d; it must be %d to %d", name, n, least, most)
			}
		}
		if pattern := field.Tag.Get("pattern"); pattern != "" {
			for _, text := range textsOf(v) {
				if !regexp.MustCompile(pattern).MatchString(text) {
					refuse("%s %q does not match %s", name, text, pattern)
				}
			}
		}
	}
	if (p.DomainName == "") != (p.CertificateARN == "") {
		refuse(
			"domainName is %q and certificateArn is %q; set both or neither", p.DomainName,
			p.CertificateARN,
		)
	}
	if p.DisableDefaultEndpoint && p.DomainName == "" {
		refuse(
			"disableDefaultEndpoint is set without domainName, so partners could not reach the relay; set domainName",
		)
	}
	if len(p.SecretsManagerKeys) > 0 && len(p.Secrets) == 0 {
		refuse(
			"secretsManagerKeys is set without secrets, so there is nothing to decrypt; set secrets",
		)
	}
	if p.TruststoreURI != "" && !p.DisableDefaultEndpoint {
		refuse(
			"truststoreUri needs domainName and disableDefaultEndpoint; without them partners could connect without a client certificate",
		)
	}
	if p.OwnershipCertificateARN != "" && p.TruststoreURI == "" {
		refuse(
			"ownershipCertificateArn is set without truststoreUri; API Gateway needs it only with client certificates, so remove it",
		)
	}
	if slices.Contains(p.FormerDataKeyARNs, p.DataKeyARN) && p.DataKeyARN != "" {
		refuse("formerDataKeyArns contains the current dataKeyArn; remove it from the list")
	}
	if n := p.listed(); n > mostListed {
		refuse(
			"secrets, secretsManagerKeys, invoke, send and formerDataKeyArns have %d characters together; at most %d fit into the IAM policy of 10240",
			n, mostListed,
		)
	}
	p.checkTriggers(refuse)
	p.checkRegion(refuse)
	p.checkPorts(refuse)
	p.checkTags(refuse)
	if logRetentions[p.LogRetentionDays] == "" {
		refuse(
			"logRetentionDays is %d; it must be one of %d", p.LogRetentionDays,
			slices.Sorted(maps.Keys(logRetentions)),
		)
	}
	programs := []string{filepath.Join("deliver", "jq"), filepath.Join("admin", "jq")}
	for _, name := range functionNames {
		programs = append(programs, filepath.Join(name, "bootstrap"))
	}
	for _, name := range programs {
		if program := filepath.Join(p.FunctionsDir, name); !isFile(program) {
			refuse("%s is missing: build the functions first (make build-lambda)", program)
		}
	}
	return errors.Join(wrong...)
}

// mostTriggers keeps the environment of receive below the 4 KB that Lambda allows.
const mostTriggers = 10

var (
	triggerSource = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	triggerARN    = regexp.MustCompile(
		`^arn:aws[a-z-]*:(s3:::[a-z0-9][a-z0-9.-]{2,62}|sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+` +
			`|events:[a-z0-9-]+:[0-9]{12}:(event-bus|rule)/[A-Za-z0-9/._-]+)$`,
	)
)

func (p Props) checkTriggers(refuse func(format string, args ...any)) {
	if len(p.Triggers) > mostTriggers {
		refuse("triggers has %d sources; at most %d are allowed", len(p.Triggers), mostTriggers)
	}
	ids := map[string]string{}
	for _, source := range slices.Sorted(maps.Keys(p.Triggers)) {
		id, arn := camel(source), p.Triggers[source]
		switch {
		case !triggerSource.MatchString(source):
			refuse("triggers: %q is not the name of a source; it matches %s", source, triggerSource)
		case !triggerARN.MatchString(arn):
			refuse(
				"triggers: %s=%s is not the ARN of an EventBridge bus or rule, an SNS topic or an "+
					"S3 bucket", source, arn,
			)
		case ids[id] != "":
			refuse("triggers: %s and %s would get the same resources; rename one", ids[id], source)
		case strings.HasSuffix(arn, ".fifo"):
			refuse("triggers: %s is a FIFO topic, and the queues of triggers keep no order", arn)
		}
		ids[id] = source
	}
}

// checkRegion refuses ARNs of different regions. Certificates, keys and the alarm topic must be in
// the relay's own region.
func (p Props) checkRegion(refuse func(format string, args ...any)) {
	of := map[string][]string{}
	for name, arn := range map[string]string{
		"alarmTopicArn": p.AlarmTopicARN, "certificateArn": p.CertificateARN,
		"ownershipCertificateArn": p.OwnershipCertificateARN,
		"secretsKeyArn":           p.SecretsKeyARN, "dataKeyArn": p.DataKeyARN,
	} {
		if parts := strings.Split(arn, ":"); len(parts) > 3 {
			of[parts[3]] = append(of[parts[3]], name)
		}
	}
	if len(of) > 1 {
		var told []string
		for _, region := range slices.Sorted(maps.Keys(of)) {
			slices.Sort(of[region])
			told = append(told, strings.Join(of[region], ", ")+" in "+region)
		}
		refuse("%s: all must be in the relay's own region", strings.Join(told, "; "))
	}
}

// mostListed limits the characters that the props may add to a role's policy. IAM allows 10,240;
// deliver's own statements use the rest.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const mostListed = 2500

// listed returns how many characters the props add to deliver's policy.
func (p Props) listed() (n int) {
	for _, name := range slices.Concat(
		p.Secrets, p.SecretsManagerKeys, p.FormerDataKeyARNs, p.Send,
	) {
		n += len(name)
	}
	for _, name := range p.Secrets {
		if !strings.HasPrefix(name, "arn:") {
			n += len("arn:aws-us-gov:secretsmanager:ap-southeast-1:123456789012:secret:")
		}
	}
	for _, name := range p.Invoke {
		n += len(name)
		if strings.Contains(name, ":lambda:") { // to invoke it, and its URL
			n += len(name)
		}
	}
	return n
}

// mostEgressPorts leaves room for 80, 443 and a few more ports. A security group has 60 rules:
// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
const mostEgressPorts = 50

func (p Props) checkPorts(refuse func(format string, args ...any)) {
	if len(p.EgressPorts) > mostEgressPorts {
		refuse(
			"egressPorts has %d ports; at most %d are allowed", len(p.EgressPorts), mostEgressPorts,
		)
	}
	seen := map[uint16]bool{80: true, 443: true}
	for _, port := range p.EgressPorts {
		switch {
		case port == 0:
			refuse("egressPorts: 0 is not a port")
		case seen[port]:
			refuse("egressPorts: %d is always open; remove it", port)
		}
		seen[port] = true
	}
}

// mostTags is how many tags AWS allows on a resource. subnetTags is how many the CDK itself puts on
// a subnet: Name, aws-cdk:subnet-name and aws-cdk:subnet-type.
const (
	mostTags   = 50
	subnetTags = 3
)

func (p Props) checkTags(refuse func(format string, args ...any)) {
	most := mostTags - 2
	if p.FixedEgress {
		most -= subnetTags
	}
	if len(p.Tags) > most {
		refuse("tags has %d tags; at most %d are allowed", len(p.Tags), most)
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(p.Tags)) {
		lower := strings.ToLower(name)
		switch {
		case !tagName.MatchString(name) || !tagValue.MatchString(p.Tags[name]):
			refuse("tags: %s=%s does not match %s=%s", name, p.Tags[name], tagName, tagValue)
		case lower == appTag || lower == stageTag || strings.HasPrefix(lower, "aws:"):
			refuse("tags: %s is reserved; choose another name", name)
		case seen[lower]: // IAM ignores the case of names
			refuse("tags: %s occurs twice, in different upper and lower case", name)
		}
		seen[lower] = true
	}
}

// textsOf returns the texts of a prop that is a string or a list of strings. It returns none if the
// prop is not given.
func textsOf(v reflect.Value) []string {
	switch {
	case v.IsZero():
		return nil
	case v.Kind() == reflect.String:
		return []string{v.String()}
	}
	texts, _ := reflect.TypeAssert[[]string](v)
	return texts
}

// The tags that every relay has.
const (
	appTag   = "app"
	stageTag = "stage"
)

// The names and values that AWS allows for a tag, without the characters that the command line
// cannot carry.
var (
	tagName  = regexp.MustCompile(`^[\pL\pN _.:/+@-]{1,128}$`)
	tagValue = regexp.MustCompile(`^[\pL\pN _.:/=+@-]{0,256}$`)
)

// tags returns the tags of the stack. CloudFormation also puts them on its resources.
func (p Props) tags() map[string]string {
	tags := map[string]string{appTag: "webhook-relay", stageTag: p.Stage}
	maps.Copy(tags, p.Tags)
	return tags
}

// protected reports whether the stack and its tables are protected from deletion.
func (p Props) protected() bool {
	return p.Protect == "true" || p.Protect == "auto" && p.Stage == "prod"
}

// listens reports whether people may listen to events.
func (p Props) listens() bool {
	return p.Listeners == "true" || p.Listeners == "auto" && p.Stage != "prod"
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
